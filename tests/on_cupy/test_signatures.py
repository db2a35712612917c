"""What rules and the backend ask of CuPy is there: functions, keywords, and loops for every dtype.

Most of it runs on the emulator anyway. Here are the branches that no sample takes, and the calls that samples make
which only run on other backends.
"""

import ast
import inspect
from pathlib import Path
from types import ModuleType

import array_api_compat.cupy
import array_api_strict
import cupy as cp
import numpy as np
import pytest

import agnograd.backends
from agnograd import jvp, vjp
from agnograd.core.table import OPS, Space, forget_bodies, spaces
from agnograd.testing import cases
from agnograd.testing.gradcheck import leaves, rebuild
from agnograd.testing.matrix import Row

COMPAT = array_api_compat.cupy
FOLDER = Path(agnograd.backends.__file__).parent
UFUNC_KEYWORDS = {"out", "dtype", "casting", "where"}
# Written in Cython, without a signature that Python can read; what they take is in CuPy's documentation.
WITHOUT_SIGNATURE = {"at", "from_dlpack"}


def refusal(function, count, keywords):
    """Why a function cannot be called with so many arguments by position and these by name; None if it can."""
    if isinstance(function, (type, cp.ufunc)):
        if isinstance(function, type):
            return None
        if count > function.nin + function.nout or count < function.nin:
            return f"takes {function.nin} arrays, got {count}"
        unknown = set(keywords) - UFUNC_KEYWORDS
        return f"takes no {unknown}" if unknown else None
    try:
        inspect.signature(function).bind(*range(count), **dict.fromkeys(keywords))
    except TypeError as error:
        return str(error)
    return None


# -- what the backend's own code calls ---------------------------------------------------------------------------------


def resolve(root, path):
    for name in path:
        root = getattr(root, name)
    return root


def calls(tree, roots):
    """Line, function, positional arguments and keywords of calls ``cp.linalg.solve(...)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            path, part = [], node.func
            while isinstance(part, ast.Attribute):
                path.append(part.attr)
                part = part.value
            if isinstance(part, ast.Name) and part.id in roots and path:
                yield node.lineno, part.id, path[::-1], node


@pytest.mark.parametrize("name", ["cupy.py", "cupy_kernels.py"])
def test_calls_of_the_backend(name):
    tree = ast.parse((FOLDER / name).read_text(encoding="utf-8"))
    found = list(calls(tree, {"cp": cp, "xp": COMPAT}))
    assert len(found) > 5
    for line, root, path, node in found:
        function = resolve({"cp": cp, "xp": COMPAT}[root], path)
        keywords = [k.arg for k in node.keywords]
        starred = any(isinstance(a, ast.Starred) for a in node.args) or None in keywords
        if path[-1] in WITHOUT_SIGNATURE or starred or path[0] == "cuda":
            assert callable(function)
            continue
        reason = refusal(function, len(node.args), keywords)
        assert reason is None, f"{name}:{line}: {'.'.join(path)} {reason}"


# -- what rules call ---------------------------------------------------------------------------------------------------


class Recording:
    """A namespace that writes down how its functions are called."""

    def __init__(self, module, found, prefix=""):
        self._module, self._found, self._prefix = module, found, prefix

    def __getattr__(self, name):
        value = getattr(self._module, name)
        full = self._prefix + name
        if isinstance(value, ModuleType):
            return Recording(value, self._found, f"{full}.")
        if not callable(value) or isinstance(value, type):
            return value

        def function(*args, **options):
            self._found.add((full, len(args), tuple(sorted(options))))
            return value(*args, **options)

        return function


def has_body(name):
    return name in OPS and OPS[name].body is not None


@pytest.fixture(scope="module")
def recorded():
    """Name, number of arguments by position and names of the others: of all calls that all samples make on NumPy."""
    found = set()
    real = spaces[np.ndarray]
    for kind in (np.bool, np.int64, np.float32, np.float64, np.complex64, np.complex128):
        assert spaces[kind] is real  # known from here on
    recording = Space(
        real.name,
        Recording(real.module, found),
        # Where there is neither a function of NumPy's nor a body in standard names.
        kernels={k: f for k, f in real.kernels.items() if not hasattr(real.module, k) and not has_body(k)},
        device=real.device,
        copy=real.copy,
        is_scalar=real.is_scalar,
        backend=real.backend,
    )
    replaced = {kind: space for kind, space in spaces.items() if space is real}
    spaces.update(dict.fromkeys(replaced, recording))
    forget_bodies()
    try:
        for case in cases():
            if case.op.changes_backend or "." in case.op.name.replace("linalg.", "").replace("fft.", ""):
                continue
            with np.errstate(all="ignore"):
                run(case)
    finally:
        spaces.update(replaced)
        forget_bodies()
    return found


def run(case):
    made = case.build(Row("numpy", "numpy"))
    f = made.function()
    if not made.primals or not case.op.differentiable:
        f(*made.primals)
        return
    value, pullback = vjp(f, *made.primals)
    pullback(rebuild(value, [np.ones_like(y) for y in leaves(value)]))
    jvp(f, tuple(made.primals), tuple(np.ones_like(x) for x in made.primals))


def test_calls_of_rules(recorded):
    assert len(recorded) > 150
    space = spaces.named("cupy")
    refused = []
    for name, count, keywords in sorted(recorded):
        function = space.kernels.get(name)
        if function is None:
            if has_body(name):
                continue  # runs in terms of others
            function = resolve(COMPAT, name.split("."))
        reason = None if name in WITHOUT_SIGNATURE else refusal(function, count, keywords)
        if reason is not None:
            refused.append(f"{name} with {count} arguments and {keywords}: {reason}")
    assert not refused, "\n".join(refused)


def test_a_keyword_that_cupy_lacks_is_noticed():
    assert refusal(cp.linalg.svd, 1, ("full_matrices",)) is None
    assert "driver" in refusal(cp.linalg.svd, 1, ("driver",))
    assert refusal(cp.exp, 1, ("axis",)) is not None
    assert refusal(cp.add, 1, ()) is not None


# -- dtypes ------------------------------------------------------------------------------------------------------------

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
DTYPES += ["float32", "float64", "complex64", "complex128"]
UFUNCS = sorted(
    name for name in dir(COMPAT) if isinstance(getattr(COMPAT, name), cp.ufunc) and name in array_api_strict.__all__
)


def loop(ufunc, dtype):
    """The dtype of the output of the loop that CuPy takes, the first to which inputs can be cast."""
    for types in ufunc.types:
        inputs, outputs = types.split("->")
        # E is bfloat16, which CuPy has where ml_dtypes is installed.
        if "E" not in types and all(np.can_cast(dtype, char) for char in inputs):
            return np.dtype(outputs[0])
    return None


@pytest.mark.parametrize("name", UFUNCS)
def test_dtype_loops(name):
    ufunc = getattr(COMPAT, name)
    known = 0
    for dtype in DTYPES:
        x = array_api_strict.ones((1,), dtype=getattr(array_api_strict, dtype))
        try:
            with np.errstate(all="ignore"):
                expected = getattr(array_api_strict, name)(*[x] * ufunc.nin)
        except TypeError:
            continue  # not of the standard
        known += 1
        found = loop(ufunc, dtype)
        assert found is not None, f"{name} has no loop for {dtype}"
        assert found == np.dtype(str(expected.dtype).rpartition(".")[2]), f"{name} of {dtype} gives {found}"
    assert known


def test_loops_are_of_most_elementwise_functions():
    assert len(UFUNCS) >= 50


def test_a_missing_loop_is_noticed():
    assert loop(cp.logaddexp, "complex128") is None
    assert loop(cp.exp, "float32") == np.float32
