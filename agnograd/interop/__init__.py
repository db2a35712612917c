"""Bridges to libraries that ask an array for more than the standard.

NumPy's functions and methods work at once. Others have to be told about tensors: ``interop.einops.register()``,
``interop.autoray.register()``, ``interop.scipy_fft.register()``. Nothing is imported until then.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from agnograd.interop import absent_methods, dask_methods, numpy_methods, numpy_protocol

_LAZY = ("autoray", "einops", "scipy_fft")

__all__ = ["absent_methods", "autoray", "dask_methods", "einops", "numpy_methods", "numpy_protocol", "scipy_fft"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return import_module(f"{__name__}.{name}")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg, name=name)
