"""The real CuPy on a machine without a GPU.

CuPy's shapes, dtypes, keywords, devices and memory pool are its own code; only the CUDA calls are
answered here, its kernels compiled by g++ and the CUDA libraries replaced by NumPy and SciPy.
Launches, copies, allocations and host synchronisations are counted, and the last can be forbidden.

``install`` or ``load`` must run before anything imports ``cupy``. This package itself imports no
array library until then.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from . import watching
from .counts import Counts, SynchronisationError, errors

__all__ = [
    "UNSUPPORTED",
    "Counts",
    "SynchronisationError",
    "check_errors",
    "counting",
    "errors",
    "exit",
    "forbid_synchronisation",
    "install",
    "load",
    "real_gpu",
    "unsupported",
]

#: Exit status of a process that printed the reason of ``unsupported`` and did nothing.
UNSUPPORTED = 77

_OLDEST, _NEWEST = (14, 2), (15, 0)  # of CuPy: from, and up to but not including

_installed: list[ModuleType] = []  # CuPy, once the emulator carries it


@functools.cache
def real_gpu() -> bool:
    """Tell whether there is a CUDA driver with a device, without importing CuPy.

    Returns
    -------
    bool
        True where the real CuPy can run.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int()
    return (
        driver.cuInit(0) == 0
        and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
        and count.value > 0
    )


@functools.cache
def unsupported() -> str | None:
    """Say why the emulator cannot run here, without importing CuPy.

    Returns
    -------
    str or None
        A reason fit for a skipped test, or None where it can run.
    """
    if sys.platform != "linux":
        return "the CuPy emulator needs Linux"
    specification = importlib.util.find_spec("cupy")
    if specification is None or specification.origin is None:
        return "CuPy is not installed (pip install cupy-cuda12x)"
    text = Path(specification.origin).with_name("_version.py").read_text()
    found = re.search(r"__version__ = '((\d+)\.(\d+)[^']*)'", text)
    if found is None:
        return "the version of CuPy cannot be read"
    if not _OLDEST <= (int(found[2]), int(found[3])) < _NEWEST:
        return f"the CuPy emulator is written for CuPy >=14.2,<15, not {found[1]}"
    from . import kernels

    if kernels.compiler_version() < kernels.OLDEST_COMPILER:
        return f"the CuPy emulator needs {kernels.COMPILER} {kernels.OLDEST_COMPILER} or later"
    if importlib.util.find_spec("scipy") is None:
        return "the CuPy emulator needs SciPy"
    return _misfit()


def _misfit() -> str | None:
    """Say which of CuPy's C functions has a signature that the emulator does not understand."""
    from . import binding, device

    try:
        driver = importlib.import_module("cupy_backends.cuda.api.driver")
        runtime = importlib.import_module("cupy_backends.cuda.api.runtime")
    except ImportError as error:
        return f"CuPy's bindings to CUDA cannot be imported: {error}"
    if _installed:
        return None  # the tables hold the emulator's own functions by now
    return binding.misfit(runtime, device.RUNTIME) or binding.misfit(driver, device.DRIVER)


def install(devices: int = 2) -> ModuleType:
    """Install the emulator and import CuPy on it. A second call returns the same module.

    Parameters
    ----------
    devices : int, optional
        How many devices CuPy is to see.

    Returns
    -------
    module
        ``cupy``.

    Raises
    ------
    RuntimeError
        If CuPy was imported already, or the emulator cannot run here.
    """
    if _installed:
        return _installed[0]
    if "cupy" in sys.modules:
        raise RuntimeError("cupy_cpu.install() must run before anything imports cupy")
    reason = unsupported()
    if reason is not None:
        raise RuntimeError(reason)
    from . import binding, device, kernels, libraries

    runtime = importlib.import_module("cupy_backends.cuda.api.runtime")
    driver = importlib.import_module("cupy_backends.cuda.api.driver")
    device.set_device_count(devices)
    binding.bind(runtime, device.RUNTIME, device.RUNTIME_WITHOUT_EFFECT)
    binding.bind(driver, device.DRIVER, device.DRIVER_WITHOUT_EFFECT)
    libraries.install_before_cupy()
    import cupy

    # Reductions by CUB are closed code; CuPy's own kernels give the same values.
    cupy._core.set_routine_accelerators([])
    cupy._core.set_reduction_accelerators([])
    libraries.install_into_cupy(cupy)
    _compile_with(kernels, cupy)
    _installed.append(cupy)
    return cupy


def _compile_with(kernels: ModuleType, cupy: ModuleType) -> None:
    """Make CuPy compile its kernels with g++ where it would call NVRTC."""

    def compile_module(
        source: str,
        options: tuple[str, ...] = (),
        *,
        name_expressions: tuple[str, ...] | None = None,
        **others: object,
    ) -> object:
        names = tuple(name_expressions or ())
        module = cupy.cuda.function.Module()
        module.load(kernels.compile_source(source, options, names))
        if names:
            module._set_mapping({name: name for name in names})
        return module

    cupy.cuda.compiler._compile_module_with_cache = compile_module


def load(devices: int = 2, *, count: bool = False) -> tuple[ModuleType, bool]:
    """Import CuPy: on the GPU where there is one, else on the emulator.

    Parameters
    ----------
    devices : int, optional
        How many devices the emulator is to show.
    count : bool, optional
        Count on a GPU too; CuPy must not be imported yet.

    Returns
    -------
    cupy : module
    emulated : bool
    """
    if real_gpu():
        if count:
            watching.watch()
        return importlib.import_module("cupy"), False
    return install(devices), True


def check_errors() -> None:
    """Raise the first error that CuPy could not be told of, if there is one; forget all."""
    if errors:
        first = errors[0]
        errors.clear()
        raise first


@contextlib.contextmanager
def counting() -> Iterator[Counts]:
    """Count what CuPy asks of the emulated device.

    Contexts may be nested; each counts by itself. Allocations are counted in the current thread,
    everything else in all threads.

    Yields
    ------
    Counts
        ``launches``, ``library_calls``, ``synchronisations``, ``copies``, ``allocations`` and what
        they are made of; live while the context lasts.
    """
    if not _installed and not watching.active:
        raise RuntimeError("nothing counts: call install() first, or load(count=True)")
    import cupy

    counts = Counts()

    class Hook(cupy.cuda.MemoryHook):
        name = f"cupy_cpu.counting {id(counts)}"  # of two with one name CuPy refuses the second

        def malloc_postprocess(self, *, pmem_id: int, mem_size: int, **others: int) -> None:
            counts.allocate(pmem_id, mem_size)

        def free_postprocess(self, *, pmem_id: int, **others: int) -> None:
            counts.free(pmem_id)

    with counts, Hook():
        yield counts


@contextlib.contextmanager
def forbid_synchronisation() -> Iterator[None]:
    """Fail if the host waits for the device.

    CuPy itself refuses at once what it knows to synchronise. It does not know of streams, events
    and plain copies; on the emulator those are counted, and reported when the context ends. On a
    real GPU only the first holds. CuPy's refusal is a matter of the thread, the count is not.

    Raises
    ------
    SynchronisationError
        From CuPy's own exception where it refused; otherwise with the places that were counted.
    """
    import cupyx

    with contextlib.ExitStack() as stack:
        counts = stack.enter_context(Counts())
        with warnings.catch_warnings():
            # It is deprecated for what it misses, which the counter sees.
            warnings.simplefilter("ignore")
            stack.enter_context(cupyx.allow_synchronize(False))
        try:
            yield
        except cupyx.DeviceSynchronized as refusal:
            raise SynchronisationError(str(refusal)) from refusal
    if counts.synchronisations:
        raise SynchronisationError(
            f"{counts.synchronisations} host synchronisations: {dict(counts.causes)}, at\n"
            + "\n".join(counts.places)
        )


def exit(code: int) -> NoReturn:
    """Leave the process at once, after flushing what was printed.

    Nothing that CuPy holds is taken down, whatever its state.

    Parameters
    ----------
    code : int
        The exit status.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
