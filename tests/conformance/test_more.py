"""Beside names and values: promotion, special cases, copies, DLPack, shapes that depend on data, the suite itself."""

import itertools
import math
from pathlib import Path

import capabilities
import numpy as np
import pytest
from conformance.suite import LIBRARIES, main

from agnograd.backends.dask_indexing import known_shapes
from agnograd.core.array import innermost
from agnograd.testing.gradcheck import compute

HERE = Path(__file__).parent
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float32", "float64", "complex64", "complex128")


@pytest.fixture
def xp(agnograd_xp):
    return agnograd_xp


# -- promotion ---------------------------------------------------------------------------------------------------------


def pairs():
    """Pairs of dtypes whose promotion the standard defines: of a kind, and signed beside unsigned integers."""
    yield from itertools.product(FLOATS, repeat=2)
    for a, b in itertools.product(INTEGERS, repeat=2):
        if "uint64" not in (a, b) or a[0] == b[0]:
            yield a, b


@pytest.mark.parametrize("function", ["add", "multiply", "where", "concat", "matmul", "tensordot", "vecdot"])
def test_promotion(xp, function):
    ones = {name: xp.ones((2, 2), dtype=getattr(xp, name)) for name in (*INTEGERS, *FLOATS)}
    outs = []
    for names in pairs():
        a, b = (ones[name] for name in names)
        if function == "where":
            out = xp.where(a == 1, a, b)
        elif function == "concat":
            out = xp.concat([a, b])
        else:
            out = getattr(xp, function)(a, b)
        assert out.dtype == xp.result_type(a.dtype, b.dtype), names
        outs.append(innermost(out))
    assert [x.dtype for x in compute(outs)] == [np.result_type(*names) for names in pairs()]


@pytest.mark.parametrize("function", ["sum", "prod", "cumulative_sum", "cumulative_prod", "linalg.trace"])
def test_reductions_of_small_integers_take_the_default_integer(xp, function):
    reduce = xp.linalg.trace if function == "linalg.trace" else getattr(xp, function)
    axis = {"axis": 0} if function.startswith("cumulative") else {}
    signed = xp.__array_namespace_info__().default_dtypes()["integral"]
    for name in INTEGERS:
        out = reduce(xp.ones((2, 2), dtype=getattr(xp, name)), **axis)
        expected = signed if name.startswith("int") else xp.uint64 if signed == xp.int64 else xp.uint32
        assert out.dtype == expected
        assert reduce(xp.ones((2, 2), dtype=getattr(xp, name)), dtype=xp.int16, **axis).dtype == xp.int16
    assert reduce(xp.ones((2, 2), dtype=xp.float32), **axis).dtype == xp.float32


def test_python_numbers_take_the_dtype_of_the_array(xp):
    for name in FLOATS:
        x = xp.ones(2, dtype=getattr(xp, name))
        for out in (x + 1, 2 * x, x / 3.0, 1.5 - x, x**2, xp.add(x, 1.5), xp.where(x == 1, x, 0.5)):
            assert out.dtype == x.dtype
    assert (xp.ones(2, dtype=xp.float32) + 1j).dtype == xp.complex64
    assert (xp.ones(2, dtype=xp.int8) + 1).dtype == xp.int8


# -- special cases -----------------------------------------------------------------------------------------------------

INF, NAN = math.inf, math.nan


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (complex(INF, 0), complex(INF, 0)),
        (complex(-INF, INF), -1 + 0j),
        (complex(-INF, NAN), -1 + 0j),
        (complex(INF, NAN), complex(INF, NAN)),
        (complex(NAN, 0), complex(NAN, 0)),
        (complex(-0.0, 0.0), 0j),
        (1e-20 + 1e-20j, 1e-20 + 1e-20j),
        (complex(-INF, 1), complex(-1, 0)),
    ],
)
def test_complex_expm1(xp, x, expected):
    found = xp.expm1(xp.asarray([x])).tolist()[0]
    for a, b in ((abs(found.real), abs(expected.real)), (abs(found.imag), abs(expected.imag))):
        assert a == b or (a != a and b != b)
    assert math.copysign(1, found.real) == math.copysign(1, expected.real) or expected.real != 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("x", [complex(INF, 2), complex(INF, -2), complex(-INF, 2), complex(-INF, -1e300)])
def test_complex_tanh(agnograd_backend, xp, x, request):
    why = capabilities.CALLS.get((agnograd_backend, "xp.tanh(infinite)"))
    if why is not None and abs(x.imag) == 2:
        request.node.add_marker(pytest.mark.xfail(reason=why, strict=True))
    found = xp.tanh(xp.asarray([x])).tolist()[0]
    assert (found.real, found.imag) == (math.copysign(1, x.real), 0)
    assert math.copysign(1, found.imag) == math.copysign(1, x.imag)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("x", "by", "expected"),
    [(3.0, INF, 3.0), (-3.0, INF, INF), (3.0, -INF, -INF), (-3.0, -INF, -3.0), (-0.0, 2.0, 0.0), (0.0, -2.0, -0.0)],
)
def test_remainder(xp, x, by, expected):
    for dtype in (xp.float64, xp.float32):
        found = (xp.asarray([x], dtype=dtype) % xp.asarray([by], dtype=dtype)).tolist()[0]
        assert (found, math.copysign(1, found)) == (expected, math.copysign(1, expected))


def test_the_sign_of_zero_is_kept(xp):
    written = xp.ones(3)
    written[1] = -0.0
    for x in (xp.asarray(-0.0), xp.full((2,), -0.0), written[1], xp.asarray([-0.0]), -xp.zeros(2)):
        assert np.all(np.signbit(np.asarray(x)))


# -- copies and DLPack -------------------------------------------------------------------------------------------------


def test_copies_are_independent(xp):
    x = xp.asarray([1.0, 2.0])
    for copied in (
        xp.asarray(x, copy=True),
        xp.astype(x, xp.float64),
        xp.from_dlpack(x, copy=True),
        xp.full_like(x, 7),
    ):
        before = x.tolist()
        copied[0] = 9.0
        assert x.tolist() == before


def test_dlpack(xp):
    x = xp.asarray([1.0, 2.0])
    kind, number = x.__dlpack_device__()
    assert (int(kind) >= 1, number) == (True, 0)
    for options in ({}, {"max_version": (1, 0)}, {"copy": True}, {"dl_device": (1, 0)}, {"stream": None}):
        assert "dltensor" in repr(x.__dlpack__(**options))
    assert xp.from_dlpack(x).tolist() == [1.0, 2.0]
    assert xp.from_dlpack(x, device=x.device, copy=True).device == x.device
    host = np.from_dlpack(x, device="cpu")
    assert (host.tolist(), host.dtype) == ([1.0, 2.0], np.float64)


# -- numbers that are tensors ------------------------------------------------------------------------------------------


def test_linspace_between_tensors(xp):
    start, stop = xp.asarray(1.0).requires_grad_(), xp.asarray(3.0).requires_grad_()
    out = xp.linspace(start, stop, 5)
    assert out.tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
    out[1].backward()
    assert (start.grad.tolist(), stop.grad.tolist()) == (0.75, 0.25)
    assert xp.linspace(start, 3.0, 2, dtype=xp.float32).dtype == xp.float32


def test_bounds_of_slices_may_be_tensors(xp):
    x = xp.arange(6)
    assert x[xp.asarray(1) : xp.asarray(5) : xp.asarray(2)].tolist() == [1, 3]


def test_the_order_of_searchsorted_may_be_a_tensor(xp):
    x = xp.asarray([3.0, 1.0, 2.0])
    assert xp.searchsorted(x, xp.asarray([1.5, 3.5]), sorter=xp.argsort(x)).tolist() == [1, 3]


# -- shapes that depend on data ----------------------------------------------------------------------------------------


def test_shapes_that_depend_on_data(xp):
    x = xp.asarray([3.0, 0.0, 1.0, 0.0])
    twice = xp.asarray([2, 0, 1, 1])

    def results():
        yield x[x > 0], (2,)
        yield xp.nonzero(x)[0], (2,)
        yield xp.unique_values(x), (3,)
        yield xp.unique_counts(x).counts, (3,)
        yield xp.unique_inverse(x).inverse_indices, (4,)
        yield xp.unique_all(x).indices, (3,)
        yield xp.repeat(x, twice), (4,)
        yield x[xp.asarray(True)], (1, 4)

    # Dask does not know them unless it is told to compute.
    for out, shape in results():
        assert None in out.shape or out.shape == shape
    with known_shapes():
        for out, shape in results():
            assert out.shape == shape
        x.requires_grad_()
        xp.repeat(x, twice).sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 1.0, 1.0]


# -- the lists of what may fail ----------------------------------------------------------------------------------------

# Failures of the wrapped libraries, for CuPy; for the others what agnograd sets itself to stay below.
MOST = {"numpy": 24, "strict": 24, "dask": 26, "cupy": 97}


@pytest.mark.parametrize("backend", LIBRARIES)
def test_what_may_fail_is_little_and_has_reasons(backend):
    text = (HERE / f"{backend}.txt").read_text()
    head, *groups = text.strip().split("\n\n")
    assert backend in head
    tests = []
    for group in groups:
        lines = group.splitlines()
        reasons = list(itertools.takewhile(lambda line: line.startswith("# "), lines))
        assert reasons
        tests += lines[len(reasons) :]
    assert all(line.startswith("array_api_tests/test_") and "::" in line for line in tests)
    assert len(tests) == len(set(tests)) <= MOST[backend]


def test_the_command_wants_a_checkout(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--suite", str(tmp_path)])
    assert "is no checkout of data-apis/array-api-tests with its submodule" in capsys.readouterr().err
