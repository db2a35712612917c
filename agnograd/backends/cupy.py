"""CuPy: arrays on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from agnograd.backends import text
from agnograd.hookspecs import Backend, hookimpl

Array = Any

_SHOWN = 1000
_EDGE = 4


def probe() -> None:
    """Ask the driver for devices: CuPy can be imported without one.

    Raises
    ------
    RuntimeError
        If there is no driver that fits, or no device.
    """
    import cupy as cp

    if not cp.cuda.runtime.getDeviceCount():
        msg = "the CUDA driver finds no device"
        raise RuntimeError(msg)


def to_host(x: Array) -> Array:
    """Copy the values to the host, which waits for the device."""
    return x.get()


def from_host(x: Any) -> Array:
    """Copy to the current device."""
    import cupy as cp

    return cp.asarray(x)


def copy(x: Array) -> Array:
    """An independent array on the same device."""
    return x.copy()


def device(x: Array) -> Any:
    """The device that holds the array."""
    return x.device


def guard() -> Callable[[Array], AbstractContextManager[Any]] | None:
    """CuPy works on the current device, whatever the operands: where there are several, make theirs the current one."""
    import cupy as cp

    return device if cp.cuda.runtime.getDeviceCount() > 1 else None


def synchronise() -> None:
    """Wait for the current device."""
    import cupy as cp

    cp.cuda.get_current_stream().synchronize()


def describe(x: Array) -> str:
    """Values as for NumPy, of which only those that are shown leave the device."""
    if x.size <= _SHOWN:
        return text.describe(to_host(x))
    import cupy as cp

    # Enough of each edge for the text to show the rest as a gap.
    for axis, n in enumerate(x.shape):
        if n > 2 * _EDGE:
            lead = (slice(None),) * axis
            x = cp.concatenate([x[(*lead, slice(0, _EDGE))], x[(*lead, slice(n - _EDGE, n))]], axis=axis)
    return text.describe(to_host(x), abridged=True)


def kernels() -> dict[str, Callable[..., Any]]:
    """Bodies that spare launches or host synchronisations of CuPy's compatibility layer."""
    import array_api_compat.cupy as xp
    import cupy as cp
    import numpy as np

    def sign(x: Array) -> Array:
        # array-api-compat repairs NaN through a mask, which waits for the device.
        return cp.where(cp.isnan(x), x, cp.sign(x)) if x.dtype.kind == "f" else cp.sign(x)

    def scatter_add(x: Array, indices: Array, value: Array) -> Array:
        out = x.copy()
        if x.dtype.kind == "c":
            cp.add.at(out.real, indices, value.real)
            cp.add.at(out.imag, indices, value.imag)
        else:
            cp.add.at(out, indices, value)
        return out

    def conj(x: Array) -> Array:
        return cp.conj(x) if x.dtype.kind == "c" else x

    def solve(x1: Array, x2: Array) -> Array:
        if x1.ndim > 2 or x2.ndim > 2:
            # CuPy broadcasts no stacks.
            vectors = x2.ndim == 1
            x2 = x2[:, None] if vectors else x2
            batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
            x1, x2 = (cp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (x1, x2))
            out = cp.linalg.solve(x1, x2)
            return out[..., 0] if vectors else out
        return cp.linalg.solve(x1, x2)

    creation = {name: _on_device(getattr(xp, name)) for name in _CREATION}
    return {"sign": sign, "scatter_add": scatter_add, "conj": conj, "linalg.solve": solve, **creation}


# array-api-compat takes a device here, and leaves the array on the current one.
_CREATION = (
    *("arange", "empty", "eye", "full", "linspace", "ones", "zeros"),
    *("empty_like", "full_like", "ones_like", "zeros_like"),
)


def _on_device(create: Callable[..., Array]) -> Callable[..., Array]:
    def function(*args: Any, device: Any = None, **options: Any) -> Array:
        if device is None:
            return create(*args, **options)
        with device:
            return create(*args, **options)

    return function


@hookimpl
def agnograd_backends() -> Iterable[Backend]:
    """CuPy's description."""
    yield Backend(
        name="cupy",
        namespace="array_api_compat.cupy",
        array_types=("cupy._core.core:ndarray",),
        requires=("cupy",),
        extra="cuda12",
        probe=probe,
        to_host=to_host,
        from_host=from_host,
        copy=copy,
        device=device,
        guard=guard,
        kernels=kernels,
        synchronise=synchronise,
        describe=describe,
        doc="CuPy arrays on an NVIDIA GPU",
        url="https://docs.cupy.dev",
    )
