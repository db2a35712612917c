"""Elements by their place: indices, diagonals, triangles, order."""

from __future__ import annotations

import builtins
from typing import Any

from agnograd.core.array import Array
from agnograd.interop.numpy_functions.registry import Function, as_array, flat, given, named


@named("take")
def _take(xp: Any, a: Any, indices: Any, axis: int | None = None, out: Any = None) -> Any:
    x = flat(xp, a) if axis is None else as_array(xp, a)
    axis = 0 if axis is None else axis % x.ndim
    indices = as_array(xp, indices)
    rows = xp.take(x, xp.reshape(indices, (-1,)), axis=axis)
    return xp.reshape(rows, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


@named("take_along_axis")
def _take_along_axis(xp: Any, arr: Any, indices: Any, axis: int | None = -1) -> Any:
    if axis is None:
        return xp.take_along_axis(flat(xp, arr), indices, axis=0)
    return xp.take_along_axis(as_array(xp, arr), indices, axis=axis)


@named("diagonal")
def _diagonal(xp: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return xp.linalg.diagonal(xp.moveaxis(as_array(xp, a), (axis1, axis2), (-2, -1)), offset=offset)


@named("trace")
def _trace(xp: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    return xp.sum(_diagonal(xp, a, offset, axis1, axis2), axis=-1, **given(dtype=dtype))


@named("diag")
def _diag(xp: Any, v: Any, k: int = 0) -> Any:
    v = as_array(xp, v)
    if v.ndim == 2:
        return xp.linalg.diagonal(v, offset=k)
    if v.ndim != 1:
        msg = f"diag takes one or two axes, the array has shape {v.shape}"
        raise ValueError(msg)
    n = v.shape[0] + builtins.abs(k)
    place = xp.arange(v.shape[0])
    key = (place - builtins.min(k, 0)).array, (place + builtins.max(k, 0)).array
    return xp.embed(v, key=key, shape=(n, n))


@named("diagflat")
def _diagflat(xp: Any, v: Any, k: int = 0) -> Any:
    return _diag(xp, flat(xp, v), k)


@named("tril")
def _tril(xp: Any, m: Any, k: int = 0) -> Any:
    return xp.tril(as_array(xp, m), k=k)


@named("triu")
def _triu(xp: Any, m: Any, k: int = 0) -> Any:
    return xp.triu(as_array(xp, m), k=k)


@named("sort")
def _sort(xp: Any, a: Any, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None) -> Any:
    return xp.sort(flat(xp, a), axis=0) if axis is None else xp.sort(as_array(xp, a), axis=axis)


@named("linspace")
def _linspace(xp: Any, start: Any, stop: Any, num: int = 50, endpoint: bool = True) -> Any:
    start, stop = as_array(xp, start), as_array(xp, stop)
    part = xp.linspace(0.0, 1.0, num, endpoint=endpoint)
    ndim = builtins.max(start.ndim, stop.ndim)
    part = xp.reshape(part, (num,) + (1,) * ndim)
    return start * (1 - part) + stop * part


def _chosen(xp: Any, x: Any, places: list[int], axis: int) -> Any:
    return xp.take(x, xp.asarray(places, dtype=xp.int64), axis=axis)


@named("compress")
def _compress(xp: Any, condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    kept = condition.tolist() if hasattr(condition, "tolist") else condition
    places = [i for i, wanted in enumerate(kept) if wanted]
    return _chosen(xp, flat(xp, a), places, 0) if axis is None else _chosen(xp, as_array(xp, a), places, axis)


@named("extract")
def _extract(xp: Any, condition: Any, arr: Any) -> Any:
    return _compress(xp, flat(xp, condition), arr)


@named("delete")
def _delete(xp: Any, arr: Any, obj: Any, axis: int | None = None) -> Any:
    x = flat(xp, arr) if axis is None else as_array(xp, arr)
    n = x.shape[axis or 0]
    gone = range(n)[obj] if isinstance(obj, slice) else obj.tolist() if hasattr(obj, "tolist") else obj
    gone = list(gone) if hasattr(gone, "__len__") else [gone]
    if any(isinstance(i, bool) for i in gone):
        gone = [i for i, away in enumerate(gone) if away]
    if any(not -n <= i < n for i in gone):
        msg = f"delete takes away elements of an axis of size {n}, and was asked for others"
        raise IndexError(msg)
    gone = {i % n for i in gone}
    return _chosen(xp, x, [i for i in range(n) if i not in gone], axis or 0)


@named("logspace")
def _logspace(xp: Any, start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10.0) -> Any:
    return base ** _linspace(xp, start, stop, num, endpoint)


@named("geomspace")
def _geomspace(xp: Any, start: Any, stop: Any, num: int = 50, endpoint: bool = True) -> Any:
    start, stop = as_array(xp, start), as_array(xp, stop)
    ratio = stop / start
    return start * ratio ** _linspace(xp, xp.zeros_like(ratio), xp.ones_like(ratio), num, endpoint)


@named("unique")
def _unique(
    xp: Any, ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False
) -> Any:
    found = xp.unique_all(as_array(xp, ar))
    asked = (return_index, return_inverse, return_counts)
    rest = tuple(x for x, wanted in zip(found[1:], asked, strict=True) if wanted)
    return (found.values, *rest) if rest else found.values


def _set(name: str) -> Function:
    return lambda xp, x, /: getattr(xp, name)(as_array(xp, x))


for _name in ("unique_all", "unique_counts", "unique_inverse", "unique_values"):
    named(_name)(_set(_name))


# -- writing into a tensor ---------------------------------------------------------------------------------------------


@named("copyto")
def _copyto(xp: Any, dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if not isinstance(dst, Array):
        raise NotImplementedError
    dst[...] = as_array(xp, src) if where is True else xp.where(where, as_array(xp, src), dst)


@named("putmask")
def _putmask(xp: Any, a: Any, /, mask: Any, values: Any) -> None:
    values = as_array(xp, values)
    if not isinstance(a, Array) or (values.ndim and values.shape != a.shape):
        raise NotImplementedError
    a[...] = xp.where(as_array(xp, mask) != 0, values, a)


@named("fill_diagonal")
def _fill_diagonal(xp: Any, a: Any, val: Any) -> None:
    val = as_array(xp, val)
    if not isinstance(a, Array) or a.ndim != 2 or a.shape[0] > a.shape[1] or val.ndim > 1:
        raise NotImplementedError
    place = xp.eye(*a.shape, dtype=xp.bool)
    a[...] = xp.where(place, val[:, None] if val.ndim else val, a)
