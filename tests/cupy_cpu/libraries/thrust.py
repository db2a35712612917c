"""thrust: sorting. CuPy passes addresses, and sorts along the last axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..counts import record_library_call
from .memory import vector

_INDEX = np.dtype(np.int64)


def _array(dtype: np.dtype, address: int, shape: Sequence[int]) -> np.ndarray:
    return vector(address, math.prod(shape), np.dtype(dtype)).reshape(shape)


def sort(dtype: np.dtype, data: int, keys: int, shape: Sequence[int]) -> None:
    """Sort in place."""
    record_library_call("thrust.sort")
    _array(dtype, data, shape).sort(axis=-1, kind="stable")


def argsort(dtype: np.dtype, indices: int, data: int, keys: int, shape: Sequence[int]) -> None:
    """Write the indices that would sort."""
    record_library_call("thrust.argsort")
    order = np.argsort(_array(dtype, data, shape), axis=-1, kind="stable")
    _array(_INDEX, indices, shape)[...] = order


def lexsort(dtype: np.dtype, indices: int, keys: int, key_count: int, length: int) -> None:
    """Write the indices that would sort by the last key, then by those before it."""
    record_library_call("thrust.lexsort")
    order = np.lexsort(_array(dtype, keys, (key_count, length)))
    vector(indices, length, _INDEX)[...] = order


def functions() -> dict[str, Callable[..., Any]]:
    """Return what replaces the functions of ``cupy.cuda.thrust``."""
    return {"sort": sort, "argsort": argsort, "lexsort": lexsort}
