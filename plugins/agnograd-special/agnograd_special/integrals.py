"""Exponential and elliptic integrals, the dilogarithm and hypergeometric functions, DLMF chapters 6, 8, 13, 15, 19."""

from __future__ import annotations

import math
from typing import Any

from agnograd.hookspecs import Sample, Uniform, elementwise

from agnograd_special.formulas import floating, order, polynomial, unary

Array = Any

_RIGHT = [Sample((Uniform(0.5, 2.0, kind="complex"),))]

exp1 = elementwise("special.exp1(x, /)", x=lambda xp, g, x: -g * (xp.exp(-x) / x), samples=[*unary(0.5, 3.0), *_RIGHT])
expi = elementwise("special.expi(x, /)", x=lambda xp, g, x: g * (xp.exp(x) / x), samples=[*unary(0.5, 3.0), *_RIGHT])


def _expn(xp: Any, g: Array, n: Any, x: Array) -> Array:
    # -E_(n-1)(x), DLMF 8.19.13; SciPy has no order below 0, and E_0(x) = e^-x / x.
    lowest = -xp.exp(-x) * (1 + x) / (x * x)
    if isinstance(n, (int, float)):
        return g * (lowest if n == 0 else -xp.special.expn(n - 1, x))
    zero = n == 0
    return g * xp.where(zero, lowest, -xp.special.expn(xp.where(zero, 0, n - 1), x))


expn = elementwise("special.expn(n, x, /)", x=_expn, samples=order([0, 1, 3, [0, 1, 2]], 0.5, 3.0))


def _spence(xp: Any, g: Array, x: Array) -> Array:
    # log(x)/(1 - x), DLMF 25.12.2 with z = 1 - x, and near 1 its power series.
    near = xp.abs(x - 1) < 0.1
    far = xp.where(near, 2, x)
    series = polynomial([(-1) ** (k + 1) / (k + 1) for k in range(20)], xp.where(near, x - 1, 0))
    return g * xp.where(near, series, xp.log(far) / (1 - far))


spence = elementwise(
    "special.spence(x, /)",
    x=_spence,
    samples=[*unary(0.2, 3.0), *_RIGHT, Sample(([1.0],), gradient=([-1.0],))],
)

# -- hypergeometric functions, by parameters that are raised by 1: DLMF 13.3.15 and 15.5.1 -----------------------------


def _hyp1f1(xp: Any, g: Array, a: Any, b: Any, x: Array) -> Array:
    return g * ((a / b) * xp.special.hyp1f1(a + 1, b + 1, x))


def _hyp2f1(xp: Any, g: Array, a: Any, b: Any, c: Any, x: Array) -> Array:
    return g * ((a * b / c) * xp.special.hyp2f1(a + 1, b + 1, c + 1, x))


hyp1f1 = elementwise(
    "special.hyp1f1(a, b, x, /)",
    x=lambda xp, g, a, b, x: _hyp1f1(xp, g, _number(xp, a, g), _number(xp, b, g), x),
    samples=[
        Sample((Uniform(0.5, 1.5), Uniform(1.5, 2.5), Uniform())),
        Sample((1.0, 2.0, Uniform())),
        Sample((Uniform(0.5, 1.5, (2, 1)), 3, Uniform())),
        Sample((1.0, 2.0, Uniform(-1.0, 1.0, kind="complex"))),
    ],
)
hyp2f1 = elementwise(
    "special.hyp2f1(a, b, c, x, /)",
    x=lambda xp, g, a, b, c, x: _hyp2f1(xp, g, _number(xp, a, g), _number(xp, b, g), _number(xp, c, g), x),
    samples=[
        Sample((Uniform(0.5, 1.5), Uniform(0.5, 1.5), Uniform(1.5, 2.5), Uniform(-0.8, 0.8))),
        Sample((0.5, 0.5, 1.0, Uniform(-0.8, 0.8))),
        Sample((1, 2, 4, Uniform(-0.6, 0.6, kind="complex"))),
    ],
)


def _number(xp: Any, n: Any, like: Array) -> Any:
    return n if isinstance(n, (int, float)) else floating(xp, n, like)


# -- complete elliptic integrals of the parameter m --------------------------------------------------------------------
# DLMF 19.4.1 and 19.4.2, which cancel at m = 0: near it the series, DLMF 19.5.1 and 19.5.2.

_BINOMIALS = [(math.comb(2 * k, k) / 4**k) ** 2 * math.pi / 2 for k in range(30)]


def _elliptic_slope(xp: Any, m: Array, far: Array, terms: list[float]) -> Array:
    near = xp.abs(m) < 0.2
    return xp.where(near, polynomial([k * c for k, c in enumerate(terms)][1:], xp.where(near, m, 0)), far)


def _away(xp: Any, m: Array) -> Array:
    return xp.where(xp.abs(m) < 0.2, 1, m)


def _ellipk_slope(xp: Any, m: Array, rest: Array, k: Array) -> Array:
    # (E - (1 - m) K) / (2 m (1 - m)); `rest` is 1 - m.
    far = (xp.special.ellipe(m) / rest - xp.where(rest == 0, 0, k)) / (2 * _away(xp, m))
    return _elliptic_slope(xp, m, far, _BINOMIALS)


def _ellipe_slope(xp: Any, m: Array, e: Array) -> Array:
    # (E - K) / (2 m)
    far = (e - xp.special.ellipk(m)) / (2 * _away(xp, m))
    return _elliptic_slope(xp, m, far, [c / (1 - 2 * k) for k, c in enumerate(_BINOMIALS)])


ellipk = elementwise(
    "special.ellipk(m, /)",
    m=lambda xp, g, m, ans: g * _ellipk_slope(xp, m, 1 - m, ans),
    samples=[*unary(-2.0, 0.9), Sample(([0.0],), gradient=([math.pi / 8],))],
)
ellipkm1 = elementwise(
    "special.ellipkm1(p, /)", p=lambda xp, g, p, ans: -g * _ellipk_slope(xp, 1 - p, p, ans), samples=unary(0.1, 2.0)
)
ellipe = elementwise(
    "special.ellipe(m, /)",
    m=lambda xp, g, m, ans: g * _ellipe_slope(xp, m, ans),
    samples=[*unary(-2.0, 0.9), Sample(([0.0],), gradient=([-math.pi / 8],))],
)
