"""What is made when agnograd is imported: functions of operations, and methods of tensors.

Written by `python scripts/signatures.py` from the table of operations; do not edit. There is no module of this name
when a program runs. A function of tensors gives tensors, one of a backend's arrays gives arrays of that backend.
"""

import builtins
from collections.abc import Sequence
from typing import Any, Generic, Literal, NamedTuple, Protocol, Self, TypeVar, overload

from agnograd.tensors import Tensor

class _HasDtype(Protocol):
    @property
    def dtype(self) -> Any: ...

_A = TypeVar("_A", bound=_HasDtype)
_T = TypeVar("_T")
_Axes = int | tuple[int, ...]
_Norm = Literal["backward", "ortho", "forward"]

class Eig(NamedTuple, Generic[_T]):
    eigenvalues: _T
    eigenvectors: _T

class Eigh(NamedTuple, Generic[_T]):
    eigenvalues: _T
    eigenvectors: _T

class QR(NamedTuple, Generic[_T]):
    Q: _T
    R: _T

class Slogdet(NamedTuple, Generic[_T]):
    sign: _T
    logabsdet: _T

class SVD(NamedTuple, Generic[_T]):
    U: _T
    S: _T
    Vh: _T

class UniqueAll(NamedTuple, Generic[_T]):
    values: _T
    indices: _T
    inverse_indices: _T
    counts: _T

class UniqueCounts(NamedTuple, Generic[_T]):
    values: _T
    counts: _T

class UniqueInverse(NamedTuple, Generic[_T]):
    values: _T
    inverse_indices: _T

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "bounded",
    "broadcast_arrays",
    "broadcast_to",
    "ceil",
    "cholesky_pullback",
    "clip",
    "clone",
    "cofactors",
    "concat",
    "conj",
    "contract",
    "copysign",
    "cos",
    "cosh",
    "count_nonzero",
    "cumulative_prod",
    "cumulative_sum",
    "defined_where",
    "diagonal_matrix",
    "diff",
    "divide",
    "einsum",
    "embed",
    "embed_all",
    "equal",
    "exp",
    "expand_dims",
    "expm1",
    "flip",
    "floor",
    "floor_divide",
    "full_like",
    "getitem",
    "greater",
    "greater_equal",
    "hypot",
    "imag",
    "isclose",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_softmax",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "negative",
    "nextafter",
    "nonzero",
    "norm",
    "not_equal",
    "ones_like",
    "pad",
    "permute_dims",
    "positive",
    "pow",
    "prod",
    "real",
    "rechunk",
    "reciprocal",
    "remainder",
    "repeat",
    "reshape",
    "roll",
    "round",
    "scatter_add",
    "searchsorted",
    "setitem",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "softmax",
    "solve_triangular",
    "sort",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "to_device",
    "tril",
    "triu",
    "trunc",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unstack",
    "var",
    "vecdot",
    "where",
    "zeros_like",
]

@overload
def add(x1: Tensor, x2: Any, /) -> Tensor:
    """Sum of two arrays.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.add(ag.asarray([1.0, 2.0]), 10.0)
    tensor([11., 12.])
    """

@overload
def add(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def add(x1: Any, x2: Any, /) -> Any: ...
@overload
def subtract(x1: Tensor, x2: Any, /) -> Tensor:
    """Difference of two arrays.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.subtract(ag.asarray([1.0, 2.0]), 10.0)
    tensor([-9., -8.])
    """

@overload
def subtract(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def subtract(x1: Any, x2: Any, /) -> Any: ...
@overload
def multiply(x1: Tensor, x2: Any, /) -> Tensor:
    """Product of two arrays, element by element.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.multiply(ag.asarray([1.0, 2.0]), 10.0)
    tensor([10., 20.])
    """

@overload
def multiply(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def multiply(x1: Any, x2: Any, /) -> Any: ...
@overload
def divide(x1: Tensor, x2: Any, /) -> Tensor:
    """Quotient of two arrays, element by element.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.divide(ag.asarray([1.0, 2.0]), 10.0)
    tensor([0.1000, 0.2000])
    """

@overload
def divide(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def divide(x1: Any, x2: Any, /) -> Any: ...
@overload
def negative(x: _A, /) -> _A:
    """Each element with its sign changed.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.negative(ag.asarray([1.0, -2.0]))
    tensor([-1.,  2.])
    """

@overload
def negative(x: Any, /) -> Any: ...
@overload
def positive(x: _A, /) -> _A:
    """Each element as it is.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.positive(ag.asarray([1.0, -2.0]))
    tensor([ 1., -2.])
    """

@overload
def positive(x: Any, /) -> Any: ...
@overload
def reciprocal(x: _A, /) -> _A:
    """One divided by each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.reciprocal(ag.asarray([1.0, 4.0]))
    tensor([1.0000, 0.2500])
    """

@overload
def reciprocal(x: Any, /) -> Any: ...
@overload
def square(x: _A, /) -> _A:
    """Square of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.square(ag.asarray([1.0, -2.0]))
    tensor([1., 4.])
    """

@overload
def square(x: Any, /) -> Any: ...
@overload
def sqrt(x: _A, /) -> _A:
    """Square root of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.sqrt(ag.asarray([1.0, 4.0]))
    tensor([1., 2.])
    """

@overload
def sqrt(x: Any, /) -> Any: ...
@overload
def pow(x1: Tensor, x2: Any, /) -> Tensor:
    """One array to the power of another, element by element.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.pow(ag.asarray([1.0, 2.0, 3.0]), 2.0)
    tensor([1., 4., 9.])
    """

@overload
def pow(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def pow(x1: Any, x2: Any, /) -> Any: ...
@overload
def floor_divide(x1: Tensor, x2: Any, /) -> Tensor:
    """Quotient rounded down.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.floor_divide(ag.asarray([7.0, -7.0]), 2.0)
    tensor([ 3., -4.])
    """

@overload
def floor_divide(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def floor_divide(x1: Any, x2: Any, /) -> Any: ...
@overload
def remainder(x1: Tensor, x2: Any, /) -> Tensor:
    """Remainder of a division, with the sign of the divisor.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.remainder(ag.asarray([7.0, -7.0]), 4.0)
    tensor([3., 1.])
    """

@overload
def remainder(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def remainder(x1: Any, x2: Any, /) -> Any: ...
@overload
def hypot(x1: Tensor, x2: Any, /) -> Tensor:
    """Square root of the sum of two squares, without overflow; its gradient at (0, 0) is 0.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.hypot(ag.asarray([3.0, 5.0]), ag.asarray([4.0, 12.0]))
    tensor([ 5., 13.])
    """

@overload
def hypot(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def hypot(x1: Any, x2: Any, /) -> Any: ...
@overload
def exp(x: _A, /) -> _A:
    """Exponential of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.exp(ag.asarray([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """

@overload
def exp(x: Any, /) -> Any: ...
@overload
def expm1(x: _A, /) -> _A:
    """``exp(x) - 1``, precise for small elements.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.expm1(ag.asarray([0.0, 1.0]))
    tensor([0.0000, 1.7183])
    """

@overload
def expm1(x: Any, /) -> Any: ...
@overload
def log(x: _A, /) -> _A:
    """Natural logarithm of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.log(ag.asarray([1.0, 10.0]))
    tensor([0.0000, 2.3026])
    """

@overload
def log(x: Any, /) -> Any: ...
@overload
def log1p(x: _A, /) -> _A:
    """``log(1 + x)``, precise for small elements.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.log1p(ag.asarray([0.0, 1.0]))
    tensor([0.0000, 0.6931])
    """

@overload
def log1p(x: Any, /) -> Any: ...
@overload
def log2(x: _A, /) -> _A:
    """Logarithm of each element to base 2.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.log2(ag.asarray([1.0, 8.0]))
    tensor([0., 3.])
    """

@overload
def log2(x: Any, /) -> Any: ...
@overload
def log10(x: _A, /) -> _A:
    """Logarithm of each element to base 10.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.log10(ag.asarray([1.0, 100.0]))
    tensor([0., 2.])
    """

@overload
def log10(x: Any, /) -> Any: ...
@overload
def logaddexp(x1: Tensor, x2: Any, /) -> Tensor:
    """``log(exp(x1) + exp(x2))``, without overflow.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.logaddexp(ag.asarray([0.0, 1.0]), 0.0)
    tensor([0.6931, 1.3133])
    """

@overload
def logaddexp(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def logaddexp(x1: Any, x2: Any, /) -> Any: ...
@overload
def sin(x: _A, /) -> _A:
    """Sine of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.sin(ag.asarray([0.0, 1.0]))
    tensor([0.0000, 0.8415])
    """

@overload
def sin(x: Any, /) -> Any: ...
@overload
def cos(x: _A, /) -> _A:
    """Cosine of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.cos(ag.asarray([0.0, 1.0]))
    tensor([1.0000, 0.5403])
    """

@overload
def cos(x: Any, /) -> Any: ...
@overload
def tan(x: _A, /) -> _A:
    """Tangent of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.tan(ag.asarray([0.0, 1.0]))
    tensor([0.0000, 1.5574])
    """

@overload
def tan(x: Any, /) -> Any: ...
@overload
def asin(x: _A, /) -> _A:
    """Inverse sine of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.asin(ag.asarray([0.0, 1.0]))
    tensor([0.0000, 1.5708])
    """

@overload
def asin(x: Any, /) -> Any: ...
@overload
def acos(x: _A, /) -> _A:
    """Inverse cosine of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.acos(ag.asarray([0.0, 1.0]))
    tensor([1.5708, 0.0000])
    """

@overload
def acos(x: Any, /) -> Any: ...
@overload
def atan(x: _A, /) -> _A:
    """Inverse tangent of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.atan(ag.asarray([0.0, 1.0]))
    tensor([0.0000, 0.7854])
    """

@overload
def atan(x: Any, /) -> Any: ...
@overload
def sinh(x: _A, /) -> _A:
    """Hyperbolic sine of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.sinh(ag.asarray([0.0, 1.0]))
    tensor([0.0000, 1.1752])
    """

@overload
def sinh(x: Any, /) -> Any: ...
@overload
def cosh(x: _A, /) -> _A:
    """Hyperbolic cosine of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.cosh(ag.asarray([0.0, 1.0]))
    tensor([1.0000, 1.5431])
    """

@overload
def cosh(x: Any, /) -> Any: ...
@overload
def tanh(x: _A, /) -> _A:
    """Hyperbolic tangent of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.tanh(ag.asarray([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """

@overload
def tanh(x: Any, /) -> Any: ...
@overload
def asinh(x: _A, /) -> _A:
    """Inverse hyperbolic sine of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.asinh(ag.asarray([0.0, 1.0]))
    tensor([0.0000, 0.8814])
    """

@overload
def asinh(x: Any, /) -> Any: ...
@overload
def acosh(x: _A, /) -> _A:
    """Inverse hyperbolic cosine of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.acosh(ag.asarray([1.0, 2.0]))
    tensor([0.0000, 1.3170])
    """

@overload
def acosh(x: Any, /) -> Any: ...
@overload
def atanh(x: _A, /) -> _A:
    """Inverse hyperbolic tangent of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.atanh(ag.asarray([0.0, 0.5]))
    tensor([0.0000, 0.5493])
    """

@overload
def atanh(x: Any, /) -> Any: ...
@overload
def atan2(x1: Tensor, x2: Any, /) -> Tensor:
    """Angle of the point ``(x2, x1)``, in the right quadrant.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.atan2(ag.asarray([1.0, 1.0]), ag.asarray([1.0, -1.0]))
    tensor([0.7854, 2.3562])
    """

@overload
def atan2(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def atan2(x1: Any, x2: Any, /) -> Any: ...
@overload
def abs(x: _A, /) -> _A:
    """Absolute value of each element; its gradient at 0 is 0.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.abs(ag.asarray([1.0, -2.0]))
    tensor([1., 2.])
    """

@overload
def abs(x: Any, /) -> Any: ...
@overload
def sign(x: _A, /) -> _A:
    """Sign of each element: -1, 0 or 1, for complex numbers ``x / abs(x)``.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.sign(ag.asarray([3.0, 0.0, -2.0]))
    tensor([ 1.,  0., -1.])
    """

@overload
def sign(x: Any, /) -> Any: ...
@overload
def conj(x: _A, /) -> _A:
    """Complex conjugate of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.conj(ag.asarray([1.0 + 2.0j]))
    tensor([1.-2.j])
    """

@overload
def conj(x: Any, /) -> Any: ...
@overload
def real(x: _A, /) -> _A:
    """Real part of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.real(ag.asarray([1.0 + 2.0j]))
    tensor([1.])
    """

@overload
def real(x: Any, /) -> Any: ...
@overload
def imag(x: _A, /) -> _A:
    """Imaginary part of each element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.imag(ag.asarray([1.0 + 2.0j]))
    tensor([2.])
    """

@overload
def imag(x: Any, /) -> Any: ...
@overload
def maximum(x1: Tensor, x2: Any, /) -> Tensor:
    """The larger of two elements; where they are equal, both get half of the gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.maximum(ag.asarray([1.0, 5.0]), 3.0)
    tensor([3., 5.])
    """

@overload
def maximum(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def maximum(x1: Any, x2: Any, /) -> Any: ...
@overload
def minimum(x1: Tensor, x2: Any, /) -> Tensor:
    """The smaller of two elements; where they are equal, both get half of the gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.minimum(ag.asarray([1.0, 5.0]), 3.0)
    tensor([1., 3.])
    """

@overload
def minimum(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def minimum(x1: Any, x2: Any, /) -> Any: ...
@overload
def bounded(x: _A, /, *, low: float | None = None, high: float | None = None) -> _A:
    """Each element, or the bound that it exceeds; bounds are numbers.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    low : number, optional
        The lower bound.
    high : number, optional
        The upper bound.

    Returns
    -------
    Tensor or array

    Notes
    -----
    clip to one number or between two: one operation, where bounds that are arrays take one each

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.bounded(ag.asarray([-1.0, 0.5, 2.0]), low=0.0, high=1.0)
    tensor([0.0000, 0.5000, 1.0000])
    """

@overload
def bounded(x: Any, /, *, low: float | None = None, high: float | None = None) -> Any: ...
@overload
def clip(x: _A, /, min: Any = None, max: Any = None) -> _A:
    """Each element, or the bound that it exceeds; bounds are numbers or arrays.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    min : number or array, optional
        The lower bound.
    max : number or array, optional
        The upper bound.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.clip(ag.asarray([-1.0, 0.5, 2.0]), 0.0, 1.0)
    tensor([0.0000, 0.5000, 1.0000])
    """

@overload
def clip(x: Any, /, min: Any = None, max: Any = None) -> Any: ...
@overload
def copysign(x1: Tensor, x2: Any, /) -> Tensor:
    """Magnitude of one array with the sign of another.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.copysign(ag.asarray([1.0, -2.0]), -1.0)
    tensor([-1., -2.])
    """

@overload
def copysign(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def copysign(x1: Any, x2: Any, /) -> Any: ...
@overload
def nextafter(x1: Tensor, x2: Any, /) -> Tensor:
    """Next number that can be represented, in the direction of the second array.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.nextafter(ag.asarray([1.0]), 2.0) > 1.0
    tensor([True])
    """

@overload
def nextafter(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def nextafter(x1: Any, x2: Any, /) -> Any: ...
@overload
def ceil(x: _A, /) -> _A:
    """Each element rounded up.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.ceil(ag.asarray([1.2, -1.2]))
    tensor([ 2., -1.])
    """

@overload
def ceil(x: Any, /) -> Any: ...
@overload
def floor(x: _A, /) -> _A:
    """Each element rounded down.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.floor(ag.asarray([1.2, -1.2]))
    tensor([ 1., -2.])
    """

@overload
def floor(x: Any, /) -> Any: ...
@overload
def trunc(x: _A, /) -> _A:
    """Each element rounded towards 0.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.trunc(ag.asarray([1.7, -1.7]))
    tensor([ 1., -1.])
    """

@overload
def trunc(x: Any, /) -> Any: ...
@overload
def round(x: _A, /) -> _A:
    """Each element rounded to the nearest integer, halves to even ones.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.round(ag.asarray([1.5, 2.5]))
    tensor([2., 2.])
    """

@overload
def round(x: Any, /) -> Any: ...
@overload
def equal(x1: Tensor, x2: Any, /) -> Tensor:
    """Whether an element is equal to its counterpart.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.equal(ag.asarray([1.0, 2.0, 3.0]), 2.0)
    tensor([False,  True, False])
    """

@overload
def equal(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def equal(x1: Any, x2: Any, /) -> Any: ...
@overload
def not_equal(x1: Tensor, x2: Any, /) -> Tensor:
    """Whether an element differs from its counterpart.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.not_equal(ag.asarray([1.0, 2.0, 3.0]), 2.0)
    tensor([ True, False,  True])
    """

@overload
def not_equal(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def not_equal(x1: Any, x2: Any, /) -> Any: ...
@overload
def less(x1: Tensor, x2: Any, /) -> Tensor:
    """Whether an element is less than its counterpart.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.less(ag.asarray([1.0, 2.0, 3.0]), 2.0)
    tensor([ True, False, False])
    """

@overload
def less(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def less(x1: Any, x2: Any, /) -> Any: ...
@overload
def less_equal(x1: Tensor, x2: Any, /) -> Tensor:
    """Whether an element is at most its counterpart.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.less_equal(ag.asarray([1.0, 2.0, 3.0]), 2.0)
    tensor([ True,  True, False])
    """

@overload
def less_equal(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def less_equal(x1: Any, x2: Any, /) -> Any: ...
@overload
def greater(x1: Tensor, x2: Any, /) -> Tensor:
    """Whether an element is greater than its counterpart.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.greater(ag.asarray([1.0, 2.0, 3.0]), 2.0)
    tensor([False, False,  True])
    """

@overload
def greater(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def greater(x1: Any, x2: Any, /) -> Any: ...
@overload
def greater_equal(x1: Tensor, x2: Any, /) -> Tensor:
    """Whether an element is at least its counterpart.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.greater_equal(ag.asarray([1.0, 2.0, 3.0]), 2.0)
    tensor([False,  True,  True])
    """

@overload
def greater_equal(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def greater_equal(x1: Any, x2: Any, /) -> Any: ...
@overload
def isclose(
    x1: Tensor, x2: Any, /, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: builtins.bool = False
) -> Tensor:
    """Whether elements are equal within a tolerance.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.
    rtol : float, optional
        Relative tolerance.
    atol : float
        Absolute tolerance.
    equal_nan : bool
        Whether NaN is equal to NaN.

    Returns
    -------
    Tensor or array

    Notes
    -----
    |x1 - x2| <= atol + rtol |x2|, as NumPy's function and array-api-extra's

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.isclose(ag.asarray([1.0, 2.0]), ag.asarray([1.0 + 1e-9, 2.1]))
    tensor([ True, False])
    """

@overload
def isclose(
    x1: Any, x2: Tensor, /, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: builtins.bool = False
) -> Tensor: ...
@overload
def isclose(x1: Any, x2: Any, /, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: builtins.bool = False) -> Any: ...
@overload
def isfinite(x: _A, /) -> _A:
    """Whether each element is neither infinite nor NaN.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.isfinite(ag.asarray([1.0, ag.inf, ag.nan]))
    tensor([ True, False, False])
    """

@overload
def isfinite(x: Any, /) -> Any: ...
@overload
def isinf(x: _A, /) -> _A:
    """Whether each element is infinite.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.isinf(ag.asarray([1.0, ag.inf, ag.nan]))
    tensor([False,  True, False])
    """

@overload
def isinf(x: Any, /) -> Any: ...
@overload
def isnan(x: _A, /) -> _A:
    """Whether each element is NaN.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.isnan(ag.asarray([1.0, ag.inf, ag.nan]))
    tensor([False, False,  True])
    """

@overload
def isnan(x: Any, /) -> Any: ...
@overload
def signbit(x: _A, /) -> _A:
    """Whether the sign bit of each element is set, as that of -0.0 is.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.signbit(ag.asarray([1.0, -0.0]))
    tensor([False,  True])
    """

@overload
def signbit(x: Any, /) -> Any: ...
@overload
def bitwise_and(x1: Tensor, x2: Any, /) -> Tensor:
    """Bits that both elements have.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.bitwise_and(ag.asarray([6, 3]), ag.asarray([3, 5]))
    tensor([2, 1])
    """

@overload
def bitwise_and(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def bitwise_and(x1: Any, x2: Any, /) -> Any: ...
@overload
def bitwise_or(x1: Tensor, x2: Any, /) -> Tensor:
    """Bits that one of the elements has.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.bitwise_or(ag.asarray([6, 3]), ag.asarray([3, 5]))
    tensor([7, 7])
    """

@overload
def bitwise_or(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def bitwise_or(x1: Any, x2: Any, /) -> Any: ...
@overload
def bitwise_xor(x1: Tensor, x2: Any, /) -> Tensor:
    """Bits that one of the elements has and the other has not.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.bitwise_xor(ag.asarray([6, 3]), ag.asarray([3, 5]))
    tensor([5, 6])
    """

@overload
def bitwise_xor(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def bitwise_xor(x1: Any, x2: Any, /) -> Any: ...
@overload
def bitwise_invert(x: _A, /) -> _A:
    """Each element with its bits inverted.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.bitwise_invert(ag.asarray([0, 1, 5]))
    tensor([-1, -2, -6])
    """

@overload
def bitwise_invert(x: Any, /) -> Any: ...
@overload
def bitwise_left_shift(x1: Tensor, x2: Any, /) -> Tensor:
    """Each element with its bits moved to the left.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.bitwise_left_shift(ag.asarray([1, 3]), 2)
    tensor([ 4, 12])
    """

@overload
def bitwise_left_shift(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def bitwise_left_shift(x1: Any, x2: Any, /) -> Any: ...
@overload
def bitwise_right_shift(x1: Tensor, x2: Any, /) -> Tensor:
    """Each element with its bits moved to the right.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.bitwise_right_shift(ag.asarray([4, 12]), 2)
    tensor([1, 3])
    """

@overload
def bitwise_right_shift(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def bitwise_right_shift(x1: Any, x2: Any, /) -> Any: ...
@overload
def logical_and(x1: Tensor, x2: Any, /) -> Tensor:
    """Whether both elements are true.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.logical_and(ag.asarray([True, True, False]), ag.asarray([True, False, False]))
    tensor([ True, False, False])
    """

@overload
def logical_and(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def logical_and(x1: Any, x2: Any, /) -> Any: ...
@overload
def logical_or(x1: Tensor, x2: Any, /) -> Tensor:
    """Whether one of the elements is true.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.logical_or(ag.asarray([True, True, False]), ag.asarray([True, False, False]))
    tensor([ True,  True, False])
    """

@overload
def logical_or(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def logical_or(x1: Any, x2: Any, /) -> Any: ...
@overload
def logical_xor(x1: Tensor, x2: Any, /) -> Tensor:
    """Whether just one of the elements is true.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.logical_xor(ag.asarray([True, True, False]), ag.asarray([True, False, False]))
    tensor([False,  True, False])
    """

@overload
def logical_xor(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def logical_xor(x1: Any, x2: Any, /) -> Any: ...
@overload
def logical_not(x: _A, /) -> _A:
    """Whether each element is false.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.logical_not(ag.asarray([True, False]))
    tensor([False,  True])
    """

@overload
def logical_not(x: Any, /) -> Any: ...
@overload
def sum(
    x: _A, /, *, axis: int | tuple[int, ...] | None = None, dtype: Any = None, keepdims: builtins.bool = False
) -> _A:
    """Sum of the elements, of all of them or along axes.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    dtype : dtype, optional
        The dtype of the result.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.sum(x), ag.sum(x, axis=0)
    (tensor(10.), tensor([4., 6.]))
    """

@overload
def sum(
    x: Any, /, *, axis: int | tuple[int, ...] | None = None, dtype: Any = None, keepdims: builtins.bool = False
) -> Any: ...
@overload
def mean(x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
    """Arithmetic mean of the elements.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.mean(x), ag.mean(x, axis=0)
    (tensor(2.5000), tensor([2., 3.]))
    """

@overload
def mean(x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
@overload
def prod(
    x: _A, /, *, axis: int | tuple[int, ...] | None = None, dtype: Any = None, keepdims: builtins.bool = False
) -> _A:
    """Product of the elements; its gradient is exact where some are 0.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    dtype : dtype, optional
        The dtype of the result.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.prod(ag.asarray([2.0, 3.0, 4.0]))
    tensor(24.)
    """

@overload
def prod(
    x: Any, /, *, axis: int | tuple[int, ...] | None = None, dtype: Any = None, keepdims: builtins.bool = False
) -> Any: ...
@overload
def max(x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
    """Largest of the elements; those that share it share the gradient evenly.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.max(x), ag.max(x, axis=0)
    (tensor(4.), tensor([3., 4.]))
    """

@overload
def max(x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
@overload
def min(x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
    """Smallest of the elements; those that share it share the gradient evenly.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.min(x), ag.min(x, axis=0)
    (tensor(1.), tensor([1., 2.]))
    """

@overload
def min(x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
@overload
def var(
    x: _A, /, *, axis: int | tuple[int, ...] | None = None, correction: float = 0.0, keepdims: builtins.bool = False
) -> _A:
    """Variance of the elements.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    correction : float
        What is taken from the number of elements before dividing by it.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([1.0, 2.0, 3.0])
    >>> ag.var(x), ag.var(x, correction=1)
    (tensor(0.6667), tensor(1.))
    """

@overload
def var(
    x: Any, /, *, axis: int | tuple[int, ...] | None = None, correction: float = 0.0, keepdims: builtins.bool = False
) -> Any: ...
@overload
def std(
    x: _A, /, *, axis: int | tuple[int, ...] | None = None, correction: float = 0.0, keepdims: builtins.bool = False
) -> _A:
    """Standard deviation of the elements; its gradient is 0 where they are all equal.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    correction : float
        What is taken from the number of elements before dividing by it.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([1.0, 2.0, 3.0])
    >>> ag.std(x), ag.std(x, correction=1)
    (tensor(0.8165), tensor(1.))
    """

@overload
def std(
    x: Any, /, *, axis: int | tuple[int, ...] | None = None, correction: float = 0.0, keepdims: builtins.bool = False
) -> Any: ...
@overload
def cumulative_sum(
    x: _A, /, *, axis: int | tuple[int, ...] | None = None, dtype: Any = None, include_initial: builtins.bool = False
) -> _A:
    """Sums of the elements up to each place.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    dtype : dtype, optional
        The dtype of the result.
    include_initial : bool
        Whether to start with the value for no elements.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.cumulative_sum(ag.asarray([1.0, 2.0, 3.0]))
    tensor([1., 3., 6.])
    """

@overload
def cumulative_sum(
    x: Any, /, *, axis: int | tuple[int, ...] | None = None, dtype: Any = None, include_initial: builtins.bool = False
) -> Any: ...
@overload
def cumulative_prod(
    x: _A, /, *, axis: int | tuple[int, ...] | None = None, dtype: Any = None, include_initial: builtins.bool = False
) -> _A:
    """Products of the elements up to each place.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    dtype : dtype, optional
        The dtype of the result.
    include_initial : bool
        Whether to start with the value for no elements.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.cumulative_prod(ag.asarray([1.0, 2.0, 3.0]))
    tensor([1., 2., 6.])
    """

@overload
def cumulative_prod(
    x: Any, /, *, axis: int | tuple[int, ...] | None = None, dtype: Any = None, include_initial: builtins.bool = False
) -> Any: ...
@overload
def matmul(x1: Tensor, x2: Any, /) -> Tensor:
    """Product of matrices, or of stacks of them.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor or array
        The second argument; stacks of matrices broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.matmul(x, ag.asarray([1.0, 1.0]))
    tensor([3., 7.])
    """

@overload
def matmul(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def matmul(x1: Any, x2: Any, /) -> Any: ...
@overload
def matrix_transpose(x: _A, /) -> _A:
    """Transpose of a matrix, or of a stack of them.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.matrix_transpose(x)
    tensor([[1., 3.],
            [2., 4.]])
    """

@overload
def matrix_transpose(x: Any, /) -> Any: ...
@overload
def vecdot(x1: Tensor, x2: Any, /, *, axis: int = -1) -> Tensor:
    """Sum of products along an axis, the first array being conjugated.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.
    axis : int
        The axis.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.vecdot(ag.asarray([1.0, 2.0]), ag.asarray([3.0, 4.0]))
    tensor(11.)
    """

@overload
def vecdot(x1: Any, x2: Tensor, /, *, axis: int = -1) -> Tensor: ...
@overload
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any: ...
@overload
def tensordot(x1: Tensor, x2: Any, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
    """Sum of products over axes of two arrays.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.
    axes : int or pair of tuples of int
        How many axes, or which ones of either array.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.tensordot(x, x, axes=2)
    tensor(30.)
    """

@overload
def tensordot(x1: Any, x2: Tensor, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor: ...
@overload
def tensordot(x1: Any, x2: Any, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Any: ...
@overload
def norm(x: _A, /) -> _A:
    """Euclidean norm of all elements; its gradient at 0 is 0.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Notes
    -----
    Euclidean norm of all elements; its gradient x / |x| is 0 at 0

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.norm(ag.asarray([3.0, 4.0]))
    tensor(5.)
    """

@overload
def norm(x: Any, /) -> Any: ...
@overload
def reshape(x: _A, /, shape: int | tuple[int, ...], *, copy: builtins.bool | None = None) -> _A:
    """The elements in another shape.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    shape : tuple of int
        The shape.
    copy : bool, optional
        Whether the result must, or must not, be a copy.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.reshape(ag.arange(6.0), (2, 3))
    tensor([[0., 1., 2.],
            [3., 4., 5.]])
    """

@overload
def reshape(x: Any, /, shape: int | tuple[int, ...], *, copy: builtins.bool | None = None) -> Any: ...
@overload
def permute_dims(x: _A, /, axes: tuple[int, ...]) -> _A:
    """The axes in another order.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axes : tuple of int
        For each axis of the result, which one of the array it is.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.permute_dims(ag.zeros(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """

@overload
def permute_dims(x: Any, /, axes: tuple[int, ...]) -> Any: ...
@overload
def expand_dims(x: _A, /, axis: _Axes) -> _A:
    """The array with a new axis of one element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int
        Where the new axis is in the result.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.expand_dims(ag.zeros(2, 3), axis=0).shape
    (1, 2, 3)
    """

@overload
def expand_dims(x: Any, /, axis: _Axes) -> Any: ...
@overload
def squeeze(x: _A, /, axis: _Axes) -> _A:
    """The array without axes of one element.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int
        The axes to drop.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.squeeze(ag.zeros(1, 3), axis=0).shape
    (3,)
    """

@overload
def squeeze(x: Any, /, axis: _Axes) -> Any: ...
@overload
def moveaxis(x: _A, source: _Axes, destination: _Axes, /) -> _A:
    """The array with axes moved to other positions.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    source : int or tuple of int
        Where the axes are.
    destination : int or tuple of int
        Where the axes go.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.moveaxis(ag.zeros(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """

@overload
def moveaxis(x: Any, source: _Axes, destination: _Axes, /) -> Any: ...
@overload
def broadcast_to(x: _A, /, shape: int | tuple[int, ...]) -> _A:
    """The array repeated to a larger shape.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    shape : tuple of int
        The shape.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.broadcast_to(ag.asarray([1.0, 2.0]), (2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """

@overload
def broadcast_to(x: Any, /, shape: int | tuple[int, ...]) -> Any: ...
@overload
def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """Arrays joined along an axis that they have.

    Parameters
    ----------
    arrays : sequence of Tensor or array
        The arrays.
    axis : int, optional
        The axis to join along; None flattens the arrays first.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.concat([ag.zeros(2), ag.ones(1)])
    tensor([0., 0., 1.])
    """

@overload
def concat(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any: ...
@overload
def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Arrays joined along a new axis.

    Parameters
    ----------
    arrays : sequence of Tensor or array
        The arrays.
    axis : int
        Where the new axis is in the result.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.stack([ag.zeros(2), ag.ones(2)])
    tensor([[0., 0.],
            [1., 1.]])
    """

@overload
def stack(arrays: Sequence[Any], /, *, axis: int = 0) -> Any: ...
@overload
def flip(x: _A, /, *, axis: int | tuple[int, ...] | None = None) -> _A:
    """The elements in reverse order.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.flip(ag.asarray([1.0, 2.0, 3.0]))
    tensor([3., 2., 1.])
    """

@overload
def flip(x: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Any: ...
@overload
def roll(x: _A, /, shift: _Axes, *, axis: int | tuple[int, ...] | None = None) -> _A:
    """The elements moved along axes, from the end to the start.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    shift : int or tuple of int
        By how many places.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.roll(ag.asarray([1.0, 2.0, 3.0]), 1)
    tensor([3., 1., 2.])
    """

@overload
def roll(x: Any, /, shift: _Axes, *, axis: int | tuple[int, ...] | None = None) -> Any: ...
@overload
def tile(x: _A, repetitions: tuple[int, ...], /) -> _A:
    """The array as a whole repeated.

    Parameters
    ----------
    x : Tensor or array
        The array.
    repetitions : tuple of int
        How often, along each axis.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.tile(ag.asarray([1.0, 2.0]), (2,))
    tensor([1., 2., 1., 2.])
    """

@overload
def tile(x: Any, repetitions: tuple[int, ...], /) -> Any: ...
@overload
def pad(x: _A, /, pad_width: Any, mode: Literal["constant"] = "constant", *, constant_values: complex = 0) -> _A:
    """The array with constants around it.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    pad_width : int or sequence of pairs
        How many elements come before and after, along each axis.
    mode : str
        What is put around the array.
    constant_values : number
        What is put around the array.

    Returns
    -------
    Tensor or array

    Notes
    -----
    an array with constants around it, as NumPy's function and array-api-extra's

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.pad(ag.asarray([1.0, 2.0]), 1)
    tensor([0., 1., 2., 0.])
    """

@overload
def pad(x: Any, /, pad_width: Any, mode: Literal["constant"] = "constant", *, constant_values: complex = 0) -> Any: ...
@overload
def repeat(x: Tensor, repeats: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """Each element repeated.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    repeats : int or array of int
        How often.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.repeat(ag.asarray([1.0, 2.0]), 2)
    tensor([1., 1., 2., 2.])
    """

@overload
def repeat(x: Any, repeats: Tensor, /, *, axis: int | tuple[int, ...] | None = None) -> Tensor: ...
@overload
def repeat(x: Any, repeats: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Any: ...
@overload
def unstack(x: _A, /, *, axis: int = 0) -> tuple[_A, ...]:
    """The parts of an array along an axis.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int
        The axis.

    Returns
    -------
    tuple of Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.unstack(x)
    (tensor([1., 2.]), tensor([3., 4.]))
    """

@overload
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]: ...
@overload
def broadcast_arrays(*arrays: Tensor) -> tuple[Tensor, ...]:
    """Arrays repeated to the shape that they have in common.

    Parameters
    ----------
    *arrays : sequence of Tensor or array
        The arrays.

    Returns
    -------
    tuple of Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> [x.shape for x in ag.broadcast_arrays(ag.zeros(3), ag.zeros(2, 1))]
    [(2, 3), (2, 3)]
    """

@overload
def broadcast_arrays(*arrays: Any) -> tuple[Any, ...]: ...
@overload
def getitem(x: _A, /, key: Any) -> _A:
    """``x[key]``, as a function.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    key : index
        What stands between the brackets.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.getitem(ag.asarray([1.0, 2.0, 3.0]), slice(1, None))
    tensor([2., 3.])
    """

@overload
def getitem(x: Any, /, key: Any) -> Any: ...
@overload
def setitem(x: Tensor, value: Any, /, *, key: Any) -> Tensor:
    """A copy with ``x[key] = value``.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    value : Tensor, array or number
        What is put there.
    key : index
        What stands between the brackets.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.setitem(ag.asarray([1.0, 2.0, 3.0]), 9.0, key=0)
    tensor([9., 2., 3.])
    """

@overload
def setitem(x: Any, value: Tensor, /, *, key: Any) -> Tensor: ...
@overload
def setitem(x: Any, value: Any, /, *, key: Any) -> Any: ...
@overload
def embed(x: _A, /, *, key: Any, shape: int | tuple[int, ...]) -> _A:
    """Zeros with an array added at a key, as indexing is transposed.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    key : index
        What stands between the brackets.
    shape : tuple of int
        The shape.

    Returns
    -------
    Tensor or array

    Notes
    -----
    zeros of a shape with x added at a key: the transpose of indexing

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.embed(ag.asarray([1.0, 2.0]), key=slice(1, 3), shape=(4,))
    tensor([0., 1., 2., 0.])
    """

@overload
def embed(x: Any, /, *, key: Any, shape: int | tuple[int, ...]) -> Any: ...
@overload
def embed_all(arrays: Sequence[Tensor], /, *, keys: Sequence[Any], shape: int | tuple[int, ...]) -> Tensor:
    """Zeros with each of several arrays added at its key.

    Parameters
    ----------
    arrays : sequence of Tensor or array
        The arrays.
    keys : sequence of index
        What stands between the brackets, for each array.
    shape : tuple of int
        The shape.

    Returns
    -------
    Tensor or array

    Notes
    -----
    zeros of a shape with each array added at its key: the transpose of many indexings of one array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.embed_all([ag.ones(2), ag.ones(2)], keys=[slice(0, 2), slice(1, 3)], shape=(3,))
    tensor([1., 2., 1.])
    """

@overload
def embed_all(arrays: Sequence[Any], /, *, keys: Sequence[Any], shape: int | tuple[int, ...]) -> Any: ...
@overload
def scatter_add(x: Tensor, indices: Any, value: Any, /) -> Tensor:
    """A copy with values added at indices along the first axis; repeated ones add up.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    indices : Tensor or array of int
        The indices.
    value : Tensor, array or number
        What is put there.

    Returns
    -------
    Tensor or array

    Notes
    -----
    x with value[k] added to x[indices[k]], along the first axis; repeated indices add up

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.scatter_add(ag.zeros(3), ag.asarray([0, 2, 2]), ag.asarray([1.0, 2.0, 3.0]))
    tensor([1., 0., 5.])
    """

@overload
def scatter_add(x: Any, indices: Tensor, value: Any, /) -> Tensor: ...
@overload
def scatter_add(x: Any, indices: Any, value: Tensor, /) -> Tensor: ...
@overload
def scatter_add(x: Any, indices: Any, value: Any, /) -> Any: ...
@overload
def take(x: Tensor, indices: Any, /, *, axis: int | None = None) -> Tensor:
    """Elements at indices along an axis.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    indices : Tensor or array of int
        The indices.
    axis : int
        The axis; it may be left out for arrays of one axis.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.take(ag.asarray([1.0, 2.0, 3.0]), ag.asarray([2, 0]))
    tensor([3., 1.])
    """

@overload
def take(x: Any, indices: Tensor, /, *, axis: int | None = None) -> Tensor: ...
@overload
def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any: ...
@overload
def take_along_axis(x: Tensor, indices: Any, /, *, axis: int = -1) -> Tensor:
    """Elements at indices of their own in each row, as `argsort` gives them.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    indices : Tensor or array of int
        The indices.
    axis : int
        The axis.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[3.0, 1.0], [2.0, 4.0]])
    >>> ag.take_along_axis(x, ag.argsort(x))
    tensor([[1., 3.],
            [2., 4.]])
    """

@overload
def take_along_axis(x: Any, indices: Tensor, /, *, axis: int = -1) -> Tensor: ...
@overload
def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any: ...
@overload
def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """Elements of one array where a condition holds, of another elsewhere.

    Parameters
    ----------
    condition : Tensor or array
        Truth values.
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.where(ag.asarray([True, False]), ag.asarray([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """

@overload
def where(condition: Any, x1: Tensor, x2: Any, /) -> Tensor: ...
@overload
def where(condition: Any, x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def where(condition: Any, x1: Any, x2: Any, /) -> Any: ...
@overload
def argmax(x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
    """Index of the largest element.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.argmax(ag.asarray([1.0, 3.0, 2.0]))
    tensor(1)
    """

@overload
def argmax(x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
@overload
def argmin(x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
    """Index of the smallest element.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.argmin(ag.asarray([1.0, 3.0, 2.0]))
    tensor(0)
    """

@overload
def argmin(x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
@overload
def count_nonzero(x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
    """Number of elements that are not 0.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.count_nonzero(ag.asarray([1.0, 0.0, 2.0]))
    tensor(2)
    """

@overload
def count_nonzero(x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
@overload
def searchsorted(x1: Tensor, x2: Any, /, *, side: Literal["left", "right"] = "left", sorter: Any = None) -> Tensor:
    """Where elements would have to be inserted to keep an array sorted.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor or array
        The array that is sorted.
    x2 : Tensor, array or number
        What would be inserted.
    side : {"left", "right"}
        Whether to insert before or after elements that are equal.
    sorter : array of int, optional
        Indices that sort the first argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.searchsorted(ag.asarray([1.0, 2.0, 3.0]), ag.asarray([0.5, 2.5]))
    tensor([0, 2])
    """

@overload
def searchsorted(x1: Any, x2: Tensor, /, *, side: Literal["left", "right"] = "left", sorter: Any = None) -> Tensor: ...
@overload
def searchsorted(x1: Any, x2: Any, /, *, side: Literal["left", "right"] = "left", sorter: Any = None) -> Any: ...
@overload
def nonzero(x: _A, /) -> tuple[_A, ...]:
    """Indices of the elements that are not 0, for each axis.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    tuple of Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.nonzero(ag.asarray([1.0, 0.0, 2.0]))
    (tensor([0, 2]),)
    """

@overload
def nonzero(x: Any, /) -> tuple[Any, ...]: ...
@overload
def argsort(x: _A, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> _A:
    """Indices that sort an array.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int
        The axis to sort along.
    descending : bool
        Whether the largest comes first.
    stable : bool
        Whether elements that are equal keep their order.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.argsort(ag.asarray([3.0, 1.0, 2.0]))
    tensor([1, 2, 0])
    """

@overload
def argsort(x: Any, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Any: ...
@overload
def sort(x: _A, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> _A:
    """The elements in order.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int
        The axis to sort along.
    descending : bool
        Whether the largest comes first.
    stable : bool
        Whether elements that are equal keep their order.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.sort(ag.asarray([3.0, 1.0, 2.0]))
    tensor([1., 2., 3.])
    """

@overload
def sort(x: Any, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Any: ...
@overload
def isin(x1: Tensor, x2: Any, /, *, invert: builtins.bool = False) -> Tensor:
    """Whether each element is among those of another array.

    What it returns carries no gradient.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.
    invert : bool
        Whether to tell what is not among them.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.isin(ag.asarray([1, 2, 3]), ag.asarray([2, 4]))
    tensor([False,  True, False])
    """

@overload
def isin(x1: Any, x2: Tensor, /, *, invert: builtins.bool = False) -> Tensor: ...
@overload
def isin(x1: Any, x2: Any, /, *, invert: builtins.bool = False) -> Any: ...
@overload
def unique_all(x: _A, /) -> UniqueAll[_A]:
    """Distinct elements, where each is first, which one each element is, and how often it occurs.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    tuple of Tensor or array: values, indices, inverse_indices and counts

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.unique_all(ag.asarray([2, 1, 2])).counts
    tensor([1, 2])
    """

@overload
def unique_all(x: Any, /) -> UniqueAll[Any]: ...
@overload
def unique_counts(x: _A, /) -> UniqueCounts[_A]:
    """Distinct elements and how often each occurs.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    tuple of Tensor or array: values and counts

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.unique_counts(ag.asarray([2, 1, 2])).counts
    tensor([1, 2])
    """

@overload
def unique_counts(x: Any, /) -> UniqueCounts[Any]: ...
@overload
def unique_inverse(x: _A, /) -> UniqueInverse[_A]:
    """Distinct elements and which of them each element is.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    tuple of Tensor or array: values and inverse_indices

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.unique_inverse(ag.asarray([2, 1, 2])).inverse_indices
    tensor([1, 0, 1])
    """

@overload
def unique_inverse(x: Any, /) -> UniqueInverse[Any]: ...
@overload
def unique_values(x: _A, /) -> _A:
    """Distinct elements.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.unique_values(ag.asarray([2, 1, 2]))
    tensor([1, 2])
    """

@overload
def unique_values(x: Any, /) -> Any: ...
@overload
def astype(x: _A, dtype: Any, /, *, copy: builtins.bool = True, device: Any = None) -> _A:
    """The elements in another dtype.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    dtype : dtype
        The dtype of the result.
    copy : bool
        Whether to copy an array that has the dtype already.
    device : device, optional
        The device of the result; that of the argument, if none is given.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.astype(ag.asarray([1, 2]), ag.float32)
    tensor([1., 2.], dtype=float32)
    """

@overload
def astype(x: Any, dtype: Any, /, *, copy: builtins.bool = True, device: Any = None) -> Any: ...
@overload
def clone(x: _A, /) -> _A:
    """An independent copy, through which gradients flow.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.clone(ag.asarray([1.0, 2.0]))
    tensor([1., 2.])
    """

@overload
def clone(x: Any, /) -> Any: ...
@overload
def to_device(x: _A, /, device: Any, *, stream: Any = None) -> _A:
    """The array on another device.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    device : device
        The device.
    stream : stream, optional
        The stream of the device to copy on.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.to_device(ag.asarray([1.0, 2.0]), "cpu")
    tensor([1., 2.])
    """

@overload
def to_device(x: Any, /, device: Any, *, stream: Any = None) -> Any: ...
@overload
def tril(x: _A, /, *, k: int = 0) -> _A:
    """The lower triangle of a matrix, with zeros above it.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    k : int
        The diagonal at which the triangle ends, counted upwards from the main one.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.tril(x)
    tensor([[1., 0.],
            [3., 4.]])
    """

@overload
def tril(x: Any, /, *, k: int = 0) -> Any: ...
@overload
def triu(x: _A, /, *, k: int = 0) -> _A:
    """The upper triangle of a matrix, with zeros below it.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    k : int
        The diagonal at which the triangle ends, counted upwards from the main one.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.triu(x)
    tensor([[1., 2.],
            [0., 4.]])
    """

@overload
def triu(x: Any, /, *, k: int = 0) -> Any: ...
@overload
def zeros_like(x: _A, /, *, dtype: Any = None, device: Any = None) -> _A:
    """Zeros in the shape of an array.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    dtype : dtype, optional
        The dtype of the result.
    device : device, optional
        The device of the result; that of the argument, if none is given.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.zeros_like(ag.asarray([1.0, 2.0]))
    tensor([0., 0.])
    """

@overload
def zeros_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any: ...
@overload
def ones_like(x: _A, /, *, dtype: Any = None, device: Any = None) -> _A:
    """Ones in the shape of an array.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    dtype : dtype, optional
        The dtype of the result.
    device : device, optional
        The device of the result; that of the argument, if none is given.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.ones_like(ag.asarray([1.0, 2.0]))
    tensor([1., 1.])
    """

@overload
def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any: ...
@overload
def full_like(x: _A, /, fill_value: complex, *, dtype: Any = None, device: Any = None) -> _A:
    """One value in the shape of an array.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    fill_value : number
        The value.
    dtype : dtype, optional
        The dtype of the result.
    device : device, optional
        The device of the result; that of the argument, if none is given.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.full_like(ag.asarray([1.0, 2.0]), 7.0)
    tensor([7., 7.])
    """

@overload
def full_like(x: Any, /, fill_value: complex, *, dtype: Any = None, device: Any = None) -> Any: ...
@overload
def all(x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
    """Whether all elements are true.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.all(ag.asarray([True, False]))
    tensor(False)
    """

@overload
def all(x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
@overload
def any(x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
    """Whether one of the elements is true.

    What it returns carries no gradient.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.any(ag.asarray([True, False]))
    tensor(True)
    """

@overload
def any(x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
@overload
def defined_where(x: Tensor, condition: Any, /, *, reason: str = "") -> Tensor:
    """The array itself, which is meaningless unless a condition holds.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    condition : Tensor or array
        Truth values.
    reason : str
        What the condition means, for the message if it does not hold.

    Returns
    -------
    Tensor or array

    Notes
    -----
    x, which is meaningless unless a condition holds

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.defined_where(ag.asarray([1.0, 2.0]), ag.asarray(True), reason="of rank 2")
    tensor([1., 2.])
    """

@overload
def defined_where(x: Any, condition: Tensor, /, *, reason: str = "") -> Tensor: ...
@overload
def defined_where(x: Any, condition: Any, /, *, reason: str = "") -> Any: ...
@overload
def diff(x: _A, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> _A:
    """Differences of neighbours along an axis.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int
        The axis.
    n : int
        How often differences are taken.
    prepend : array, optional
        What is put before the array before.
    append : array, optional
        What is put after the array before.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.diff(ag.asarray([1.0, 4.0, 9.0]))
    tensor([3., 5.])
    """

@overload
def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Any: ...
@overload
def cofactors(x: _A, /) -> _A:
    """Matrix of cofactors, the gradient of the determinant.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.

    Returns
    -------
    Tensor or array

    Notes
    -----
    the gradient of a determinant: det(x) inv(x)^T, which singular matrices have too

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.round(ag.cofactors(x))
    tensor([[ 4., -3.],
            [-2.,  1.]])
    """

@overload
def cofactors(x: Any, /) -> Any: ...
@overload
def cholesky_pullback(x1: Tensor, x2: Any, /) -> Tensor:
    """Gradient in a Hermitian matrix, from that in its lower Cholesky factor.

    Parameters
    ----------
    x1 : Tensor or array
        The lower factor, or a stack of them.
    x2 : Tensor or array
        The gradient in it.

    Returns
    -------
    Tensor or array

    Notes
    -----
    the Hermitian part of L^-H Phi(L^H G) L^-1: the cotangent of A = L L^H, from G, that of L

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[2.0, 0.0], [0.0, 4.0]])
    >>> ag.cholesky_pullback(ag.linalg.cholesky(x * x), x)
    tensor([[0.5000, 0.0000],
            [0.0000, 0.5000]])
    """

@overload
def cholesky_pullback(x1: Any, x2: Tensor, /) -> Tensor: ...
@overload
def cholesky_pullback(x1: Any, x2: Any, /) -> Any: ...
@overload
def diagonal_matrix(x: _A, /, *, shape: int | tuple[int, ...], offset: int = 0) -> _A:
    """Zeros with a given diagonal, the transpose of `linalg.diagonal`.

    Parameters
    ----------
    x : Tensor or array
        The elements of the diagonal, along the last axis.
    shape : tuple of int
        Rows and columns of a matrix.
    offset : int
        The diagonal, counted upwards from the main one.

    Returns
    -------
    Tensor or array

    Notes
    -----
    zeros around a diagonal: the transpose of linalg.diagonal

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.diagonal_matrix(ag.asarray([1.0, 2.0]), shape=(2, 2))
    tensor([[1., 0.],
            [0., 2.]])
    """

@overload
def diagonal_matrix(x: Any, /, *, shape: int | tuple[int, ...], offset: int = 0) -> Any: ...
@overload
def solve_triangular(x1: Tensor, x2: Any, /, *, upper: builtins.bool = False) -> Tensor:
    """Solution of a linear system with a triangular matrix, of which the other triangle is not read.

    Parameters
    ----------
    x1 : Tensor or array
        The matrix, or a stack of them.
    x2 : Tensor or array
        The right-hand sides, as columns of a matrix.
    upper : bool
        Whether the triangle is the upper one.

    Returns
    -------
    Tensor or array

    Notes
    -----
    X = A^-1 B by substitution; nothing of A but a triangle is read

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[2.0, 0.0], [1.0, 2.0]])
    >>> ag.solve_triangular(x, ag.asarray([[2.0], [5.0]]))
    tensor([[1.],
            [2.]])
    """

@overload
def solve_triangular(x1: Any, x2: Tensor, /, *, upper: builtins.bool = False) -> Tensor: ...
@overload
def solve_triangular(x1: Any, x2: Any, /, *, upper: builtins.bool = False) -> Any: ...
@overload
def contract(x1: Tensor, x2: Any, /, *, labels: tuple[str, str, str]) -> Tensor:
    """Sum of products of two arrays, whose axes are named by letters.

    Parameters
    ----------
    x1 : Tensor, array or number
        The first argument.
    x2 : Tensor, array or number
        The second argument; the two broadcast.
    labels : tuple of str
        Letters for the axes of the first array, of the second and of the result.

    Returns
    -------
    Tensor or array

    Notes
    -----
    sum of products of two arrays; labels=(of x1, of x2, of the output), a letter for an axis, none twice in one array. An axis that only one array has stays in the output

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.contract(x, x, labels=("ij", "jk", "ik"))
    tensor([[ 7., 10.],
            [15., 22.]])
    """

@overload
def contract(x1: Any, x2: Tensor, /, *, labels: tuple[str, str, str]) -> Tensor: ...
@overload
def contract(x1: Any, x2: Any, /, *, labels: tuple[str, str, str]) -> Any: ...
@overload
def einsum(subscripts: str, /, *arrays: Tensor, optimize: builtins.bool | str = "auto") -> Tensor:
    """Sum of products by Einstein's convention.

    Parameters
    ----------
    subscripts : str
        Letters for the axes of each array, and after an arrow those of the result.
    *arrays : sequence of Tensor or array
        The arrays.
    optimize : bool or str
        How the order of products is chosen, as opt_einsum takes it.

    Returns
    -------
    Tensor or array

    Notes
    -----
    sum of products by Einstein's convention: 'ij,jk->ik' multiplies matrices, 'ii' is a trace, '...' broadcasts

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.einsum("ij,jk->ik", x, x), ag.einsum("ii", x)
    (tensor([[ 7., 10.],
            [15., 22.]]), tensor(5.))
    """

@overload
def einsum(subscripts: str, /, *arrays: Any, optimize: builtins.bool | str = "auto") -> Any: ...
@overload
def logsumexp(x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
    """Logarithm of the sum of exponentials, without overflow.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.
    keepdims : bool
        Whether axes that were summed over stay, with one element.

    Returns
    -------
    Tensor or array

    Notes
    -----
    log(sum(exp(x))), without overflow; -inf where there is nothing to sum

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.logsumexp(ag.asarray([1000.0, 1000.0]))
    tensor(1000.6931)
    """

@overload
def logsumexp(x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
@overload
def softmax(x: _A, /, *, axis: int | tuple[int, ...] | None = None) -> _A:
    """Exponentials divided by their sum.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.

    Returns
    -------
    Tensor or array

    Notes
    -----
    exp(x) / sum(exp(x)), without overflow

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.softmax(ag.asarray([0.0, 1.0]))
    tensor([0.2689, 0.7311])
    """

@overload
def softmax(x: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Any: ...
@overload
def log_softmax(x: _A, /, *, axis: int | tuple[int, ...] | None = None) -> _A:
    """Logarithm of `softmax`, precise for small shares.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    axis : int or tuple of int, optional
        The axis or axes to run along; all of them, where none is given.

    Returns
    -------
    Tensor or array

    Notes
    -----
    log(softmax(x)) = x - logsumexp(x), without loss of what is small

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.log_softmax(ag.asarray([0.0, 1.0]))
    tensor([-1.3133, -0.3133])
    """

@overload
def log_softmax(x: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Any: ...
@overload
def rechunk(x: _A, /, chunks: Any) -> _A:
    """The array in other chunks, where its backend has chunks.

    Parameters
    ----------
    x : Tensor, array or number
        The argument.
    chunks : int, tuple or dict
        The chunks, as dask takes them.

    Returns
    -------
    Tensor or array

    Notes
    -----
    x in other chunks, as dask's ``rechunk`` takes them; a copy where arrays have none

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.rechunk(ag.asarray([1.0, 2.0]), 1)
    tensor([1., 2.])
    """

@overload
def rechunk(x: Any, /, chunks: Any) -> Any: ...

class Linalg:
    """The ``linalg`` extension of a namespace."""

    @overload
    def matmul(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Product of matrices, or of stacks of them."""
    @overload
    def matmul(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def matmul(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def matrix_transpose(self, x: _A, /) -> _A:
        """Transpose of a matrix, or of a stack of them."""
    @overload
    def matrix_transpose(self, x: Any, /) -> Any: ...
    @overload
    def tensordot(self, x1: Tensor, x2: Any, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
        """Sum of products over axes of two arrays."""
    @overload
    def tensordot(self, x1: Any, x2: Tensor, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor: ...
    @overload
    def tensordot(self, x1: Any, x2: Any, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Any: ...
    @overload
    def vecdot(self, x1: Tensor, x2: Any, /, *, axis: int = -1) -> Tensor:
        """Sum of products along an axis, the first array being conjugated."""
    @overload
    def vecdot(self, x1: Any, x2: Tensor, /, *, axis: int = -1) -> Tensor: ...
    @overload
    def vecdot(self, x1: Any, x2: Any, /, *, axis: int = -1) -> Any: ...
    @overload
    def det(self, x: _A, /) -> _A:
        """Determinant of a matrix; its gradient is exact at singular ones."""
    @overload
    def det(self, x: Any, /) -> Any: ...
    @overload
    def slogdet(self, x: _A, /) -> Slogdet[_A]:
        """Sign of a determinant and logarithm of its absolute value."""
    @overload
    def slogdet(self, x: Any, /) -> Slogdet[Any]: ...
    @overload
    def cholesky(self, x: _A, /, *, upper: builtins.bool = False) -> _A:
        """Triangular factor of a positive definite matrix."""
    @overload
    def cholesky(self, x: Any, /, *, upper: builtins.bool = False) -> Any: ...
    @overload
    def matrix_rank(self, x: _A, /, *, rtol: Any = None) -> _A:
        """Rank of a matrix: the number of its singular values above a tolerance."""
    @overload
    def matrix_rank(self, x: Any, /, *, rtol: Any = None) -> Any: ...
    @overload
    def pinv(self, x: _A, /, *, rtol: Any = None) -> _A:
        """Pseudo-inverse of a matrix."""
    @overload
    def pinv(self, x: Any, /, *, rtol: Any = None) -> Any: ...
    @overload
    def qr(self, x: _A, /, *, mode: Literal["reduced", "complete"] = "reduced") -> QR[_A]:
        """Orthogonal and triangular factor of a matrix."""
    @overload
    def qr(self, x: Any, /, *, mode: Literal["reduced", "complete"] = "reduced") -> QR[Any]: ...
    @overload
    def matrix_norm(self, x: _A, /, *, keepdims: builtins.bool = False, ord: float | str | None = "fro") -> _A:
        """Norm of a matrix: Frobenius, nuclear, or of the operator."""
    @overload
    def matrix_norm(self, x: Any, /, *, keepdims: builtins.bool = False, ord: float | str | None = "fro") -> Any: ...
    @overload
    def vector_norm(
        self,
        x: _A,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        keepdims: builtins.bool = False,
        ord: float | str | None = 2,
    ) -> _A:
        """Norm of a vector, along an axis or of all elements; its gradient at 0 is 0."""
    @overload
    def vector_norm(
        self,
        x: Any,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        keepdims: builtins.bool = False,
        ord: float | str | None = 2,
    ) -> Any: ...
    @overload
    def cross(self, x1: Tensor, x2: Any, /, *, axis: int = -1) -> Tensor:
        """Cross product of vectors of three elements."""
    @overload
    def cross(self, x1: Any, x2: Tensor, /, *, axis: int = -1) -> Tensor: ...
    @overload
    def cross(self, x1: Any, x2: Any, /, *, axis: int = -1) -> Any: ...
    @overload
    def diagonal(self, x: _A, /, *, offset: int = 0) -> _A:
        """Diagonal of a matrix."""
    @overload
    def diagonal(self, x: Any, /, *, offset: int = 0) -> Any: ...
    @overload
    def outer(self, x1: Tensor, x2: Any, /) -> Tensor:
        """All products of elements of two vectors."""
    @overload
    def outer(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def outer(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def trace(self, x: _A, /, *, offset: int = 0, dtype: Any = None) -> _A:
        """Sum of the diagonal of a matrix."""
    @overload
    def trace(self, x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any: ...
    @overload
    def eig(self, x: _A, /) -> Eig[_A]:
        """Eigenvalues and eigenvectors of a square matrix, complex ones."""
    @overload
    def eig(self, x: Any, /) -> Eig[Any]: ...
    @overload
    def eigh(self, x: _A, /) -> Eigh[_A]:
        """Eigenvalues and eigenvectors of a Hermitian matrix."""
    @overload
    def eigh(self, x: Any, /) -> Eigh[Any]: ...
    @overload
    def eigvals(self, x: _A, /) -> _A:
        """Eigenvalues of a square matrix, complex ones."""
    @overload
    def eigvals(self, x: Any, /) -> Any: ...
    @overload
    def eigvalsh(self, x: _A, /) -> _A:
        """Eigenvalues of a Hermitian matrix."""
    @overload
    def eigvalsh(self, x: Any, /) -> Any: ...
    @overload
    def svd(self, x: _A, /, *, full_matrices: builtins.bool = True) -> SVD[_A]:
        """Singular value decomposition of a matrix."""
    @overload
    def svd(self, x: Any, /, *, full_matrices: builtins.bool = True) -> SVD[Any]: ...
    @overload
    def svdvals(self, x: _A, /) -> _A:
        """Singular values of a matrix."""
    @overload
    def svdvals(self, x: Any, /) -> Any: ...
    @overload
    def inv(self, x: _A, /) -> _A:
        """Inverse of a matrix."""
    @overload
    def inv(self, x: Any, /) -> Any: ...
    @overload
    def matrix_power(self, x: _A, n: int, /) -> _A:
        """Power of a square matrix."""
    @overload
    def matrix_power(self, x: Any, n: int, /) -> Any: ...
    @overload
    def solve(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Solution of a system of linear equations."""
    @overload
    def solve(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def solve(self, x1: Any, x2: Any, /) -> Any: ...

class Fourier:
    """The ``fft`` extension of a namespace."""

    @overload
    def fft(self, x: _A, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> _A:
        """Discrete Fourier transform."""
    @overload
    def fft(self, x: Any, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> Any: ...
    @overload
    def ifft(self, x: _A, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> _A:
        """Inverse of `fft`."""
    @overload
    def ifft(self, x: Any, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> Any: ...
    @overload
    def rfft(self, x: _A, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> _A:
        """Discrete Fourier transform of real numbers: the half that is not redundant."""
    @overload
    def rfft(self, x: Any, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> Any: ...
    @overload
    def irfft(self, x: _A, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> _A:
        """Inverse of `rfft`."""
    @overload
    def irfft(self, x: Any, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> Any: ...
    @overload
    def fftn(
        self, x: _A, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: _Norm = "backward"
    ) -> _A:
        """Discrete Fourier transform along several axes."""
    @overload
    def fftn(
        self, x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: _Norm = "backward"
    ) -> Any: ...
    @overload
    def ifftn(
        self, x: _A, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: _Norm = "backward"
    ) -> _A:
        """Inverse of `fftn`."""
    @overload
    def ifftn(
        self, x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: _Norm = "backward"
    ) -> Any: ...
    @overload
    def rfftn(
        self, x: _A, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: _Norm = "backward"
    ) -> _A:
        """Discrete Fourier transform of real numbers along several axes."""
    @overload
    def rfftn(
        self, x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: _Norm = "backward"
    ) -> Any: ...
    @overload
    def irfftn(
        self, x: _A, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: _Norm = "backward"
    ) -> _A:
        """Inverse of `rfftn`."""
    @overload
    def irfftn(
        self, x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: _Norm = "backward"
    ) -> Any: ...
    @overload
    def hfft(self, x: _A, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> _A:
        """Discrete Fourier transform of a Hermitian sequence, which is real."""
    @overload
    def hfft(self, x: Any, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> Any: ...
    @overload
    def ihfft(self, x: _A, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> _A:
        """Inverse of `hfft`."""
    @overload
    def ihfft(self, x: Any, /, *, n: int | None = None, axis: int = -1, norm: _Norm = "backward") -> Any: ...
    @overload
    def fftshift(self, x: _A, /, *, axes: int | tuple[int, ...] | None = None) -> _A:
        """The frequency 0 moved to the middle."""
    @overload
    def fftshift(self, x: Any, /, *, axes: int | tuple[int, ...] | None = None) -> Any: ...
    @overload
    def ifftshift(self, x: _A, /, *, axes: int | tuple[int, ...] | None = None) -> _A:
        """Inverse of `fftshift`."""
    @overload
    def ifftshift(self, x: Any, /, *, axes: int | tuple[int, ...] | None = None) -> Any: ...
    def fftfreq(self, n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
        """Frequencies of the terms of a discrete Fourier transform, for samples at distance `d`."""
    def rfftfreq(self, n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
        """Frequencies of the terms of a transform of real numbers, for samples at distance `d`."""

class Operations:
    """The operations and dtypes of a namespace."""

    @overload
    def add(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Sum of two arrays."""
    @overload
    def add(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def add(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def subtract(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Difference of two arrays."""
    @overload
    def subtract(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def subtract(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def multiply(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Product of two arrays, element by element."""
    @overload
    def multiply(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def multiply(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def divide(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Quotient of two arrays, element by element."""
    @overload
    def divide(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def divide(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def negative(self, x: _A, /) -> _A:
        """Each element with its sign changed."""
    @overload
    def negative(self, x: Any, /) -> Any: ...
    @overload
    def positive(self, x: _A, /) -> _A:
        """Each element as it is."""
    @overload
    def positive(self, x: Any, /) -> Any: ...
    @overload
    def reciprocal(self, x: _A, /) -> _A:
        """One divided by each element."""
    @overload
    def reciprocal(self, x: Any, /) -> Any: ...
    @overload
    def square(self, x: _A, /) -> _A:
        """Square of each element."""
    @overload
    def square(self, x: Any, /) -> Any: ...
    @overload
    def sqrt(self, x: _A, /) -> _A:
        """Square root of each element."""
    @overload
    def sqrt(self, x: Any, /) -> Any: ...
    @overload
    def pow(self, x1: Tensor, x2: Any, /) -> Tensor:
        """One array to the power of another, element by element."""
    @overload
    def pow(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def pow(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def floor_divide(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Quotient rounded down."""
    @overload
    def floor_divide(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def floor_divide(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def remainder(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Remainder of a division, with the sign of the divisor."""
    @overload
    def remainder(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def remainder(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def hypot(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Square root of the sum of two squares, without overflow; its gradient at (0, 0) is 0."""
    @overload
    def hypot(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def hypot(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def exp(self, x: _A, /) -> _A:
        """Exponential of each element."""
    @overload
    def exp(self, x: Any, /) -> Any: ...
    @overload
    def expm1(self, x: _A, /) -> _A:
        """``exp(x) - 1``, precise for small elements."""
    @overload
    def expm1(self, x: Any, /) -> Any: ...
    @overload
    def log(self, x: _A, /) -> _A:
        """Natural logarithm of each element."""
    @overload
    def log(self, x: Any, /) -> Any: ...
    @overload
    def log1p(self, x: _A, /) -> _A:
        """``log(1 + x)``, precise for small elements."""
    @overload
    def log1p(self, x: Any, /) -> Any: ...
    @overload
    def log2(self, x: _A, /) -> _A:
        """Logarithm of each element to base 2."""
    @overload
    def log2(self, x: Any, /) -> Any: ...
    @overload
    def log10(self, x: _A, /) -> _A:
        """Logarithm of each element to base 10."""
    @overload
    def log10(self, x: Any, /) -> Any: ...
    @overload
    def logaddexp(self, x1: Tensor, x2: Any, /) -> Tensor:
        """``log(exp(x1) + exp(x2))``, without overflow."""
    @overload
    def logaddexp(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def logaddexp(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def sin(self, x: _A, /) -> _A:
        """Sine of each element."""
    @overload
    def sin(self, x: Any, /) -> Any: ...
    @overload
    def cos(self, x: _A, /) -> _A:
        """Cosine of each element."""
    @overload
    def cos(self, x: Any, /) -> Any: ...
    @overload
    def tan(self, x: _A, /) -> _A:
        """Tangent of each element."""
    @overload
    def tan(self, x: Any, /) -> Any: ...
    @overload
    def asin(self, x: _A, /) -> _A:
        """Inverse sine of each element."""
    @overload
    def asin(self, x: Any, /) -> Any: ...
    @overload
    def acos(self, x: _A, /) -> _A:
        """Inverse cosine of each element."""
    @overload
    def acos(self, x: Any, /) -> Any: ...
    @overload
    def atan(self, x: _A, /) -> _A:
        """Inverse tangent of each element."""
    @overload
    def atan(self, x: Any, /) -> Any: ...
    @overload
    def sinh(self, x: _A, /) -> _A:
        """Hyperbolic sine of each element."""
    @overload
    def sinh(self, x: Any, /) -> Any: ...
    @overload
    def cosh(self, x: _A, /) -> _A:
        """Hyperbolic cosine of each element."""
    @overload
    def cosh(self, x: Any, /) -> Any: ...
    @overload
    def tanh(self, x: _A, /) -> _A:
        """Hyperbolic tangent of each element."""
    @overload
    def tanh(self, x: Any, /) -> Any: ...
    @overload
    def asinh(self, x: _A, /) -> _A:
        """Inverse hyperbolic sine of each element."""
    @overload
    def asinh(self, x: Any, /) -> Any: ...
    @overload
    def acosh(self, x: _A, /) -> _A:
        """Inverse hyperbolic cosine of each element."""
    @overload
    def acosh(self, x: Any, /) -> Any: ...
    @overload
    def atanh(self, x: _A, /) -> _A:
        """Inverse hyperbolic tangent of each element."""
    @overload
    def atanh(self, x: Any, /) -> Any: ...
    @overload
    def atan2(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Angle of the point ``(x2, x1)``, in the right quadrant."""
    @overload
    def atan2(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def atan2(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def abs(self, x: _A, /) -> _A:
        """Absolute value of each element; its gradient at 0 is 0."""
    @overload
    def abs(self, x: Any, /) -> Any: ...
    @overload
    def sign(self, x: _A, /) -> _A:
        """Sign of each element: -1, 0 or 1, for complex numbers ``x / abs(x)``."""
    @overload
    def sign(self, x: Any, /) -> Any: ...
    @overload
    def conj(self, x: _A, /) -> _A:
        """Complex conjugate of each element."""
    @overload
    def conj(self, x: Any, /) -> Any: ...
    @overload
    def real(self, x: _A, /) -> _A:
        """Real part of each element."""
    @overload
    def real(self, x: Any, /) -> Any: ...
    @overload
    def imag(self, x: _A, /) -> _A:
        """Imaginary part of each element."""
    @overload
    def imag(self, x: Any, /) -> Any: ...
    @overload
    def maximum(self, x1: Tensor, x2: Any, /) -> Tensor:
        """The larger of two elements; where they are equal, both get half of the gradient."""
    @overload
    def maximum(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def maximum(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def minimum(self, x1: Tensor, x2: Any, /) -> Tensor:
        """The smaller of two elements; where they are equal, both get half of the gradient."""
    @overload
    def minimum(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def minimum(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def bounded(self, x: _A, /, *, low: float | None = None, high: float | None = None) -> _A:
        """Each element, or the bound that it exceeds; bounds are numbers."""
    @overload
    def bounded(self, x: Any, /, *, low: float | None = None, high: float | None = None) -> Any: ...
    @overload
    def clip(self, x: _A, /, min: Any = None, max: Any = None) -> _A:
        """Each element, or the bound that it exceeds; bounds are numbers or arrays."""
    @overload
    def clip(self, x: Any, /, min: Any = None, max: Any = None) -> Any: ...
    @overload
    def copysign(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Magnitude of one array with the sign of another."""
    @overload
    def copysign(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def copysign(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def nextafter(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Next number that can be represented, in the direction of the second array."""
    @overload
    def nextafter(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def nextafter(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def ceil(self, x: _A, /) -> _A:
        """Each element rounded up."""
    @overload
    def ceil(self, x: Any, /) -> Any: ...
    @overload
    def floor(self, x: _A, /) -> _A:
        """Each element rounded down."""
    @overload
    def floor(self, x: Any, /) -> Any: ...
    @overload
    def trunc(self, x: _A, /) -> _A:
        """Each element rounded towards 0."""
    @overload
    def trunc(self, x: Any, /) -> Any: ...
    @overload
    def round(self, x: _A, /) -> _A:
        """Each element rounded to the nearest integer, halves to even ones."""
    @overload
    def round(self, x: Any, /) -> Any: ...
    @overload
    def equal(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Whether an element is equal to its counterpart."""
    @overload
    def equal(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def equal(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def not_equal(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Whether an element differs from its counterpart."""
    @overload
    def not_equal(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def not_equal(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def less(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Whether an element is less than its counterpart."""
    @overload
    def less(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def less(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def less_equal(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Whether an element is at most its counterpart."""
    @overload
    def less_equal(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def less_equal(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def greater(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Whether an element is greater than its counterpart."""
    @overload
    def greater(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def greater(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def greater_equal(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Whether an element is at least its counterpart."""
    @overload
    def greater_equal(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def greater_equal(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def isclose(
        self, x1: Tensor, x2: Any, /, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: builtins.bool = False
    ) -> Tensor:
        """Whether elements are equal within a tolerance."""
    @overload
    def isclose(
        self, x1: Any, x2: Tensor, /, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: builtins.bool = False
    ) -> Tensor: ...
    @overload
    def isclose(
        self, x1: Any, x2: Any, /, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: builtins.bool = False
    ) -> Any: ...
    @overload
    def isfinite(self, x: _A, /) -> _A:
        """Whether each element is neither infinite nor NaN."""
    @overload
    def isfinite(self, x: Any, /) -> Any: ...
    @overload
    def isinf(self, x: _A, /) -> _A:
        """Whether each element is infinite."""
    @overload
    def isinf(self, x: Any, /) -> Any: ...
    @overload
    def isnan(self, x: _A, /) -> _A:
        """Whether each element is NaN."""
    @overload
    def isnan(self, x: Any, /) -> Any: ...
    @overload
    def signbit(self, x: _A, /) -> _A:
        """Whether the sign bit of each element is set, as that of -0.0 is."""
    @overload
    def signbit(self, x: Any, /) -> Any: ...
    @overload
    def bitwise_and(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Bits that both elements have."""
    @overload
    def bitwise_and(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def bitwise_and(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def bitwise_or(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Bits that one of the elements has."""
    @overload
    def bitwise_or(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def bitwise_or(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def bitwise_xor(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Bits that one of the elements has and the other has not."""
    @overload
    def bitwise_xor(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def bitwise_xor(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def bitwise_invert(self, x: _A, /) -> _A:
        """Each element with its bits inverted."""
    @overload
    def bitwise_invert(self, x: Any, /) -> Any: ...
    @overload
    def bitwise_left_shift(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Each element with its bits moved to the left."""
    @overload
    def bitwise_left_shift(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def bitwise_left_shift(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def bitwise_right_shift(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Each element with its bits moved to the right."""
    @overload
    def bitwise_right_shift(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def bitwise_right_shift(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def logical_and(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Whether both elements are true."""
    @overload
    def logical_and(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def logical_and(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def logical_or(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Whether one of the elements is true."""
    @overload
    def logical_or(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def logical_or(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def logical_xor(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Whether just one of the elements is true."""
    @overload
    def logical_xor(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def logical_xor(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def logical_not(self, x: _A, /) -> _A:
        """Whether each element is false."""
    @overload
    def logical_not(self, x: Any, /) -> Any: ...
    @overload
    def sum(
        self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, dtype: Any = None, keepdims: builtins.bool = False
    ) -> _A:
        """Sum of the elements, of all of them or along axes."""
    @overload
    def sum(
        self,
        x: Any,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        dtype: Any = None,
        keepdims: builtins.bool = False,
    ) -> Any: ...
    @overload
    def mean(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
        """Arithmetic mean of the elements."""
    @overload
    def mean(self, x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
    @overload
    def prod(
        self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, dtype: Any = None, keepdims: builtins.bool = False
    ) -> _A:
        """Product of the elements; its gradient is exact where some are 0."""
    @overload
    def prod(
        self,
        x: Any,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        dtype: Any = None,
        keepdims: builtins.bool = False,
    ) -> Any: ...
    @overload
    def max(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
        """Largest of the elements; those that share it share the gradient evenly."""
    @overload
    def max(self, x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
    @overload
    def min(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
        """Smallest of the elements; those that share it share the gradient evenly."""
    @overload
    def min(self, x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
    @overload
    def var(
        self,
        x: _A,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        correction: float = 0.0,
        keepdims: builtins.bool = False,
    ) -> _A:
        """Variance of the elements."""
    @overload
    def var(
        self,
        x: Any,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        correction: float = 0.0,
        keepdims: builtins.bool = False,
    ) -> Any: ...
    @overload
    def std(
        self,
        x: _A,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        correction: float = 0.0,
        keepdims: builtins.bool = False,
    ) -> _A:
        """Standard deviation of the elements; its gradient is 0 where they are all equal."""
    @overload
    def std(
        self,
        x: Any,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        correction: float = 0.0,
        keepdims: builtins.bool = False,
    ) -> Any: ...
    @overload
    def cumulative_sum(
        self,
        x: _A,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        dtype: Any = None,
        include_initial: builtins.bool = False,
    ) -> _A:
        """Sums of the elements up to each place."""
    @overload
    def cumulative_sum(
        self,
        x: Any,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        dtype: Any = None,
        include_initial: builtins.bool = False,
    ) -> Any: ...
    @overload
    def cumulative_prod(
        self,
        x: _A,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        dtype: Any = None,
        include_initial: builtins.bool = False,
    ) -> _A:
        """Products of the elements up to each place."""
    @overload
    def cumulative_prod(
        self,
        x: Any,
        /,
        *,
        axis: int | tuple[int, ...] | None = None,
        dtype: Any = None,
        include_initial: builtins.bool = False,
    ) -> Any: ...
    @overload
    def matmul(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Product of matrices, or of stacks of them."""
    @overload
    def matmul(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def matmul(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def matrix_transpose(self, x: _A, /) -> _A:
        """Transpose of a matrix, or of a stack of them."""
    @overload
    def matrix_transpose(self, x: Any, /) -> Any: ...
    @overload
    def vecdot(self, x1: Tensor, x2: Any, /, *, axis: int = -1) -> Tensor:
        """Sum of products along an axis, the first array being conjugated."""
    @overload
    def vecdot(self, x1: Any, x2: Tensor, /, *, axis: int = -1) -> Tensor: ...
    @overload
    def vecdot(self, x1: Any, x2: Any, /, *, axis: int = -1) -> Any: ...
    @overload
    def tensordot(self, x1: Tensor, x2: Any, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
        """Sum of products over axes of two arrays."""
    @overload
    def tensordot(self, x1: Any, x2: Tensor, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor: ...
    @overload
    def tensordot(self, x1: Any, x2: Any, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Any: ...
    @overload
    def norm(self, x: _A, /) -> _A:
        """Euclidean norm of all elements; its gradient at 0 is 0."""
    @overload
    def norm(self, x: Any, /) -> Any: ...
    @overload
    def reshape(self, x: _A, /, shape: int | tuple[int, ...], *, copy: builtins.bool | None = None) -> _A:
        """The elements in another shape."""
    @overload
    def reshape(self, x: Any, /, shape: int | tuple[int, ...], *, copy: builtins.bool | None = None) -> Any: ...
    @overload
    def permute_dims(self, x: _A, /, axes: tuple[int, ...]) -> _A:
        """The axes in another order."""
    @overload
    def permute_dims(self, x: Any, /, axes: tuple[int, ...]) -> Any: ...
    @overload
    def expand_dims(self, x: _A, /, axis: _Axes) -> _A:
        """The array with a new axis of one element."""
    @overload
    def expand_dims(self, x: Any, /, axis: _Axes) -> Any: ...
    @overload
    def squeeze(self, x: _A, /, axis: _Axes) -> _A:
        """The array without axes of one element."""
    @overload
    def squeeze(self, x: Any, /, axis: _Axes) -> Any: ...
    @overload
    def moveaxis(self, x: _A, source: _Axes, destination: _Axes, /) -> _A:
        """The array with axes moved to other positions."""
    @overload
    def moveaxis(self, x: Any, source: _Axes, destination: _Axes, /) -> Any: ...
    @overload
    def broadcast_to(self, x: _A, /, shape: int | tuple[int, ...]) -> _A:
        """The array repeated to a larger shape."""
    @overload
    def broadcast_to(self, x: Any, /, shape: int | tuple[int, ...]) -> Any: ...
    @overload
    def concat(self, arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
        """Arrays joined along an axis that they have."""
    @overload
    def concat(self, arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any: ...
    @overload
    def stack(self, arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
        """Arrays joined along a new axis."""
    @overload
    def stack(self, arrays: Sequence[Any], /, *, axis: int = 0) -> Any: ...
    @overload
    def flip(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None) -> _A:
        """The elements in reverse order."""
    @overload
    def flip(self, x: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Any: ...
    @overload
    def roll(self, x: _A, /, shift: _Axes, *, axis: int | tuple[int, ...] | None = None) -> _A:
        """The elements moved along axes, from the end to the start."""
    @overload
    def roll(self, x: Any, /, shift: _Axes, *, axis: int | tuple[int, ...] | None = None) -> Any: ...
    @overload
    def tile(self, x: _A, repetitions: tuple[int, ...], /) -> _A:
        """The array as a whole repeated."""
    @overload
    def tile(self, x: Any, repetitions: tuple[int, ...], /) -> Any: ...
    @overload
    def pad(
        self, x: _A, /, pad_width: Any, mode: Literal["constant"] = "constant", *, constant_values: complex = 0
    ) -> _A:
        """The array with constants around it."""
    @overload
    def pad(
        self, x: Any, /, pad_width: Any, mode: Literal["constant"] = "constant", *, constant_values: complex = 0
    ) -> Any: ...
    @overload
    def repeat(self, x: Tensor, repeats: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Tensor:
        """Each element repeated."""
    @overload
    def repeat(self, x: Any, repeats: Tensor, /, *, axis: int | tuple[int, ...] | None = None) -> Tensor: ...
    @overload
    def repeat(self, x: Any, repeats: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Any: ...
    @overload
    def unstack(self, x: _A, /, *, axis: int = 0) -> tuple[_A, ...]:
        """The parts of an array along an axis."""
    @overload
    def unstack(self, x: Any, /, *, axis: int = 0) -> tuple[Any, ...]: ...
    @overload
    def broadcast_arrays(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """Arrays repeated to the shape that they have in common."""
    @overload
    def broadcast_arrays(self, *arrays: Any) -> tuple[Any, ...]: ...
    @overload
    def getitem(self, x: _A, /, key: Any) -> _A:
        """``x[key]``, as a function."""
    @overload
    def getitem(self, x: Any, /, key: Any) -> Any: ...
    @overload
    def setitem(self, x: Tensor, value: Any, /, *, key: Any) -> Tensor:
        """A copy with ``x[key] = value``."""
    @overload
    def setitem(self, x: Any, value: Tensor, /, *, key: Any) -> Tensor: ...
    @overload
    def setitem(self, x: Any, value: Any, /, *, key: Any) -> Any: ...
    @overload
    def embed(self, x: _A, /, *, key: Any, shape: int | tuple[int, ...]) -> _A:
        """Zeros with an array added at a key, as indexing is transposed."""
    @overload
    def embed(self, x: Any, /, *, key: Any, shape: int | tuple[int, ...]) -> Any: ...
    @overload
    def embed_all(self, arrays: Sequence[Tensor], /, *, keys: Sequence[Any], shape: int | tuple[int, ...]) -> Tensor:
        """Zeros with each of several arrays added at its key."""
    @overload
    def embed_all(self, arrays: Sequence[Any], /, *, keys: Sequence[Any], shape: int | tuple[int, ...]) -> Any: ...
    @overload
    def scatter_add(self, x: Tensor, indices: Any, value: Any, /) -> Tensor:
        """A copy with values added at indices along the first axis; repeated ones add up."""
    @overload
    def scatter_add(self, x: Any, indices: Tensor, value: Any, /) -> Tensor: ...
    @overload
    def scatter_add(self, x: Any, indices: Any, value: Tensor, /) -> Tensor: ...
    @overload
    def scatter_add(self, x: Any, indices: Any, value: Any, /) -> Any: ...
    @overload
    def take(self, x: Tensor, indices: Any, /, *, axis: int | None = None) -> Tensor:
        """Elements at indices along an axis."""
    @overload
    def take(self, x: Any, indices: Tensor, /, *, axis: int | None = None) -> Tensor: ...
    @overload
    def take(self, x: Any, indices: Any, /, *, axis: int | None = None) -> Any: ...
    @overload
    def take_along_axis(self, x: Tensor, indices: Any, /, *, axis: int = -1) -> Tensor:
        """Elements at indices of their own in each row, as `argsort` gives them."""
    @overload
    def take_along_axis(self, x: Any, indices: Tensor, /, *, axis: int = -1) -> Tensor: ...
    @overload
    def take_along_axis(self, x: Any, indices: Any, /, *, axis: int = -1) -> Any: ...
    @overload
    def where(self, condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
        """Elements of one array where a condition holds, of another elsewhere."""
    @overload
    def where(self, condition: Any, x1: Tensor, x2: Any, /) -> Tensor: ...
    @overload
    def where(self, condition: Any, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def where(self, condition: Any, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def argmax(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
        """Index of the largest element."""
    @overload
    def argmax(
        self, x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False
    ) -> Any: ...
    @overload
    def argmin(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
        """Index of the smallest element."""
    @overload
    def argmin(
        self, x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False
    ) -> Any: ...
    @overload
    def count_nonzero(
        self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False
    ) -> _A:
        """Number of elements that are not 0."""
    @overload
    def count_nonzero(
        self, x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False
    ) -> Any: ...
    @overload
    def searchsorted(
        self, x1: Tensor, x2: Any, /, *, side: Literal["left", "right"] = "left", sorter: Any = None
    ) -> Tensor:
        """Where elements would have to be inserted to keep an array sorted."""
    @overload
    def searchsorted(
        self, x1: Any, x2: Tensor, /, *, side: Literal["left", "right"] = "left", sorter: Any = None
    ) -> Tensor: ...
    @overload
    def searchsorted(
        self, x1: Any, x2: Any, /, *, side: Literal["left", "right"] = "left", sorter: Any = None
    ) -> Any: ...
    @overload
    def nonzero(self, x: _A, /) -> tuple[_A, ...]:
        """Indices of the elements that are not 0, for each axis."""
    @overload
    def nonzero(self, x: Any, /) -> tuple[Any, ...]: ...
    @overload
    def argsort(
        self, x: _A, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True
    ) -> _A:
        """Indices that sort an array."""
    @overload
    def argsort(
        self, x: Any, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True
    ) -> Any: ...
    @overload
    def sort(self, x: _A, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> _A:
        """The elements in order."""
    @overload
    def sort(
        self, x: Any, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True
    ) -> Any: ...
    @overload
    def isin(self, x1: Tensor, x2: Any, /, *, invert: builtins.bool = False) -> Tensor:
        """Whether each element is among those of another array."""
    @overload
    def isin(self, x1: Any, x2: Tensor, /, *, invert: builtins.bool = False) -> Tensor: ...
    @overload
    def isin(self, x1: Any, x2: Any, /, *, invert: builtins.bool = False) -> Any: ...
    @overload
    def unique_all(self, x: _A, /) -> UniqueAll[_A]:
        """Distinct elements, where each is first, which one each element is, and how often it occurs."""
    @overload
    def unique_all(self, x: Any, /) -> UniqueAll[Any]: ...
    @overload
    def unique_counts(self, x: _A, /) -> UniqueCounts[_A]:
        """Distinct elements and how often each occurs."""
    @overload
    def unique_counts(self, x: Any, /) -> UniqueCounts[Any]: ...
    @overload
    def unique_inverse(self, x: _A, /) -> UniqueInverse[_A]:
        """Distinct elements and which of them each element is."""
    @overload
    def unique_inverse(self, x: Any, /) -> UniqueInverse[Any]: ...
    @overload
    def unique_values(self, x: _A, /) -> _A:
        """Distinct elements."""
    @overload
    def unique_values(self, x: Any, /) -> Any: ...
    @overload
    def astype(self, x: _A, dtype: Any, /, *, copy: builtins.bool = True, device: Any = None) -> _A:
        """The elements in another dtype."""
    @overload
    def astype(self, x: Any, dtype: Any, /, *, copy: builtins.bool = True, device: Any = None) -> Any: ...
    @overload
    def clone(self, x: _A, /) -> _A:
        """An independent copy, through which gradients flow."""
    @overload
    def clone(self, x: Any, /) -> Any: ...
    @overload
    def to_device(self, x: _A, /, device: Any, *, stream: Any = None) -> _A:
        """The array on another device."""
    @overload
    def to_device(self, x: Any, /, device: Any, *, stream: Any = None) -> Any: ...
    @overload
    def to_backend(self, x: _A, /, name: str, *, device: Any = None, lifted: builtins.bool = False) -> _A:
        """The array in another library, through memory of the host."""
    @overload
    def to_backend(self, x: Any, /, name: str, *, device: Any = None, lifted: builtins.bool = False) -> Any: ...
    @overload
    def tril(self, x: _A, /, *, k: int = 0) -> _A:
        """The lower triangle of a matrix, with zeros above it."""
    @overload
    def tril(self, x: Any, /, *, k: int = 0) -> Any: ...
    @overload
    def triu(self, x: _A, /, *, k: int = 0) -> _A:
        """The upper triangle of a matrix, with zeros below it."""
    @overload
    def triu(self, x: Any, /, *, k: int = 0) -> Any: ...
    @overload
    def zeros_like(self, x: _A, /, *, dtype: Any = None, device: Any = None) -> _A:
        """Zeros in the shape of an array."""
    @overload
    def zeros_like(self, x: Any, /, *, dtype: Any = None, device: Any = None) -> Any: ...
    @overload
    def ones_like(self, x: _A, /, *, dtype: Any = None, device: Any = None) -> _A:
        """Ones in the shape of an array."""
    @overload
    def ones_like(self, x: Any, /, *, dtype: Any = None, device: Any = None) -> Any: ...
    @overload
    def full_like(self, x: _A, /, fill_value: complex, *, dtype: Any = None, device: Any = None) -> _A:
        """One value in the shape of an array."""
    @overload
    def full_like(self, x: Any, /, fill_value: complex, *, dtype: Any = None, device: Any = None) -> Any: ...
    @overload
    def all(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
        """Whether all elements are true."""
    @overload
    def all(self, x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
    @overload
    def any(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
        """Whether one of the elements is true."""
    @overload
    def any(self, x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> Any: ...
    @overload
    def defined_where(self, x: Tensor, condition: Any, /, *, reason: str = "") -> Tensor:
        """The array itself, which is meaningless unless a condition holds."""
    @overload
    def defined_where(self, x: Any, condition: Tensor, /, *, reason: str = "") -> Tensor: ...
    @overload
    def defined_where(self, x: Any, condition: Any, /, *, reason: str = "") -> Any: ...
    @overload
    def diff(self, x: _A, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> _A:
        """Differences of neighbours along an axis."""
    @overload
    def diff(self, x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Any: ...
    @overload
    def cofactors(self, x: _A, /) -> _A:
        """Matrix of cofactors, the gradient of the determinant."""
    @overload
    def cofactors(self, x: Any, /) -> Any: ...
    @overload
    def cholesky_pullback(self, x1: Tensor, x2: Any, /) -> Tensor:
        """Gradient in a Hermitian matrix, from that in its lower Cholesky factor."""
    @overload
    def cholesky_pullback(self, x1: Any, x2: Tensor, /) -> Tensor: ...
    @overload
    def cholesky_pullback(self, x1: Any, x2: Any, /) -> Any: ...
    @overload
    def diagonal_matrix(self, x: _A, /, *, shape: int | tuple[int, ...], offset: int = 0) -> _A:
        """Zeros with a given diagonal, the transpose of `linalg.diagonal`."""
    @overload
    def diagonal_matrix(self, x: Any, /, *, shape: int | tuple[int, ...], offset: int = 0) -> Any: ...
    @overload
    def solve_triangular(self, x1: Tensor, x2: Any, /, *, upper: builtins.bool = False) -> Tensor:
        """Solution of a linear system with a triangular matrix, of which the other triangle is not read."""
    @overload
    def solve_triangular(self, x1: Any, x2: Tensor, /, *, upper: builtins.bool = False) -> Tensor: ...
    @overload
    def solve_triangular(self, x1: Any, x2: Any, /, *, upper: builtins.bool = False) -> Any: ...
    @overload
    def contract(self, x1: Tensor, x2: Any, /, *, labels: tuple[str, str, str]) -> Tensor:
        """Sum of products of two arrays, whose axes are named by letters."""
    @overload
    def contract(self, x1: Any, x2: Tensor, /, *, labels: tuple[str, str, str]) -> Tensor: ...
    @overload
    def contract(self, x1: Any, x2: Any, /, *, labels: tuple[str, str, str]) -> Any: ...
    @overload
    def einsum(self, subscripts: str, /, *arrays: Tensor, optimize: builtins.bool | str = "auto") -> Tensor:
        """Sum of products by Einstein's convention."""
    @overload
    def einsum(self, subscripts: str, /, *arrays: Any, optimize: builtins.bool | str = "auto") -> Any: ...
    @overload
    def logsumexp(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False) -> _A:
        """Logarithm of the sum of exponentials, without overflow."""
    @overload
    def logsumexp(
        self, x: Any, /, *, axis: int | tuple[int, ...] | None = None, keepdims: builtins.bool = False
    ) -> Any: ...
    @overload
    def softmax(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None) -> _A:
        """Exponentials divided by their sum."""
    @overload
    def softmax(self, x: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Any: ...
    @overload
    def log_softmax(self, x: _A, /, *, axis: int | tuple[int, ...] | None = None) -> _A:
        """Logarithm of `softmax`, precise for small shares."""
    @overload
    def log_softmax(self, x: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Any: ...
    @overload
    def rechunk(self, x: _A, /, chunks: Any) -> _A:
        """The array in other chunks, where its backend has chunks."""
    @overload
    def rechunk(self, x: Any, /, chunks: Any) -> Any: ...
    @property
    def bool(self) -> Any: ...
    @property
    def int8(self) -> Any: ...
    @property
    def int16(self) -> Any: ...
    @property
    def int32(self) -> Any: ...
    @property
    def int64(self) -> Any: ...
    @property
    def uint8(self) -> Any: ...
    @property
    def uint16(self) -> Any: ...
    @property
    def uint32(self) -> Any: ...
    @property
    def uint64(self) -> Any: ...
    @property
    def float32(self) -> Any: ...
    @property
    def float64(self) -> Any: ...
    @property
    def complex64(self) -> Any: ...
    @property
    def complex128(self) -> Any: ...

class Methods:
    """What arrays do, tensors among them."""

    def __add__(self, other: Any) -> Self: ...
    def __radd__(self, other: Any) -> Self: ...
    def __iadd__(self, other: Any) -> Self: ...
    def __sub__(self, other: Any) -> Self: ...
    def __rsub__(self, other: Any) -> Self: ...
    def __isub__(self, other: Any) -> Self: ...
    def __mul__(self, other: Any) -> Self: ...
    def __rmul__(self, other: Any) -> Self: ...
    def __imul__(self, other: Any) -> Self: ...
    def __truediv__(self, other: Any) -> Self: ...
    def __rtruediv__(self, other: Any) -> Self: ...
    def __itruediv__(self, other: Any) -> Self: ...
    def __floordiv__(self, other: Any) -> Self: ...
    def __rfloordiv__(self, other: Any) -> Self: ...
    def __ifloordiv__(self, other: Any) -> Self: ...
    def __mod__(self, other: Any) -> Self: ...
    def __rmod__(self, other: Any) -> Self: ...
    def __imod__(self, other: Any) -> Self: ...
    def __pow__(self, other: Any) -> Self: ...
    def __rpow__(self, other: Any) -> Self: ...
    def __ipow__(self, other: Any) -> Self: ...
    def __matmul__(self, other: Any) -> Self: ...
    def __rmatmul__(self, other: Any) -> Self: ...
    def __imatmul__(self, other: Any) -> Self: ...
    def __and__(self, other: Any) -> Self: ...
    def __rand__(self, other: Any) -> Self: ...
    def __iand__(self, other: Any) -> Self: ...
    def __or__(self, other: Any) -> Self: ...
    def __ror__(self, other: Any) -> Self: ...
    def __ior__(self, other: Any) -> Self: ...
    def __xor__(self, other: Any) -> Self: ...
    def __rxor__(self, other: Any) -> Self: ...
    def __ixor__(self, other: Any) -> Self: ...
    def __lshift__(self, other: Any) -> Self: ...
    def __rlshift__(self, other: Any) -> Self: ...
    def __ilshift__(self, other: Any) -> Self: ...
    def __rshift__(self, other: Any) -> Self: ...
    def __rrshift__(self, other: Any) -> Self: ...
    def __irshift__(self, other: Any) -> Self: ...
    def __lt__(self, other: Any) -> Self: ...
    def __le__(self, other: Any) -> Self: ...
    def __gt__(self, other: Any) -> Self: ...
    def __ge__(self, other: Any) -> Self: ...
    def abs(self, /) -> Self:
        """Absolute value of each element; its gradient at 0 is 0."""
    def acos(self, /) -> Self:
        """Inverse cosine of each element."""
    def acosh(self, /) -> Self:
        """Inverse hyperbolic cosine of each element."""
    def asin(self, /) -> Self:
        """Inverse sine of each element."""
    def asinh(self, /) -> Self:
        """Inverse hyperbolic sine of each element."""
    def atan(self, /) -> Self:
        """Inverse tangent of each element."""
    def atanh(self, /) -> Self:
        """Inverse hyperbolic tangent of each element."""
    def ceil(self, /) -> Self:
        """Each element rounded up."""
    def conj(self, /) -> Self:
        """Complex conjugate of each element."""
    def cos(self, /) -> Self:
        """Cosine of each element."""
    def cosh(self, /) -> Self:
        """Hyperbolic cosine of each element."""
    def exp(self, /) -> Self:
        """Exponential of each element."""
    def expm1(self, /) -> Self:
        """``exp(x) - 1``, precise for small elements."""
    def floor(self, /) -> Self:
        """Each element rounded down."""
    def log(self, /) -> Self:
        """Natural logarithm of each element."""
    def log10(self, /) -> Self:
        """Logarithm of each element to base 10."""
    def log1p(self, /) -> Self:
        """``log(1 + x)``, precise for small elements."""
    def log2(self, /) -> Self:
        """Logarithm of each element to base 2."""
    def maximum(self, x2: Any, /) -> Self:
        """The larger of two elements; where they are equal, both get half of the gradient."""
    def minimum(self, x2: Any, /) -> Self:
        """The smaller of two elements; where they are equal, both get half of the gradient."""
    def matmul(self, x2: Any, /) -> Self:
        """Product of matrices, or of stacks of them."""
    def pow(self, x2: Any, /) -> Self:
        """One array to the power of another, element by element."""
    def reciprocal(self, /) -> Self:
        """One divided by each element."""
    def round(self, /) -> Self:
        """Each element rounded to the nearest integer, halves to even ones."""
    def sign(self, /) -> Self:
        """Sign of each element: -1, 0 or 1, for complex numbers ``x / abs(x)``."""
    def sin(self, /) -> Self:
        """Sine of each element."""
    def sinh(self, /) -> Self:
        """Hyperbolic sine of each element."""
    def sqrt(self, /) -> Self:
        """Square root of each element."""
    def square(self, /) -> Self:
        """Square of each element."""
    def tan(self, /) -> Self:
        """Tangent of each element."""
    def tanh(self, /) -> Self:
        """Hyperbolic tangent of each element."""
    def trunc(self, /) -> Self:
        """Each element rounded towards 0."""
    def astype(self, dtype: Any, /, *, copy: builtins.bool = True, device: Any = None) -> Self:
        """The elements in another dtype."""
    def permute_dims(self, /, axes: tuple[int, ...]) -> Self:
        """The axes in another order."""
    def squeeze(self, /, axis: _Axes) -> Self:
        """The array without axes of one element."""
    def clip(self, /, min: Any = None, max: Any = None) -> Self:
        """Each element, or the bound that it exceeds; bounds are numbers or arrays."""
    def clone(self, /) -> Self:
        """An independent copy, through which gradients flow."""
    def sum(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
        dtype: Any = None,
    ) -> Self:
        """Sum of the elements, of all of them or along axes."""
    def mean(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
    ) -> Self:
        """Arithmetic mean of the elements."""
    def prod(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
        dtype: Any = None,
    ) -> Self:
        """Product of the elements; its gradient is exact where some are 0."""
    def max(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
    ) -> Self:
        """Largest of the elements; those that share it share the gradient evenly."""
    def min(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
    ) -> Self:
        """Smallest of the elements; those that share it share the gradient evenly."""
    def std(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
        correction: float | None = None,
        ddof: float | None = None,
    ) -> Self:
        """Standard deviation of the elements; its gradient is 0 where they are all equal."""
    def var(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
        correction: float | None = None,
        ddof: float | None = None,
    ) -> Self:
        """Variance of the elements."""
    def any(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
    ) -> Self:
        """Whether one of the elements is true."""
    def all(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
    ) -> Self:
        """Whether all elements are true."""
    def argmax(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
    ) -> Self:
        """Index of the largest element."""
    def argmin(
        self,
        axis: _Axes | None = None,
        *,
        dim: _Axes | None = None,
        keepdims: builtins.bool | None = None,
        keepdim: builtins.bool | None = None,
        out: None = None,
    ) -> Self:
        """Index of the smallest element."""

    def __eq__(self, other: object) -> Self: ...  # type: ignore[override]
    def __ne__(self, other: object) -> Self: ...  # type: ignore[override]
    def __neg__(self) -> Self: ...
    def __pos__(self) -> Self: ...
    def __abs__(self) -> Self: ...
    def __invert__(self) -> Self: ...
    def __getitem__(self, key: Any) -> Self: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def __array__(self, dtype: Any = None, copy: builtins.bool | None = None) -> Any: ...
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any: ...
    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any: ...
    def __dlpack__(self, **options: Any) -> Any: ...
    def __dlpack_device__(self) -> Any: ...
    def __float__(self) -> float: ...
    def __int__(self) -> int: ...
    def __complex__(self) -> complex: ...
    def __index__(self) -> int: ...
    def __bool__(self) -> builtins.bool: ...
    @property
    def real(self) -> Self:
        """Real part."""
    @property
    def imag(self) -> Self:
        """Imaginary part."""
    @property
    def flat(self) -> Self:
        """A view on one axis."""
    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """The sizes of the chunks along each axis, for arrays that have chunks."""
    def item(self) -> Any:
        """The only element as a Python number."""
    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
    def detach(self) -> Tensor:
        """The values without graph or tangents at any level, as a tensor that shares them."""
    def to_device(self, device: Any, /, *, stream: Any = None) -> Self:
        """`agnograd.to_device` of this tensor."""
    def reshape(self, *shape: int | tuple[int, ...]) -> Self:
        """`agnograd.reshape`, sizes as separate arguments or as a tuple."""
    def view(self, *shape: int | tuple[int, ...]) -> Self:
        """`agnograd.reshape`, sizes as separate arguments or as a tuple."""
    def norm(self) -> Self:
        """Euclidean norm of all elements; its gradient at 0 is 0."""
    def softmax(self, dim: _Axes) -> Self:
        """`agnograd.softmax` of this tensor along `dim`."""
    def log_softmax(self, dim: _Axes) -> Self:
        """`agnograd.log_softmax` of this tensor along `dim`."""
    def logsumexp(self, dim: _Axes, keepdim: builtins.bool = False) -> Self:
        """`agnograd.logsumexp` of this tensor over `dim`."""
    def conjugate(self) -> Self:
        """Complex conjugate of each element."""
    def copy(self, order: str | None = None) -> Self:
        """An independent copy; gradients flow through it."""
    def flatten(self, start_dim: int | str = 0, end_dim: int = -1) -> Self:
        """A copy on one axis, or with the axes from `start_dim` to `end_dim` merged."""
    def ravel(self, order: str = "C") -> Self:
        """A view on one axis."""
    def transpose(self, *axes: int | tuple[int, ...]) -> Self:
        """A view with its axes reversed, permuted or swapped."""
    def take(self, indices: Any, axis: int | None = None) -> Self:
        """Elements along an axis, of all of them in one row if none is given."""
    def rechunk(self, chunks: Any) -> Self:
        """The same values in other chunks, given as dask's ``rechunk`` takes them."""
    def compute(self, **options: Any) -> Self:
        """`agnograd.compute` of this tensor alone."""
    def persist(self, **options: Any) -> Self:
        """`agnograd.persist` of this tensor alone."""
    def visualize(self, filename: str = "mydask", **options: Any) -> Any:
        """The graph of a lazy array as a picture, as ``dask.visualize`` draws it."""
