"""What elementwise operations say of themselves."""

from __future__ import annotations

# Name: a line, what is typed in for an example, what it shows.
TEXTS: dict[str, tuple[str, str, str]] = {
    "add": ("Sum of two arrays.", "ag.add(ag.asarray([1.0, 2.0]), 10.0)", "tensor([11., 12.])"),
    "subtract": ("Difference of two arrays.", "ag.subtract(ag.asarray([1.0, 2.0]), 10.0)", "tensor([-9., -8.])"),
    "multiply": (
        "Product of two arrays, element by element.",
        "ag.multiply(ag.asarray([1.0, 2.0]), 10.0)",
        "tensor([10., 20.])",
    ),
    "divide": (
        "Quotient of two arrays, element by element.",
        "ag.divide(ag.asarray([1.0, 2.0]), 10.0)",
        "tensor([0.1000, 0.2000])",
    ),
    "negative": ("Each element with its sign changed.", "ag.negative(ag.asarray([1.0, -2.0]))", "tensor([-1.,  2.])"),
    "positive": ("Each element as it is.", "ag.positive(ag.asarray([1.0, -2.0]))", "tensor([ 1., -2.])"),
    "reciprocal": ("One divided by each element.", "ag.reciprocal(ag.asarray([1.0, 4.0]))", "tensor([1.0000, 0.2500])"),
    "square": ("Square of each element.", "ag.square(ag.asarray([1.0, -2.0]))", "tensor([1., 4.])"),
    "sqrt": ("Square root of each element.", "ag.sqrt(ag.asarray([1.0, 4.0]))", "tensor([1., 2.])"),
    "pow": (
        "One array to the power of another, element by element.",
        "ag.pow(ag.asarray([1.0, 2.0, 3.0]), 2.0)",
        "tensor([1., 4., 9.])",
    ),
    "floor_divide": ("Quotient rounded down.", "ag.floor_divide(ag.asarray([7.0, -7.0]), 2.0)", "tensor([ 3., -4.])"),
    "remainder": (
        "Remainder of a division, with the sign of the divisor.",
        "ag.remainder(ag.asarray([7.0, -7.0]), 4.0)",
        "tensor([3., 1.])",
    ),
    "hypot": (
        "Square root of the sum of two squares, without overflow; its gradient at (0, 0) is 0.",
        "ag.hypot(ag.asarray([3.0, 5.0]), ag.asarray([4.0, 12.0]))",
        "tensor([ 5., 13.])",
    ),
    "exp": ("Exponential of each element.", "ag.exp(ag.asarray([0.0, 1.0]))", "tensor([1.0000, 2.7183])"),
    "expm1": (
        "``exp(x) - 1``, precise for small elements.",
        "ag.expm1(ag.asarray([0.0, 1.0]))",
        "tensor([0.0000, 1.7183])",
    ),
    "log": ("Natural logarithm of each element.", "ag.log(ag.asarray([1.0, 10.0]))", "tensor([0.0000, 2.3026])"),
    "log1p": (
        "``log(1 + x)``, precise for small elements.",
        "ag.log1p(ag.asarray([0.0, 1.0]))",
        "tensor([0.0000, 0.6931])",
    ),
    "log2": ("Logarithm of each element to base 2.", "ag.log2(ag.asarray([1.0, 8.0]))", "tensor([0., 3.])"),
    "log10": ("Logarithm of each element to base 10.", "ag.log10(ag.asarray([1.0, 100.0]))", "tensor([0., 2.])"),
    "logaddexp": (
        "``log(exp(x1) + exp(x2))``, without overflow.",
        "ag.logaddexp(ag.asarray([0.0, 1.0]), 0.0)",
        "tensor([0.6931, 1.3133])",
    ),
    "sin": ("Sine of each element.", "ag.sin(ag.asarray([0.0, 1.0]))", "tensor([0.0000, 0.8415])"),
    "cos": ("Cosine of each element.", "ag.cos(ag.asarray([0.0, 1.0]))", "tensor([1.0000, 0.5403])"),
    "tan": ("Tangent of each element.", "ag.tan(ag.asarray([0.0, 1.0]))", "tensor([0.0000, 1.5574])"),
    "sinh": ("Hyperbolic sine of each element.", "ag.sinh(ag.asarray([0.0, 1.0]))", "tensor([0.0000, 1.1752])"),
    "cosh": ("Hyperbolic cosine of each element.", "ag.cosh(ag.asarray([0.0, 1.0]))", "tensor([1.0000, 1.5431])"),
    "tanh": ("Hyperbolic tangent of each element.", "ag.tanh(ag.asarray([0.0, 1.0]))", "tensor([0.0000, 0.7616])"),
    "asin": ("Inverse sine of each element.", "ag.asin(ag.asarray([0.0, 1.0]))", "tensor([0.0000, 1.5708])"),
    "acos": ("Inverse cosine of each element.", "ag.acos(ag.asarray([0.0, 1.0]))", "tensor([1.5708, 0.0000])"),
    "atan": ("Inverse tangent of each element.", "ag.atan(ag.asarray([0.0, 1.0]))", "tensor([0.0000, 0.7854])"),
    "asinh": (
        "Inverse hyperbolic sine of each element.",
        "ag.asinh(ag.asarray([0.0, 1.0]))",
        "tensor([0.0000, 0.8814])",
    ),
    "acosh": (
        "Inverse hyperbolic cosine of each element.",
        "ag.acosh(ag.asarray([1.0, 2.0]))",
        "tensor([0.0000, 1.3170])",
    ),
    "atanh": (
        "Inverse hyperbolic tangent of each element.",
        "ag.atanh(ag.asarray([0.0, 0.5]))",
        "tensor([0.0000, 0.5493])",
    ),
    "atan2": (
        "Angle of the point ``(x2, x1)``, in the right quadrant.",
        "ag.atan2(ag.asarray([1.0, 1.0]), ag.asarray([1.0, -1.0]))",
        "tensor([0.7854, 2.3562])",
    ),
    "abs": (
        "Absolute value of each element; its gradient at 0 is 0.",
        "ag.abs(ag.asarray([1.0, -2.0]))",
        "tensor([1., 2.])",
    ),
    "sign": (
        "Sign of each element: -1, 0 or 1, for complex numbers ``x / abs(x)``.",
        "ag.sign(ag.asarray([3.0, 0.0, -2.0]))",
        "tensor([ 1.,  0., -1.])",
    ),
    "conj": ("Complex conjugate of each element.", "ag.conj(ag.asarray([1.0 + 2.0j]))", "tensor([1.-2.j])"),
    "real": ("Real part of each element.", "ag.real(ag.asarray([1.0 + 2.0j]))", "tensor([1.])"),
    "imag": ("Imaginary part of each element.", "ag.imag(ag.asarray([1.0 + 2.0j]))", "tensor([2.])"),
    "maximum": (
        "The larger of two elements; where they are equal, both get half of the gradient.",
        "ag.maximum(ag.asarray([1.0, 5.0]), 3.0)",
        "tensor([3., 5.])",
    ),
    "minimum": (
        "The smaller of two elements; where they are equal, both get half of the gradient.",
        "ag.minimum(ag.asarray([1.0, 5.0]), 3.0)",
        "tensor([1., 3.])",
    ),
    "bounded": (
        "Each element, or the bound that it exceeds; bounds are numbers.",
        "ag.bounded(ag.asarray([-1.0, 0.5, 2.0]), low=0.0, high=1.0)",
        "tensor([0.0000, 0.5000, 1.0000])",
    ),
    "clip": (
        "Each element, or the bound that it exceeds; bounds are numbers or arrays.",
        "ag.clip(ag.asarray([-1.0, 0.5, 2.0]), 0.0, 1.0)",
        "tensor([0.0000, 0.5000, 1.0000])",
    ),
    "copysign": (
        "Magnitude of one array with the sign of another.",
        "ag.copysign(ag.asarray([1.0, -2.0]), -1.0)",
        "tensor([-1., -2.])",
    ),
    "nextafter": (
        "Next number that can be represented, in the direction of the second array.",
        "ag.nextafter(ag.asarray([1.0]), 2.0) > 1.0",
        "tensor([True])",
    ),
    "ceil": ("Each element rounded up.", "ag.ceil(ag.asarray([1.2, -1.2]))", "tensor([ 2., -1.])"),
    "floor": ("Each element rounded down.", "ag.floor(ag.asarray([1.2, -1.2]))", "tensor([ 1., -2.])"),
    "trunc": ("Each element rounded towards 0.", "ag.trunc(ag.asarray([1.7, -1.7]))", "tensor([ 1., -1.])"),
    "round": (
        "Each element rounded to the nearest integer, halves to even ones.",
        "ag.round(ag.asarray([1.5, 2.5]))",
        "tensor([2., 2.])",
    ),
    "equal": (
        "Whether an element is equal to its counterpart.",
        "ag.equal(ag.asarray([1.0, 2.0, 3.0]), 2.0)",
        "tensor([False,  True, False])",
    ),
    "not_equal": (
        "Whether an element differs from its counterpart.",
        "ag.not_equal(ag.asarray([1.0, 2.0, 3.0]), 2.0)",
        "tensor([ True, False,  True])",
    ),
    "less": (
        "Whether an element is less than its counterpart.",
        "ag.less(ag.asarray([1.0, 2.0, 3.0]), 2.0)",
        "tensor([ True, False, False])",
    ),
    "less_equal": (
        "Whether an element is at most its counterpart.",
        "ag.less_equal(ag.asarray([1.0, 2.0, 3.0]), 2.0)",
        "tensor([ True,  True, False])",
    ),
    "greater": (
        "Whether an element is greater than its counterpart.",
        "ag.greater(ag.asarray([1.0, 2.0, 3.0]), 2.0)",
        "tensor([False, False,  True])",
    ),
    "greater_equal": (
        "Whether an element is at least its counterpart.",
        "ag.greater_equal(ag.asarray([1.0, 2.0, 3.0]), 2.0)",
        "tensor([False,  True,  True])",
    ),
    "isclose": (
        "Whether elements are equal within a tolerance.",
        "ag.isclose(ag.asarray([1.0, 2.0]), ag.asarray([1.0 + 1e-9, 2.1]))",
        "tensor([ True, False])",
    ),
    "isfinite": (
        "Whether each element is neither infinite nor NaN.",
        "ag.isfinite(ag.asarray([1.0, ag.inf, ag.nan]))",
        "tensor([ True, False, False])",
    ),
    "isinf": (
        "Whether each element is infinite.",
        "ag.isinf(ag.asarray([1.0, ag.inf, ag.nan]))",
        "tensor([False,  True, False])",
    ),
    "isnan": (
        "Whether each element is NaN.",
        "ag.isnan(ag.asarray([1.0, ag.inf, ag.nan]))",
        "tensor([False, False,  True])",
    ),
    "signbit": (
        "Whether the sign bit of each element is set, as that of -0.0 is.",
        "ag.signbit(ag.asarray([1.0, -0.0]))",
        "tensor([False,  True])",
    ),
    "bitwise_and": (
        "Bits that both elements have.",
        "ag.bitwise_and(ag.asarray([6, 3]), ag.asarray([3, 5]))",
        "tensor([2, 1])",
    ),
    "bitwise_or": (
        "Bits that one of the elements has.",
        "ag.bitwise_or(ag.asarray([6, 3]), ag.asarray([3, 5]))",
        "tensor([7, 7])",
    ),
    "bitwise_xor": (
        "Bits that one of the elements has and the other has not.",
        "ag.bitwise_xor(ag.asarray([6, 3]), ag.asarray([3, 5]))",
        "tensor([5, 6])",
    ),
    "bitwise_invert": (
        "Each element with its bits inverted.",
        "ag.bitwise_invert(ag.asarray([0, 1, 5]))",
        "tensor([-1, -2, -6])",
    ),
    "bitwise_left_shift": (
        "Each element with its bits moved to the left.",
        "ag.bitwise_left_shift(ag.asarray([1, 3]), 2)",
        "tensor([ 4, 12])",
    ),
    "bitwise_right_shift": (
        "Each element with its bits moved to the right.",
        "ag.bitwise_right_shift(ag.asarray([4, 12]), 2)",
        "tensor([1, 3])",
    ),
    "logical_and": (
        "Whether both elements are true.",
        "ag.logical_and(ag.asarray([True, True, False]), ag.asarray([True, False, False]))",
        "tensor([ True, False, False])",
    ),
    "logical_or": (
        "Whether one of the elements is true.",
        "ag.logical_or(ag.asarray([True, True, False]), ag.asarray([True, False, False]))",
        "tensor([ True,  True, False])",
    ),
    "logical_xor": (
        "Whether just one of the elements is true.",
        "ag.logical_xor(ag.asarray([True, True, False]), ag.asarray([True, False, False]))",
        "tensor([False,  True, False])",
    ),
    "logical_not": (
        "Whether each element is false.",
        "ag.logical_not(ag.asarray([True, False]))",
        "tensor([False,  True])",
    ),
    "where": (
        "Elements of one array where a condition holds, of another elsewhere.",
        "ag.where(ag.asarray([True, False]), ag.asarray([1.0, 2.0]), 0.0)",
        "tensor([1., 0.])",
    ),
    "defined_where": (
        "The array itself, which is meaningless unless a condition holds.",
        'ag.defined_where(ag.asarray([1.0, 2.0]), ag.asarray(True), reason="of rank 2")',
        "tensor([1., 2.])",
    ),
}
