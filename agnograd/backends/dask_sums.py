"""Sums over chunks on dask: of elements, and of products.

Dask adds the blocks of a sum in groups of four, in a graph that is written out when it is described. Here groups are as
large as their blocks are small, and the graph is written when it is run: describing a sum takes as long for a thousand
chunks as for one.
"""

from __future__ import annotations

import itertools
import math
import operator
import string
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, reduce
from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import List, Task, TaskRef
from dask.array.utils import meta_from_array
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph, Layer

from agnograd.backends.dask_cotangents import Symbolic, plain
from agnograd.backends.dask_sizes import is_unknown, one_chunk_each

Array = Any
Axes = tuple[int, ...]

# Blocks that are added at once: as many as fit, so that no more than this waits for the others of its group.
_GROUP_BYTES = 1 << 22
_GROUP = 8
_FIRST = 2


class Fold(Layer):  # type: ignore[misc]
    """The sum of the blocks of an array along some axes, in each of which a block is of size one.

    Parameters
    ----------
    name, source : str
        Names of the sum and of the array.
    numblocks : tuple of int
    axes : tuple of int
        Axes that are summed; they are dropped from the result.
    group : int
        How many blocks are added at once.
    divisor : int
        What the sum is divided by.
    """

    def __init__(
        self, name: str, source: str, numblocks: tuple[int, ...], axes: Axes, group: int, divisor: int = 1
    ) -> None:
        super().__init__()
        self.name = name
        self.source = source
        self.numblocks = numblocks
        self.axes = axes
        self.group = group
        self.divisor = divisor

    @cached_property
    def _tasks(self) -> dict[Any, Any]:
        tasks: dict[Any, Any] = {}
        kept = [range(1) if a in self.axes else range(n) for a, n in enumerate(self.numblocks)]
        summed = [range(n) if a in self.axes else range(1) for a, n in enumerate(self.numblocks)]
        steps = list(itertools.product(*summed))
        free = [a for a in range(len(self.numblocks)) if a not in self.axes]
        for place in itertools.product(*kept):
            out = tuple([place[a] for a in free])
            keys: list[Any] = [(self.source, *map(operator.add, place, step)) for step in steps]
            level = 0
            while len(keys) > self.group:
                # Groups of the same size, not the last one of what is left.
                count = math.ceil(len(keys) / (self.group if level else _FIRST))
                size = math.ceil(len(keys) / count)
                merged = []
                for i in range(0, len(keys), size):
                    key = (f"{self.name}-part", level, i // size, *out)
                    tasks[key] = Task(key, add_blocks, List(*map(TaskRef, keys[i : i + size])))
                    merged.append(key)
                keys = merged
                level += 1
            key = (self.name, *out)
            tasks[key] = Task(key, _finish, List(*map(TaskRef, keys)), self.axes, self.divisor)
        return tasks

    def __getitem__(self, key: Any) -> Any:
        return self._tasks[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def is_materialized(self) -> bool:
        """Whether the tasks have been written out."""
        return "_tasks" in self.__dict__

    def get_output_keys(self) -> set[Any]:
        """The blocks of the sum."""
        free = [range(n) for a, n in enumerate(self.numblocks) if a not in self.axes]
        return {(self.name, *place) for place in itertools.product(*free)}


def add_blocks(blocks: Sequence[Any]) -> Any:
    """The sum of arrays of one shape."""
    return reduce(operator.add, blocks)


def _finish(blocks: Sequence[Any], axes: Axes, divisor: int) -> Any:
    out = add_blocks(blocks)
    out = out[tuple(0 if a in axes else slice(None) for a in range(out.ndim))]
    return out if divisor == 1 else out / divisor


def fold(x: Array, axes: Axes, divisor: int = 1) -> Array:
    """The sum over axes in which every block is of size one; they are dropped."""
    free = [a for a in range(x.ndim) if a not in axes]
    block = math.prod(x.chunksize[a] for a in free) * x.dtype.itemsize
    group = _GROUP if math.isnan(block) else max(4, min(_GROUP, _GROUP_BYTES // max(int(block), 1)))
    name = f"sum-{tokenize(x.name, axes, divisor, group)}"
    layer = Fold(name, x.name, x.numblocks, axes, group, divisor)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[x])
    return da.Array(graph, name, tuple(x.chunks[a] for a in free), meta=meta_from_array(x._meta, ndim=len(free)))


def reduced_axes(axis: Any, ndim: int) -> Axes:
    """The axes of a reduction, in order."""
    if axis is None:
        return tuple(range(ndim))
    given = (axis,) if isinstance(axis, int) else tuple(axis)
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(given, ndim)))


def total(x: Array, axes: Axes, dtype: Any, keepdims: bool, divisor: int = 1) -> Array:
    """The sum over axes, in a dtype."""
    if all(x.numblocks[a] == 1 for a in axes):
        # Nothing has to wait for other chunks: one task each, which fuses.
        return one_chunk(_sum_whole, x, axes, dtype, keepdims, divisor=divisor, into=str(dtype))
    ind = tuple(range(x.ndim))
    parts = da.blockwise(
        _sum_block, ind, x, ind, axes=axes, into=str(dtype), adjust_chunks=dict.fromkeys(axes, 1),
        dtype=dtype, meta=meta_from_array(x._meta, ndim=x.ndim, dtype=dtype),
    )  # fmt: skip
    out = fold(parts, axes, divisor)
    return with_axes(out, axes) if keepdims else out


def one_chunk(function: Callable[..., Any], x: Array, axes: Axes, dtype: Any, keepdims: bool, **params: Any) -> Array:
    """A reduction over axes that are in one chunk."""
    ind = tuple(range(x.ndim))
    left = ind if keepdims else tuple(a for a in ind if a not in axes)
    return da.blockwise(
        function, left, x, ind, axes=axes, keepdims=keepdims,
        adjust_chunks=dict.fromkeys(axes, 1) if keepdims else None, **params,
        dtype=dtype, meta=meta_from_array(x._meta, ndim=len(left), dtype=dtype),
    )  # fmt: skip


def with_axes(x: Array, axes: Axes) -> Array:
    """Axes of size one put where they are said to be in the result, without a look at each chunk."""
    ndim = x.ndim + len(axes)
    ind = tuple(range(ndim))
    rest = tuple(a for a in ind if a not in axes)
    return da.blockwise(
        _expand_block, ind, x, rest, one_chunk_each([1] * len(axes)), tuple(axes), axes=tuple(axes), align_arrays=False,
        dtype=x.dtype, meta=meta_from_array(x._meta, ndim=ndim),
    )  # fmt: skip


def without_axes(x: Array, axes: Axes) -> Array:
    """Axes of size one taken away, without a look at each chunk."""
    ind = tuple(range(x.ndim))
    rest = tuple(a for a in ind if a not in axes)
    return da.blockwise(
        _squeeze_block, rest, x, ind, axes=tuple(axes),
        dtype=x.dtype, meta=meta_from_array(x._meta, ndim=len(rest)),
    )  # fmt: skip


def _expand_block(x: Any, _sizes: Any, *, axes: Axes) -> Any:
    return np.expand_dims(x, axes)


def only_block(x: Any) -> Any:
    """A block that is the only one along axes that a result has not: dask hands it over in lists.

    Where it is told to concatenate those, it does not fuse the layer with elementwise ones, which have none.
    """
    while type(x) is list:
        (x,) = x
    return x


def _squeeze_block(x: Any, *, axes: Axes) -> Any:
    x = only_block(x)
    return x[tuple(0 if a in axes else slice(None) for a in range(x.ndim))]


def _sum_block(x: Any, *, axes: Axes, into: str) -> Any:
    return x.sum(axis=axes, keepdims=True, dtype=into)


def _sum_whole(x: Any, *, axes: Axes, keepdims: bool, into: str, divisor: int) -> Any:
    out = only_block(x).sum(axis=axes, keepdims=keepdims, dtype=into)
    return out if divisor == 1 else out / divisor


def kernels() -> dict[str, Callable[..., Any]]:
    """Sums, means and products of matrices."""

    def sum_(x: Array, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
        axes = reduced_axes(axis, x.ndim)
        if dtype is None:
            dtype = np.sum(np.empty((0,), x.dtype)).dtype
        if type(x) is Symbolic and dtype == x.dtype:
            return _symbolic_sum(x, axes, keepdims)
        return total(plain(x), axes, np.dtype(dtype), keepdims)

    def mean(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
        axes = reduced_axes(axis, x.ndim)
        count = math.prod(x.shape[a] for a in axes)
        if x.dtype.kind not in "fc" or count == 0 or math.isnan(count):
            return da.mean(plain(x), axis=axis, keepdims=keepdims)
        return total(plain(x), axes, x.dtype, keepdims, count)

    def matmul(x1: Array, x2: Array) -> Array:
        lead = max(x1.ndim, x2.ndim, 2) - 2
        i, j, k = lead, lead + 1, lead + 2
        if 0 in (x1.ndim, x2.ndim):
            msg = f"matmul needs arrays of one or more axes, got the shapes {tuple(x1.shape)} and {tuple(x2.shape)}"
            raise ValueError(msg)
        left = (*range(lead - max(x1.ndim - 2, 0), lead), i, j)[-x1.ndim :] if x1.ndim > 1 else (j,)
        right = (*range(lead - max(x2.ndim - 2, 0), lead), j, k) if x2.ndim > 1 else (j,)
        out = tuple(a for a in (*range(lead), i, k) if a in left or a in right)
        return product(_matmul_block, x1, left, x2, right, out)

    def tensordot(x1: Array, x2: Array, *, axes: Any = 2) -> Array:
        if isinstance(axes, int):
            axes = tuple(range(x1.ndim - axes, x1.ndim)), tuple(range(axes))
        axes1, axes2 = (reduced_in_order(a, x.ndim) for a, x in zip(axes, (x1, x2), strict=True))
        left = tuple(range(x1.ndim))
        free2 = itertools.count(x1.ndim)
        right = tuple(left[axes1[axes2.index(a)]] if a in axes2 else next(free2) for a in range(x2.ndim))
        out = (*(a for a in left if a not in axes1), *(right[a] for a in range(x2.ndim) if a not in axes2))
        return product(_einsum_block, x1, left, x2, right, out)

    def contract(x1: Array, x2: Array, *, labels: tuple[str, str, str]) -> Array:
        numbers = {a: n for n, a in enumerate(dict.fromkeys("".join(labels)))}
        left, right, out = (tuple(numbers[a] for a in term) for term in labels)
        return product(_einsum_block, x1, left, x2, right, out)

    return {"sum": sum_, "mean": mean, "matmul": matmul, "tensordot": tensordot, "contract": contract}


def reduced_in_order(axes: Any, ndim: int) -> Axes:
    """Axes as they are given, not negative."""
    return tuple(np.lib.array_utils.normalize_axis_tuple(axes, ndim))


def _symbolic_sum(x: Symbolic, axes: Axes, keepdims: bool) -> Array:
    """Numbers stay outside, and what is repeated is counted."""
    base = x.base
    repeated = [a for a in axes if base is None or base.shape[a] != x.shape[a]]
    count = math.prod(x.shape[a] for a in repeated)
    chunks = tuple((1,) if a in axes else c for a, c in enumerate(x.chunks) if keepdims or a not in axes)
    if math.isnan(count) or is_unknown(x.shape):
        return total(x.plain(), axes, x.dtype, keepdims)
    summed = tuple(a for a in axes if a not in repeated)
    if base is not None:
        if summed:
            base = total(base, summed, x.dtype, True)
        if not keepdims and axes:
            base = without_axes(base, axes)
        if base.ndim == 0:
            return Symbolic(None, (), x._meta, x.scale * count, base if x.factor is None else x.factor * base)
    return Symbolic(base, chunks, x._meta, x.scale * count, x.factor)


def product(function: Callable[..., Any], x1: Array, left: Axes, x2: Array, right: Axes, out: Axes) -> Array:
    """A contraction of two arrays, whose axes are labelled by numbers: of blocks, then over chunks.

    Numbers of a `Symbolic` are left outside: they are multiplied with the result, which is small.
    """
    scale, factors = 1.0, []
    arrays: list[Array] = []
    for x in (x1, x2):
        if type(x) is Symbolic and x.base is not None and x.base.shape == x.shape and x1.dtype == x2.dtype:
            scale = scale * x.scale
            factors += [] if x.factor is None else [x.factor]
            x = x.base
        arrays.append(plain(x))
    made = _product(function, arrays[0], arrays[1], left, right, out)
    if scale == 1 and not factors:
        return made
    factor = reduce(operator.mul, factors) if factors else None
    if made.ndim == 0:
        return Symbolic(None, (), made._meta, scale, made if factor is None else factor * made)
    return Symbolic(made, made.chunks, made._meta, scale, factor)


def _product(function: Callable[..., Any], x1: Array, x2: Array, left: Axes, right: Axes, out: Axes) -> Array:
    dtype = np.result_type(x1.dtype, x2.dtype)
    sizes: dict[int, Any] = {}
    for x, term in ((x1, left), (x2, right)):
        for n, label in zip(x.shape, term, strict=True):
            known = sizes.setdefault(label, n)
            if known == n or math.isnan(known) or math.isnan(n):
                continue
            if label not in out or 1 not in (n, known):
                msg = f"arrays of shapes {tuple(x1.shape)} and {tuple(x2.shape)} have {known} and {n} where they meet"
                raise ValueError(msg)
            sizes[label] = max(n, known)
    chunked = {
        label
        for x, term in ((x1, left), (x2, right))
        for label, blocks in zip(term, x.numblocks, strict=True)
        if label not in out and blocks > 1
    }
    full = (*out, *sorted(chunked))
    made = da.blockwise(
        function, full, x1, left, x2, right, left=left, right=right, out=out, tail=len(chunked),
        adjust_chunks=dict.fromkeys(chunked, 1),
        dtype=dtype, meta=meta_from_array(x1._meta, ndim=len(full), dtype=dtype),
    )  # fmt: skip
    return fold(made, tuple(range(len(out), len(full)))) if chunked else made


def _matmul_block(x1: Any, x2: Any, *, left: Axes, right: Axes, out: Axes, tail: int) -> Any:
    made = np.matmul(only_block(x1), only_block(x2))
    return np.reshape(made, (*made.shape, *(1,) * tail)) if tail else made


def _einsum_block(x1: Any, x2: Any, *, left: Axes, right: Axes, out: Axes, tail: int) -> Any:
    letters = dict(zip(dict.fromkeys((*left, *right)), string.ascii_letters, strict=False))
    in1, in2, to = ("".join(letters[a] for a in term) for term in (left, right, out))
    made = np.einsum(f"{in1},{in2}->{to}", only_block(x1), only_block(x2), optimize=True)
    return np.reshape(made, (*made.shape, *(1,) * tail)) if tail else made
