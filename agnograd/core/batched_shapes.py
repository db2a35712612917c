"""Batching rules of functions that rearrange elements: the axis of the batch stays the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from agnograd.core.batching import Run, flattened, repeated, shifted, size_of, with_axes
from agnograd.core.table import OPS

Array = Any
Mask = Sequence[bool]


def reshape(run: Run, arrays: Sequence[Array], mapped: Mask, shape: int | Sequence[int], **params: Any) -> Array:
    """Another shape of each member."""
    (x,) = arrays
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if -1 in shape:
        # Of an empty batch, a library could not tell.
        rest = math.prod(n for n in shape if n != -1)
        shape = tuple(math.prod(x.shape[1:]) // rest if n == -1 and rest else n for n in shape)
    return run(x, (x.shape[0], *shape), **params)


def permute_dims(run: Run, arrays: Sequence[Array], mapped: Mask, axes: Sequence[int]) -> Array:
    """Another order of the axes of each member."""
    (x,) = arrays
    return run(x, (0, *shifted(tuple(axes), len(x.shape) - 1)))


def expand_dims(run: Run, arrays: Sequence[Array], mapped: Mask, axis: int | tuple[int, ...]) -> Array:
    """New axes of size one, counted in the result."""
    (x,) = arrays
    new = len(axis) if isinstance(axis, tuple) else 1
    return run(x, axis=shifted(axis, len(x.shape) - 1 + new))


def squeeze(run: Run, arrays: Sequence[Array], mapped: Mask, axis: int | tuple[int, ...]) -> Array:
    """Without axes of size one."""
    (x,) = arrays
    return run(x, axis=shifted(axis, len(x.shape) - 1))


def moveaxis(run: Run, arrays: Sequence[Array], mapped: Mask, source: Any, destination: Any) -> Array:
    """Axes in another place."""
    (x,) = arrays
    ndim = len(x.shape) - 1
    return run(x, shifted(source, ndim), shifted(destination, ndim))


def broadcast_to(run: Run, arrays: Sequence[Array], mapped: Mask, shape: int | Sequence[int]) -> Array:
    """Each member in a larger shape."""
    (x,) = arrays
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return run(with_axes(x, len(shape)), (x.shape[0], *shape))


def _all_mapped(arrays: Sequence[Array], mapped: Mask) -> list[Array]:
    size = size_of(arrays, mapped)
    return [x if m else repeated(x, size) for x, m in zip(arrays, mapped, strict=True)]


def concat(run: Run, arrays: Sequence[Array], mapped: Mask, axis: int | None = 0) -> Array:
    """Arrays one after another."""
    whole = _all_mapped(arrays, mapped)
    if axis is None:
        return run(*map(flattened, whole), axis=1)
    return run(*whole, axis=shifted(axis, len(whole[0].shape) - 1))


def stack(run: Run, arrays: Sequence[Array], mapped: Mask, axis: int = 0) -> Array:
    """Arrays along a new axis, counted in the result."""
    whole = _all_mapped(arrays, mapped)
    return run(*whole, axis=shifted(axis, len(whole[0].shape)))


def roll(run: Run, arrays: Sequence[Array], mapped: Mask, shift: Any, axis: Any = None) -> Array:
    """Elements moved around, of the flattened array where no axis is given."""
    (x,) = arrays
    if axis is None:
        return OPS["reshape"].call(run(flattened(x), shift, axis=1), x.shape)
    return run(x, shift, axis=shifted(axis, len(x.shape) - 1))


def repeat(run: Run, arrays: Sequence[Array], mapped: Mask, axis: int | None = None) -> Array:
    """Elements several times, of the flattened array where no axis is given."""
    x, repeats = arrays
    if axis is None:
        return run(flattened(x), repeats, axis=1)
    return run(x, repeats, axis=shifted(axis, len(x.shape) - 1))
