"""Layers of dask graphs: what a block depends on, and copies under other names.

`dask.graph_manipulation.clone` does not serve: it leaves references inside of ``Task`` objects as they are, so that
copies of sliced or rechunked arrays share the tasks of the originals, or miss them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

Layer = Any
Key = Any


# Functions of tasks in the place of values that are in memory when the graph is run.
stand_ins: set[Any] = set()


def prefix(key: Key) -> Key:
    """The name of the array that a key belongs to; a key that is no block stands for itself."""
    return key[0] if type(key) is tuple else key


def inputs(layer: Layer, key: Key, known: Container[Key]) -> Iterator[Key]:
    """The keys that a block depends on, one after another: there may be many.

    Parameters
    ----------
    known : container of keys
        All that may be keys in tasks of the old kind, tuples.
    """
    from dask._task_spec import GraphNode
    from dask.blockwise import Blockwise
    from dask.core import keys_in_tasks

    if isinstance(layer, Blockwise):
        return _block_inputs(layer, key)
    task = layer.get(key, ())
    return iter(task.dependencies if isinstance(task, GraphNode) else keys_in_tasks(known, [task]))


def _block_inputs(layer: Layer, key: Key) -> Iterator[Key]:
    # As Blockwise._cull_dependencies, which lists all of them.
    from dask._task_spec import TaskRef

    place = dict(zip(layer.output_indices, key[1:], strict=True))
    for name, indices in layer.indices:
        if indices is None:
            if isinstance(name, TaskRef):
                yield name.key
        elif name not in layer.io_deps:
            blocks = zip(indices, layer.numblocks[name], strict=True)
            spans = [(0,) if n == 1 else (place[i],) if i in place else range(n) for i, n in blocks]
            yield from ((name, *block) for block in itertools.product(*spans))


def prefixes(layer: Layer) -> set[Key]:
    """The first names of a layer's keys."""
    from dask.blockwise import Blockwise

    return {layer.output} if isinstance(layer, Blockwise) else set(map(prefix, layer))


def in_memory(layer: Layer) -> bool:
    """Whether the blocks are values already, here or on a cluster."""
    from dask._task_spec import DataNode, GraphNode
    from dask.blockwise import Blockwise

    def is_value(task: Any) -> bool:
        if isinstance(task, GraphNode):
            return isinstance(task, DataNode) or getattr(task, "func", None) in stand_ins
        return type(task) not in (tuple, list, dict, str)

    return not isinstance(layer, Blockwise) and all(map(is_value, layer.values()))


def refers_to_keys(layer: Layer) -> bool:
    """Whether a layer refers to others where `copied` does not look."""
    return any(dep.produces_keys for dep in getattr(layer, "io_deps", {}).values())


def copied(layer: Layer, rename: Callable[[Key], Key], known: Container[Key]) -> Layer:
    """A layer with other names for some keys, its own and others.

    Parameters
    ----------
    rename : callable
        The new key for any key, or name of an array; the same for those that keep theirs.
    known : container of keys
        See `inputs`.
    """
    from dask.blockwise import Blockwise

    made = _blockwise(layer, rename) if isinstance(layer, Blockwise) else _materialised(layer, rename, known)
    made.annotations = layer.annotations
    made.collection_annotations = layer.collection_annotations and dict(layer.collection_annotations)
    return made


def after(layer: Layer, key: Key) -> Layer:
    """A layer whose tasks wait for another one, that of a key."""
    from dask._task_spec import Task, TaskRef
    from dask.blockwise import Blockwise, blockwise_token
    from dask.highlevelgraph import MaterializedLayer

    if isinstance(layer, Blockwise):
        last = TaskRef(blockwise_token(len(layer.indices)))
        made = Blockwise(
            layer.output,
            layer.output_indices,
            Task(layer.task.key, _first, layer.task, last, _data_producer=layer.task.data_producer),
            [*layer.indices, (TaskRef(key), None)],
            layer.numblocks,
            concatenate=layer.concatenate,
            new_axes=layer.new_axes,
            output_blocks=layer.output_blocks,
            io_deps=layer.io_deps,
        )
    else:
        made = MaterializedLayer({k: Task(k, _first, task, TaskRef(key)) for k, task in layer.items()})
    made.annotations = layer.annotations
    made.collection_annotations = layer.collection_annotations
    return made


def _first(value: Any, _: Any) -> Any:
    return value


def gate(name: str, keys: Iterable[Key]) -> Layer:
    """A layer of one task, which waits for some others."""
    from dask._task_spec import Task, TaskRef
    from dask.highlevelgraph import MaterializedLayer

    return MaterializedLayer({name: Task(name, _nothing, *map(TaskRef, keys))})


def _nothing(*_: Any) -> None:
    return None


def _blockwise(layer: Layer, rename: Callable[[Key], Key]) -> Layer:
    from dask._task_spec import TaskRef
    from dask.blockwise import Blockwise

    def renamed(name: Any) -> Any:
        if isinstance(name, TaskRef):
            return TaskRef(rename(name.key))
        return rename(name) if isinstance(name, str) and name not in layer.io_deps else name

    return Blockwise(
        rename(layer.output),
        layer.output_indices,
        layer.task.substitute({}, key=rename(layer.task.key)),
        [(renamed(name), indices) for name, indices in layer.indices],
        {renamed(name): n for name, n in layer.numblocks.items()},
        concatenate=layer.concatenate,
        new_axes=layer.new_axes,
        output_blocks=layer.output_blocks,
        io_deps=layer.io_deps,
    )


def _materialised(layer: Mapping[Key, Any], rename: Callable[[Key], Key], known: Container[Key]) -> Layer:
    from dask._task_spec import Alias, GraphNode, convert_legacy_graph
    from dask.highlevelgraph import MaterializedLayer

    tasks: dict[Key, Any] = dict(layer)
    if not all(isinstance(task, GraphNode) for task in tasks.values()):
        tasks = convert_legacy_graph(tasks, all_keys=known)
    made = {}
    for key, task in tasks.items():
        new = rename(key)
        if isinstance(task, Alias):  # which forgets a new key where its target stays
            made[new] = Alias(new, rename(task.target))
        else:
            made[new] = task.substitute({k: rename(k) for k in task.dependencies}, key=new)
    return MaterializedLayer(made)
