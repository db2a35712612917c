"""NumPy's view of device memory, which the libraries are given as bare addresses."""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

#: The letter that begins the name of a BLAS or LAPACK routine says the type it works on.
DTYPES = {
    "s": np.dtype(np.float32),
    "d": np.dtype(np.float64),
    "c": np.dtype(np.complex64),
    "z": np.dtype(np.complex128),
}

#: cudaDataType, by which the routines of newer libraries are told the type.
CUDA_DTYPES = {
    0: np.dtype(np.float32),
    1: np.dtype(np.float64),
    2: np.dtype(np.float16),
    4: np.dtype(np.complex64),
    5: np.dtype(np.complex128),
}

POINTER = np.dtype(np.uintp)
INTEGER = np.dtype(np.int32)  # what the libraries use for pivots and for their report, ``info``


def vector(address: int, length: int, dtype: np.dtype) -> np.ndarray:
    """Return ``length`` elements at ``address``, writable."""
    if length == 0:
        return np.empty(0, dtype)
    return np.frombuffer((ctypes.c_char * (length * dtype.itemsize)).from_address(address), dtype)


def matrix(address: int, rows: int, columns: int, leading: int, dtype: np.dtype) -> np.ndarray:
    """Return a column-major matrix, whose columns lie ``leading`` elements apart, writable."""
    if rows == 0 or columns == 0:
        return np.empty((rows, columns), dtype)
    elements = vector(address, (columns - 1) * leading + rows, dtype)
    strides = (dtype.itemsize, leading * dtype.itemsize)
    return as_strided(elements, (rows, columns), strides, writeable=True)


def scalar(address: int, dtype: np.dtype) -> Any:
    """Return the number at ``address``."""
    return vector(address, 1, dtype)[0]


def addresses(address: int, count: int) -> list[int]:
    """Return an array of pointers, as batched routines take their matrices."""
    return [int(pointer) for pointer in vector(address, count, POINTER)]


def report(address: int, value: int) -> None:
    """Write ``info``, unless the caller asked for none."""
    if address:
        vector(address, 1, INTEGER)[0] = value


def host_view(array: Any) -> np.ndarray:
    """Return a CuPy array as a writable NumPy array of the same memory, without a copy."""
    if array.size == 0:
        return np.empty(array.shape, array.dtype)
    extents = [(n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    below = sum(extent for extent in extents if extent < 0)
    above = sum(extent for extent in extents if extent > 0) + array.dtype.itemsize
    memory = (ctypes.c_char * (above - below)).from_address(array.data.ptr + below)
    return np.ndarray(array.shape, array.dtype, memory, -below, array.strides)


def on_device(cupy: ModuleType, array: np.ndarray) -> Any:
    """Return a new CuPy array of the same values, without a copy that would be counted."""
    result = cupy.empty(array.shape, array.dtype)
    host_view(result)[...] = array
    return result
