"""cuBLAS: products of matrices, triangular solves, and LU of batches of small matrices.

Signatures are those of ``cupy_backends.cuda.libs.cublas``: matrices are column-major, passed as an
address and the distance between columns (``lda``); a batch is an array of addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.linalg import lapack

from .memory import (
    CUDA_DTYPES,
    DTYPES,
    INTEGER,
    addresses,
    matrix,
    report,
    scalar,
    vector,
)
from .stand_in import StandIn, answer

NOT_TRANSPOSED, TRANSPOSED, CONJUGATED = 0, 1, 2
LOWER = 0
LEFT = 0

CONSTANTS = {
    "CUBLAS_OP_N": NOT_TRANSPOSED,
    "CUBLAS_OP_T": TRANSPOSED,
    "CUBLAS_OP_C": CONJUGATED,
    "CUBLAS_FILL_MODE_LOWER": LOWER,
    "CUBLAS_FILL_MODE_UPPER": 1,
    "CUBLAS_SIDE_LEFT": LEFT,
    "CUBLAS_SIDE_RIGHT": 1,
    "CUBLAS_DIAG_NON_UNIT": 0,
    "CUBLAS_DIAG_UNIT": 1,
    "CUBLAS_POINTER_MODE_HOST": 0,
    "CUBLAS_POINTER_MODE_DEVICE": 1,
    "CUBLAS_COMPUTE_32F": 68,
    "CUBLAS_COMPUTE_32F_PEDANTIC": 69,
    "CUBLAS_COMPUTE_32F_FAST_TF32": 77,
    "CUBLAS_COMPUTE_64F": 70,
    "CUBLAS_COMPUTE_64F_PEDANTIC": 71,
    "CUBLAS_GEMM_DEFAULT": -1,
    "CUBLAS_GEMM_DEFAULT_TENSOR_OP": 99,
}


def operand(
    address: int, operation: int, rows: int, columns: int, leading: int, dtype: np.dtype
) -> np.ndarray:
    """Return ``op(A)``, of ``rows`` by ``columns``, where A is what lies in memory."""
    if operation == NOT_TRANSPOSED:
        return matrix(address, rows, columns, leading, dtype)
    stored = matrix(address, columns, rows, leading, dtype)
    return stored.T if operation == TRANSPOSED else stored.conj().T


def lapack_routine(letter: str, name: str) -> Callable[..., Any]:
    """Return LAPACK's routine of that name for that type."""
    return getattr(lapack, letter + name)


# ---- products ------------------------------------------------------------------------------------


def multiply(dtype, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) -> None:
    """C = alpha op(A) op(B) + beta C, for one matrix."""
    # In half precision cuBLAS takes the factors, and computes, in single.
    wide = np.dtype(np.float32) if dtype == np.float16 else dtype
    left = operand(a, transa, m, k, lda, dtype).astype(wide, copy=False)
    right = operand(b, transb, k, n, ldb, dtype).astype(wide, copy=False)
    product = scalar(alpha, wide) * (left @ right)
    result = matrix(c, m, n, ldc, dtype)
    factor = scalar(beta, wide)
    # With a factor of zero C is not read: it may hold NaN.
    result[...] = product if factor == 0 else product + factor * result


def gemm_ex(
    handle, transa, transb, m, n, k, alpha, a, a_type, lda, b, b_type, ldb,
    beta, c, c_type, ldc, compute_type, algorithm,
) -> None:  # fmt: skip
    """One product, of any type."""
    dtype = CUDA_DTYPES[c_type]
    multiply(dtype, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)


def gemm_strided_batched_ex(
    handle, transa, transb, m, n, k, alpha, a, a_type, lda, a_stride, b, b_type, ldb, b_stride,
    beta, c, c_type, ldc, c_stride, batch, compute_type, algorithm,
) -> None:  # fmt: skip
    """Products of matrices that lie at equal distances, of any type."""
    dtype = CUDA_DTYPES[c_type]
    for i in range(batch):
        step = i * dtype.itemsize
        multiply(
            dtype, transa, transb, m, n, k,
            alpha, a + step * a_stride, lda, b + step * b_stride, ldb,
            beta, c + step * c_stride, ldc,
        )  # fmt: skip


def gemm_batched(
    letter, handle, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, batch
) -> None:
    """Products of matrices anywhere: CuPy's way where a batch axis is broadcast."""
    dtype = DTYPES[letter]
    matrices = zip(*(addresses(array, batch) for array in (a, b, c)), strict=True)
    for a_i, b_i, c_i in matrices:
        multiply(dtype, transa, transb, m, n, k, alpha, a_i, lda, b_i, ldb, beta, c_i, ldc)


def geam(letter, handle, transa, transb, m, n, alpha, a, lda, beta, b, ldb, c, ldc) -> None:
    """C = alpha op(A) + beta op(B): CuPy's way to transpose a matrix."""
    dtype = DTYPES[letter]
    total = scalar(alpha, dtype) * operand(a, transa, m, n, lda, dtype)
    factor = scalar(beta, dtype)
    if factor != 0:
        total = total + factor * operand(b, transb, m, n, ldb, dtype)
    matrix(c, m, n, ldc, dtype)[...] = total


# ---- triangular systems --------------------------------------------------------------------------


def trsm(letter, handle, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb) -> None:
    """Solve op(A) X = alpha B, or X op(A) = alpha B, for a triangular A; X takes the place of B."""
    dtype = DTYPES[letter]
    order = m if side == LEFT else n
    triangle = matrix(a, order, order, lda, dtype)
    triangle = np.tril(triangle) if uplo == LOWER else np.triu(triangle)
    if diag == CONSTANTS["CUBLAS_DIAG_UNIT"]:
        np.fill_diagonal(triangle, 1)
    if trans != NOT_TRANSPOSED:
        triangle = triangle.T if trans == TRANSPOSED else triangle.conj().T
    unknown = matrix(b, m, n, ldb, dtype)
    right = scalar(alpha, dtype) * unknown
    if side == LEFT:
        unknown[...] = _solve_or_nan(triangle, right)
    else:
        unknown[...] = _solve_or_nan(triangle.T, right.T).T


def _solve_or_nan(triangle: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve; a singular system gives NaN, as on a GPU nothing reports it."""
    try:
        return np.linalg.solve(triangle, right)
    except np.linalg.LinAlgError:
        return np.full_like(right, np.nan)


def trsm_batched(
    letter, handle, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb, batch
) -> None:
    """Solve a batch of triangular systems."""
    for a_i, b_i in zip(addresses(a, batch), addresses(b, batch), strict=True):
        trsm(letter, handle, side, uplo, trans, diag, m, n, alpha, a_i, lda, b_i, ldb)


# ---- LU ------------------------------------------------------------------------------------------


def factorise(letter, m, n, a, lda, pivots, info) -> None:
    """LU of one matrix in its place; pivots count from one, and are optional."""
    stored = matrix(a, m, n, lda, DTYPES[letter])
    factors, exchanged, status = lapack_routine(letter, "getrf")(stored)
    stored[...] = factors
    if pivots:
        vector(pivots, min(m, n), INTEGER)[...] = exchanged + 1
    report(info, status)


def substitute(letter, trans, n, columns, a, lda, pivots, b, ldb, info) -> None:
    """Solve op(A) X = B, given the LU of A; X takes the place of B."""
    dtype = DTYPES[letter]
    unknown = matrix(b, n, columns, ldb, dtype)
    exchanged = vector(pivots, n, INTEGER) - 1
    factors = matrix(a, n, n, lda, dtype)
    unknown[...], status = lapack_routine(letter, "getrs")(factors, exchanged, unknown, trans=trans)
    report(info, status)


def _pivots_of(pivots: int, n: int, i: int) -> int:
    """Return where the pivots of matrix ``i`` of a batch begin."""
    return pivots + INTEGER.itemsize * n * i if pivots else 0


def _info_of(info: int, i: int) -> int:
    return info + INTEGER.itemsize * i


def getrf_batched(letter, handle, n, a, lda, pivots, info, batch) -> None:
    """LU of a batch."""
    for i, a_i in enumerate(addresses(a, batch)):
        factorise(letter, n, n, a_i, lda, _pivots_of(pivots, n, i), _info_of(info, i))


def getrs_batched(letter, handle, trans, n, columns, a, lda, pivots, b, ldb, info, batch) -> None:
    """Solve a batch of systems, given their LU; one report for all."""
    for i, (a_i, b_i) in enumerate(zip(addresses(a, batch), addresses(b, batch), strict=True)):
        substitute(letter, trans, n, columns, a_i, lda, _pivots_of(pivots, n, i), b_i, ldb, info=0)
    report(info, 0)


def getri_batched(letter, handle, n, a, lda, pivots, c, ldc, info, batch) -> None:
    """Invert a batch, given its LU; the inverses go to C."""
    dtype = DTYPES[letter]
    for i, (a_i, c_i) in enumerate(zip(addresses(a, batch), addresses(c, batch), strict=True)):
        exchanged = vector(_pivots_of(pivots, n, i), n, INTEGER) - 1
        factors = matrix(a_i, n, n, lda, dtype)
        inverse, status = lapack_routine(letter, "getri")(factors, exchanged)
        matrix(c_i, n, n, ldc, dtype)[...] = inverse
        report(_info_of(info, i), status)


def module() -> StandIn:
    """Return the stand-in for ``cupy_backends.cuda.libs.cublas``."""
    functions: dict[str, Callable[..., Any]] = {
        "gemmEx": gemm_ex,
        "gemmStridedBatchedEx": gemm_strided_batched_ex,
    }
    for letter in DTYPES:
        functions |= {
            f"{letter}gemmBatched": partial(gemm_batched, letter),
            f"{letter}geam": partial(geam, letter),
            f"{letter}trsm": partial(trsm, letter),
            f"{letter}trsmBatched": partial(trsm_batched, letter),
            f"{letter}getrfBatched": partial(getrf_batched, letter),
            f"{letter}getrsBatched": partial(getrs_batched, letter),
            f"{letter}getriBatched": partial(getri_batched, letter),
        }
    housekeeping = {
        "create": answer(1),
        "destroy": answer(None),
        "setStream": answer(None),
        "getPointerMode": answer(0),
        "setPointerMode": answer(None),
        "setMathMode": answer(None),
    }
    return StandIn("cupy_backends.cuda.libs.cublas", CONSTANTS, functions, housekeeping)
