"""Sums of exponentials that neither overflow nor cancel: ``logsumexp``, ``softmax`` and ``log_softmax``.

After P. Blanchard, D. J. Higham and N. J. Higham, *Accurately computing the log-sum-exp and softmax functions*, IMA
Journal of Numerical Analysis 41 (2021), 2311. The largest element is subtracted first, and counted rather than summed:
``log(k e^m + s) = m + log k + log1p(s / k)`` keeps what is small beside it. Values at infinities are SciPy's.
"""

from __future__ import annotations

import math
from typing import Any

from agnograd.core.batching import along, reduced
from agnograd.core.formulas import Axis, axes_of, edge, keepdims_of, kept
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import general
from agnograd.errors import NotDifferentiableError

Array = Any

INF, NAN = math.inf, math.nan


def _check_real(xp: Any, x: Array, name: str) -> None:
    if x.dtype not in xp.reals:
        msg = (
            f"{name} takes real floating-point numbers, got an array of shape {tuple(x.shape)} and dtype {x.dtype}. "
            f"Convert integers with astype; of complex numbers take the real part or the absolute value."
        )
        raise NotDifferentiableError(msg)


def _log_sum(xp: Any, z: Array, axis: Axis) -> Array:
    """The logarithm of the sum of ``exp(z)``, where the largest element of `z` is zero; a NaN stays one."""
    largest = z == 0
    k = xp.sum(xp.astype(largest, z.dtype), axis=axis, keepdims=True)
    k = xp.where(k == 0, 1, k)
    return xp.log1p(xp.sum(xp.where(largest, 0, xp.exp(z)), axis=axis, keepdims=True) / k) + xp.log(k)


# -- logsumexp ---------------------------------------------------------------------------------------------------------


def _logsumexp(xp: Any, x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    _check_real(xp, x, "logsumexp")
    shape = kept(x.shape, axis)
    if 0 in x.shape:
        out = xp.full(shape, -INF, dtype=x.dtype, device=xp.device(x))
    else:
        top = xp.max(x, axis=axis, keepdims=True)
        infinite = xp.isinf(top)
        # Nothing but infinities counts beside one.
        rest = xp.where(infinite, xp.full_like(x, -INF), x - xp.where(infinite, 0, top))
        out = _log_sum(xp, xp.where(x == top, 0, rest), axis) + top
    return out if keepdims else xp.squeeze(out, axes_of(axis, len(x.shape)))


def _shares(xp: Any, x: Array, ans: Array, axis: Axis) -> Array:
    """The partial derivatives, exp(x - ans): the softmax. Beside an infinity, its limit: equal parts to all such."""
    top = keepdims_of(xp, ans, x.shape, axis)
    limit = xp.where(x == top, xp.zeros_like(x), xp.full_like(x, -INF))
    return xp.softmax(xp.where(xp.isinf(top), limit, x), axis=axis)


def _logsumexp_vjp(xp: Any, g: Array, x: Array, ans: Array, axis: Axis) -> Array:
    return keepdims_of(xp, g, x.shape, axis) * _shares(xp, x, ans, axis)


def _logsumexp_jvp(xp: Any, t: Array, x: Array, ans: Array, axis: Axis, keepdims: bool) -> Array:
    return xp.sum(t * _shares(xp, x, ans, axis), axis=axis, keepdims=keepdims)


def _samples(*, kept_axes: bool) -> list[Sample]:
    matrix = Uniform(shape=(2, 3))
    return [
        Sample((matrix,)),
        Sample((matrix,), {"axis": 0}),
        Sample((matrix,), {"axis": -1, "keepdims": True} if kept_axes else {"axis": -1}),
        Sample((Uniform(shape=(2, 3, 2)),), {"axis": (0, 2)}),
        Sample((Uniform(shape=()),)),
        Sample((Uniform(700.0, 1500.0, (2, 3)),), {"axis": 1}),
        Sample((Uniform(-1500.0, -700.0, (2, 3)),), {"axis": 1}),
        Sample((Uniform(shape=(0, 3)),), {"axis": 1}),
    ]


logsumexp: Op = general(
    "logsumexp(x, /, *, axis=None, keepdims=False)",
    batch=reduced,
    body=_logsumexp,
    vjp={"x": _logsumexp_vjp},
    jvp={"x": _logsumexp_jvp},
    doc="log(sum(exp(x))), without overflow; -inf where there is nothing to sum",
    samples=[
        *_samples(kept_axes=True),
        edge([[-INF, -INF], [-INF, 1.0]], axis=1, gradient=([[0.5, 0.5], [0.0, 1.0]],)),
        edge([[INF, 1.0, INF], [INF, 1000.0, -INF]], axis=1, gradient=([[0.5, 0.0, 0.5], [1.0, 0.0, 0.0]],)),
        edge([NAN, 1.0], gradient=([NAN, NAN],)),
    ],
)

# -- softmax -----------------------------------------------------------------------------------------------------------


def _softmax(xp: Any, x: Array, /, *, axis: Axis = None) -> Array:
    _check_real(xp, x, "softmax")
    if 0 in x.shape:
        return xp.positive(x)
    top = xp.max(x, axis=axis, keepdims=True)
    infinite = xp.isinf(top)
    e = xp.exp(xp.where(infinite, NAN, x - xp.where(infinite, 0, top)))
    return e / xp.sum(e, axis=axis, keepdims=True)


def _softmax_product(xp: Any, t: Array, ans: Array, axis: Axis) -> Array:
    # (diag(s) - s s^T) t, symmetric: the same in both modes.
    return ans * (t - xp.sum(t * ans, axis=axis, keepdims=True))


softmax: Op = general(
    "softmax(x, /, *, axis=None)",
    batch=along("axis", None),
    body=_softmax,
    vjp={"x": lambda xp, g, ans, axis: _softmax_product(xp, g, ans, axis)},
    jvp={"x": lambda xp, t, ans, axis: _softmax_product(xp, t, ans, axis)},
    doc="exp(x) / sum(exp(x)), without overflow",
    samples=[
        *_samples(kept_axes=False),
        edge([[-INF, 0.0, 0.0]], axis=1, gradient=([[0.0, 0.0, 0.0]],)),
        edge([[-INF, -INF], [INF, 1.0]], axis=1, gradient=([[NAN, NAN], [NAN, NAN]],)),
    ],
)

# -- log_softmax -------------------------------------------------------------------------------------------------------


def _log_softmax(xp: Any, x: Array, /, *, axis: Axis = None) -> Array:
    _check_real(xp, x, "log_softmax")
    if 0 in x.shape:
        return xp.positive(x)
    top = xp.max(x, axis=axis, keepdims=True)
    infinite = xp.isinf(top)
    z = xp.where(infinite, 0, x - xp.where(infinite, 0, top))
    limit = xp.where(x == top, xp.full_like(x, NAN), xp.full_like(x, -INF))
    return xp.where(infinite, limit, z - _log_sum(xp, z, axis))


log_softmax: Op = general(
    "log_softmax(x, /, *, axis=None)",
    batch=along("axis", None),
    body=_log_softmax,
    vjp={"x": lambda xp, g, ans, axis: g - xp.exp(ans) * xp.sum(g, axis=axis, keepdims=True)},
    jvp={"x": lambda xp, t, ans, axis: t - xp.sum(t * xp.exp(ans), axis=axis, keepdims=True)},
    doc="log(softmax(x)) = x - logsumexp(x), without loss of what is small",
    samples=[
        *_samples(kept_axes=False),
        edge([[-INF, 0.0, 0.0]], axis=1, gradient=([[1.0, -0.5, -0.5]],)),
        edge([[-INF, -INF], [INF, 1.0]], axis=1, gradient=([[NAN, NAN], [NAN, 1.0]],)),
    ],
)
