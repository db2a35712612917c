"""Compiles CuPy's generated CUDA C++ with g++ and runs it on the CPU.

A kernel is compiled once into a small shared library and kept in a cache on disk, under the hash of
its source. ``include/cuda_shim.h`` supplies what nvcc would; it is precompiled together with CuPy's
headers, which brings a kernel down to about 0.2 s.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPILER = "g++"
OLDEST_COMPILER = 12  # the first with _Float16
_FLAGS = ("-O1", "-std=c++17", "-fPIC", "-U_FORTIFY_SOURCE", "-w", "-fpermissive")
_INCLUDE = Path(__file__).parent / "include"
_CUPY_HEADERS = (
    "cupy/complex.cuh",
    "cupy/carray.cuh",
    "cupy/atomics.cuh",
    "cupy/math_constants.h",
)
_SHARED_BYTES = 1 << 18  # dynamic_shared_memory in the shim

_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\('
)
_DYNAMIC_SHARED = re.compile(r"extern\s+__shared__\s+([\w:<> ]+?)\s+(\w+)\s*\[\s*\]\s*;")
_BARRIER = re.compile(r"__syncthreads|__syncwarp|__shfl|__any_sync")
_RETURN = re.compile(r"\breturn\s*;")

_Dimensions = ctypes.c_uint * 3


class KernelCompilationError(Exception):
    """g++ refused a kernel that nvcc may well accept."""


@dataclass
class Statistics:
    """How many sources this process used and had to compile, and the seconds of compiling."""

    used: int = 0
    compiled: int = 0
    seconds: float = 0.0


statistics = Statistics()


class Launch:
    """One kernel of a compiled library, ready to be launched."""

    def __init__(self, entry: Any) -> None:
        self._entry = entry
        entry.argtypes = [ctypes.c_void_p, _Dimensions, _Dimensions]
        entry.restype = None

    def __call__(
        self, grid: Sequence[int], block: Sequence[int], shared_bytes: int, arguments: int
    ) -> None:
        """Run every thread of the grid; ``arguments`` points to the pointers to the arguments."""
        if shared_bytes > _SHARED_BYTES:
            raise ValueError(f"{shared_bytes} bytes of shared memory; there are {_SHARED_BYTES}")
        self._entry(arguments, _Dimensions(*grid), _Dimensions(*block))


class Module:
    """A compiled CUDA source, and the C names under which its kernels are launched."""

    def __init__(self, path: Path, entries: Mapping[str, str]) -> None:
        # PyDLL keeps Python's lock during a launch: kernels share static memory, and two threads
        # may launch at once.
        self._library = ctypes.PyDLL(str(path))
        self._entries = entries

    def launch(self, name: str) -> Launch:
        """Return the kernel of that name, or of that name expression."""
        return Launch(self._library[self._entries[name]])


_modules: dict[bytes, Module] = {}
_compiling = threading.Lock()  # threads may meet the same kernel at once


def load(image: bytes) -> Module:
    """Return the module that ``compile_source`` named ``image``."""
    return _modules[image]


def compile_source(source: str, options: Iterable[str] = (), names: Iterable[str] = ()) -> bytes:
    """Compile CUDA C++, unless the cache has it already.

    Parameters
    ----------
    source : str
        The source, as CuPy would give it to NVRTC.
    options : iterable of str
        NVRTC's options; only definitions of macros and include paths outside CuPy are passed on.
    names : iterable of str
        C++ expressions that name further kernels: instances of templates.

    Returns
    -------
    bytes
        What stands for the binary: CuPy hands it on to ``load``.

    Raises
    ------
    KernelCompilationError
        If g++ does not accept the source.
    """
    options = _understood(options)
    names = tuple(names)
    digest = hashlib.sha256(repr((source, options, names)).encode()).hexdigest()[:32]
    image = digest.encode()
    with _compiling:
        if image not in _modules:
            kernels = [*_KERNEL.findall(source), *names]
            entries = {name: f"launch_{number}" for number, name in enumerate(kernels)}
            library = _cache() / f"{digest}.so"
            if not library.exists():
                _compile(_translate(source, entries), options, library)
            _modules[image] = Module(library, entries)
            statistics.used += 1
    return image


def _understood(options: Iterable[str]) -> tuple[str, ...]:
    """Keep those of NVRTC's options that g++ has too and a kernel may need."""
    own = f"-I{_cupy_include()}"
    return tuple(
        option
        for option in options
        if option.startswith(("-D", "-U", "-I")) and not option.startswith(own)
    )


def _translate(source: str, entries: Mapping[str, str]) -> str:
    """Replace what is not C++, and add a function that launches each kernel."""
    source = _DYNAMIC_SHARED.sub(r"\1 *\2 = reinterpret_cast<\1*>(dynamic_shared_memory);", source)
    mode = _mode(source)
    launchers = [
        f'extern "C" void {entry}(void** arguments, const unsigned* grid, const unsigned* block) '
        f"{{ emulator::launch(emulator::{mode}, &{name}, arguments, grid, block); }}"
        for name, entry in entries.items()
    ]
    return "\n".join([source, *launchers, ""])


def _mode(source: str) -> str:
    """Choose how to run the threads: see ``Mode`` in the shim."""
    if _BARRIER.search(source):
        return "kOnFibers"
    # CUPY_FOR is CuPy's grid-stride loop: one thread can do all of it, unless a `return` in the
    # body ends a thread that has more elements to do.
    if "CUPY_FOR" in source and not _RETURN.search(source):
        return "kOneThread"
    return "kInTurn"


# ---- g++ and the cache ---------------------------------------------------------------------------


def _compile(source: str, options: Sequence[str], library: Path) -> None:
    started = time.perf_counter()
    code = library.with_suffix(".cpp")
    _write(code, source)
    header = _precompiled_header()
    _run_compiler(
        [*options, "-shared", "-include", str(header), str(code)], library, "a kernel of CuPy"
    )
    statistics.compiled += 1
    statistics.seconds += time.perf_counter() - started


def _run_compiler(arguments: Sequence[str], output: Path, what: str) -> None:
    """Compile into a file of this process, then rename: another process never sees half of it."""
    partial = _partial(output)
    include = [f"-I{_INCLUDE}", f"-I{_cupy_include()}"]
    command = [COMPILER, *_FLAGS, *include, *arguments, "-o", str(partial)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelCompilationError(f"{COMPILER} does not compile {what}:\n{done.stderr[:3000]}")
    partial.replace(output)


def _write(path: Path, text: str) -> None:
    partial = _partial(path)
    partial.write_text(text)
    partial.replace(path)


def _partial(path: Path) -> Path:
    return path.with_name(f"{os.getpid()}.partial.{path.name}")


def compiler_version() -> int:
    """Return the major version of g++, or 0 if there is none."""
    if shutil.which(COMPILER) is None:
        return 0
    command = [COMPILER, "-dumpversion"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.partition(".")[0])


@functools.cache
def _cupy_include() -> Path:
    specification = importlib.util.find_spec("cupy")
    assert specification is not None
    assert specification.origin is not None
    return Path(specification.origin).parent / "_core" / "include"


@functools.cache
def _cache() -> Path:
    """Return the directory for what this module, this CuPy and this compiler give together."""
    root = os.environ.get("CUPY_CPU_CACHE") or Path.home() / ".cache" / "agnograd-cupy-cpu"
    sources = [Path(__file__), *sorted(_INCLUDE.rglob("*.h"))]
    parts = [path.read_bytes() for path in sources]
    parts += [(_cupy_include().parents[1] / "_version.py").read_bytes()]
    parts += [subprocess.run([COMPILER, "--version"], capture_output=True, check=True).stdout]
    parts += [" ".join(_FLAGS).encode()]
    directory = Path(root) / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@functools.cache
def _precompiled_header() -> Path:
    """Return the header that g++ includes before each kernel, precompiled beside it."""
    header = _cache() / "kernel.h"
    precompiled = _cache() / "kernel.h.gch"
    if not precompiled.exists():
        lines = [f"#include <{name}>" for name in ("cuda_shim.h", *_CUPY_HEADERS)]
        _write(header, "\n".join(lines) + "\n")
        _run_compiler(["-x", "c++-header", str(header)], precompiled, "CuPy's headers")
    return header
