"""What rules about matrices have in common, in names of the standard only; and matrices to test them with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnograd.core.formulas import is_complex
from agnograd.core.sample import Sample, Uniform

Array = Any


def adjoint(xp: Any, x: Array) -> Array:
    """The conjugate transpose."""
    return xp.conj(xp.matrix_transpose(x))


def column_minus_row(xp: Any, x: Array, shape: tuple[int, ...]) -> Array:
    """``j - i`` for each place of a matrix, on the device of `x`."""
    *_, m, n = shape
    device = xp.device(x)
    return xp.arange(n, device=device)[None, :] - xp.arange(m, device=device)[:, None]


def on_diagonal(xp: Any, x: Array, shape: tuple[int, ...], offset: int = 0) -> Array:
    """Where a diagonal of matrices of that shape is, on the device of `x`."""
    *_, m, n = shape
    device = xp.device(x)
    rows = xp.arange(m, device=device)[:, None]
    return xp.arange(n, device=device)[None, :] == (rows + offset if offset else rows)


def with_diagonal(xp: Any, x: Array, diagonal: Array | float) -> Array:
    """Matrices with another diagonal: a number, or one in the last axis."""
    row = diagonal if isinstance(diagonal, (int, float)) else diagonal[..., None, :]
    return xp.where(on_diagonal(xp, x, x.shape), row, x)


def off_diagonal(xp: Any, x: Array) -> Array:
    """Matrices with zeros on the diagonal."""
    return with_diagonal(xp, x, 0)


def diagonal_of(xp: Any, x: Array) -> Array:
    """The diagonals of matrices, in the last axis."""
    return xp.linalg.diagonal(x)


def diagonal_matrix(xp: Any, x: Array) -> Array:
    """Matrices with `x` on the diagonal."""
    size = x.shape[-1]
    return xp.diagonal_matrix(x, shape=(size, size))


def real_diagonal(xp: Any, x: Array) -> Array:
    """The real part of the diagonals of `x`, in its dtype."""
    diagonal = diagonal_of(xp, x)
    return xp.astype(xp.real(diagonal), x.dtype) if is_complex(xp, x) else diagonal


def hermitian(xp: Any, x: Array) -> Array:
    """The Hermitian part of matrices."""
    return 0.5 * (x + adjoint(xp, x))


def skew(xp: Any, x: Array) -> Array:
    """The skew-Hermitian part of matrices."""
    return 0.5 * (x - adjoint(xp, x))


def differences(xp: Any, w: Array) -> Array:
    """``w_j - w_i``, and 1 on the diagonal."""
    return with_diagonal(xp, w[..., None, :] - w[..., :, None], 1)


def over_values(xp: Any, left: Array, values: Array, right: Array) -> Array:
    """``left diag(values) right``."""
    return xp.matmul(left * values[..., None, :], right)


def total(a: Array | None, b: Array | None) -> Array:
    """The sum of two contributions, of which one may be None."""
    return b if a is None else a if b is None else a + b


# -- what is determined only up to a choice --------------------------------------------------------------------------


def weighted(xp: Any, left: Array, right: Array) -> Array:
    """``left diag(1, 2, ...) right``: columns and rows enter by pairs, so that their common phase does not."""
    return over_values(
        xp, left, xp.astype(xp.arange(1, 1 + right.shape[-2], device=xp.device(left)), left.dtype), right
    )


def phase_free(xp: Any, x: Array, phase: Array, cotangents: Sequence[Array | None], what: str) -> Array:
    """`x`, which has a meaning only if `phase` vanishes in comparison with the cotangents.

    Parameters
    ----------
    x, phase : array
        Stacks of matrices.
    cotangents : sequence of array or None
        What `phase` was computed from: it is no more exact than that.
    what : str
        What has a free phase, for the message.

    Raises
    ------
    UndefinedGradientError
        If it does not, on backends that compute at once; on others `x` becomes NaN.
    """
    axes = (-2, -1)
    size, *parts = [xp.sum(xp.abs(m), axis=axes, keepdims=True) for m in (phase, *cotangents) if m is not None]
    limit = sum(parts[1:], start=parts[0])
    return xp.defined_where(
        x,
        size <= xp.finfo(limit.dtype).eps ** 0.5 * limit,
        reason=f"{what} are determined only up to a phase or a rotation, and the function depends on it",
    )


def leading_cotangent(xp: Any, columns: Array, g: Array | None, count: int, what: str) -> Array | None:
    """The cotangent of the leading columns of a unitary matrix, to which that of the others is carried over.

    Only the space that the others span is determined: they turn as the leading ones do, U_0' = -U_1 (U_1')^H U_0.
    """
    if g is None or columns.shape[-1] == count:
        return g
    lead, rest = columns[..., :count], columns[..., count:]
    g_lead, g_rest = g[..., :count], g[..., count:]
    turn = xp.matmul(adjoint(xp, rest), g_rest)
    g_lead = g_lead - xp.matmul(rest, xp.matmul(adjoint(xp, g_rest), lead))
    return phase_free(xp, g_lead, skew(xp, turn), [g], what)


def unitary_tangent(xp: Any, columns: Array, t_lead: Array) -> Array:
    """The tangent of a unitary matrix, from that of its leading columns."""
    count = t_lead.shape[-1]
    if columns.shape[-1] == count:
        return t_lead
    lead, rest = columns[..., :count], columns[..., count:]
    return xp.concat([t_lead, -xp.matmul(lead, xp.matmul(adjoint(xp, t_lead), rest))], axis=-1)


# -- samples ---------------------------------------------------------------------------------------------------------

REAL = [[2.0, -0.5, 0.25], [0.5, 1.5, -0.75], [-0.25, 0.5, 1.25]]
COMPLEX = [[1.5 + 0.5j, -0.5j], [0.25 + 0.25j, 1.0 - 0.75j]]
STACK = [[[1.5, 0.5], [-0.25, 1.0]], [[0.75, -0.5], [0.5, -1.25]]]
COMPLEX_STACK: list[Any] = [COMPLEX, [[0.75 - 0.5j, 0.5], [0.25j, -1.25 + 0.25j]]]
HERMITIAN = [[2.0, -0.5, 0.25], [-0.5, 1.5, -0.75], [0.25, -0.75, 1.0]]
HERMITIAN_COMPLEX: list[list[complex]] = [[1.5, 0.25 - 0.5j], [0.25 + 0.5j, 1.0]]
HERMITIAN_STACK = [[[1.5, 0.5], [0.5, 1.0]], [[0.75, -0.25], [-0.25, 1.25]]]
TALL = [[1.5, -0.25], [0.5, 1.0], [-0.75, 0.25]]
TALL_COMPLEX: list[list[complex]] = [[1.5 + 0.25j, -0.5j], [0.5, 1.0 - 0.25j], [-0.25j, 0.75 + 0.5j]]
WIDE = [[1.5, -0.25, 0.5], [0.75, 1.0, -0.5]]
WIDE_COMPLEX: list[list[complex]] = [[1.5 + 0.25j, -0.5j, 0.25], [0.5, 1.0 - 0.25j, 0.75j]]

# Square, tall, wide, of one element, in stacks, complex, none.
SHAPES = [
    Sample((REAL,)),
    Sample((TALL,)),
    Sample((WIDE,)),
    Sample(([[1.5]],)),
    Sample((STACK,)),
    Sample((COMPLEX_STACK,)),
    Sample((TALL_COMPLEX,)),
    Sample((Uniform(shape=(0, 2, 2)),)),
]
