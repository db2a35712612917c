"""Counts what CuPy asks of a real device, as the emulator counts it.

The tables of C functions that the emulator fills are filled anew here with functions that call what
was there before and then write it down. So a prediction of the emulator can be held against a GPU.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

from . import binding, counts

# By cudaMemcpyKind. The last leaves it to CUDA, which CuPy does only with memory of devices.
_DIRECTIONS = {1: "to device", 2: "to host", 3: "on device", 4: "on device"}

#: Filled once ``watch`` has run: from then on the contexts of ``counting`` see the real device.
active: list[bool] = []


def watch(
    launched: Callable[[str, int], None] = counts.record_launch,
    copied: Callable[[str], None] = counts.record_copy,
    waited: Callable[[str], None] = counts.record_synchronisation,
) -> None:
    """Count from now on. It must run before anything imports ``cupy``.

    Parameters
    ----------
    launched, copied, waited : callable, optional
        What is told of a launch (kernel and stream), a copy (its direction) and a wait (its cause).

    Raises
    ------
    RuntimeError
        If CuPy was imported already.
    """
    if "cupy" in sys.modules:
        raise RuntimeError("cupy_cpu.watching.watch() must run before anything imports cupy")
    names: dict[int, str] = {}

    def copy(kind: int) -> str:
        direction = _DIRECTIONS[kind]
        copied(direction)
        return direction

    def memcpy(_: None, target: int, source: int, size: int, kind: int) -> None:
        if copy(kind) != "on device":
            waited("memcpy")

    runtime: dict[str, Callable[..., None]] = {
        "memset": lambda _, pointer, value, size: launched("memset", 0),
        "memsetAsync": lambda _, pointer, value, size, stream: launched("memset", stream),
        "memcpy": memcpy,
        "memcpyAsync": lambda _, target, source, size, kind, stream: copy(kind),
        "memcpyPeer": lambda *_: copied("between devices"),
        "memcpyPeerAsync": lambda *_: copied("between devices"),
        "streamSynchronize": lambda *_: waited("stream"),
        "deviceSynchronize": lambda *_: waited("device"),
        "eventSynchronize": lambda *_: waited("event"),
    }
    driver: dict[str, Callable[..., None]] = {
        "moduleGetFunction": lambda handle, module, name: names.__setitem__(handle, name),
        "launchKernel": lambda _, function, *rest: launched(names.get(function, "kernel"), rest[7]),
        "launchCooperativeKernel": lambda _, function, *rest: launched(
            names.get(function, "kernel"), rest[7]
        ),
    }
    for name, table in (("runtime", runtime), ("driver", driver)):
        binding.observe(importlib.import_module(f"cupy_backends.cuda.api.{name}"), table)
    active.append(True)
