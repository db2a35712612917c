"""The functions of the strict device.

Every one is that of ``array_api_compat.numpy`` between two borders: operands are checked and
unwrapped, results wrapped. They are put into ``namespace.py``, not here, where ``any`` and ``all``
are Python's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import array_api_compat.numpy as compat
import array_api_strict
import numpy as np

from ..counts import record_copy, record_launch
from .array import Array, Device, check_writable, new, unwrap, view
from .state import DEVICES, current_device, synchronise

#: Results that share memory, and so cost no launch.
_VIEWS = {
    "broadcast_arrays",
    "broadcast_to",
    "diagonal",
    "expand_dims",
    "flip",
    "imag",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "real",
    "reshape",
    "squeeze",
    "unstack",
}
#: Functions that return their argument itself where there is nothing to do.
_SAME_OBJECT = {"astype", "real", "squeeze"}
#: Functions that wait for the device, as counted on CuPy (conformance.py compares).
_SYNCHRONISING = {
    "clip",
    "linalg.pinv",
    "nonzero",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
}
#: Functions that say something about dtypes and shapes only.
_ABOUT_TYPES = {"broadcast_shapes", "can_cast", "finfo", "iinfo", "isdtype", "result_type"}


# ---- the borders of every function ---------------------------------------------------------------


def _bordered(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` as it is on the device."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        device = keywords.pop("device", None)  # CuPy's compat ignores it, but for asarray
        arrays = list(_arrays((*arguments, *keywords.values())))
        host_arguments = [_unwrap_all(argument, name) for argument in arguments]
        host_keywords = {key: _unwrap_all(value, name) for key, value in keywords.items()}
        _refuse(name, device, host_arguments)
        if _synchronises(name, arguments):
            synchronise(name)
        result = _without_errors(name, function, host_arguments, host_keywords)
        if name.rpartition(".")[2] not in _VIEWS:
            record_launch(name)
        if name in ("empty", "empty_like"):
            _poison(result)
        return _wrap_all(name, result, arrays)

    call.__name__ = call.__qualname__ = name
    return call


def _arrays(values: Any) -> Iterator[Array]:
    """Yield the arrays among the arguments, and in lists of them."""
    for value in values:
        if isinstance(value, Array):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _arrays(value)


def _unwrap_all(value: Any, name: str) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_unwrap_all(item, name) for item in value)
    return unwrap(value, name)


def _refuse(name: str, device: Device | None, arguments: list[Any]) -> None:
    """Raise as CuPy does for what it alone does not support."""
    if name in ("fft.fftfreq", "fft.rfftfreq") and device is not None:
        raise ValueError(f"Unsupported device {device!r}")
    if name == "linalg.solve":
        matrix, right = arguments
        if right.ndim != 1 and matrix.shape[:-1] != right.shape[: matrix.ndim - 1]:
            raise ValueError(
                "a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b"
            )


def _synchronises(name: str, arguments: tuple[Any, ...]) -> bool:
    if name == "sign":
        return arguments[0].dtype.kind in "fc"
    if name == "repeat":
        return len(arguments) > 1 and isinstance(arguments[1], Array)
    return name in _SYNCHRONISING


def _without_errors(
    name: str, function: Callable[..., Any], arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    """Call; where NumPy finds a matrix singular and the like, the device gives NaN."""
    with np.errstate(all="ignore"):
        try:
            return function(*arguments, **keywords)
        except np.linalg.LinAlgError as error:
            if not any(word in str(error) for word in ("ingular", "positive", "converge")):
                raise
        # An identity fails nowhere, and gives results of the right shapes and dtypes.
        matrix = arguments[0]
        identity = np.broadcast_to(np.eye(*matrix.shape[-2:], dtype=matrix.dtype), matrix.shape)
        result = function(identity, *arguments[1:], **keywords)
    if isinstance(result, tuple):
        return type(result)(*(np.full_like(part, np.nan) for part in result))
    return np.full_like(result, np.nan)


def _poison(values: np.ndarray) -> None:
    """Fill with what shows: NaN, or an unlikely integer."""
    values[...] = {"f": np.nan, "c": np.nan, "i": -99}.get(values.dtype.kind, 1)


def _wrap_all(name: str, result: Any, arrays: list[Array]) -> Any:
    if isinstance(result, tuple):
        parts = [_wrap_all(name, part, arrays) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    if isinstance(result, list):
        return [_wrap_all(name, part, arrays) for part in result]
    if not isinstance(result, (np.ndarray, np.generic)):
        return result
    if name in _SAME_OBJECT:
        for array in arrays:
            if result is array.host:
                return array
    for array in arrays:
        if result.size and np.may_share_memory(result, array.host):
            return view(array, result)
    return new(result)


def _about_types(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        dtypes = [item.dtype if isinstance(item, Array) else item for item in arguments]
        return function(*dtypes, **keywords)

    return call


# ---- functions of their own ----------------------------------------------------------------------


def asarray(
    obj: Any, /, *, dtype: Any = None, device: Device | None = None, copy: bool | None = None
) -> Array:
    """Return an array on ``device``: this function alone takes NumPy arrays and heeds a device."""
    with device or Device():
        if isinstance(obj, Array):
            unchanged = dtype is None or dtype == obj.dtype
            if unchanged and not copy and obj._device == current_device():
                return obj
            return new(np.array(obj.host, dtype=dtype))
        if isinstance(obj, (list, tuple)) and any(isinstance(item, Array) for item in obj):
            if not all(isinstance(item, Array) for item in obj):
                raise TypeError("Implicit conversion to a NumPy array is not allowed.")
            record_launch("stack")
            return new(
                np.stack([unwrap(item, "asarray") for item in obj], dtype=dtype, casting="unsafe")
            )
        record_copy("to device")
        return new(np.array(obj, dtype=dtype))


def from_dlpack(x: Any, /, **keywords: Any) -> Array:
    """Take over an array of the device; refuse those on the host."""
    if isinstance(x, Array):
        return view(x, x.host)
    raise TypeError("CPU arrays cannot be directly imported to CuPy")


#: dtypes that CuPy's atomics know.
_ADDABLE = {np.dtype(code) for code in ("i4", "i8", "u4", "u8", "f2", "f4", "f8")}


def scatter_add(array: Array, index: Any, value: Any) -> None:
    """Add ``value`` to ``array[index]`` in place, also at repeated indices, as cupyx does."""
    if array.dtype not in _ADDABLE:
        raise TypeError(f"scatter_add does not support {array.dtype}")
    check_writable(array)
    target = unwrap(array, "scatter_add")
    record_launch("scatter_add")
    positions = np.arange(target.size).reshape(target.shape)[_unwrap_all(index, "scatter_add")]
    values = np.broadcast_to(unwrap(value, "scatter_add"), positions.shape)
    # The order of atomics is not defined, and so neither are the last bits of a sum of floats.
    order = np.random.default_rng().permutation(positions.size)
    where = np.unravel_index(positions.ravel()[order], target.shape)
    np.add.at(target, where, values.ravel()[order])


class _Info:
    """What the namespace can do."""

    def capabilities(self) -> dict[str, Any]:
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        return Device(0)

    def devices(self) -> tuple[Device, ...]:
        return tuple(Device(number) for number in range(DEVICES))

    def default_dtypes(self, *, device: Device | None = None) -> dict[str, Any]:
        return compat.__array_namespace_info__().default_dtypes()

    def dtypes(self, *, device: Device | None = None, kind: Any = None) -> dict[str, Any]:
        return compat.__array_namespace_info__().dtypes(kind=kind)


def __array_namespace_info__() -> _Info:
    """Return what the namespace can do."""
    return _Info()


# ---- the whole -----------------------------------------------------------------------------------

_OWN = (asarray, from_dlpack, scatter_add, __array_namespace_info__)
#: Functions that NumPy has, and the version of array-api-strict at hand may lack.
_LATER = {"linalg": {"eig", "eigvals"}}


def fill(namespace: ModuleType) -> None:
    """Define every name of the standard in ``namespace``."""
    Array._namespace = namespace
    namespace.__array_api_version__ = "2025.12"
    for function in _OWN:
        setattr(namespace, function.__name__, function)
    for name in array_api_strict.__all__:
        member = getattr(compat, name, None)
        if hasattr(namespace, name) or member is None:
            continue
        if name in ("linalg", "fft"):
            member = _extension(namespace, name)
        elif name in _ABOUT_TYPES:
            member = _about_types(member)
        elif callable(member) and not isinstance(member, type):
            member = _bordered(name, member)
        setattr(namespace, name, member)


def _extension(namespace: ModuleType, name: str) -> ModuleType:
    """Return the submodule ``linalg`` or ``fft``."""
    module = ModuleType(f"{namespace.__name__}.{name}")
    source = getattr(compat, name)
    for function in {*getattr(array_api_strict, name).__all__, *_LATER.get(name, ())}:
        if callable(getattr(source, function, None)):
            setattr(module, function, _bordered(f"{name}.{function}", getattr(source, function)))
    sys.modules[module.__name__] = module
    return module
