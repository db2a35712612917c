"""Elementary functions of many elements at once, compiled by Numba where NumPy computes one after the other.

NumPy has such loops for float64 on processors with AVX-512 and a few others; on the rest a hyperbolic tangent takes
seven times as long. These are the textbook methods, free of branches, so that LLVM turns them into vector code: the
argument is reduced by a multiple of log(2) or pi/2, of which the exponent or the quadrant is made, and a polynomial
does the rest. Coefficients of the logarithm, the sine and the cosine, and the parts of the constants, are those of
Sun's fdlibm; the exponential has its Taylor series. All are within 4 units in the last place of NumPy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np  # noqa: TID253 - this module is imported where programs are to run natively
from numba import njit

# Added to a number and taken away again, it leaves the nearest whole number; in between that is in the lowest bits.
_WHOLE = 6755399441055744.0
_WHOLE_BITS = 0x4338000000000000
_PER_LOG2 = 1.4426950408889634
# log(2) and pi/2 in parts, of which all but the last have so few bits that a multiple of them is exact.
_LOG2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)
_QUARTER = (
    1.57079632673412561417e00,
    6.07710050630396597660e-11,
    2.02226624871116645580e-21,
    8.47842766036889956997e-32,
)
_PER_QUARTER = 6.36619772367581382433e-01
# Beyond that many quarters a multiple of a part is not exact.
_FAR = 1.0e6

# Elements that are computed into an array of their own: where the result is written over the argument, LLVM would go
# through it one by one.
_PIECE = 512

_kernel = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
_part = njit(inline="always", error_model="numpy", fastmath={"contract"})


@_part  # type: ignore[untyped-decorator]
def _bits(x: float) -> Any:
    return np.float64(x).view(np.int64)


@_part  # type: ignore[untyped-decorator]
def _number(bits: int) -> Any:
    return np.int64(bits).view(np.float64)


@_part  # type: ignore[untyped-decorator]
def _less_one(r: float) -> float:
    """exp(r) - 1 for at most half of log(2)."""
    p = 1 / 6227020800
    p = p * r + 1 / 479001600
    p = p * r + 1 / 39916800
    p = p * r + 1 / 3628800
    p = p * r + 1 / 362880
    p = p * r + 1 / 40320
    p = p * r + 1 / 5040
    p = p * r + 1 / 720
    p = p * r + 1 / 120
    p = p * r + 1 / 24
    p = p * r + 1 / 6
    p = p * r + 1 / 2
    return p * (r * r) + r


@_part  # type: ignore[untyped-decorator]
def _exp(v: float) -> float:
    # In such a way that what is no number stays none.
    a = 710.0 if v > 710.0 else v  # noqa: FURB136
    a = -746.0 if a < -746.0 else a  # noqa: FURB136
    s = a * _PER_LOG2 + _WHOLE
    n = s - _WHOLE
    e = _less_one((a - n * _LOG2[0]) - n * _LOG2[1]) + 1.0
    k = _bits(s) - _WHOLE_BITS
    # In two steps: the power of two itself may be too large, or too small.
    half = k >> 1
    return e * _number((half + 1023) << 52) * _number((k - half + 1023) << 52)  # type: ignore[no-any-return]


@_kernel  # type: ignore[untyped-decorator]
def exp(x: Any, out: Any) -> None:
    """The exponential."""
    piece = np.empty(_PIECE)
    for start in range(0, x.size, _PIECE):
        own = x[start : start + _PIECE]
        for i in range(own.size):
            piece[i] = _exp(own[i])
        out[start : start + _PIECE] = piece[: own.size]


@_part  # type: ignore[untyped-decorator]
def _tanh(v: float) -> float:
    a = 40.0 if abs(v) > 20.0 else 2.0 * abs(v)
    s = a * _PER_LOG2 + _WHOLE
    n = s - _WHOLE
    power = _number((_bits(s) + 1023) << 52)
    e = power * _less_one((a - n * _LOG2[0]) - n * _LOG2[1]) + (power - 1.0)
    return math.copysign(e / (e + 2.0), v)


@_kernel  # type: ignore[untyped-decorator]
def tanh(x: Any, out: Any) -> None:
    """The hyperbolic tangent, from exp(2 |x|) - 1."""
    piece = np.empty(_PIECE)
    for start in range(0, x.size, _PIECE):
        own = x[start : start + _PIECE]
        for i in range(own.size):
            piece[i] = _tanh(own[i])
        out[start : start + _PIECE] = piece[: own.size]


@_part  # type: ignore[untyped-decorator]
def _log(v: float) -> float:
    small = v < 2.2250738585072014e-308
    bits = _bits(v * 18014398509481984.0 if small else v)
    # A power of two, and a number between the roots of 1/2 and 2.
    power = (bits - 0x3FE6A09E667F3BCD) >> 52
    f = _number(bits - (power << 52)) - 1.0
    n = _number(power + _WHOLE_BITS) - _WHOLE
    n = n - 54.0 if small else n
    s = f / (2.0 + f)
    z = s * s
    p = z * 1.479819860511658591e-01 + 1.531383769920937332e-01
    p = z * p + 1.818357216161805012e-01
    p = z * p + 2.222219843214978396e-01
    p = z * p + 2.857142874366239149e-01
    p = z * p + 3.999999999940941908e-01
    p = z * p + 6.666666666666735130e-01
    half = 0.5 * f * f
    y = n * _LOG2[0] - ((half - (s * (half + z * p) + n * _LOG2[1])) - f)
    y = y if v > 0.0 else (-np.inf if v == 0.0 else np.nan)
    return y if v < np.inf else v


@_kernel  # type: ignore[untyped-decorator]
def log(x: Any, out: Any) -> None:
    """The natural logarithm."""
    piece = np.empty(_PIECE)
    for start in range(0, x.size, _PIECE):
        own = x[start : start + _PIECE]
        for i in range(own.size):
            piece[i] = _log(own[i])
        out[start : start + _PIECE] = piece[: own.size]


@_part  # type: ignore[untyped-decorator]
def _turned(v: float, quarters: int) -> float:
    """sin(v + quarters pi/2)."""
    s = v * _PER_QUARTER + _WHOLE
    n = s - _WHOLE
    r = ((v - n * _QUARTER[0]) - n * _QUARTER[1]) - n * _QUARTER[2] - n * _QUARTER[3]
    z = r * r
    p = z * 1.58969099521155010221e-10 - 2.50507602534068634195e-08
    p = z * p + 2.75573137070700676789e-06
    p = z * p - 1.98412698298579493134e-04
    p = z * p + 8.33333333332248946124e-03
    p = z * p - 1.66666666666666324348e-01
    sine = r + r * (z * p)
    p = z * -1.13596475577881948265e-11 + 2.08757232129817482790e-09
    p = z * p - 2.75573143513906633035e-07
    p = z * p + 2.48015872894767294178e-05
    p = z * p - 1.38888888888741095749e-03
    p = z * p + 4.16666666666666019037e-02
    half = 0.5 * z
    one = 1.0 - half
    cosine = one + (((1.0 - one) - half) + z * z * p)
    quadrant = _bits(s) + quarters
    y = cosine if quadrant & 1 else sine
    return -y if quadrant & 2 else y


@_part  # type: ignore[untyped-decorator]
def _near(x: Any) -> bool:
    far = 0
    for i in range(x.size):
        far |= 0 if abs(x[i]) <= _FAR else 1
    return far == 0


@_kernel  # type: ignore[untyped-decorator]
def _sines(x: Any, out: Any, quarters: int) -> bool:
    if not _near(x):
        return False
    piece = np.empty(_PIECE)
    for start in range(0, x.size, _PIECE):
        own = x[start : start + _PIECE]
        for i in range(own.size):
            v = own[i]
            y = _turned(v, quarters)
            # Of a zero the sign is kept.
            piece[i] = v if v == 0.0 and quarters == 0 else y
        out[start : start + _PIECE] = piece[: own.size]
    return True


def sin(x: Any, out: Any) -> None:
    """The sine."""
    if not _sines(x, out, 0):
        np.sin(x, out)


def cos(x: Any, out: Any) -> None:
    """The cosine."""
    if not _sines(x, out, 1):
        np.cos(x, out)


# Each takes an array of float64 in one piece, and writes to another, or to the same.
KERNELS: dict[str, Callable[[Any, Any], None]] = {"exp": exp, "log": log, "tanh": tanh, "sin": sin, "cos": cos}
