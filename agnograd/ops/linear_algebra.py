"""Linear algebra functions of the main namespace.

Transposes of products after G. H. Golub and C. F. Van Loan, *Matrix Computations* (4th ed., 2013), and, for complex
arguments, K. B. Petersen and M. S. Pedersen, *The Matrix Cookbook* (2012), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnograd.core import batched_products
from agnograd.core.batching import aligned_along, stacks
from agnograd.core.cotangent import Spec, fit
from agnograd.core.formulas import edge, is_complex, ratio
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import general, linear

Array = Any


def _conj(xp: Any, x: Array) -> Array:
    # The conjugate of a real array is one more copy of it.
    return xp.conj(x) if is_complex(xp, x) else x


def _adjoint(xp: Any, x: Array) -> Array:
    return _conj(xp, xp.matrix_transpose(x))


def _matmul_left(xp: Any, g: Array, x1_spec: Spec, x2: Array) -> Array:
    # G B^H; vectors are matrices of one row or column.
    if len(x2.shape) == 2 == len(g.shape):
        return xp.matmul(g, x2.T if x2.dtype in xp.reals else _adjoint(xp, x2))
    if len(x2.shape) == 1:
        return fit(xp, g[..., None] * _conj(xp, x2) if len(x1_spec.shape) > 1 else g * _conj(xp, x2), x1_spec)
    if len(x1_spec.shape) == 1:
        if len(x2.shape) == 2:
            return fit(xp, xp.matmul(_conj(xp, x2), g), x1_spec)
        g = g[..., None, :]
        return fit(xp, xp.matmul(g, _adjoint(xp, x2))[..., 0, :], x1_spec)
    return fit(xp, xp.matmul(g, _adjoint(xp, x2)), x1_spec)


def _matmul_right(xp: Any, g: Array, x1: Array, x2_spec: Spec) -> Array:
    # A^H G
    if len(x1.shape) == 2 == len(g.shape):
        return xp.matmul(x1.T if x1.dtype in xp.reals else _adjoint(xp, x1), g)
    if len(x1.shape) == 1:
        a = _conj(xp, x1)
        if len(x2_spec.shape) == 1:
            return fit(xp, a * g, x2_spec)
        return fit(xp, xp.linalg.outer(a, g) if len(g.shape) == 1 else a[:, None] * g[..., None, :], x2_spec)
    if len(x2_spec.shape) == 1:
        if len(x1.shape) == 2:
            return fit(xp, xp.matmul(g, _conj(xp, x1)), x2_spec)
        return fit(xp, xp.matmul(_adjoint(xp, x1), g[..., None])[..., 0], x2_spec)
    return fit(xp, xp.matmul(_adjoint(xp, x1), g), x2_spec)


def _pairs(*shapes: tuple[tuple[int, ...], tuple[int, ...]], kind: str = "real") -> list[Sample]:
    return [Sample((Uniform(shape=a, kind=kind), Uniform(shape=b, kind=kind))) for a, b in shapes]


matmul: Op = linear(
    "matmul(x1, x2, /)",
    batch=batched_products.matmul,
    x1=_matmul_left,
    x2=_matmul_right,
    samples=[
        *_pairs(((2, 3), (3, 2)), ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,))),
        *_pairs(((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,))),
        *_pairs(((0, 3), (3, 2)), ((2, 0), (0, 2))),
        *_pairs(((2, 3), (3, 2)), ((3,), (3,)), kind="complex"),
        Sample((Uniform(shape=(2, 3)), Uniform(shape=(3, 2), kind="complex"))),
    ],
)
matrix_transpose: Op = linear(
    "matrix_transpose(x, /)",
    batch=stacks,
    x=lambda xp, g: xp.matrix_transpose(g),
    view=lambda base, value: value.mT,
    samples=[Sample((Uniform(shape=(2, 3)),)), Sample((Uniform(shape=(2, 2, 3), kind="complex"),))],
)


def _conj_first(xp: Any, g: Array, x1_spec: Spec, x2: Array, axis: int) -> Array:
    # out = sum(conj(a) b)
    return fit(xp, _conj(xp, xp.expand_dims(g, axis=axis)) * x2, x1_spec)


vecdot: Op = linear(
    "vecdot(x1, x2, /, *, axis=-1)",
    batch=aligned_along,
    x1=_conj_first,
    x2=lambda xp, g, x1, x2_spec, axis: fit(xp, xp.expand_dims(g, axis=axis) * x1, x2_spec),
    samples=[
        *_pairs(((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (3,))),
        *_pairs(((2, 3), (2, 3)), kind="complex"),
        Sample((Uniform(shape=(3, 2)), Uniform(shape=(3, 2))), {"axis": -2}),
    ],
)

Axes = int | tuple[Sequence[int], Sequence[int]]


def _contracted(axes: Axes, ndim1: int, ndim2: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if isinstance(axes, int):
        return tuple(range(ndim1 - axes, ndim1)), tuple(range(axes))
    return tuple(a % ndim1 for a in axes[0]), tuple(a % ndim2 for a in axes[1])


def _free(axes: Sequence[int], ndim: int) -> tuple[int, ...]:
    return tuple(a for a in range(ndim) if a not in axes)


def _inverse(order: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def _tensordot_left(xp: Any, g: Array, x1_spec: Spec, x2: Array, axes: Axes) -> Array:
    # Contract g with conj(b) over the free axes of b; what remains are the axes of a in another order.
    n1, n2 = len(x1_spec.shape), len(x2.shape)
    axes1, axes2 = _contracted(axes, n1, n2)
    free1, free2 = _free(axes1, n1), _free(axes2, n2)
    out = xp.tensordot(g, _conj(xp, x2), axes=(tuple(range(len(free1), len(g.shape))), free2))
    paired = [axes1[axes2.index(a)] for a in sorted(axes2)]
    return xp.permute_dims(out, _inverse([*free1, *paired]))


def _tensordot_right(xp: Any, g: Array, x1: Array, x2_spec: Spec, axes: Axes) -> Array:
    n1, n2 = len(x1.shape), len(x2_spec.shape)
    axes1, axes2 = _contracted(axes, n1, n2)
    free1, free2 = _free(axes1, n1), _free(axes2, n2)
    out = xp.tensordot(_conj(xp, x1), g, axes=(free1, tuple(range(len(free1)))))
    paired = [axes2[axes1.index(a)] for a in sorted(axes1)]
    return xp.permute_dims(out, _inverse([*paired, *free2]))


tensordot: Op = linear(
    "tensordot(x1, x2, /, axes=2)",
    batch=batched_products.tensordot,
    x1=_tensordot_left,
    x2=_tensordot_right,
    samples=[
        Sample((Uniform(shape=(2, 3)), Uniform(shape=(2, 3)))),
        Sample((Uniform(shape=(2, 3)), Uniform(shape=(3, 2))), {"axes": 1}),
        Sample((Uniform(shape=(2,)), Uniform(shape=(3,))), {"axes": 0}),
        Sample((Uniform(shape=(2, 3, 4)), Uniform(shape=(4, 5, 2))), {"axes": ((2, 0), (0, 2))}),
        Sample((Uniform(shape=(2, 3), kind="complex"), Uniform(shape=(3, 2), kind="complex")), {"axes": 1}),
    ],
)


def _norm(xp: Any, x: Array) -> Array:
    if is_complex(xp, x):
        return xp.sqrt(xp.sum(xp.real(xp.conj(x) * x)))
    # A vector without an array of squares.
    return xp.sqrt(xp.matmul(x, x) if len(x.shape) == 1 else xp.sum(x * x))


def _norm_jvp(xp: Any, t: Array, x: Array, ans: Array) -> Array:
    inner = xp.sum(xp.real(xp.conj(x) * t) if is_complex(xp, x) else x * t)
    return ratio(xp, inner, ans)


norm: Op = general(
    "norm(x, /)",
    batch=batched_products.norm,
    body=_norm,
    doc="Euclidean norm of all elements; its gradient x / |x| is 0 at 0",
    vjp={"x": lambda xp, g, x, ans: ratio(xp, g, ans) * x},
    jvp={"x": _norm_jvp},
    samples=[
        Sample((Uniform(),)),
        Sample((Uniform(shape=(2, 3)),)),
        Sample((Uniform(shape=()),)),
        Sample((Uniform(kind="complex"),)),
        edge([0.0, 0.0], gradient=([0.0, 0.0],)),
    ],
)
