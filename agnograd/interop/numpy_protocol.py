"""NumPy's functions on tensors, through ``__array_ufunc__`` and ``__array_function__``.

``np.exp(t)``, ``ndarray * t`` and ``np.sum(t)`` run the operation of the table, so that no gradient is lost. What the
table does not have works on detached data only, and says so otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agnograd.core.array import Array
from agnograd.core.table import OPS
from agnograd.errors import UnsupportedError

# NumPy's names where they are not the standard's.
_NAMES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "fmod": "remainder",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "mod": "remainder",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
    "true_divide": "divide",
    "amax": "max",
    "amin": "min",
    "concatenate": "concat",
    "cumsum": "cumulative_sum",
    "cumprod": "cumulative_prod",
    "transpose": "permute_dims",
}
_KEEP_NUMPY = {"fmod"}


def array_ufunc(self: Array, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """Run a NumPy ufunc as an operation; NotImplemented for methods such as ``reduce`` and for unknown ufuncs."""
    name = _NAMES.get(ufunc.__name__, ufunc.__name__)
    if method != "__call__" or ufunc.__name__ in _KEEP_NUMPY or name not in OPS:
        return NotImplemented
    if any(v is not None for v in options.values()):
        unknown = sorted(k for k, v in options.items() if v is not None)
        msg = f"numpy.{ufunc.__name__} on tensors takes no {', '.join(unknown)}: use agnograd.{name}"
        raise UnsupportedError(msg)
    return OPS[name].call(*inputs)


def array_function(self: Array, function: Any, types: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Run a NumPy function as an operation where the table has it."""
    name = _NAMES.get(function.__name__, function.__name__)
    op = OPS.get(name)
    if op is None:
        # Values only: raises where a gradient would be lost.
        return function(*_plain(args), **{k: _plain(v) for k, v in options.items()})
    options = {k: v for k, v in options.items() if v is not None and type(v).__name__ != "_NoValueType"}
    if len(args) > len(op.arrays) and "axis" in op.statics and not op.positional:
        options["axis"], args = args[1], args[:1]
    return op.call(*args, **options)


def _plain(x: Any) -> Any:
    if isinstance(x, Array):
        return x.__array__()
    if isinstance(x, (list, tuple)):
        return type(x)(_plain(v) for v in x)
    return x


Array.__array_ufunc__ = array_ufunc  # type: ignore[method-assign]
Array.__array_function__ = array_function  # type: ignore[method-assign]
