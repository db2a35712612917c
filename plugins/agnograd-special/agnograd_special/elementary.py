"""Elementary functions that SciPy files under special ones: logistic, entropies, losses, Box and Cox, degrees."""

from __future__ import annotations

import math
from typing import Any

from agnograd.hookspecs import Sample, Uniform, elementwise

from agnograd_special.formulas import floating, is_complex, polynomial, several, unary

Array = Any

INF = math.inf
DEGREE = math.pi / 180

# -- exponentials and roots --------------------------------------------------------------------------------------------

exp2 = elementwise("special.exp2(x, /)", x=lambda xp, g, ans: g * (ans * math.log(2)), samples=unary(-2.0, 2.0))
exp10 = elementwise("special.exp10(x, /)", x=lambda xp, g, ans: g * (ans * math.log(10)), samples=unary(-1.0, 1.0))
cbrt = elementwise("special.cbrt(x, /)", x=lambda xp, g, ans: g / (3 * ans * ans), samples=unary(0.5, 2.0))


def _exprel_slope(xp: Any, x: Array, ans: Array) -> Array:
    # d/dx (e^x - 1)/x = (e^x - exprel(x))/x, and near 0 its power series.
    near = xp.abs(x) < 1
    far = xp.where(near, 1, x)
    series = polynomial([(k + 1) / math.factorial(k + 2) for k in range(20)], xp.where(near, x, 0))
    return xp.where(near, series, (xp.exp(far) - ans) / far)


exprel = elementwise(
    "special.exprel(x, /)",
    x=lambda xp, g, x, ans: g * _exprel_slope(xp, x, ans),
    samples=[*unary(-3.0, 3.0), Sample(([0.0, 1e-9],), gradient=([0.5, 0.5 + 1e-9 / 3],))],
)
expit = elementwise(
    "special.expit(x, /)",
    # Not 1 - expit(x), which has no digit left where x is large.
    x=lambda xp, g, x, ans: g * (ans * xp.special.expit(-x)),
    samples=unary(-2.0, 2.0),
)
log_expit = elementwise(
    "special.log_expit(x, /)", x=lambda xp, g, x: g * xp.special.expit(-x), samples=unary(-2.0, 2.0)
)
logit = elementwise("special.logit(x, /)", x=lambda xp, g, x: g / (x * (1 - x)), samples=unary(0.1, 0.9))

# -- trigonometric functions -------------------------------------------------------------------------------------------


def _sinc_slope(xp: Any, x: Array, ans: Array) -> Array:
    # d/dx sin(z)/z = pi (cos z - sin(z)/z)/z with z = pi x, and near 0 its power series, DLMF 10.53.1.
    z = math.pi * x
    near = xp.abs(z) < 1
    far, inside = xp.where(near, 1, z), xp.where(near, z, 0)
    terms = [(-1) ** k * (2 * k + 2) / math.factorial(2 * k + 3) for k in range(12)]
    return math.pi * xp.where(near, -inside * polynomial(terms, inside * inside), (xp.cos(far) - ans) / far)


sinc = elementwise(
    "special.sinc(x, /)",
    x=lambda xp, g, x, ans: g * _sinc_slope(xp, x, ans),
    samples=[*unary(-2.0, 2.0, complex_=True), Sample(([0.0],), gradient=([0.0],))],
)
cosm1 = elementwise("special.cosm1(x, /)", x=lambda xp, g, x: -(g * xp.sin(x)), samples=unary(-2.0, 2.0))
sindg = elementwise(
    "special.sindg(x, /)", x=lambda xp, g, x: g * (DEGREE * xp.special.cosdg(x)), samples=unary(-90.0, 90.0)
)
cosdg = elementwise(
    "special.cosdg(x, /)", x=lambda xp, g, x: -g * (DEGREE * xp.special.sindg(x)), samples=unary(-90.0, 90.0)
)
tandg = elementwise(
    "special.tandg(x, /)", x=lambda xp, g, ans: g * (DEGREE * (1 + ans * ans)), samples=unary(-40.0, 40.0)
)
cotdg = elementwise(
    "special.cotdg(x, /)", x=lambda xp, g, ans: -g * (DEGREE * (1 + ans * ans)), samples=unary(50.0, 130.0)
)
radian = elementwise(
    "special.radian(d, m, s, /)",
    d=lambda xp, g: g * DEGREE,
    m=lambda xp, g: g * (DEGREE / 60),
    s=lambda xp, g: g * (DEGREE / 3600),
    samples=several((1.0, 90.0), (1.0, 60.0), (1.0, 60.0)),
)

# -- logarithms that vanish with their factor --------------------------------------------------------------------------
# At x = 0 the functions are 0 whatever y: so is the derivative in y, and that in x where log(y) is not finite.


def _xlogy_factor(xp: Any, g: Array, x: Any, y: Any) -> Array:
    x, y = floating(xp, x, g), floating(xp, y, g)
    nothing = (x == 0) & ((y == 0) if is_complex(xp, y) else (y <= 0))
    return g * xp.where(nothing, 0, xp.log(xp.where(nothing, 1, y)))


def _xlog1py_factor(xp: Any, g: Array, x: Any, y: Any) -> Array:
    x, y = floating(xp, x, g), floating(xp, y, g)
    nothing = (x == 0) & ((y == -1) if is_complex(xp, y) else (y <= -1))
    return g * xp.where(nothing, 0, xp.log1p(xp.where(nothing, 0, y)))


def _ratio(xp: Any, x: Array, y: Array) -> Array:
    """X / y, and 0 for 0/0."""
    nothing = (x == 0) & (y == 0)
    return xp.where(nothing, 0, x / xp.where(nothing, 1, y))


_COMPLEX = [Sample((Uniform(0.5, 2.0, kind="complex"), Uniform(0.5, 2.0, kind="complex")))]

xlogy = elementwise(
    "special.xlogy(x, y, /)",
    x=_xlogy_factor,
    y=lambda xp, g, x, y: g * _ratio(xp, floating(xp, x, g), floating(xp, y, g)),
    samples=[
        *several((0.5, 2.0), (0.5, 2.0)),
        *_COMPLEX,
        Sample(([0.0, 0.0, 0.0], [0.0, -1.0, math.e]), gradient=([0.0, 0.0, 1.0], [0.0, 0.0, 0.0])),
    ],
)
xlog1py = elementwise(
    "special.xlog1py(x, y, /)",
    x=_xlog1py_factor,
    y=lambda xp, g, x, y: g * _ratio(xp, floating(xp, x, g), 1 + floating(xp, y, g)),
    samples=[
        *several((0.5, 2.0), (-0.5, 2.0)),
        *_COMPLEX,
        Sample(([0.0, 0.0, 0.0], [-1.0, -2.0, math.e - 1]), gradient=([0.0, 0.0, 1.0], [0.0, 0.0, 0.0])),
    ],
)

# -- entropies: 0 where they are infinite on a side, and the limit at its border ---------------------------------------


def _entr(xp: Any, g: Array, x: Array) -> Array:
    # -x log x
    inside = x > 0
    slope = -1 - xp.log(xp.where(inside, x, 1))
    return g * xp.where(inside, slope, xp.where(x == 0, INF, xp.zeros_like(x)))


entr = elementwise(
    "special.entr(x, /)",
    x=_entr,
    samples=[*unary(0.1, 2.0), Sample(([0.0, -1.0, 1.0],), gradient=([INF, 0.0, -1.0],))],
)


def _log_ratio(xp: Any, x: Array, y: Array, constant: float) -> Array:
    # log(x/y) + c, with its limit at x = 0 < y.
    inside = (x > 0) & (y > 0)
    ratio = xp.where(inside, x, 1) / xp.where(inside, y, 1)
    return xp.where(inside, constant + xp.log(ratio), xp.where((x == 0) & (y > 0), -INF, xp.zeros_like(ratio)))


def _minus_ratio(xp: Any, x: Array, y: Array, constant: float) -> Array:
    # c - x/y, and 0 where the function is infinite.
    inside = (x >= 0) & (y > 0)
    ratio = xp.where(inside, x, 0) / xp.where(inside, y, 1)
    return xp.where(inside | ((x == 0) & (y == 0)), constant - ratio, 0)


rel_entr = elementwise(
    "special.rel_entr(x, y, /)",
    x=lambda xp, g, x, y: g * _log_ratio(xp, floating(xp, x, g), floating(xp, y, g), 1),
    y=lambda xp, g, x, y: g * _minus_ratio(xp, floating(xp, x, g), floating(xp, y, g), 0),
    samples=[
        *several((0.1, 2.0), (0.1, 2.0)),
        Sample(([0.0, -1.0], [0.0, 1.0]), gradient=([0.0, 0.0], [0.0, 0.0])),
    ],
)
kl_div = elementwise(
    "special.kl_div(x, y, /)",
    x=lambda xp, g, x, y: g * _log_ratio(xp, floating(xp, x, g), floating(xp, y, g), 0),
    y=lambda xp, g, x, y: g * _minus_ratio(xp, floating(xp, x, g), floating(xp, y, g), 1),
    samples=[
        *several((0.1, 2.0), (0.1, 2.0)),
        Sample(([0.0, -1.0], [0.0, 1.0]), gradient=([0.0, 0.0], [1.0, 0.0])),
    ],
)

# -- losses ------------------------------------------------------------------------------------------------------------


def _huber_delta(xp: Any, g: Array, delta: Any, r: Any) -> Array:
    delta, r = floating(xp, delta, g), xp.abs(floating(xp, r, g))
    return g * xp.where(r <= delta, 0, r - delta)


def _huber_residual(xp: Any, g: Array, delta: Any, r: Any) -> Array:
    # r between -delta and delta, and these beyond.
    delta, r = floating(xp, delta, g), floating(xp, r, g)
    return g * xp.where(r < -delta, -delta, xp.where(r > delta, delta, r))


huber = elementwise(
    "special.huber(delta, r, /)",
    delta=_huber_delta,
    r=_huber_residual,
    samples=[
        *several((0.5, 1.0), (1.5, 2.0)),
        *several((1.5, 2.0), (-1.0, 1.0)),
        Sample(([1.0, 1.0], [1.0, -2.0]), gradient=([0.0, 1.0], [1.0, -1.0])),
    ],
)


def _pseudo_huber_delta(xp: Any, g: Array, delta: Any, r: Any) -> Array:
    # (h - delta)^2 / h with h = hypot(delta, r), without cancellation.
    delta, r = floating(xp, delta, g), floating(xp, r, g)
    h = xp.hypot(delta, r)
    h = xp.where(h == 0, 1, h)
    difference = r * (r / (h + delta))
    return g * (difference * (difference / h))


def _pseudo_huber_residual(xp: Any, g: Array, delta: Any, r: Any) -> Array:
    delta, r = floating(xp, delta, g), floating(xp, r, g)
    h = xp.hypot(delta, r)
    return g * (delta * (r / xp.where(h == 0, 1, h)))


pseudo_huber = elementwise(
    "special.pseudo_huber(delta, r, /)",
    delta=_pseudo_huber_delta,
    r=_pseudo_huber_residual,
    samples=[
        *several((0.5, 1.0), (-2.0, 2.0)),
        Sample(([0.0, 0.0, 1.0], [0.0, 2.0, 0.0]), gradient=([0.0, 2.0, 0.0], [0.0, 0.0, 0.0])),
    ],
)

# -- Box and Cox -------------------------------------------------------------------------------------------------------


def _power_slope(xp: Any, log_x: Array, lmbda: Array) -> Array:
    # d/dl (e^(l log x) - 1)/l = log(x)^2 exprel'(l log x)
    u = lmbda * log_x
    return log_x * log_x * _exprel_slope(xp, u, xp.special.exprel(u))


def _boxcox_lambda(xp: Any, g: Array, x: Any, lmbda: Any, ans: Array) -> Array:
    # At x = 0, -1/l has the derivative 1/l^2.
    x = floating(xp, x, g)
    zero = x == 0
    slope = _power_slope(xp, xp.log(xp.where(zero, 1, x)), floating(xp, lmbda, g))
    return g * xp.where(zero, ans * ans, slope)


def _boxcox1p_lambda(xp: Any, g: Array, x: Any, lmbda: Any, ans: Array) -> Array:
    x = floating(xp, x, g)
    zero = x == -1
    slope = _power_slope(xp, xp.log1p(xp.where(zero, 0, x)), floating(xp, lmbda, g))
    return g * xp.where(zero, ans * ans, slope)


boxcox = elementwise(
    "special.boxcox(x, lmbda, /)",
    x=lambda xp, g, x, lmbda: g * floating(xp, x, g) ** (lmbda - 1),
    lmbda=_boxcox_lambda,
    samples=[*several((0.5, 2.0), (-1.5, 1.5)), Sample(([math.e], [0.0]), gradient=([1 / math.e], [0.5]))],
)
boxcox1p = elementwise(
    "special.boxcox1p(x, lmbda, /)",
    x=lambda xp, g, x, lmbda: g * xp.exp((lmbda - 1) * xp.log1p(floating(xp, x, g))),
    lmbda=_boxcox1p_lambda,
    samples=[*several((-0.5, 2.0), (-1.5, 1.5)), Sample(([math.e - 1], [0.0]), gradient=([1 / math.e], [0.5]))],
)


def _root_slope(xp: Any, y: Array, lmbda: Array) -> Array:
    # d/dl log(1 + l y)/l = y^2 (1/(1+u) - log(1+u)/u)/u with u = l y, and near 0 its power series.
    u = lmbda * y
    near = xp.abs(u) < 0.1
    far, inside = xp.where(near, 1, u), xp.where(near, u, 0)
    series = polynomial([(-1) ** (k + 1) * (k + 1) / (k + 2) for k in range(20)], inside)
    return y * y * xp.where(near, series, (1 / (1 + far) - xp.log1p(far) / far) / far)


def _inv_boxcox_lambda(xp: Any, g: Array, y: Any, lmbda: Any, ans: Array) -> Array:
    return g * (ans * _root_slope(xp, floating(xp, y, g), floating(xp, lmbda, g)))


inv_boxcox = elementwise(
    "special.inv_boxcox(y, lmbda, /)",
    y=lambda xp, g, y, lmbda, ans: g * (ans / (1 + lmbda * y)),
    lmbda=_inv_boxcox_lambda,
    samples=[
        *several((0.5, 2.0), (0.5, 1.5)),
        *several((0.1, 0.2), (-0.4, 0.4)),
        Sample(([1.0], [0.0]), gradient=([math.e], [-math.e / 2])),
    ],
)
inv_boxcox1p = elementwise(
    "special.inv_boxcox1p(y, lmbda, /)",
    y=lambda xp, g, y, lmbda, ans: g * ((ans + 1) / (1 + lmbda * y)),
    lmbda=lambda xp, g, y, lmbda, ans: _inv_boxcox_lambda(xp, g, y, lmbda, ans + 1),
    samples=[
        *several((0.5, 2.0), (0.5, 1.5)),
        *several((0.1, 0.2), (-0.4, 0.4)),
        Sample(([1.0], [0.0]), gradient=([math.e], [-math.e / 2])),
    ],
)
