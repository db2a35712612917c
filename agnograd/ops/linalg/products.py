"""Diagonals and products of ``xp.linalg``."""

from __future__ import annotations

from typing import Any

from agnograd.core import batched_products
from agnograd.core.batching import stacks
from agnograd.core.cotangent import Spec, fit
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, linear
from agnograd.ops.linalg.matrices import on_diagonal

Array = Any

# -- diagonals ---------------------------------------------------------------------------------------------------------


def _filled_up(xp: Any, x: Array, size: int) -> Array:
    """The last axis filled up to a size with zeros."""
    have = x.shape[-1]
    if have == size:
        return x
    zeros = xp.zeros((*x.shape[:-1], size - have), dtype=x.dtype, device=xp.device(x))
    return xp.concat([x, zeros], axis=-1)


def _diagonal_matrix(xp: Any, x: Array, /, *, shape: tuple[int, int], offset: int = 0) -> Array:
    m, n = shape
    sizes = m, n, x.shape[-1]
    if all(type(size) is int for size in sizes):  # those of a lazy array may be unknown
        length = max(0, min(m, n - offset) if offset >= 0 else min(m + offset, n))
        if x.shape[-1] != length:
            msg = (
                f"diagonal_matrix got {x.shape[-1]} elements for the diagonal of number {offset} of matrices of shape "
                f"{(m, n)}, which has {length}"
            )
            raise ValueError(msg)
    # The k-th element is in row k of a diagonal above the main one, in column k of one below.
    spread = _filled_up(xp, x, m)[..., :, None] if offset >= 0 else _filled_up(xp, x, n)[..., None, :]
    return xp.where(on_diagonal(xp, x, shape, offset), spread, 0)


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

diagonal: Op = linear(
    "linalg.diagonal(x, /, *, offset=0)",
    batch=stacks,
    x=lambda xp, g, x_spec, offset: xp.diagonal_matrix(g, shape=x_spec.shape[-2:], offset=offset),
    samples=[*_DIAGONALS, Sample((Uniform(shape=(0, 2, 2)),)), Sample((Uniform(shape=(2, 3)),), {"offset": 4})],
)
diagonal_matrix: Op = linear(
    "diagonal_matrix(x, /, *, shape, offset=0)",
    batch=stacks,
    body=_diagonal_matrix,
    x=lambda xp, g, offset: xp.linalg.diagonal(g, offset=offset),
    doc="zeros around a diagonal: the transpose of linalg.diagonal",
    samples=[
        Sample((Uniform(shape=(3,)),), {"shape": (3, 3)}),
        Sample((Uniform(shape=(2,)),), {"shape": (2, 3), "offset": 1}),
        Sample((Uniform(shape=(2, 1)),), {"shape": (2, 3), "offset": -1}),
        Sample((Uniform(shape=(0,)),), {"shape": (2, 3), "offset": 4}),
        Sample((Uniform(shape=(2, 2), kind="complex"),), {"shape": (4, 2), "offset": -2}),
        Sample((Uniform(shape=(0, 2)),), {"shape": (2, 2)}),
    ],
)
trace: Op = composite(
    "linalg.trace(x, /, *, offset=0, dtype=None)",
    body=_trace,
    doc="sum of a diagonal",
    samples=[*_DIAGONALS, Sample((Uniform(shape=(3, 3)),), {"dtype": "float64"})],
)

# -- products ----------------------------------------------------------------------------------------------------------

outer: Op = linear(
    "linalg.outer(x1, x2, /)",
    batch=batched_products.outer,
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


cross: Op = linear(
    "linalg.cross(x1, x2, /, *, axis=-1)",
    batch=batched_products.cross,
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
