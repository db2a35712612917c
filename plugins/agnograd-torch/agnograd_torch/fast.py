"""Common functions that go straight to PyTorch where array-api-compat would too, without its Python layers.

Each looks for what makes the two agree: tensors of PyTorch's own class, of one dtype, outside of PyTorch's graphs, and
parameters that mean the same in both. All else goes to the function that `namespace` would have had in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from agnograd_torch.graphs import refuse_graphs

Array = Any
Function = Callable[..., Any]

_TENSOR = torch.Tensor
_REAL = frozenset((float, int))
_FLOATS = frozenset((torch.float32, torch.float64))
_EXACT = 2**53  # integers below it are floating-point numbers

# The names of the array API are aliases in PyTorch, which are dispatched twice.
_TWO: dict[str, Function] = {
    "add": torch.add,
    "atan2": torch.atan2,
    "copysign": torch.copysign,
    "divide": torch.div,
    "equal": torch.eq,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "hypot": torch.hypot,
    "less": torch.lt,
    "less_equal": torch.le,
    "logaddexp": torch.logaddexp,
    "matmul": torch.matmul,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "multiply": torch.mul,
    "nextafter": torch.nextafter,
    "not_equal": torch.ne,
    "pow": torch.pow,
    "remainder": torch.remainder,
    "subtract": torch.sub,
}
# Those that take a Python number for one of them, as array-api-compat passes it on.
_NUMBERS = frozenset(("add", "divide", "multiply", "subtract"))
_ONE = frozenset(
    (
        *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "exp", "expm1", "floor"),
        *("isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2", "logical_not", "negative", "positive"),
        *("reciprocal", "round", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc"),
    )
)


def of_one(function: Function) -> Function:
    """A function of one array."""

    @wraps(function)
    def call(x: Array, /) -> Array:
        if type(x) is not _TENSOR or x.requires_grad:
            refuse_graphs(x)
        return function(x)

    return call


def of_two(function: Function, native: Function) -> Function:
    """A function of two arrays; `native` is what it calls where nothing is promoted."""

    @wraps(function)
    def call(x1: Array, x2: Array, /) -> Array:
        if type(x1) is _TENSOR is type(x2) and x1.dtype is x2.dtype and not (x1.requires_grad or x2.requires_grad):
            return native(x1, x2)
        refuse_graphs(x1, x2)
        return function(x1, x2)

    return call


def with_numbers(function: Function, native: Function) -> Function:
    """The same for one that PyTorch computes with Python numbers too."""
    divides = native is torch.div

    @wraps(function)
    def call(x1: Array, x2: Array, /) -> Array:
        if type(x1) is _TENSOR:
            if type(x2) is _TENSOR:
                if x1.dtype is x2.dtype and not (x1.requires_grad or x2.requires_grad):
                    return native(x1, x2)
            elif type(x2) in _REAL and not x1.requires_grad:
                return native(x1, _number(x2, x1))
        elif type(x1) in _REAL and type(x2) is _TENSOR and not x2.requires_grad:
            if divides and x1 == 1 and x2.dtype in _FLOATS:
                return torch.reciprocal(x2)
            return native(_number(x1, x2), x2)
        refuse_graphs(x1, x2)
        return function(x1, x2)

    return call


def _number(value: float, beside: Array) -> float:
    # PyTorch makes an array of integers of an integer, and one of floating-point numbers of that.
    return float(value) if type(value) is int and beside.dtype in _FLOATS and -_EXACT < value < _EXACT else value


def _sum(function: Function) -> Function:
    def sum(x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
        if type(x) is _TENSOR and not x.requires_grad and dtype is None:
            if axis is None:
                if not keepdims:
                    return torch.sum(x)
            elif axis != ():
                return torch.sum(x, axis, keepdims)
        refuse_graphs(x)
        return function(x, axis=axis, dtype=dtype, keepdims=keepdims)

    return sum


def _mean(function: Function) -> Function:
    def mean(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
        if type(x) is _TENSOR and not x.requires_grad:
            if axis is None:
                if not keepdims:
                    return torch.mean(x)
            elif axis != ():
                return torch.mean(x, axis, keepdims)
        refuse_graphs(x)
        return function(x, axis=axis, keepdims=keepdims)

    return mean


def _broadcast_to(function: Function) -> Function:
    def broadcast_to(x: Array, /, shape: tuple[int, ...]) -> Array:
        if type(x) is _TENSOR and not x.requires_grad and -1 not in shape:
            return x.expand(shape)
        refuse_graphs(x)
        return function(x, shape)

    return broadcast_to


def _reshape(function: Function) -> Function:
    def reshape(x: Array, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Array:
        if copy is None and type(x) is _TENSOR and not x.requires_grad:
            return x.reshape(shape)
        refuse_graphs(x)
        return function(x, shape, copy=copy)

    return reshape


def _matrix_transpose(function: Function) -> Function:
    def matrix_transpose(x: Array, /) -> Array:
        if type(x) is _TENSOR and not x.requires_grad and x.ndim > 1:
            return x.mT
        refuse_graphs(x)
        return function(x)

    return matrix_transpose


_OTHERS: dict[str, Callable[[Function], Function]] = {
    "broadcast_to": _broadcast_to,
    "matrix_transpose": _matrix_transpose,
    "mean": _mean,
    "reshape": _reshape,
    "sum": _sum,
}
# They take no arrays.
_FREE = frozenset(("ones", "zeros"))


def faster(name: str, function: Function) -> Function | None:
    """The function of that name in the standard with a short way, and with a check; None where there is none."""
    if name in _FREE:
        return function
    if name in _ONE:
        return of_one(function)
    if name in _TWO:
        return (with_numbers if name in _NUMBERS else of_two)(function, _TWO[name])
    return wraps(function)(_OTHERS[name](function)) if name in _OTHERS else None
