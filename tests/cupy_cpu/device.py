"""The device that CuPy sees: host memory, a current device per thread, streams that never lag.

Two tables of functions, ``RUNTIME`` and ``DRIVER``, answer CuPy's calls of the CUDA runtime and
driver APIs, under CUDA's own names. Every effect is immediate, so all streams and events are
complete at any time; what is asynchronous on a GPU is synchronous here.
"""

from __future__ import annotations

import bisect
import ctypes
import itertools
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

from . import kernels
from .counts import record_copy, record_launch, record_synchronisation

# ---- devices -------------------------------------------------------------------------------------

INVALID_DEVICE = 101  # cudaErrorInvalidDevice

_settings = SimpleNamespace(devices=1)
_thread = threading.local()

# An H100, as far as CuPy asks: numbers of cudaDeviceAttr. It chooses block sizes by them.
_ATTRIBUTES = {
    1: 1024,  # MaxThreadsPerBlock
    8: 49152,  # MaxSharedMemoryPerBlock
    10: 32,  # WarpSize
    16: 132,  # MultiProcessorCount
    39: 2048,  # MaxThreadsPerMultiProcessor
    75: 9,  # ComputeCapabilityMajor
    76: 0,  # ComputeCapabilityMinor
    97: 232448,  # MaxSharedMemoryPerBlockOptin
}
_MEMORY_BYTES = 80 << 30
_CUDA_VERSION = 12090


def set_device_count(count: int) -> None:
    """Set the number of devices, before CuPy is imported."""
    _settings.devices = count


def _get_device_count() -> int:
    return _settings.devices


def _get_device() -> int:
    return getattr(_thread, "device", 0)


def _set_device(device: int) -> None:
    if not 0 <= device < _settings.devices:
        from cupy_backends.cuda.api.runtime import CUDARuntimeError

        raise CUDARuntimeError(INVALID_DEVICE)
    _thread.device = device


def _device_attribute(attribute: int, device: int) -> int:
    return _ATTRIBUTES.get(attribute, 0)


def _device_properties(device: int) -> dict[str, Any]:
    return {
        "name": b"emulated on the CPU",
        "totalGlobalMem": _MEMORY_BYTES,
        "sharedMemPerBlock": _ATTRIBUTES[8],
        "warpSize": _ATTRIBUTES[10],
        "regsPerBlock": 65536,
        "maxThreadsPerBlock": _ATTRIBUTES[1],
        "major": _ATTRIBUTES[75],
        "minor": _ATTRIBUTES[76],
        "multiProcessorCount": _ATTRIBUTES[16],
        "sharedMemPerMultiprocessor": 233472,
        "maxThreadsPerMultiProcessor": _ATTRIBUTES[39],
        "maxGridSize": (2147483647, 65535, 65535),
        "maxThreadsDim": (1024, 1024, 64),
        "l2CacheSize": 50 << 20,
        "computeMode": 0,
        "unifiedAddressing": 1,
        "managedMemory": 1,
    }


# ---- memory --------------------------------------------------------------------------------------

_libc = ctypes.CDLL(None)
_libc.aligned_alloc.restype = ctypes.c_void_p
_libc.aligned_alloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]
_libc.memmove.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
_libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

_ALIGNMENT = 512
# Device memory starts as NaN in floating point and -1 in integers, so that reading what nobody
# wrote shows. Blocks that CuPy's pool hands out again keep what was in them, as on a GPU.
_POISON = 0xFF

_HOST, _DEVICE = 0, 2  # cudaMemoryTypeUnregistered, cudaMemoryTypeDevice
_DIRECTIONS = {
    (False, False): "on host",
    (False, True): "to device",
    (True, False): "to host",
    (True, True): "on device",
}


class _Block(NamedTuple):
    size: int
    device: int


_blocks: dict[int, _Block] = {}
_starts: list[int] = []  # the keys of _blocks, sorted


def _owner(pointer: int) -> _Block | None:
    """Return the block of device memory that a pointer, perhaps into its middle, belongs to."""
    position = bisect.bisect_right(_starts, pointer) - 1
    if position < 0:
        return None
    start = _starts[position]
    block = _blocks[start]
    return block if pointer < start + block.size else None


def _allocate(size: int) -> int:
    whole = -(-max(size, 1) // _ALIGNMENT) * _ALIGNMENT
    pointer = _libc.aligned_alloc(_ALIGNMENT, whole)
    if not pointer:
        raise MemoryError(f"no {size} bytes of host memory")
    return pointer


def _malloc(size: int) -> int:
    pointer = _allocate(size)
    _libc.memset(pointer, _POISON, size)
    _blocks[pointer] = _Block(size, _get_device())
    bisect.insort(_starts, pointer)
    return pointer


def _free(pointer: int) -> None:
    if _blocks.pop(pointer, None) is not None:
        del _starts[bisect.bisect_left(_starts, pointer)]
        _libc.free(pointer)


def _malloc_async(size: int, stream: int) -> int:
    return _malloc(size)


def _free_async(pointer: int, stream: int) -> None:
    _free(pointer)


def _malloc_host(size: int, flags: int = 0) -> int:
    return _allocate(size)


def _free_host(pointer: int) -> None:
    _libc.free(pointer)


def _check_not_null(*pointers: int) -> None:
    """Raise where C would crash: a failed allocation gives CuPy the pointer 0."""
    if 0 in pointers:
        raise ValueError("null pointer")


def _copy(target: int, source: int, size: int) -> str:
    _check_not_null(target, source)
    direction = _DIRECTIONS[_owner(source) is not None, _owner(target) is not None]
    record_copy(direction)
    _libc.memmove(target, source, size)
    return direction


def _memcpy(target: int, source: int, size: int, kind: int) -> None:
    # Between the two sides the host waits until the copy is done; within the device it does not.
    if _copy(target, source, size) in ("to host", "to device"):
        record_synchronisation("memcpy")


def _memcpy_async(target: int, source: int, size: int, kind: int, stream: int) -> None:
    _copy(target, source, size)


def _memcpy_peer(target: int, to: int, source: int, origin: int, size: int) -> None:
    _check_not_null(target, source)
    record_copy("between devices")
    _libc.memmove(target, source, size)


def _memcpy_peer_async(
    target: int, to: int, source: int, origin: int, size: int, stream: int
) -> None:
    _memcpy_peer(target, to, source, origin, size)


def _memset(pointer: int, value: int, size: int, stream: int = 0) -> None:
    _check_not_null(pointer)
    record_launch("memset", stream)
    _libc.memset(pointer, value, size)


def _memset_async(pointer: int, value: int, size: int, stream: int) -> None:
    _memset(pointer, value, size, stream)


def _memory_info() -> tuple[int, int]:
    held = sum(block.size for block in _blocks.values() if block.device == _get_device())
    return _MEMORY_BYTES - held, _MEMORY_BYTES


def _pointer_type(pointer: int) -> int:
    return _HOST if _owner(pointer) is None else _DEVICE


def _pointer_attributes(pointer: int) -> Any:
    from cupy_backends.cuda.api.runtime import PointerAttributes

    block = _owner(pointer)
    if block is None:
        return PointerAttributes(_get_device(), 0, pointer, _HOST)
    return PointerAttributes(block.device, pointer, 0, _DEVICE)


# ---- streams and events --------------------------------------------------------------------------

# 1 and 2 are CUDA's names of the legacy and the per-thread default stream.
_handles = itertools.count(0x1000)


def _new_handle(*properties: int) -> int:
    """Return a number that no other stream, event, module or function has."""
    return next(_handles)


def _synchronise(cause: str) -> Callable[..., None]:
    def wait(*handle: int) -> None:
        record_synchronisation(cause)

    return wait


def _always(value: Any) -> Callable[..., Any]:
    def answer(*arguments: Any) -> Any:
        return value

    return answer


# ---- modules and launches ------------------------------------------------------------------------

_modules: dict[int, kernels.Module] = {}
_functions: dict[int, tuple[str, kernels.Launch]] = {}


def _load_module(image: bytes) -> int:
    handle = _new_handle()
    _modules[handle] = kernels.load(image)
    return handle


def _get_function(module: int, name: str) -> int:
    handle = _new_handle()
    _functions[handle] = name, _modules[module].launch(name)
    return handle


def _launch_kernel(
    function: int,
    grid_x: int,
    grid_y: int,
    grid_z: int,
    block_x: int,
    block_y: int,
    block_z: int,
    shared_bytes: int,
    stream: int,
    arguments: int,
    extra: int = 0,
) -> None:
    name, launch = _functions[function]
    record_launch(name, stream)
    launch((grid_x, grid_y, grid_z), (block_x, block_y, block_z), shared_bytes, arguments)


# ---- the tables ----------------------------------------------------------------------------------

RUNTIME: dict[str, Callable[..., Any]] = {
    "_getCUDAMajorVersion": _always(_CUDA_VERSION // 1000),
    "driverGetVersion": _always(_CUDA_VERSION),
    "runtimeGetVersion": _always(_CUDA_VERSION),
    "getDeviceCount": _get_device_count,
    "getDevice": _get_device,
    "setDevice": _set_device,
    "deviceGetAttribute": _device_attribute,
    "getDeviceProperties": _device_properties,
    "deviceCanAccessPeer": _always(1),
    "deviceGetLimit": _always(1 << 20),
    "malloc": _malloc,
    "free": _free,
    "mallocAsync": _malloc_async,
    "freeAsync": _free_async,
    "mallocManaged": _malloc,
    "hostAlloc": _malloc_host,
    "freeHost": _free_host,
    "memGetInfo": _memory_info,
    "pointerGetMemoryType": _pointer_type,
    "pointerGetAttributes": _pointer_attributes,
    "memcpy": _memcpy,
    "memcpyAsync": _memcpy_async,
    "memcpyPeer": _memcpy_peer,
    "memcpyPeerAsync": _memcpy_peer_async,
    "memset": _memset,
    "memsetAsync": _memset_async,
    "streamCreate": _new_handle,
    "streamCreateWithFlags": _new_handle,
    "streamCreateWithPriority": _new_handle,
    "streamQuery": _always(0),
    "streamIsCapturing": _always(0),
    "streamSynchronize": _synchronise("stream"),
    "deviceSynchronize": _synchronise("device"),
    "eventCreate": _new_handle,
    "eventCreateWithFlags": _new_handle,
    "eventQuery": _always(0),
    "eventElapsedTime": _always(0.0),
    "eventSynchronize": _synchronise("event"),
}
RUNTIME_WITHOUT_EFFECT = frozenset(
    {
        "_ensure_context",
        "_deviceEnsurePeerAccess",
        "deviceEnablePeerAccess",
        "eventDestroy",
        "eventRecord",
        "hostRegister",
        "hostUnregister",
        "profilerStart",
        "profilerStop",
        "streamDestroy",
        "streamWaitEvent",
    }
)

DRIVER: dict[str, Callable[..., Any]] = {
    "get_build_version": _always(_CUDA_VERSION),
    "ctxGetCurrent": _always(1),
    "ctxGetDevice": _get_device,
    "streamGetCtx": _always(1),
    "moduleLoadData": _load_module,
    "moduleGetFunction": _get_function,
    "funcGetAttribute": _always(0),
    "occupancyMaxActiveBlocksPerMultiprocessor": _always(8),
    "occupancyMaxPotentialBlockSize": _always((_ATTRIBUTES[16], 256)),
    "launchKernel": _launch_kernel,
    "launchCooperativeKernel": _launch_kernel,
}
DRIVER_WITHOUT_EFFECT = frozenset({"ctxSetCurrent", "funcSetAttribute", "moduleUnload"})
