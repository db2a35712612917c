"""Indexing: reading, writing, and their transposes.

A transpose of indexing adds where an index is repeated. The standard has no such operation, so the table does:
``embed`` adds values into zeros, ``scatter_add`` along the first axis of an array.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from agnograd.core import batched_indexing
from agnograd.core.batched_indexing import is_basic
from agnograd.core.cotangent import Partial, Spec, fit, unbroadcast
from agnograd.core.formulas import edge, is_complex
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.table import internal
from agnograd.core.tiers import general, linear
from agnograd.errors import UnsupportedError

Array = Any

_MATRIX = Uniform(shape=(3, 4))
_COMPLEX = Uniform(shape=(3, 4), kind="complex")


def _indexed(*keys: Any, array: Any = _MATRIX) -> list[Sample]:
    return [Sample((array,), {"key": key}) for key in keys]


def _getitem_vjp(xp: Any, g: Array, x_spec: Spec, key: Any) -> Partial:
    return Partial(g, key, x_spec)


getitem: Op = linear(
    "getitem(x, /, key)",
    body=lambda xp, x, key: x[key],
    x=_getitem_vjp,
    view=lambda base, value, key: value.__array_namespace__().setitem(base, value, key=key),
    aliases=is_basic,
    batch=batched_indexing.getitem,
    batch_statics=batched_indexing.getitem,
    samples=[
        *_indexed(1, (slice(0, 2), slice(None)), (..., 0), (None, slice(None), 2), slice(None, None, 2), (1, 2)),
        *_indexed((slice(None, None, -1),), ...),
        *_indexed((slice(1, None), 1), array=_COMPLEX),
        # A list is an array of indices.
        *_indexed([0, 2, 0], [-1], array=Uniform()),
        *_indexed(([0, 2, 0], [3, 1, 3]), (1, [0, 0])),
        *_indexed([2, 2], array=Uniform(kind="complex")),
    ],
)


def _without_new_axes(xp: Any, x: Array, key: Any, value: Any) -> tuple[Any, Any]:
    """A basic key that the standard allows in an assignment, too, and the value in the shape that it selects."""
    parts = key if isinstance(key, tuple) else (key,)
    if not is_basic(key) or all(k is not None for k in parts):
        return key, value
    rest = tuple(k for k in parts if k is not None)
    rest = rest if Ellipsis in rest else (*rest, ...)
    if hasattr(value, "shape"):
        value = xp.reshape(xp.broadcast_to(value, xp.getitem(x, key=key).shape), xp.getitem(x, key=rest).shape)
    return rest, value


def _setitem(xp: Any, x: Array, value: Any, *, key: Any) -> Array:
    key, value = _without_new_axes(xp, x, key, value)
    return xp.set(xp.copy(x), key, value)


def _setitem_back(xp: Any, g: Array, value_spec: Spec, key: Any, needs: tuple[int, ...]) -> list[Array]:
    return [xp.setitem(g, 0, key=key) if i == 0 else fit(xp, _of_last_writes(xp, g, key), value_spec) for i in needs]


def _of_last_writes(xp: Any, g: Array, key: Any) -> Array:
    """``g[key]``, and zero for a write that another one of the same assignment went over."""
    out = xp.getitem(g, key=key)
    if not repeats(xp, key) or 0 in out.shape:
        return out
    # Numbered writes, put in place as the values were, tell which of them came last.
    number = xp.reshape(xp.arange(math.prod(out.shape), device=xp.device(g)), tuple(out.shape))
    last = xp.setitem(xp.zeros(tuple(g.shape), dtype=number.dtype, device=xp.device(g)), number, key=key)
    return xp.where(xp.getitem(last, key=key) == number, out, 0)


def repeats(xp: Any, key: Any) -> bool:
    """Whether a key may take an element twice: it has an array of integers."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(hasattr(k, "dtype") and not xp.isdtype(k.dtype, "bool") for k in parts)


setitem: Op = linear(
    "setitem(x, value, /, *, key)",
    body=_setitem,
    jointly=_setitem_back,
    batch=batched_indexing.setitem,
    batch_statics=batched_indexing.setitem,
    samples=[
        Sample((_MATRIX, Uniform(shape=(4,))), {"key": 1}),
        Sample((_MATRIX, Uniform(shape=())), {"key": (slice(0, 2), slice(1, None))}),
        Sample((_MATRIX, 1.5), {"key": (..., 0)}),
        Sample((_MATRIX, Uniform(shape=(3,))), {"key": (None, slice(None), 2)}),
        Sample((_COMPLEX, Uniform(shape=(2, 4))), {"key": slice(0, 2)}),
        Sample((Uniform(), Uniform(shape=(2,))), {"key": [2, 0]}),
    ],
)
embed: Op = linear(
    "embed(x, /, *, key, shape)",
    doc="zeros of a shape with x added at a key: the transpose of indexing",
    body=lambda xp, x, *, key, shape: xp.add_into(xp.zeros(shape, dtype=x.dtype, device=xp.device(x)), x, key),
    x=lambda xp, g, key: xp.getitem(g, key=key),
    batch=batched_indexing.embed,
    batch_statics=batched_indexing.embed,
    samples=[
        Sample((Uniform(shape=(4,)),), {"key": (1, ...), "shape": (3, 4)}),
        Sample((Uniform(shape=(2, 4)),), {"key": (slice(1, None), ...), "shape": (3, 4)}),
        Sample((Uniform(shape=(4,), kind="complex"),), {"key": (0, slice(None)), "shape": (3, 4)}),
        Sample((Uniform(),), {"key": [1, 0, 1], "shape": (2,)}),
        Sample((Uniform(),), {"key": ([1, 0, 1], [2, 3, 2]), "shape": (3, 4)}),
    ],
)


def _embed_all(xp: Any, arrays: Sequence[Array], /, *, keys: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
    first = arrays[0]
    out = xp.zeros(shape, dtype=first.dtype, device=xp.device(first))
    for x, key in zip(arrays, keys, strict=True):
        out = xp.add_into(out, x, key)
    return out


embed_all: Op = linear(
    "embed_all(arrays, /, *, keys, shape)",
    doc="zeros of a shape with each array added at its key: the transpose of many indexings of one array",
    body=_embed_all,
    jointly=lambda xp, g, keys, needs: [xp.getitem(g, key=keys[i]) for i in needs],
    batch=batched_indexing.embed_all,
    batch_statics=batched_indexing.embed_all,
    samples=[
        Sample((Uniform(shape=(4,)),), {"keys": (1,), "shape": (3, 4)}),
        Sample(
            (Uniform(shape=(4,)), Uniform(shape=(2, 2))), {"keys": (0, (slice(0, 2), slice(1, 3))), "shape": (3, 4)}
        ),
        Sample((Uniform(shape=()), Uniform(), Uniform()), {"keys": (1, [1, 0, 1], ...), "shape": (3,)}),
        Sample(
            (Uniform(kind="complex"), Uniform(shape=(2,), kind="complex")), {"keys": (..., slice(1, 3)), "shape": (3,)}
        ),
    ],
)


def _add_into(xp: Any, x: Array, value: Array, key: Any) -> Array:
    """`x` with `value` added at `key`; `x` belongs to the caller, who goes on with the result."""
    if 0 in value.shape:
        return x
    if is_basic(key):
        key, value = _without_new_axes(xp, x, key, value)
        return xp.set(x, key, xp.getitem(x, key=key) + value)
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) == 1 and xp.isdtype(parts[0].dtype, "bool"):
        return _add_at_mask(xp, x, value, parts[0])
    if any(not hasattr(k, "shape") and not isinstance(k, int) for k in parts):
        kinds = [type(k).__name__ for k in parts]
        msg = f"backend {xp.name!r} cannot take back an index of {kinds}: integer arrays stand with integers only"
        raise UnsupportedError(msg)
    return _add_at_integers(xp, x, value, parts)


internal("add_into", _add_into)


def _add_at_mask(xp: Any, x: Array, value: Array, mask: Array) -> Array:
    """The k-th true element takes the k-th value: no shape depends on data."""
    rest = tuple(x.shape[len(mask.shape) :])
    flat = xp.reshape(mask, (-1,))
    place = xp.where(flat, xp.cumulative_sum(xp.astype(flat, xp.int64)) - 1, 0)
    values = xp.take(value, place, axis=0)
    chosen = xp.reshape(flat, (-1, *(1 for _ in rest)))
    return x + xp.reshape(xp.where(chosen, values, 0), tuple(x.shape))


def _add_at_integers(xp: Any, x: Array, value: Array, parts: tuple[Any, ...]) -> Array:
    """Integer arrays on the leading axes: one index into those axes flattened, then `scatter_add`."""
    flat = None
    for k, n in zip(parts, x.shape, strict=False):
        k = k % n
        flat = k if flat is None else flat * n + k
    lead, rest = x.shape[: len(parts)], tuple(x.shape[len(parts) :])
    rows = xp.reshape(x, (math.prod(lead), *rest))
    out = xp.scatter_add(rows, xp.reshape(flat, (-1,)), xp.reshape(value, (-1, *rest)))
    return xp.reshape(out, tuple(x.shape))


def _scatter_add(xp: Any, x: Array, indices: Array, value: Array) -> Array:
    # Sort by index, sum runs by differences of a running total: the only form in standard names.
    if is_complex(xp, value):
        zeros = xp.zeros_like(xp.real(x))
        real, imag = (_scatter_add(xp, zeros, indices, part) for part in (xp.real(value), xp.imag(value)))
        return x + (real + imag * 1j)
    order = xp.argsort(indices, stable=True)
    ordered = xp.take(indices, order, axis=0)
    slots = xp.arange(x.shape[0], dtype=indices.dtype, device=xp.device(x))
    ends = xp.searchsorted(ordered, slots, side="right")
    starts = xp.searchsorted(ordered, slots, side="left")

    def by_slot(v: Array) -> Array:
        running = xp.cumulative_sum(xp.take(v, order, axis=0), axis=0, include_initial=True)
        return xp.take(running, ends, axis=0) - xp.take(running, starts, axis=0)

    # Infinities and NaN would spread through the differences to slots that they do not belong to: they are counted.
    out = x + by_slot(xp.where(xp.isfinite(value), value, 0))
    for place, limit in ((value == math.inf, math.inf), (value == -math.inf, -math.inf), (xp.isnan(value), math.nan)):
        out = out + xp.where(by_slot(xp.astype(place, xp.int64)) > 0, limit, xp.zeros_like(out))
    return out


scatter_add: Op = general(
    "scatter_add(x, indices, value, /)",
    body=_scatter_add,
    batch=batched_indexing.scatter_add,
    doc="x with value[k] added to x[indices[k]], along the first axis; repeated indices add up",
    vjp={
        "x": lambda xp, g: g,
        "value": lambda xp, g, indices: xp.take(g, indices, axis=0),
    },
    jvp={
        "x": lambda xp, t: t,
        "value": lambda xp, t, indices, ans: xp.scatter_add(xp.zeros_like(ans), indices, t),
    },
    samples=[
        Sample((Uniform(shape=(3, 2)), [0, 2, 0, 1], Uniform(shape=(4, 2)))),
        Sample((Uniform(shape=(3,)), [1, 1], Uniform(shape=(2,)))),
        Sample((Uniform(shape=(3,), kind="complex"), [1, 1], Uniform(shape=(2,), kind="complex"))),
    ],
)


def _take_vjp(xp: Any, g: Array, x_spec: Spec, indices: Array, axis: int | None) -> Array:
    a = 0 if axis is None else axis % len(x_spec.shape)
    n = x_spec.shape[a]
    rows = xp.moveaxis(g, a, 0)
    shape = x_spec.shape if a == 0 else (n, *rows.shape[1:])
    zeros = xp.zeros(shape, dtype=g.dtype, device=xp.device(g))
    return xp.moveaxis(xp.scatter_add(zeros, indices % n, rows), 0, a)


take: Op = general(
    "take(x, indices, /, *, axis=None)",
    vjp={"x": _take_vjp},
    jvp={"x": lambda xp, t, indices, axis: xp.take(t, indices, axis=axis)},
    batch=batched_indexing.take,
    samples=[
        Sample((Uniform(), [0, 2, 0])),
        Sample((_MATRIX, [2, 0, 2, 2]), {"axis": 0}),
        Sample((_MATRIX, [3, 0, 3]), {"axis": -1}),
        Sample((_COMPLEX, [1, 1]), {"axis": 1}),
        edge([1.0, 2.0, 3.0], [0, 0, 2], gradient=([2.0, 0.0, 1.0], None)),
    ],
)


def _along_axis_vjp(xp: Any, g: Array, x_spec: Spec, indices: Array, axis: int) -> Array:
    a = axis % len(x_spec.shape)
    n = x_spec.shape[a]
    chosen = xp.moveaxis(xp.broadcast_to(indices, tuple(g.shape)), a, -1)
    rows = xp.moveaxis(g, a, -1)
    lead = tuple(rows.shape[:-1])
    count = math.prod(lead)
    # Elements of the array with its last axis first to vary, numbered through.
    first = xp.reshape(xp.arange(count, dtype=xp.int64, device=xp.device(g)) * n, (*lead, 1))
    flat = xp.reshape(xp.astype(chosen, xp.int64) % n + first, (-1,))
    zeros = xp.zeros((count * n,), dtype=g.dtype, device=xp.device(g))
    out = xp.reshape(xp.scatter_add(zeros, flat, xp.reshape(rows, (-1,))), (*lead, n))
    return unbroadcast(xp, xp.moveaxis(out, -1, a), tuple(x_spec.shape))


take_along_axis: Op = linear(
    "take_along_axis(x, indices, /, *, axis=-1)",
    x=_along_axis_vjp,
    batch=batched_indexing.take_along_axis,
    samples=[
        Sample((Uniform(), [2, 0, 2, 2])),
        Sample((_MATRIX, [[3, 0], [1, 1], [-1, 2]])),
        Sample((_MATRIX, [[2, 0, 0, 1], [2, 1, 0, 1]]), {"axis": 0}),
        # The other axes broadcast, both ways.
        Sample((_MATRIX, [[3, 3]]), {"axis": 1}),
        Sample((Uniform(shape=(1, 4)), [[3, 0], [1, 1], [1, 2]]), {"axis": -1}),
        Sample((Uniform(shape=(2, 1, 3)), [[[0, 2]], [[1, 0]]]), {"axis": 2}),
        Sample((Uniform(shape=(0, 3)), [[0, 2]])),
        Sample((_COMPLEX, [[1, 1], [0, 3], [2, 0]])),
        edge([[1.0, 2.0, 3.0]], [[0, 0, 2]], gradient=([[2.0, 0.0, 1.0]], None)),
    ],
)
