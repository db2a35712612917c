"""ndonnx's functions, with what it lacks of the array API standard in the place of its own."""

from __future__ import annotations

from typing import Any

import ndonnx as ndx
import numpy as np

from agnograd_onnx import deferred, elementary, missing

Array = Any

__array_api_version__ = "2024.12"

_own = {**elementary.FUNCTIONS, **missing.FUNCTIONS}


def __getattr__(name: str) -> Any:
    return _own[name] if name in _own else getattr(ndx, name)


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Array:
    """An array. Those of NumPy are not looked at (see `agnograd_onnx.deferred`); numbers and lists are constants."""
    if isinstance(obj, (np.ndarray, np.generic)) and copy is not False:
        obj = deferred.array(obj)
    return ndx.asarray(obj, dtype=dtype, device=device, copy=copy)
