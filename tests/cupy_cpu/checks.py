"""What the emulator must do, in groups that each need a process of their own.

    python -m cupy_cpu.checks linear_algebra     # from the folder tests/

test_cupy_cpu.py runs every group. Shapes and dtypes are few: each new combination is one more
kernel to compile.
"""

from __future__ import annotations

import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

import cupy_cpu
from cupy_cpu.kernels import KernelCompilationError

_numbers = np.random.default_rng(3)
X = _numbers.normal(size=(4, 4))
Y = _numbers.normal(size=(4, 4))
Z = X + 1j * Y
STACK = _numbers.normal(size=(2, 4, 4))
POSITIVE = X @ X.T + 4 * np.eye(4)


def agree(got: Any, expected: Any) -> None:
    """Assert that a CuPy result is NumPy's: shape, dtype, and values to 1e-9."""
    got = got.get()
    expected = np.asarray(expected)
    assert got.shape == expected.shape, (got.shape, expected.shape)
    assert got.dtype == expected.dtype, (got.dtype, expected.dtype)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def raises(exception: type[BaseException], action: Callable[[], object]) -> BaseException:
    """Assert that ``action`` raises, and return what it raised."""
    try:
        action()
    except exception as error:
        return error
    raise AssertionError(f"{exception.__name__} was not raised")


# ---- values --------------------------------------------------------------------------------------


def elementwise(cp: ModuleType) -> None:
    """Arithmetic, functions, dtypes, complex numbers and masks."""
    x, y, z = cp.asarray(X), cp.asarray(Y), cp.asarray(Z)
    agree(x + y, X + Y)
    agree(x * 2.5 - y, X * 2.5 - Y)
    agree(cp.exp(x), np.exp(X))
    agree(cp.tanh(x), np.tanh(X))
    agree(cp.where(x > 0, x, 0.0), np.where(X > 0, X, 0.0))
    agree(cp.maximum(x, y), np.maximum(X, Y))
    agree(x[:, None, :] * y[None, :, :], X[:, None, :] * Y[None, :, :])
    agree(x.T + y, X.T + Y)
    agree(x.astype(cp.float32) * 2.0, X.astype(np.float32) * 2.0)
    agree(z * z.conj(), Z * Z.conj())
    agree(cp.exp(z), np.exp(Z))
    agree(abs(z), abs(Z))
    agree(z.real + z.imag, Z.real + Z.imag)
    agree(x[x > 0], X[X > 0])
    agree(cp.stack(cp.nonzero(x > 0)), np.stack(np.nonzero(X > 0)))
    x[y > 0] = 7.0
    agree(x, np.where(Y > 0, 7.0, X))


def reductions(cp: ModuleType) -> None:
    """Sums and the like, over all axes, one, and several."""
    x, stack = cp.asarray(X), cp.asarray(STACK)
    for axis in (None, 0, 1):
        agree(x.sum(axis=axis), X.sum(axis=axis))
        agree(x.prod(axis=axis), X.prod(axis=axis))
        agree(x.max(axis=axis), X.max(axis=axis))
        agree(x.argmax(axis=axis), X.argmax(axis=axis))
        agree((x > 0).any(axis=axis), (X > 0).any(axis=axis))
    agree(stack.sum(axis=(0, 2), keepdims=True), STACK.sum(axis=(0, 2), keepdims=True))
    agree(x.mean(axis=0), X.mean(axis=0))
    agree(x.var(axis=1), X.var(axis=1))
    agree(cp.cumsum(x, axis=1), np.cumsum(X, axis=1))
    agree(cp.sum(cp.asarray(Z), axis=0), Z.sum(axis=0))
    # More elements than one block has threads, and than one thread of a block takes.
    many = np.linspace(0.0, 1.0, 5000)
    agree(cp.asarray(many).sum(), many.sum())


def linear_algebra(cp: ModuleType) -> None:
    """Products and decompositions, of one matrix and of a stack."""
    x, y, z, stack, positive = (cp.asarray(array) for array in (X, Y, Z, STACK, POSITIVE))
    agree(x @ y, X @ Y)
    agree(x.T @ y, X.T @ Y)
    agree(x @ y[:, 0], X @ Y[:, 0])
    agree(z @ z, Z @ Z)
    agree(stack @ stack, STACK @ STACK)
    agree(x @ stack, X @ STACK)
    agree(cp.einsum("ij,kj->ik", x, y), np.einsum("ij,kj->ik", X, Y))
    agree(cp.linalg.solve(x, y), np.linalg.solve(X, Y))
    agree(cp.linalg.solve(z, z), np.linalg.solve(Z, Z))
    agree(cp.linalg.solve(stack, stack[:, :, :2]), np.linalg.solve(STACK, STACK[:, :, :2]))
    agree(cp.linalg.inv(x), np.linalg.inv(X))
    agree(cp.linalg.inv(stack), np.linalg.inv(STACK))
    agree(cp.linalg.cholesky(positive), np.linalg.cholesky(POSITIVE))
    agree(cp.linalg.det(stack), np.linalg.det(STACK))
    # The rest is unique up to signs only, so compare what it rebuilds.
    for matrix, expected in ((x, X), (x[:, :3], X[:, :3]), (x[:3], X[:3]), (stack, STACK)):
        u, s, vh = cp.linalg.svd(matrix, full_matrices=False)
        agree((u * s[..., None, :]) @ vh, expected)
        q, r = cp.linalg.qr(matrix)
        agree(q @ r, expected)
    for matrix, expected in ((positive, POSITIVE), (stack @ stack.mT, STACK @ STACK.mT)):
        values, vectors = cp.linalg.eigh(matrix)
        agree(values, np.linalg.eigvalsh(expected))
        agree((vectors * values[..., None, :]) @ vectors.mT, expected)


def singular_matrices(cp: ModuleType) -> None:
    """Nothing raises unless asked to, and no failure of NumPy's passes through."""
    import cupyx

    nan = cp.full((2, 3, 3), np.nan)
    for matrix in (nan, nan[0]):
        assert cp.isnan(cp.linalg.svd(matrix)[1]).all()
        assert cp.isnan(cp.linalg.eigh(matrix)[0]).all()
    assert cp.isnan(cp.linalg.eig(nan[0])[0]).all()
    assert not cp.isfinite(cp.linalg.inv(cp.zeros((3, 3)))).all()
    with cupyx.errstate(linalg="raise"):
        agree(cp.linalg.inv(cp.eye(3)), np.eye(3))
        raises(np.linalg.LinAlgError, lambda: cp.linalg.inv(cp.zeros((3, 3))))
        raises(np.linalg.LinAlgError, lambda: cp.linalg.cholesky(-cp.eye(3)))
        raises(np.linalg.LinAlgError, lambda: cp.linalg.svd(nan[0]))


def transforms_and_order(cp: ModuleType) -> None:
    """Fourier transforms, sorting, and reading and adding at indices."""
    import cupyx

    x, z, stack = cp.asarray(X), cp.asarray(Z), cp.asarray(STACK)
    agree(cp.fft.fft(z), np.fft.fft(Z))
    agree(cp.fft.ifft(z, axis=0), np.fft.ifft(Z, axis=0))
    agree(cp.fft.fftn(stack, axes=(1, 2)), np.fft.fftn(STACK, axes=(1, 2)))
    agree(cp.fft.rfft(x), np.fft.rfft(X))
    agree(cp.fft.irfft(z, n=7), np.fft.irfft(Z, n=7))
    agree(cp.fft.irfftn(cp.fft.rfftn(x), s=(4, 4)), X)
    agree(cp.sort(x), np.sort(X))
    agree(cp.sort(x, axis=0), np.sort(X, axis=0))
    agree(cp.argsort(x), np.argsort(X))
    agree(cp.lexsort(cp.stack([x[0], x[1]])), np.lexsort(X[:2]))
    index = np.asarray([3, 0, 0])
    agree(cp.take(x, cp.asarray(index), axis=1), np.take(X, index, axis=1))
    agree(x[cp.asarray(index)], X[index])
    for add in (cupyx.scatter_add, cp.add.at):
        total = cp.zeros((4, 4))
        add(total, cp.asarray(index), x[:3])
        expected = np.zeros((4, 4))
        np.add.at(expected, index, X[:3])
        agree(total, expected)


def kernels(cp: ModuleType) -> None:
    """Kernels that a user writes, those that CuPy fuses, and special functions."""
    import cupyx.scipy.special
    import scipy.special

    x = cp.asarray(X)
    square = cp.ElementwiseKernel("T x", "T y", "y = x * x", "square")
    agree(square(x), X * X)
    norm = cp.ReductionKernel("T x", "T y", "x * x", "a + b", "y = sqrt(a)", "0", "norm")
    agree(norm(x, axis=1), np.linalg.norm(X, axis=1))

    @cp.fuse
    def fused(a, b):
        return cp.sin(a) * b + 1.0

    agree(fused(x, x), np.sin(X) * X + 1.0)
    reverse = cp.RawKernel(
        r"""
        extern "C" __global__ void reverse(double* values) {
          extern __shared__ double kept[];
          kept[threadIdx.x] = values[threadIdx.x] * FACTOR;
          __syncthreads();
          values[threadIdx.x] = kept[blockDim.x - 1 - threadIdx.x];
        }""",
        "reverse",
        options=("-DFACTOR=2",),
    )
    values = cp.arange(100.0)
    reverse((1,), (100,), (values,), shared_mem=800)
    agree(values, 2 * np.arange(100.0)[::-1])
    add_one = cp.RawModule(
        code="template <class T> __global__ void add_one(T* a) { a[threadIdx.x] += 1; }",
        name_expressions=("add_one<double>",),
    )
    add_one.get_function("add_one<double>")((1,), (100,), (values,))
    agree(values, 2 * np.arange(100.0)[::-1] + 1)
    for name in ("erfinv", "ndtri", "erfcx", "i0", "gamma"):
        unit = np.linspace(0.01, 0.99, 50)
        got = getattr(cupyx.scipy.special, name)(cp.asarray(unit))
        agree(got, getattr(scipy.special, name)(unit))
    wrong = cp.ElementwiseKernel("T x", "T y", "y = no_such_function(x)", "wrong")
    raises(KernelCompilationError, lambda: wrong(x))


def random_numbers(cp: ModuleType) -> None:
    """Both kinds of generators draw numbers, and draw them again from the same seed."""

    def draw() -> list[Any]:
        cp.random.seed(1)
        generator = cp.random.default_rng(1)
        return [
            cp.random.normal(size=501),
            cp.random.uniform(size=501),
            cp.random.lognormal(size=501),
            cp.random.permutation(501),
            generator.standard_normal(501),
            generator.integers(0, 10, size=501),
        ]

    for first, second in zip(draw(), draw(), strict=True):
        agree(first, second.get())
        assert np.isfinite(first.get()).all()
    normal, uniform, _, permutation, _, integers = draw()
    assert abs(float(normal.mean())) < 0.2
    assert 0.8 < float(normal.std()) < 1.2
    assert 0 < float(uniform.min()) < float(uniform.max()) <= 1
    agree(cp.sort(permutation), np.arange(501))
    assert set(integers.tolist()) == set(range(10))


# ---- the device ----------------------------------------------------------------------------------


def devices(cp: ModuleType) -> None:
    """Two devices, threads, streams, and errors that CuPy cannot be told of."""
    x = cp.asarray(X)
    assert cp.cuda.runtime.getDeviceCount() == 2
    with cp.cuda.Device(1):
        y = cp.asarray(Y)
        agree(y + y, Y + Y)
        assert (y + y).device.id == 1
    assert (x.device.id, y.device.id) == (0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", cp._util.PerformanceWarning)
        raises(cp._util.PerformanceWarning, lambda: y + y)
    with cp.cuda.Device(1):
        agree(cp.asarray(x), X)
        assert cp.asarray(x).device.id == 1

    results: list[float] = []
    workers = [
        threading.Thread(target=lambda: results.extend(float((x * i).sum()) for i in range(20)))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    np.testing.assert_allclose(
        sorted(results), sorted(X.sum() * i for i in range(20) for _ in "abc")
    )

    with cp.cuda.Stream() as stream:
        agree(x + 1.0, X + 1.0)
        stream.record().synchronize()

    cupy_cpu.check_errors()
    cp.cuda.Device(7).use()
    assert len(cupy_cpu.errors) == 1
    raises(cp.cuda.runtime.CUDARuntimeError, cupy_cpu.check_errors)
    assert not cupy_cpu.errors


def counting(cp: ModuleType) -> None:
    """Launches, synchronisations, copies and allocations are counted, and can be forbidden."""
    import cupyx

    x = cp.asarray(X)
    with cupy_cpu.counting() as counts:
        y = x + x
    assert (counts.launches, counts.synchronisations, counts.allocations) == (1, 0, 1)
    assert counts.allocated_bytes >= x.nbytes
    with cupy_cpu.counting() as outer:
        float(y[0, 0])
        with cupy_cpu.counting() as inner:
            y.sum()
    assert (outer.launches, outer.synchronisations, outer.copies) == (1, 1, 1)
    assert outer.directions == {"to host": 1}
    assert "checks.py" in outer.places[0]
    assert (inner.launches, inner.synchronisations) == (1, 0)
    with cupy_cpu.counting() as counts:
        cp.asarray(X)
        cp.zeros(3)
        x @ x
        x.reshape(-1)
    assert counts.directions == {"to device": 1}
    assert counts.kernels == {"memset": 1}
    assert counts.libraries == {"cublas.gemmEx": 1}
    assert counts.synchronisations == 0
    with cupy_cpu.counting() as counts:
        z = x + 1.0
        z = z + 1.0
        del z
    assert counts.allocations == 2
    assert counts.peak_bytes == counts.allocated_bytes

    # What each of these costs on a GPU is known: see the table in the documentation of CuPy's cost.
    for cost, action in [
        (0, lambda: cp.where(x > 0, x, 0.0)),
        (0, lambda: cp.linalg.svd(x)),
        (1, lambda: x[x > 0]),
        (1, lambda: bool((x > 0).all())),
        (1, lambda: cp.cuda.get_current_stream().synchronize()),
        (1, lambda: cp.cuda.Device().synchronize()),
        (1, lambda: cp.cuda.Stream.null.record().synchronize()),
        (1, lambda: x.data.copy_to_host(np.empty_like(X).ctypes.data, X.nbytes)),
    ]:
        with cupy_cpu.counting() as counts:
            action()
        assert counts.synchronisations == cost, (cost, counts.causes, counts.places)

    def synchronise_under_prohibition(action: Callable[[], object]) -> None:
        with cupy_cpu.forbid_synchronisation():
            action()

    with cupy_cpu.forbid_synchronisation():
        y = x + x
    agree(y, X + X)
    forbidden = cupy_cpu.SynchronisationError
    error = raises(forbidden, lambda: synchronise_under_prohibition(lambda: float(x.sum())))
    assert isinstance(error.__cause__, cupyx.DeviceSynchronized)
    wait = cp.cuda.Stream.null.synchronize  # CuPy does not mind this one
    error = raises(forbidden, lambda: synchronise_under_prohibition(wait))
    assert "checks.py" in str(error)
    float(x.sum())


GROUPS = {
    check.__name__: check
    for check in (
        elementwise,
        reductions,
        linear_algebra,
        singular_matrices,
        transforms_and_order,
        kernels,
        random_numbers,
        devices,
        counting,
    )
}


def main(group: str) -> int:
    """Run a group and return an exit status."""
    assert "cupy" not in sys.modules
    reason = cupy_cpu.unsupported()
    if reason is not None:
        print(reason)
        return cupy_cpu.UNSUPPORTED
    assert "cupy" not in sys.modules
    raises(RuntimeError, lambda: cupy_cpu.counting().__enter__())
    cp = cupy_cpu.install()
    assert cupy_cpu.install() is cp
    try:
        GROUPS[group](cp)
        cupy_cpu.check_errors()
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    cupy_cpu.exit(main(sys.argv[1]))
