"""The rows of the test matrix: a backend, on one of its devices, in the precisions that it has there.

array-api-strict pretends to have several devices, and CuPy has several where there are several GPUs; every other
backend makes one row.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from agnograd.core.table import Space, spaces
from agnograd.errors import BackendUnavailableError

Array = Any

DOUBLE = "float64"
SINGLE = "float32"


@dataclass(frozen=True)
class Row:
    """One row of the matrix.

    Attributes
    ----------
    name : str
        Its name in test ids and in tables of capabilities.
    backend : str
        The backend.
    device : str or None
        Name of a device, where it is not the backend's default one.
    precisions : tuple of str
        The real dtypes that the device has.

    Examples
    --------
    >>> from agnograd.testing import rows
    >>> (row,) = rows(["numpy"])
    >>> row.precisions
    ('float64', 'float32')
    """

    name: str
    backend: str
    device: str | None = None
    precisions: tuple[str, ...] = (DOUBLE, SINGLE)

    @property
    def space(self) -> Space:
        """The namespace of the backend's raw arrays."""
        return spaces.named(self.backend)

    def dtype_name(self, name: str) -> str:
        """The name of a dtype; on a device without double precision that of the single one in its place."""
        if DOUBLE in self.precisions:
            return name
        return {DOUBLE: SINGLE, "complex128": "complex64"}.get(name, name)

    def dtype(self, name: str) -> Any:
        """The backend's dtype of that name, or its replacement."""
        return getattr(self.space.module, self.dtype_name(name))

    def place(self) -> Any:
        """The device, as the backend's functions take it; None for the default one."""
        if self.device is None:
            return None
        module = self.space.module
        return module.cuda.Device(int(self.device)) if self.backend == "cupy" else module.Device(self.device)

    def asarray(self, host: Any) -> Array:
        """A raw array of the row with the values of a NumPy array."""
        if self.backend == "numpy":
            # Nothing may write into what it was given.
            host.flags.writeable = False
            return host
        if self.backend == "dask":
            # Two elements a chunk, so that chunks have borders in the smallest samples.
            import dask.array as da

            return da.from_array(host, chunks=2)
        options = {} if self.device is None else {"device": self.place()}
        return self.space.module.asarray(host, **options)


# Where a backend makes more than one row. device1 shows that results stay where their arguments are, device2 that no
# rule falls back to a default dtype (it is float32 there), no_float64 is what Apple's GPUs are. CuPy works on the
# current device: the second one is not.
SEVERAL: dict[str, tuple[Row, ...]] = {
    "strict": (
        Row("strict", "strict"),
        Row("strict-device1", "strict", "device1"),
        Row("strict-device2", "strict", "device2"),
        Row("strict-no_float64", "strict", "no_float64", (SINGLE,)),
    ),
    "cupy": (Row("cupy", "cupy"), Row("cupy-device1", "cupy", "1")),
}


def rows(backends: Iterable[str]) -> list[Row]:
    """The rows of some backends.

    Parameters
    ----------
    backends : iterable of str
        Their names.

    Returns
    -------
    list of Row

    Examples
    --------
    >>> [row.name for row in rows(["numpy", "strict"])]
    ['numpy', 'strict', 'strict-device1', 'strict-device2', 'strict-no_float64']
    """
    found = [row for name in backends for row in SEVERAL.get(name, (Row(name, name),))]
    return [row for row in found if row.backend != "cupy" or row.device is None or _gpus() > int(row.device)]


def _gpus() -> int:
    import cupy

    return int(cupy.cuda.runtime.getDeviceCount())


def backend_names(choice: str) -> list[str]:
    """The backends that an option names.

    Parameters
    ----------
    choice : str
        Names separated by commas; ``all`` for every backend that is described, ``available`` for those that work here.

    Raises
    ------
    UnknownBackendError
        If there is no backend of a name.
    BackendUnavailableError
        If a backend that was asked for by name does not work here; the message says how to install it.
    """
    from agnograd import plugins

    manager = plugins.manager
    if choice == "available":
        return [name for name in manager.backends() if manager.unavailable(name) is None]
    names = list(manager.backends()) if choice == "all" else [n.strip() for n in choice.split(",") if n.strip()]
    for name in names:
        reason = manager.unavailable(name)
        if reason is not None:
            raise BackendUnavailableError(reason)
    return list(dict.fromkeys(names))


# -- what a rule must not do -------------------------------------------------------------------------------------------

Guard = Callable[[], AbstractContextManager[Any]]

# Backend name to a context manager under which rules run, in which whatever they must not do on that backend fails. The
# tests of a plugin may add one for its backend, or put another in the place of one that is there.
GUARDS: dict[str, Guard] = {}


def during_rules(backend: str) -> AbstractContextManager[Any]:
    """A context in which whatever a rule must not do on this backend fails.

    On dask nothing may be computed, on CuPy nothing may wait for the device, and array-api-strict refuses masks as
    indices and shapes that depend on data.
    """
    return GUARDS.get(backend, contextlib.nullcontext)()


def during_calls(backend: str) -> AbstractContextManager[Any]:
    """A context for whole passes, forward and backward: dask computes nothing in either."""
    return forbid_compute() if backend == "dask" else contextlib.nullcontext()


@contextlib.contextmanager
def count_computes() -> Iterator[list[int]]:
    """Count how often dask computes; the list that is given has one item, the number.

    Yields
    ------
    list of int

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> from agnograd.testing import count_computes
    >>> with count_computes() as computes:
    ...     _ = ag.grad(lambda x: ag.sum(x * x))(da.ones(4, chunks=2)).compute()
    >>> computes
    [1]
    """
    import dask
    from dask.local import get_sync

    computes = [0]

    def scheduler(graph: Any, keys: Any, **options: Any) -> Any:
        computes[0] += 1
        return get_sync(graph, keys, **options)

    with dask.config.set(scheduler=scheduler):
        yield computes


@contextlib.contextmanager
def forbid_compute() -> Iterator[None]:
    """Fail at the place where dask would compute.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> from agnograd.testing import forbid_compute
    >>> with forbid_compute():
    ...     lazy = ag.grad(lambda x: ag.sum(x * x))(da.ones(4, chunks=2))
    >>> lazy.compute()
    array([2., 2., 2., 2.])
    """
    import dask

    def scheduler(graph: Any, keys: Any, **options: Any) -> Any:
        msg = "dask was made to compute: the engine and its rules must leave arrays lazy"
        raise AssertionError(msg)

    with dask.config.set(scheduler=scheduler):
        yield


def _strict_flags() -> AbstractContextManager[Any]:
    import array_api_strict

    return array_api_strict.ArrayAPIStrictFlags(boolean_indexing=False, data_dependent_shapes=False)  # type: ignore[no-any-return]


@contextlib.contextmanager
def _no_synchronisation() -> Iterator[None]:
    import cupyx

    with contextlib.ExitStack() as stack:
        with warnings.catch_warnings():
            # Deprecated, because it misses some synchronisations. It is right about those that it sees.
            warnings.simplefilter("ignore")
            stack.enter_context(cupyx.allow_synchronize(False))
        yield


GUARDS.update(dask=forbid_compute, strict=_strict_flags, cupy=_no_synchronisation)


# -- which cases a test is about ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Selection:
    """What `over_cases` was given."""

    keep: Callable[[Any], bool]
    precisions: tuple[str, ...]
    slow_on: tuple[str, ...]
    backends: tuple[str, ...] | None


Test = TypeVar("Test", bound=Callable[..., Any])


def over_cases(
    keep: Callable[[Any], bool] = bool,
    *,
    precisions: tuple[str, ...] = (DOUBLE, SINGLE),
    slow_on: tuple[str, ...] = (),
    backends: tuple[str, ...] | None = None,
) -> Callable[[Test], Test]:
    """Run a test for every row of the matrix and every case of the table.

    The test takes the fixtures ``agnograd_row``, ``agnograd_case`` and ``agnograd_precision``.

    Parameters
    ----------
    keep : callable
        ``keep(case)``: whether the test is about that case; by default it is about all.
    precisions : tuple of str
        Real dtypes, of those that the row has.
    slow_on : tuple of str
        Backends on which all but a few samples of each operation are marked slow.
    backends : tuple of str or None
        The only backends on which the test makes sense.

    Examples
    --------
    >>> from agnograd.testing import over_cases, rows, runs
    >>> @over_cases(lambda case: case.op.tier == "elementwise", precisions=("float64",))
    ... def test_of_elements(agnograd_row, agnograd_case, agnograd_precision):
    ...     agnograd_case.build(agnograd_row, agnograd_precision)
    >>> next(runs(test_of_elements, rows(["numpy"]), "tanh")).id
    'numpy-tanh-3-f8'
    """

    def decorate(test: Test) -> Test:
        test.agnograd_selection = Selection(keep, precisions, slow_on, backends)  # type: ignore[attr-defined]
        return test

    return decorate
