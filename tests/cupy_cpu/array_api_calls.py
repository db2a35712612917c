"""Calls of the Array API standard, and the operands that they name.

Results that a library may give with another sign or basis are compared through what they rebuild.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

ELEMENTWISE = """
xp.abs(x)
xp.abs(n)
xp.abs(z)
xp.acos(u)
xp.acosh(p)
xp.acos(z)
xp.add(x, y)
xp.add(x, 2.0)
xp.add(x, v)
xp.add(f, 1.5)
xp.add(n, k)
xp.add(z, x)
xp.asin(u)
xp.asinh(x)
xp.atan(x)
xp.atan2(x, y)
xp.atanh(u)
xp.bitwise_and(n, k)
xp.bitwise_left_shift(k, k)
xp.bitwise_invert(n)
xp.bitwise_or(n, k)
xp.bitwise_right_shift(n, k)
xp.bitwise_xor(n, k)
xp.ceil(x)
xp.clip(x, -0.5, 0.5)
xp.clip(x, min=v)
xp.conj(z)
xp.copysign(x, y)
xp.cos(x)
xp.cosh(x)
xp.cos(z)
xp.divide(x, y)
xp.divide(x, 3.0)
xp.divide(z, p)
xp.equal(n, k)
xp.exp(x)
xp.exp(z)
xp.exp(f)
xp.expm1(x)
xp.floor(x)
xp.floor_divide(x, y)
xp.floor_divide(n, k)
xp.greater(x, y)
xp.greater_equal(x, 0.0)
xp.hypot(x, y)
xp.imag(z)
xp.isfinite(e)
xp.isinf(e)
xp.isnan(e)
xp.less(x, y)
xp.less_equal(n, k)
xp.log(p)
xp.log(z)
xp.log1p(p)
xp.log2(p)
xp.log10(p)
xp.logaddexp(x, y)
xp.logical_and(b, c)
xp.logical_not(b)
xp.logical_or(b, c)
xp.logical_xor(b, c)
xp.maximum(x, y)
xp.maximum(x, 0.0)
xp.minimum(x, y)
xp.minimum(e, 0.0)
xp.multiply(x, y)
xp.multiply(z, 1j)
xp.negative(x)
xp.nextafter(x, y)
xp.not_equal(b, c)
xp.positive(x)
xp.pow(p, y)
xp.pow(x, 2)
xp.pow(n, 2)
xp.real(z)
xp.reciprocal(p)
xp.remainder(x, y)
xp.remainder(n, k)
xp.round(x)
xp.sign(x)
xp.sign(e)
xp.sign(z)
xp.signbit(x)
xp.sin(x)
xp.sinh(x)
xp.square(x)
xp.sqrt(p)
xp.sqrt(z)
xp.subtract(x, y)
xp.tan(x)
xp.tanh(x)
xp.tanh(z)
xp.trunc(x)
xp.where(b, x, y)
xp.where(b, x, 0.0)
"""

CREATION = """
xp.arange(5)
xp.arange(0.0, 1.0, 0.25)
xp.asarray([1.0, 2.0])
xp.asarray(x, copy=True)
xp.empty((2, 3)).shape
xp.empty_like(x).shape
xp.eye(3)
xp.eye(3, 4, k=1)
xp.full((2, 3), 7.0)
xp.full_like(x, 2)
xp.linspace(0, 1, 5)
xp.linspace(0, 1, 5, endpoint=False)
xp.meshgrid(v, v)
xp.meshgrid(v, v, indexing="ij")
xp.ones((2, 3))
xp.ones_like(n)
xp.tril(x)
xp.tril(x, k=1)
xp.triu(x)
xp.triu(m3, k=-1)
xp.zeros((2, 3))
xp.zeros_like(z)
xp.astype(x, xp.float32)
xp.astype(n, xp.float64)
xp.astype(b, xp.int64)
xp.astype(f, xp.complex128)
xp.result_type(f, 1.0) == xp.float32
xp.can_cast(n.dtype, xp.float64)
xp.isdtype(x.dtype, "real floating")
xp.from_dlpack(x)
"""

MANIPULATION = """
xp.broadcast_arrays(x, v)
xp.broadcast_to(v, (3, 4))
xp.concat([x, y])
xp.concat([x, y], axis=1)
xp.concat([x, y], axis=None)
xp.expand_dims(x, axis=1)
xp.flip(x)
xp.flip(x, axis=1)
xp.moveaxis(t, 0, 2)
xp.permute_dims(t, (2, 0, 1))
xp.repeat(x, 2)
xp.repeat(x, 2, axis=1)
xp.repeat(v, k[0, :])
xp.reshape(x, (2, 6))
xp.reshape(xp.permute_dims(x, (1, 0)), (-1,))
xp.roll(x, 1)
xp.roll(x, 2, axis=1)
xp.roll(x, (1, 2), axis=(0, 1))
xp.squeeze(x[:, :1], axis=1)
xp.stack([x, y])
xp.stack([x, y], axis=-1)
xp.tile(x, (2, 2))
xp.unstack(x)
xp.diff(x)
xp.diff(x, n=2, axis=0)
x.T
xp.matrix_transpose(t)
"""

INDEXING = """
x[0]
x[1, 2]
x[:, 1]
x[::2, ::-1]
x[..., None]
x[i3, i3]
x[i3]
x[:, i3]
x[b]
x[x > 0]
xp.take(x, i3, axis=1)
xp.take(v, i3)
xp.take_along_axis(x, xp.argsort(x, axis=1), axis=1)
written(x, (0, slice(None)), 1.0)
written(x, (slice(None), 1), 2.0)
written(x, i3, 3.0)
written(x, b, 0.0)
written(x, (slice(None, None, 2),), y[::2, :])
"""

SEARCHING_SORTING_SETS = """
xp.argmax(x)
xp.argmax(x, axis=1)
xp.argmax(x, axis=0, keepdims=True)
xp.argmin(x)
xp.argmin(x, axis=0)
xp.count_nonzero(n)
xp.count_nonzero(n, axis=1)
xp.nonzero(n)
xp.searchsorted(xp.sort(v), y[0, :])
xp.searchsorted(xp.sort(v), v, side="right")
xp.isin(n, k)
xp.unique_values(n)
xp.unique_counts(n)
xp.unique_inverse(n)
xp.unique_all(n)
xp.sort(x)
xp.sort(x, axis=0)
xp.sort(x, descending=True)
xp.sort(n)
xp.argsort(x)
xp.argsort(x, axis=0)
xp.argsort(x, descending=True)
xp.argsort(n, stable=True)
"""

STATISTICAL = """
xp.sum(x)
xp.sum(x, axis=0)
xp.sum(x, axis=1)
xp.sum(x, axis=(0, 1), keepdims=True)
xp.sum(t, axis=(0, 2))
xp.sum(n)
xp.sum(f)
xp.sum(z, axis=0)
xp.sum(x, dtype=xp.float32)
xp.prod(x)
xp.prod(x, axis=0)
xp.prod(n, axis=1)
xp.max(x)
xp.max(x, axis=0)
xp.max(n, axis=1)
xp.min(x)
xp.min(x, axis=1, keepdims=True)
xp.mean(x)
xp.mean(x, axis=0)
xp.mean(z)
xp.std(x)
xp.std(x, axis=1, correction=1)
xp.var(x)
xp.var(x, axis=0, correction=1)
xp.cumulative_sum(v)
xp.cumulative_sum(x, axis=1)
xp.cumulative_sum(x, axis=0, include_initial=True)
xp.cumulative_prod(v)
xp.cumulative_prod(x, axis=1)
xp.all(b)
xp.all(b, axis=0)
xp.any(b)
xp.any(b, axis=1)
"""

LINEAR_ALGEBRA = """
xp.matmul(m3, x)
xp.matmul(m3, x[:, 0])
xp.matmul(t, t.mT)
xp.matmul(m3, t)
xp.matmul(n, xp.matrix_transpose(k))
xp.matmul(z, xp.matrix_transpose(z))
x @ v
v @ v
xp.tensordot(x, y, axes=2)
xp.tensordot(x, v, axes=1)
xp.tensordot(t, x, axes=((1, 2), (0, 1)))
xp.vecdot(x, y)
xp.vecdot(z, z)
xp.linalg.cholesky(s)
xp.linalg.cholesky(s, upper=True)
xp.linalg.cholesky(ss)
xp.linalg.cross(x[:, :3], y[:, :3])
xp.linalg.det(m3)
xp.linalg.det(ss)
xp.linalg.diagonal(m3)
xp.linalg.diagonal(t, offset=1)
rebuilt_eigh(xp, s)
rebuilt_eigh(xp, ss)
rebuilt_eigh(xp, h)
xp.linalg.eigvalsh(s)
xp.linalg.eigvalsh(ss)
rebuilt_eig(xp, m3)
xp.linalg.inv(m3)
xp.linalg.inv(ss)
xp.linalg.inv(h)
xp.linalg.matrix_norm(x)
xp.linalg.matrix_norm(x, ord=1)
xp.linalg.matrix_norm(x, ord="nuc")
xp.linalg.matrix_power(m3, 3)
xp.linalg.matrix_rank(x)
xp.linalg.outer(v, v)
xp.linalg.pinv(x)
rebuilt_qr(xp, x)
rebuilt_qr(xp, x.T)
rebuilt_qr(xp, t)
xp.linalg.slogdet(m3)
xp.linalg.slogdet(ss)
xp.linalg.solve(m3, x)
xp.linalg.solve(m3, x[:, 0])
xp.linalg.solve(ss, t[:, :, :2])
xp.linalg.solve(h, x)
xp.linalg.solve(m3, t)
rebuilt_svd(xp, x)
rebuilt_svd(xp, x.T)
rebuilt_svd(xp, t)
rebuilt_svd(xp, z)
xp.linalg.svdvals(x)
xp.linalg.svdvals(t)
xp.linalg.trace(m3)
xp.linalg.vector_norm(x)
xp.linalg.vector_norm(x, axis=1)
xp.linalg.vector_norm(x, ord=3, axis=0)
xp.linalg.vector_norm(x, ord=xp.inf)
"""

FFT = """
xp.fft.fft(z)
xp.fft.fft(z, axis=0)
xp.fft.fft(z, n=6, norm="ortho")
xp.fft.ifft(z)
xp.fft.fftn(z)
xp.fft.ifftn(z)
xp.fft.fftn(xp.astype(t, xp.complex128), axes=(0, 1))
xp.fft.rfft(x)
xp.fft.rfft(f)
xp.fft.irfft(z)
xp.fft.irfft(z, n=7)
xp.fft.rfftn(x)
xp.fft.irfftn(xp.fft.rfftn(x), s=(3, 4), axes=(0, 1))
xp.fft.hfft(z)
xp.fft.ihfft(x)
xp.fft.fftfreq(8)
xp.fft.fftfreq(8, device=x.device)
xp.fft.rfftfreq(8, d=0.5)
xp.fft.rfftfreq(8, device=x.device)
xp.fft.fftshift(x)
xp.fft.ifftshift(x, axes=1)
"""

PAGES = {
    "elementwise": ELEMENTWISE,
    "creation": CREATION,
    "manipulation": MANIPULATION,
    "indexing": INDEXING,
    "searching, sorting, sets": SEARCHING_SORTING_SETS,
    "statistical": STATISTICAL,
    "linear algebra": LINEAR_ALGEBRA,
    "fft": FFT,
}

#: What CuPy 14.2 refuses, on a GPU too: solve does not broadcast, frequencies take no device.
REFUSED = {
    "xp.linalg.solve(m3, t)",
    "xp.fft.fftfreq(8, device=x.device)",
    "xp.fft.rfftfreq(8, device=x.device)",
}


def calls() -> Iterator[str]:
    """Yield the calls, as Python expressions."""
    for page in PAGES.values():
        yield from page.strip().splitlines()


def operands(xp: ModuleType) -> dict[str, Any]:
    """Return what the calls name: the same numbers on every library."""
    numbers = np.random.default_rng(7)
    x, y, w = numbers.normal(size=(3, 3, 4))
    t = numbers.normal(size=(2, 3, 4))
    symmetric = t @ t.swapaxes(1, 2) + 3 * np.eye(3)
    special = np.asarray([[0.0, np.nan, np.inf, -np.inf], [-0.0, 1.5, -2.5, 0.5]])
    arrays = {
        "x": x,
        "y": y,
        "f": x.astype(np.float32),
        "p": np.abs(w) + 1.0,
        "u": np.tanh(w),
        "e": special,
        "z": x + 1j * y,
        "n": numbers.integers(-5, 6, size=(3, 4)),
        "k": numbers.integers(1, 4, size=(3, 4)),
        "b": x > 0,
        "c": y > 0,
        "v": w[0],
        "t": t,
        "m3": x[:, :3] + 3 * np.eye(3),
        "s": symmetric[0],
        "ss": symmetric,
        "h": symmetric[0] + 1j * (y[:, :3] - y[:, :3].T),
        "i3": np.asarray([2, 0, 1]),
    }
    return {name: xp.asarray(array) for name, array in arrays.items()}


def written(array: Any, index: Any, value: Any) -> Any:
    """Return a copy with ``value`` written at ``index``."""
    result = array + 0
    result[index] = value
    return result


def rebuilt_eigh(xp: ModuleType, matrix: Any) -> Any:
    """Return the eigenvalues, and the matrix they rebuild."""
    values, vectors = xp.linalg.eigh(matrix)
    return values, (vectors * values[..., None, :]) @ xp.conj(vectors).mT


def rebuilt_eig(xp: ModuleType, matrix: Any) -> Any:
    """Return the matrix that eigenvalues and eigenvectors rebuild."""
    values, vectors = xp.linalg.eig(matrix)
    return (vectors * values[None, :]) @ xp.linalg.inv(vectors)


def rebuilt_qr(xp: ModuleType, matrix: Any) -> Any:
    """Return the matrix that Q and R rebuild, and what must be the identity."""
    q, r = xp.linalg.qr(matrix)
    return q @ r, xp.conj(q).mT @ q


def rebuilt_svd(xp: ModuleType, matrix: Any) -> Any:
    """Return the singular values, the matrix they rebuild, and what must be identities."""
    u, values, vh = xp.linalg.svd(matrix, full_matrices=False)
    full_u, _, full_vh = xp.linalg.svd(matrix, full_matrices=True)
    identity = xp.conj(full_u).mT @ full_u
    return values, (u * values[..., None, :]) @ vh, identity, full_vh @ xp.conj(full_vh).mT
