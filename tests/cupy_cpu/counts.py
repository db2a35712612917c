"""What CuPy asked of the device, counted; and the errors that CuPy could not be told of."""

from __future__ import annotations

import traceback
from collections import Counter
from pathlib import Path

#: Exceptions raised inside a callback that CuPy's C code called, oldest first. They cannot cross
#: the C boundary, so CuPy goes on with a meaningless result: call ``check_errors`` after a test.
errors: list[BaseException] = []

_observers: list[Counts] = []


class SynchronisationError(AssertionError):
    """The host waited for the device where ``forbid_synchronisation`` said that it must not."""


class Counts:
    """What happened on the device while this was observing.

    Attributes
    ----------
    kernels : Counter
        Launches, by kernel name.
    streams : Counter
        The same, by the handle of the stream (``Stream.ptr``); 0 is CUDA's default one.
    libraries : Counter
        Calls into cuBLAS, cuSOLVER, cuFFT, cuRAND and thrust, by ``library.function``.
    causes : Counter
        Host synchronisations, by what synchronised: ``stream``, ``device``, ``event`` or ``memcpy``
        (on the strict device, by what asked for it: ``float``, ``boolean index`` ...).
    directions : Counter
        Copies, by direction: ``to device``, ``to host``, ``on device``, ``between devices``.
    allocations, allocated_bytes, peak_bytes : int
        Arrays and work areas that CuPy took from its memory pool, and the most held at one time of
        those. Only the thread that opened the context is seen (CuPy's hooks are per thread).
    places : list of str
        Where each host synchronisation was asked for.
    """

    def __init__(self) -> None:
        self.kernels: Counter[str] = Counter()
        self.streams: Counter[int] = Counter()
        self.libraries: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.directions: Counter[str] = Counter()
        self.places: list[str] = []
        self.allocations = 0
        self.allocated_bytes = 0
        self.peak_bytes = 0
        self._held: dict[int, int] = {}
        self._held_bytes = 0

    @property
    def launches(self) -> int:
        """Kernels launched, memsets included, library calls not."""
        return self.kernels.total()

    @property
    def library_calls(self) -> int:
        """Calls into the CUDA libraries."""
        return self.libraries.total()

    @property
    def synchronisations(self) -> int:
        """Times the host waited for the device."""
        return self.causes.total()

    @property
    def copies(self) -> int:
        """Copies of memory, in any direction."""
        return self.directions.total()

    def allocate(self, block: int, size: int) -> None:
        """Count a block of memory, known by ``block``, taken from the pool."""
        self.allocations += 1
        self.allocated_bytes += size
        self._held[block] = size
        self._held_bytes += size
        self.peak_bytes = max(self.peak_bytes, self._held_bytes)

    def free(self, block: int) -> None:
        """Count a block given back, if it was taken while observing."""
        self._held_bytes -= self._held.pop(block, 0)

    def __enter__(self) -> Counts:
        _observers.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _observers.remove(self)

    def __repr__(self) -> str:
        return (
            f"Counts(launches={self.launches}, library_calls={self.library_calls}, "
            f"synchronisations={self.synchronisations}, copies={self.copies}, "
            f"allocations={self.allocations})"
        )


def record_launch(kernel: str, stream: int = 0) -> None:
    """Count the launch of a kernel on a stream."""
    for counts in _observers:
        counts.kernels[kernel] += 1
        counts.streams[stream] += 1


def record_library_call(name: str, times: int = 1) -> None:
    """Count a call into a CUDA library."""
    for counts in _observers:
        counts.libraries[name] += times


def record_copy(direction: str) -> None:
    """Count a copy."""
    for counts in _observers:
        counts.directions[direction] += 1


def record_allocation(block: int, size: int) -> None:
    """Count an allocation."""
    for counts in _observers:
        counts.allocate(block, size)


def record_free(block: int) -> None:
    """Count the end of an allocation."""
    for counts in _observers:
        counts.free(block)


def record_synchronisation(cause: str) -> None:
    """Count a wait of the host for the device, with the place that asked for it."""
    if _observers:
        place = _calling_place()
        for counts in _observers:
            counts.causes[cause] += 1
            counts.places.append(place)


_FOLDERS = {"cupy", "cupyx", "cupy_backends", "strict_device"}
_MODULES = {
    str(Path(__file__).with_name(name)) for name in ("binding.py", "counts.py", "device.py")
}


def _calling_place() -> str:
    """Return the innermost Python line outside CuPy and the devices."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if str(path) not in _MODULES and _FOLDERS.isdisjoint(path.parts):
            return f"{frame.filename}:{frame.lineno}: {frame.line}"
    return "unknown"
