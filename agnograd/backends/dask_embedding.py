"""The transposes of indexing on dask: arrays of zeros with values added at a key, one task for each chunk.

A chunk that nothing is added to is a view of one zero. What comes from a chunk goes back to it, so that a gradient has
the chunks of its array.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, product
from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import List, Task, TaskRef
from dask.array.utils import meta_from_array
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph, Layer
from dask.layers import ArrayBlockwiseDep

from agnograd.backends.dask_cotangents import Chunks, Symbolic, plain
from agnograd.backends.dask_sizes import alike, is_unknown, unknown_sizes
from agnograd.backends.dask_sums import fold, with_axes, without_axes
from agnograd.errors import UnsupportedError

Array = Any


def kernels() -> dict[str, Callable[..., Any]]:
    """Bodies for what adds at a key."""

    def embed(x: Array, *, key: Any, shape: Any) -> Array:
        return embedded(x, key, shape, _chunks_of(shape, x.dtype))

    def add_into(x: Array, value: Array, key: Any) -> Array:
        return x + embedded(value, key, x.shape, x.chunks)

    def embedded(x: Array, key: Any, shape: Sequence[int], chunks: Chunks) -> Array:
        # A number is multiplied before: behind it there are chunks of zeros, which need no memory as they are.
        if type(x) is Symbolic and x.factor is not None:
            return x.rest_is(_embed(x.rest(), key, shape, chunks))
        return _embed(plain(x), key, shape, chunks)

    def scatter_add(x: Array, indices: Array, value: Array) -> Array:
        return x + _scatter(plain(value), indices, 0, x.shape, x.chunks)

    return {"embed": embed, "add_into": add_into, "scatter_add": scatter_add}


def _chunks_of(shape: Any, dtype: Any) -> Chunks:
    chunks = getattr(shape, "chunks", None)
    return da.core.normalize_chunks("auto", tuple(shape), dtype=dtype) if chunks is None else chunks  # type: ignore[no-any-return]


def _embed(x: Array, key: Any, shape: Sequence[int], chunks: Chunks) -> Array:
    parts = list(key) if isinstance(key, tuple) else [key]
    missing = len(shape) - sum(_taken(k) for k in parts)
    at = next((i for i, k in enumerate(parts) if k is Ellipsis), None)
    if at is None:
        parts += [slice(None)] * missing
    else:
        parts[at : at + 1] = [slice(None)] * missing
    arrays = [k for k in parts if hasattr(k, "dtype")]
    if not arrays:
        return _at_slices(x, parts, shape, chunks)
    masks = [k for k in arrays if k.dtype == np.bool_]
    if not masks and len(arrays) == 1 and arrays[0].ndim == 1 and all(_is_full(k) for k in parts if k is not arrays[0]):
        return _scatter(x, arrays[0], next(i for i, k in enumerate(parts) if k is arrays[0]), shape, chunks)
    if len(parts) == 1 + len(shape) - arrays[0].ndim and len(masks) == 1 == len(arrays) and parts[0] is masks[0]:
        return _at_mask(x, masks[0], shape, chunks)
    if masks or any(k is None for k in parts):
        kinds = [f"array of {k.dtype}" if hasattr(k, "dtype") else type(k).__name__ for k in parts]
        msg = (
            f"backend 'dask' cannot take back an index of {kinds}: a mask stands alone, and arrays of integers beside "
            f"numbers and slices. Write it as two indices, one after the other."
        )
        raise UnsupportedError(msg)
    return _at_arrays(x, parts, shape, chunks)


def _taken(k: Any) -> int:
    """How many axes a part of a key takes."""
    if k is None or k is Ellipsis:
        return 0
    return k.ndim if getattr(k, "dtype", None) == np.bool_ else 1


def _is_full(k: Any) -> bool:
    return isinstance(k, slice) and k == slice(None)


# -- slices ----------------------------------------------------------------------------------------------------------


def _at_slices(x: Array, parts: Sequence[Any], shape: Sequence[int], chunks: Chunks) -> Array:
    """Integers, slices and new axes: blocks go to where they were taken from."""
    x = _with_all_axes(x, parts)
    taken = [k for k in parts if k is not None]
    if is_unknown(shape):
        return _beside_unknown(x, taken, shape)
    targets = []
    for a, (k, n) in enumerate(zip(taken, shape, strict=True)):
        places = range(n)[k] if isinstance(k, slice) else range(n)[operator.index(k) :][:1]
        if places.step < 0:
            places = places[::-1]
            x = da.flip(x, a)
        targets.append(places)
    pieces = [_local(places, c) for places, c in zip(targets, chunks, strict=True)]
    wanted = tuple(
        tuple(len(range(*s.indices(n))) for s, n in zip(p, c, strict=True)) for p, c in zip(pieces, chunks, strict=True)
    )
    if all(all(sizes) for sizes in wanted):
        x = x.rechunk(wanted) if x.chunks != wanted else x
        if x.chunks == chunks:
            return x
        ind = tuple(range(x.ndim))
        return da.blockwise(
            _embed_block, ind, x, ind, _Places(chunks, pieces), ind, align_arrays=False, dtype=x.dtype, meta=x._meta,
            adjust_chunks=dict(enumerate(chunks)),
        )  # fmt: skip
    # Blocks that nothing is added to hang on nothing.
    touched = tuple(tuple(n for n in sizes if n) or (0,) for sizes in wanted)
    x = x.rechunk(touched) if x.chunks != touched else x
    name = f"embed-{tokenize(x.name, pieces, chunks)}"
    layer = _Embed(name, x.name, chunks, pieces, x._meta)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[x])
    return da.Array(graph, name, chunks, meta=x._meta)


def _beside_unknown(x: Array, taken: Sequence[Any], shape: Sequence[int]) -> Array:
    """Slices of axes of known size, in one chunk there, beside others of which nothing is cut."""
    cut = [a for a, k in enumerate(taken) if not _is_full(k)]
    if not cut:
        return x
    if is_unknown([shape[a] for a in cut]):
        msg = "the derivative of a slice along an axis whose size depends on data"
        raise unknown_sizes(msg, x)
    x = x.rechunk(dict.fromkeys(cut, -1))
    places = [range(n)[k] if isinstance(k, slice) else range(n)[k:][:1] for k, n in ((taken[a], shape[a]) for a in cut)]
    # From the end on, as far as before the beginning, is no slice that can be written out.
    key = {a: slice(p.start, p.stop if p.stop >= 0 else None, p.step) for a, p in zip(cut, places, strict=True)}
    ind = tuple(range(x.ndim))
    return da.blockwise(
        _cut_block, ind, x, ind, key=key, sizes={a: shape[a] for a in cut}, adjust_chunks={a: shape[a] for a in cut},
        dtype=x.dtype, meta=x._meta,
    )  # fmt: skip


def _cut_block(x: Any, *, key: dict[int, slice], sizes: dict[int, int]) -> Any:
    out = np.zeros_like(x, shape=tuple(sizes.get(a, n) for a, n in enumerate(x.shape)))
    out[tuple(key.get(a, slice(None)) for a in range(x.ndim))] = x
    return out


def _with_all_axes(x: Array, parts: Sequence[Any]) -> Array:
    """The values with an axis for each axis of the whole: new ones go, those of integers come back."""
    new, axis = [], 0
    for k in parts:
        if k is None:
            new.append(axis)
        axis += k is None or isinstance(k, slice)
    x = without_axes(x, tuple(new)) if new else x
    taken = [k for k in parts if k is not None]
    numbers = [a for a, k in enumerate(taken) if not isinstance(k, slice)]
    return with_axes(x, tuple(numbers)) if numbers else x


def _local(places: range, chunks: Sequence[int]) -> list[slice]:
    """For each chunk of an axis the part of it that lies at `places`, which rise."""
    found = []
    start = 0
    for n in chunks:
        # The first place that is not before the chunk, and the first one behind it.
        i = 0 if start <= places.start else -((places.start - start) // places.step)
        j = 0 if start + n <= places.start else -((places.start - start - n) // places.step)
        i, j = min(i, len(places)), min(j, len(places))
        found.append(slice(places[i] - start, places[j - 1] - start + 1, places.step) if i < j else slice(0, 0))
        start += n
    return found


class _Places(ArrayBlockwiseDep):  # type: ignore[misc]
    """For each block its shape, and where in it the values go."""

    def __init__(self, chunks: Chunks, pieces: list[list[slice]]) -> None:
        super().__init__(chunks)
        self.pieces = pieces

    def __getitem__(self, index: tuple[int, ...]) -> Any:
        shape = tuple(c[i] for c, i in zip(self.chunks, index, strict=True))
        return shape, tuple(p[i] for p, i in zip(self.pieces, index, strict=True))

    def __dask_tokenize__(self) -> Any:
        return type(self).__name__, self.chunks, self.pieces


def _embed_block(x: Any, place: tuple[tuple[int, ...], tuple[slice, ...]]) -> Any:
    shape, key = place
    if x.shape == shape:
        return x
    out = np.zeros_like(x, shape=shape)
    out[key] = x
    return out


def _zero_block(like: Any, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(np.zeros_like(like, shape=(1,)).reshape(()), shape)


class _Embed(Layer):  # type: ignore[misc]
    """Blocks with values in some of them, written out when it is run."""

    def __init__(self, name: str, source: str, chunks: Chunks, pieces: list[list[slice]], like: Any) -> None:
        super().__init__()
        self.name = name
        self.source = source
        self.chunks = chunks
        self.pieces = pieces
        self.like = like

    @cached_property
    def _tasks(self) -> dict[Any, Any]:
        # The number that a block with values has among them, on each axis.
        found = [[s.stop > s.start for s in axis] for axis in self.pieces]
        numbers = [[n - 1 for n in accumulate(axis)] for axis in found]
        tasks: dict[Any, Any] = {}
        for index in product(*(range(len(axis)) for axis in self.chunks)):
            key = (self.name, *index)
            shape = tuple([c[i] for c, i in zip(self.chunks, index, strict=True)])
            if all(axis[i] for axis, i in zip(found, index, strict=True)):
                source = (self.source, *[axis[i] for axis, i in zip(numbers, index, strict=True)])
                place = shape, tuple([p[i] for p, i in zip(self.pieces, index, strict=True)])
                tasks[key] = Task(key, _embed_block, TaskRef(source), place)
            else:
                tasks[key] = Task(key, _zero_block, self.like, shape)
        return tasks

    def __getitem__(self, key: Any) -> Any:
        return self._tasks[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return math.prod(map(len, self.chunks))

    def is_materialized(self) -> bool:
        """Whether the tasks have been written out."""
        return "_tasks" in self.__dict__

    def get_output_keys(self) -> set[Any]:
        """All blocks."""
        return {(self.name, *index) for index in product(*(range(len(axis)) for axis in self.chunks))}


# -- arrays of integers ----------------------------------------------------------------------------------------------


def _scatter(x: Array, indices: Any, axis: int, shape: Sequence[int], chunks: Chunks) -> Array:
    """``out[indices[k]] += x[k]`` along an axis."""
    rest = {a: c for a, c in enumerate(chunks) if a != axis and x.chunks[a] != c and x.shape[a] == shape[a]}
    x = x.rechunk(rest) if rest else x
    n = shape[axis]
    if hasattr(indices, "dask"):
        return _scatter_pairs(x, indices, axis, n, chunks[axis])
    return _scatter_sorted(x, np.asarray(indices) % max(n, 1), axis, chunks[axis])


def _scatter_sorted(x: Array, indices: Any, axis: int, sizes: Sequence[int]) -> Array:
    """Where indices are known: values in their order, cut where chunks end, and one task for each chunk."""
    order = np.argsort(indices, kind="stable")
    ordered = indices[order]
    if not np.array_equal(order, np.arange(len(order))):
        x = da.take(x, order, axis=axis)
    starts = [0, *accumulate(sizes)]
    cuts = np.searchsorted(ordered, starts)
    counts = tuple(int(m) for m in np.diff(cuts))
    x = x.rechunk({axis: tuple(m for m in counts if m) or (0,)})
    places = [ordered[cuts[i] : cuts[i + 1]] - starts[i] for i in range(len(sizes))]
    chunks = tuple(tuple(sizes) if a == axis else c for a, c in enumerate(x.chunks))
    name = f"scatter-{tokenize(x.name, axis, ordered, sizes)}"
    layer = _Scatter(name, x.name, chunks, axis, places, x._meta)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[x])
    return da.Array(graph, name, chunks, meta=x._meta)


class _Scatter(_Embed):
    """Blocks to which runs of values are added."""

    def __init__(self, name: str, source: str, chunks: Chunks, axis: int, places: list[Any], like: Any) -> None:
        super().__init__(name, source, chunks, [], like)
        self.axis = axis
        self.places = places

    @cached_property
    def _tasks(self) -> dict[Any, Any]:
        numbers = [n - 1 for n in accumulate(len(p) > 0 for p in self.places)]
        tasks: dict[Any, Any] = {}
        for index in product(*(range(len(axis)) for axis in self.chunks)):
            key = (self.name, *index)
            shape = tuple([c[i] for c, i in zip(self.chunks, index, strict=True)])
            i = index[self.axis]
            if len(self.places[i]):
                source = (self.source, *index[: self.axis], numbers[i], *index[self.axis + 1 :])
                tasks[key] = Task(key, _scatter_block, TaskRef(source), self.places[i], self.axis, shape)
            else:
                tasks[key] = Task(key, _zero_block, self.like, shape)
        return tasks


def _scatter_block(x: Any, places: Any, axis: int, shape: tuple[int, ...]) -> Any:
    out = np.zeros_like(x, shape=shape)
    add_at(out, (*(slice(None),) * axis, places), x)
    return out


def add_at(out: Any, key: Any, x: Any) -> None:
    """``out[key] += x``, where an index may repeat; on NumPy's arrays and those that are written like them."""
    if isinstance(out, np.ndarray):
        np.add.at(out, key, x)
        return
    from agnograd.core.table import spaces

    module = spaces[type(out)].module
    module.add.at(out, key, x)


def _scatter_pairs(x: Array, indices: Array, axis: int, n: int, sizes: Sequence[int]) -> Array:
    """Where indices would have to be computed: what each chunk of values adds to each chunk, then the sums of these."""
    if not alike(x.chunks[axis], indices.chunks[0]):
        indices = indices.rechunk((x.chunks[axis],))
    ind = tuple(range(x.ndim))
    from_, to = axis, x.ndim
    out = tuple(to if a == axis else a for a in ind)
    parts = da.blockwise(
        _pair_block, (*out, from_), x, ind, indices, (from_,), _Starts(tuple(sizes)), (to,), axis=axis, size=n,
        new_axes=None, adjust_chunks={from_: 1}, align_arrays=False,
        dtype=x.dtype, meta=meta_from_array(x._meta, ndim=x.ndim + 1),
    )  # fmt: skip
    return fold(parts, (x.ndim,))


class _Starts(ArrayBlockwiseDep):  # type: ignore[misc]
    """For each block of an axis where it starts, and its size."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__((sizes,))
        self.starts = [0, *accumulate(sizes)]

    def __getitem__(self, index: tuple[int, ...]) -> Any:
        (i,) = index
        return self.starts[i], self.starts[i + 1] - self.starts[i]

    def __dask_tokenize__(self) -> Any:
        return type(self).__name__, self.chunks


def _pair_block(x: Any, indices: Any, block: tuple[int, int], *, axis: int, size: int) -> Any:
    start, n = block
    places = indices % max(size, 1) - start
    here = (places >= 0) & (places < n)
    out = np.zeros_like(x, shape=(*x.shape[:axis], n, *x.shape[axis + 1 :]))
    lead = (slice(None),) * axis
    add_at(out, (*lead, places[here]), x[(*lead, here)])
    return out[..., None]


def _at_arrays(x: Array, parts: Sequence[Any], shape: Sequence[int], chunks: Chunks) -> Array:
    """Several arrays of indices, and numbers and slices beside them: in one chunk along their axes."""
    axes = [a for a, k in enumerate(parts) if not _is_full(k)]
    arrays = [a for a in axes if hasattr(parts[a], "dtype")]
    numbers = [a for a in axes if not isinstance(parts[a], slice)]
    ndim = np.broadcast_shapes(*(parts[a].shape for a in arrays))
    together = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    first = numbers[0] if together else 0
    # The axes of the values: those of the whole that slices leave, and in one place those of the indices.
    kept = [a for a in range(len(shape)) if a not in numbers]
    labels = [*kept[:first], *range(len(shape), len(shape) + len(ndim)), *kept[first:]]
    x = x.rechunk({i: -1 for i, label in enumerate(labels) if label in axes or label >= len(shape)})
    aligned = {i: chunks[label] for i, label in enumerate(labels) if label in kept and label not in axes}
    x = x.rechunk(aligned)
    given = [part for a in arrays for part in _index_part(parts[a], len(shape))]
    statics = tuple(None if a in arrays else k for a, k in enumerate(parts))
    new = {a: shape[a] for a in axes if a not in labels}
    out = da.blockwise(
        _arrays_block, tuple(range(len(shape))), x, tuple(labels), *given, statics=statics, sizes=tuple(shape),
        new_axes=new, concatenate=True, adjust_chunks={a: shape[a] for a in axes if a in labels},
        dtype=x.dtype, meta=meta_from_array(x._meta, ndim=len(shape)),
    )  # fmt: skip
    return out.rechunk(chunks)


def _index_part(k: Any, ndim: int) -> tuple[Any, Any]:
    # Labels of their own: whole, in one block.
    k = da.asarray(k).rechunk(-1)
    first = ndim + 1000
    return k, tuple(range(first, first + k.ndim))


def _arrays_block(x: Any, *indices: Any, statics: tuple[Any, ...], sizes: tuple[int, ...]) -> Any:
    given = iter(indices)
    key = tuple([next(given) if k is None else k for k in statics])
    full = [isinstance(k, slice) and k == slice(None) for k in key]
    # On axes that are taken whole the block has the size that its values have there, in order.
    numbers = [a for a, k in enumerate(key) if not isinstance(k, slice)]
    together = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    count = np.broadcast(*(np.empty(k.shape) for k in key if hasattr(k, "shape"))).ndim
    first = numbers[0] if together else 0
    kept = [a for a in range(len(key)) if a not in numbers]
    labels = [*kept[:first], *[-1] * count, *kept[first:]]
    shape = tuple(x.shape[labels.index(a)] if full[a] else n for a, n in enumerate(sizes))
    out = np.zeros_like(x, shape=shape)
    add_at(out, key, x)
    return out


# -- masks -----------------------------------------------------------------------------------------------------------


def _at_mask(x: Array, mask: Array, shape: Sequence[int], chunks: Chunks) -> Array:
    """The k-th true element takes the k-th value: chunk by chunk where values come from chunks, else at once."""
    mask = da.asarray(mask)
    lead = mask.ndim
    rest = tuple(range(lead, len(shape)))
    aligned = {1 + i: chunks[a] for i, a in enumerate(rest) if x.chunks[1 + i] != chunks[a]}
    x = x.rechunk(aligned) if aligned else x
    # Of unknown size along that axis is what comes from a mask, chunk by chunk: other chunks may lie anywhere.
    if lead == 1 and math.isnan(x.shape[0]) and x.numblocks[0] == mask.numblocks[0]:
        out = da.blockwise(
            _mask_block, (0, *rest), mask, (0,), x, (0, *rest), align_arrays=False,
            adjust_chunks={0: mask.chunks[0]}, dtype=x.dtype, meta=x._meta,
        )  # fmt: skip
    else:
        whole, label = mask.rechunk(-1), len(shape)
        x = _in_one_block(x)
        out = da.blockwise(
            _mask_block, tuple(range(len(shape))), whole, tuple(range(lead)), x, (label, *rest), concatenate=True,
            align_arrays=False, dtype=x.dtype, meta=meta_from_array(x._meta, ndim=len(shape)),
        )  # fmt: skip
    unknown = any(math.isnan(n) for n in shape)
    return out if unknown or out.chunks == chunks else out.rechunk(chunks)


def _in_one_block(x: Array) -> Array:
    """An array in one block along its first axis, of unknown size maybe."""
    if x.numblocks[0] == 1:
        return x
    if not math.isnan(x.shape[0]):
        return x.rechunk({0: -1})
    name = f"joined-{tokenize(x.name)}"
    tasks = {}
    for index in product(*map(range, x.numblocks[1:])):
        key = (name, 0, *index)
        blocks = [TaskRef((x.name, i, *index)) for i in range(x.numblocks[0])]
        tasks[key] = Task(key, np.concatenate, List(*blocks))
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[x])
    return da.Array(graph, name, ((math.nan,), *x.chunks[1:]), meta=x._meta)


def _mask_block(mask: Any, x: Any) -> Any:
    out = np.zeros_like(x, shape=(*mask.shape, *x.shape[1:]))
    out[mask] = x
    return out
