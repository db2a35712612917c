"""An array library of its own class, which keeps to the array API standard: put yours in its place.

It computes with NumPy behind a wall: neither NumPy nor agnograd knows its arrays.
"""

from __future__ import annotations

import operator
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import array_api_compat.numpy as xp
import numpy as np


class Array:
    """An array."""

    def __init__(self, data: Any) -> None:
        self.data = np.asarray(data)

    device = "cpu"

    def __array_namespace__(self, *, api_version: str | None = None) -> ModuleType:
        return sys.modules[__name__]

    def to_device(self, *_: Any, **__: Any) -> Array:
        """The array itself: there is one device."""
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        self.data[_opened(key)] = _opened(value)


def _opened(x: Any) -> Any:
    """What NumPy takes in the place of arrays, in sequences and dictionaries too."""
    if isinstance(x, (tuple, list)):
        return type(x)(map(_opened, x))
    if isinstance(x, dict):
        return {name: _opened(value) for name, value in x.items()}
    return x.data if isinstance(x, Array) else x


def _closed(x: Any) -> Any:
    """Results of NumPy as arrays of this library."""
    if isinstance(x, (tuple, list)):
        return type(x)(*map(_closed, x)) if hasattr(x, "_fields") else type(x)(map(_closed, x))
    return Array(x) if isinstance(x, (np.ndarray, np.generic)) else x


def _wrapped(function: Any) -> Any:
    def call(*args: Any, **params: Any) -> Any:
        with np.errstate(all="ignore"):  # the standard knows no warnings: what cannot be computed is nan
            return _closed(function(*_opened(args), **_opened(params)))

    return call


def _number(kind: Any) -> Any:
    return lambda self: kind(self.data)


def _attribute(name: str) -> property:
    return property(lambda self: _closed(getattr(self.data, name)))


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift")
_OTHERS = ("neg", "pos", "invert", "abs", "eq", "ne", "lt", "le", "gt", "ge", "getitem")
for name in ("shape", "ndim", "size", "dtype", "T", "mT"):
    setattr(Array, name, _attribute(name))
for name in _BINARY:
    function = getattr(operator, f"__{name}__")
    setattr(Array, f"__{name}__", _wrapped(function))
    setattr(Array, f"__r{name}__", _wrapped(lambda x, y, function=function: function(y, x)))
for name in _OTHERS:
    setattr(Array, f"__{name}__", _wrapped(getattr(operator, f"__{name}__")))
for kind in (bool, int, float, complex):
    setattr(Array, f"__{kind.__name__}__", _number(kind))
Array.__index__ = _number(operator.index)  # type: ignore[attr-defined]


def _part(module: ModuleType) -> SimpleNamespace:
    return SimpleNamespace(**{name: _wrapped(getattr(module, name)) for name in module.__all__})


def __getattr__(name: str) -> Any:
    """The functions, dtypes and constants of the standard."""
    found = getattr(xp, name)
    if isinstance(found, ModuleType):
        return _part(found)
    return _wrapped(found) if callable(found) and not isinstance(found, type) else found
