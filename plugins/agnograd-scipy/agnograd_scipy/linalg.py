"""Linear systems of matrices with a structure, and functions of matrices.

Systems after M. B. Giles, *Collected matrix derivative results for forward and reverse mode algorithmic
differentiation* (2008), with the structure kept. Sylvester's equation after T.-C. Kao and G. Hennequin, *Automatic
differentiation of Sylvester, Lyapunov, and algebraic Riccati equations* (2020). Functions of matrices after N. J.
Higham, *Functions of Matrices* (2008).

Stacks of matrices are taken everywhere and broadcast; a right-hand side is a vector only where it has one axis, as in
``linalg.solve``.
"""

from __future__ import annotations

from typing import Any

from agnograd.hookspecs import Sample, Spec, Uniform, composite, fit, general

from agnograd_scipy.matrices import (
    COMPLEX,
    EMPTY,
    REAL,
    STACK,
    adjoint,
    broadcast_stacks,
    columns,
    offsets,
    shifted,
    single,
    stacked_systems,
)

Array = Any

# -- triangular systems ------------------------------------------------------------------------------------------------

_TRANSPOSED = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}


def _transposed(xp: Any, x: Array, trans: Any) -> Array:
    kind = _TRANSPOSED[trans]
    return x if kind == 0 else xp.matrix_transpose(x) if kind == 1 else adjoint(xp, x)


def _triangle(xp: Any, a: Array, lower: bool, unit_diagonal: bool) -> Array:
    """What of a matrix is read, or depends on it: its triangle, without a diagonal that is taken to be one."""
    k = int(unit_diagonal)
    return xp.tril(a, k=-k) if lower else xp.triu(a, k=k)


def _solve_triangular(
    xp: Any, a: Array, b: Array, *, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False
) -> Array:
    m = _triangle(xp, a, lower, unit_diagonal)
    if unit_diagonal:
        m = xp.where(offsets(xp, a, a.shape[-1]) == 0, xp.ones_like(m), m)
    return xp.linalg.solve(_transposed(xp, m, trans), b)


def _triangular_adjoint(xp: Any, g: Array, a: Array, trans: Any, lower: bool, unit_diagonal: bool) -> Array:
    # op(A)^-H G, of columns
    kind = _TRANSPOSED[trans]
    solve = xp.scipy.linalg.solve_triangular
    if kind == 1:
        return xp.conj(solve(a, xp.conj(g), trans=0, lower=lower, unit_diagonal=unit_diagonal))
    return solve(a, g, trans=2 - kind, lower=lower, unit_diagonal=unit_diagonal)


def _triangular_both(
    xp: Any,
    g: Array,
    a: Array,
    a_spec: Spec,
    b_spec: Spec,
    ans: Array,
    trans: Any,
    lower: bool,
    unit_diagonal: bool,
) -> tuple[Array, Array]:
    # B: W = op(A)^-H G, and from it op(A): -W X^H, of which A's triangle is taken.
    vector = len(b_spec.shape) == 1
    w = _triangular_adjoint(xp, columns(g, vector), a, trans, lower, unit_diagonal)
    outer = -xp.matmul(w, adjoint(xp, columns(ans, vector)))
    return (
        fit(xp, _triangle(xp, _transposed(xp, outer, trans), lower, unit_diagonal), a_spec),
        fit(xp, single(w, vector), b_spec),
    )


def _triangular_right(xp: Any, g: Array, a: Array, b_spec: Spec, trans: Any, lower: bool, unit_diagonal: bool) -> Array:
    vector = len(b_spec.shape) == 1
    w = _triangular_adjoint(xp, columns(g, vector), a, trans, lower, unit_diagonal)
    return fit(xp, single(w, vector), b_spec)


def _triangular_jvp(
    xp: Any, t: Array, a: Array, b_spec: Spec, ans: Array, trans: Any, lower: bool, unit_diagonal: bool
) -> Array:
    # -op(A)^-1 op(dA) X
    vector = len(b_spec.shape) == 1
    moved = xp.matmul(_transposed(xp, _triangle(xp, t, lower, unit_diagonal), trans), columns(ans, vector))
    out = xp.scipy.linalg.solve_triangular(a, moved, trans=trans, lower=lower, unit_diagonal=unit_diagonal)
    return -single(out, vector)


solve_triangular = general(
    "scipy.linalg.solve_triangular(a, b, /, *, trans=0, lower=False, unit_diagonal=False)",
    body=_solve_triangular,
    batch=stacked_systems(2),
    vjp={
        "a": lambda xp, g, a, a_spec, b_spec, ans, trans, lower, unit_diagonal: _triangular_both(
            xp, g, a, a_spec, b_spec, ans, trans, lower, unit_diagonal
        )[0],
        "b": _triangular_right,
    },
    jvp={
        "a": _triangular_jvp,
        "b": lambda xp, t, a, trans, lower, unit_diagonal: xp.scipy.linalg.solve_triangular(
            a, t, trans=trans, lower=lower, unit_diagonal=unit_diagonal
        ),
    },
    jointly=lambda xp, g, a, a_spec, b_spec, ans, trans, lower, unit_diagonal, needs: _triangular_both(
        xp, g, a, a_spec, b_spec, ans, trans, lower, unit_diagonal
    ),
    doc="op(A) X = B with a triangle A: dX = op(A)^-1 (dB - op(dA) X)",
    samples=[
        Sample((REAL, Uniform(shape=(3, 2)))),
        Sample((REAL, Uniform(shape=(3,))), {"lower": True}),
        Sample((REAL, Uniform(shape=(3, 1))), {"trans": 1}),
        Sample((REAL, Uniform(shape=(3,))), {"trans": "T", "lower": True, "unit_diagonal": True}),
        Sample((STACK, Uniform(shape=(2, 2, 1))), {"unit_diagonal": True}),
        Sample((STACK, Uniform(shape=(2,)))),
        Sample((STACK, Uniform(shape=(2, 3))), {"lower": True}),
        Sample((REAL, Uniform(shape=(2, 3, 1)))),
        Sample((COMPLEX, Uniform(shape=(2, 3), kind="complex"))),
        Sample((COMPLEX, Uniform(shape=(2,), kind="complex")), {"trans": 1}),
        Sample((COMPLEX, Uniform(shape=(2, 1), kind="complex")), {"trans": "C", "lower": True}),
        Sample((COMPLEX, Uniform(shape=(2,))), {"trans": 2}),
        Sample((EMPTY, Uniform(shape=(2, 1)))),
    ],
)


def _cho_solve(xp: Any, c: Array, b: Array, /, *, lower: bool = False) -> Array:
    solve = xp.scipy.linalg.solve_triangular
    first, second = (0, 2) if lower else (2, 0)
    return solve(c, solve(c, b, trans=first, lower=lower), trans=second, lower=lower)


cho_solve = composite(
    "scipy.linalg.cho_solve(c, b, /, *, lower=False)",
    body=_cho_solve,
    doc="A X = B by the Cholesky factor of A: L L^H, or C^H C",
    samples=[
        Sample((REAL, Uniform(shape=(3, 2)))),
        Sample((REAL, Uniform(shape=(3,))), {"lower": True}),
        Sample((STACK, Uniform(shape=(2, 2, 1))), {"lower": True}),
        Sample((COMPLEX, Uniform(shape=(2, 1), kind="complex"))),
    ],
)

# -- banded systems ----------------------------------------------------------------------------------------------------
# ab[u + i - j, j] is the element in row i and column j: row r of `ab` is the diagonal of offset u - r.


def _solve_banded(xp: Any, ab: Array, b: Array, *, l_and_u: tuple[int, int]) -> Array:
    distance = offsets(xp, ab, ab.shape[-1])
    m = None
    for r in range(sum(l_and_u) + 1):
        diagonal = xp.where(distance == l_and_u[1] - r, ab[..., r, None, :], 0)
        m = diagonal if m is None else m + diagonal
    return xp.linalg.solve(m, b)


def _banded_product(xp: Any, ab: Array, x: Array, l_and_u: tuple[int, int]) -> Array:
    # (A X)_i = sum_r ab[r, j] X_j with j = i + u - r
    total = None
    for r in range(sum(l_and_u) + 1):
        term = shifted(xp, ab[..., r, :, None] * x, l_and_u[1] - r, -2)
        total = term if total is None else total + term
    return total


def _banded_outer(xp: Any, w: Array, x: Array, l_and_u: tuple[int, int]) -> Array:
    # ab[r, j]: (W X^H)_ij with i = j + r - u
    rows = [xp.sum(shifted(xp, w, r - l_and_u[1], -2) * xp.conj(x), axis=-1) for r in range(sum(l_and_u) + 1)]
    return xp.stack(rows, axis=-2)


def _banded_adjoint(xp: Any, ab: Array, l_and_u: tuple[int, int]) -> Array:
    # The diagonals of A^H, which has u below the main one and l above it.
    last = sum(l_and_u)
    rows = [xp.conj(shifted(xp, ab[..., last - r, :], r - l_and_u[0], -1)) for r in range(last + 1)]
    return xp.stack(rows, axis=-2)


def _banded_solved(xp: Any, g: Array, ab: Array, l_and_u: tuple[int, int]) -> Array:
    return xp.scipy.linalg.solve_banded(_banded_adjoint(xp, ab, l_and_u), g, l_and_u=(l_and_u[1], l_and_u[0]))


def _banded_both(
    xp: Any, g: Array, ab: Array, ab_spec: Spec, b_spec: Spec, ans: Array, l_and_u: tuple[int, int]
) -> tuple[Array, Array]:
    vector = len(b_spec.shape) == 1
    w = _banded_solved(xp, columns(g, vector), ab, l_and_u)
    outer = -_banded_outer(xp, w, columns(ans, vector), l_and_u)
    return fit(xp, outer, ab_spec), fit(xp, single(w, vector), b_spec)


def _banded_right(xp: Any, g: Array, ab: Array, b_spec: Spec, l_and_u: tuple[int, int]) -> Array:
    vector = len(b_spec.shape) == 1
    return fit(xp, single(_banded_solved(xp, columns(g, vector), ab, l_and_u), vector), b_spec)


def _banded_jvp(xp: Any, t: Array, ab: Array, b_spec: Spec, ans: Array, l_and_u: tuple[int, int]) -> Array:
    vector = len(b_spec.shape) == 1
    moved = _banded_product(xp, t, columns(ans, vector), l_and_u)
    return -single(xp.scipy.linalg.solve_banded(ab, moved, l_and_u=l_and_u), vector)


_TRIDIAGONAL = [[0.0, 0.5, -0.4, 0.3], [2.0, 1.7, 2.2, 1.9], [0.3, -0.6, 0.2, 0.0]]
_LOWER = [[2.0, 1.7, 2.2], [0.3, -0.6, 0.0], [0.2, 0.0, 0.0]]
_COMPLEX_BANDS = [[0.0, 0.5 + 0.1j, -0.4j], [2.0 + 1j, 1.7, 2.2 - 0.3j]]

solve_banded = general(
    "scipy.linalg.solve_banded(ab, b, /, l_and_u)",
    body=_solve_banded,
    batch=stacked_systems(2),
    vjp={
        "ab": lambda xp, g, ab, ab_spec, b_spec, ans, l_and_u: _banded_both(xp, g, ab, ab_spec, b_spec, ans, l_and_u)[
            0
        ],
        "b": _banded_right,
    },
    jvp={
        "ab": _banded_jvp,
        "b": lambda xp, t, ab, l_and_u: xp.scipy.linalg.solve_banded(ab, t, l_and_u=l_and_u),
    },
    jointly=lambda xp, g, ab, ab_spec, b_spec, ans, l_and_u, needs: _banded_both(
        xp, g, ab, ab_spec, b_spec, ans, l_and_u
    ),
    doc="A X = B with the diagonals ab[u + i - j, j] = A[i, j]: dX = A^-1 (dB - dA X), on the diagonals alone",
    samples=[
        Sample((_TRIDIAGONAL, Uniform(shape=(4,))), {"l_and_u": (1, 1)}),
        Sample((_TRIDIAGONAL, Uniform(shape=(4, 2))), {"l_and_u": (1, 1)}),
        Sample((_LOWER, Uniform(shape=(3, 1))), {"l_and_u": (2, 0)}),
        Sample(([_LOWER, _LOWER], Uniform(shape=(3,))), {"l_and_u": (2, 0)}),
        Sample(([_TRIDIAGONAL, _TRIDIAGONAL], Uniform(shape=(4, 2))), {"l_and_u": (1, 1)}),
        Sample((_COMPLEX_BANDS, Uniform(shape=(3, 2), kind="complex")), {"l_and_u": (0, 1)}),
    ],
)

# -- Sylvester's equation ----------------------------------------------------------------------------------------------


def _solve_sylvester(xp: Any, a: Array, b: Array, q: Array) -> Array:
    # (A x 1 + 1 x B^T) vec(X) = vec(Q) with rows one after the other
    m, n = a.shape[-1], b.shape[-1]
    eye_m = xp.astype(offsets(xp, a, m) == 0, a.dtype)
    eye_n = xp.astype(offsets(xp, b, n) == 0, b.dtype)
    left = a[..., :, None, :, None] * eye_n[:, None, :]
    right = eye_m[:, None, :, None] * xp.matrix_transpose(b)[..., None, :, None, :]
    system = left + right
    system = xp.reshape(system, (*system.shape[:-4], m * n, m * n))
    out = xp.linalg.solve(system, xp.reshape(q, (*q.shape[:-2], m * n, 1)))
    return xp.reshape(out, (*out.shape[:-2], m, n))


def _sylvester_all(
    xp: Any, g: Array, a: Array, b: Array, a_spec: Spec, b_spec: Spec, q_spec: Spec, ans: Array
) -> tuple[Array, Array, Array]:
    # Q: W with A^H W + W B^H = G; A: -W X^H; B: -X^H W.
    w = xp.scipy.linalg.solve_sylvester(adjoint(xp, a), adjoint(xp, b), g)
    x = adjoint(xp, ans)
    return fit(xp, -xp.matmul(w, x), a_spec), fit(xp, -xp.matmul(x, w), b_spec), fit(xp, w, q_spec)


solve_sylvester = general(
    "scipy.linalg.solve_sylvester(a, b, q, /)",
    body=_solve_sylvester,
    batch=broadcast_stacks,
    vjp={
        "a": lambda xp, g, a, b, a_spec, b_spec, q_spec, ans: _sylvester_all(xp, g, a, b, a_spec, b_spec, q_spec, ans)[
            0
        ],
        "b": lambda xp, g, a, b, a_spec, b_spec, q_spec, ans: _sylvester_all(xp, g, a, b, a_spec, b_spec, q_spec, ans)[
            1
        ],
        "q": lambda xp, g, a, b, q_spec: fit(
            xp, xp.scipy.linalg.solve_sylvester(adjoint(xp, a), adjoint(xp, b), g), q_spec
        ),
    },
    jvp={
        "a": lambda xp, t, a, b, ans: -xp.scipy.linalg.solve_sylvester(a, b, xp.matmul(t, ans)),
        "b": lambda xp, t, a, b, ans: -xp.scipy.linalg.solve_sylvester(a, b, xp.matmul(ans, t)),
        "q": lambda xp, t, a, b: xp.scipy.linalg.solve_sylvester(a, b, t),
    },
    jointly=lambda xp, g, a, b, a_spec, b_spec, q_spec, ans, needs: [
        _sylvester_all(xp, g, a, b, a_spec, b_spec, q_spec, ans)[i] for i in needs
    ],
    doc="A X + X B = Q: A dX + dX B = dQ - dA X - X dB",
    samples=[
        Sample((REAL, [[1.7, 0.4], [-0.3, 1.1]], Uniform(shape=(3, 2)))),
        Sample((STACK, STACK, Uniform(shape=(2, 2, 2)))),
        Sample((STACK, [[1.5]], Uniform(shape=(2, 1)))),
        Sample((COMPLEX, COMPLEX, Uniform(shape=(2, 2), kind="complex"))),
        Sample((COMPLEX, [[1.5]], Uniform(shape=(2, 1)))),
        Sample((EMPTY, Uniform(shape=(2, 2)), Uniform(shape=(2, 2)))),
    ],
)

solve_continuous_lyapunov = composite(
    "scipy.linalg.solve_continuous_lyapunov(a, q, /)",
    body=lambda xp, a, q: xp.scipy.linalg.solve_sylvester(a, adjoint(xp, a), q),
    doc="A X + X A^H = Q",
    samples=[
        Sample((REAL, Uniform(shape=(3, 3)))),
        Sample((COMPLEX, Uniform(shape=(2, 2), kind="complex"))),
    ],
)


# -- functions of matrices ---------------------------------------------------------------------------------------------

# Coefficients of the diagonal Pade approximant of degree 13 to the exponential, and up to what norm it is good in
# double precision: Higham (2008), equation (10.33) and table 10.2.
_PADE = (
    *(64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600),
    *(670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1),
)
_GOOD_NORM = 5.371920351148152
# Enough for norms up to three hundred thousand, whose exponential is no number any more unless it is a small one.
_SQUARINGS = 16


def _expm(xp: Any, a: Array) -> Array:
    # Scaling and squaring, Higham (2008), algorithm 10.20, without a branch: all squarings run, and some are dropped.
    norm = xp.max(xp.sum(xp.abs(a), axis=-2), axis=-1) if a.shape[-1] else xp.sum(xp.abs(a), axis=(-2, -1))
    count = xp.ceil(xp.log2(xp.maximum(norm / _GOOD_NORM, xp.ones_like(norm))))[..., None, None]
    x = a * xp.astype(2.0 ** (-count), a.dtype)
    one = xp.astype(offsets(xp, a, a.shape[-1]) == 0, a.dtype)
    b = [float(c) for c in _PADE]
    x2 = xp.matmul(x, x)
    x4 = xp.matmul(x2, x2)
    x6 = xp.matmul(x4, x2)
    odd = xp.matmul(x6, b[13] * x6 + b[11] * x4 + b[9] * x2) + b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * one
    odd = xp.matmul(x, odd)
    even = xp.matmul(x6, b[12] * x6 + b[10] * x4 + b[8] * x2) + b[6] * x6 + b[4] * x4 + b[2] * x2 + b[0] * one
    out = xp.linalg.solve(even - odd, even + odd)
    for k in range(_SQUARINGS):
        # What is not squared any more is not, lest it overflow.
        again = count > k
        root = xp.where(again, out, one)
        out = xp.where(again, xp.matmul(root, root), out)
    # Beyond that the result would be that of another matrix.
    return xp.where(count > _SQUARINGS, xp.full_like(out, float("nan")), out)


def _expm_frechet(xp: Any, a: Array, e: Array) -> Array:
    # exp([[A, E], [0, A]]) = [[exp(A), L(A, E)], [0, exp(A)]], Higham (2008), section 3.2.
    n = a.shape[-1]
    upper = xp.concat([a, e], axis=-1)
    lower = xp.concat([xp.zeros_like(a), a], axis=-1)
    return xp.scipy.linalg.expm(xp.concat([upper, lower], axis=-2))[..., :n, n:]


expm = general(
    "scipy.linalg.expm(a, /)",
    body=_expm,
    batch=broadcast_stacks,
    # The adjoint of the Frechet derivative in A is that in A^H: Higham (2008), section 3.3.
    vjp={"a": lambda xp, g, a: _expm_frechet(xp, adjoint(xp, a), g)},
    jvp={"a": lambda xp, t, a: _expm_frechet(xp, a, t)},
    doc="exp(A): the Frechet derivative L(A, dA) from the exponential of a matrix of blocks",
    samples=[
        Sample((Uniform(-1.0, 1.0, (3, 3)),)),
        Sample(([[1.5]],)),
        Sample((STACK,)),
        Sample((COMPLEX,)),
        Sample((Uniform(-6.0, 6.0, (3, 3)),)),
        Sample(([[0.0, 0.0], [0.0, 0.0]],)),
        Sample((EMPTY,)),
    ],
)

expm_frechet = composite(
    "scipy.linalg.expm_frechet(a, e, /)",
    body=_expm_frechet,
    doc="L(A, E), the derivative of exp(A) in the direction E",
    samples=[
        Sample((Uniform(-1.0, 1.0, (3, 3)), Uniform(-1.0, 1.0, (3, 3)))),
        Sample((COMPLEX, Uniform(shape=(2, 2), kind="complex"))),
    ],
)

# Newton's iteration converges quadratically from where it is near, and scaling brings it there in a few steps.
_ITERATIONS = 20


def _sqrtm(xp: Any, a: Array) -> Array:
    # The product form of Denman and Beavers' iteration with scaling by determinants: Higham (2008), section 6.3, in
    # equations (6.28) and (6.29).
    n = a.shape[-1]
    one = xp.astype(offsets(xp, a, n) == 0, a.dtype)
    x = m = a
    for k in range(_ITERATIONS):
        if k < _ITERATIONS // 2 and n:
            mu = xp.exp(xp.linalg.slogdet(m)[1] * (-0.5 / n))[..., None, None]
            factor = xp.astype(mu, a.dtype)
            x, m = factor * x, factor * factor * m
        inverse = xp.linalg.inv(m)
        x = 0.5 * xp.matmul(x, one + inverse)
        m = 0.5 * (one + 0.5 * (m + inverse))
    # Where an eigenvalue is on the negative real axis nothing converges: there is no number, and no wrong one.
    error, size = [xp.sum(xp.abs(y), axis=(-2, -1), keepdims=True) for y in (xp.matmul(x, x) - a, x)]
    return xp.where(error <= 1e-4 * size * size, x, xp.full_like(x, float("nan")))


def _sqrtm_rule(xp: Any, t: Array, root: Array) -> Array:
    return xp.scipy.linalg.solve_sylvester(root, root, t)


sqrtm = general(
    "scipy.linalg.sqrtm(a, /)",
    body=_sqrtm,
    batch=broadcast_stacks,
    vjp={"a": lambda xp, g, ans: _sqrtm_rule(xp, g, adjoint(xp, ans))},
    jvp={"a": lambda xp, t, ans: _sqrtm_rule(xp, t, ans)},
    doc="the principal square root: X dX + dX X = dA",
    samples=[
        Sample((REAL,)),
        Sample(([[1.5]],)),
        Sample((STACK,)),
        Sample((COMPLEX,)),
        Sample(([[4.0, 3.0], [0.0, 0.1]],)),
        Sample((EMPTY,)),
    ],
)
