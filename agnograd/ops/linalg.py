"""The linear algebra extension, ``xp.linalg``.

Inverse and solution of a linear system after M. B. Giles, *Collected matrix derivative results for forward and reverse
mode algorithmic differentiation* (2008), sections 2.2.3 and 2.3.1, with conjugate transposes for complex arguments.
Nothing of a factorisation is kept: a rule solves again, so that it can itself be differentiated.
"""

from __future__ import annotations

from typing import Any

from agnograd.core.cotangent import Spec, fit
from agnograd.core.formulas import Axis, axes_of, edge, is_complex, keepdims_of, nonzero, sign
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, general, linear

Array = Any


def _adjoint(xp: Any, x: Array) -> Array:
    return xp.conj(xp.matrix_transpose(x))


def _column_minus_row(xp: Any, x: Array, shape: tuple[int, ...]) -> Array:
    """``j - i`` for each place of a matrix, on the device of `x`."""
    *_, m, n = shape
    device = xp.device(x)
    return xp.arange(n, device=device)[None, :] - xp.arange(m, device=device)[:, None]


# -- diagonals ---------------------------------------------------------------------------------------------------------


def _filled_up(xp: Any, x: Array, size: int) -> Array:
    """The last axis filled up to a size with zeros."""
    have = x.shape[-1]
    if have == size:
        return x
    zeros = xp.zeros((*x.shape[:-1], size - have), dtype=x.dtype, device=xp.device(x))
    return xp.concat([x, zeros], axis=-1)


def _diagonal_back(xp: Any, g: Array, x_spec: Spec, offset: int) -> Array:
    *_, m, n = x_spec.shape
    on_diagonal = _column_minus_row(xp, g, x_spec.shape) == offset
    # The k-th element is in row k of a diagonal above the main one, in column k of one below.
    spread = _filled_up(xp, g, m)[..., :, None] if offset >= 0 else _filled_up(xp, g, n)[..., None, :]
    return xp.where(on_diagonal, spread, 0)


def _trace(xp: Any, x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    return xp.sum(xp.linalg.diagonal(x, offset=offset), axis=-1, dtype=dtype)


_DIAGONALS = [
    Sample((Uniform(shape=(3, 3)),)),
    Sample((Uniform(shape=(2, 3)),), {"offset": 1}),
    Sample((Uniform(shape=(3, 2)),), {"offset": -1}),
    Sample((Uniform(shape=(2, 4)),), {"offset": 3}),
    Sample((Uniform(shape=(4, 2)),), {"offset": -2}),
    Sample((Uniform(shape=(2, 3, 2)),)),
    Sample((Uniform(shape=(1, 1)),)),
    Sample((Uniform(shape=(2, 2, 3), kind="complex"),), {"offset": 1}),
]

diagonal = linear(
    "linalg.diagonal(x, /, *, offset=0)",
    x=_diagonal_back,
    samples=[*_DIAGONALS, Sample((Uniform(shape=(0, 2, 2)),)), Sample((Uniform(shape=(2, 3)),), {"offset": 4})],
)
trace = composite(
    "linalg.trace(x, /, *, offset=0, dtype=None)",
    body=_trace,
    doc="sum of a diagonal",
    samples=[*_DIAGONALS, Sample((Uniform(shape=(3, 3)),), {"dtype": "float64"})],
)

# -- products ----------------------------------------------------------------------------------------------------------

outer = linear(
    "linalg.outer(x1, x2, /)",
    # out = a b^T, without conjugation
    x1=lambda xp, g, x1_spec, x2: fit(xp, xp.matmul(g, xp.conj(x2)), x1_spec),
    x2=lambda xp, g, x1, x2_spec: fit(xp, xp.matmul(xp.conj(x1), g), x2_spec),
    samples=[
        Sample((Uniform(shape=(2,)), Uniform(shape=(3,)))),
        Sample((Uniform(shape=(1,)), Uniform(shape=(1,)))),
        Sample((Uniform(shape=(0,)), Uniform(shape=(3,)))),
        Sample((Uniform(shape=(2,), kind="complex"), Uniform(shape=(3,), kind="complex"))),
        Sample((Uniform(shape=(2,)), Uniform(shape=(3,), kind="complex"))),
    ],
)


def _cross_back(xp: Any, a: Array, b: Array, spec: Spec, axis: int) -> Array:
    if axis < 0:
        return fit(xp, xp.linalg.cross(a, b, axis=axis), spec)
    # Not the standard's, but backends take it for the axis of each array: of two ranks, the others broadcast.
    moved = spec._replace(shape=(*spec.shape[:axis], *spec.shape[axis + 1 :], spec.shape[axis]))
    return xp.moveaxis(_cross_back(xp, xp.moveaxis(a, axis, -1), xp.moveaxis(b, axis, -1), moved, -1), -1, axis)


cross = linear(
    "linalg.cross(x1, x2, /, *, axis=-1)",
    # g . (t x b) = t . (b x g) and g . (a x t) = t . (g x a)
    x1=lambda xp, g, x1_spec, x2, axis: _cross_back(xp, xp.conj(x2), g, x1_spec, axis),
    x2=lambda xp, g, x1, x2_spec, axis: _cross_back(xp, g, xp.conj(x1), x2_spec, axis),
    samples=[
        Sample((Uniform(shape=(3,)), Uniform(shape=(3,)))),
        Sample((Uniform(shape=(2, 3)), Uniform(shape=(3,)))),
        Sample((Uniform(shape=(2, 1, 3)), Uniform(shape=(2, 3)))),
        Sample((Uniform(shape=(3, 2)), Uniform(shape=(3, 1))), {"axis": -2}),
        Sample((Uniform(shape=(3, 2)), Uniform(shape=(3, 2))), {"axis": -2}),
        Sample((Uniform(shape=(0, 3)), Uniform(shape=(3,)))),
        Sample((Uniform(shape=(2, 3), kind="complex"), Uniform(shape=(3,), kind="complex"))),
        Sample((Uniform(shape=(3,)), Uniform(shape=(2, 3), kind="complex"))),
    ],
)

# -- inverse and linear systems ----------------------------------------------------------------------------------------

_REAL = [[2.0, -0.5, 0.25], [0.5, 1.5, -0.75], [-0.25, 0.5, 1.25]]
_COMPLEX = [[1.5 + 0.5j, -0.5j], [0.25 + 0.25j, 1.0 - 0.75j]]
_STACK = [[[1.5, 0.5], [-0.25, 1.0]], [[0.75, -0.5], [0.5, -1.25]]]
_COMPLEX_STACK = [_COMPLEX, [[0.75 - 0.5j, 0.5], [0.25j, -1.25 + 0.25j]]]

inv = general(
    "linalg.inv(x, /)",
    vjp={"x": lambda xp, g, ans: -xp.matmul(xp.matmul(_adjoint(xp, ans), g), _adjoint(xp, ans))},
    jvp={"x": lambda xp, t, ans: -xp.matmul(xp.matmul(ans, t), ans)},
    doc="X = A^-1: dX = -X dA X",
    samples=[
        Sample((_REAL,)),
        Sample(([[1.5]],)),
        Sample((_STACK,)),
        Sample((_COMPLEX,)),
        Sample((_COMPLEX_STACK,)),
        Sample((Uniform(shape=(0, 2, 2)),)),
    ],
)


def _solve_columns(xp: Any, a: Array, b: Array, vectors: bool) -> Array:
    """The solution for a stack of matrices, or of vectors, which ``solve`` itself takes for matrices."""
    return xp.linalg.solve(a, b[..., None])[..., 0] if vectors else xp.linalg.solve(a, b)


def _solve_left(xp: Any, g: Array, x1: Array, x2_spec: Spec, ans: Array) -> Array:
    # -A^-H G X^H
    if len(x2_spec.shape) == 1:
        w = _solve_columns(xp, _adjoint(xp, x1), g, True)
        return -w[..., :, None] * xp.conj(ans)[..., None, :]
    return -xp.matmul(xp.linalg.solve(_adjoint(xp, x1), g), _adjoint(xp, ans))


def _solve_left_jvp(xp: Any, t: Array, x1: Array, x2_spec: Spec, ans: Array) -> Array:
    # -A^-1 dA X
    if len(x2_spec.shape) == 1:
        return -_solve_columns(xp, x1, xp.matmul(t, ans[..., None])[..., 0], True)
    return -xp.linalg.solve(x1, xp.matmul(t, ans))


def _solve_right(xp: Any, g: Array, x1: Array, x2_spec: Spec) -> Array:
    # A^-H G
    return fit(xp, _solve_columns(xp, _adjoint(xp, x1), g, len(x2_spec.shape) == 1), x2_spec)


solve = general(
    "linalg.solve(x1, x2, /)",
    vjp={
        "x1": lambda xp, g, x1, x1_spec, x2_spec, ans: fit(xp, _solve_left(xp, g, x1, x2_spec, ans), x1_spec),
        "x2": _solve_right,
    },
    jvp={"x1": _solve_left_jvp, "x2": lambda xp, t, x1: xp.linalg.solve(x1, t)},
    doc="X = A^-1 B: dX = A^-1 (dB - dA X); x2 is a vector only where it is one-dimensional",
    samples=[
        Sample((_REAL, Uniform(shape=(3, 2)))),
        Sample((_REAL, Uniform(shape=(3,)))),
        Sample(([[1.5]], Uniform(shape=(1, 1)))),
        Sample((_STACK, Uniform(shape=(2, 2, 1)))),
        Sample((_STACK, Uniform(shape=(2, 3)))),
        Sample((_STACK, Uniform(shape=(2,)))),
        Sample((_REAL, Uniform(shape=(2, 3, 1)))),
        Sample(([_STACK], Uniform(shape=(3, 1, 2, 1)))),
        Sample((_COMPLEX, Uniform(shape=(2, 3), kind="complex"))),
        Sample((_COMPLEX_STACK, Uniform(shape=(2,), kind="complex"))),
        Sample((_COMPLEX, Uniform(shape=(2,)))),
        Sample((_STACK, Uniform(shape=(2, 1), kind="complex"))),
        Sample((Uniform(shape=(0, 2, 2)), Uniform(shape=(2, 1)))),
    ],
)

# -- powers ------------------------------------------------------------------------------------------------------------


def _identity(xp: Any, x: Array) -> Array:
    """Identity matrices in the place of `x`, connected to it by a gradient of zero."""
    distance = _column_minus_row(xp, x, x.shape)
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


matrix_power = composite(
    "linalg.matrix_power(x, n, /)",
    arrays=["x"],
    body=_matrix_power,
    doc="repeated squaring",
    samples=[
        *(Sample((_REAL,), {"n": n}) for n in (3, 0, 1, 6, -2)),
        Sample(([[1.5]],), {"n": 4}),
        Sample((_STACK,), {"n": 2}),
        Sample((_COMPLEX,), {"n": 3}),
        Sample((_COMPLEX_STACK,), {"n": -1}),
        Sample((_COMPLEX_STACK,), {"n": 0}),
        Sample((Uniform(shape=(0, 2, 2)),), {"n": 2}),
    ],
)

# -- norms -------------------------------------------------------------------------------------------------------------


def _vector_norm(xp: Any, x: Array, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Array:
    over: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    if ord == 2:
        return xp.sqrt(xp.sum(xp.real(xp.conj(x) * x) if is_complex(xp, x) else x * x, **over))
    size = xp.abs(x)
    if ord == float("inf"):
        return xp.max(size, **over)
    if ord == -float("inf"):
        return xp.min(size, **over)
    if ord == 0:
        return xp.sum(xp.astype(x != 0, size.dtype), **over)
    if ord == 1:
        return xp.sum(size, **over)
    return xp.sum(size**ord, **over) ** (1 / ord)


def _vector_norm_gradient(xp: Any, x: Array, ans: Array, axis: Axis, ord: float) -> Array:
    """The gradient of a norm; 0 at zeros of `x`, in even shares where several elements attain the extremum."""
    norm = keepdims_of(xp, ans, x.shape, axis)
    if ord == 2:
        return x / nonzero(xp, norm)
    if ord == 1:
        return sign(xp, x)
    if ord == 0:
        return xp.zeros_like(x)
    size = xp.abs(x)
    if ord in (float("inf"), -float("inf")):
        attained = xp.astype(size == norm, size.dtype)
        return sign(xp, x) * (attained / xp.sum(attained, axis=axes_of(axis, len(x.shape)), keepdims=True))
    # x / |x| (|x| / norm)^(p - 1); with negative p the norm may be 0 where elements are not.
    ratio = nonzero(xp, size) / nonzero(xp, norm)
    return sign(xp, x) * xp.where((x == 0) | (norm == 0), 0, ratio ** (ord - 1))


def _vector_norm_vjp(xp: Any, g: Array, x: Array, ans: Array, axis: Axis, ord: float) -> Array:
    return keepdims_of(xp, g, x.shape, axis) * _vector_norm_gradient(xp, x, ans, axis, ord)


def _vector_norm_jvp(xp: Any, t: Array, x: Array, ans: Array, axis: Axis, keepdims: bool, ord: float) -> Array:
    gradient = _vector_norm_gradient(xp, x, ans, axis, ord)
    terms = xp.real(xp.conj(gradient) * t) if is_complex(xp, x) else gradient * t
    return xp.sum(terms, axis=axis, keepdims=keepdims)


_INF = float("inf")
_ORDERS: tuple[float, ...] = (1, _INF, -_INF, 0, 3, 1.5, 0.5, -1)

vector_norm = general(
    "linalg.vector_norm(x, /, *, axis=None, keepdims=False, ord=2)",
    body=_vector_norm,
    doc="norms of vectors; the gradient is 0 at 0, and ties of the maximum share it evenly",
    vjp={"x": _vector_norm_vjp},
    jvp={"x": _vector_norm_jvp},
    samples=[
        Sample((Uniform(shape=(2, 3)),)),
        Sample((Uniform(kind="complex"),)),
        Sample((Uniform(shape=()),)),
        Sample((Uniform(shape=(2, 3)),), {"axis": 0}),
        Sample((Uniform(shape=(2, 3, 2)),), {"axis": (0, -1), "keepdims": True}),
        Sample((Uniform(shape=(0, 3)),), {"axis": 1}),
        *(Sample((Uniform(shape=(2, 3)),), {"axis": -1, "ord": p}) for p in _ORDERS),
        *(Sample((Uniform(shape=(3,), kind="complex"),), {"ord": p}) for p in _ORDERS),
        Sample((Uniform(shape=(2, 3)),), {"ord": _INF}),
        Sample((Uniform(shape=(2, 3, 2)),), {"axis": (2, 0), "ord": 3, "keepdims": True}),
        edge([0.0, 0.0], gradient=([0.0, 0.0],)),
        edge([0.0, 0.0], ord=1, gradient=([0.0, 0.0],)),
        edge([0.0, 0.0], ord=3, gradient=([0.0, 0.0],)),
        edge([0.0, 0.0], ord=1.5, gradient=([0.0, 0.0],)),
        edge([0.0, 0.0], ord=_INF, gradient=([0.0, 0.0],)),
        edge([3.0, 0.0, -4.0], ord=1, gradient=([1.0, 0.0, -1.0],)),
        edge([3.0, -3.0, 1.0], ord=_INF, gradient=([0.5, -0.5, 0.0],)),
        edge([3.0, -1.0, 1.0], ord=-_INF, gradient=([0.0, -0.5, 0.5],)),
        edge([0.0 + 0.0j, 3.0 + 4.0j], ord=1, gradient=([0.0, 0.6 + 0.8j],)),
    ],
)
