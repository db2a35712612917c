"""An optimised graph that is run again and again with other values, by whatever scheduler dask is set to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any
from uuid import uuid4

from agnograd.dask.values import is_dask

Key = Any

_runs = count()


class Graph:
    """A graph of tasks, some of which stand for values.

    Attributes
    ----------
    tasks : dict
    moving : list
        Keys of what depends on these values.
    """

    def __init__(self, tasks: Mapping[Key, Any], stand_ins: Iterable[Key]) -> None:
        from dask._task_spec import convert_legacy_graph

        self.tasks: dict[Any, Any] = dict(convert_legacy_graph(dict(tasks)))
        self.moving: list[Key] = _dependents(self.tasks, stand_ins)
        self._name = uuid4().hex

    def run(
        self, values: Mapping[Key, Any], wanted: Sequence[tuple[Any, bool]], options: Mapping[str, Any]
    ) -> list[Any]:
        """Values of some tasks.

        Parameters
        ----------
        values : mapping
            For the tasks that stand for them.
        wanted : sequence of (nested lists of key, bool)
            What is asked for, and whether it may stay where it was computed.
        options : mapping
            For the scheduler.

        Returns
        -------
        list
            Nested lists of values, or, of what stays, of what a graph holds in their place.
        """
        import dask.array as da
        from dask._task_spec import DataNode
        from dask.base import get_scheduler

        options = dict(options)
        get = get_scheduler(scheduler=options.pop("scheduler", None), collections=[], cls=da.Array)
        client = getattr(get, "__self__", None)
        if client is None or not type(client).__module__.startswith("distributed"):
            tasks = {**self.tasks, **{key: DataNode(key, x) for key, x in values.items()}}
            return list(get(tasks, [keys for keys, _ in wanted], **options))
        # A scheduler that still knows a key would return what it found last time.
        new = {key: _renamed(key, f"{self._name}-{next(_runs)}") for key in self.moving}
        tasks = {
            new.get(key, key): task.substitute(new, key=new[key]) if key in new else task
            for key, task in self.tasks.items()
            if key not in values
        }
        tasks.update({new[key]: _node(new[key], x) for key, x in values.items()})
        keys = [_mapped(keys, new) for keys, _ in wanted]
        futures = client.get(tasks, keys, sync=False, **options)
        gathered = iter(client.gather([x for x, (_, held) in zip(futures, wanted, strict=True) if not held]))
        return [x if held else next(gathered) for x, (_, held) in zip(futures, wanted, strict=True)]


def _node(key: Key, value: Any) -> Any:
    """A task that stands for a value, or for one on a worker."""
    from dask._task_spec import DataNode

    return value if _is_future(value) else DataNode(key, value)


def _renamed(key: Key, suffix: str) -> Key:
    return (f"{key[0]}-{suffix}", *key[1:]) if isinstance(key, tuple) else f"{key}-{suffix}"


def _mapped(keys: Any, new: Mapping[Key, Key]) -> Any:
    return [_mapped(k, new) for k in keys] if isinstance(keys, list) else new.get(keys, keys)


def _dependents(tasks: Mapping[Key, Any], keys: Iterable[Key]) -> list[Key]:
    """Some keys, and all that depend on them."""
    readers: dict[Key, list[Key]] = {}
    for key, task in tasks.items():
        for read in task.dependencies:
            readers.setdefault(read, []).append(key)
    found = list(dict.fromkeys(keys))
    seen = set(found)
    for key in found:
        new = [reader for reader in readers.get(key, ()) if reader not in seen]
        seen.update(new)
        found += new
    return found


def flat(blocks: Any) -> list[Any]:
    """Nested lists as one."""
    if not isinstance(blocks, (list, tuple)) or (isinstance(blocks, tuple) and blocks and isinstance(blocks[0], str)):
        return [blocks]
    return [x for part in blocks for x in flat(part)]


def from_blocks(blocks: Sequence[Any], like: Any) -> Any:
    """An array of dask whose blocks are known, of the chunks of another one."""
    import dask.array as da
    from dask.core import flatten
    from dask.highlevelgraph import HighLevelGraph

    name = f"blocks-{uuid4().hex}"
    keys = [(name, *key[1:]) for key in flatten(like.__dask_keys__())]
    layer = {key: _node(key, x) for key, x in zip(keys, blocks, strict=True)}
    return da.Array(HighLevelGraph.from_collections(name, layer), name, like.chunks, meta=like._meta)


def values_of(values: Sequence[Any], options: Mapping[str, Any]) -> list[Any]:
    """Arrays that were computed and left in chunks, each in one piece; anything else as it is."""
    import dask
    from dask._task_spec import GraphNode

    out, away = list(values), []
    for k, x in enumerate(values):
        if not is_dask(x):
            continue
        keys = x.__dask_keys__()
        nodes = {key: _value(x.dask[key]) for key in flat(keys)}
        if any(isinstance(node, GraphNode) or _is_future(node) for node in nodes.values()):
            away.append(k)
        else:
            # No scheduler has anything to do.
            finish, extra = x.__dask_postcompute__()
            out[k] = finish(_filled(keys, nodes), *extra)
    for k, x in zip(away, dask.compute(*[values[k] for k in away], **options), strict=True):
        out[k] = x
    return out


def _filled(keys: Any, nodes: Mapping[Key, Any]) -> Any:
    return [_filled(k, nodes) for k in keys] if isinstance(keys, list) else nodes[keys]


def _value(node: Any) -> Any:
    """What is at hand of a node of a graph: data without their key."""
    from dask._task_spec import DataNode

    return node.value if isinstance(node, DataNode) else node


def _is_future(x: Any) -> bool:
    """Whether it stands for a value on a worker of ``dask.distributed``."""
    return hasattr(x, "client") and hasattr(x, "key")


def blocks_of(x: Any, options: Mapping[str, Any]) -> list[Any]:
    """The blocks of an array, computed where they are not; on ``dask.distributed`` what stands for them."""
    import dask
    from dask.core import flatten

    layers = x.dask.layers
    if not (len(layers) == 1 and x.name.startswith("blocks-")):
        (x,) = dask.persist(x, **options)
    return [_value(x.dask[key]) for key in flatten(x.__dask_keys__())]
