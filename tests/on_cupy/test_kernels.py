"""Kernels in CUDA C++ give what the operation's body in standard names gives, in fewer launches."""

import math

import cupy as cp
import cupy_cpu
import numpy as np
import pytest

import agnograd as ag
from agnograd.backends import cupy_kernels, cupy_matrices
from agnograd.core.table import OPS, forget_bodies, spaces
from agnograd.errors import NotDifferentiableError
from agnograd.testing import cases, conformance
from agnograd.testing.matrix import Row

INF, NAN = math.inf, math.nan
xp = ag.namespace("cupy")
emulated = pytest.mark.skipif(cupy_cpu.real_gpu(), reason="the emulator counts launches, a GPU does not")

numbers = np.random.default_rng(5)
PLAIN = numbers.normal(size=(3, 4))
HARD = np.asarray(
    [[-INF, 0.0, -0.0, NAN], [INF, 1.0, INF, -INF], [-INF, -INF, -INF, -INF], [700.0, 800.0, 800.0, -800]]
)


def standard(name, *arrays, **params):
    return OPS[name].body(spaces[cp.ndarray].main, *arrays, **params)


def agree(got, expected, rtol=1e-14):
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    rtol = max(rtol, 4 * np.finfo(got.dtype).eps) if got.dtype.kind in "fc" else 0
    np.testing.assert_allclose(cp.asnumpy(got), cp.asnumpy(expected), rtol=rtol, atol=rtol)
    if got.dtype.kind == "f":
        zero = cp.asnumpy(got) == 0
        np.testing.assert_array_equal(np.signbit(got.get())[zero], np.signbit(expected.get())[zero])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1), ()])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_sums_of_exponentials(name, axis, dtype):
    for host in (PLAIN, HARD, PLAIN.T, 1000 * PLAIN, np.zeros((0, 3)), np.ones((2, 1))):
        if 0 in host.shape and axis not in {0, ()}:
            continue
        x = cp.asarray(host.astype(dtype))
        agree(
            cupy_kernels.KERNELS[name](x, axis=axis),
            standard(name, x, axis=axis),
            1e-6 if dtype == "float32" else 1e-14,
        )


def test_logsumexp_keeps_axes():
    x = cp.asarray(PLAIN)
    for axis in (None, 1, (0, 1)):
        got = cupy_kernels.logsumexp(x, axis=axis, keepdims=True)
        agree(got, standard("logsumexp", x, axis=axis, keepdims=True))


def test_sum_of_many_exponentials():
    # More elements than one block of threads takes.
    x = cp.linspace(0.0, 1.0, 5000)
    agree(cupy_kernels.logsumexp(x), standard("logsumexp", x))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_other_dtypes_are_refused_as_elsewhere(name):
    with pytest.raises(NotDifferentiableError, match="real floating-point"):
        getattr(xp, name)(cp.arange(3))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
@pytest.mark.parametrize("bounds", [(-0.5, 0.5), (None, 0.1), (0.1, None), (2.0, 1.0), (0, 1), (None, INF)])
def test_bounded(bounds, dtype):
    low, high = bounds
    for host in (PLAIN, HARD) if dtype != "int32" else (np.arange(-3, 4),):
        x = cp.asarray(host.astype(dtype))
        agree(cupy_kernels.bounded(x, low=low, high=high), standard("bounded", x, low=low, high=high))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "complex128"])
def test_sign(dtype):
    host = (HARD if dtype.startswith("float") else np.asarray([-2, 0, 3])).astype(dtype)
    np.testing.assert_array_equal(cupy_kernels.sign(cp.asarray(host)).get(), np.sign(host))


@pytest.mark.parametrize("dtype", ["float64", "complex128", "int8", "bool"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_take_along_axis(axis, dtype):
    x = (10 * numbers.normal(size=(2, 3, 4))).astype(dtype)
    n = x.shape[axis]
    many = numbers.integers(-n, n, size=np.where(np.arange(3) == axis % 3, 5, x.shape))
    one_for_all = many[:, :, :1] if axis == 0 else many[:1]
    none = np.delete(many, range(5), axis=axis)
    for source in (x, x.transpose(2, 0, 1).copy().transpose(1, 2, 0), np.take(x, [0], axis=1)):
        for index in (many, many.astype("int32"), (many % n).astype("uint64"), one_for_all, none):
            if axis == 1 and source.shape[1] != n:
                continue
            got = cupy_kernels.take_along_axis(cp.asarray(source), cp.asarray(index), axis=axis)
            lead = np.broadcast_shapes(*(np.delete(a.shape, axis) for a in (source, index)))
            index, wide = (np.broadcast_to(a, np.insert(lead, axis % 3, a.shape[axis])) for a in (index, source))
            expected = np.take_along_axis(wide, index.astype("int64"), axis=axis)
            assert got.dtype == dtype
            np.testing.assert_array_equal(got.get(), expected)


def test_take_along_an_empty_axis():
    with pytest.raises(IndexError, match=r"\(2, 0\)"):
        cupy_kernels.take_along_axis(cp.zeros((2, 0)), cp.zeros((2, 1), dtype="int64"), axis=1)


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "complex64", "complex128", "int8", "uint8", "int64"]
)
def test_scatter_add(dtype):
    host, value = (np.asarray([[1, 2], [3, 4], [5, n]]).astype(dtype) for n in (6, 7))
    indices = [0, 2, 0]
    x = cp.asarray(host)
    got = cupy_kernels.scatter_add(x, cp.asarray(indices), cp.asarray(value))
    expected = host.copy()
    np.add.at(expected, indices, value)
    np.testing.assert_array_equal(got.get(), expected)
    assert got.dtype == dtype
    np.testing.assert_array_equal(x.get(), host)


@emulated
@pytest.mark.parametrize(
    ("name", "most", "before"),
    [("bounded", 1, 4), ("sign", 1, 3), ("softmax", 4, 8), ("log_softmax", 3, 23), ("logsumexp", 3, 21)],
)
def test_launches(name, most, before):
    x = cp.asarray(PLAIN)
    params = {"low": -0.5, "high": 0.5} if name == "bounded" else {}
    kernel = cupy_kernels.KERNELS[name]
    kernel(x, **params)
    with cupy_cpu.counting() as counts:
        kernel(x, **params)
    assert (counts.launches, counts.synchronisations) == (most, 0)
    if OPS[name].body is not None:
        with cupy_cpu.counting() as counts:
            standard(name, x, **params)
        assert counts.launches == before


@emulated
def test_launches_of_indices():
    x, i = cp.asarray(PLAIN), cp.asarray([[0], [1], [2]])
    cupy_kernels.take_along_axis(x, i, axis=0)
    with cupy_cpu.counting() as counts:
        cupy_kernels.take_along_axis(x, i, axis=0)
    assert (counts.launches, counts.allocations, counts.synchronisations) == (1, 1, 0)


@pytest.mark.skipif(cp.cuda.runtime.getDeviceCount() < 2, reason="there is one GPU")
@pytest.mark.parametrize("name", ["bounded", "sign", "softmax", "log_softmax", "logsumexp"])
def test_on_a_device_that_is_not_the_current_one(name):
    with cp.cuda.Device(1):
        x = cp.asarray(PLAIN)
    params = {"low": -0.5, "high": 0.5} if name == "bounded" else {}
    out = ag.vjp(lambda x: OPS[name].call(x, **params), x)[0]
    assert out.device == cp.cuda.Device(1)
    with cp.cuda.Device(1):
        expected = cupy_kernels.KERNELS[name](x, **params)
    np.testing.assert_array_equal(out.get(), expected.get())


# -- kernels that are wrong, and the generic tests that notice it ------------------------------------------------------


def assigns(x, indices, value):
    out = x.copy()
    out[indices] = value
    return out


def unshifted(x, *, axis=None):
    e = cp.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


def lower_wins(x, *, low=None, high=None):
    return cp.clip(x, low, high) if low is None or high is None else cp.maximum(cp.minimum(x, high), low)


def without_wrapping(x, indices, /, *, axis=-1):
    return cupy_kernels.take_along_axis(x, cp.maximum(indices, 0), axis=axis)


def in_double(x, *, axis=None):
    return cupy_kernels.log_softmax(x.astype("float64"), axis=axis)


def over_everything(x, *, axis=None, keepdims=False):
    return cupy_kernels.logsumexp(x, axis=None, keepdims=keepdims)


WRONG = [
    ("scatter_add", assigns, "float64"),
    ("softmax", unshifted, "float64"),
    ("bounded", lower_wins, "float64"),
    ("take_along_axis", without_wrapping, "float64"),
    ("log_softmax", in_double, "float32"),
    ("logsumexp", over_everything, "float64"),
]


@pytest.mark.parametrize(
    ("name", "body", "precision"), WRONG, ids=[f"{name}-{body.__name__}" for name, body, _ in WRONG]
)
def test_a_wrong_kernel_is_noticed(name, body, precision, monkeypatch):
    def failures():
        found = 0
        for case in cases(name):
            try:
                conformance.test_value(Row("cupy", "cupy"), case, precision)
            except AssertionError:
                found += 1
        return found

    assert not failures()
    monkeypatch.setitem(spaces.named("cupy").kernels, name, body)
    forget_bodies()
    try:
        assert failures()
    finally:
        monkeypatch.undo()
        forget_bodies()


# -- matrices and places -----------------------------------------------------------------------------------------------


def lower(dtype, n=4):
    x = np.random.default_rng(7).normal(size=(n, n)) + 2 * np.eye(n)
    return cp.asarray(x.astype(dtype) + (0.3j * x.T if np.dtype(dtype).kind == "c" else 0))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("upper", [True, False])
def test_triangular_systems(dtype, upper):
    a, b = lower(dtype), cp.asarray(PLAIN.T.astype(dtype))
    rtol = 1e-5 if dtype == "float32" else 1e-13
    for x1 in (a, a.T, a[::-1, ::-1], cp.asarray(np.asfortranarray(a.get()))):
        for x2 in (b, cp.asarray(np.asfortranarray(b.get())), b[:, ::2], b.real):
            agree(
                cupy_matrices.solve_triangular(x1, x2, upper=upper),
                standard("solve_triangular", x1, x2, upper=upper),
                rtol,
            )


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_pull_back_of_a_factorisation(dtype):
    a, g = lower(dtype), lower(dtype)[::-1]
    rtol = 1e-5 if dtype == "float32" else 1e-13
    for x1 in (a, a.T):
        agree(cupy_matrices.cholesky_pullback(x1, g), standard("cholesky_pullback", x1, g), rtol)


@emulated
def test_matrices_are_copied_once():
    a, b = lower("float64"), cp.asarray(PLAIN.T)
    for x1, upper in ((a, False), (a.T, True)):
        cupy_matrices.solve_triangular(x1, b, upper=upper)
        with cupy_cpu.counting() as counts:
            cupy_matrices.solve_triangular(x1, b, upper=upper)
        assert (counts.launches, counts.library_calls, counts.allocations) == (1, 1, 1)
    cupy_matrices.cholesky_pullback(a, a)
    with cupy_cpu.counting() as counts:
        cupy_matrices.cholesky_pullback(a, a)
    assert (counts.launches, counts.library_calls) == (2, 3)


@pytest.mark.parametrize("k", [-3, -1, 0, 2, 9])
def test_triangles(k):
    for host in (PLAIN, PLAIN.T, np.ones((2, 3, 2), bool), np.arange(6).reshape(2, 3), PLAIN + 1j, np.zeros((0, 3))):
        x = cp.asarray(host)
        for name in ("tril", "triu"):
            found = cupy_kernels.KERNELS[name](x, k=k)
            np.testing.assert_array_equal(found.get(), getattr(np, name)(host, k))
            assert found.dtype == x.dtype


@pytest.mark.parametrize(
    "key",
    [1, slice(1, 3), (..., 0), (None, slice(None), 2), np.asarray([2, 0, 2]), np.asarray([[-1, 0], [2, 2]])],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "complex128"])
def test_additions_into_places(key, dtype):
    host = (8 * PLAIN).astype(dtype)
    value = host[key] + host.dtype.type(1)
    expected = host.copy()
    np.add.at(expected, key, value)
    given = cp.asarray(key) if isinstance(key, np.ndarray) else key
    found = cupy_kernels.add_into(cp.asarray(host), cp.asarray(value), given)
    np.testing.assert_allclose(found.get(), expected, rtol=1e-6 if dtype == "float32" else 1e-14)


def test_additions_at_masks_and_at_several_arrays():
    mask = PLAIN > 0
    expected = PLAIN.copy()
    expected[mask] += 1.0
    found = cupy_kernels.add_into(cp.asarray(PLAIN), cp.ones(int(mask.sum())), cp.asarray(mask))
    np.testing.assert_allclose(found.get(), expected, rtol=1e-14)
    i, j = np.asarray([0, 2, 0]), np.asarray([1, 3, 1])
    expected = PLAIN.copy()
    np.add.at(expected, (i, j), 2.0)
    found = cupy_kernels.add_into(cp.asarray(PLAIN), cp.full(3, 2.0), (cp.asarray(i), cp.asarray(j)))
    np.testing.assert_allclose(found.get(), expected, rtol=1e-14)
