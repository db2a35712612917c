"""Derivatives of the incomplete gamma and beta functions in their parameters.

No library has them, and they are integrals: d/da of the integral of a density p(t), which has t^(a-1) as a factor, is
that of p(t) (log t - E[log t]), where E is the mean over all t. As functions of log(t), or of logit(t) for beta, the
densities are log-concave. Of the two sides of the argument the one without the maximum is taken, where they only decay,
and summed by the double exponential rule, which suits all scales at once: H. Takahasi and M. Mori, *Double exponential
formulas for numerical integration*, Publications of RIMS 9 (1974), 721. What is summed is differentiable again, so that
the same lines serve every order.

The nodes are a last axis of their own: what is computed here needs 137 times the memory of its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Array = Any

_NODES = 137
_STEP = 1 / 16
_FIRST = -3.5


def _summed(xp: Any, scale: Array, integrand: Callable[[Array], Array]) -> Array:
    """The integral of a function of positive numbers, which decays within some multiples of `scale`."""
    w = xp.arange(_NODES, dtype=scale.dtype, device=xp.device(scale)) * _STEP + _FIRST
    inverse = xp.exp(-w)
    v = xp.exp(w - inverse)
    return scale * xp.sum(_STEP * (1 + inverse) * v * integrand(_wide(xp, scale) * v), axis=-1)


def _wide(xp: Any, x: Array) -> Array:
    return xp.expand_dims(x, axis=-1)


def gamma_slope(xp: Any, a: Array, x: Array) -> Array:
    """The derivative of P(a, x) in `a`."""
    infinite = xp.isinf(x)
    x = xp.where(infinite, 1, x)
    front = xp.exp(xp.special.xlogy(a, x) - x - xp.special.gammaln(a))  # x^a e^-x / gamma(a)
    zero = x <= 0
    x = xp.where(zero, 1, x)
    lower = x < a
    sign = xp.where(lower, xp.ones_like(front), -xp.ones_like(front))
    near = 1 / (xp.where(lower, a - x, 0) + a / (1 + xp.sqrt(a)))
    far = xp.log1p(1 / (xp.where(lower, 0, x - a) + xp.sqrt(x)))
    log_x, rate, argument = (_wide(xp, y) for y in (xp.log(x) - xp.special.digamma(a), a, x))

    def integrand(v: Array) -> Array:
        # t = x e^-v. Upwards it ends double exponentially, long before v = -80.
        v = xp.maximum(_wide(xp, sign) * v, xp.full_like(v, -80.0))
        return xp.exp(-rate * v - argument * xp.expm1(-v)) * (log_x - v)

    inside = sign * front * _summed(xp, xp.where(lower, near, far), integrand)
    # The front is 0 at x = 0.
    return xp.where(infinite, 0, xp.where(zero, front, inside))


def beta_slope(xp: Any, a: Array, b: Array, x: Array, y: Array, front: Array) -> Array:
    """The derivative of I_x(a, b) in `a`, where y = 1 - x and `front` is x^a y^b / B(a, b).

    What is found is linear in `front`, which may have a sign of its own.
    """
    zero = x <= 0
    x, y = xp.where(zero, 0.5, x), xp.where(zero, 0.5, y)
    total = a + b
    lower = total * x < a
    sign = xp.where(lower, xp.ones_like(front), -xp.ones_like(front))
    rate = xp.where(lower, a - total * x, b - total * y)
    curvature = a * b / total
    own = xp.where(lower, a, b)
    scale = xp.log1p(1 / (rate + curvature / (1 + xp.sqrt(curvature)))) + 1 / own
    log_x = _wide(xp, xp.log(x) - xp.special.digamma(a) + xp.special.digamma(total))
    argument, own, total, below = (_wide(xp, z) for z in (xp.where(lower, x, y), own, total, lower))

    def integrand(v: Array) -> Array:
        # logit(t) = logit(x) - v, and logit(x) + v on the other side.
        q = xp.log1p(argument * xp.expm1(-v))
        return xp.exp(-own * v - total * q) * (log_x - xp.where(below, v, 0) - q)

    inside = sign * front * _summed(xp, scale, integrand)
    # The front is 0 at x = 0.
    return xp.where(zero, front, inside)
