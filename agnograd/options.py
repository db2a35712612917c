"""Options of this thread or asyncio task."""

from __future__ import annotations

from agnograd.core.conversions import Computes
from agnograd.core.level import implicit_compute as _implicit_compute


class config:  # noqa: N801 - used as a function, or as a block
    """Set options from now on; as a context manager, for a block only.

    Parameters
    ----------
    implicit_compute : bool, optional
        Whether ``bool``, ``int``, ``float``, ``complex``, ``item``, ``tolist`` and ``numpy.asarray`` compute a lazy
        tensor, as they do with dask's own arrays. Each is a pass over all that the tensor depends on, so False helps to
        find the places: there they raise `agnograd.errors.ImplicitComputeError`. Libraries that ask array-api-compat
        whether a tensor is lazy learn it then, and look for a way that needs no values.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.namespace("dask").ones(3)
    >>> with ag.config(implicit_compute=False):
    ...     bool((x > 0).all())
    Traceback (most recent call last):
    agnograd.errors.ImplicitComputeError: a truth value would compute a lazy array (shape (), bool, dask on cpu), ...
    >>> bool((x > 0).all())
    True
    """

    def __init__(self, *, implicit_compute: bool | None = None) -> None:
        self._outer = _implicit_compute.get()
        self._given = self._outer if implicit_compute is None else implicit_compute
        self.__enter__()

    def __enter__(self) -> None:
        _implicit_compute.set(self._given)

    def __exit__(self, *error: object) -> None:
        _implicit_compute.set(self._outer)


def implicit_computes() -> int:
    """How often in this process a lazy tensor was computed because a Python value or a NumPy array was asked of it.

    Examples
    --------
    >>> import agnograd as ag
    >>> before = ag.implicit_computes()
    >>> float(ag.namespace("dask").ones(3).sum())
    3.0
    >>> ag.implicit_computes() - before
    1
    """
    return Computes.count
