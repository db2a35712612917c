"""Methods of all wrappers: operations of the table under the names that users of PyTorch know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.core.array import Array
from agnograd.core.recorders import make_call
from agnograd.core.table import OPS

# Methods that take what the operation takes.
_SAME = (
    *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "conj", "cos", "cosh", "exp", "expm1", "floor"),
    *("log", "log10", "log1p", "log2", "maximum", "minimum", "matmul", "pow", "reciprocal", "round", "sign", "sin"),
    *("sinh", "sqrt", "square", "tan", "tanh", "trunc", "astype", "permute_dims", "squeeze", "clip", "clone"),
)
_REDUCTIONS = ("sum", "mean", "prod", "max", "min", "std", "var", "any", "all", "argmax", "argmin")


def install_methods() -> None:
    """Set the methods of `Array`, once the table is filled."""
    for name in _SAME:
        setattr(Array, name, _method(name))
    for name in _REDUCTIONS:
        setattr(Array, name, _reduction(name))
    for name, function in {
        "reshape": _reshape,
        "view": _reshape,
        "norm": _norm,
        "softmax": _softmax,
        "log_softmax": _log_softmax,
        "logsumexp": _logsumexp,
        "real": property(OPS["real"].call, doc="Real part."),
        "imag": property(OPS["imag"].call, doc="Imaginary part."),
    }.items():
        setattr(Array, name, function)


def _method(name: str) -> Callable[..., Any]:
    # The function of the operation itself: one that only called it would cost a tenth of a small operation.
    method = make_call(OPS[name])
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = f"`agnograd.{name}` of this tensor."
    return method


def _reduction(name: str) -> Callable[..., Any]:
    call = OPS[name].call

    def method(self: Any, axis: Any = None, **params: Any) -> Any:
        if axis is None and not params:
            return call(self)
        # PyTorch's users say dim and keepdim, NumPy's out=None.
        axis = params.pop("dim", axis)
        if "keepdim" in params:
            params["keepdims"] = params.pop("keepdim")
        if "ddof" in params:
            params["correction"] = params.pop("ddof")
        if params.pop("out", None) is not None:
            msg = f"{name}(out=...) does not support automatic differentiation"
            raise RuntimeError(msg)
        params = {k: v for k, v in params.items() if v is not None}
        if axis is not None:
            params["axis"] = axis
        return call(self, **params)

    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = f"`agnograd.{name}` of this tensor; ``dim`` and ``keepdim`` are accepted for axis and keepdims."
    return method


def _reshape(self: Any, *shape: Any) -> Any:
    """`agnograd.reshape`, sizes as separate arguments or as a tuple."""
    return OPS["reshape"].call(self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)


def _norm(self: Any) -> Any:
    """Euclidean norm of all elements; its gradient at 0 is 0."""
    return OPS["norm"].call(self)


def _softmax(self: Any, dim: int | tuple[int, ...]) -> Any:
    """`agnograd.softmax` of this tensor along `dim`."""
    return OPS["softmax"].call(self, axis=dim)


def _log_softmax(self: Any, dim: int | tuple[int, ...]) -> Any:
    """`agnograd.log_softmax` of this tensor along `dim`."""
    return OPS["log_softmax"].call(self, axis=dim)


def _logsumexp(self: Any, dim: int | tuple[int, ...], keepdim: bool = False) -> Any:
    """`agnograd.logsumexp` of this tensor over `dim`."""
    return OPS["logsumexp"].call(self, axis=dim, keepdims=keepdim)
