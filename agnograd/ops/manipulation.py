"""Manipulation functions: each transpose is another rearrangement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

from agnograd.core import batched_shapes as batching
from agnograd.core.array import Array as Wrapper
from agnograd.core.batching import UnknownShape, along
from agnograd.core.cotangent import Spec, fit, unbroadcast
from agnograd.core.formulas import broadcast_shapes
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, linear
from agnograd.errors import UnsupportedError

Array = Any

_MATRIX = Uniform(shape=(2, 3))
_COMPLEX = Uniform(shape=(2, 3), kind="complex")


def _on(*cases: dict[str, Any], shape: tuple[int, ...] = (2, 3)) -> list[Sample]:
    return [Sample((Uniform(shape=shape),), case) for case in cases]


reshape: Op = linear(
    "reshape(x, /, shape, *, copy=None)",
    batch=batching.reshape,
    x=lambda xp, g, x_spec: xp.reshape(g, x_spec.shape),
    view=lambda base, value, shape, copy=None: value.__array_namespace__().reshape(value, base.shape),
    aliases=lambda shape, copy=None: copy is not True,
    samples=[
        *_on({"shape": (3, 2)}, {"shape": (-1,)}, {"shape": (2, 1, 3)}),
        Sample((Uniform(shape=()),), {"shape": (1, 1)}),
        Sample((Uniform(shape=(0, 2)),), {"shape": (2, 0)}),
        Sample((_COMPLEX,), {"shape": (6,)}),
    ],
)


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    order = [a % len(axes) for a in axes]
    return tuple(sorted(range(len(order)), key=order.__getitem__))


permute_dims: Op = linear(
    "permute_dims(x, /, axes)",
    batch=batching.permute_dims,
    x=lambda xp, g, axes: xp.permute_dims(g, _inverse(axes)),
    view=lambda base, value, axes: value.__array_namespace__().permute_dims(value, _inverse(axes)),
    samples=[
        *_on({"axes": (1, 0)}),
        Sample((Uniform(shape=(2, 3, 4)),), {"axes": (2, 0, 1)}),
        Sample((_COMPLEX,), {"axes": (1, 0)}),
    ],
)
expand_dims: Op = linear(
    "expand_dims(x, /, axis)",
    batch=batching.expand_dims,
    x=lambda xp, g, x_spec: xp.reshape(g, x_spec.shape),
    view=lambda base, value, axis: value.__array_namespace__().reshape(value, base.shape),
    samples=[
        *_on({"axis": 0}, {"axis": -1}, {"axis": 1}),
        Sample((Uniform(shape=()),), {"axis": 0}),
        Sample((_COMPLEX,), {"axis": 1}),
    ],
)
squeeze: Op = linear(
    "squeeze(x, /, axis)",
    batch=batching.squeeze,
    x=lambda xp, g, x_spec: xp.reshape(g, x_spec.shape),
    view=lambda base, value, axis: value.__array_namespace__().reshape(value, base.shape),
    samples=[
        *_on({"axis": 1}, {"axis": (1, -1)}, shape=(2, 1, 1)),
        *_on({"axis": 0}, shape=(1,)),
        Sample((Uniform(shape=(1, 3), kind="complex"),), {"axis": 0}),
    ],
)


def _moveaxis_back(xp: Any, g: Array, source: Any, destination: Any) -> Array:
    return xp.moveaxis(g, destination, source)


moveaxis: Op = linear(
    "moveaxis(x, source, destination, /)",
    batch=batching.moveaxis,
    arrays=("x",),
    x=_moveaxis_back,
    view=lambda base, value, source, destination: value.__array_namespace__().moveaxis(value, destination, source),
    samples=[
        *_on({"source": 0, "destination": -1}),
        *_on({"source": (0, 2), "destination": (1, 0)}, shape=(2, 3, 4)),
        Sample((_COMPLEX,), {"source": 1, "destination": 0}),
    ],
)
broadcast_to: Op = linear(
    "broadcast_to(x, /, shape)",
    batch=batching.broadcast_to,
    x=lambda xp, g, x_spec: unbroadcast(xp, g, tuple(x_spec.shape)),
    samples=[
        *_on({"shape": (2, 2, 3)}),
        *_on({"shape": (2, 3)}, shape=(2, 1)),
        *_on({"shape": (2, 3)}, shape=()),
        *_on({"shape": (0, 3)}, shape=(1, 3)),
        Sample((Uniform(kind="complex"),), {"shape": (2, 3)}),
    ],
)


def _concat_back(
    xp: Any, g: Array, arrays_spec: tuple[Spec, ...], axis: int | None, needs: tuple[int, ...]
) -> list[Array]:
    if axis is None:
        sizes = [_size(s.shape) for s in arrays_spec]
        axis = 0
    else:
        axis %= len(g.shape)
        sizes = [s.shape[axis] for s in arrays_spec]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    lead = (slice(None),) * axis
    out = []
    known = not math.isnan(starts[-1])
    for i in needs:
        if known:
            piece = g[(*lead, slice(starts[i], starts[i] + sizes[i]), ...)]
        else:
            # A backend's shapes know which part of an array is theirs, where sizes depend on data.
            piece = arrays_spec[i].shape.part(g, axis, [s.shape for s in arrays_spec[:i]])  # type: ignore[attr-defined]
        piece = piece if piece.shape == arrays_spec[i].shape else xp.reshape(piece, tuple(arrays_spec[i].shape))
        out.append(fit(xp, piece, arrays_spec[i]))
    return out


def _size(shape: Sequence[int]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total


concat: Op = linear(
    "concat(arrays, /, *, axis=0)",
    batch=batching.concat,
    jointly=_concat_back,
    samples=[
        Sample((_MATRIX, Uniform(shape=(1, 3)))),
        Sample((_MATRIX, Uniform(shape=(2, 1)), _MATRIX), {"axis": -1}),
        Sample((_MATRIX, Uniform(shape=(2,))), {"axis": None}),
        Sample((Uniform(shape=(0, 3)), _MATRIX)),
        Sample((_COMPLEX, _MATRIX)),
    ],
)


def _stack_back(xp: Any, g: Array, arrays_spec: tuple[Spec, ...], axis: int, needs: tuple[int, ...]) -> list[Array]:
    lead = (slice(None),) * (axis % len(g.shape))
    return [fit(xp, g[(*lead, i, ...)], arrays_spec[i]) for i in needs]


stack: Op = linear(
    "stack(arrays, /, *, axis=0)",
    batch=batching.stack,
    jointly=_stack_back,
    samples=[
        Sample((_MATRIX, _MATRIX)),
        Sample((_MATRIX, _MATRIX, _MATRIX), {"axis": -1}),
        Sample((Uniform(shape=()), Uniform(shape=()))),
        Sample((_COMPLEX, _MATRIX), {"axis": 1}),
    ],
)
flip: Op = linear(
    "flip(x, /, *, axis=None)",
    batch=along("axis", None),
    x=lambda xp, g, axis: xp.flip(g, axis=axis),
    samples=[*_on({}, {"axis": 0}, {"axis": (0, -1)}), Sample((_COMPLEX,), {"axis": 1})],
)


def _negated(shift: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


roll: Op = linear(
    "roll(x, /, shift, *, axis=None)",
    batch=batching.roll,
    x=lambda xp, g, shift, axis: xp.roll(g, _negated(shift), axis=axis),
    samples=[
        *_on({"shift": 2}, {"shift": -1, "axis": 1}, {"shift": (1, 2), "axis": (0, 1)}),
        Sample((_COMPLEX,), {"shift": 1, "axis": 0}),
    ],
)


def _tile(xp: Any, x: Array, /, repetitions: tuple[int, ...]) -> Array:
    # (r0, s0, r1, s1, ...) by broadcasting, then one reshape.
    ndim = max(len(x.shape), len(repetitions))
    repeats = (1,) * (ndim - len(repetitions)) + tuple(repetitions)
    shape = (1,) * (ndim - len(x.shape)) + tuple(x.shape)
    split = xp.reshape(x, tuple(n for s in shape for n in (1, s)))
    whole = xp.broadcast_to(split, tuple(n for r, s in zip(repeats, shape, strict=True) for n in (r, s)))
    return xp.reshape(whole, tuple(r * s for r, s in zip(repeats, shape, strict=True)))


tile: Op = composite(
    "tile(x, repetitions, /)",
    arrays=("x",),
    body=_tile,
    samples=[
        *_on({"repetitions": (2,)}, {"repetitions": (2, 2)}, {"repetitions": (2, 1, 2)}),
        Sample((_COMPLEX,), {"repetitions": (2, 1)}),
    ],
)


def _pad(xp: Any, x: Array, /, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Array:
    if mode != "constant":
        msg = f"pad fills with a constant only, got mode={mode!r}: index x with the places that elements come from"
        raise UnsupportedError(msg)
    if isinstance(constant_values, Wrapper):
        # The array itself may be none.
        xp = constant_values.__array_namespace__()
    for axis, widths in enumerate(_widths(pad_width, len(x.shape))):
        parts = [x]
        for place, width in zip((0, 2), widths, strict=True):
            if width:
                shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
                parts.insert(place, xp.full(shape, constant_values, dtype=x.dtype, device=xp.device(x)))
        x = xp.concat(parts, axis=axis) if len(parts) > 1 else x
    return x


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """Before and after each axis: from one number, a pair for all axes, or a pair for each."""
    if isinstance(pad_width, Integral):
        return [(int(pad_width), int(pad_width))] * ndim
    pairs = [pad_width] * ndim if isinstance(pad_width[0], Integral) else list(pad_width)
    pairs = pairs * ndim if len(pairs) == 1 else pairs
    if len(pairs) != ndim or any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        msg = f"pad needs a number, (before, after), or such a pair for each of {ndim} axes, got {pad_width!r}"
        raise ValueError(msg)
    return [(int(before), int(after)) for before, after in pairs]


pad: Op = composite(
    "pad(x, /, pad_width, mode='constant', *, constant_values=0)",
    body=_pad,
    doc="an array with constants around it, as NumPy's function and array-api-extra's",
    samples=[
        *_on({"pad_width": 1}, {"pad_width": (0, 2), "constant_values": 1.5}, {"pad_width": ((1, 0), (0, 3))}),
        *_on({"pad_width": ((2, 1),)}, shape=(3,)),
        Sample((_COMPLEX,), {"pad_width": 1}),
        Sample((Uniform(shape=()),), {"pad_width": 1}),
    ],
)


def _repeat_vjp(xp: Any, g: Array, x_spec: Spec, repeats: Any, axis: int | None) -> Array:
    shape = (_size(x_spec.shape),) if axis is None else tuple(x_spec.shape)
    a = 0 if axis is None else axis % len(shape)
    if isinstance(repeats, Integral):  # NumPy's, too
        split = xp.reshape(g, (*shape[: a + 1], repeats, *shape[a + 1 :]))
        out = xp.sum(split, axis=a + 1)
    else:
        # Which element each row came from: how many running totals of the repeats it is not below.
        n, rows = shape[a], xp.moveaxis(g, a, 0)
        ends = xp.cumulative_sum(xp.broadcast_to(xp.astype(repeats, xp.int64), (n,)))
        count = rows.shape[0]
        if count is None or math.isnan(count):
            # Nobody knows how many rows there are, which depends on data: each is counted where it is.
            ones = xp.ones_like(rows[(slice(None), *(0 for _ in rows.shape[1:]))], dtype=xp.int64)
            place = xp.cumulative_sum(ones) - 1
        else:
            place = xp.arange(count, dtype=xp.int64, device=xp.device(g))
        zeros = xp.zeros((n, *rows.shape[1:]), dtype=g.dtype, device=xp.device(g))
        out = xp.scatter_add(zeros, xp.searchsorted(ends, place, side="right"), rows)
        out = xp.moveaxis(out, 0, a)
    return out if out.shape == x_spec.shape else xp.reshape(out, tuple(x_spec.shape))


repeat: Op = linear(
    "repeat(x, repeats, /, *, axis=None)",
    batch=UnknownShape("repeat", (1,), batching.repeat),
    # The only shape here that depends on data is that of a result where `repeats` is an array.
    x=_repeat_vjp,
    samples=[
        Sample((Uniform(), 2)),
        Sample((_MATRIX, 3)),
        Sample((_MATRIX, 2), {"axis": 0}),
        Sample((_MATRIX, 2), {"axis": -1}),
        Sample((_MATRIX, 0), {"axis": 1}),
        Sample((Uniform(shape=()), 3)),
        Sample((Uniform(shape=(0, 3)), 2), {"axis": 1}),
        Sample((_COMPLEX, 2), {"axis": 1}),
        Sample((_MATRIX, [2, 0, 3]), {"axis": 1}),
        Sample((_MATRIX, [0, 2]), {"axis": -2}),
        Sample((Uniform(), [1, 3, 0])),
        Sample((Uniform(), [2])),
        Sample((_COMPLEX, [1, 0, 2]), {"axis": 1}),
    ],
)


def _unstack(xp: Any, x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    lead = (slice(None),) * (axis % len(x.shape))
    return tuple(x[(*lead, i, ...)] for i in range(x.shape[axis]))


unstack: Op = composite(
    "unstack(x, /, *, axis=0)", body=_unstack, samples=[*_on({}, {"axis": 1}, {"axis": -1}), Sample((_COMPLEX,))]
)


def _broadcast_arrays(xp: Any, *arrays: Array) -> tuple[Array, ...]:
    shape = broadcast_shapes(*(tuple(x.shape) for x in arrays))
    return tuple(x if tuple(x.shape) == shape else xp.broadcast_to(x, shape) for x in arrays)


broadcast_arrays: Op = composite(
    "broadcast_arrays(*arrays)",
    arrays=["arrays"],
    body=_broadcast_arrays,
    samples=[
        Sample((Uniform(shape=(2, 1)), Uniform(shape=(3,)))),
        Sample((_MATRIX, _MATRIX)),
        Sample((_COMPLEX, Uniform(shape=(3,)))),
    ],
)
