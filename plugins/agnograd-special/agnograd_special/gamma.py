"""Gamma, beta and zeta functions, DLMF chapters 5 and 25."""

from __future__ import annotations

import math
from typing import Any

from agnograd.hookspecs import Op, Sample, composite, elementwise

from agnograd_special.formulas import floating, order, real_part, several, unary

Array = Any

gamma = elementwise(
    "special.gamma(x, /)",
    x=lambda xp, g, x, ans: g * (ans * xp.special.digamma(x)),  # DLMF 5.2.2
    samples=[*unary(0.5, 3.0), *unary(-0.9, -0.1)],
)
gammaln = elementwise(
    "special.gammaln(x, /)",
    x=lambda xp, g, x: g * xp.special.digamma(x),
    samples=[*unary(0.5, 3.0), *unary(-0.9, -0.1)],
)
loggamma = elementwise("special.loggamma(x, /)", x=lambda xp, g, x: g * xp.special.digamma(x), samples=unary(0.5, 3.0))
gammasgn = elementwise("special.gammasgn(x, /)", x=0, samples=unary(0.5, 3.0))


def _rgamma_slope(xp: Any, x: Array, ans: Array) -> Array:
    # -digamma(x)/gamma(x); on the left by reflection, DLMF 5.5.3, since there both have poles and this has none.
    left = real_part(xp, x) < 0.5
    mirrored, right = xp.where(left, 1 - x, 1), xp.where(left, 1, x)
    reflected = xp.cos(math.pi * x) * xp.special.gamma(mirrored) - ans * xp.special.digamma(mirrored)
    return xp.where(left, reflected, -ans * xp.special.digamma(right))


rgamma = elementwise(
    "special.rgamma(x, /)",
    x=lambda xp, g, x, ans: g * _rgamma_slope(xp, x, ans),
    samples=[
        *unary(-2.0, 2.0),
        # (-1)^n n! at -n
        Sample(([0.0, -1.0, -2.0, -3.0],), gradient=([1.0, -1.0, 2.0, -6.0],)),
    ],
)


def _digamma(name: str) -> Op:
    return elementwise(
        f"special.{name}(x, /)",
        body=None if name == "digamma" else lambda xp, x: xp.special.digamma(x),
        x=lambda xp, g, x: g * xp.special.zeta(2.0, x),  # trigamma, DLMF 25.11.12; polygamma computes digamma too
        samples=[*unary(0.5, 3.0), *unary(-0.9, -0.1)],
    )


digamma, psi = _digamma("digamma"), _digamma("psi")
polygamma = elementwise(
    "special.polygamma(n, x, /)",
    x=lambda xp, g, n, x: g * xp.special.polygamma(n + 1, x),  # DLMF 5.15
    samples=[*order([0, 1, 2, [0, 1, 2]], 0.7, 3.0)],
)


def _multigammaln(xp: Any, a: Array, /, d: int) -> Array:
    # The logarithm of pi^(d(d-1)/4) times the product of gamma(a - i/2), i < d. Defined for a > (d-1)/2.
    inside = a > (d - 1) / 2
    a = xp.where(inside, a, d)
    total = sum((xp.special.gammaln(a - i / 2) for i in range(1, int(d))), xp.special.gammaln(a))
    return xp.where(inside, d * (d - 1) / 4 * math.log(math.pi) + total, math.nan)


multigammaln = composite(
    "special.multigammaln(a, /, d)",
    body=_multigammaln,
    samples=[Sample(s.arrays, {"d": d}) for d in (1, 3) for s in unary(1.5, 3.0)],
)

# -- beta --------------------------------------------------------------------------------------------------------------


def _beta_slope(xp: Any, a: Any, b: Any, like: Array) -> Array:
    # d/da log B(a, b)
    a, b = floating(xp, a, like), floating(xp, b, like)
    return xp.special.digamma(a) - xp.special.digamma(a + b)


beta = elementwise(
    "special.beta(a, b, /)",
    a=lambda xp, g, a, b, ans: g * (ans * _beta_slope(xp, a, b, g)),
    b=lambda xp, g, a, b, ans: g * (ans * _beta_slope(xp, b, a, g)),
    samples=several((0.5, 3.0), (0.5, 3.0)),
)
betaln = elementwise(
    "special.betaln(a, b, /)",
    a=lambda xp, g, a, b: g * _beta_slope(xp, a, b, g),
    b=lambda xp, g, a, b: g * _beta_slope(xp, b, a, g),
    samples=several((0.5, 3.0), (0.5, 3.0)),
)


def _binom_parts(xp: Any, n: Any, k: Any, like: Array) -> tuple[Array, ...]:
    # binom(n, k) = gamma(n + 1) / (gamma(k + 1) gamma(n - k + 1)), DLMF 1.2.6
    n, k = floating(xp, n, like), floating(xp, k, like)
    return n + 1, k + 1, n - k + 1


def _zero_of(xp: Any, ans: Array, parts: tuple[Array, ...]) -> tuple[Array, ...]:
    """Where the function is 0, what it is made of there, and what it is made of elsewhere; ones in the other places."""
    zero = ans == 0
    return zero, *(xp.where(zero, x, 1) for x in parts), *(xp.where(zero, 1, x) for x in parts)


def _rgamma_and_slope(xp: Any, x: Array) -> tuple[Array, Array]:
    value = xp.special.rgamma(x)
    return value, _rgamma_slope(xp, x, value)


def _binom_n(xp: Any, g: Array, n: Any, k: Any, ans: Array) -> Array:
    # ans (digamma(n + 1) - digamma(n - k + 1)); a zero of the function is a pole of these.
    zero, total, lower, upper, total_, _, upper_ = _zero_of(xp, ans, _binom_parts(xp, n, k, g))
    others = xp.special.gamma(total) * xp.special.rgamma(lower)
    at_zero = ans * xp.special.digamma(total) + others * _rgamma_and_slope(xp, upper)[1]
    return g * xp.where(zero, at_zero, ans * (xp.special.digamma(total_) - xp.special.digamma(upper_)))


def _binom_k(xp: Any, g: Array, n: Any, k: Any, ans: Array) -> Array:
    # ans (digamma(n - k + 1) - digamma(k + 1))
    zero, total, lower, upper, _, lower_, upper_ = _zero_of(xp, ans, _binom_parts(xp, n, k, g))
    (low, low_slope), (up, up_slope) = _rgamma_and_slope(xp, lower), _rgamma_and_slope(xp, upper)
    at_zero = xp.special.gamma(total) * (low_slope * up - low * up_slope)
    return g * xp.where(zero, at_zero, ans * (xp.special.digamma(upper_) - xp.special.digamma(lower_)))


binom = elementwise(
    "special.binom(n, k, /)",
    n=_binom_n,
    k=_binom_k,
    samples=[
        *several((3.0, 5.0), (0.5, 2.5)),
        # n (n - 1) (n - 2) (n - 3) / 24 at 2; 2 (-1)^j (j - 3)! / j! in k at j
        Sample(([2.0, 2.0], [4.0, 3.0]), gradient=([-1 / 12, 1 / 3], [1 / 12, -1 / 3])),
    ],
)


def _poch_z(xp: Any, g: Array, z: Any, m: Any, ans: Array) -> Array:
    # poch(z, m) = gamma(z + m) / gamma(z), DLMF 5.2.5: ans (digamma(z + m) - digamma(z)), at zeros as for binom.
    z, m = floating(xp, z, g), floating(xp, m, g)
    zero, top, bottom, top_, bottom_ = _zero_of(xp, ans, (z + m, z))
    at_zero = ans * xp.special.digamma(top) + xp.special.gamma(top) * _rgamma_and_slope(xp, bottom)[1]
    return g * xp.where(zero, at_zero, ans * (xp.special.digamma(top_) - xp.special.digamma(bottom_)))


def _poch_m(xp: Any, g: Array, z: Any, m: Any, ans: Array) -> Array:
    return g * (ans * xp.special.digamma(floating(xp, z, g) + floating(xp, m, g)))


poch = elementwise(
    "special.poch(z, m, /)",
    z=_poch_z,
    m=_poch_m,
    # z (z + 1) (z + 2) at -1
    samples=[*several((0.5, 3.0), (0.5, 3.0)), Sample(([-1.0], [3.0]), gradient=([-1.0], [0.0]))],
)

# -- zeta: no library has the derivative in x --------------------------------------------------------------------------

zeta = elementwise(
    "special.zeta(x, q, /)",
    q=lambda xp, g, x, q: -g * (x * xp.special.zeta(x + 1, q)),  # DLMF 25.11.17
    samples=several((1.5, 4.0), (0.5, 3.0), parameters=True),
)
zetac = elementwise("special.zetac(x, /)", samples=unary(1.5, 4.0))
