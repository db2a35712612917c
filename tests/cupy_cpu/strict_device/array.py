"""The array of the strict device, and its device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from ..counts import record_allocation, record_free, record_launch
from .state import (
    DEVICES,
    DeviceError,
    current_device,
    device_stack,
    host_index,
    mask,
    synchronise,
)


class Device:
    """A device, as ``cupy.cuda.Device``: equal by number, not to a number, and not hashable."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, number: int | None = None) -> None:
        self.id = current_device() if number is None else int(number)

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __repr__(self) -> str:
        return f"<Strict Device {self.id}>"

    def __enter__(self) -> Device:
        if not 0 <= self.id < DEVICES:
            raise DeviceError(f"there is no device {self.id}")
        device_stack().append(self.id)
        return self

    def __exit__(self, *exception: object) -> None:
        device_stack().pop()


class Array:
    """An array on a strict device. The namespace makes them.

    Attributes
    ----------
    host : numpy.ndarray
        The values. Only tests may look: reading them is no synchronisation.
    """

    __slots__ = ("__weakref__", "_base", "_device", "host")
    __hash__ = None  # type: ignore[assignment]
    __array_priority__ = 100
    # CuPy lets NumPy's functions dispatch to it, which hides that they were called; this does not.
    __array_ufunc__ = None

    # The namespace module needs this class first, and sets itself here.
    _namespace: ClassVar[ModuleType]

    host: np.ndarray
    _device: int
    _base: Array | None

    def __init__(self) -> None:
        raise TypeError("use a function of the namespace")

    def __del__(self) -> None:
        if getattr(self, "_base", self) is None:
            record_free(id(self))

    # ---- attributes ----

    @property
    def shape(self) -> tuple[int, ...]:
        return self.host.shape

    @property
    def dtype(self) -> np.dtype:
        return self.host.dtype

    @property
    def ndim(self) -> int:
        return self.host.ndim

    @property
    def size(self) -> int:
        return self.host.size

    @property
    def nbytes(self) -> int:
        return self.host.nbytes

    @property
    def device(self) -> Device:
        # A new object each time, as on CuPy.
        return Device(self._device)

    @property
    def T(self) -> Array:
        return view(self, self.host.T)

    @property
    def mT(self) -> Array:
        return view(self, np.matrix_transpose(self.host))

    def __array_namespace__(self, *, api_version: str | None = None) -> ModuleType:
        return self._namespace

    def to_device(self, device: Device, /, *, stream: Any = None) -> Array:
        if not isinstance(device, Device):
            raise TypeError(f"Unsupported device type {device!r}")
        return self if device.id == self._device else new(self.host.copy(), device.id)

    def __len__(self) -> int:
        return len(self.host)

    def __iter__(self) -> Iterator[Array]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    # ---- the boundary to the host; there is no __index__, no __round__ ----

    def _read(self, reason: str) -> np.ndarray:
        synchronise(reason)
        return self.host

    def __bool__(self) -> bool:
        if self.size == 0:
            raise DeviceError("bool() of an empty array: CuPy warns and returns False")
        return bool(self._read("bool"))

    def __int__(self) -> int:
        return int(self._read("int"))

    def __float__(self) -> float:
        return float(self._read("float"))

    def __complex__(self) -> complex:
        return complex(self._read("complex"))

    def item(self) -> Any:
        return self._read("item").item()

    def tolist(self) -> Any:
        return self._read("tolist").tolist()

    def get(self) -> np.ndarray:
        return self._read("get").copy()

    def __repr__(self) -> str:
        return f"strict_{self._read('repr')!r}"

    def __array__(self, *arguments: Any, **keywords: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        # Stricter, for the same reason as __array_ufunc__.
        raise TypeError(f"numpy.{function.__name__} called on a device array")

    def __dlpack__(self, **keywords: Any) -> Any:
        raise BufferError("device memory")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._device  # kDLCUDA

    # ---- indexing ----

    def __getitem__(self, key: Any) -> Array:
        key, kind = _understand(self, key)
        if kind == "basic":
            return view(self, self.host[key])
        check_device(self)
        if kind == "mask":
            synchronise("boolean index")
        record_launch("getitem")
        return new(self.host[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        key, kind = _understand(self, key)
        check_device(self)
        check_writable(self)
        value = unwrap(value)
        if kind == "mask":
            synchronise("boolean index assignment")
        if kind == "array" and _repeats(self.shape, key):
            raise DeviceError("assignment to repeated indices: undefined on CuPy")
        record_launch("setitem")
        self.host[key] = value


def new(values: Any, device: int | None = None) -> Array:
    """Return an array that owns ``values``, on the current device unless another is named."""
    array = _wrap(np.asarray(values), current_device() if device is None else device, None)
    record_allocation(id(array), array.host.nbytes)
    return array


def view(array: Array, values: Any) -> Array:
    """Return an array that shares its memory with ``array``."""
    return _wrap(np.asarray(values), array._device, array if array._base is None else array._base)


def _wrap(values: np.ndarray, device: int, base: Array | None) -> Array:
    array = object.__new__(Array)
    array.host = values
    array._device = device
    array._base = base
    return array


def unwrap(value: Any, name: str = "operation") -> Any:
    """Return what NumPy can compute with; refuse what CuPy refuses, and more."""
    if isinstance(value, Array):
        check_device(value, name)
        return value.host
    if isinstance(value, np.ndarray):
        raise TypeError(f"{name}: Unsupported type {type(value)}")
    if isinstance(value, np.generic):
        # Stricter: CuPy takes it, and its dtype then wins over that of a float32 array.
        raise TypeError(f"{name}: {value!r} has a dtype of its own; use a Python scalar")
    return value


def check_device(array: Array, name: str = "operation") -> None:
    """Refuse to work on an array that is not on the current device."""
    if array._device != current_device():
        raise DeviceError(
            f"{name}: array on device {array._device} while device {current_device()} is current "
            "(CuPy warns, and puts the result on the current one)"
        )


def check_writable(array: Array) -> None:
    """Refuse to write where several elements are one: CuPy lets it, and the result is undefined."""
    strides = zip(array.host.strides, array.shape, strict=True)
    if any(stride == 0 and length > 1 for stride, length in strides):
        raise DeviceError("write into a broadcast view: undefined on CuPy")


def _understand(array: Array, key: Any) -> tuple[Any, str]:
    """Return a key for NumPy, and its kind: basic, array, or mask."""
    parts = key if isinstance(key, tuple) else (key,)
    kinds = set()
    understood = []
    for part in parts:
        understood.append(part.host if isinstance(part, Array) else part)
        if isinstance(part, Array) and part._device != array._device:
            raise DeviceError(f"index on device {part._device}, array on {array._device}")
        if isinstance(part, (np.ndarray, list)):
            host_index()
        if isinstance(part, (Array, np.ndarray, list, bool, np.bool_)):
            kinds.add("mask" if np.asarray(understood[-1]).dtype == bool else "array")
    if "mask" in kinds:
        mask()
    kind = next((kind for kind in ("mask", "array") if kind in kinds), "basic")
    return tuple(understood) if isinstance(key, tuple) else understood[0], kind


def _repeats(shape: tuple[int, ...], key: Any) -> bool:
    positions = np.arange(np.prod(shape, dtype=int)).reshape(shape)[key]
    return np.unique(positions).size != positions.size


# ---- operators -----------------------------------------------------------------------------------

_SCALARS = (bool, int, float, complex)
_ARITHMETIC = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
_COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
_UNARY = {"neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert"}


def _binary(function: str, reflected: bool = False) -> Callable[[Array, Any], Any]:
    def operator(self: Array, other: Any) -> Any:
        # NumPy's are known, and refused by the function.
        if not isinstance(other, (Array, *_SCALARS, np.ndarray, np.generic)):
            return NotImplemented
        operands = (other, self) if reflected else (self, other)
        return getattr(self._namespace, function)(*operands)

    return operator


def _in_place(function: str) -> Callable[[Array, Any], Array]:
    def operator(self: Array, other: Any) -> Array:
        # In-place operators never defer to the other operand.
        if not isinstance(other, (Array, *_SCALARS)):
            raise TypeError(f"Unsupported type {type(other)}")
        check_device(self, function)
        check_writable(self)
        record_launch(function)
        other = unwrap(other, function)
        if function == "matmul":
            self.host[...] = self.host @ other
        else:
            getattr(np, function)(self.host, other, out=self.host, casting="same_kind")
        return self

    return operator


def _unary(function: str) -> Callable[[Array], Array]:
    def operator(self: Array) -> Array:
        return getattr(self._namespace, function)(self)

    return operator


for _name, _function in _ARITHMETIC.items():
    setattr(Array, f"__{_name}__", _binary(_function))
    setattr(Array, f"__r{_name}__", _binary(_function, reflected=True))
    setattr(Array, f"__i{_name}__", _in_place(_function))
for _name, _function in _COMPARISONS.items():
    setattr(Array, f"__{_name}__", _binary(_function))
for _name, _function in _UNARY.items():
    setattr(Array, f"__{_name}__", _unary(_function))
