"""Bessel functions, DLMF chapter 10. None has a derivative in its order."""

from __future__ import annotations

import math
from typing import Any

from agnograd.errors import MissingRuleError
from agnograd.hookspecs import Op, Sample, Uniform, elementwise

from agnograd_special.formulas import is_complex, order, polynomial, unary

Array = Any


def _sign(xp: Any, x: Array) -> Array:
    one = xp.ones_like(x)
    return xp.where(x > 0, one, xp.where(x < 0, -one, xp.zeros_like(x)))


# -- of orders 0 and 1 -------------------------------------------------------------------------------------------------
# J0 - J1/x and I0 - I1/x, DLMF 10.6.2 and 10.29.2; near 0, where these cancel, the series, DLMF 10.2.2 and 10.25.2.


def _first_order(xp: Any, x: Array, zeroth: Array, first: Array, sign: int) -> Array:
    """The derivative of J1 (`sign` -1) or I1 (1), times a factor that all of the arguments have."""
    near = xp.abs(x) < 1
    far = xp.where(near, 1, x)
    terms = [(2 * k + 1) * (sign / 4) ** k / (2 * math.factorial(k) * math.factorial(k + 1)) for k in range(14)]
    inside = xp.where(near, x, 0)
    return xp.where(near, polynomial(terms, inside * inside), zeroth - first / far)


def _i1e(xp: Any, g: Array, x: Array, ans: Array) -> Array:
    # The series is one of I1, without the factor exp(-|x|) that the others have.
    near = xp.abs(x) < 1
    slope = _first_order(xp, x, xp.special.i0e(x), ans, 1)
    return g * (slope * xp.where(near, xp.exp(-xp.abs(x)), 1) - _sign(xp, x) * ans)


j0 = elementwise("special.j0(x, /)", x=lambda xp, g, x: -g * xp.special.j1(x), samples=unary(-4.0, 4.0))
j1 = elementwise(
    "special.j1(x, /)",
    x=lambda xp, g, x, ans: g * _first_order(xp, x, xp.special.j0(x), ans, -1),
    samples=[*unary(-4.0, 4.0), Sample(([0.0],), gradient=([0.5],))],
)
y0 = elementwise("special.y0(x, /)", x=lambda xp, g, x: -g * xp.special.y1(x), samples=unary(0.5, 4.0))
y1 = elementwise("special.y1(x, /)", x=lambda xp, g, x, ans: g * (xp.special.y0(x) - ans / x), samples=unary(0.5, 4.0))
i0 = elementwise("special.i0(x, /)", x=lambda xp, g, x: g * xp.special.i1(x), samples=unary(-3.0, 3.0))
i1 = elementwise(
    "special.i1(x, /)",
    x=lambda xp, g, x, ans: g * _first_order(xp, x, xp.special.i0(x), ans, 1),
    samples=[*unary(-3.0, 3.0), Sample(([0.0],), gradient=([0.5],))],
)
# exp(-|x|) has a kink at 0, where the derivative is that of the other factor.
i0e = elementwise(
    "special.i0e(x, /)",
    x=lambda xp, g, x, ans: g * (xp.special.i1e(x) - _sign(xp, x) * ans),
    samples=[*unary(0.5, 3.0), *unary(-3.0, -0.5), Sample(([0.0],), gradient=([0.0],))],
)
i1e = elementwise(
    "special.i1e(x, /)",
    x=_i1e,
    samples=[*unary(0.5, 3.0), *unary(-3.0, -0.5), Sample(([0.0],), gradient=([0.5],))],
)
k0 = elementwise("special.k0(x, /)", x=lambda xp, g, x: -g * xp.special.k1(x), samples=unary(0.5, 3.0))
k1 = elementwise("special.k1(x, /)", x=lambda xp, g, x, ans: -g * (xp.special.k0(x) + ans / x), samples=unary(0.5, 3.0))
k0e = elementwise("special.k0e(x, /)", x=lambda xp, g, x, ans: g * (ans - xp.special.k1e(x)), samples=unary(0.5, 3.0))
k1e = elementwise(
    "special.k1e(x, /)",
    x=lambda xp, g, x, ans: g * (ans - xp.special.k0e(x) - ans / x),
    samples=unary(0.5, 3.0),
)

# -- of any order: DLMF 10.6.1 and 10.29.1 ---------------------------------------------------------------------------

_ORDERS = [0, 1, 2.5, [0, 1, 2]]
_COMPLEX = [Sample((1, Uniform(0.5, 2.0, kind="complex")))]


def _falling(name: str) -> Op:
    """J and Y: half the difference of the neighbouring orders."""

    def slope(xp: Any, g: Array, v: Any, x: Array) -> Array:
        f = getattr(xp.special, name)
        return g * ((f(v - 1, x) - f(v + 1, x)) / 2)

    orders = [*order(_ORDERS if name != "yn" else [0, 1, 3, [0, 1, 2]], 0.5, 4.0)]
    return elementwise(f"special.{name}(v, x, /)", x=slope, samples=orders if name == "yn" else [*orders, *_COMPLEX])


jv, jn, yv, yn = (_falling(name) for name in ("jv", "jn", "yv", "yn"))


def _rising(name: str, sign: int) -> Op:
    """I and K: half the sum of the neighbouring orders."""

    def slope(xp: Any, g: Array, v: Any, x: Array) -> Array:
        f = getattr(xp.special, name)
        return g * (sign * (f(v - 1, x) + f(v + 1, x)) / 2)

    return elementwise(f"special.{name}(v, x, /)", x=slope, samples=[*order(_ORDERS, 0.5, 3.0), *_COMPLEX])


iv, kv = _rising("iv", 1), _rising("kv", -1)


def _ive(xp: Any, g: Array, v: Any, x: Array, ans: Array) -> Array:
    if is_complex(xp, x):
        msg = "special.ive has no derivative at complex numbers: exp(-|re z|) is not holomorphic. Use special.iv."
        raise MissingRuleError(msg)
    ive = xp.special.ive
    return g * ((ive(v - 1, x) + ive(v + 1, x)) / 2 - _sign(xp, x) * ans)


def _kve(xp: Any, g: Array, v: Any, x: Array, ans: Array) -> Array:
    kve = xp.special.kve
    return g * (ans - (kve(v - 1, x) + kve(v + 1, x)) / 2)


ive = elementwise("special.ive(v, x, /)", x=_ive, samples=order(_ORDERS, 0.5, 3.0))
kve = elementwise("special.kve(v, x, /)", x=_kve, samples=[*order(_ORDERS, 0.5, 3.0), *_COMPLEX])
