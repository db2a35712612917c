"""Functions that put the same elements into another shape or order, or several arrays together."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from agnograd.interop.numpy_functions.registry import Function, as_array, cast, given, named


@named("reshape")
def _reshape(xp: Any, a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    a = as_array(xp, a)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if order == "F":
        return xp.permute_dims(
            xp.reshape(xp.permute_dims(a, range(a.ndim)[::-1]), shape[::-1]), range(len(shape))[::-1]
        )
    return xp.reshape(a, shape, **given(copy=copy))


@named("ravel")
def _ravel(xp: Any, a: Any, order: str = "C") -> Any:
    return _reshape(xp, a, -1, order)


@named("transpose", "permute_dims")
def _transpose(xp: Any, a: Any, axes: Any = None) -> Any:
    a = as_array(xp, a)
    return xp.permute_dims(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes))


@named("swapaxes")
def _swapaxes(xp: Any, a: Any, axis1: int, axis2: int) -> Any:
    a = as_array(xp, a)
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return xp.permute_dims(a, tuple(order))


@named("moveaxis")
def _moveaxis(xp: Any, a: Any, source: Any, destination: Any) -> Any:
    return xp.moveaxis(as_array(xp, a), source, destination)


@named("rollaxis")
def _rollaxis(xp: Any, a: Any, axis: int, start: int = 0) -> Any:
    a = as_array(xp, a)
    axis, start = axis % a.ndim, start + a.ndim if start < 0 else start
    return xp.moveaxis(a, axis, start - 1 if axis < start else start)


@named("expand_dims")
def expand_dims(xp: Any, a: Any, axis: Any) -> Any:
    """New axes of size one at those places of the result."""
    a = as_array(xp, a)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    ndim = a.ndim + len(axes)
    for new in sorted(new % ndim for new in axes):
        a = xp.expand_dims(a, axis=new)
    return a


@named("squeeze")
def _squeeze(xp: Any, a: Any, axis: Any = None) -> Any:
    a = as_array(xp, a)
    return xp.squeeze(a, tuple(i for i, n in enumerate(a.shape) if n == 1) if axis is None else axis)


@named("atleast_1d")
def _atleast_1d(xp: Any, *arys: Any) -> Any:
    return _each(xp, lambda x: x if x.ndim else x[None], arys)


@named("atleast_2d")
def _atleast_2d(xp: Any, *arys: Any) -> Any:
    return _each(xp, lambda x: x if x.ndim > 1 else _atleast_1d(xp, x)[None, :], arys)


@named("atleast_3d")
def _atleast_3d(xp: Any, *arys: Any) -> Any:
    return _each(xp, lambda x: x if x.ndim > 2 else (_atleast_2d(xp, x)[:, :, None]), arys)


def _each(xp: Any, function: Function, arrays: Sequence[Any]) -> Any:
    out = tuple(function(as_array(xp, x)) for x in arrays)
    return out[0] if len(out) == 1 else out


@named("broadcast_to")
def _broadcast_to(xp: Any, array: Any, shape: Any, subok: bool = False) -> Any:
    return xp.broadcast_to(as_array(xp, array), (shape,) if isinstance(shape, int) else tuple(shape))


@named("broadcast_arrays")
def _broadcast_arrays(xp: Any, *args: Any, subok: bool = False) -> Any:
    return xp.broadcast_arrays(*(as_array(xp, x) for x in args))


@named("meshgrid")
def _meshgrid(xp: Any, *xi: Any, copy: bool = True, indexing: str = "xy") -> Any:
    return xp.meshgrid(*(_atleast_1d(xp, x) for x in xi), indexing=indexing)


@named("concatenate", "concat")
def _concatenate(xp: Any, arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None) -> Any:
    return cast(xp, xp.concat([as_array(xp, x) for x in arrays], axis=axis), dtype)


@named("stack")
def _stack(xp: Any, arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None) -> Any:
    return cast(xp, xp.stack([as_array(xp, x) for x in arrays], axis=axis), dtype)


@named("vstack")
def _vstack(xp: Any, tup: Any, *, dtype: Any = None) -> Any:
    return _concatenate(xp, [_atleast_2d(xp, x) for x in tup], 0, dtype=dtype)


@named("hstack")
def _hstack(xp: Any, tup: Any, *, dtype: Any = None) -> Any:
    arrays = [_atleast_1d(xp, x) for x in tup]
    return _concatenate(xp, arrays, 0 if arrays[0].ndim == 1 else 1, dtype=dtype)


@named("dstack")
def _dstack(xp: Any, tup: Any) -> Any:
    return _concatenate(xp, [_atleast_3d(xp, x) for x in tup], 2)


@named("column_stack")
def _column_stack(xp: Any, tup: Any) -> Any:
    arrays = [as_array(xp, x) for x in tup]
    return _concatenate(xp, [x if x.ndim > 1 else xp.reshape(x, (-1, 1)) for x in arrays], 1)


@named("append")
def _append(xp: Any, arr: Any, values: Any, axis: int | None = None) -> Any:
    return _concatenate(xp, [as_array(xp, arr), as_array(xp, values)], axis)


@named("array_split")
def _array_split(xp: Any, ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    ary = as_array(xp, ary)
    n = ary.shape[axis]
    if isinstance(indices_or_sections, int):
        size, longer = divmod(n, indices_or_sections)
        ends = [i * size + builtins.min(i, longer) for i in range(1, indices_or_sections)]
    else:
        ends = [int(i) for i in indices_or_sections]
    lead = (slice(None),) * (axis % ary.ndim)
    return [ary[(*lead, slice(a, b), ...)] for a, b in zip([0, *ends], [*ends, n], strict=True)]


@named("split")
def _split(xp: Any, ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    n = as_array(xp, ary).shape[axis]
    if isinstance(indices_or_sections, int) and n % indices_or_sections:
        msg = f"array split does not result in an equal division: {n} elements in {indices_or_sections} parts"
        raise ValueError(msg)
    return _array_split(xp, ary, indices_or_sections, axis)


@named("vsplit")
def _vsplit(xp: Any, ary: Any, indices_or_sections: Any) -> Any:
    return _split(xp, ary, indices_or_sections, 0)


@named("hsplit")
def _hsplit(xp: Any, ary: Any, indices_or_sections: Any) -> Any:
    return _split(xp, ary, indices_or_sections, builtins.min(1, as_array(xp, ary).ndim - 1))


@named("dsplit")
def _dsplit(xp: Any, ary: Any, indices_or_sections: Any) -> Any:
    return _split(xp, ary, indices_or_sections, 2)


@named("tile")
def _tile(xp: Any, A: Any, reps: Any) -> Any:  # noqa: N803 - NumPy's name
    return xp.tile(as_array(xp, A), (reps,) if isinstance(reps, int) else tuple(reps))


@named("repeat")
def _repeat(xp: Any, a: Any, repeats: Any, axis: int | None = None) -> Any:
    return xp.repeat(as_array(xp, a), repeats if isinstance(repeats, int) else as_array(xp, repeats), axis=axis)


@named("flip")
def _flip(xp: Any, m: Any, axis: Any = None) -> Any:
    return xp.flip(as_array(xp, m), axis=axis)


@named("flipud")
def _flipud(xp: Any, m: Any) -> Any:
    return _flip(xp, m, 0)


@named("fliplr")
def _fliplr(xp: Any, m: Any) -> Any:
    return _flip(xp, m, 1)


@named("roll")
def _roll(xp: Any, a: Any, shift: Any, axis: Any = None) -> Any:
    return xp.roll(as_array(xp, a), shift, axis=axis)


@named("rot90")
def _rot90(xp: Any, m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    m, (first, second) = as_array(xp, m), axes
    for _ in range(k % 4):
        m = xp.flip(_swapaxes(xp, m, first, second), axis=first)
    return m


@named("unstack")
def _unstack(xp: Any, x: Any, /, *, axis: int = 0) -> Any:
    return xp.unstack(as_array(xp, x), axis=axis)


@named("copy")
def _copy(xp: Any, a: Any, order: str = "K", subok: bool = False) -> Any:
    return xp.clone(as_array(xp, a))


@named("astype")
def _astype(xp: Any, x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    return xp.astype(x, dtype, copy=copy)


@named("matrix_transpose", "linalg.matrix_transpose")
def _matrix_transpose(xp: Any, x: Any, /) -> Any:
    return xp.matrix_transpose(as_array(xp, x))


@named("pad")
def _pad(xp: Any, array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    if mode != "constant" or not isinstance(constant_values, (int, float, complex)):
        raise NotImplementedError
    array = as_array(xp, array)
    widths = (
        [[pad_width] * 2]
        if isinstance(pad_width, int)
        else [list(w) if hasattr(w, "__len__") else w for w in pad_width]
    )
    widths = [widths] if isinstance(widths[0], int) else widths
    widths = [w * 2 if len(w) == 1 else w for w in widths]
    widths = widths * array.ndim if len(widths) == 1 else widths
    for axis, pair in enumerate(widths):
        edges = [
            xp.full(
                tuple(n if i == axis else size for i, size in enumerate(array.shape)),
                constant_values,
                dtype=array.dtype,
            )
            for n in pair
        ]
        array = xp.concat([edges[0], array, edges[1]], axis=axis)
    return array


@named("block")
def _block(xp: Any, arrays: Any) -> Any:
    def depth(tree: Any) -> int:
        return 1 + builtins.max(depth(part) for part in tree) if isinstance(tree, list) else 0

    def leaves(tree: Any) -> list[Any]:
        return [x for part in tree for x in leaves(part)] if isinstance(tree, list) else [as_array(xp, tree)]

    levels = depth(arrays)
    ndim = builtins.max(levels, *(x.ndim for x in leaves(arrays)))

    def joined(tree: Any, level: int) -> Any:
        if isinstance(tree, list):
            return xp.concat([joined(part, level + 1) for part in tree], axis=level - levels)
        x = as_array(xp, tree)
        return xp.reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape))

    return joined(arrays, 0)


@named("apply_along_axis")
def _apply_along_axis(xp: Any, func1d: Function, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    rows = xp.moveaxis(as_array(xp, arr), axis, -1)
    lead, axis = tuple(rows.shape[:-1]), axis % rows.ndim
    results = [as_array(xp, func1d(row, *args, **kwargs)) for row in xp.unstack(xp.reshape(rows, (-1, rows.shape[-1])))]
    out = xp.reshape(xp.stack(results), (*lead, *results[0].shape))
    ndim = results[0].ndim
    return xp.moveaxis(out, tuple(range(-ndim, 0)), tuple(range(axis, axis + ndim))) if ndim else out
