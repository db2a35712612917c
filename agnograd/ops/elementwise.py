"""Elementwise functions.

Each rule is the partial derivative, or, where it names ``g``, the product of ``g`` and the partial. For complex numbers
the engine conjugates: the gradient of a real loss is the conjugate Wirtinger derivative. Formulas are those of
M. Abramowitz and I. A. Stegun, *Handbook of Mathematical Functions* (1964), chapter 4, unless they say otherwise.
"""

from __future__ import annotations

import math
import operator
from types import NoneType
from typing import Any

from agnograd.core.batching import elements
from agnograd.core.formulas import as_array, binary, edge, is_complex, nonzero, ratio, unary
from agnograd.core.formulas import sign as sign_of
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, elementwise, general, nondifferentiable

Array = Any

INF = math.inf

# The third quadrant, where principal values of a branch are easily confused.
_BEHIND = [Sample((Uniform(-2.0, -0.5, kind="complex"),))]

# -- arithmetic ------------------------------------------------------------------------------------------------------

add: Op = elementwise("add(x1, x2, /)", x1=1, x2=1, samples=binary())
subtract: Op = elementwise("subtract(x1, x2, /)", x1=1, x2=-1, samples=binary())
multiply: Op = elementwise(
    "multiply(x1, x2, /)",
    x1=lambda xp, g, x2: g * x2,
    x2=lambda xp, g, x1: g * x1,
    repeated=lambda xp, g, x1: g * x1,
    samples=binary(),
)
divide: Op = elementwise(
    "divide(x1, x2, /)",
    x1=lambda xp, g, x2: g / x2,
    x2=lambda xp, g, x2, ans: -(g * ans) / x2,
    samples=binary(0.5, 2.0),
)
negative: Op = elementwise("negative(x, /)", x=-1, samples=unary())
positive: Op = elementwise("positive(x, /)", x=1, samples=unary())
reciprocal: Op = elementwise(
    "reciprocal(x, /)", x=lambda xp, g, ans: -(g * ans) * ans, samples=[*unary(0.5, 2.0), *_BEHIND]
)
square: Op = elementwise("square(x, /)", x=lambda xp, g, x: (g + g) * x, samples=unary())
sqrt: Op = elementwise("sqrt(x, /)", x=lambda xp, g, ans: g / (ans + ans), samples=[*unary(0.5, 2.0), *_BEHIND])


def _pow_base(xp: Any, g: Array, x1: Any, x2: Any, ans: Array) -> Array:
    # n x^(n-1), and 0 where both are 0.
    if isinstance(x2, (int, float, complex)):
        if x2 == 0:
            return xp.zeros_like(g)
        return (g + g) * x1 if x2 == 2 else g * (x2 * x1 ** (x2 - 1))
    return g * (x2 * x1 ** xp.where((x1 == 0) & (x2 == 0), 1, x2 - 1))


def _pow_exponent(xp: Any, g: Array, x1: Any, x2: Array, ans: Array) -> Array:
    # x^n log x; at x = 0 the limit: 0 for n >= 0, -inf for n < 0.
    x1 = as_array(xp, x1, ans)
    zero = x1 == 0
    safe = xp.where(zero, 1, x1)
    if is_complex(xp, ans):
        # A real base may be negative.
        return g * xp.where(zero, 0, ans * xp.log(xp.astype(safe, ans.dtype)))
    return g * (ans * xp.where(zero & (x2 < 0), -1, xp.log(safe)))


pow: Op = elementwise(
    "pow(x1, x2, /)",
    x1=_pow_base,
    x2=_pow_exponent,
    samples=[
        *binary(0.5, 2.0),
        Sample((Uniform(), 2)),
        Sample((Uniform(), 3)),
        Sample((Uniform(-2.0, -0.5), -3)),
        Sample((Uniform(-2.0, -0.5, kind="complex"), Uniform())),
        Sample((Uniform(-2.0, -0.5), Uniform(kind="complex"))),
        edge([0.0, 0.0, 0.0], [0.0, 1.0, 2.0], gradient=([0.0, 1.0, 0.0], [0.0, 0.0, 0.0])),
        edge([0.0, 2.0], 0.0, gradient=([0.0, 0.0], None)),
        edge([0.0, 2.0], 1, gradient=([1.0, 1.0], None)),
    ],
)
floor_divide: Op = elementwise("floor_divide(x1, x2, /)", x1=0, x2=0, samples=binary(0.6, 0.9, complex_=False))
remainder: Op = elementwise(
    "remainder(x1, x2, /)",
    x1=1,
    x2=lambda xp, g, x1, x2: -(g * xp.floor_divide(x1, x2)),
    samples=[Sample((Uniform(2.2, 2.4), Uniform(0.9, 1.0))), Sample((Uniform(-0.4, -0.3, (2, 1)), Uniform(0.5, 0.9)))],
)
hypot: Op = elementwise(
    "hypot(x1, x2, /)",
    x1=lambda xp, g, x1, ans: g * ratio(xp, x1, ans),
    x2=lambda xp, g, x2, ans: g * ratio(xp, x2, ans),
    samples=[*binary(0.5, 2.0, complex_=False), edge([0.0, 3.0], [0.0, 4.0], gradient=([0.0, 0.6], [0.0, 0.8]))],
)

# -- exponentials and logarithms -------------------------------------------------------------------------------------

exp: Op = elementwise("exp(x, /)", x=lambda xp, g, ans: g * ans, samples=unary())
expm1: Op = elementwise("expm1(x, /)", x=lambda xp, g, ans: g * ans + g, samples=unary())
log: Op = elementwise("log(x, /)", x=lambda xp, g, x: g / x, samples=[*unary(0.5, 2.0), *_BEHIND])
log1p: Op = elementwise("log1p(x, /)", x=lambda xp, g, x: g / (x + 1), samples=unary(-0.5, 2.0))
log2: Op = elementwise("log2(x, /)", x=lambda xp, g, x: g / (x * math.log(2)), samples=[*unary(0.5, 2.0), *_BEHIND])
log10: Op = elementwise("log10(x, /)", x=lambda xp, g, x: g / (x * math.log(10)), samples=[*unary(0.5, 2.0), *_BEHIND])


def _share(xp: Any, x: Any, other: Any, ans: Array) -> Array:
    # exp(x - ans), with the limits where ans is infinite: all of it to an infinite argument, half to each of two.
    x, other = as_array(xp, x, ans), as_array(xp, other, ans)
    infinite = xp.isinf(ans) & (x == ans)
    share = xp.exp(xp.where(infinite, 0, x) - xp.where(infinite, 0, ans))
    return xp.where(infinite & (x == other), share / 2, share)


logaddexp: Op = elementwise(
    "logaddexp(x1, x2, /)",
    x1=lambda xp, x1, x2, ans: _share(xp, x1, x2, ans),
    x2=lambda xp, x1, x2, ans: _share(xp, x2, x1, ans),
    samples=[
        *binary(complex_=False),
        edge([-INF, INF, INF], [-INF, INF, 1.0], gradient=([0.5, 0.5, 1.0], [0.5, 0.5, 0.0])),
    ],
)

# -- trigonometric and hyperbolic functions --------------------------------------------------------------------------

sin: Op = elementwise("sin(x, /)", x=lambda xp, g, x: g * xp.cos(x), samples=unary())
cos: Op = elementwise("cos(x, /)", x=lambda xp, g, x: -(g * xp.sin(x)), samples=unary())
tan: Op = elementwise("tan(x, /)", x=lambda xp, g, ans: g + g * ans * ans, samples=unary(-1.0, 1.0))


def _one_minus_square(xp: Any, x: Any) -> Any:
    # Which side of a branch cut a number is on, the sign of a zero says. 1 - z^2 loses it: 0 - 0 is 0, whatever the 0.
    return -(x * x - 1) if is_complex(xp, x) else 1 - x * x


# Above and below a cut, as the sign of zero says, and the derivative above it.
_ABOVE_BELOW = [complex(2.0, 0.0), complex(2.0, -0.0)]
_SLOPE = 1j / math.sqrt(3)

asin: Op = elementwise(
    "asin(x, /)",
    x=lambda xp, g, x: g / xp.sqrt(_one_minus_square(xp, x)),
    samples=[*unary(-0.9, 0.9), edge(_ABOVE_BELOW, gradient=([-_SLOPE, _SLOPE],))],
)
acos: Op = elementwise(
    "acos(x, /)",
    x=lambda xp, g, x: -g / xp.sqrt(_one_minus_square(xp, x)),
    samples=[*unary(-0.9, 0.9), edge(_ABOVE_BELOW, gradient=([_SLOPE, -_SLOPE],))],
)
atan: Op = elementwise("atan(x, /)", x=lambda xp, g, x: g / (x * x + 1), samples=unary(-0.9, 0.9))
sinh: Op = elementwise("sinh(x, /)", x=lambda xp, g, x: g * xp.cosh(x), samples=unary())
cosh: Op = elementwise("cosh(x, /)", x=lambda xp, g, x: g * xp.sinh(x), samples=unary())
tanh: Op = elementwise("tanh(x, /)", x=lambda xp, g, ans: g - g * ans * ans, samples=unary(-1.0, 1.0))
# To subtract -1 keeps the sign of a zero, which to add 1 does not.
asinh: Op = elementwise(
    "asinh(x, /)",
    x=lambda xp, g, x: g / xp.sqrt(x * x - -1),
    samples=[*unary(-0.9, 0.9), edge([complex(0.0, 2.0), complex(-0.0, 2.0)], gradient=([_SLOPE, -_SLOPE],))],
)
acosh: Op = elementwise(
    "acosh(x, /)",
    # Not sqrt(x^2 - 1), which takes the wrong branch for complex x with a negative real part.
    x=lambda xp, g, x: g / (xp.sqrt(x - 1) * xp.sqrt(x - -1)),
    samples=[
        *unary(1.5, 3.0),
        *_BEHIND,
        edge([complex(-2.0, 0.0), complex(-2.0, -0.0)], gradient=([-(3**-0.5), -(3**-0.5)],)),
    ],
)
atanh: Op = elementwise("atanh(x, /)", x=lambda xp, g, x: g / (1 - x * x), samples=unary(-0.9, 0.9))


def _angle_part(xp: Any, g: Array, x: Any, x1: Any, x2: Any) -> Array:
    # x / (x1^2 + x2^2) without overflow of the squares; 0 at the origin.
    r = xp.hypot(x1, x2)
    return ratio(xp, ratio(xp, g * x, r), r)


atan2: Op = elementwise(
    "atan2(x1, x2, /)",
    x1=lambda xp, g, x1, x2: _angle_part(xp, g, x2, x1, x2),
    x2=lambda xp, g, x1, x2: -_angle_part(xp, g, x1, x1, x2),
    samples=[*binary(0.5, 2.0, complex_=False), edge([0.0, 1.0], [0.0, 1.0], gradient=([0.0, 0.5], [0.0, -0.5]))],
)

# -- signs, parts and bounds -----------------------------------------------------------------------------------------

abs: Op = general(
    "abs(x, /)",
    batch=elements,
    vjp={"x": lambda xp, g, x: g * sign_of(xp, x)},
    jvp={"x": lambda xp, t, x: xp.real(xp.conj(sign_of(xp, x)) * t)},
    samples=[
        *unary(0.5, 2.0),
        *unary(-2.0, -0.5),
        edge([0.0, -0.0], gradient=([0.0, 0.0],)),
        edge([0j], gradient=([0j],)),
    ],
)


def _sign_vjp(xp: Any, g: Array, x: Array, ans: Array) -> Array:
    # The derivative of z / |z| is a projection, symmetric as a real map; for real z it is zero.
    if not is_complex(xp, x):
        return xp.zeros_like(g)
    radius = xp.abs(x)
    return xp.where(radius == 0, 0, (g - ans * xp.real(xp.conj(ans) * g)) / nonzero(xp, radius))


sign: Op = general(
    "sign(x, /)",
    batch=elements,
    vjp={"x": _sign_vjp},
    jvp={"x": lambda xp, t, x, ans: _sign_vjp(xp, t, x, ans)},
    samples=[*unary(0.5, 2.0), edge([0.0, -1.0], gradient=([0.0, 0.0],)), edge([0j], gradient=([0j],))],
)
conj: Op = general(
    "conj(x, /)",
    batch=elements,
    body=lambda xp, x: xp.module.conj(x) if is_complex(xp, x) else xp.positive(x),
    vjp={"x": lambda xp, g: xp.conj(g)},
    jvp={"x": lambda xp, t: xp.conj(t)},
    samples=unary(),
)
real: Op = general(
    "real(x, /)",
    batch=elements,
    vjp={"x": lambda xp, g, x_spec: xp.astype(g, x_spec.dtype)},
    jvp={"x": lambda xp, t: xp.real(t)},
    samples=unary(),
)
imag: Op = general(
    "imag(x, /)",
    batch=elements,
    vjp={"x": lambda xp, g, x_spec: xp.astype(g, x_spec.dtype) * 1j},
    jvp={"x": lambda xp, t: xp.imag(t)},
    samples=[Sample((Uniform(kind="complex"),)), Sample((Uniform(shape=(2, 3), kind="complex"),))],
)


def _larger(xp: Any, g: Array, x: Any, other: Any) -> Array:
    # g where x is larger, half of it at a tie; a NaN compares with nothing and takes all of it.
    x, other = as_array(xp, x, g), as_array(xp, other, g)
    return xp.where(x < other, 0, xp.where(x == other, g / 2, g))


_TIES = ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])

maximum: Op = elementwise(
    "maximum(x1, x2, /)",
    x1=lambda xp, g, x1, x2: _larger(xp, g, x1, x2),
    x2=lambda xp, g, x1, x2: _larger(xp, g, x2, x1),
    samples=[
        *binary(complex_=False),
        edge(*_TIES, gradient=([0.0, 0.5, 1.0], [1.0, 0.5, 0.0])),
        edge([math.nan, 1.0], [1.0, math.nan], gradient=([1.0, 1.0], [1.0, 1.0])),
    ],
)
minimum: Op = elementwise(
    "minimum(x1, x2, /)",
    x1=lambda xp, g, x1, x2: _larger(xp, g, x2, x1),
    x2=lambda xp, g, x1, x2: _larger(xp, g, x1, x2),
    samples=[*binary(complex_=False), edge(*_TIES, gradient=([1.0, 0.5, 0.0], [0.0, 0.5, 1.0]))],
)


def _bounded(xp: Any, x: Array, /, *, low: Any = None, high: Any = None) -> Array:
    # Where the bounds cross, the upper one wins.
    if low is not None:
        x = xp.where(x < low, low, x)
    if high is not None:
        x = xp.where(x > high, high, x)
    return x


def _outside(x: Array, low: float | None, high: float | None) -> Array:
    if low is None or high is None:
        return x > high if low is None else x < low
    return (x < low) | (x > high)


bounded: Op = elementwise(
    "bounded(x, /, *, low=None, high=None)",
    body=_bounded,
    # The gradient is kept at the bounds.
    x=lambda xp, g, x, low, high: xp.where(_outside(x, low, high), 0, g),
    doc="clip to one number or between two: one operation, where bounds that are arrays take one each",
    samples=[
        *(Sample(s.arrays, {"low": -0.5, "high": 0.5}) for s in unary(complex_=False)),
        Sample((Uniform(),), {"low": 0.1}),
        Sample((Uniform(),), {"high": 0.1}),
        edge([0.0, 0.5, 1.0, 2.0], low=0.0, high=1.0, gradient=([1.0, 1.0, 1.0, 0.0],)),
        edge([0.5, 1.5, 3.0], low=2.0, high=1.0, gradient=([0.0, 0.0, 0.0],)),
    ],
)


def _clip(xp: Any, x: Array, /, min: Any = None, max: Any = None) -> Array:
    if min is None and max is None:
        return xp.positive(x)
    if isinstance(min, _NUMBER) and isinstance(max, _NUMBER):
        return xp.bounded(x, low=min, high=max)
    return _bounded(xp, x, low=min, high=max)


_NUMBER = (int, float, NoneType)

clip: Op = composite(
    "clip(x, /, min=None, max=None)",
    body=_clip,
    samples=[
        *(Sample(s.arrays, {"min": -0.5, "max": 0.5}) for s in unary(complex_=False)),
        edge([0.0, 0.5, 1.0, 2.0], min=0.0, max=1.0, gradient=([1.0, 1.0, 1.0, 0.0],)),
        Sample((Uniform(),), {"max": 0.1}),
        Sample((Uniform(),)),
    ],
)
copysign: Op = elementwise(
    "copysign(x1, x2, /)",
    x1=lambda xp, g, x1, ans: xp.where(x1 == 0, 0, xp.where(xp.signbit(x1) == xp.signbit(ans), g, -g)),
    x2=0,
    samples=[
        Sample((Uniform(0.5, 2.0), Uniform(0.5, 2.0))),
        Sample((Uniform(0.5, 2.0, (2, 1)), Uniform(-2.0, -0.5))),
        edge([0.0, 2.0], [-1.0, -1.0], gradient=([0.0, -1.0], [0.0, 0.0])),
    ],
)
nextafter: Op = elementwise(
    "nextafter(x1, x2, /)",
    x1=1,
    x2=0,
    samples=[Sample((Uniform(-1.0, -0.5), Uniform(0.5, 1.0)))],
)

# -- steps: zero by decision, and still connected --------------------------------------------------------------------

ceil: Op = elementwise("ceil(x, /)", x=0, samples=unary(0.1, 0.4, complex_=False))
floor: Op = elementwise("floor(x, /)", x=0, samples=unary(0.1, 0.4, complex_=False))
trunc: Op = elementwise("trunc(x, /)", x=0, samples=unary(0.1, 0.4, complex_=False))
round: Op = elementwise("round(x, /)", x=0, samples=unary(0.1, 0.4))

# -- no derivative ---------------------------------------------------------------------------------------------------

_COMPARED = [*binary(complex_=False), edge(*_TIES)]
_INTEGERS = [edge([6, 3, 5], [2, 1, 2]), edge([6, 3, 5], 1)]
_BOOLEANS = [edge([True, True, False], [True, False, False])]

equal: Op = nondifferentiable("equal(x1, x2, /)", batch=elements, samples=[*_COMPARED, edge([1j, 2.0], [1j, 2j])])
not_equal: Op = nondifferentiable(
    "not_equal(x1, x2, /)", batch=elements, samples=[*_COMPARED, edge([1j, 2.0], [1j, 2j])]
)
less: Op = nondifferentiable("less(x1, x2, /)", batch=elements, samples=_COMPARED)
less_equal: Op = nondifferentiable("less_equal(x1, x2, /)", batch=elements, samples=_COMPARED)
greater: Op = nondifferentiable("greater(x1, x2, /)", batch=elements, samples=_COMPARED)
greater_equal: Op = nondifferentiable("greater_equal(x1, x2, /)", batch=elements, samples=_COMPARED)


def _isclose(xp: Any, x1: Any, x2: Any, /, *, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    size = operator.abs(x2)  # which may be a Python number
    near = (operator.abs(x1 - x2) <= atol + rtol * size) & (size < INF)
    close = (x1 == x2) | near
    # A NaN differs from itself, also where it is a Python number.
    return close | ((x1 != x1) & (x2 != x2)) if equal_nan else close  # noqa: PLR0124


isclose: Op = nondifferentiable(
    "isclose(x1, x2, /, rtol=1e-05, atol=1e-08, equal_nan=False)",
    batch=elements,
    body=_isclose,
    doc="|x1 - x2| <= atol + rtol |x2|, as NumPy's function and array-api-extra's",
    samples=[
        *binary(),
        edge([1.0, 2.0, 0.0], [1.0 + 1e-9, 2.1, 1e-9]),
        edge([1.0, math.nan], [1.1, math.nan], rtol=0.2, equal_nan=True),
        edge([1.0, 2.0], 2.0, atol=0.5),
    ],
)
isfinite: Op = nondifferentiable("isfinite(x, /)", batch=elements, samples=[*unary(), edge([INF, math.nan, 1.0])])
isinf: Op = nondifferentiable("isinf(x, /)", batch=elements, samples=[*unary(), edge([INF, math.nan, 1.0])])
isnan: Op = nondifferentiable("isnan(x, /)", batch=elements, samples=[*unary(), edge([INF, math.nan, 1.0])])
signbit: Op = nondifferentiable("signbit(x, /)", batch=elements, samples=unary(complex_=False))
bitwise_and: Op = nondifferentiable("bitwise_and(x1, x2, /)", batch=elements, samples=[*_INTEGERS, *_BOOLEANS])
bitwise_or: Op = nondifferentiable("bitwise_or(x1, x2, /)", batch=elements, samples=[*_INTEGERS, *_BOOLEANS])
bitwise_xor: Op = nondifferentiable("bitwise_xor(x1, x2, /)", batch=elements, samples=[*_INTEGERS, *_BOOLEANS])
bitwise_invert: Op = nondifferentiable(
    "bitwise_invert(x, /)", batch=elements, samples=[edge([6, 3, 5]), edge([True, False])]
)
bitwise_left_shift: Op = nondifferentiable("bitwise_left_shift(x1, x2, /)", batch=elements, samples=_INTEGERS)
bitwise_right_shift: Op = nondifferentiable("bitwise_right_shift(x1, x2, /)", batch=elements, samples=_INTEGERS)
logical_and: Op = nondifferentiable("logical_and(x1, x2, /)", batch=elements, samples=_BOOLEANS)
logical_or: Op = nondifferentiable("logical_or(x1, x2, /)", batch=elements, samples=_BOOLEANS)
logical_xor: Op = nondifferentiable("logical_xor(x1, x2, /)", batch=elements, samples=_BOOLEANS)
logical_not: Op = nondifferentiable("logical_not(x, /)", batch=elements, samples=[edge([True, False])])
