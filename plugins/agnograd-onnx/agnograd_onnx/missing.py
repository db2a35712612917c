"""Functions of the standard that ndonnx lacks, or has otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import ndonnx as ndx
import numpy as np
from agnograd.errors import UnsupportedError

from agnograd_onnx import matrices
from agnograd_onnx.indexing import getitem

Array = Any


def real(x: Array, /) -> Array:
    """The array itself: there are no complex numbers."""
    return x


def conj(x: Array, /) -> Array:
    """The array itself: there are no complex numbers."""
    return x


def cumulative_prod(x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """Products of the first elements; ndonnx takes logarithms, which negative numbers have not.

    Each step multiplies by what stands twice as far before, so that there are as many as the length has digits.
    """
    axis = 0 if axis is None else axis % x.ndim
    out = x if dtype is None else ndx.astype(x, dtype)
    lead = (slice(None),) * axis
    n = x.shape[axis]
    by = 1
    while by < n:
        ones = ndx.ones_like(getitem(out, (*lead, slice(0, by))))
        out = out * ndx.concat([ones, getitem(out, (*lead, slice(0, n - by)))], axis=axis)
        by *= 2
    if include_initial:
        ones = ndx.ones((*x.shape[:axis], 1, *x.shape[axis + 1 :]), dtype=out.dtype)
        out = ndx.concat([ones, out], axis=axis)
    return out


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """Elements of each row along an axis. The other axes broadcast; ONNX takes the beginning of the longer ones."""
    a = axis % x.ndim
    around = np.broadcast_shapes(*((*y.shape[:a], 1, *y.shape[a + 1 :]) for y in (x, indices)))
    x, indices = (ndx.broadcast_to(y, (*around[:a], y.shape[a], *around[a + 1 :])) for y in (x, indices))
    return ndx.take_along_axis(x, indices, axis=a)


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Array:
    """Whether each element is one of `x2`."""
    found = ndx.any(getitem(ndx.asarray(x1), (..., None)) == ndx.reshape(ndx.asarray(x2), (-1,)), axis=-1)
    return ~found if invert else found


# -- orders, as slices: ndonnx takes tens of operators, for lengths that only a model knows ----------------------------


def _axes(x: Array, axes: int | Sequence[int] | None) -> tuple[int, ...]:
    if axes is None:
        return tuple(range(x.ndim))
    return tuple(a % x.ndim for a in ((axes,) if isinstance(axes, int) else axes))


def flip(x: Array, /, *, axis: int | Sequence[int] | None = None) -> Array:
    """The array backwards."""
    axes = _axes(x, axis)
    return getitem(x, tuple(slice(None, None, -1 if a in axes else 1) for a in range(x.ndim)))


def roll(x: Array, /, shift: int | Sequence[int], *, axis: int | Sequence[int] | None = None) -> Array:
    """The array moved along, what falls out at one end coming in at the other."""
    if axis is None:
        return ndx.reshape(roll(ndx.reshape(x, (-1,)), shift, axis=0), x.shape)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, int) else tuple(shift)
    for by, a in zip(shifts, axes, strict=True):
        lead, n = (slice(None),) * (a % x.ndim), x.shape[a]
        if n and by % n:
            parts = [getitem(x, (*lead, part)) for part in (slice(n - by % n, n), slice(0, n - by % n))]
            x = ndx.concat(parts, axis=a)
    return x


def fftshift(x: Array, /, *, axes: int | Sequence[int] | None = None) -> Array:
    """The zero frequency moved to the middle."""
    axes = _axes(x, axes)
    return roll(x, tuple(x.shape[a] // 2 for a in axes), axis=axes)


def ifftshift(x: Array, /, *, axes: int | Sequence[int] | None = None) -> Array:
    """The zero frequency moved back to the front."""
    axes = _axes(x, axes)
    return roll(x, tuple(-(x.shape[a] // 2) for a in axes), axis=axes)


def outer(x1: Array, x2: Array, /) -> Array:
    """All products of two vectors."""
    return getitem(x1, (..., None)) * x2


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The vector product."""
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        msg = f"cross needs vectors of three elements, got the shapes {x1.shape} and {x2.shape}, axis {axis}"
        raise ValueError(msg)

    def turned(x: Array, by: int) -> Array:
        return roll(x, by, axis=axis)

    return turned(x1, -1) * turned(x2, -2) - turned(x1, -2) * turned(x2, -1)


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """The elements of the last two axes whose indices differ by `offset`."""
    *batch, rows, columns = x.shape
    places = np.diagonal(np.arange(rows * columns).reshape(rows, columns), offset)
    return ndx.take(ndx.reshape(x, (*batch, rows * columns)), ndx.asarray(np.array(places)), axis=-1)


# -- shapes ------------------------------------------------------------------------------------------------------------


def _of_known_shape(name: str, position: int) -> Callable[..., Any]:
    """A function that takes a shape, which must be known: behind a mask or ``nonzero`` it is not."""
    function = getattr(ndx, name)

    @wraps(function)
    def checked(*args: Any, **options: Any) -> Array:
        shape = options["shape"] if "shape" in options else args[position]
        if isinstance(shape, tuple) and None in shape:
            msg = (
                f"{name} to a shape that depends on values, {shape}: shapes are fixed while a model of backend 'onnx' "
                f"is traced. In the place of a mask or of nonzero, write agnograd.where."
            )
            raise UnsupportedError(msg)
        return function(*args, **options)

    return checked


_SHAPED = {"reshape": 1, "broadcast_to": 1, "zeros": 0, "ones": 0, "full": 0, "empty": 0}


def kernels() -> dict[str, Callable[..., Any]]:
    """Operations that are in no namespace of ndonnx."""
    parts = {"fft": (fftshift, ifftshift), "linalg": (outer, cross, diagonal, *matrices.LINALG)}
    named = {f"{part}.{f.__name__}": f for part, functions in parts.items() for f in functions}
    return {"isin": isin, "cofactors": matrices.cofactors, **named}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (real, conj, cumulative_prod, take_along_axis, flip, roll, matrices.matmul)},
    **{name: _of_known_shape(name, position) for name, position in _SHAPED.items()},
}
