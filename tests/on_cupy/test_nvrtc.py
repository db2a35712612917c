"""CUDA's own compiler accepts the kernels, on any machine: it needs no driver, and nothing is run.

g++, by which the emulator compiles them, knows more names and takes more for C++ than NVRTC does. Both wheels that are
needed come with ``pip install 'agnograd[nvrtc]'``.
"""

import ctypes
import importlib.util
import itertools
import re
from pathlib import Path

import cupy as cp
import pytest
from compiled_cases import samples

import agnograd as ag
from agnograd.backends import cupy_kernels
from agnograd.compiler import cupy_cotangents
from agnograd.testing.capabilities import reason
from agnograd.testing.gradcheck import leaves, rebuild
from agnograd.testing.matrix import rows

pytestmark = pytest.mark.slow

ARCHITECTURES = ("compute_70", "compute_90")
ROW = rows(["cupy"])[0]
_names = itertools.count()


def wheel(package):
    spec = importlib.util.find_spec("nvidia") and importlib.util.find_spec(f"nvidia.{package}")
    if spec is None:
        pytest.skip(f"nvidia.{package} is not installed (pip install 'agnograd[nvrtc]')")
    return Path(next(iter(spec.submodule_search_locations)))


class Compiler:
    """NVRTC, with the headers of CuPy and of CUDA."""

    def __init__(self):
        (library,) = [p for p in (wheel("cuda_nvrtc") / "lib").glob("libnvrtc.so*") if "alt" not in p.name]
        self.nvrtc = ctypes.CDLL(str(library))
        self.headers = wheel("cuda_runtime") / "include"

    def errors(self, source, options, architecture):
        """What the compiler says, empty where it accepts the source."""
        options = [o for o in options if not (o.startswith("-I") and o.endswith("/include") and "cupy" not in o)]
        options += [f"-I{self.headers}", f"--gpu-architecture={architecture}"]
        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        assert not self.nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
        given = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
        status = self.nvrtc.nvrtcCompileProgram(program, len(options), given)
        self.nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self.nvrtc.nvrtcGetProgramLog(program, log)
        self.nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
        return log.value.decode() or f"status {status}" if status else ""


@pytest.fixture(scope="module")
def compiler():
    return Compiler()


@pytest.fixture
def sources(monkeypatch):
    """What CuPy gives to the compiler meanwhile: source and options."""
    found = []
    compile_module = cp.cuda.compiler._compile_module_with_cache

    def recording(source, options=(), **others):
        found.append((source, options))
        return compile_module(source, options, **others)

    monkeypatch.setattr(cp.cuda.compiler, "_compile_module_with_cache", recording)
    return found


def fresh(name):
    # CuPy compiles a name only once in a process.
    return f"agnograd_{name}_{next(_names)}"


def arguments(name, dtype):
    x = cp.ones((2, 3), dtype=dtype)
    index = cp.zeros((2, 3), dtype="int64")
    return {
        "remainder": (x, x),
        "sign": (x,),
        "bounded": (x, -1.0, 1.0),
        "shifted_exp": (x, x),
        "log_softmax": (x, x, x),
        "take_along": (x, index, 3, 3),
        "triangle": (x, 2, 3, 0, 1),
        "half_symmetric": (x, 3, x),
        "half_hermitian": (x, 3, x),
    }[name]


DTYPES = {
    "sign": ("e", "f", "d"),
    "take_along": ("?", "b", "e", "f", "d", "F", "D"),
    "triangle": ("?", "b", "f", "d", "F", "D"),
    "half_hermitian": ("F", "D"),
}


@pytest.mark.parametrize("name", cupy_kernels.ELEMENTWISE)
def test_elementwise_kernels(compiler, sources, name):
    for dtype in DTYPES.get(name, ("f", "d")):
        cp.ElementwiseKernel(*cupy_kernels.ELEMENTWISE[name], fresh(name))(*arguments(name, dtype))
    assert len([source for source, _ in sources if f"agnograd_{name}" in source]) >= 2
    check(compiler, sources)


def test_reduction(compiler, sources):
    for dtype in ("f", "d"):
        x = cp.ones((2, 3), dtype=dtype)
        cp.ReductionKernel(name=fresh("log_sum"), **cupy_kernels.LOG_SUM)(x, x, axis=1)
    assert len([source for source, _ in sources if "agnograd_terms" in source]) == 2
    check(compiler, sources)


@pytest.mark.parametrize("first", [True, False])
def test_kernels_of_compiled_programs(compiler, sources, first):
    # All that the operations' rules are made of, compiled in as many programs.
    for case in samples(first):
        # The array variant of repeat has a shape that depends on values.
        if (
            case.op.differentiable
            and case.op.name != "repeat"
            and not reason("cupy", "cupy", case.op.name, "test_vjp", case.id)
        ):
            made = case.build(ROW)
            f = ag.compile(made.function())
            if made.primals:
                value, pullback = ag.vjp(f, *made.primals)
                pullback(rebuild(value, [ROW.space.ones_like(y) for y in leaves(value)]))
    kept = {}
    for source, options in sources:
        name = re.search(r"agnograd_\w+_[0-9a-f]{8}", source)
        if name:
            kept[name[0]] = (source, options)
    assert len(kept) > 50
    for name, (source, options) in kept.items():
        assert "--fmad=false" in options, name
        assert not compiler.errors(source, options, ARCHITECTURES[0]), name


def test_kernels_of_passes(compiler, sources, monkeypatch):
    monkeypatch.setattr(cupy_cotangents, "AGAIN", 0)
    for case in samples(True):
        if case.op.tier == "elementwise" and not reason("cupy", "cupy", case.op.name, "test_vjp", case.id):
            made = case.build(ROW)
            if made.primals:
                f = made.function()
                # A rule before it, so that there are two of them.
                value, pullback = ag.vjp(lambda *xs, f=f: f(*xs) * 1.5, *made.primals)
                pullback(rebuild(value, [ROW.space.ones_like(y) for y in leaves(value)]))
    x = cp.linspace(0.1, 1.0, 4)
    ag.grad(lambda x: ag.mean(ag.sin(x * x[0]) * x[-1] + x[1] * x[1]))(x)
    kept = [given for given in sources if re.search(r"agnograd_\w+_[0-9a-f]{8}|agnograd_numbers", given[0])]
    assert len(kept) > 20
    assert any("agnograd_numbers" in source for source, _ in kept)
    for given in kept:
        assert not compiler.errors(*given, ARCHITECTURES[0]), given[0]


def check(compiler, sources):
    for source, options in sources:
        for architecture in ARCHITECTURES:
            assert not compiler.errors(source, options, architecture)


def test_what_only_gcc_accepts_is_noticed(compiler, sources):
    # These kernels once had it.
    cp.ElementwiseKernel("T x", "T out", "out = isinf(x) ? T(NAN) : x", fresh("nan"))(cp.ones(2))
    (source, options) = sources[-1]
    assert '"NAN" is undefined' in compiler.errors(source, options, ARCHITECTURES[0])
