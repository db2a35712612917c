"""Products, linear algebra and Fourier transforms."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

from agnograd.interop.numpy_functions.registry import Function, as_array, flat, given, named
from agnograd.interop.numpy_functions.shapes import expand_dims


@named("dot")
def _dot(xp: Any, a: Any, b: Any, out: Any = None) -> Any:
    a, b = as_array(xp, a), as_array(xp, b)
    if not (a.ndim and b.ndim):
        return a * b
    return xp.tensordot(a, b, axes=((a.ndim - 1,), (builtins.max(b.ndim - 2, 0),)))


@named("inner")
def _inner(xp: Any, a: Any, b: Any, /) -> Any:
    a, b = as_array(xp, a), as_array(xp, b)
    return xp.tensordot(a, b, axes=((a.ndim - 1,), (b.ndim - 1,))) if a.ndim and b.ndim else a * b


@named("outer")
def _outer(xp: Any, a: Any, b: Any, out: Any = None) -> Any:
    return flat(xp, a)[:, None] * flat(xp, b)[None, :]


@named("vdot")
def _vdot(xp: Any, a: Any, b: Any, /) -> Any:
    return xp.vecdot(flat(xp, a), flat(xp, b))


@named("tensordot")
def _tensordot(xp: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    if not isinstance(axes, int):
        axes = tuple((pair,) if isinstance(pair, int) else tuple(pair) for pair in axes)
    return xp.tensordot(as_array(xp, a), as_array(xp, b), axes=axes)


@named("einsum")
def _einsum(xp: Any, *operands: Any, out: Any = None, optimize: Any = "auto") -> Any:
    if isinstance(operands[0], str):
        operands = (operands[0], *(as_array(xp, x) for x in operands[1:]))
    return xp.einsum(*operands, optimize=optimize)


@named("kron")
def _kron(xp: Any, a: Any, b: Any) -> Any:
    a, b = as_array(xp, a), as_array(xp, b)
    ndim = builtins.max(a.ndim, b.ndim)
    shape1, shape2 = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    a = xp.reshape(a, tuple(n for size in shape1 for n in (size, 1)))
    b = xp.reshape(b, tuple(n for size in shape2 for n in (1, size)))
    return xp.reshape(a * b, tuple(m * n for m, n in zip(shape1, shape2, strict=True)))


@named("cross")
def _cross(xp: Any, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    a, b = xp.moveaxis(as_array(xp, a), axisa, -1), xp.moveaxis(as_array(xp, b), axisb, -1)
    return xp.moveaxis(xp.linalg.cross(a, b), -1, axisc)


@named("convolve")
def _convolve(xp: Any, a: Any, v: Any, mode: str = "full") -> Any:
    a, v = flat(xp, a), flat(xp, v)
    a, v = (a, v) if v.shape[0] <= a.shape[0] else (v, a)
    n, m = a.shape[0], v.shape[0]
    zeros = xp.zeros(m - 1, dtype=a.dtype)
    # Each row is what the kernel meets at one shift.
    first, count = {"full": (0, n + m - 1), "same": ((m - 1) // 2, n), "valid": (m - 1, n - m + 1)}[mode]
    place = xp.arange(first, first + count)[:, None] + xp.arange(m)[None, :]
    windows = xp.reshape(xp.take(xp.concat([zeros, a, zeros]), xp.reshape(place, (-1,)), axis=0), (count, m))
    return xp.matmul(windows, xp.flip(v))


@named("correlate")
def _correlate(xp: Any, a: Any, v: Any, mode: str = "valid") -> Any:
    a, v = flat(xp, a), flat(xp, v)
    if v.shape[0] > a.shape[0]:
        return xp.conj(xp.flip(_correlate(xp, v, a, mode)))
    return _convolve(xp, a, xp.conj(xp.flip(v)), mode)


@named("linalg.matmul")
def _matmul(xp: Any, x1: Any, x2: Any, /) -> Any:
    return xp.matmul(as_array(xp, x1), as_array(xp, x2))


@named("linalg.vecdot")
def _vecdot(xp: Any, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return xp.vecdot(as_array(xp, x1), as_array(xp, x2), axis=axis)


@named("linalg.tensordot")
def _linalg_tensordot(xp: Any, x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    return _tensordot(xp, x1, x2, axes)


@named("linalg.norm")
def _norm(xp: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x = as_array(xp, x)
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    if axis is None and (ord is None or x.ndim == 1):
        return xp.linalg.vector_norm(x, keepdims=keepdims, **given(ord=ord))
    if isinstance(axis, int):
        return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, **given(ord=ord))
    axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in axis)
    if len(axes) != 2:
        msg = f"norm takes one axis for vectors or two for matrices, got {axis} and an array of shape {x.shape}"
        raise ValueError(msg)
    norm = xp.linalg.matrix_norm(xp.moveaxis(x, axes, (-2, -1)), **given(ord=ord))
    return expand_dims(xp, norm, axes) if keepdims else norm


@named("linalg.multi_dot")
def _multi_dot(xp: Any, arrays: Sequence[Any], *, out: Any = None) -> Any:
    arrays = [as_array(xp, x) for x in arrays]
    labels = [[i, i + 1][: x.ndim] if i or x.ndim == 2 else [1] for i, x in enumerate(arrays)]
    free = [labels[0][0]] if arrays[0].ndim == 2 else []
    free += [labels[-1][1]] if arrays[-1].ndim == 2 else []
    return xp.einsum(*(v for pair in zip(arrays, labels, strict=True) for v in pair), free)


def _of_lower_triangle(name: str) -> Function:
    def spectrum(xp: Any, a: Any, UPLO: str = "L") -> Any:  # noqa: N803 - NumPy's name
        if UPLO != "L":
            raise NotImplementedError
        return getattr(xp.linalg, name)(as_array(xp, a))

    return spectrum


for _name in ("eigh", "eigvalsh"):
    named(f"linalg.{_name}")(_of_lower_triangle(_name))


@named("linalg.svd")
def _svd(xp: Any, a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    a = as_array(xp, a)
    return xp.linalg.svd(a, full_matrices=full_matrices) if compute_uv else xp.linalg.svdvals(a)


@named("linalg.pinv")
def _pinv(xp: Any, a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    return xp.linalg.pinv(as_array(xp, a), **given(rtol=rcond if rtol is None else rtol))


@named("linalg.cond")
def _cond(xp: Any, x: Any, p: Any = None) -> Any:
    if p is None:
        s = xp.linalg.svdvals(as_array(xp, x))
        return s[..., 0] / s[..., -1]
    x = as_array(xp, x)
    return xp.linalg.matrix_norm(x, ord=p) * xp.linalg.matrix_norm(xp.linalg.inv(x), ord=p)


@named("linalg.tensorinv")
def _tensorinv(xp: Any, a: Any, ind: int = 2) -> Any:
    a = as_array(xp, a)
    left, right = tuple(a.shape[:ind]), tuple(a.shape[ind:])
    inverse = xp.linalg.inv(xp.reshape(a, (math.prod(left), math.prod(right))))
    return xp.reshape(inverse, (*right, *left))


@named("linalg.tensorsolve")
def _tensorsolve(xp: Any, a: Any, b: Any) -> Any:
    a, b = as_array(xp, a), as_array(xp, b)
    shape = tuple(a.shape[b.ndim :])
    x = xp.linalg.solve(xp.reshape(a, (-1, math.prod(shape))), flat(xp, b))
    return xp.reshape(x, shape)


@named("linalg.lstsq")
def _lstsq(xp: Any, a: Any, b: Any, rcond: float | None = None) -> Any:
    """Least squares by the pseudo-inverse; the rank has no derivative."""
    a, b = as_array(xp, a), as_array(xp, b)
    rows, columns = a.shape
    cut = {} if rcond is None or rcond < 0 else {"rtol": rcond}
    x = xp.matmul(xp.linalg.pinv(a, **cut), b)
    s = xp.linalg.svdvals(a)
    rank = int(xp.linalg.matrix_rank(a, **cut))
    if rank == columns < rows:
        miss = xp.abs(xp.matmul(a, x) - b) ** 2
        residuals = xp.sum(miss, axis=0, keepdims=b.ndim == 1)
    else:
        residuals = xp.zeros(0, dtype=s.dtype)
    return x, residuals, rank, s


# -- Fourier transforms -----------------------------------------------------------------------------------------------


def _transform(name: str, size: str, axes: str, default: Any = None) -> Function:
    def transform(xp: Any, a: Any, *args: Any, out: Any = None, **options: Any) -> Any:
        options = {axes: default, **options, **dict(zip((size, axes, "norm"), args, strict=False))}
        return getattr(xp.fft, name)(as_array(xp, a), **given(**options))

    return transform


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    named(f"fft.{_name}")(_transform(_name, "n", "axis"))
for _name in ("fft", "ifft", "rfft", "irfft"):
    named(f"fft.{_name}n")(_transform(f"{_name}n", "s", "axes"))
    named(f"fft.{_name}2")(_transform(f"{_name}n", "s", "axes", (-2, -1)))


def _shift(name: str) -> Function:
    def shift(xp: Any, x: Any, axes: Any = None) -> Any:
        return getattr(xp.fft, name)(as_array(xp, x), **given(axes=axes))

    return shift


for _name in ("fftshift", "ifftshift"):
    named(f"fft.{_name}")(_shift(_name))
