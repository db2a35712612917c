"""Functions on dask of arrays whose sizes depend on data, where dask refuses what needs no size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from agnograd.backends.dask_blocks import on_block
from agnograd.backends.dask_sizes import is_unknown, unknown_sizes

Array = Any


def kernels() -> dict[str, Callable[..., Any]]:
    """The functions by name."""
    accumulating = {name: _accumulating(name) for name in ("cumulative_prod", "cumulative_sum")}
    return {"concat": concat, "flip": flip, "roll": roll, "stack": stack, **accumulating}


def concat(arrays: Sequence[Array], *, axis: int | None = 0) -> Array:
    """Of arrays whose unknown sizes are taken for equal where they have to be."""
    import array_api_compat.dask.array as xp
    import dask.array as da

    if not any(is_unknown(x.shape) for x in arrays) or axis is None:
        return xp.concat(arrays, axis=axis)
    return da.concatenate(list(arrays), axis=axis, allow_unknown_chunksizes=True)


def stack(arrays: Sequence[Array], *, axis: int = 0) -> Array:
    """Of arrays whose unknown sizes are taken for equal."""
    import dask.array as da

    return da.stack(list(arrays), axis=axis, allow_unknown_chunksizes=any(is_unknown(x.shape) for x in arrays))


def flip(x: Array, *, axis: Any = None) -> Array:
    """The chunks in reverse order, each of them reversed.

    Chunks of unknown sizes must not change places: an operation with another array would pair them wrongly.
    """
    import numpy as np

    axes = tuple(range(x.ndim)) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    if any(is_unknown(x.chunks[a]) and x.numblocks[a] > 1 for a in axes):
        raise unknown_sizes(flip.__name__, x)
    order = tuple(slice(None, None, -1) if a in axes else slice(None) for a in range(x.ndim))
    moved = x.blocks[order] if any(x.numblocks[a] > 1 for a in axes) else x
    return moved.map_blocks(_flip_block, order, dtype=x.dtype, meta=x._meta) if axes else x


def _flip_block(x: Any, order: tuple[slice, ...]) -> Any:
    return x[order]


def _accumulating(name: str) -> Callable[..., Array]:
    import array_api_compat.dask.array as xp

    accumulate, neutral = getattr(xp, name), int(name == "cumulative_prod")

    def run(x: Array, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
        sizes = x.chunks[0 if axis is None else axis] if x.ndim else ()
        # Going on from the last element of each chunk, as dask does by itself, needs one in each.
        method = "blelloch" if 0 in sizes or is_unknown(sizes) else "sequential"
        out = accumulate(x, axis=axis, dtype=dtype, method=method)
        if not include_initial:
            return out
        from agnograd.backends.dask_cotangents import full

        along = (0 if axis is None else axis) % x.ndim
        chunks = tuple((1,) if a == along else sizes for a, sizes in enumerate(out.chunks))
        return concat([full(chunks, neutral, out._meta), out], axis=along)

    return run


def roll(x: Array, shift: Any, *, axis: Any = None) -> Array:
    """Of arrays of known sizes: dask's."""
    import dask.array as da

    if is_unknown(x.shape):
        raise unknown_sizes(roll.__name__, x)
    return da.roll(x, shift, axis=axis)


def extremum_of_unknown(x: Array, name: str, axis: Any, keepdims: bool) -> Array:
    """The largest or smallest elements, where chunks may turn out to have none."""
    import dask.array as da

    return da.reduction(
        x, partial(_extreme_block, name=name), partial(_extreme_block, name=name), axis=axis, keepdims=keepdims,
        dtype=x.dtype, meta=x._meta,
    )  # fmt: skip


def _extreme_block(x: Any, axis: Any, keepdims: bool, *, name: str) -> Any:
    import numpy as np

    if all(x.shape[a] for a in axis):
        return on_block(name)(x, axis=axis, keepdims=keepdims)
    # Of none the one that every element goes beyond.
    first = np.iinfo(x.dtype) if x.dtype.kind in "iu" else np.finfo(x.dtype)
    bound = (first.min if name == "max" else first.max) if x.dtype.kind in "iu" else np.inf * (1 - 2 * (name == "max"))
    shape = tuple(1 if a in axis else n for a, n in enumerate(x.shape) if keepdims or a not in axis)
    return np.full_like(x, bound, shape=shape)
