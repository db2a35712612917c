"""A small array library that nobody has heard of: what the plugins in `plugins/` describe to agnograd.

Its arrays are no ndarrays and its module has only what the tests call, so nothing works by accident.
"""

from __future__ import annotations

import operator

import numpy as np


class Tiny:
    """An array. It prints no values, so that a test notices who looks at them."""

    def __init__(self, values, dtype=None):
        self.values = np.asarray(values, dtype=dtype)

    shape = property(lambda self: self.values.shape)
    ndim = property(lambda self: self.values.ndim)
    dtype = property(lambda self: self.values.dtype)
    device = "shelf"

    def __getitem__(self, key):
        return Tiny(self.values[key])

    def __setitem__(self, key, value):
        self.values[key] = _values(value)


class Metres(np.ndarray):
    """Another kind of array, which derives from NumPy's."""


def _values(x):
    return x.values if isinstance(x, Tiny) else x


def _wrapped(function):
    def wrapped(*args, **params):
        out = function(*map(_values, args), **params)
        return Tiny(out) if isinstance(out, (np.ndarray, np.generic)) else out

    return wrapped


for _name in "add sub mul truediv pow neg eq lt gt".split():  # noqa: SIM905
    _function = _wrapped(getattr(operator, _name))
    setattr(Tiny, f"__{_name}__", _function)
    setattr(Tiny, f"__r{_name}__", lambda self, other, function=_function: function(other, self))

bool, int64, float32, float64, complex64, complex128 = (
    np.dtype(t) for t in ("bool", "int64", "float32", "float64", "complex64", "complex128")
)
add, multiply, divide, pow = map(_wrapped, (np.add, np.multiply, np.divide, np.power))
exp, sin, cos, where = map(_wrapped, (np.exp, np.sin, np.cos, np.where))
reshape, broadcast_to, zeros_like, ones_like = map(_wrapped, (np.reshape, np.broadcast_to, np.zeros_like, np.ones_like))


def asarray(obj, dtype=None, device=None, copy=None):
    return Tiny(np.array(_values(obj), dtype=dtype))


def empty(shape, dtype=None, device=None):
    return Tiny(np.empty(shape, dtype))


def ones(shape, dtype=None, device=None):
    return Tiny(np.ones(shape, dtype))


def sum(x, axis=None, dtype=None, keepdims=False):
    return Tiny(np.sum(x.values, axis=axis, dtype=dtype, keepdims=keepdims))


def astype(x, dtype, copy=True):
    return Tiny(x.values.astype(dtype))


def isdtype(dtype, kind):
    kinds = {"real floating": "f", "complex floating": "c", "integral": "iu", "bool": "b", "numeric": "iufc"}
    return any(np.dtype(dtype).kind in kinds[k] for k in ((kind,) if isinstance(kind, str) else kind))


def __array_namespace_info__():  # noqa: N807
    class Info:
        @staticmethod
        def default_dtypes(*, device=None):
            return {"real floating": float64, "complex floating": complex128, "integral": int64}

    return Info
