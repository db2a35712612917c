"""From a function of blocks to arrays of dask: how arrays lie on a grid of blocks, and the layers of the graph.

All arguments and results of a function of blocks lie on one grid. An argument that has fewer blocks along an axis of it
is given to several blocks; a result that has fewer is a sum over blocks. The one is the transpose of the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from operator import getitem
from typing import Any, NamedTuple
from uuid import uuid4

from agnograd.core.facts import raw_space
from agnograd.dask.bodies import Block, Body, items, total
from agnograd.dask.values import is_dask, plain

Chunks = tuple[tuple[int, ...], ...]
Key = tuple[Any, ...]

# How many blocks a sum takes together, unless dask's configuration has another opinion (`split_every`).
_SPLIT_EVERY = 8


class Layout(NamedTuple):
    """How an array lies on a grid.

    Attributes
    ----------
    labels : tuple of int or None
        The axis of the grid that each of its axes lies on; None for what every block gets whole, or adds to.
    chunks : tuple of tuple of int
    meta : array
        Of no elements, of the type and dtype of its chunks.
    """

    labels: tuple[int, ...] | None
    chunks: Chunks
    meta: Any

    @property
    def carries(self) -> bool:
        """Whether its dtype is one that carries gradients."""
        return self.meta.dtype in raw_space(self.meta).floats

    def axes(self) -> list[tuple[int | None, tuple[int, ...]]]:
        """Label and chunks of each axis."""
        return list(zip(self.labels or [None] * len(self.chunks), self.chunks, strict=True))

    def summed(self, grid: Sequence[int]) -> tuple[int, ...]:
        """The axes of the grid that a result is summed over: those of several blocks along which it has one."""
        own = {label for label, sizes in self.axes() if len(sizes) > 1}
        return tuple([label for label, n in enumerate(grid) if n > 1 and label not in own])

    def key(self, name: str, place: Sequence[int]) -> Key:
        """The key of its part in the block at `place`."""
        return (name, *[0 if label is None or len(sizes) == 1 else place[label] for label, sizes in self.axes()])

    def shifted(self, sizes: tuple[int, ...], labels: Iterable[int]) -> Layout:
        """The same with one axis more, the first, on axis 0 of a grid that has one more.

        Parameters
        ----------
        sizes : tuple of int
            The chunks along that axis.
        labels : iterable of int
            Axes of the grid that are free, for what had none.
        """
        meta = meta_of(self.meta, len(self.chunks) + 1)
        if self.labels is not None:
            return Layout((0, *[n + 1 for n in self.labels]), (sizes, *self.chunks), meta)
        own = None if len(sizes) == 1 else (0, *[n for _, n in zip(self.chunks, labels, strict=False)])
        return Layout(own, (sizes, *self.chunks), meta)


def meta_of(x: Any, ndim: int | None = None) -> Any:
    """An array of no elements like a raw one, or like the chunks of one."""
    from dask.array.utils import meta_from_array

    x = x._meta if is_dask(x) else x
    # NumPy's scalars stand for arrays of no axes.
    x = raw_space(x).asarray(x)
    return meta_from_array(x, ndim=x.ndim if ndim is None else ndim, dtype=x.dtype)


def assembled(
    body: Body,
    name: str,
    grid: Sequence[int],
    inputs: Sequence[tuple[Any, Layout]],
    outputs: Sequence[Layout],
    split_every: int | None = None,
) -> list[Any]:
    """The results of a body for all blocks, as arrays of dask.

    Parameters
    ----------
    body : callable
        Takes a chunk for each input, returns a list of chunks.
    name : str
        What the tasks are called.
    grid : sequence of int
        Number of blocks along each axis.
    inputs : sequence of (array, Layout)
    outputs : sequence of Layout
    split_every : int, optional
        How many blocks a sum takes together.
    """
    from dask.base import tokenize

    arguments = [_argument(x, layout) for x, layout in inputs]
    token = tokenize(
        body, tuple(grid), [(a.name, a.labels) for a in arguments], [(o.labels, o.chunks) for o in outputs]
    )
    groups: dict[tuple[int, ...], list[int]] = {}
    for k, layout in enumerate(outputs):
        groups.setdefault(layout.summed(grid), []).append(k)
    labels = tuple(range(len(grid)))
    first = outputs[0]
    if len(outputs) == 1 and () in groups and first.labels is not None and set(first.labels) == set(labels):
        return [_array(*_mapped(Block(body, True), f"{name}-{token}", first.labels, grid, arguments), first)]
    core, graph = _mapped(Block(body, False), f"{name}-blocks-{token}", labels, grid, arguments)
    found: list[Any] = [None] * len(outputs)
    for summed, places in groups.items():
        made = (
            _kept(core, graph, name, token, grid, outputs, places)
            if not summed
            else _sums(core, graph, name, token, grid, outputs, places, summed, split_every, alone=len(groups) == 1)
        )
        for k, array in zip(places, made, strict=True):
            found[k] = array
    return found


class _Argument(NamedTuple):
    """An input as a layer of blocks reads it: by the labels of its axes, or, where there are none, whole by its key."""

    name: str
    labels: tuple[int, ...] | None
    numblocks: tuple[int, ...]
    collection: Any


def _argument(x: Any, layout: Layout) -> _Argument:
    x = fitted(_unexpanded(x), layout)
    if layout.labels is not None and is_dask(x):
        return _Argument(x.name, layout.labels, x.numblocks, x)
    return _whole(x)


def _unexpanded(x: Any) -> Any:
    """A cotangent without the shape that it is still to be repeated to: bodies do that, in views."""
    if not is_dask(x):
        return x
    from agnograd.backends.dask_cotangents import Symbolic

    if type(x) is Symbolic and x.base is None and x.factor is None:
        return x.dtype.type(x.scale)
    return plain(x)


def fitted(x: Any, layout: Layout) -> Any:
    """A raw array in the chunks of a layout, but along axes that it has only one element of."""
    import dask.array as da

    if not is_dask(x):
        if layout.labels is None or all(n == 1 for n in x.shape):
            return x
        x = da.from_array(x, chunks=tuple(c if n != 1 else 1 for n, c in zip(x.shape, layout.chunks, strict=True)))
    missing = len(layout.chunks) - x.ndim
    if missing > 0:
        x = x[(None,) * missing]
    wanted = tuple(
        [own if own == sizes or not _known(own) or sum(own) == 1 else sizes]
        for own, sizes in zip(x.chunks, layout.chunks, strict=True)
    )
    chunks = tuple([c for (c,) in wanted])
    return x if chunks == x.chunks else x.rechunk(chunks)


def _known(sizes: Sequence[float]) -> bool:
    return not any(math.isnan(n) for n in sizes)


def _whole(x: Any) -> _Argument:
    """What every block reads: one node of the graph, however large, that is sent to each worker once."""
    from dask._task_spec import Alias
    from dask.base import tokenize
    from dask.delayed import Delayed
    from dask.highlevelgraph import HighLevelGraph

    if is_dask(x):
        # A layer of its own: dask merges layers of blocks that are read by label, and only these.
        x = x.rechunk(-1)
        name = f"whole-{tokenize(x.name)}"
        graph = HighLevelGraph.from_collections(name, {name: Alias(name, (x.name, *(0,) * x.ndim))}, dependencies=[x])
        return _Argument(name, None, (), Delayed(name, graph, layer=name))
    space = raw_space(x)
    if not x.shape:
        # Numbers are part of the tasks.
        return _Argument(f"number-{tokenize(x)}", None, (), space.copy(space.asarray(x)))
    # A copy: what is computed later is not to see writes until then.
    name, collection = whole_node(space.copy(space.asarray(x)))
    return _Argument(name, None, (), collection)


def whole_node(value: Any) -> tuple[str, Any]:
    """The key of a node of its own for a value, and the collection that has it."""
    from dask._task_spec import DataNode
    from dask.delayed import Delayed
    from dask.highlevelgraph import HighLevelGraph

    name = f"parameter-{uuid4().hex}"
    graph = HighLevelGraph.from_collections(name, {name: DataNode(name, value)})
    return name, Delayed(name, graph, layer=name)


def _mapped(
    function: Callable[..., Any],
    name: str,
    labels: Sequence[int] | None,
    grid: Sequence[int],
    arguments: Sequence[_Argument],
) -> tuple[str, Any]:
    """Name and graph of a layer with one task for each block."""
    from dask._task_spec import TaskRef
    from dask.base import is_dask_collection
    from dask.blockwise import blockwise
    from dask.highlevelgraph import HighLevelGraph

    pairs: list[Any] = []
    known: set[int] = set()
    for argument in arguments:
        if argument.labels is None:
            pairs += [TaskRef(argument.name) if is_dask_collection(argument.collection) else argument.collection, None]
        else:
            pairs += [argument.name, argument.labels]
            known.update(argument.labels)
    layer = blockwise(
        function,
        name,
        tuple(labels or ()),
        *pairs,
        numblocks={a.name: a.numblocks for a in arguments if a.labels is not None},
        new_axes={label: 1 for label in range(len(grid)) if label not in known},
    )
    return name, HighLevelGraph.from_collections(
        name, layer, dependencies=[a.collection for a in arguments if is_dask_collection(a.collection)]
    )


def _array(name: str, graph: Any, layout: Layout) -> Any:
    import dask.array as da

    return da.Array(graph, name, layout.chunks, meta=layout.meta)


def _extended(graph: Any, name: str, layer: Any, below: str) -> Any:
    """A graph with one layer more."""
    from dask.highlevelgraph import HighLevelGraph

    return HighLevelGraph({**graph.layers, name: layer}, {**graph.dependencies, name: {below}})


def _places(grid: Sequence[int]) -> Iterable[tuple[int, ...]]:
    return product(*[range(n) for n in grid])


def _kept(
    core: str, graph: Any, name: str, token: str, grid: Sequence[int], outputs: Sequence[Layout], places: Sequence[int]
) -> list[Any]:
    """Results of which each block has a chunk of its own."""
    from dask._task_spec import Task, TaskRef
    from dask.blockwise import blockwise

    labels = tuple(range(len(grid)))
    found = []
    for k in places:
        own = outputs[k]
        of_k = f"{name}-{k}-{token}"
        layer: Any
        if own.labels is not None and set(own.labels) == set(labels):
            layer = blockwise(getitem, of_k, own.labels, core, labels, k, None, numblocks={core: tuple(grid)})
        else:
            keys = [(own.key(of_k, place), (core, *place)) for place in _places(grid)]
            layer = {key: Task(key, getitem, TaskRef(source), k) for key, source in keys}
        found.append(_array(of_k, _extended(graph, of_k, layer, core), own))
    return found


def _sums(
    core: str,
    graph: Any,
    name: str,
    token: str,
    grid: Sequence[int],
    outputs: Sequence[Layout],
    places: Sequence[int],
    summed: Sequence[int],
    split_every: int | None,
    *,
    alone: bool,
) -> list[Any]:
    """Results that are sums over the same blocks: one tree for all of them."""
    from dask._task_spec import Task, TaskRef

    tree = f"{name}-sum-{places[0]}-{token}"
    layer: dict[Any, Any] = {}
    leaves: dict[Key, list[Key]] = {}
    for place in _places(grid):
        source = (core, *place)
        if not alone:
            # Only what is summed waits for its neighbours.
            picked = (f"{name}-items-{places[0]}-{token}", *place)
            layer[picked] = Task(picked, items, TaskRef(source), tuple(places))
            source = picked
        outer = tuple([0 if label in summed else n for label, n in enumerate(place)])
        leaves.setdefault(outer, []).append(source)
    width = max(2, split_every or _split_every())
    for outer, parts in leaves.items():
        level = 0
        while len(parts) > 1:
            groups = [parts[i : i + width] for i in range(0, len(parts), width)]
            last = len(groups) == 1
            keys: list[Key] = [(tree, *outer) if last else (f"{tree}-{level}", *outer, i) for i in range(len(groups))]
            for key, group in zip(keys, groups, strict=True):
                layer[key] = Task(key, total, *map(TaskRef, group))
            parts, level = keys, level + 1
    graph = _extended(graph, tree, layer, core)
    found = []
    for n, k in enumerate(places):
        own, of_k = outputs[k], f"{name}-{k}-{token}"
        item = n if not alone else k
        keys_of = [(own.key(of_k, outer), (tree, *outer)) for outer in leaves]
        last_layer = {key: Task(key, getitem, TaskRef(source), item) for key, source in keys_of}
        found.append(_array(of_k, _extended(graph, of_k, last_layer, tree), own))
    return found


def _split_every() -> int:
    from dask import config

    found = config.get("split_every", None)
    return found if isinstance(found, int) else _SPLIT_EVERY
