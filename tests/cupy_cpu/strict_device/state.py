"""The current device of each thread, what is forbidden at present, and the errors."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from ..counts import Counts, SynchronisationError, record_copy, record_synchronisation

DEVICES = 2

_thread = threading.local()
_forbidden: set[str] = set()


class DeviceError(RuntimeError):
    """What CuPy leaves undefined, or does on the wrong device with a mere warning."""


def device_stack() -> list[int]:
    """Return the devices entered by this thread; the last is the current one."""
    if not hasattr(_thread, "devices"):
        _thread.devices = []
    return _thread.devices


def current_device() -> int:
    """Return the number of this thread's current device."""
    stack = device_stack()
    return stack[-1] if stack else 0


@contextlib.contextmanager
def _forbid(what: str) -> Iterator[None]:
    already = what in _forbidden
    _forbidden.add(what)
    try:
        yield
    finally:
        if not already:
            _forbidden.discard(what)


def forbid_synchronisation() -> contextlib.AbstractContextManager[None]:
    """Raise SynchronisationError where the host would wait for the device."""
    return _forbid("synchronisation")


def forbid_masks() -> contextlib.AbstractContextManager[None]:
    """Raise DeviceError at boolean indices."""
    return _forbid("masks")


def forbid_host_indices() -> contextlib.AbstractContextManager[None]:
    """Raise DeviceError at lists and NumPy arrays as indices, which CuPy copies at each use."""
    return _forbid("host indices")


def counting() -> Counts:
    """Count in a ``with`` statement, as ``cupy_cpu.counting`` does."""
    return Counts()


def synchronise(cause: str) -> None:
    """Note that the host waits for the device."""
    record_synchronisation(cause)
    if "synchronisation" in _forbidden:
        raise SynchronisationError(f"host synchronisation: {cause}")


def host_index() -> None:
    """Note that an index lies on the host."""
    record_copy("to device")
    if "host indices" in _forbidden:
        raise DeviceError("CuPy copies a host index to the device, each time that it is used")


def mask() -> None:
    """Note a boolean index."""
    if "masks" in _forbidden:
        raise DeviceError("boolean index")
