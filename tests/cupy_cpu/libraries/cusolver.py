"""cuSOLVER: LU, Cholesky, QR, singular values and eigenvalues.

As on a GPU nothing raises: a failure is reported in ``info``, which CuPy reads only under
``cupyx.errstate(linalg="raise")``, and the result is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from ..counts import record_library_call
from .cublas import LOWER, factorise, lapack_routine, substitute
from .memory import (
    CUDA_DTYPES,
    DTYPES,
    INTEGER,
    addresses,
    host_view,
    matrix,
    on_device,
    report,
    vector,
)
from .stand_in import StandIn, answer

CONSTANTS = {"CUSOLVER_EIG_MODE_NOVECTOR": 0, "CUSOLVER_EIG_MODE_VECTOR": 1}

# How gesvd is told what to do with the singular vectors of a side.
ALL, SOME, OVERWRITE = ord("A"), ord("S"), ord("O")


def getrf(letter, handle, m, n, a, lda, work, pivots, info) -> None:
    """LU."""
    factorise(letter, m, n, a, lda, pivots, info)


def getrs(letter, handle, trans, n, columns, a, lda, pivots, b, ldb, info) -> None:
    """Solve, given the LU."""
    substitute(letter, trans, n, columns, a, lda, pivots, b, ldb, info)


def potrf(letter, handle, uplo, n, a, lda, work, work_size, info) -> None:
    """Cholesky factor; the other triangle stays as it is."""
    stored = matrix(a, n, n, lda, DTYPES[letter])
    factor, status = lapack_routine(letter, "potrf")(stored, lower=uplo == LOWER, clean=False)
    stored[...] = factor
    report(info, status)


def potrf_batched(letter, handle, uplo, n, a, lda, info, batch) -> None:
    """Cholesky factors of a batch."""
    for i, a_i in enumerate(addresses(a, batch)):
        potrf(letter, handle, uplo, n, a_i, lda, 0, 0, info + INTEGER.itemsize * i)


def potrs(letter, handle, uplo, n, columns, a, lda, b, ldb, info) -> None:
    """Solve, given the Cholesky factor."""
    dtype = DTYPES[letter]
    unknown = matrix(b, n, columns, ldb, dtype)
    factor = matrix(a, n, n, lda, dtype)
    unknown[...], status = lapack_routine(letter, "potrs")(factor, unknown, lower=uplo == LOWER)
    report(info, status)


def potrs_batched(letter, handle, uplo, n, columns, a, lda, b, ldb, info, batch) -> None:
    """Solve a batch, given the Cholesky factors."""
    for a_i, b_i in zip(addresses(a, batch), addresses(b, batch), strict=True):
        potrs(letter, handle, uplo, n, columns, a_i, lda, b_i, ldb, info)


def geqrf(letter, handle, m, n, a, lda, tau, work, work_size, info) -> None:
    """QR, with Q as Householder vectors below R."""
    dtype = DTYPES[letter]
    stored = matrix(a, m, n, lda, dtype)
    stored[...], scales, _, status = lapack_routine(letter, "geqrf")(stored)
    vector(tau, min(m, n), dtype)[...] = scales
    report(info, status)


def orgqr(letter, handle, m, n, k, a, lda, tau, work, work_size, info) -> None:
    """Q, made of the first ``k`` Householder vectors."""
    dtype = DTYPES[letter]
    stored = matrix(a, m, n, lda, dtype)
    name = _orgqr_name(letter)[1:]
    stored[...], _, status = lapack_routine(letter, name)(stored, vector(tau, k, dtype))
    report(info, status)


def _orgqr_name(letter: str) -> str:
    """Return the routine's name: the matrix is orthogonal, or unitary."""
    return letter + ("orgqr" if letter in "sd" else "ungqr")


def gesvd(
    letter, handle, job_u, job_vt, m, n, a, lda, s, u, ldu, vt, ldvt, work, work_size, rwork, info
) -> None:
    """Singular values, and vectors where asked for."""
    dtype = DTYPES[letter]
    k = min(m, n)
    stored = matrix(a, m, n, lda, dtype)
    left, values, right, status = _svd(np.array(stored), full_matrices=job_u == ALL)
    vector(s, k, values.dtype)[...] = values
    if job_u == ALL:
        matrix(u, m, m, ldu, dtype)[...] = left
    elif job_u == OVERWRITE:
        stored[:, :k] = left[:, :k]
    if job_vt == SOME:
        matrix(vt, k, n, ldvt, dtype)[...] = right[:k]
    elif job_vt == OVERWRITE:
        stored[:k] = right[:k]
    report(info, status)


def _svd(
    matrices: np.ndarray, full_matrices: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return U, the singular values, V conjugated and transposed, and a status."""
    try:
        return *np.linalg.svd(matrices, full_matrices=full_matrices), 0
    except np.linalg.LinAlgError:
        # Of zeros it cannot fail: so the shapes and dtypes are right.
        parts = np.linalg.svd(np.zeros_like(matrices), full_matrices=full_matrices)
        return *(np.full_like(part, np.nan) for part in parts), 1


def xsyevd(
    handle, params, vectors, uplo, n, a_type, a, lda, w_type, w, compute_type,
    device_work, device_work_size, host_work, host_work_size, info,
) -> None:  # fmt: skip
    """Eigenvalues of a symmetric or Hermitian matrix; eigenvectors take its place."""
    stored = matrix(a, n, n, lda, CUDA_DTYPES[a_type])
    values, basis, status = _eigh(np.array(stored), "L" if uplo == LOWER else "U")
    vector(w, n, CUDA_DTYPES[w_type])[...] = values
    if vectors:
        stored[...] = basis
    report(info, status)


def _eigh(matrices: np.ndarray, triangle: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Return eigenvalues, eigenvectors and a status."""
    try:
        return *np.linalg.eigh(matrices, UPLO=triangle), 0
    except np.linalg.LinAlgError:
        parts = np.linalg.eigh(np.zeros_like(matrices))
        return *(np.full_like(part, np.nan) for part in parts), 1


def xgeev(
    handle, params, left, right, n, a_type, a, lda, w_type, w, vl_type, vl, ldvl, vr_type, vr, ldvr,
    compute_type, device_work, device_work_size, host_work, host_work_size, info,
) -> None:  # fmt: skip
    """Eigenvalues of any square matrix, and its right eigenvectors where asked for."""
    stored = np.array(matrix(a, n, n, lda, CUDA_DTYPES[a_type]))
    finite = bool(np.isfinite(stored).all())  # NumPy raises for others
    values, basis = np.linalg.eig(stored if finite else np.zeros_like(stored))
    if not finite:
        values, basis = np.full_like(values, np.nan), np.full_like(basis, np.nan)
    vector(w, n, CUDA_DTYPES[w_type])[...] = values
    if right:
        dtype = CUDA_DTYPES[vr_type]
        packed = basis if dtype.kind == "c" else _real_and_imaginary(values, basis)
        matrix(vr, n, n, ldvr, dtype)[...] = packed
    report(info, 0 if finite else 1)


def _real_and_imaginary(values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Pack eigenvectors as LAPACK does for a real matrix: of a pair, real part then imaginary."""
    packed = vectors.real.copy()
    second = np.flatnonzero(values.imag < 0)
    packed[:, second] = vectors[:, second - 1].imag
    return packed


def module() -> StandIn:
    """Return the stand-in for ``cupy_backends.cuda.libs.cusolver``."""
    functions: dict[str, Callable[..., Any]] = {"xsyevd": xsyevd, "xgeev": xgeev}
    housekeeping = {
        "create": answer(1),
        "destroy": answer(None),
        "setStream": answer(None),
        "createParams": answer(1),
        "destroyParams": answer(None),
        "xsyevd_bufferSize": answer((0, 0)),
        "xgeev_bufferSize": answer((0, 0)),
    }
    routines = [getrf, getrs, potrf, potrs, geqrf, gesvd]
    for letter in DTYPES:
        for routine in routines:
            functions[letter + routine.__name__] = partial(routine, letter)
        functions[f"{letter}potrfBatched"] = partial(potrf_batched, letter)
        functions[f"{letter}potrsBatched"] = partial(potrs_batched, letter)
        functions[_orgqr_name(letter)] = partial(orgqr, letter)
        for name in ("getrf", "potrf", "geqrf", "gesvd", _orgqr_name(letter)[1:]):
            housekeeping[f"{letter}{name}_bufferSize"] = answer(0)
    return StandIn("cupy_backends.cuda.libs.cusolver", CONSTANTS, functions, housekeeping)


# ---- cupyx.cusolver ------------------------------------------------------------------------------
# This module of CuPy is linked with the library itself, so it is replaced as a whole.


def cupyx_module(cupy: ModuleType) -> StandIn:
    """Return the stand-in for ``cupyx.cusolver``: decompositions of batches."""

    put = partial(on_device, cupy)

    def batched_svd(a: Any, full_matrices: bool, vectors: bool) -> Any:
        left, values, right, _ = _svd(host_view(a), full_matrices)
        if not vectors:
            return put(values)
        # CuPy expects V where NumPy gives its conjugate transpose.
        return put(left), put(values), put(np.conj(np.swapaxes(right, -1, -2)))

    def gesvdj_batched(a: Any, full_matrices: bool, compute_uv: bool, overwrite_a: bool) -> Any:
        record_library_call("cusolver.gesvdjBatched")
        return batched_svd(a, full_matrices, compute_uv)

    def gesvd_batched(
        a: Any, a_dtype: str, full_matrices: bool, compute_uv: bool, overwrite_a: bool
    ) -> Any:
        record_library_call("cusolver.gesvd", times=len(a))
        return batched_svd(a.astype(a_dtype, copy=False), full_matrices, compute_uv)

    def syevj(a: Any, UPLO: str = "L", with_eigen_vector: bool = True) -> Any:
        record_library_call("cusolver.syevjBatched")
        values, basis, _ = _eigh(host_view(a), UPLO)
        return (put(values), put(basis)) if with_eigen_vector else put(values)

    def geqrf_orgqr_batched(a: Any, mode: str) -> Any:
        record_library_call("cusolver.geqrf", times=len(a))
        if mode == "r":
            return put(np.linalg.qr(host_view(a), mode=mode))
        record_library_call("cusolver.orgqr", times=len(a))
        q, r = np.linalg.qr(host_view(a), mode=mode)
        return put(q), put(r)

    functions = {
        "check_availability": answer(True),
        "syevj": syevj,
        "_gesvdj_batched": gesvdj_batched,
        "_gesvd_batched": gesvd_batched,
        "_geqrf_orgqr_batched": geqrf_orgqr_batched,
    }
    return StandIn("cupyx.cusolver", housekeeping=functions)
