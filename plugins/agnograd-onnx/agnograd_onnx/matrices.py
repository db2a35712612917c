"""Linear systems, determinants and Cholesky's decomposition: ONNX has none, so each step becomes operators of a model.

The steps are those of textbooks, on all matrices of a batch at once. A model grows with the number of rows, which makes
these for small matrices. What NumPy refuses cannot be seen: a singular system gives infinities and NaN, and so does a
matrix without a Cholesky decomposition.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import ndonnx as ndx
import numpy as np
import spox.opset.ai.onnx.v21 as op

from agnograd_onnx.indexing import getitem

Array = Any

_PRODUCTS = (ndx.float64, ndx.float32, ndx.int64, ndx.int32)


class SignAndLogarithm(NamedTuple):
    """What ``slogdet`` returns."""

    sign: Array
    logabsdet: Array


def matmul(x1: Array, x2: Array, /) -> Array:
    """The product of matrices as one operator; ndonnx takes hundreds, for axes without elements that it cannot see."""
    dtype = ndx.result_type(x1, x2)
    if dtype not in _PRODUCTS or None in (*x1.shape, *x2.shape) or 0 in (*x1.shape, *x2.shape):
        return ndx.matmul(x1, x2)
    x1, x2 = (ndx.astype(x, dtype, copy=False) for x in (x1, x2))
    return ndx.asarray(op.matmul(x1.unwrap_spox(), x2.unwrap_spox()))


def _at(x: Array, *key: Any) -> Array:
    return getitem(x, (..., *key))


def _eliminated(x: Array, n: int) -> tuple[Array, Array, Array]:
    """Gauss's elimination of the first `n` columns, with the largest element of each as its pivot.

    Returns
    -------
    rest : array
        What has become of the other columns: if they were b, the solution of ``a @ rest = b``.
    sign : array
        Of the permutation of rows.
    pivots : array
        Along the last axis.
    """
    batch = x.shape[:-2]
    rows = ndx.asarray(np.arange(n))
    sign = ndx.ones(batch, dtype=x.dtype)
    pivots = []
    for k in range(n):
        largest = ndx.argmax(ndx.abs(_at(x, slice(k, None), k)), axis=-1, keepdims=True) + k
        sign = sign * ndx.where(_at(largest, 0) == k, 1, ndx.asarray(-1, dtype=x.dtype))
        order = ndx.where(rows == k, largest, ndx.where(rows == largest, k, rows))
        x = ndx.take_along_axis(x, ndx.broadcast_to(_at(order, None), x.shape), axis=-2)
        pivots.append(_at(x, k, k))
        this = slice(k, k + 1)
        row = _at(x, this, slice(None)) / _at(x, this, this)
        x = ndx.where(_at(rows, slice(None), None) == k, row, x - _at(x, slice(None), this) * row)
    return _at(x, slice(n, None)), sign, ndx.stack(pivots, axis=-1)


def solve(x1: Array, x2: Array, /) -> Array:
    """The solution of ``x1 @ x = x2``."""
    if x2.ndim == 1:
        return _at(solve(x1, _at(x2, None)), 0)
    batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    both = [ndx.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (x1, x2)]
    if 0 in both[1].shape:
        return both[1]
    return _eliminated(ndx.concat(both, axis=-1), x1.shape[-1])[0]


def inv(x: Array, /) -> Array:
    """The inverse."""
    return solve(x, ndx.eye(x.shape[-1], dtype=x.dtype))


def slogdet(x: Array, /) -> SignAndLogarithm:
    """The sign of the determinant, and the logarithm of its size."""
    if 0 in x.shape:
        return SignAndLogarithm(ndx.ones(x.shape[:-2], dtype=x.dtype), ndx.zeros(x.shape[:-2], dtype=x.dtype))
    _, sign, pivots = _eliminated(x, x.shape[-1])
    singular = ndx.any(pivots == 0, axis=-1)
    sign = ndx.where(singular, 0, sign * ndx.prod(ndx.sign(pivots), axis=-1))
    return SignAndLogarithm(sign, ndx.where(singular, -math.inf, ndx.sum(ndx.log(ndx.abs(pivots)), axis=-1)))


def det(x: Array, /) -> Array:
    """The determinant."""
    if 0 in x.shape:
        return ndx.ones(x.shape[:-2], dtype=x.dtype)
    _, sign, pivots = _eliminated(x, x.shape[-1])
    return ndx.where(ndx.any(pivots == 0, axis=-1), 0, sign * ndx.prod(pivots, axis=-1))


def cofactors(x: Array, /) -> Array:
    """The determinants of what is left without a row and a column, in turns with the other sign: all in one batch."""
    *batch, n, _ = x.shape
    if not n:
        return x
    places = np.arange(n)
    others = np.stack([places[places != i] for i in places]).reshape(-1)
    rows = ndx.reshape(ndx.take(x, ndx.asarray(others), axis=-2), (*batch, n, n - 1, n))
    minors = ndx.reshape(ndx.take(rows, ndx.asarray(others), axis=-1), (*batch, n, n - 1, n, n - 1))
    signs = ndx.asarray((-1.0) ** (places[:, None] + places), dtype=x.dtype)
    return signs * det(ndx.moveaxis(minors, -2, -3))


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """The triangular matrix whose product with its transpose is `x`: column by column, which is then taken away."""
    n = x.shape[-1]
    rows = ndx.asarray(np.arange(n))
    columns = []
    for k in range(n):
        column = ndx.where(rows >= k, _at(x, k) / ndx.sqrt(_at(x, slice(k, k + 1), k)), ndx.asarray(0, dtype=x.dtype))
        columns.append(column)
        x = x - _at(column, None) * _at(column, None, slice(None))
    if not columns:
        return x
    return ndx.stack(columns, axis=-2 if upper else -1)


LINALG = (solve, inv, slogdet, det, cholesky)
