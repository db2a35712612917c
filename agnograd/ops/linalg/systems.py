"""Inverse, linear systems, powers and determinants.

Inverse and solution of a linear system after M. B. Giles, *Collected matrix derivative results for forward and reverse
mode algorithmic differentiation* (2008), sections 2.2.3 and 2.3.1, with conjugate transposes for complex arguments.
Nothing of a factorisation is kept: a rule solves again, so that it can itself be differentiated.
"""

from __future__ import annotations

from typing import Any

from agnograd.core import batched_products
from agnograd.core.batching import stacks
from agnograd.core.cotangent import Spec, fit
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, general
from agnograd.ops.linalg.matrices import COMPLEX, COMPLEX_STACK, REAL, STACK, adjoint, column_minus_row

Array = Any

# -- inverse and linear systems ----------------------------------------------------------------------------------------

inv: Op = general(
    "linalg.inv(x, /)",
    batch=stacks,
    vjp={"x": lambda xp, g, ans: -xp.matmul(xp.matmul(adjoint(xp, ans), g), adjoint(xp, ans))},
    jvp={"x": lambda xp, t, ans: -xp.matmul(xp.matmul(ans, t), ans)},
    doc="X = A^-1: dX = -X dA X",
    samples=[
        Sample((REAL,)),
        Sample(([[1.5]],)),
        Sample((STACK,)),
        Sample((COMPLEX,)),
        Sample((COMPLEX_STACK,)),
        Sample((Uniform(shape=(0, 2, 2)),)),
    ],
)


def _solve_columns(xp: Any, a: Array, b: Array, vectors: bool) -> Array:
    """The solution for a stack of matrices, or of vectors, which ``solve`` itself takes for matrices."""
    return xp.linalg.solve(a, b[..., None])[..., 0] if vectors else xp.linalg.solve(a, b)


def _solve_both(xp: Any, g: Array, x1: Array, x1_spec: Spec, x2_spec: Spec, ans: Array) -> tuple[Array, Array]:
    # B: A^-H G, and from it A: -A^-H G X^H.
    vector = len(x2_spec.shape) == 1
    w = _solve_columns(xp, adjoint(xp, x1), g, vector)
    columns, row = (w[..., None], xp.conj(ans)[..., None, :]) if vector else (w, adjoint(xp, ans))
    return fit(xp, -xp.matmul(columns, row), x1_spec), fit(xp, w, x2_spec)


def _solve_left_jvp(xp: Any, t: Array, x1: Array, x2_spec: Spec, ans: Array) -> Array:
    # -A^-1 dA X
    if len(x2_spec.shape) == 1:
        return -_solve_columns(xp, x1, xp.matmul(t, ans[..., None])[..., 0], True)
    return -xp.linalg.solve(x1, xp.matmul(t, ans))


def _solve_right(xp: Any, g: Array, x1: Array, x2_spec: Spec) -> Array:
    # A^-H G
    return fit(xp, _solve_columns(xp, adjoint(xp, x1), g, len(x2_spec.shape) == 1), x2_spec)


solve: Op = general(
    "linalg.solve(x1, x2, /)",
    batch=batched_products.solve,
    vjp={
        "x1": lambda xp, g, x1, x1_spec, x2_spec, ans: _solve_both(xp, g, x1, x1_spec, x2_spec, ans)[0],
        "x2": _solve_right,
    },
    jvp={"x1": _solve_left_jvp, "x2": lambda xp, t, x1: xp.linalg.solve(x1, t)},
    jointly=lambda xp, g, x1, x1_spec, x2_spec, ans, needs: _solve_both(xp, g, x1, x1_spec, x2_spec, ans),
    doc="X = A^-1 B: dX = A^-1 (dB - dA X); x2 is a vector only where it is one-dimensional",
    samples=[
        Sample((REAL, Uniform(shape=(3, 2)))),
        Sample((REAL, Uniform(shape=(3,)))),
        Sample(([[1.5]], Uniform(shape=(1, 1)))),
        Sample((STACK, Uniform(shape=(2, 2, 1)))),
        Sample((STACK, Uniform(shape=(2, 3)))),
        Sample((STACK, Uniform(shape=(2,)))),
        Sample((REAL, Uniform(shape=(2, 3, 1)))),
        Sample(([STACK], Uniform(shape=(3, 1, 2, 1)))),
        Sample((COMPLEX, Uniform(shape=(2, 3), kind="complex"))),
        Sample((COMPLEX_STACK, Uniform(shape=(2,), kind="complex"))),
        Sample((COMPLEX, Uniform(shape=(2,)))),
        Sample((STACK, Uniform(shape=(2, 1), kind="complex"))),
        Sample((Uniform(shape=(0, 2, 2)), Uniform(shape=(2, 1)))),
    ],
)

# -- triangular systems ------------------------------------------------------------------------------------------------


def _triangle(xp: Any, x: Array, upper: bool) -> Array:
    return xp.triu(x) if upper else xp.tril(x)


def _solve_triangular_left(xp: Any, g: Array, x1: Array, x1_spec: Spec, ans: Array, upper: bool) -> Array:
    # The triangle of -A^-H G X^H
    w = xp.solve_triangular(adjoint(xp, x1), g, upper=not upper)
    return fit(xp, _triangle(xp, -xp.matmul(w, adjoint(xp, ans)), upper), x1_spec)


solve_triangular: Op = general(
    "solve_triangular(x1, x2, /, *, upper=False)",
    batch=batched_products.solve,
    # What is above the diagonal, or below, is not zero in what a user may give.
    body=lambda xp, x1, x2, *, upper=False: xp.linalg.solve(_triangle(xp, x1, upper), x2),
    vjp={
        "x1": _solve_triangular_left,
        "x2": lambda xp, g, x1, x2_spec, upper: fit(
            xp, xp.solve_triangular(adjoint(xp, x1), g, upper=not upper), x2_spec
        ),
    },
    jvp={
        "x1": lambda xp, t, x1, ans, upper: (
            -xp.solve_triangular(x1, xp.matmul(_triangle(xp, t, upper), ans), upper=upper)
        ),
        "x2": lambda xp, t, x1, upper: xp.solve_triangular(x1, t, upper=upper),
    },
    doc="X = A^-1 B by substitution; nothing of A but a triangle is read",
    samples=[
        Sample((REAL, Uniform(shape=(3, 2)))),
        Sample((REAL, Uniform(shape=(3, 2))), {"upper": True}),
        Sample(([[1.5]], Uniform(shape=(1, 1)))),
        Sample((STACK, Uniform(shape=(2, 1)))),
        Sample((COMPLEX, Uniform(shape=(2, 3), kind="complex"))),
        Sample((COMPLEX_STACK, Uniform(shape=(2, 2, 1))), {"upper": True}),
        Sample((Uniform(shape=(0, 2, 2)), Uniform(shape=(2, 1)))),
    ],
)

# -- powers ------------------------------------------------------------------------------------------------------------


def _identity(xp: Any, x: Array) -> Array:
    """Identity matrices in the place of `x`, connected to it by a gradient of zero."""
    distance = column_minus_row(xp, x, x.shape)
    unit = xp.where(distance == 0, xp.ones_like(x), xp.zeros_like(x))
    return xp.where(distance > x.shape[-1], x, unit)


def _matrix_power(xp: Any, x: Array, n: int, /) -> Array:
    if x.shape[-1] != x.shape[-2]:
        msg = f"matrix_power needs square matrices, got the shape {tuple(x.shape)}"
        raise ValueError(msg)
    if n == 0:
        return _identity(xp, x)
    square = xp.linalg.inv(x) if n < 0 else x
    out = None
    n = abs(n)
    while n:
        if n & 1:
            out = square if out is None else xp.matmul(out, square)
        n >>= 1
        if n:
            square = xp.matmul(square, square)
    return xp.positive(out) if out is x else out


matrix_power: Op = composite(
    "linalg.matrix_power(x, n, /)",
    arrays=["x"],
    body=_matrix_power,
    doc="repeated squaring",
    samples=[
        *(Sample((REAL,), {"n": n}) for n in (3, 0, 1, 6, -2)),
        Sample(([[1.5]],), {"n": 4}),
        Sample((STACK,), {"n": 2}),
        Sample((COMPLEX,), {"n": 3}),
        Sample((COMPLEX_STACK,), {"n": -1}),
        Sample((COMPLEX_STACK,), {"n": 0}),
        Sample((Uniform(shape=(0, 2, 2)),), {"n": 2}),
    ],
)
