"""CuPy's kernels for matrices: triangular systems by cuBLAS, where CuPy has a factorisation for each, and no copies.

cuBLAS stores matrices by columns, so that it sees the transpose of what CuPy stores by rows. Nothing waits for the
device, and nothing looks whether a matrix is singular.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.backends import cupy_kernels
from agnograd.core.table import OPS, spaces

Array = Any


def kernels() -> dict[str, Callable[..., Array]]:
    """What CuPy has no function for, or has it only for matrices without structure."""
    return {"solve_triangular": solve_triangular, "cholesky_pullback": cholesky_pullback}


def _standard(name: str, x1: Array, x2: Array, **params: Any) -> Array:
    """The operation's own body."""
    body = OPS[name].body
    assert body is not None
    return body(spaces[type(x1)].main, x1, x2, **params)


def _alike(x1: Array, x2: Array) -> tuple[Array, Array] | None:
    """Two matrices with elements, of one dtype that cuBLAS knows; None where they are no such."""
    import cupy as cp

    dtype = cp.result_type(x1, x2)
    if x1.ndim != 2 or x2.ndim != 2 or x1.shape != (len(x2),) * 2 or dtype.char not in _LETTERS or not x2.size:
        return None
    return x1.astype(dtype, copy=False), x2.astype(dtype, copy=False)


def _in_place(a: Array, b: Array, *, left: bool, upper: bool, adjoint: bool) -> None:
    """Overwrite `b` by ``a**-1 @ b``, or by ``b @ a**-1``, or the same with the adjoint of `a`.

    Both are stored by rows; `upper` is the triangle of `a` that is read.
    """
    import numpy as np
    from cupy.cuda import device
    from cupy_backends.cuda.libs import cublas

    one = np.ones(1, dtype=a.dtype)
    rows, columns = b.shape
    getattr(cublas, f"{_LETTERS[a.dtype.char]}trsm")(
        device.get_cublas_handle(),
        # Transposed, the product is the other way round, and the other triangle is read.
        cublas.CUBLAS_SIDE_RIGHT if left else cublas.CUBLAS_SIDE_LEFT,
        cublas.CUBLAS_FILL_MODE_LOWER if upper else cublas.CUBLAS_FILL_MODE_UPPER,
        cublas.CUBLAS_OP_C if adjoint else cublas.CUBLAS_OP_N,
        cublas.CUBLAS_DIAG_NON_UNIT,
        columns,
        rows,
        one.ctypes.data,
        a.data.ptr,
        a.shape[0],
        b.data.ptr,
        columns,
    )


_LETTERS = {"f": "s", "d": "d", "F": "c", "D": "z"}


def solve_triangular(x1: Array, x2: Array, *, upper: bool = False) -> Array:
    """In one launch, which copies `x2`."""
    import cupy as cp

    found = _alike(x1, x2)
    if found is None:
        return _standard("solve_triangular", x1, x2, upper=upper)
    x1, x2 = found
    out = x2.copy(order="C")
    if x1.dtype.kind == "f" and x1.T.flags.c_contiguous:
        _in_place(x1.T, out, left=True, upper=not upper, adjoint=True)
    else:
        _in_place(cp.ascontiguousarray(x1), out, left=True, upper=upper, adjoint=False)
    return out


def cholesky_pullback(x1: Array, x2: Array) -> Array:
    """In two launches, and three calls of cuBLAS."""
    import cupy as cp

    found = _alike(x1, x2)
    if found is None or x1.shape != x2.shape:
        return _standard("cholesky_pullback", x1, x2)
    x1, x2 = found
    # What is above the diagonal is not to be read.
    x1 = cupy_kernels.tril(x1)
    real = x1.dtype.kind == "f"
    inner = cp.matmul(x1.T if real else x1.conj().T, x2)
    out = cp.empty_like(inner, order="C")
    cupy_kernels.elementwise("half_symmetric" if real else "half_hermitian")(inner, len(x1), out)
    # L^-H S L^-1
    _in_place(x1, out, left=True, upper=False, adjoint=True)
    _in_place(x1, out, left=False, upper=False, adjoint=False)
    return out
