"""Norms of vectors and matrices."""

from __future__ import annotations

from typing import Any

from agnograd.core.batching import reduced
from agnograd.core.formulas import Axis, axes_of, edge, is_complex, keepdims_of, nonzero, ratio, sign
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, general
from agnograd.ops.linalg.matrices import STACK, TALL, TALL_COMPLEX, WIDE

Array = Any

# -- norms -------------------------------------------------------------------------------------------------------------


def _vector_norm(xp: Any, x: Array, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Array:
    over: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    if ord == 2:
        if len(x.shape) == 1 and axis in (None, 0, -1) and not keepdims and not is_complex(xp, x):
            return xp.sqrt(xp.matmul(x, x))  # without an array of squares
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
        return ratio(xp, x, norm)
    if ord == 1:
        return sign(xp, x)
    if ord == 0:
        return xp.zeros_like(x)
    size = xp.abs(x)
    if ord in (float("inf"), -float("inf")):
        attained = xp.astype(size == norm, size.dtype)
        return sign(xp, x) * (attained / xp.sum(attained, axis=axes_of(axis, len(x.shape)), keepdims=True))
    # x / |x| (|x| / norm)^(p - 1); with negative p the norm may be 0 where elements are not.
    share = nonzero(xp, size) / nonzero(xp, norm)
    return sign(xp, x) * xp.where((x == 0) | (norm == 0), 0, share ** (ord - 1))


def _vector_norm_vjp(xp: Any, g: Array, x: Array, ans: Array, axis: Axis, ord: float) -> Array:
    if ord == 2:
        # What is small first: of a vector, g and its norm are numbers.
        return x * keepdims_of(xp, ratio(xp, g, ans), x.shape, axis)
    return keepdims_of(xp, g, x.shape, axis) * _vector_norm_gradient(xp, x, ans, axis, ord)


def _vector_norm_jvp(xp: Any, t: Array, x: Array, ans: Array, axis: Axis, keepdims: bool, ord: float) -> Array:
    if ord == 2:
        return ratio(xp, _inner(xp, x, t, axis, keepdims), ans)
    return _inner(xp, _vector_norm_gradient(xp, x, ans, axis, ord), t, axis, keepdims)


def _inner(xp: Any, x: Array, t: Array, axis: Axis, keepdims: bool) -> Array:
    return xp.sum(xp.real(xp.conj(x) * t) if is_complex(xp, x) else x * t, axis=axis, keepdims=keepdims)


_INF = float("inf")
_ORDERS: tuple[float, ...] = (1, _INF, -_INF, 0, 3, 1.5, 0.5, -1)

vector_norm: Op = general(
    "linalg.vector_norm(x, /, *, axis=None, keepdims=False, ord=2)",
    batch=reduced,
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


def _matrix_norm(xp: Any, x: Array, /, *, keepdims: bool = False, ord: int | float | str | None = "fro") -> Array:
    over: dict[str, Any] = {"keepdims": keepdims}
    if ord == "fro" or ord is None:
        return xp.linalg.vector_norm(x, axis=(-2, -1), **over)
    if ord in ("nuc", 2, -2):
        values = xp.linalg.svdvals(x)
        if keepdims:
            values = values[..., None, :]
        reduce = xp.sum if ord == "nuc" else xp.max if ord == 2 else xp.min
        return reduce(values, axis=-1, **over)
    if ord in (1, -1, _INF, -_INF):
        summed, other = (-2, -1) if ord in (1, -1) else (-1, -2)
        sums = xp.sum(xp.abs(x), axis=summed, keepdims=True)
        extremum = (xp.max if ord > 0 else xp.min)(sums, axis=other, keepdims=True)
        return extremum if keepdims else extremum[..., 0, 0]
    msg = f"matrix_norm has the orders 'fro', 'nuc', 1, -1, 2, -2, inf and -inf, got {ord!r}"
    raise ValueError(msg)


_MATRIX_ORDERS: tuple[Any, ...] = ("fro", "nuc", 1, -1, 2, -2, _INF, -_INF)

matrix_norm: Op = composite(
    "linalg.matrix_norm(x, /, *, keepdims=False, ord='fro')",
    body=_matrix_norm,
    doc="norms of matrices, from those of vectors and from singular values",
    samples=[
        *(Sample((TALL,), {"ord": p}) for p in _MATRIX_ORDERS),
        *(Sample((TALL_COMPLEX,), {"ord": p}) for p in _MATRIX_ORDERS),
        *(Sample((STACK,), {"ord": p, "keepdims": True}) for p in ("nuc", -1, 2, _INF)),
        Sample((Uniform(shape=(0, 2, 2)),)),
        Sample((WIDE,)),
        edge([[0.0, 0.0], [0.0, 0.0]], gradient=([[0.0, 0.0], [0.0, 0.0]],)),
        edge([[1.0, 0.0], [0.0, 1.0]], ord=2, gradient=([[0.5, 0.0], [0.0, 0.5]],)),
        edge([[1.0, 0.0], [0.0, 1.0]], ord="nuc", gradient=([[1.0, 0.0], [0.0, 1.0]],)),
        edge([[1.0, -1.0], [1.0, 1.0]], ord=1, gradient=([[0.5, -0.5], [0.5, 0.5]],)),
        edge([[1.0, -1.0], [1.0, 1.0]], ord=_INF, gradient=([[0.5, -0.5], [0.5, 0.5]],)),
    ],
)
