"""Determinants.

The gradient of a determinant is the matrix of cofactors: it exists at singular matrices too, where the inverse does
not. It is computed from singular values (G. W. Stewart, *On the adjugate matrix*, 1998): ``adj(U S V^H) = det(U)
det(V^H) V adj(S) U^H``, where adj(S) is made of products without one of the values. Its own derivative takes products
without two of them. The third derivative goes through singular vectors, and is NaN where values are equal.
"""

from __future__ import annotations

from typing import Any

from agnograd.core.batching import stacks
from agnograd.core.formulas import is_complex, nonzero
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import general
from agnograd.ops.linalg.matrices import (
    COMPLEX,
    COMPLEX_STACK,
    REAL,
    STACK,
    adjoint,
    diagonal_matrix,
    diagonal_of,
    off_diagonal,
)

Array = Any


def _without_one(xp: Any, s: Array) -> Array:
    """Products of all values but one, for each: from those before it and those after it."""
    before = xp.cumulative_prod(s, axis=-1, include_initial=True)[..., :-1]
    after = xp.flip(xp.cumulative_prod(xp.flip(s, axis=-1), axis=-1, include_initial=True)[..., :-1], axis=-1)
    return before * after


def _without_two(xp: Any, s: Array) -> Array:
    """Products of all values but two, off the diagonal; the values fall.

    Only the last value can vanish without making all products vanish that it is in.
    """
    size = s.shape[-1]
    if size < 2:
        return xp.zeros_like(s[..., None, :] * s[..., :, None])
    rest, last = s[..., :-1], s[..., -1:]
    # Those without the last value and another one.
    border = _without_one(xp, rest)
    safe = nonzero(xp, rest)
    # Where a value but the last is zero, the last is, too.
    whole = (last * xp.prod(rest, axis=-1, keepdims=True))[..., None]
    inner = whole / (safe[..., None, :] * safe[..., :, None])
    inner = xp.concat([inner, border[..., None, :]], axis=-2)
    border = xp.concat([border, xp.zeros_like(last)], axis=-1)
    return off_diagonal(xp, xp.concat([inner, border[..., :, None]], axis=-1))


def _power_of_two(xp: Any, size: Array) -> Array:
    """The power of two below; constant, since steps have no gradient, and exact to multiply by."""
    return xp.where(size == 0, 1, 2.0 ** xp.floor(xp.log2(nonzero(xp, size))))


def _balanced(xp: Any, x: Array) -> tuple[Array, Array, Array]:
    """Matrices with rows and columns of similar size, their scale, and what it is in the cofactors.

    Singular values that are small beside others are not exact. Those that rows and columns of other units make are
    spared that.
    """
    rows = _power_of_two(xp, xp.max(xp.abs(x), axis=-1))
    columns = _power_of_two(xp, xp.max(xp.abs(x) / rows[..., :, None], axis=-2))
    scale = rows[..., :, None] * columns[..., None, :]
    return x / scale, scale, _without_one(xp, rows)[..., :, None] * _without_one(xp, columns)[..., None, :]


def _turned(xp: Any, u: Array, inner: Array, vh: Array) -> Array:
    """The transpose of ``det(U) det(V^H) V inner^H U^H``."""
    turn = xp.linalg.det(u) * xp.linalg.det(vh)
    return turn[..., None, None] * xp.conj(xp.matmul(xp.matmul(u, inner), vh))


def _cofactors(xp: Any, x: Array, /) -> Array:
    if not x.shape[-1]:
        return xp.zeros_like(x)
    x, _, scale = _balanced(xp, x)
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    return scale * _turned(xp, u, xp.astype(diagonal_matrix(xp, _without_one(xp, s)), x.dtype), vh)


def _cofactors_jvp(xp: Any, t: Array, x: Array) -> Array:
    if not x.shape[-1]:
        return xp.zeros_like(t)
    x, unit, scale = _balanced(xp, x)
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    change = xp.matmul(xp.matmul(adjoint(xp, u), t / unit), adjoint(xp, vh))
    products = _without_two(xp, s)
    along = xp.matmul(xp.astype(products, change.dtype), diagonal_of(xp, change)[..., None])[..., 0]
    # The derivative of adj(S) along `change`, exact whatever the rank.
    inner = diagonal_matrix(xp, along) - products * change
    return scale * _turned(xp, u, adjoint(xp, inner), vh)


_SINGULAR = [[1.0, 2.0], [2.0, 4.0]]
_MATRICES = [
    Sample((REAL,)),
    Sample(([[1.5]],)),
    Sample((STACK,)),
    Sample((COMPLEX,)),
    Sample((COMPLEX_STACK,)),
    Sample((Uniform(shape=(0, 2, 2)),)),
]
_SINGULAR_ONES = [
    Sample((_SINGULAR,)),
    Sample(([[1.0, 2.0, 0.5], [2.0, 4.0, 1.0], [0.5, -1.0, 0.25]],)),
    Sample(([[0.0, 0.0], [0.0, 0.0]],)),
    Sample(([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],)),
]

cofactors: Op = general(
    "cofactors(x, /)",
    batch=stacks,
    body=_cofactors,
    # The second derivative of a determinant is symmetric, and holomorphic where x is complex.
    vjp={"x": lambda xp, g, x: xp.conj(_cofactors_jvp(xp, xp.conj(g), x))},
    jvp={"x": _cofactors_jvp},
    doc="the gradient of a determinant: det(x) inv(x)^T, which singular matrices have too",
    samples=[*_MATRICES, *_SINGULAR_ONES[:2]],
)

det: Op = general(
    "linalg.det(x, /)",
    batch=stacks,
    vjp={"x": lambda xp, g, x: g[..., None, None] * xp.conj(xp.cofactors(x))},
    jvp={"x": lambda xp, t, x: xp.sum(xp.cofactors(x) * t, axis=(-2, -1))},
    doc="d det(A) = sum of cofactors times dA, exact at singular matrices",
    samples=[*_MATRICES, *_SINGULAR_ONES],
)

# -- logarithms ------------------------------------------------------------------------------------------------------


def _slogdet_vjp(xp: Any, g: tuple[Array, Array], x: Array, ans: tuple[Array, Array]) -> Array:
    g_sign, g_log = g
    slope = xp.zeros_like(ans[1]) if g_log is None else g_log
    if is_complex(xp, x):
        slope = xp.astype(slope, x.dtype)
        if g_sign is not None:
            # d sign = i sign Im tr(A^-1 dA)
            slope = slope + 1j * xp.astype(xp.imag(xp.conj(ans[0]) * g_sign), x.dtype)
    return slope[..., None, None] * adjoint(xp, xp.linalg.inv(x))


def _slogdet_jvp(xp: Any, t: Array, x: Array, ans: tuple[Array, Array]) -> tuple[Array | None, Array]:
    change = xp.linalg.trace(xp.linalg.solve(x, t))
    if is_complex(xp, x):
        return 1j * ans[0] * xp.imag(change), xp.real(change)
    return None, change


slogdet: Op = general(
    "linalg.slogdet(x, /)",
    batch=stacks,
    vjp={"x": _slogdet_vjp},
    jvp={"x": _slogdet_jvp},
    outputs=2,
    doc="d log|det A| = Re tr(A^-1 dA); the sign of a real determinant is constant",
    samples=_MATRICES,
)
