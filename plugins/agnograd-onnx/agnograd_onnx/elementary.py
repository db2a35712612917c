"""Elementary functions in double precision, of which onnxruntime has few: exp, log, sin, sqrt and tanh.

For the others ndonnx goes over to single precision and warns. Here they are made of those few, so that a gradient is as
exact as NumPy's, but for the last digits near a zero of the cosine. In single precision they are onnxruntime's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import ndonnx as ndx

Array = Any

_LARGE = 20.0  # where exp(-2 * x) no longer counts beside 1
_LOG2 = math.log(2)


def _double(formula: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function that takes the formula in double precision only."""
    own = getattr(ndx, formula.__name__)

    @wraps(formula)
    def function(x: Array, /) -> Array:
        return formula(x) if x.dtype == ndx.float64 else own(x)

    return function


def _odd(formula: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """An odd function, from what it is for positive numbers."""

    @wraps(formula)
    def function(x: Array, /) -> Array:
        out = formula(ndx.abs(x))
        return ndx.where(x < 0, -out, out)

    return function


@_double
def cos(x: Array, /) -> Array:
    """``1 - 2 sin(x/2)**2``."""
    half = ndx.sin(x / 2)
    return 1 - 2 * half * half


@_double
def tan(x: Array, /) -> Array:
    """``sin / cos``."""
    return ndx.sin(x) / cos(x)


@_double
@_odd
def sinh(x: Array, /) -> Array:
    """From ``expm1``, which is exact near zero; the half of ``exp`` where the rest is too small."""
    e = expm1(x)
    return ndx.where(x > _LARGE, ndx.exp(x - _LOG2), (e + e / (e + 1)) / 2)


@_double
def cosh(x: Array, /) -> Array:
    """The mean of ``exp(x)`` and ``exp(-x)``."""
    x = ndx.abs(x)
    return ndx.where(x > _LARGE, ndx.exp(x - _LOG2), (ndx.exp(x) + ndx.exp(-x)) / 2)


@_double
@_odd
def asinh(x: Array, /) -> Array:
    """``log(x + sqrt(x**2 + 1))``, exact near zero."""
    square = x * x
    return ndx.where(x > 1e8, ndx.log(x) + _LOG2, log1p(x + square / (1 + ndx.sqrt(square + 1))))


@_double
def acosh(x: Array, /) -> Array:
    """``log(x + sqrt(x**2 - 1))``, exact near one."""
    rest = x - 1
    return log1p(rest + ndx.sqrt(rest) * ndx.sqrt(rest + 2))


@_double
@_odd
def atanh(x: Array, /) -> Array:
    """``log((1 + x) / (1 - x)) / 2``, exact near zero."""
    return log1p(2 * x / (1 - x)) / 2


@_double
@_odd
def atan(x: Array, /) -> Array:
    """The angle in single precision, turned by what is missing: ``tan(a - b)`` from the tangents of both.

    What is missing is below 1e-7, where the tangent is the angle.
    """
    beyond = x > 1
    x = ndx.where(beyond, 1 / x, x)
    angle = ndx.astype(ndx.atan(ndx.astype(x, ndx.float32)), ndx.float64)
    s, c = ndx.sin(angle), cos(angle)
    angle = angle + (x * c - s) / (c + x * s)
    return ndx.where(beyond, math.pi / 2 - angle, angle)


@_double
def asin(x: Array, /) -> Array:
    """The angle whose tangent is ``x / sqrt(1 - x**2)``."""
    return atan(x / ndx.sqrt((1 - x) * (1 + x)))


@_double
def acos(x: Array, /) -> Array:
    """Twice the angle whose tangent is ``sqrt((1 - x) / (1 + x))``."""
    return 2 * atan(ndx.sqrt((1 - x) / (1 + x)))


def log1p(x: Array, /) -> Array:
    """``log(1 + x)``, exact near zero: Kahan's way to divide out the rounding of ``1 + x``."""
    u = 1 + x
    return ndx.where((u == 1) | (u == math.inf), x, ndx.log(u) * (x / (u - 1)))


def expm1(x: Array, /) -> Array:
    """``exp(x) - 1``, exact near zero: Kahan's way to divide out the rounding of ``exp(x)``."""
    u = ndx.exp(x)
    rest = u - 1
    outside = (u == math.inf) | (rest == -1)
    return ndx.where(u == 1, x, ndx.where(outside, rest, rest * (x / ndx.log(u))))


# -- functions of two numbers, and of signs ----------------------------------------------------------------------------


def signbit(x: Array, /) -> Array:
    """Whether a number is negative or a negative zero; the sign of a NaN cannot be seen."""
    return (x < 0) | ((x == 0) & (1 / x < 0))


def copysign(x1: Array, x2: Array, /) -> Array:
    """The magnitude of `x1` with the sign of `x2`."""
    # A product, because ONNX's negative of zero is zero.
    return ndx.abs(x1) * ndx.where(signbit(x2), ndx.asarray(-1, dtype=x1.dtype), 1)


def hypot(x1: Array, x2: Array, /) -> Array:
    """``sqrt(x1**2 + x2**2)`` without a square that overflows; infinite beside NaN, too."""
    x1, x2 = ndx.abs(x1), ndx.abs(x2)
    first = x1 > x2
    large, small = ndx.where(first, x1, x2), ndx.where(first, x2, x1)
    ratio = ndx.where(large == 0, small, small / large)
    out = large * ndx.sqrt(1 + ratio * ratio)
    return ndx.where((x1 == math.inf) | (x2 == math.inf), math.inf, out)


def atan2(x1: Array, x2: Array, /) -> Array:
    """The angle of a point, with the signs of zeros and infinities."""
    rise, run = ndx.abs(x1), ndx.abs(x2)
    # Of two zeros the slope is zero, of two infinities one.
    slope = ndx.where(rise == 0, rise, ndx.where((rise == math.inf) & (run == math.inf), 1.0, rise / run))
    slope = ndx.where(ndx.isnan(x2), x2, slope)
    angle = atan(slope)
    return copysign(ndx.where(signbit(x2), math.pi - angle, angle), x1)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(cos, tan, sinh, cosh, asinh, acosh, atanh, atan, asin, acos, log1p, expm1),
        *(signbit, copysign, hypot, atan2),
    )
}
