"""array-api-strict: nothing but the standard, on pretended devices. What runs here keeps to the standard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from agnograd.backends import host_memory, repairs
from agnograd.backends.text import undefined_gradient
from agnograd.hookspecs import Backend, hookimpl

Array = Any


def to_host(x: Array) -> Array:
    """The values as an ndarray, from any of the pretended devices."""
    import array_api_strict as xp
    import numpy as np

    return np.asarray(x.to_device(xp.Device("CPU_DEVICE")))


def to_device(x: Array, device: Any, stream: Any) -> Array:
    """A copy on another device, named by a string too."""
    import array_api_strict as xp

    return x.to_device(xp.Device(device) if isinstance(device, str) else device, stream=stream)


def kernels() -> dict[str, Callable[..., Any]]:
    """What the standard leaves out, and users write; and a mended special case."""
    import array_api_strict as xp

    def set_item(x: Array, key: Any, value: Any) -> Array:
        # Assignment casts only within a kind, where the standard promotes the value to the array's dtype.
        if not isinstance(value, (bool, int, float, complex)) and value.dtype != x.dtype:
            value = xp.astype(value, x.dtype)
        x[_completed(x, key)] = value
        return x

    def defined_where(x: Array, condition: Array, *, reason: str = "") -> Array:
        if not xp.all(condition):
            raise undefined_gradient(x, reason)
        return x

    def sign(x: Array) -> Array:
        # array-api-strict keeps the signs of a complex zero, where the standard wants 0 + 0j.
        out = xp.sign(x)
        return xp.where(x == 0, xp.zeros_like(x), out) if xp.isdtype(x.dtype, "complex floating") else out

    return {
        "set": set_item,
        "sign": sign,
        "getitem": lambda x, key: x[_completed(x, key)],
        "defined_where": defined_where,
        **repairs.kernels(xp),
        # array-api-strict 2.6 leaves `invert` out of account.
        "isin": lambda x1, x2, *, invert=False: xp.not_equal(xp.isin(x1, x2), invert),
    }


def _completed(x: Array, key: Any) -> Any:
    """A key with an ellipsis for the axes that it leaves out, which the standard asks for."""
    parts = key if isinstance(key, tuple) else (key,)
    if any(k is Ellipsis or hasattr(k, "dtype") for k in parts):
        return key
    return (*parts, ...) if sum(k is not None for k in parts) < x.ndim else key


@hookimpl
def agnograd_backends() -> Iterable[Backend]:
    """The description of array-api-strict."""
    yield Backend(
        name="strict",
        namespace="array_api_strict",
        array_types=("array_api_strict._array_object:Array",),
        requires=("array_api_strict",),
        extra="strict",
        to_host=to_host,
        to_device=to_device,
        kernels=kernels,
        memory=host_memory.memory,
        doc="array-api-strict, a reference that has nothing but the standard",
        url="https://data-apis.org/array-api-strict",
    )
