"""NumPy's universal functions: those whose name is not the standard's, and those that the standard does not have."""

from __future__ import annotations

import functools
import math
from typing import Any

from agnograd.core.formulas import sign
from agnograd.interop.numpy_functions.registry import CONSTANTS, FUNCTIONS, Function

# Where only the name differs.
NAMES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "bitwise_not": "bitwise_invert",
    "conjugate": "conj",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "mod": "remainder",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
    "true_divide": "divide",
}

# Those that are not in NAMES and take no complex numbers, though what they are written with does.
REAL = frozenset(("cbrt", "deg2rad", "degrees", "fabs", "fmod", "heaviside", "rad2deg", "radians"))

# What a ufunc's method is in the table of functions.
REDUCTIONS = {
    "add": "sum",
    "logical_and": "all",
    "logical_or": "any",
    "maximum": "max",
    "minimum": "min",
    "multiply": "prod",
}
ACCUMULATIONS = {"add": "cumsum", "multiply": "cumprod"}


def _fmod(xp: Any, x1: Any, x2: Any) -> Any:
    # The remainder with the sign of the dividend, exact as that of the absolute values is.
    return xp.remainder(xp.abs(x1), xp.abs(x2)) * sign(xp, x1)


def _cbrt(xp: Any, x: Any) -> Any:
    return sign(xp, x) * xp.abs(x) ** (1 / 3)


def _fmax(xp: Any, x1: Any, x2: Any) -> Any:
    return xp.where(xp.isnan(x1), x2, xp.where(xp.isnan(x2), x1, xp.maximum(x1, x2)))


def _fmin(xp: Any, x1: Any, x2: Any) -> Any:
    return xp.where(xp.isnan(x1), x2, xp.where(xp.isnan(x2), x1, xp.minimum(x1, x2)))


def _heaviside(xp: Any, x1: Any, x2: Any) -> Any:
    step = xp.where(x1 < 0, xp.zeros_like(x1 * x2), xp.where(x1 == 0, x2, 1))
    return xp.where(xp.isnan(x1), x1, step)


def _float_power(xp: Any, x1: Any, x2: Any) -> Any:
    return xp.pow(*(_double(xp, x) for x in (x1, x2)))


def _double(xp: Any, x: Any) -> Any:
    return xp.astype(x, xp.complex128 if xp.isdtype(x.dtype, "complex floating") else xp.float64)


def _logaddexp2(xp: Any, x1: Any, x2: Any) -> Any:
    return xp.logaddexp(x1 * math.log(2), x2 * math.log(2)) / math.log(2)


def _matvec(xp: Any, x1: Any, x2: Any) -> Any:
    return xp.matmul(x1, x2[..., None])[..., 0]


def _vecmat(xp: Any, x1: Any, x2: Any) -> Any:
    return xp.matmul(xp.conj(x1)[..., None, :], x2)[..., 0, :]


UFUNCS: dict[str, Function] = {
    "cbrt": _cbrt,
    "deg2rad": lambda _, x: x * (math.pi / 180),
    "degrees": lambda _, x: x * (180 / math.pi),
    "divmod": lambda xp, x1, x2: (xp.floor_divide(x1, x2), xp.remainder(x1, x2)),
    "fabs": lambda xp, x: xp.abs(x),
    "exp2": lambda xp, x: xp.exp(x * math.log(2)),
    "float_power": _float_power,
    "fmax": _fmax,
    "fmin": _fmin,
    "fmod": _fmod,
    "heaviside": _heaviside,
    "ldexp": lambda _, x, i: x * 2.0**i,
    "logaddexp2": _logaddexp2,
    "matvec": _matvec,
    "modf": lambda xp, x: (x - xp.trunc(x), xp.trunc(x)),
    "rad2deg": lambda _, x: x * (180 / math.pi),
    "radians": lambda _, x: x * (math.pi / 180),
    "vecmat": _vecmat,
}


def _logsumexp(xp: Any, array: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return xp.logsumexp(array, axis=axis, keepdims=keepdims)


@functools.cache
def reduction(name: str) -> Function | None:
    """NumPy's function that a ufunc's ``reduce`` is, over the first axis by default."""
    function = _logsumexp if name == "logaddexp" else {**FUNCTIONS, **CONSTANTS}.get(REDUCTIONS.get(name, ""))
    if function is None:
        return None

    def reduce(xp: Any, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        if dtype is not None:
            options["dtype"] = dtype
        return function(xp, array, axis=axis, **options)

    return reduce


@functools.cache
def accumulation(name: str) -> Function | None:
    """The same for ``accumulate``."""
    function = FUNCTIONS.get(ACCUMULATIONS.get(name, ""))
    if function is None:
        return None

    def accumulate(xp: Any, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        return function(xp, array, axis, dtype)

    return accumulate
