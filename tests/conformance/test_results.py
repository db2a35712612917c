"""What every function of the standard gives on tensors: types, shapes, dtypes and values.

The calls are those that CuPy's emulator is held against, and some more. data-apis/array-api-tests looks neither at the
values of linear algebra and Fourier transforms, nor at several chunks, nor for raw arrays.
"""

import re

import capabilities
import numpy as np
import pytest
from conformance.test_names import FUNCTIONS
from cupy_cpu import array_api_calls

import agnograd as ag
from agnograd.core.array import innermost

CHUNKS = 2
MORE = """
xp.asarray(x, dtype=xp.float32)
xp.meshgrid(v, i3, indexing="ij")
xp.full((2, 3), 7)
xp.full((2,), True)
xp.linspace(0, 1, 5, dtype=xp.float32)
xp.linspace(-1, 2, 4, endpoint=False)
xp.linspace(0, 1j, 5)
xp.eye(4, 3, k=-1, dtype=xp.int64)
xp.arange(7, 1, -2)
xp.arange(0, 3, dtype=xp.float32)
xp.zeros((2, 0))
xp.expand_dims(x, axis=(0, -1))
xp.permute_dims(t, (-1, 0, 1))
xp.squeeze(t[:1, :, :1], axis=(0, 2))
xp.take(t, i3, axis=-1)
xp.take_along_axis(t, xp.argsort(t, axis=1), axis=1)
xp.repeat(x, i3, axis=0)
x[(x > 0) & b]
x[0, i3]
t[:, i3, i3]
t[i3 % 2, :, i3]
t[0, i3, :2]
x[i3[:, None], i3[None, :2]]
x[-1, ::-2]
xp.searchsorted(xp.sort(v), 0.5)
xp.searchsorted(v, y[0, :], sorter=xp.argsort(v))
xp.isin(n, k, invert=True)
xp.isin(n, 2)
xp.unique_all(x)
xp.unique_counts(z)
xp.unique_inverse(b)
xp.unique_values(xp.reshape(n, (-1,)))
xp.nonzero(x)
xp.max(e[1, :])
xp.argmax(n, axis=0)
xp.count_nonzero(b)
xp.sum(xp.astype(n, xp.int8))
xp.prod(xp.astype(k, xp.uint8))
xp.cumulative_sum(xp.astype(k, xp.uint8), axis=0)
xp.mean(f, axis=1, keepdims=True)
xp.std(f, axis=(0, 1), correction=0.5)
xp.var(z.real if hasattr(z, "real") else xp.real(z), axis=1)
xp.diff(x, prepend=x[:, :1], append=x[:, 1:2])
xp.tensordot(xp.astype(k, xp.uint8), xp.astype(xp.matrix_transpose(k), xp.uint8), axes=1)
xp.matmul(xp.astype(k, xp.uint8), xp.astype(xp.matrix_transpose(k), xp.uint8))
xp.vecdot(x, y, axis=-2)
xp.matrix_transpose(z)
xp.linalg.matmul(m3, m3)
xp.linalg.matrix_transpose(t)
xp.linalg.tensordot(x, y, axes=((0, 1), (0, 1)))
xp.linalg.vecdot(z, z)
xp.linalg.cholesky(h + 9 * xp.eye(3), upper=True)
xp.linalg.cross(xp.astype(x[:, :3], xp.float32), f[:, :3], axis=-2)
xp.linalg.det(h)
xp.linalg.diagonal(x, offset=-1)
xp.linalg.eigvalsh(h)
sorted_spectrum(xp.linalg.eigvals(m3))
xp.linalg.matrix_norm(t, ord=-2, keepdims=True)
xp.linalg.matrix_norm(z, ord=xp.inf)
xp.linalg.matrix_power(ss, -2)
xp.linalg.matrix_rank(t)
xp.linalg.matrix_rank(x - x)
xp.linalg.pinv(t)
xp.linalg.pinv(z, rtol=0.5)
complete_qr(xp, xp.matrix_transpose(x))
xp.linalg.slogdet(h)
xp.linalg.solve(ss, v[:3])
xp.linalg.svdvals(z)
xp.linalg.trace(t, offset=1)
xp.linalg.trace(xp.astype(k, xp.int8))
xp.linalg.vector_norm(z, axis=(0, 1), ord=1)
xp.linalg.vector_norm(t, axis=(0, 2), keepdims=True)
xp.linalg.outer(z[0, :], v)
xp.linalg.inv(ss)
xp.fft.ifft(xp.astype(t, xp.complex64), axis=1)
xp.fft.hfft(z, n=5)
xp.fft.ihfft(x, norm="forward")
xp.fft.irfftn(z)
xp.fft.fftshift(t, axes=(0, 2))
xp.expm1(z)
xp.remainder(e, 2.0)
xp.remainder(x, -1.5)
xp.floor_divide(x, -1.5)
xp.broadcast_to(n, (2, 3, 4))
xp.clip(n, k, None)
xp.clip(f, -0.25, xp.astype(v, xp.float32))
xp.astype(x, xp.int32)
xp.where(b, n, 7)
x > 0
x != y
~b
-x
abs(z)
+n
x // 1.5
2 ** k
n & 1
n | k
n ^ k
1 << k
n >> 1
x % 2
2 - x
1 / p
x @ v
1.5 * f
"""
BY_HELPERS = ("eig", "eigh", "qr", "svd")
# Whose results are no arrays: test_names.py and test_namespaces.py have them.
OF_DTYPES = {"broadcast_shapes", "finfo", "iinfo"}


def sorted_spectrum(values):
    """Eigenvalues in an order that all libraries share."""
    xp = values.__array_namespace__() if hasattr(values, "__array_namespace__") else np
    order = xp.argsort(xp.real(values) + 1e-3 * xp.imag(values))
    return xp.take(values, order, axis=0)


def complete_qr(xp, matrix):
    q, r = xp.linalg.qr(matrix, mode="complete")
    return q @ r, xp.conj(q).mT @ q


CALLS = list(dict.fromkeys([*array_api_calls.calls(), *MORE.strip().splitlines()]))


def evaluated(call, xp, arrays):
    result = eval(call, {**globals(), **vars(array_api_calls), "xp": xp, **arrays})
    return list(result) if isinstance(result, (tuple, list)) else [result]


def operands(xp, chunks):
    arrays = array_api_calls.operands(xp)
    if not chunks:
        return arrays
    return {name: xp.asarray(innermost(x).rechunk(CHUNKS)) for name, x in arrays.items()}


@pytest.fixture(scope="module")
def made():
    kept = {}

    def arrays(xp, chunks):
        key = xp.__name__, chunks
        if key not in kept:
            kept[key] = operands(xp, chunks)
        return kept[key]

    return arrays


def check(call, xp, arrays, reference):
    import array_api_compat.numpy

    with np.errstate(all="ignore"):
        expected = evaluated(call, array_api_compat.numpy, reference)
        found = evaluated(call, xp, arrays)
    assert len(found) == len(expected)
    for got, want in zip(found, expected, strict=True):
        if isinstance(want, (bool, int)):
            assert got == want
            continue
        assert isinstance(got, ag.Tensor)
        assert not got.requires_grad
        want = np.asarray(want)
        with np.errstate(all="ignore"):
            value = np.asarray(got)
        assert value.dtype == want.dtype
        assert value.shape == want.shape
        # What the tensor says before anything is computed must be what comes.
        assert got.shape == want.shape or None in got.shape
        assert str(got.dtype).rpartition(".")[2] == want.dtype.name
        tolerance = 1e-5 if want.dtype in (np.float32, np.complex64) else 1e-9
        np.testing.assert_allclose(value, want, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module")
def reference():
    import array_api_compat.numpy

    return array_api_calls.operands(array_api_compat.numpy)


@pytest.mark.parametrize("call", CALLS)
def test_calls(agnograd_backend, made, reference, call, request):
    why = capabilities.CALLS.get((agnograd_backend, call))
    if why is not None:
        request.node.add_marker(pytest.mark.xfail(reason=why, strict=True))
    xp = ag.namespace(agnograd_backend)
    for chunks in (False, True) if agnograd_backend == "dask" else (False,):
        check(call, xp, made(xp, chunks), reference)


def test_every_function_is_called():
    text = "\n".join(CALLS)
    called = {name.rpartition(".")[2] for name in re.findall(r"xp\.([a-z_0-9.]+)\(", text)} | set(BY_HELPERS)
    assert {row.name for row in FUNCTIONS} - called == OF_DTYPES
