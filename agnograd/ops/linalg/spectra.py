"""Eigenvalues and singular values, and the vectors that belong to them.

Vectors are determined up to signs, or phases where they are complex, and an order within equal values. A function of
them has a gradient only if it does not depend on that choice. One of signs cannot be seen in a gradient; one that
depends on a phase is refused (see `agnograd.ops.utility.defined_where`). At equal values vectors have no derivative: it
is infinite or NaN, as in every library. Gradients of the values alone stay finite there.

Eigenvectors after M. B. Giles, *Collected matrix derivative results for forward and reverse mode algorithmic
differentiation* (2008), section 3; those of a complex general matrix, and singular vectors, after S.-X. Zhang et al.,
*Differentiable programming tensor networks* (2019), appendix. Hermitian matrices are read from one triangle; their
gradients are Hermitian, as if the function read ``(A + A^H) / 2``.
"""

from __future__ import annotations

from typing import Any

from agnograd.core.batching import stacks
from agnograd.core.formulas import is_complex
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, general
from agnograd.ops.linalg.matrices import (
    COMPLEX,
    COMPLEX_STACK,
    HERMITIAN,
    HERMITIAN_COMPLEX,
    HERMITIAN_STACK,
    REAL,
    SHAPES,
    STACK,
    adjoint,
    diagonal_matrix,
    diagonal_of,
    differences,
    hermitian,
    leading_cotangent,
    off_diagonal,
    over_values,
    phase_free,
    skew,
    total,
    unitary_tangent,
    weighted,
    with_diagonal,
)

Array = Any
Arrays = tuple[Array, ...]


# -- Hermitian matrices ----------------------------------------------------------------------------------------------


def _eigh_vjp(xp: Any, g: Arrays, ans: Arrays) -> Array:
    gw, gv = g
    w, v = ans
    along = None if gw is None else xp.astype(gw, v.dtype)
    if gv is None:
        return over_values(xp, v, along, adjoint(xp, v))
    m = xp.matmul(adjoint(xp, v), gv)
    if is_complex(xp, m):
        m = phase_free(xp, m, xp.imag(diagonal_of(xp, m))[..., None], [gv], "eigenvectors")
    inner = with_diagonal(xp, skew(xp, m) / differences(xp, w), 0 if along is None else along)
    return xp.matmul(xp.matmul(v, inner), adjoint(xp, v))


def _eigh_jvp(xp: Any, t: Array, ans: Arrays) -> Arrays:
    w, v = ans
    inner = xp.matmul(xp.matmul(adjoint(xp, v), hermitian(xp, t)), v)
    return xp.real(diagonal_of(xp, inner)) if is_complex(xp, inner) else diagonal_of(xp, inner), xp.matmul(
        v, off_diagonal(xp, inner) / differences(xp, w)
    )


def _eigvalsh_jvp(xp: Any, t: Array, x: Array) -> Array:
    return _eigh_jvp(xp, t, xp.linalg.eigh(x))[0]


_HERMITIAN_SAMPLES = [
    Sample((HERMITIAN,)),
    Sample(([[1.5]],)),
    Sample((HERMITIAN_STACK,)),
    Sample((HERMITIAN_COMPLEX,)),
    Sample((Uniform(shape=(0, 2, 2)),)),
]

eigh: Op = general(
    "linalg.eigh(x, /)",
    batch=stacks,
    vjp={"x": _eigh_vjp},
    jvp={"x": _eigh_jvp},
    outputs=2,
    doc="A = V diag(w) V^H: dw = diag(V^H dA V), dV = V (F o V^H dA V) with F_ij = 1 / (w_j - w_i)",
    domain=lambda xp, x: (hermitian(xp, x),),
    invariant=lambda xp, w, v: (w, weighted(xp, v, adjoint(xp, v))),
    samples=_HERMITIAN_SAMPLES,
)

eigvalsh: Op = general(
    "linalg.eigvalsh(x, /)",
    batch=stacks,
    vjp={"x": lambda xp, g, x: _eigh_vjp(xp, (g, None), xp.linalg.eigh(x))},
    jvp={"x": _eigvalsh_jvp},
    doc="dw = diag(V^H dA V), finite where eigenvalues are equal",
    domain=lambda xp, x: (hermitian(xp, x),),
    samples=_HERMITIAN_SAMPLES,
)

# -- general matrices ------------------------------------------------------------------------------------------------


def _eig_vjp(xp: Any, g: Arrays, ans: Arrays) -> Array:
    gw, gv = g
    w, v = ans
    vh = adjoint(xp, v)
    inner = None if gw is None else diagonal_matrix(xp, gw)
    if gv is not None:
        m = xp.matmul(vh, gv)
        along = diagonal_of(xp, m)
        m = phase_free(xp, m, xp.imag(along)[..., None], [gv], "eigenvectors")
        # Vectors have unit norm: what would change it is taken out.
        m = m - xp.matmul(vh, v) * xp.astype(xp.real(along), v.dtype)[..., None, :]
        inner = total(inner, off_diagonal(xp, m) / xp.conj(differences(xp, w)))
    return xp.linalg.solve(vh, xp.matmul(inner, vh))


def _eig_jvp(xp: Any, t: Array, ans: Arrays) -> Arrays:
    w, v = ans
    inner = xp.linalg.solve(v, xp.matmul(xp.astype(t, v.dtype), v))
    turn = xp.matmul(v, off_diagonal(xp, inner) / differences(xp, w))
    growth = xp.sum(xp.real(xp.conj(v) * turn), axis=-2, keepdims=True)
    return diagonal_of(xp, inner), turn - v * growth


eig: Op = general(
    "linalg.eig(x, /)",
    batch=stacks,
    vjp={"x": _eig_vjp},
    jvp={"x": _eig_jvp},
    outputs=2,
    doc="A V = V diag(w): dw = diag(V^-1 dA V), with vectors of unit norm",
    invariant=lambda xp, w, v: (
        xp.matmul(v * w[..., None, :], xp.linalg.inv(v)),
        xp.matmul(v * (w * w)[..., None, :], adjoint(xp, v)),
    ),
    samples=[
        Sample((REAL,)),
        Sample(([[1.0, 2.0], [-0.5, 1.5]],)),
        Sample(([[1.5]],)),
        Sample((STACK,)),
        Sample((COMPLEX,)),
        Sample((COMPLEX_STACK,)),
        Sample((Uniform(shape=(0, 2, 2)),)),
    ],
)

eigvals: Op = composite(
    "linalg.eigvals(x, /)",
    # The two functions of a library may give eigenvalues in two orders: gradients need the vectors, so one is asked.
    body=lambda xp, x: xp.linalg.eig(x)[0],
    doc="dw = diag(V^-1 dA V)",
    invariant=lambda xp, w: (xp.sum(w * w, axis=-1), xp.prod(w, axis=-1)),
    samples=eig.samples,
)

# -- singular values -------------------------------------------------------------------------------------------------


def _gaps(xp: Any, s: Array) -> Array:
    """``s_j^2 - s_i^2`` as a product, in which nothing cancels but what must, and 1 on the diagonal."""
    row, column = s[..., None, :], s[..., :, None]
    return with_diagonal(xp, (row - column) * (row + column), 1)


def _outside(xp: Any, columns: Array, x: Array) -> Array:
    """What of `x` is orthogonal to the columns."""
    return x - xp.matmul(columns, xp.matmul(adjoint(xp, columns), x))


def _svd_vjp(xp: Any, g: Arrays, ans: Arrays) -> Array:
    u, s, vh = ans
    gu, gs, gvh = g
    v = adjoint(xp, vh)
    count = s.shape[-1]
    gu = leading_cotangent(xp, u, gu, count, "singular vectors")
    gv = leading_cotangent(xp, v, None if gvh is None else adjoint(xp, gvh), count, "singular vectors")
    u, v = u[..., :count], v[..., :count]
    vh = adjoint(xp, v)
    along = None if gs is None else xp.astype(gs, u.dtype)
    if gu is None and gv is None:
        return over_values(xp, u, along, vh)
    row, column = s[..., None, :], s[..., :, None]
    turn_u = None if gu is None else xp.matmul(adjoint(xp, u), gu)
    turn_v = None if gv is None else xp.matmul(vh, gv)
    turned = total(
        None if turn_u is None else (turn_u - adjoint(xp, turn_u)) * row,
        None if turn_v is None else (turn_v - adjoint(xp, turn_v)) * column,
    )
    inner = with_diagonal(xp, turned / _gaps(xp, s), 0 if along is None else along)
    if is_complex(xp, u):
        turn_u, turn_v = [xp.zeros_like(inner) if m is None else m for m in (turn_u, turn_v)]
        phase_u, phase_v = [xp.imag(diagonal_of(xp, m)) for m in (turn_u, turn_v)]
        inner = phase_free(xp, inner, (phase_u + phase_v)[..., None], [g[0], g[2]], "singular vectors")
        inner = inner + 0.5j * xp.astype(diagonal_matrix(xp, (phase_u - phase_v) / s), u.dtype)
    back = xp.matmul(xp.matmul(u, inner), vh)
    if gu is not None and u.shape[-2] > count:
        back = total(back, xp.matmul(_outside(xp, u, gu) / row, vh))
    if gv is not None and v.shape[-2] > count:
        back = total(back, xp.matmul(u, adjoint(xp, _outside(xp, v, gv) / row)))
    return back


def _svd_jvp(xp: Any, t: Array, ans: Arrays) -> Arrays:
    u_all, s, vh_all = ans
    count = s.shape[-1]
    v_all = adjoint(xp, vh_all)
    u, v = u_all[..., :count], v_all[..., :count]
    row, column = s[..., None, :], s[..., :, None]
    gaps = _gaps(xp, s)
    tv, tu = xp.matmul(t, v), xp.matmul(adjoint(xp, t), u)
    inner = xp.matmul(adjoint(xp, u), tv)
    opposite = adjoint(xp, inner)
    turn_u = off_diagonal(xp, inner * row + column * opposite) / gaps
    turn_v = off_diagonal(xp, column * inner + opposite * row) / gaps
    ds = diagonal_of(xp, inner)
    if is_complex(xp, inner):
        # The phase between the two vectors is determined; each takes half.
        phase = 0.5j * xp.astype(diagonal_matrix(xp, xp.imag(ds) / s), inner.dtype)
        turn_u, turn_v, ds = turn_u + phase, turn_v - phase, xp.real(ds)
    du, dv = xp.matmul(u, turn_u), xp.matmul(v, turn_v)
    if u.shape[-2] > count:
        du = du + _outside(xp, u, tv) / row
    if v.shape[-2] > count:
        dv = dv + _outside(xp, v, tu) / row
    return unitary_tangent(xp, u_all, du), ds, adjoint(xp, unitary_tangent(xp, v_all, dv))


def _svd_invariant(xp: Any, u: Array, s: Array, vh: Array) -> Arrays:
    count = s.shape[-1]
    v = adjoint(xp, vh)
    rest = [x[..., count:] for x in (u, v)]
    return (
        s,
        weighted(xp, u[..., :count], vh[..., :count, :]),
        weighted(xp, u[..., :count], adjoint(xp, u[..., :count])),
        *[xp.matmul(x, adjoint(xp, x)) for x in rest if x.shape[-1]],
    )


svd: Op = general(
    "linalg.svd(x, /, *, full_matrices=True)",
    batch=stacks,
    vjp={"x": _svd_vjp},
    jvp={"x": _svd_jvp},
    outputs=3,
    doc="A = U diag(s) V^H: ds = Re diag(U^H dA V); the columns that a full matrix adds turn with the space they span",
    invariant=_svd_invariant,
    samples=[*SHAPES, *(Sample(sample.arrays, {"full_matrices": False}) for sample in SHAPES)],
)


def _thin(xp: Any, x: Array) -> Arrays:
    return tuple(xp.linalg.svd(x, full_matrices=False))


svdvals: Op = general(
    "linalg.svdvals(x, /)",
    batch=stacks,
    vjp={"x": lambda xp, g, x: _svd_vjp(xp, (None, g, None), _thin(xp, x))},
    jvp={"x": lambda xp, t, x: _svdvals_jvp(xp, t, x)},
    doc="ds = Re diag(U^H dA V), finite where singular values are equal or zero",
    samples=SHAPES,
)


def _svdvals_jvp(xp: Any, t: Array, x: Array) -> Array:
    u, _, vh = _thin(xp, x)
    ds = xp.sum(xp.conj(u) * xp.matmul(t, adjoint(xp, vh)), axis=-2)
    return xp.real(ds) if is_complex(xp, ds) else ds
