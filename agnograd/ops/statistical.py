"""Statistical functions: reductions and cumulative sums and products."""

from __future__ import annotations

import builtins
import math
from typing import Any

from agnograd.core.batching import reduced, shifted
from agnograd.core.formulas import Axis, axes_of, count, edge, elements, expand, is_complex, keepdims_of, ratio
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import general, linear

Array = Any


def _reduced(low: float = -2.0, high: float = 2.0, *, complex_: bool = True, empty: bool = True) -> list[Sample]:
    """All axes, one, several, negative, kept; 0-d and empty arrays."""
    matrix, cube = Uniform(low, high, (2, 3)), Uniform(low, high, (2, 3, 2))
    samples = [
        Sample((matrix,)),
        Sample((matrix,), {"axis": 0}),
        Sample((matrix,), {"axis": -1, "keepdims": True}),
        Sample((cube,), {"axis": (0, 2)}),
        Sample((Uniform(low, high, ()),)),
    ]
    if empty:
        samples.append(Sample((Uniform(low, high, (0, 3)),), {"axis": 1}))
    if complex_:
        samples.append(Sample((Uniform(low, high, (2, 3), "complex"),), {"axis": 0}))
    return samples


sum: Op = linear(
    "sum(x, /, *, axis=None, dtype=None, keepdims=False)",
    batch=reduced,
    x=lambda xp, g, x_spec, axis: (
        xp.broadcast_to(g, x_spec.shape) if axis is None else expand(xp, g, x_spec.shape, axis)
    ),
    samples=[*_reduced(), Sample((Uniform(shape=(0, 3)),), {"axis": 0})],
)
mean: Op = linear(
    "mean(x, /, *, axis=None, keepdims=False)",
    batch=reduced,
    x=lambda xp, g, x_spec, axis: expand(xp, g / elements(g, x_spec.shape, axis), x_spec.shape, axis),
    samples=_reduced(),
)


def _prod_of_others(xp: Any, x: Array, axis: Axis) -> Array:
    """For each element the product of all others along `axis`: exact where there are zeros, and differentiable."""
    axes = axes_of(axis, len(x.shape))
    rest = tuple(a for a in range(len(x.shape)) if a not in axes)
    order = (*rest, *axes)
    moved = xp.permute_dims(x, order)
    flat = xp.reshape(moved, (*(x.shape[a] for a in rest), count(x.shape, axis)))
    one = xp.ones_like(flat[..., :1])
    before = xp.cumulative_prod(xp.concat([one, flat[..., :-1]], axis=-1), axis=-1)
    after = xp.flip(xp.cumulative_prod(xp.concat([one, xp.flip(flat[..., 1:], axis=-1)], axis=-1), axis=-1), axis=-1)
    inverse = tuple(sorted(range(len(order)), key=order.__getitem__))
    return xp.permute_dims(xp.reshape(before * after, moved.shape), inverse)


def _prod_vjp(xp: Any, g: Array, x: Array, axis: Axis) -> Array:
    if 0 in x.shape or not x.shape:
        return expand(xp, g, x.shape, axis)
    return keepdims_of(xp, g, x.shape, axis) * xp.conj(_prod_of_others(xp, x, axis))


def _prod_jvp(xp: Any, t: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    if 0 in x.shape or not x.shape:
        return xp.sum(t, axis=axis, keepdims=keepdims)
    return xp.sum(t * _prod_of_others(xp, x, axis), axis=axis, keepdims=keepdims)


prod: Op = general(
    "prod(x, /, *, axis=None, dtype=None, keepdims=False)",
    batch=reduced,
    vjp={"x": _prod_vjp},
    jvp={"x": _prod_jvp},
    samples=[
        *_reduced(0.5, 1.5),
        Sample(([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0]],), {"axis": 1}, ([[6.0, 0.0, 0.0], [0.0, 0.0, 0.0]],)),
    ],
)


def _extremum_mask(xp: Any, x: Array, ans: Array, axis: Axis) -> tuple[Array, Array]:
    """Where the extremum is attained, and how often; NaN where nowhere, as for an extremum of NaN."""
    attained = x == keepdims_of(xp, ans, x.shape, axis)
    ties = xp.sum(xp.astype(attained, x.dtype), axis=axis, keepdims=True)
    return attained | (ties == 0), xp.where(ties == 0, float("nan"), ties)


def _extremum_vjp(xp: Any, g: Array, x: Array, ans: Array, axis: Axis) -> Array:
    attained, ties = _extremum_mask(xp, x, ans, axis)
    return xp.where(attained, keepdims_of(xp, g, x.shape, axis) / ties, 0)


def _extremum_jvp(xp: Any, t: Array, x: Array, ans: Array, axis: Axis, keepdims: bool) -> Array:
    attained, ties = _extremum_mask(xp, x, ans, axis)
    return xp.sum(xp.where(attained, t / ties, 0), axis=axis, keepdims=keepdims)


max: Op = general(
    "max(x, /, *, axis=None, keepdims=False)",
    batch=reduced,
    vjp={"x": _extremum_vjp},
    jvp={"x": _extremum_jvp},
    samples=[
        *_reduced(complex_=False),
        edge([[1.0, 2.0, 2.0]], axis=1, gradient=([[0.0, 0.5, 0.5]],)),
        edge([1.0, float("nan")], gradient=([float("nan")] * 2,)),
    ],
)
min: Op = general(
    "min(x, /, *, axis=None, keepdims=False)",
    batch=reduced,
    vjp={"x": _extremum_vjp},
    jvp={"x": _extremum_jvp},
    samples=[*_reduced(complex_=False), edge([3.0, 1.0, 1.0], gradient=([0.0, 0.5, 0.5],))],
)


def _centred(xp: Any, x: Array, axis: Axis) -> Array:
    return x - xp.mean(x, axis=axis, keepdims=True)


def _freedom(xp: Any, x: Array, axis: Axis, correction: float, keepdims: bool = True) -> Any:
    total = count(x.shape, axis)
    if not math.isnan(total):
        return builtins.max(total - correction, 0)  # of none, as NumPy has it, a spread is infinite
    found = xp.sum(xp.ones_like(x), axis=axis, keepdims=keepdims) - correction
    return xp.where(found > 0, found, 0)


def _twice_over(freedom: Any) -> Any:
    return float("inf") if isinstance(freedom, (int, float)) and not freedom else 2 / freedom


def _real_dot(xp: Any, a: Array, t: Array) -> Array:
    return xp.real(xp.conj(a) * t) if is_complex(xp, a) else a * t


def _var_vjp(xp: Any, g: Array, x: Array, axis: Axis, correction: float) -> Array:
    scale = _twice_over(_freedom(xp, x, axis, correction))
    return keepdims_of(xp, g, x.shape, axis) * scale * _centred(xp, x, axis)


def _var_jvp(xp: Any, t: Array, x: Array, axis: Axis, correction: float, keepdims: bool) -> Array:
    scale = _twice_over(_freedom(xp, x, axis, correction, keepdims))
    return scale * xp.sum(_real_dot(xp, _centred(xp, x, axis), t), axis=axis, keepdims=keepdims)


var: Op = general(
    "var(x, /, *, axis=None, correction=0.0, keepdims=False)",
    batch=reduced,
    vjp={"x": _var_vjp},
    jvp={"x": _var_jvp},
    samples=[*_reduced(complex_=False)[:4], Sample((Uniform(shape=(2, 3)),), {"axis": 1, "correction": 1})],
)


def _std_factor(xp: Any, x: Array, ans: Array, axis: Axis, correction: float) -> Array:
    # (x - mean) / ((n - c) std), and 0 where all values are equal.
    spread = keepdims_of(xp, ans, x.shape, axis)
    return ratio(xp, _centred(xp, x, axis), spread * _freedom(xp, x, axis, correction))


def _std_vjp(xp: Any, g: Array, x: Array, ans: Array, axis: Axis, correction: float) -> Array:
    return keepdims_of(xp, g, x.shape, axis) * _std_factor(xp, x, ans, axis, correction)


def _std_jvp(xp: Any, t: Array, x: Array, ans: Array, axis: Axis, correction: float, keepdims: bool) -> Array:
    return xp.sum(_real_dot(xp, _std_factor(xp, x, ans, axis, correction), t), axis=axis, keepdims=keepdims)


std: Op = general(
    "std(x, /, *, axis=None, correction=0.0, keepdims=False)",
    batch=reduced,
    vjp={"x": _std_vjp},
    jvp={"x": _std_jvp},
    samples=[
        *_reduced(complex_=False)[:4],
        Sample((Uniform(shape=(2, 3)),), {"axis": 1, "correction": 1}),
        edge([2.0, 2.0], gradient=([0.0, 0.0],)),
    ],
)


def _axis(shape: tuple[int, ...], axis: int | None) -> int:
    return 0 if axis is None else axis % len(shape)


def _without_initial(xp: Any, g: Array, axis: int, include_initial: bool) -> Array:
    if not include_initial:
        return g
    return g[(*(slice(None),) * axis, slice(1, None), ...)]


def _cumulative_sum_vjp(xp: Any, g: Array, x_spec: Any, axis: int | None, include_initial: bool) -> Array:
    a = _axis(x_spec.shape, axis)
    g = _without_initial(xp, g, a, include_initial)
    return xp.flip(xp.cumulative_sum(xp.flip(g, axis=a), axis=a), axis=a)


def _accumulated(run: Any, arrays: Any, mapped: Any, axis: int | None = None, **params: Any) -> Array:
    (x,) = arrays
    ndim = len(x.shape) - 1
    if axis is None and ndim != 1:
        msg = f"an array of {ndim} axes needs the axis along which it is accumulated"
        raise ValueError(msg)
    return run(x, axis=shifted(0 if axis is None else axis, ndim), **params)


_CUMULATIVE = [
    Sample((Uniform(),)),
    Sample((Uniform(shape=(2, 3)),), {"axis": 0}),
    Sample((Uniform(shape=(2, 3)),), {"axis": -1, "include_initial": True}),
    Sample((Uniform(kind="complex"),)),
]

cumulative_sum: Op = linear(
    "cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False)",
    batch=_accumulated,
    x=_cumulative_sum_vjp,
    samples=[*_CUMULATIVE, Sample((Uniform(shape=(0,)),))],
)


def _products_between(xp: Any, x: Array) -> Array:
    """``[..., j, k]``: the product of ``x[i]`` for j < i <= k, and 0 for k < j, along the last axis."""
    n = x.shape[-1]
    i = xp.arange(n, device=xp.device(x))
    later = i[None, :] > i[:, None]
    factors = xp.where(later, x[..., None, :], 1)
    return xp.where(i[None, :] >= i[:, None], xp.cumulative_prod(factors, axis=-1), 0)


def _cumulative_prod_jacobian(xp: Any, x: Array) -> Array:
    """``d out[k] / d x[j]`` at ``[..., j, k]``: exact at zeros, and differentiable to any order, in n^2 memory."""
    before = xp.cumulative_prod(xp.concat([xp.ones_like(x[..., :1]), x[..., :-1]], axis=-1), axis=-1)
    return before[..., :, None] * _products_between(xp, x)


def _cumulative_prod_vjp(xp: Any, g: Array, x: Array, axis: int | None, include_initial: bool) -> Array:
    a = _axis(x.shape, axis)
    g = xp.moveaxis(_without_initial(xp, g, a, include_initial), a, -1)
    jacobian = xp.conj(_cumulative_prod_jacobian(xp, xp.moveaxis(x, a, -1)))
    return xp.moveaxis(xp.sum(g[..., None, :] * jacobian, axis=-1), -1, a)


def _cumulative_prod_jvp(xp: Any, t: Array, x: Array, axis: int | None, include_initial: bool) -> Array:
    a = _axis(x.shape, axis)
    jacobian = _cumulative_prod_jacobian(xp, xp.moveaxis(x, a, -1))
    out = xp.sum(xp.moveaxis(t, a, -1)[..., :, None] * jacobian, axis=-2)
    if include_initial:
        out = xp.concat([xp.zeros_like(out[..., :1]), out], axis=-1)
    return xp.moveaxis(out, -1, a)


cumulative_prod: Op = general(
    "cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False)",
    batch=_accumulated,
    vjp={"x": _cumulative_prod_vjp},
    jvp={"x": _cumulative_prod_jvp},
    samples=[*_CUMULATIVE, edge([2.0, 0.0, 3.0, 0.0, 5.0], gradient=([1.0, 8.0, 0.0, 0.0, 0.0],))],
)
