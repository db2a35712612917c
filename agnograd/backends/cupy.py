"""CuPy: arrays on an NVIDIA GPU.

Devices
    An operation, its rules and whatever else a pass runs on an array make its device the current one meanwhile, and
    leave the caller's as it was. Arrays of two devices do not meet silently; `to_device` moves one, and its gradient
    back.
Streams and threads
    Everything runs on what is the current stream in the thread that calls, and no stream is ever waited for. Where a
    pass goes back on another stream than it came, or in a thread whose current stream is another one, order the two:
    ``back.wait_event(forward.record())``.
Linear algebra
    CuPy does not look whether a matrix is singular, or not positive definite: results are infinite, NaN or meaningless,
    as are gradients. Within ``cupyx.errstate(linalg="raise")`` it does, and waits for the device each time.
Exchange
    DLPack shares memory with whatever has it on the same device. What is on the CPU is copied, where that is asked for:
    ``numpy.from_dlpack(x, device="cpu")``, ``from_dlpack(x, device=cupy.cuda.Device(0))``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from agnograd.backends import cupy_kernels, cupy_matrices, repairs, text
from agnograd.hookspecs import Backend, hookimpl

Array = Any

_CPU = 1  # as DLPack counts devices
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

    if cp.cuda.runtime.getDeviceCount() == 1:
        return None
    gpu, elsewhere = cp.cuda.Device, nullcontext()

    def current(x: Array) -> AbstractContextManager[Any]:
        # What is imported from another library has a device that is none of CUDA's.
        place: Any = x.device
        return place if isinstance(place, gpu) else elsewhere

    return current


def synchronise() -> None:
    """Wait for the current stream of each device: operations run on that of their arrays."""
    import cupy as cp

    for i in range(cp.cuda.runtime.getDeviceCount()):
        with cp.cuda.Device(i):
            cp.cuda.get_current_stream().synchronize()


def memory() -> tuple[int, int]:
    """Bytes that CuPy's pool has given out, on all devices; it does not know of former peaks."""
    import cupy as cp

    held = 0
    for i in range(cp.cuda.runtime.getDeviceCount()):
        with cp.cuda.Device(i):
            held += int(cp.get_default_memory_pool().used_bytes())
    return held, held


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
    import array_api_compat.cupy
    import cupy as cp
    import numpy as np
    from array_api_compat import to_device

    xp: Any = array_api_compat.cupy

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

    def pinv(x: Array, *, rtol: Any = None) -> Array:
        # CuPy's own waits for the device: it sets small values to zero through a mask.
        u, s, vh = cp.linalg.svd(x, full_matrices=False)
        if not s.size:
            return cp.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), dtype=x.dtype)
        rtol = max(x.shape[-2:]) * np.finfo(s.dtype).eps if rtol is None else rtol
        cutoff = s.max(axis=-1) * cp.asarray(rtol, dtype=s.dtype)
        inverse = cp.where(s > cutoff[..., None], 1 / s, 0)
        return cp.matmul(conj(vh.swapaxes(-1, -2)) * inverse[..., None, :], conj(u.swapaxes(-1, -2)))

    def eig(x: Array) -> Eigenpairs:
        return Eigenpairs(*cp.linalg.eig(x))

    def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
        if x.__dlpack_device__()[0] == _CPU:
            if device is None or copy is False:
                msg = (
                    "CuPy cannot share memory of the CPU, and no device was named that a copy could go to. Write "
                    "from_dlpack(x, device=cupy.cuda.Device(0)), or asarray(x)."
                    if copy is not False
                    else "CuPy cannot share memory of the CPU: it takes a copy, and copy=False was given"
                )
                raise BufferError(msg)
            with device:
                return cp.asarray(np.from_dlpack(x))
        out = cp.from_dlpack(x)
        if device is not None and device != out.device:
            if copy is False:
                msg = f"an array on {out.device} cannot be had on {device} without a copy, and copy=False was given"
                raise BufferError(msg)
            return to_device(out, device)
        return out.copy() if copy else out

    # CuPy fills with zero by clearing memory, and loses the sign of -0.0.

    def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Array:
        if type(obj) in (float, complex):
            return creation["full"]((), obj, dtype=dtype, device=device)
        return xp.asarray(obj, dtype=dtype, device=device, copy=copy)

    def set_item(x: Array, key: Any, value: Any) -> Array:
        if type(value) in (float, complex) and not value:
            value = cp.full((), value, dtype=x.dtype)
        x[key] = value
        return x

    def remainder(x1: Any, x2: Any) -> Array:
        dtype = cp.result_type(x1, x2)
        if dtype.kind != "f":
            return cp.remainder(x1, x2)
        kernel = cupy_kernels.elementwise("remainder")
        return kernel(*(x.astype(dtype, copy=False) if hasattr(x, "dtype") else dtype.type(x) for x in (x1, x2)))

    def expm1(x: Array) -> Array:
        if x.dtype.kind != "c":
            return cp.expm1(x)
        # CuPy subtracts 1 from the exponential function, which leaves no digit of a small result.
        a, b = x.real, x.imag
        out = cp.empty_like(x)
        out.real = cp.expm1(a) * cp.cos(b) - 2 * cp.sin(b / 2) ** 2
        out.imag = cp.exp(a) * cp.sin(b)
        return cp.where(cp.isfinite(x) & (x != 0), out, cp.exp(x) - 1)

    def linspace(start: Any, stop: Any, /, num: int, *, dtype: Any = None, endpoint: bool = True) -> Array:
        if not isinstance(start, complex) and not isinstance(stop, complex):
            return xp.linspace(start, stop, num, dtype=dtype, endpoint=endpoint)
        # CuPy has it for real numbers only.
        ends = [(complex(start).real, complex(stop).real), (complex(start).imag, complex(stop).imag)]
        real, imag = (xp.linspace(*pair, num, endpoint=endpoint) for pair in ends)
        return (real + 1j * imag).astype(dtype or cp.complex128)

    def over_axes(name: str) -> Callable[..., Array]:
        several, one = getattr(xp.fft, f"{name}n"), getattr(xp.fft, name)

        def transform(x: Array, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Array:
            if x.size:
                return several(x, s=s, axes=axes, norm=norm)
            # CuPy refuses several axes where there are no elements.
            over = range(0 if s is None else x.ndim - len(s), x.ndim) if axes is None else axes
            for i, axis in enumerate(over):
                x = one(x, n=None if s is None else s[i], axis=axis, norm=norm)
            return x

        return transform

    creation = {name: _on_device(getattr(xp, name)) for name in _CREATION}
    creation["linspace"] = _on_device(linspace)
    frequencies = {f"fft.{name}": _on_device(getattr(xp.fft, name)) for name in ("fftfreq", "rfftfreq")}
    transforms = {f"fft.{name}n": over_axes(name) for name in ("fft", "ifft")}
    creation |= {"asarray": asarray, "from_dlpack": from_dlpack}
    matrices: dict[str, Any] = {"linalg.solve": solve, "linalg.pinv": pinv, "linalg.eig": eig}
    elementwise: dict[str, Any] = {"conj": conj, "remainder": remainder}
    elementwise |= {**repairs.kernels(xp), "expm1": expm1}
    return {
        **cupy_kernels.KERNELS,
        **cupy_matrices.kernels(),
        "set": set_item,
        **elementwise,
        **matrices,
        **creation,
        **frequencies,
        **transforms,
    }


class Eigenpairs(NamedTuple):
    """What ``eig`` returns; CuPy gives a plain tuple."""

    eigenvalues: Array
    eigenvectors: Array


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
        memory=memory,
        describe=describe,
        generator="agnograd.compiler.on_cupy:generate",
        deferral="agnograd.compiler.cupy_cotangents:defer",
        doc="CuPy arrays on an NVIDIA GPU",
        url="https://docs.cupy.dev",
    )
