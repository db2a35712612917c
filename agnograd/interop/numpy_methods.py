"""Methods that libraries written for NumPy expect of an array, beside those of the standard and of PyTorch.

Where NumPy and PyTorch disagree, what is called decides: ``x.transpose(2, 0, 1)`` permutes as NumPy does, and
``x.transpose(0, 1)`` swaps two axes as PyTorch does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnograd.core.array import Array
from agnograd.core.table import OPS


def copy(self: Array, order: str | None = None) -> Any:
    """An independent copy; gradients flow through it. `order` is taken and ignored: it means nothing here."""
    return OPS["clone"].call(self)


def flatten(self: Array, start_dim: int | str = 0, end_dim: int = -1) -> Any:
    """A copy on one axis, or with the axes from `start_dim` to `end_dim` merged.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.zeros(2, 3, 4).flatten(1).shape
    (2, 12)
    """
    if isinstance(start_dim, str):
        _check_order("flatten", start_dim)
        start_dim = 0
    n = self.ndim
    start = start_dim % n if n else 0
    end = end_dim % n if n else 0
    return OPS["reshape"].call(self, (*self.shape[:start], -1, *self.shape[end + 1 :]), copy=True)


def ravel(self: Array, order: str = "C") -> Any:
    """A view on one axis."""
    _check_order("ravel", order)
    return OPS["reshape"].call(self, (-1,))


def _check_order(name: str, order: str) -> None:
    if order not in {"C", "K", "A"}:
        msg = f"{name} works in the order of C, got order={order!r}: use x.mT.{name}() for a matrix in that of Fortran"
        raise ValueError(msg)


def transpose(self: Array, *axes: Any) -> Any:
    """A view with its axes reversed, permuted (all of them given) or swapped (two of them given, as in PyTorch).

    Parameters
    ----------
    *axes : int, or one tuple of int
        None of them, all of them in their new order, or two that change places.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.zeros(2, 3, 4)
    >>> x.transpose().shape, x.transpose(1, 0, 2).shape, x.transpose(0, 2).shape
    ((4, 3, 2), (3, 2, 4), (4, 3, 2))
    """
    n = self.ndim
    order: Sequence[int] = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    if not order:
        order = range(n)[::-1]
    elif len(axes) == 2:
        i, j = (a % n for a in axes)
        order = [j if a == i else i if a == j else a for a in range(n)]
    return OPS["permute_dims"].call(self, tuple(order))


def take(self: Array, indices: Any, axis: int | None = None) -> Any:
    """Elements along an axis, of all of them in one row if none is given; indices may be a list, a number, an array."""
    x = ravel(self) if axis is None else self
    places = indices if isinstance(indices, Array) else x.__array_namespace__().asarray(indices)
    taken = OPS["take"].call(x, OPS["reshape"].call(places, (-1,)), axis=axis or 0)
    kept = x.shape[: (axis or 0) % x.ndim], x.shape[(axis or 0) % x.ndim + 1 :]
    return OPS["reshape"].call(taken, (*kept[0], *places.shape, *kept[1]))


for _name, _method in {
    "conjugate": OPS["conj"].call,
    "copy": copy,
    "flat": property(lambda self: OPS["reshape"].call(self, (-1,)), doc="A view on one axis."),
    "flatten": flatten,
    "ravel": ravel,
    "take": take,
    "transpose": transpose,
}.items():
    setattr(Array, _name, _method)
