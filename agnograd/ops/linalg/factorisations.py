"""QR and Cholesky factors, and the pseudo-inverse.

QR after S. F. Walter and L. Lehmann, *Algorithmic differentiation of linear algebra functions* (2010), Cholesky after
I. Murray, *Differentiation of the Cholesky decomposition* (2016), the pseudo-inverse after G. H. Golub and V. Pereyra,
*The differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate* (1973).
"""

from __future__ import annotations

from typing import Any

from agnograd.core import batched_products
from agnograd.core.batching import stacks
from agnograd.core.cotangent import Spec, fit
from agnograd.core.formulas import is_complex, nonzero
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import general, nondifferentiable
from agnograd.ops.linalg.matrices import (
    COMPLEX,
    COMPLEX_STACK,
    HERMITIAN,
    HERMITIAN_COMPLEX,
    HERMITIAN_STACK,
    REAL,
    SHAPES,
    STACK,
    TALL,
    WIDE_COMPLEX,
    adjoint,
    diagonal_of,
    hermitian,
    leading_cotangent,
    real_diagonal,
    total,
    unitary_tangent,
    with_diagonal,
)

Array = Any
Arrays = tuple[Array, ...]

# -- QR --------------------------------------------------------------------------------------------------------------


def _qr_vjp(xp: Any, g: Arrays, ans: Arrays) -> Array:
    gq, gr = g
    q, r = ans
    # The rows of a lazy array, whose number may be NaN, are then not fewer than its columns.
    count = min(r.shape[-1], q.shape[-2])
    gq = leading_cotangent(xp, q, gq, count, "the columns that mode='complete' adds")
    q, r = q[..., :count], r[..., :count, :]
    gr = None if gr is None else gr[..., :count, :]
    qh = adjoint(xp, q)
    square, beyond = r[..., :count], r[..., count:]
    back_beyond = None
    if r.shape[-1] > count:
        # R_2 = Q^H A_2 with A_2 = Q R_2
        if gr is None:
            back_beyond = xp.zeros_like(beyond)
        else:
            gr, g_beyond = gr[..., :count], gr[..., count:]
            back_beyond = xp.matmul(q, g_beyond)
            gq = total(gq, xp.matmul(xp.matmul(q, beyond), adjoint(xp, g_beyond)))
    # With C = dA R^-1, X = Q^H C: dQ = C - Q X + Q W, dR = (X - W) R, W the skew matrix with the lower triangle of X.
    n = total(None if gq is None else xp.matmul(qh, gq), None if gr is None else -xp.matmul(gr, adjoint(xp, square)))
    upper = xp.triu(n, k=1)
    inner = with_diagonal(xp, upper + adjoint(xp, upper), real_diagonal(xp, n))
    turned = xp.matmul(q, inner)
    back = -turned if gq is None else gq - turned
    back = adjoint(xp, xp.solve_triangular(square, adjoint(xp, back), upper=True))
    return back if back_beyond is None else xp.concat([back, back_beyond], axis=-1)


def _qr_jvp(xp: Any, t: Array, ans: Arrays) -> Arrays:
    q_all, r_all = ans
    count = min(r_all.shape[-1], q_all.shape[-2])
    q, r = q_all[..., :count], r_all[..., :count, :]
    square, beyond = r[..., :count], r[..., count:]
    columns = xp.matrix_transpose(t[..., :count])
    c = xp.matrix_transpose(xp.solve_triangular(xp.matrix_transpose(square), columns))
    x = xp.matmul(adjoint(xp, q), c)
    lower = xp.tril(x, k=-1)
    turn = lower - adjoint(xp, lower)
    if is_complex(xp, x):
        # The diagonal of R is real.
        turn = with_diagonal(xp, turn, diagonal_of(xp, x) - real_diagonal(xp, x))
    dq = c - xp.matmul(q, x - turn)
    dr = xp.matmul(x - turn, square)
    if r.shape[-1] > count:
        a_beyond = xp.matmul(q, beyond)
        t_beyond = t[..., count:]
        dr_beyond = xp.matmul(adjoint(xp, dq), a_beyond) + xp.matmul(adjoint(xp, q), t_beyond)
        dr = xp.concat([dr, dr_beyond], axis=-1)
    if r_all.shape[-2] > count:
        dr = xp.concat([dr, xp.zeros_like(r_all[..., count:, :])], axis=-2)
    return unitary_tangent(xp, q_all, dq), dr


def _qr_invariant(xp: Any, q: Array, r: Array) -> Arrays:
    """Signs and phases chosen so that the diagonal of R is positive; of the rest of Q the space that it spans."""
    count = min(q.shape[-2], r.shape[-1])
    along = diagonal_of(xp, r)
    phase = along / nonzero(xp, xp.astype(xp.abs(along), along.dtype))
    rest = q[..., count:]
    fixed = q[..., :count] * phase[..., None, :], xp.conj(phase)[..., :, None] * r[..., :count, :]
    return (*fixed, xp.matmul(rest, adjoint(xp, rest))) if rest.shape[-1] else fixed


_QR_SAMPLES = [*SHAPES, Sample((WIDE_COMPLEX,))]

qr: Op = general(
    "linalg.qr(x, /, *, mode='reduced')",
    batch=stacks,
    vjp={"x": _qr_vjp},
    jvp={"x": _qr_jvp},
    outputs=2,
    doc="A = Q R, of a matrix whose leading columns are independent",
    invariant=_qr_invariant,
    samples=[*_QR_SAMPLES, *(Sample(_QR_SAMPLES[i].arrays, {"mode": "complete"}) for i in (1, 2, 6))],
)

# -- Cholesky --------------------------------------------------------------------------------------------------------


def _half_diagonal(xp: Any, x: Array) -> Array:
    """The lower triangle with half of the diagonal, whose imaginary part is none of a factor's."""
    return with_diagonal(xp, xp.tril(x), 0.5 * real_diagonal(xp, x))


def _cholesky_vjp(xp: Any, g: Array, ans: Array, upper: bool) -> Array:
    return xp.cholesky_pullback(*(adjoint(xp, ans), adjoint(xp, g)) if upper else (ans, g))


def _cholesky_jvp(xp: Any, t: Array, ans: Array, upper: bool) -> Array:
    if upper:
        return adjoint(xp, _factor_tangent(xp, adjoint(xp, ans), t))
    return _factor_tangent(xp, ans, t)


def _factor_tangent(xp: Any, lower: Array, t: Array) -> Array:
    # L Phi(L^-1 dA L^-H)
    inner = xp.solve_triangular(lower, adjoint(xp, xp.solve_triangular(lower, hermitian(xp, t))))
    return xp.matmul(lower, _half_diagonal(xp, inner))


_CHOLESKY_SAMPLES = [
    Sample((HERMITIAN,)),
    Sample(([[1.5]],)),
    Sample((HERMITIAN_STACK,)),
    Sample((HERMITIAN_COMPLEX,)),
    Sample((Uniform(shape=(0, 2, 2)),)),
]

cholesky: Op = general(
    "linalg.cholesky(x, /, *, upper=False)",
    batch=stacks,
    vjp={"x": _cholesky_vjp},
    jvp={"x": _cholesky_jvp},
    doc="A = L L^H: dL = L Phi(L^-1 dA L^-H), Phi the lower triangle with half of the diagonal",
    domain=lambda xp, x: (hermitian(xp, x),),
    samples=[*_CHOLESKY_SAMPLES, *(Sample(s.arrays, {"upper": True}) for s in _CHOLESKY_SAMPLES)],
)


def _pullback(xp: Any, x1: Array, x2: Array, /) -> Array:
    lh = adjoint(xp, xp.tril(x1))
    inner = hermitian(xp, _half_diagonal(xp, xp.matmul(lh, xp.tril(x2))))
    return xp.solve_triangular(lh, adjoint(xp, xp.solve_triangular(lh, inner, upper=True)), upper=True)


def _pullback_factor_vjp(xp: Any, g: Array, x1: Array, x1_spec: Spec, x2: Array, ans: Array) -> Array:
    g = hermitian(xp, g)
    along = xp.matmul(x2, adjoint(xp, _factor_tangent(xp, xp.tril(x1), g))) - 2 * xp.matmul(ans, g)
    return fit(xp, xp.tril(adjoint(xp, xp.solve_triangular(x1, adjoint(xp, along)))), x1_spec)


def _pullback_factor_jvp(xp: Any, t: Array, x1: Array, x2: Array, ans: Array) -> Array:
    # W^H with W = dL L^-1
    turn = xp.solve_triangular(adjoint(xp, x1), adjoint(xp, xp.tril(t)), upper=True)
    change = xp.matmul(turn, ans)
    return xp.cholesky_pullback(x1, xp.matmul(turn, x2)) - (change + adjoint(xp, change))


def _pullback_cotangent_vjp(xp: Any, g: Array, x1: Array, x2_spec: Spec) -> Array:
    return fit(xp, _factor_tangent(xp, xp.tril(x1), g), x2_spec)


cholesky_pullback: Op = general(
    "cholesky_pullback(x1, x2, /)",
    batch=batched_products.solve,
    body=_pullback,
    vjp={"x1": _pullback_factor_vjp, "x2": _pullback_cotangent_vjp},
    jvp={"x1": _pullback_factor_jvp, "x2": lambda xp, t, x1: xp.cholesky_pullback(x1, t)},
    doc="the Hermitian part of L^-H Phi(L^H G) L^-1: the cotangent of A = L L^H, from G, that of L",
    samples=[
        Sample((REAL, Uniform(shape=(3, 3)))),
        Sample(([[1.5]], Uniform(shape=(1, 1)))),
        Sample((STACK, Uniform(shape=(2, 2)))),
        Sample((COMPLEX, Uniform(shape=(2, 2), kind="complex"))),
        Sample((COMPLEX_STACK, Uniform(shape=(2, 2, 2), kind="complex"))),
        Sample((Uniform(shape=(0, 2, 2)), Uniform(shape=(0, 2, 2)))),
    ],
)

# -- pseudo-inverse --------------------------------------------------------------------------------------------------


def _pinv_vjp(xp: Any, g: Array, x: Array, ans: Array) -> Array:
    ph, gh = adjoint(xp, ans), adjoint(xp, g)
    # I - A P and I - P A are Hermitian.
    left = xp.matmul(gh, xp.matmul(ans, ph))
    right = xp.matmul(xp.matmul(ph, ans), gh)
    return (
        left
        - xp.matmul(x, xp.matmul(ans, left))
        + right
        - xp.matmul(xp.matmul(right, ans), x)
        - xp.matmul(xp.matmul(ph, g), ph)
    )


def _pinv_jvp(xp: Any, t: Array, x: Array, ans: Array) -> Array:
    ph, th = adjoint(xp, ans), adjoint(xp, t)
    left = xp.matmul(xp.matmul(ans, ph), th)
    right = xp.matmul(th, xp.matmul(ph, ans))
    return (
        left
        - xp.matmul(xp.matmul(left, x), ans)
        + right
        - xp.matmul(ans, xp.matmul(x, right))
        - xp.matmul(xp.matmul(ans, t), ans)
    )


pinv: Op = general(
    "linalg.pinv(x, /, *, rtol=None)",
    batch=stacks,
    vjp={"x": _pinv_vjp},
    jvp={"x": _pinv_jvp},
    doc="P of A: dP = -P dA P + P P^H dA^H (I - A P) + (I - P A) dA^H P^H P, where the rank does not change",
    samples=[*SHAPES, Sample((TALL,), {"rtol": 1e-6})],
)

matrix_rank: Op = nondifferentiable(
    "linalg.matrix_rank(x, /, *, rtol=None)",
    batch=stacks,
    samples=[
        Sample((REAL,)),
        Sample(([[1.0, 2.0], [2.0, 4.0], [0.5, 1.0]],)),
        Sample(([[[1.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]],)),
        Sample((COMPLEX,)),
        Sample(([[1.0, 0.0], [0.0, 0.01]],), {"rtol": 0.1}),
    ],
)
