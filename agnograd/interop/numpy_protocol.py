"""NumPy's own functions on tensors, through ``__array_ufunc__`` and ``__array_function__``.

``np.exp(t)``, ``ndarray * t`` and ``np.sum(t)`` run operations of the table, so that the gradient is kept. The rest is
done by NumPy itself on tensors of NumPy without a gradient, and raises on others: no gradient is lost in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agnograd.core.array import Array


def _load() -> None:
    """Put what does the work in place, at the first call: few programs need it, and all would wait for the import."""
    from agnograd.interop import numpy_dispatch

    Array.__array_ufunc__ = numpy_dispatch.array_ufunc  # type: ignore[assignment]
    Array.__array_function__ = numpy_dispatch.array_function  # type: ignore[assignment]


def array_ufunc(self: Array, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """Run a NumPy ufunc, or one of its methods, as operations of the table."""
    _load()
    return self.__array_ufunc__(ufunc, method, *inputs, **options)


def array_function(self: Array, function: Any, types: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Run a NumPy function as operations of the table."""
    _load()
    return self.__array_function__(function, types, args, options)


Array.__array_ufunc__ = array_ufunc  # type: ignore[assignment]
Array.__array_function__ = array_function  # type: ignore[assignment]
