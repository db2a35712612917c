"""Error functions and the normal distribution, DLMF chapter 7."""

from __future__ import annotations

import math
from typing import Any

from agnograd.hookspecs import Sample, Uniform, elementwise

from agnograd_special.formulas import polynomial, real_part, unary

Array = Any

INF = math.inf
SQRT_PI = math.sqrt(math.pi)
SQRT_2PI = math.sqrt(2 * math.pi)


def _gaussian(xp: Any, x: Array) -> Array:
    # 2/sqrt(pi) e^(-x^2), DLMF 7.2.1
    return 2 / SQRT_PI * xp.exp(-x * x)


def _density(xp: Any, x: Array) -> Array:
    return xp.exp(-x * x / 2) / SQRT_2PI


erf = elementwise(
    "special.erf(x, /)",
    x=lambda xp, g, x: g * _gaussian(xp, x),
    samples=[*unary(-2.0, 2.0), Sample((Uniform(-1.0, 1.0, kind="complex"),))],
)
erfc = elementwise(
    "special.erfc(x, /)",
    x=lambda xp, g, x: -g * _gaussian(xp, x),
    samples=[*unary(-2.0, 2.0), Sample((Uniform(-1.0, 1.0, kind="complex"),))],
)


# (-1)^k (2k + 1)!! / 2^k
_ASYMPTOTIC = [math.prod(-(2 * i + 1) / 2 for i in range(1, k + 1)) for k in range(8)]


def _erfcx_slope(xp: Any, x: Array, ans: Array) -> Array:
    # 2 x erfcx(x) - 2/sqrt(pi); where x is large and these cancel, the asymptotic series, DLMF 7.12.1.
    far = real_part(xp, x) > 25
    u = 1 / xp.where(far, x, 1) ** 2
    series = -u / SQRT_PI * polynomial(_ASYMPTOTIC, u)
    return xp.where(far, series, 2 * xp.where(far, 0, x) * ans - 2 / SQRT_PI)


erfcx = elementwise(
    "special.erfcx(x, /)",
    x=lambda xp, g, x, ans: g * _erfcx_slope(xp, x, ans),
    samples=[*unary(-1.0, 2.0), Sample((Uniform(60.0, 80.0),)), Sample((Uniform(-1.0, 1.0, kind="complex"),))],
)
erfinv = elementwise(
    "special.erfinv(x, /)",
    x=lambda xp, g, ans: g * (SQRT_PI / 2 * xp.exp(ans * ans)),
    samples=[*unary(-0.9, 0.9), Sample(([-1.0, 1.0],), gradient=([INF, INF],))],
)
erfcinv = elementwise(
    "special.erfcinv(x, /)",
    x=lambda xp, g, ans: -g * (SQRT_PI / 2 * xp.exp(ans * ans)),
    samples=[*unary(0.1, 1.9), Sample(([0.0, 2.0],), gradient=([-INF, -INF],))],
)
ndtr = elementwise(
    "special.ndtr(x, /)",
    x=lambda xp, g, x: g * _density(xp, x),
    samples=[*unary(-2.0, 2.0), Sample((Uniform(-1.0, 1.0, kind="complex"),))],
)
ndtri = elementwise(
    "special.ndtri(x, /)",
    x=lambda xp, g, ans: g * (SQRT_2PI * xp.exp(ans * ans / 2)),
    samples=[*unary(0.1, 0.9), Sample(([0.0, 1.0],), gradient=([INF, INF],))],
)


def _log_ndtr(xp: Any, g: Array, x: Array) -> Array:
    # Density over distribution. Left of 0 both vanish, and their quotient is sqrt(2/pi) / erfcx(-x/sqrt(2)).
    right = real_part(xp, x) > 0
    above, below = xp.where(right, x, 0), xp.where(right, 0, x)
    tail = math.sqrt(2 / math.pi) / xp.special.erfcx(-below / math.sqrt(2))
    return g * xp.where(right, _density(xp, above) / xp.special.ndtr(above), tail)


log_ndtr = elementwise(
    "special.log_ndtr(x, /)",
    x=_log_ndtr,
    samples=[*unary(-2.0, 2.0), Sample((Uniform(-30.0, -20.0),)), Sample((Uniform(-1.0, 1.0, kind="complex"),))],
)
