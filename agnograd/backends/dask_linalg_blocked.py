"""Factorisations and linear systems of matrices that are too large for one chunk, block by block.

Cholesky's factor and substitution after G. H. Golub and C. F. Van Loan, *Matrix Computations* (4th ed., 2013), sections
4.2.9 and 3.1.4. The QR decomposition takes one panel of columns after the other, each by dask's own for tall matrices
(A. R. Benson, D. F. Gleich and J. Demmel, *Direct QR factorizations for tall-and-skinny matrices in MapReduce
architectures*, 2013), and makes it orthogonal to the former ones twice (J. L. Barlow and A. Smoktunowicz,
*Reorthogonalized block classical Gram-Schmidt*, Numer. Math. 123 (2013)). Systems are solved by it: an LU decomposition
that chooses its pivots within a block is not stable, and dask has no other.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any

from agnograd.backends.dask_blocks import meta_like, on_block

Array = Any

# Products that one task takes at a time: all of a row at once would have to be in the memory of one worker.
_TOGETHER = 4


def square_blocks(x: Array) -> Array:
    """A square matrix in chunks whose diagonal ones are square."""
    rows, columns = x.chunks
    finer = rows if len(rows) >= len(columns) else columns
    return x.rechunk((finer, finer))


# -- triangular matrices -----------------------------------------------------------------------------------------------


def cholesky(x: Array) -> Array:
    """The lower factor of a Hermitian positive definite matrix in square blocks, from those of its lower triangle.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> x = da.from_array(np.asarray([[4.0, 2.0], [2.0, 5.0]]), chunks=1)
    >>> cholesky(x).compute()
    array([[2., 0.],
           [1., 2.]])
    """
    (sizes, _), count = x.chunks, len(x.chunks[0])

    def tasks(name: str) -> Iterator[Any]:
        for i in range(count):
            for j in range(count):
                if i < j:
                    yield (i, j), partial(_zeros, (sizes[i], sizes[j])), (x.name, 0, 0)
                    continue
                pairs = [((name, i, p), (name, j, p)) for p in range(j)]
                rest = yield from _reduced((i, j), (x.name, i, j), pairs, _less_adjoint)
                yield (i, j), *((_lower, rest) if i == j else (_over_adjoint, rest, (name, j, j)))

    return _assembled("cholesky", tasks, [x], x, x.chunks)


def substitute(t: Array, b: Array, *, lower: bool) -> Array:
    """``t^-1 b`` for a triangular matrix in square blocks; the other triangle of its diagonal blocks is taken for zero.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> t = da.from_array(np.asarray([[2.0, 0.0], [1.0, 2.0]]), chunks=1)
    >>> substitute(t, da.from_array(np.asarray([[2.0], [5.0]]), chunks=1), lower=True).compute()
    array([[1.],
           [2.]])
    """
    count = len(t.chunks[0])
    within = on_block("solve_triangular", upper=not lower)
    order = range(count) if lower else range(count - 1, -1, -1)
    b = b.rechunk({0: t.chunks[1]})

    def tasks(name: str) -> Iterator[Any]:
        for k in range(len(b.chunks[1])):
            for place, i in enumerate(order):
                pairs = [((t.name, i, p), (name, p, k)) for p in order[:place]]
                rest = yield from _reduced((i, k), (b.name, i, k), pairs, _less)
                yield (i, k), within, (t.name, i, i), rest

    return _assembled("substitute", tasks, [t, b], b, b.chunks, dtype=(t[:1, :1] @ b[:1, :1]).dtype)


Pair = tuple[Any, Any]


def _reduced(place: Any, start: Any, pairs: Sequence[Pair], less: Callable[..., Any]) -> Generator[Any, None, Any]:
    """Tasks that subtract products from a block, some at a time; returns the key of the last."""
    key = start
    for step, first in enumerate(range(0, len(pairs), _TOGETHER)):
        part = pairs[first : first + _TOGETHER]
        yield (*place, step), less, key, *[k for pair in part for k in pair]
        key = (*place, step)
    return key


def _assembled(
    what: str,
    tasks: Callable[[str], Iterator[Any]],
    sources: Sequence[Array],
    like: Array,
    chunks: Any,
    dtype: Any = None,
) -> Array:
    """An array from tasks ``(place, function, *keys)``: a place of two numbers is a block, one of three leads there."""
    import dask.array as da
    from dask._task_spec import Task, TaskRef
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    name = f"{what}-{tokenize(*sources)}"

    def full(key: Any) -> Any:
        return key if isinstance(key[0], str) else named(key)

    def named(place: Any) -> Any:
        return (name, *place) if len(place) == 2 else (f"{name}-step", *place)

    layer = {}
    for place, function, *keys in tasks(name):
        key = named(place)
        layer[key] = Task(key, function, *(TaskRef(full(k)) for k in keys))
    graph = HighLevelGraph.from_collections(name, layer, dependencies=sources)
    return da.Array(graph, name, chunks, meta=meta_like(like, dtype=like.dtype if dtype is None else dtype))


def _zeros(shape: tuple[int, ...], like: Any) -> Any:
    import numpy as np

    return np.zeros_like(like, shape=shape)


def _lower(x: Any) -> Any:
    return on_block("linalg.cholesky")(x)


def _adjoint(x: Any) -> Any:
    return x.conj().T


def _over_adjoint(x: Any, lower: Any) -> Any:
    """``x (L^H)^-1 = (L^-1 x^H)^H``."""
    return _adjoint(on_block("solve_triangular")(lower, _adjoint(x)))


def _less(x: Any, *factors: Any) -> Any:
    for a, b in zip(factors[::2], factors[1::2], strict=True):
        x = x - a @ b
    return x


def _less_adjoint(x: Any, *factors: Any) -> Any:
    for a, b in zip(factors[::2], factors[1::2], strict=True):
        x = x - a @ _adjoint(b)
    return x


def _product(a: Array, b: Array) -> Array:
    """A matrix product. That there are many pairs of blocks is what makes it one, and nothing to warn of."""
    from dask.array.core import PerformanceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerformanceWarning)
        return a @ b


# -- orthogonal matrices -----------------------------------------------------------------------------------------------


def qr(x: Array) -> tuple[Array, Array]:
    """Orthonormal columns and an upper triangle, ``x = q r``, of a matrix in any chunks.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> x = np.asarray([[3.0, 1.0], [4.0, 2.0]])
    >>> q, r = (part.compute() for part in qr(da.from_array(x, chunks=1)))
    >>> np.allclose(q @ r, x), np.allclose(q.T @ q, np.eye(2)), r[1, 0].item()
    (True, True, 0.0)
    """
    import dask.array as da

    m, n = x.shape
    if m < n:
        # The first columns determine the orthonormal ones.
        q, r = qr(x[:, :m])
        return q, da.concatenate([r, _product(_adjoint(q), x[:, m:])], axis=1)
    panels: list[Array] = []
    rows: list[list[Array]] = []
    for k, width in enumerate(x.chunks[1]):
        panel, above = x.blocks[:, k], []
        triangle = None
        for _ in range(1 if not panels else 2):
            parts = [_product(_adjoint(q), panel) for q in panels]
            for q, part in zip(panels, parts, strict=True):
                panel = panel - _product(q, part)
            panel, r = da.linalg.tsqr(panel)
            above = parts if triangle is None else [a + b @ triangle for a, b in zip(above, parts, strict=True)]
            triangle = r if triangle is None else r @ triangle
        panels.append(panel)
        zeros = [da.zeros_like(x, shape=(width, later), chunks=-1) for later in x.chunks[1][k + 1 :]]
        for row, part in zip(rows, above, strict=True):
            row[k] = part
        rows.append([*[None] * k, triangle, *zeros])
    for height, row in zip(x.chunks[1], rows, strict=True):
        for k, part in enumerate(row):
            row[k] = da.zeros_like(x, shape=(height, x.chunks[1][k]), chunks=-1) if part is None else part
    return da.concatenate(panels, axis=1), da.block(rows)


def solve(x1: Array, x2: Array) -> Array:
    """``x1^-1 x2`` for a matrix in any chunks.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> x1 = da.from_array(np.asarray([[0.0, 2.0], [1.0, 0.0]]), chunks=1)
    >>> solve(x1, da.from_array(np.asarray([[2.0], [3.0]]), chunks=1)).compute()
    array([[3.],
           [1.]])
    """
    q, r = qr(x1)
    return substitute(r, _product(_adjoint(q), x2.rechunk({0: x1.chunks[0]})), lower=False)


def inv(x: Array) -> Array:
    """The inverse of a matrix in any chunks.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> inv(da.from_array(np.asarray([[0.0, 2.0], [1.0, 0.0]]), chunks=1)).compute().round(1) + 0.0
    array([[0. , 1. ],
           [0.5, 0. ]])
    """
    q, r = qr(x)
    return substitute(r, _adjoint(q), lower=False)
