"""NumPy's kernels for matrices: large ones in blocks, so that most of the work is products of matrices."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from agnograd.core.table import OPS, spaces

Array = Any

# Rows of a block. With fewer, products are slow; with more, what is done within a block costs too much.
_WIDTH = 48


def kernels() -> dict[str, Callable[..., Any]]:
    """What NumPy has no function for, or has it only for matrices without structure."""
    own = (cholesky_pullback, cofactors, diagonal_matrix, solve_triangular, tril, triu)
    return {"linalg.cross": cross, "linalg.diagonal": diagonal, **{f.__name__: f for f in own}}


def _adjoint(x: Array) -> Array:
    return x.conj().mT if x.dtype.kind == "c" else x.mT


def tril(x: Array, *, k: int = 0) -> Array:
    """With the mask of a small matrix at hand, which takes longer to make than to use."""
    import numpy as np

    if x.ndim < 2 or max(x.shape[-2:]) > _WIDTH:
        return np.tril(x, k)
    return np.where(_below(*x.shape[-2:], k), x, x.dtype.type(0))


def triu(x: Array, *, k: int = 0) -> Array:
    """The same for what is above."""
    import numpy as np

    if x.ndim < 2 or max(x.shape[-2:]) > _WIDTH:
        return np.triu(x, k)
    return np.where(_below(*x.shape[-2:], k - 1), x.dtype.type(0), x)


@functools.lru_cache(maxsize=4 * _WIDTH)
def _below(m: int, n: int, k: int) -> Array:
    import numpy as np

    return np.tri(m, n, k, dtype=bool)


def cross(x1: Array, x2: Array, *, axis: int = -1) -> Array:
    """Of vectors in the last axis with half of the calls; what else there is, and what is wrong, NumPy's own knows."""
    import numpy as np

    if axis != -1 or not (x1.ndim and x2.ndim and x1.shape[-1] == x2.shape[-1] == 3):
        return np.linalg.cross(x1, x2, axis=axis)
    out: Array = x1.take(_NEXT, -1) * x2.take(_LAST, -1)
    out -= x1.take(_LAST, -1) * x2.take(_NEXT, -1)
    return out


_NEXT, _LAST = [1, 2, 0], [2, 0, 1]


def diagonal(x: Array, *, offset: int = 0) -> Array:
    """NumPy's own goes through two more functions."""
    return x.diagonal(offset, -2, -1)


def diagonal_matrix(x: Array, *, shape: tuple[int, int], offset: int = 0) -> Array:
    """Every so many elements of zeros, where the formula in standard names passes over all."""
    import numpy as np

    m, n = shape
    count = x.shape[-1]
    if count != max(0, min(m, n - offset) if offset >= 0 else min(m + offset, n)):
        body: Any = OPS["diagonal_matrix"].body
        return body(spaces[np.ndarray], x, shape=shape, offset=offset)  # which says what is wrong
    out = np.zeros((*x.shape[:-1], m, n), dtype=x.dtype)
    if count:
        first = offset if offset >= 0 else -offset * n
        out.reshape(*x.shape[:-1], m * n)[..., first : first + count * (n + 1) : n + 1] = x
    return out


def cofactors(x: Array) -> Array:
    """``det(x) inv(x)^T``, or by singular values where a matrix is too close to a singular one for that."""
    import numpy as np

    found = _scaled_inverse(x) if x.size else None
    if found is not None:
        return found
    body: Any = OPS["cofactors"].body
    return body(spaces[np.ndarray], x)


def _scaled_inverse(x: Array) -> Array | None:
    import numpy as np

    limits = np.finfo(x.dtype)
    with np.errstate(all="ignore"):  # what overflows is too large below
        try:
            inverse = np.linalg.inv(x)
        except np.linalg.LinAlgError:
            return None
        det = np.linalg.det(x)
        size = np.abs(det)
        # The square of a condition number, up to which more than half of the digits of an inverse are exact.
        near = _square_norm(x) * _square_norm(inverse) * limits.eps <= 2.0**-12
    if not (near & (limits.tiny <= size) & (size <= limits.max)).all():
        return None
    return (det[..., None, None] if x.ndim > 2 else det) * inverse.mT


def _square_norm(x: Array) -> Array:
    import numpy as np

    return np.vdot(x, x).real if x.ndim == 2 else np.einsum("...ij,...ij->...", x, x.conj()).real


def solve_triangular(x1: Array, x2: Array, *, upper: bool = False) -> Array:
    """Substitution, a block of rows at a time (G. H. Golub and C. F. Van Loan, *Matrix Computations*, section 3.1.4).

    Diagonal blocks are solved with: to multiply by their inverses is faster, and not stable.
    """
    import numpy as np

    n, triangle = x1.shape[-1], triu if upper else tril
    if n <= _WIDTH:
        return np.linalg.solve(triangle(x1), x2)
    batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    out = np.empty((*batch, *x2.shape[-2:]), np.result_type(x1, x2))
    starts = range(0, n, _WIDTH)
    for start in reversed(starts) if upper else starts:
        rows = slice(start, start + _WIDTH)
        known = slice(start + _WIDTH, n) if upper else slice(0, start)
        rest = x2[..., rows, :] - x1[..., rows, known] @ out[..., known, :]
        out[..., rows, :] = np.linalg.solve(triangle(x1[..., rows, rows]), rest)
    return out


def cholesky_pullback(x1: Array, x2: Array) -> Array:
    """The formula ``X = L^-H S, A = X L^-1``, of which a triangle is computed: the other follows from symmetry.

    It takes ``n**3`` multiplications and additions in place of four times as many. To go back through the blocks of the
    factorisation itself takes fewer, and loses digits where `x1` is ill-conditioned.
    """
    import numpy as np

    n = x1.shape[-1]
    if n <= _WIDTH:
        upper = _adjoint(tril(x1))
        return _solve_right(upper, np.linalg.solve(upper, _half_hermitian(upper @ tril(x2))))
    batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    # Rows from `start` on hold A in columns from `start` on, and X - G / 2 before: X then takes one product, not two.
    out = np.empty((*batch, n, n), np.result_type(x1, x2))
    for start in reversed(range(0, n, _WIDTH)):
        stop = min(start + _WIDTH, n)
        block, below, left = slice(start, stop), slice(stop, n), slice(0, start)
        upper, rest = _adjoint(tril(x1[..., block, block])), x1[..., below, block]
        beside = _adjoint(rest)
        half = 0.5 * x2[..., below, block]
        column = out[..., below, block] + half
        own = _half_hermitian(upper @ tril(x2[..., block, block]) + 2 * (beside @ half))
        corner = np.linalg.solve(upper, own - beside @ column)
        half = 0.5 * x2[..., block, left]
        out[..., block, left] = np.linalg.solve(upper, upper @ half - beside @ out[..., below, left]) - half
        row = np.linalg.solve(upper, _adjoint(column - out[..., below, below] @ rest))
        out[..., block, block] = _solve_right(upper, corner - row @ rest)
        out[..., block, below] = row
        out[..., below, block] = _adjoint(row)
    return out


def _half_hermitian(x: Array) -> Array:
    """The Hermitian matrix with half of a lower triangle."""
    half = x * _half_diagonal(x.shape[-1], x.real.dtype)
    return 0.5 * (half + _adjoint(half))


def _solve_right(upper: Array, x: Array) -> Array:
    """``x upper^-H``, which is Hermitian."""
    import numpy as np

    found = np.linalg.solve(upper, _adjoint(x))
    return 0.5 * (found + _adjoint(found))


@functools.lru_cache(maxsize=2 * _WIDTH)
def _half_diagonal(n: int, dtype: Any) -> Array:
    """Factors that leave a lower triangle, with half of its diagonal."""
    import numpy as np

    return np.tri(n, dtype=dtype) - 0.5 * np.eye(n, dtype=dtype)
