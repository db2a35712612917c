"""Reading, writing and adding at an index, as functions: ONNX has no array that could be written to.

Shapes are known while a model is traced, so that slices are turned into positions then. Arrays of indices are values,
which only the model knows: it gathers and scatters.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import ndonnx as ndx
import numpy as np
import spox.opset.ai.onnx.v21 as op
from agnograd.errors import UnsupportedError

Array = Any


class _Index(NamedTuple):
    """An index in two steps.

    Attributes
    ----------
    basic : tuple
        Integers and slices, one for each axis, with new axes among them.
    arrays : list
        For each axis that those leave its indices, of one shape all of them, or None; empty if there are none.
    """

    basic: tuple[Any, ...]
    arrays: list[Any]


def _is_array(k: Any) -> bool:
    return isinstance(k, ndx.Array)


def _opened(x: Array, key: Any) -> _Index:
    parts = list(key) if isinstance(key, tuple) else [key]
    beside_arrays = any(map(_is_array, parts))
    if any(_is_array(k) and k.dtype == ndx.bool for k in parts):
        msg = "backend 'onnx' takes a mask alone as an index, and not among others. Write agnograd.where."
        raise UnsupportedError(msg)
    rest = x.ndim - sum(k is not None and k is not Ellipsis for k in parts)
    if rest < 0:
        msg = f"an index for {x.ndim - rest} axes is too long for an array of shape {x.shape}"
        raise IndexError(msg)
    if not any(k is Ellipsis for k in parts):
        parts.append(Ellipsis)
    basic: list[Any] = []
    arrays: list[Any] = []
    axis = 0
    for k in parts:
        if k is Ellipsis:
            basic += [slice(None)] * rest
            arrays += [None] * rest
            axis += rest
            continue
        if k is None or isinstance(k, slice):
            basic.append(k)
            arrays.append(None)
        elif beside_arrays:
            basic.append(slice(None))
            arrays.append(k if _is_array(k) else ndx.asarray(np.asarray(_within(k, x, axis))))
        else:
            basic.append(_within(k, x, axis))
        axis += k is not None
    return _Index(tuple(basic), _broadcast(arrays) if beside_arrays else [])


def _within(k: Any, x: Array, axis: int) -> int:
    """An integer, counted from the front; ONNX itself takes the nearest element for one that is out of bounds."""
    place, n = int(k), int(x.shape[axis])
    if not -n <= place < n:
        msg = f"index {place} is out of bounds for axis {axis} with size {n}"
        raise IndexError(msg)
    return place % n


def _broadcast(arrays: list[Any]) -> list[Any]:
    given = [ndx.astype(a, ndx.int64) for a in arrays if a is not None]
    same = iter(ndx.broadcast_arrays(*given))
    return [None if a is None else next(same) for a in arrays]


def getitem(x: Array, key: Any) -> Array:
    """``x[key]``."""
    if _is_array(key) and key.dtype == ndx.bool:
        return x[key]
    basic, arrays = _opened(x, key)
    view = _view(x, basic)
    if not arrays:
        return view
    taken = [axis for axis, k in enumerate(arrays) if k is not None]
    first = arrays[taken[0]]
    if len(taken) == 1:
        return ndx.asarray(op.gather(view.unwrap_spox(), first.unwrap_spox(), axis=taken[0]))
    front = ndx.asarray(op.gather_nd(_leading(view, taken).unwrap_spox(), _places(arrays).unwrap_spox()))
    return ndx.moveaxis(front, tuple(range(first.ndim)), _where_indexed(taken, first.ndim))


def _view(x: Array, basic: tuple[Any, ...]) -> Array:
    """What integers and slices choose, as one operator; ndonnx takes tens, for bounds that only a model knows."""
    kept = [k for k in basic if k is not None]
    ranges = [range(k, k + 1) if isinstance(k, int) else range(n)[k] for k, n in zip(kept, x.shape, strict=True)]
    cut = [axis for axis, (r, n) in enumerate(zip(ranges, x.shape, strict=True)) if r != range(n)]
    out = x.unwrap_spox()
    if cut:
        bounds = [_bounds(ranges[axis], x.shape[axis]) for axis in cut]
        starts, stops, steps = (_integers(*numbers) for numbers in zip(*bounds, strict=True))
        out = op.slice(out, starts, stops, _integers(*cut), steps)
    gone = [axis for axis, k in enumerate(kept) if isinstance(k, int)]
    out = op.squeeze(out, _integers(*gone)) if gone else out
    new = [axis for axis, k in enumerate(k for k in basic if not isinstance(k, int)) if k is None]
    return ndx.asarray(op.unsqueeze(out, _integers(*new)) if new else out)


def _bounds(chosen: range, n: int) -> tuple[int, int, int]:
    """Start, stop and step as ONNX counts them: before the first element is below ``-n``."""
    if not chosen:
        return 0, 0, 1
    beyond = chosen[-1] + chosen.step
    return chosen[0], beyond if beyond >= 0 else -n - 1, chosen.step


@lru_cache(maxsize=1024)
def _integers(*values: int) -> Any:
    # A constant takes a session of its own to be known to ndonnx, and the same few come again and again.
    return op.const(np.asarray(values, dtype=np.int64))


def _leading(x: Array, axes: list[int]) -> Array:
    return ndx.permute_dims(x, (*axes, *(a for a in range(x.ndim) if a not in axes)))


def _places(arrays: list[Any]) -> Array:
    return ndx.stack([a for a in arrays if a is not None], axis=-1)


def _where_indexed(taken: list[int], count: int) -> tuple[int, ...]:
    """The axes that arrays of indices make: in the place of those that they index if these are together, else first."""
    first = taken[0] if taken == list(range(taken[0], taken[-1] + 1)) else 0
    return tuple(range(first, first + count))


def set_item(x: Array, key: Any, value: Any) -> Array:
    """`x` with `value` at `key`."""
    value = ndx.astype(ndx.asarray(value), x.dtype)
    if _is_array(key) and key.dtype == ndx.bool:
        if value.ndim:
            msg = "backend 'onnx' writes one number at a mask, and not an array. Write agnograd.where."
            raise UnsupportedError(msg)
        mask = ndx.reshape(key, (*key.shape, *(1 for _ in x.shape[key.ndim :])))
        return ndx.where(mask, value, x)
    basic, arrays = _opened(x, key)
    view = _view(x, basic)
    if 0 in view.shape:
        return x
    new = _scattered(view, arrays, value, "none") if arrays else ndx.broadcast_to(value, view.shape)
    return _replaced(x, basic, new, x)


def add_into(x: Array, value: Array, key: Any) -> Array:
    """`x` with `value` added at `key`; where an element is taken twice, it adds twice."""
    if _is_array(key) and key.dtype == ndx.bool:
        msg = (
            f"the gradient of an array of shape {x.shape} at a mask: how many elements the mask chooses is a value, "
            f"and shapes are fixed while a model of backend 'onnx' is traced. Write agnograd.where."
        )
        raise UnsupportedError(msg)
    basic, arrays = _opened(x, key)
    view = _view(x, basic)
    if 0 in view.shape:
        return x
    zero = ndx.asarray(0, dtype=x.dtype)
    if arrays:
        value = _scattered(ndx.zeros(view.shape, dtype=x.dtype), arrays, value, "add")
    return x + _replaced(x, basic, value, zero)


def _scattered(view: Array, arrays: list[Any], value: Array, reduction: str) -> Array:
    taken = [axis for axis, k in enumerate(arrays) if k is not None]
    indices = arrays[taken[0]]
    front, places = _leading(view, taken), _places(arrays)
    rest = front.shape[len(taken) :]
    axes = _where_indexed(taken, indices.ndim)
    outside = [n for axis, n in enumerate(view.shape) if axis not in taken]
    selected = (*outside[: axes[0] if axes else taken[0]], *indices.shape, *outside[axes[0] if axes else taken[0] :])
    value = ndx.moveaxis(ndx.broadcast_to(value, selected), axes, tuple(range(indices.ndim)))
    value = ndx.reshape(value, (*indices.shape, *rest))
    out = op.scatter_nd(front.unwrap_spox(), places.unwrap_spox(), value.unwrap_spox(), reduction=reduction)
    order = [*taken, *(a for a in range(view.ndim) if a not in taken)]
    return ndx.permute_dims(ndx.asarray(out), tuple(order.index(a) for a in range(view.ndim)))


def _replaced(x: Array, basic: tuple[Any, ...], value: Array, other: Array) -> Array:
    """`value` where a basic index chooses, and `other` elsewhere, in the shape of `x`."""
    new = [axis for axis, k in enumerate(k for k in basic if not isinstance(k, int)) if k is None]
    value = ndx.squeeze(value, axis=tuple(new)) if new else value
    inside: Any = None
    for axis, k in enumerate(k for k in basic if k is not None):
        n = x.shape[axis]
        chosen = range(k, k + 1) if isinstance(k, int) else range(n)[k]
        if isinstance(k, int):
            value = ndx.expand_dims(value, axis=axis)
        if chosen == range(n):
            continue
        # Which position of `value` each position of `x` takes, if it takes one.
        source = np.zeros(n, dtype=np.int64)
        source[chosen] = np.arange(len(chosen))
        taken = np.isin(np.arange(n), chosen).reshape(n, *(1 for _ in x.shape[axis + 1 :]))
        value = ndx.take(value, ndx.asarray(source), axis=axis)
        here = ndx.asarray(taken)
        inside = here if inside is None else inside & here
    return value if inside is None else ndx.where(inside, value, other)


def scatter_add(x: Array, indices: Array, value: Array) -> Array:
    """`x` with ``value[k]`` added to ``x[indices[k]]``."""
    places = ndx.expand_dims(ndx.astype(indices, ndx.int64), axis=-1)
    return ndx.asarray(op.scatter_nd(x.unwrap_spox(), places.unwrap_spox(), value.unwrap_spox(), reduction="add"))


def kernels() -> dict[str, Callable[..., Any]]:
    """The functions by the names of their operations."""
    return {"getitem": getitem, "set": set_item, "add_into": add_into, "scatter_add": scatter_add}
