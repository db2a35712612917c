"""Dask graphs that hold no more than they must: what a barrier would keep in memory is computed again behind it.

A barrier is a summary of much data, a norm or a mean over all chunks, that is used together with the same data: in
``x - mean(x)`` no chunk is finished before all of them have been read, and dask holds them all in between. So do
derivatives of such functions, whose cotangents depend on the summary. Here the part of a graph behind a barrier gets
copies of the tasks before it, under other names: a chunk is read again, used and forgotten.

The stage of a layer is the number of barriers before it. What it needs of an earlier stage is copied into its own,
unless that is small, or lies in memory anyway. Names tell the stage, ``tanh-again-1-...``: copies that are equal are
one, however they came about, and a graph that has been through here comes out as it is.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

from agnograd.backends.dask_layers import after, copied, gate, in_memory, inputs, prefix, prefixes, refers_to_keys

Array = Any
Layer = Any
Key = Any

_TAG = re.compile(r"-again-(\d+)(?=-|$)")

# In the place of the blocks of some data that are needed: so many that it matters.
_MUCH: frozenset[Key] = frozenset([None])
_NONE: frozenset[Key] = frozenset()

# Blocks along an axis that are not many; and so many that there is no need to count on.
_NEIGHBOURS = 16
_COUNTED = 256

# Bytes of an intermediate result that are held across a barrier; None for the size that dask gives its chunks.
held_bytes: ContextVar[float | None] = ContextVar("agnograd_dask_held_bytes", default=None)


def finish(arrays: Sequence[Array]) -> Sequence[Array]:
    """The same arrays as the options of the context have them, see `agnograd.dask.saved`."""
    import dask
    from dask.utils import parse_bytes

    limit = held_bytes.get()
    if limit is None:
        limit = parse_bytes(dask.config.get("array.chunk-size"))
    return arrays if limit == math.inf else bounded(arrays, limit)


def bounded(arrays: Sequence[Array], limit: float) -> list[Array]:
    """The same arrays on graphs that hold no intermediate result of more than `limit` bytes across a barrier.

    Parameters
    ----------
    arrays : sequence of dask.array.Array
        What is computed together.
    limit : float
        Bytes up to which a result is held rather than computed again.

    Returns
    -------
    list of dask.array.Array
        The arrays themselves where there is no barrier.
    """
    from dask.highlevelgraph import HighLevelGraph

    graphs = [x for x in arrays if x.name in x.dask.layers]
    stages = Stages(graphs, limit)
    if not stages.any():
        return list(arrays)
    # Many results that are small enough, each for itself, may be too much together.
    while stages.held_across() > limit and stages.limit > limit / 100:
        stages = Stages(graphs, stages.limit / 4)
    names, layers, dependencies = _copies(stages, [x.name for x in arrays if x.name in stages.layers])
    whole = HighLevelGraph(layers, dependencies)
    return [_on(whole, names.get(x.name, x.name), x) for x in arrays]


def _on(graph: Any, name: str, x: Array) -> Array:
    """An array on another graph; itself where its name says that nothing has changed."""
    if name == x.name:
        return x
    import dask.array as da

    return da.Array(graph.cull_layers([name]), name, chunks=x.chunks, dtype=x.dtype, meta=x._meta)


def _stage(name: str) -> int:
    """The stage that a name tells."""
    found = _TAG.search(name)
    return int(found[1]) if found else 0


def _named(name: str, stage: int) -> str:
    """The name of what is copied into a stage."""
    if _TAG.search(name):
        return _TAG.sub(f"-again-{stage}", name, count=1)
    words, dash, token = name.rpartition("-")
    return f"{words}-again-{stage}-{token}" if dash else f"{name}-again-{stage}"


class Size(NamedTuple):
    """What is known of a layer at a glance.

    Attributes
    ----------
    blocks : tuple of int or None
        Number of blocks along each axis; None for what is no array.
    largest : float
        Bytes of the largest block.
    held : bool
        Whether it is small, or lies in memory anyway.
    """

    blocks: tuple[int, ...] | None
    largest: float
    held: bool

    def is_much(self, needed: frozenset[Key]) -> bool:
        """Whether some blocks are many along an axis: more than the neighbours that a difference or a filter needs."""
        assert self.blocks is not None
        many = [min(n - 1, _NEIGHBOURS) for n in self.blocks]
        if len(needed) <= min([m for m in many if m], default=len(needed)):
            return False
        return any(len(set(places)) > m > 0 for places, m in zip(zip(*needed, strict=True), (0, *many), strict=True))


class Facts(NamedTuple):
    """The place of a layer among the stages.

    Attributes
    ----------
    run : int
        The stage in which its tasks run.
    out : int
        The stage in which all that it depends on has gone by: one more where each block needs much of its stage's data.
    data : frozenset of str
        The data of its stage that it depends on: large layers of an earlier stage, or that nothing large comes before.
    """

    run: int
    out: int
    data: frozenset[str]


class Stages:
    """The stages of the layers of some graphs.

    Parameters
    ----------
    arrays : sequence of dask.array.Array
    limit : float
        Bytes of an intermediate result that may be held.

    Attributes
    ----------
    dependencies : dict
        Layer to those that it depends on, which come before it.
    """

    def __init__(self, arrays: Sequence[Array], limit: float) -> None:
        self.limit = limit
        self.layers: dict[str, Layer] = {}
        self.dependencies: dict[str, list[str]] = {}
        self._sizes: dict[str, Size] = {}
        self._facts: dict[str, Facts] = {}
        # A block to the blocks that it needs of the data of its stage, by layer.
        self._needs: dict[Key, dict[str, frozenset[Key]]] = {}
        for x in arrays:
            graph = x.dask
            for name in _in_order(x.name, graph.dependencies, self.layers):
                self.layers[name] = graph.layers[name]
                self.dependencies[name] = list(graph.dependencies[name])
                self._sizes[name] = self._measure(name)

    def any(self) -> bool:
        """Whether anything large is needed in two stages.

        Most layers are of no account: those of sums and the like that nothing large comes after.
        """
        for name, before in self.dependencies.items():
            if len(before) > 1 and any(not self._sizes[d].held for d in before):
                run = self.facts(name).run
                if any(self.source(d, run) != self.facts(d).run for d in before):
                    return True
        return False

    def held_across(self) -> float:
        """Bytes of all small results that may be held at a time: those that a barrier comes before or after."""
        held = {}
        for name, before in self.dependencies.items():
            run = self.facts(name).run
            for d in before:
                blocks, largest, small = self._sizes[d]
                facts = self.facts(d)
                if small and math.prod(blocks or ()) > 1 and (facts.run or (facts.data and facts.out < run)):
                    held[d] = math.prod(blocks or ()) * largest
        return sum(held.values())

    def facts(self, name: str) -> Facts:
        """The place of a layer."""
        if name not in self._facts:
            for each in _in_order(name, self.dependencies, self._facts):
                self._find(each)
        return self._facts[name]

    def source(self, name: str, stage: int) -> int:
        """The stage of the copy of a layer that others of a stage depend on; that in which it runs for itself."""
        facts = self.facts(name)
        return facts.run if self._sizes[name].held or facts.out >= stage else stage

    def is_summary(self, name: str, stage: int) -> bool:
        """Whether a layer is small, known from a stage on, and depends on no data of that."""
        facts = self.facts(name)
        return self._sizes[name].held and facts.out == stage and (facts.run < stage or not facts.data)

    def owner(self, key: Key, user: str) -> str | None:
        """The layer of a key that occurs in the layer `user`; None where it is no key."""
        name = prefix(key)
        if name in self.layers:
            return name  # type: ignore[no-any-return]
        return next((d for d in (user, *self.dependencies[user]) if key in self.layers[d]), None)

    def _measure(self, name: str) -> Size:
        about = self.layers[name].collection_annotations or {}
        chunks, dtype = about.get("chunks"), about.get("dtype")
        if chunks is None or dtype is None:
            return Size(None, 0, True)
        before = self.dependencies[name]
        largest = dtype.itemsize * math.prod([max(c, default=0) for c in chunks])
        if math.isnan(largest):  # a part of what it comes from
            largest = max([self._sizes[d].largest for d in before], default=0)
        blocks = tuple(map(len, chunks))
        count = math.prod(blocks)
        held = count == 1 or count * largest <= self.limit or (not before and in_memory(self.layers[name]))
        return Size(blocks, largest, held)

    def _find(self, name: str) -> None:
        """Learn the place of a layer from those of the ones before."""
        before = self.dependencies[name]
        run = _stage(name) or max([self._facts[d].out for d in before], default=0)
        data: set[str] = set()
        for d in before:
            if self._is_data(d, run):
                data.add(d)
            elif self._facts[d].run == run:
                data |= self._facts[d].data
        self._facts[name] = facts = Facts(run, run, frozenset(data))
        blocks = self._sizes[name].blocks
        if data and blocks is not None and self._needs_much(name, blocks):
            self._facts[name] = facts._replace(out=run + 1)

    def _is_data(self, name: str, stage: int) -> bool:
        """Whether a layer is data of a stage, to which dependencies are traced back."""
        facts = self._facts[name]
        return not self._sizes[name].held and (facts.run < stage or not facts.data)

    def _needs_much(self, name: str, blocks: tuple[int, ...]) -> bool:
        """Whether the first block and the last one need more than the limit of some data.

        A cumulative sum needs it at one end only: there, chunks may come and go in order.
        """
        first, last = (name, *[0] * len(blocks)), (name, *[n - 1 for n in blocks])
        much = _much(self._needed_by(first, name))
        return bool(much and (first == last or much & _much(self._needed_by(last, name))))

    def _needed_by(self, key: Key, layer: str) -> dict[str, frozenset[Key]]:
        """The blocks that a block needs of the data of its stage, as far as it is not known to be much."""
        needs, stage = self._needs, self._facts[layer].run
        if key in needs:
            return needs[key]
        needs[key] = {}
        stack = [(layer, needs[key], self._inputs(key, layer))]
        while stack:
            user, found, following = stack[-1]
            enough = bool(found) and all(found.get(data) is _MUCH for data in self._facts[user].data)
            k = None if enough else next(following, None)
            if k is None:
                stack.pop()
                if stack:
                    self._add_all(stack[-1][1], found)
                continue
            owner = self.owner(k, user)
            if owner is None:
                continue
            if self._is_data(owner, stage):
                self._add_all(found, {owner: frozenset([k])})
            elif self._facts[owner].run != stage or not self._facts[owner].data:
                continue
            elif k in needs:
                self._add_all(found, needs[k])
            else:
                needs[k] = {}
                stack.append((owner, needs[k], self._inputs(k, owner)))
        return needs[key]

    def _inputs(self, key: Key, layer: str) -> Iterator[Key]:
        return inputs(self.layers[layer], key, _Keys(self, layer))

    def _add_all(self, found: dict[str, frozenset[Key]], more: Mapping[str, frozenset[Key]]) -> None:
        for data, blocks in more.items():
            have = found.get(data, _NONE)
            if have is not _MUCH:
                every = blocks if blocks is _MUCH else have | blocks
                size = self._sizes[data]
                large = (len(every) * size.largest > self.limit or len(every) > _COUNTED) and size.is_much(every)
                found[data] = _MUCH if large else every


def _much(needs: Mapping[str, frozenset[Key]]) -> set[str]:
    return {data for data, blocks in needs.items() if blocks is _MUCH}


class _Keys:
    """All that a layer may take for a key."""

    def __init__(self, stages: Stages, user: str) -> None:
        self._stages = stages
        self._user = user

    def __contains__(self, key: Key) -> bool:
        owner = self._stages.owner(key, self._user)
        return owner is not None and _has(self._stages.layers[owner], key)


def _has(layer: Layer, key: Key) -> bool:
    output = getattr(layer, "output", None)
    # To ask a layer that is not written out for a key would write it out.
    return key in layer if output is None else type(key) is tuple and len(key) == 1 + len(layer.output_indices)


def _copies(stages: Stages, outputs: Sequence[str]) -> tuple[dict[str, str], dict[str, Layer], dict[str, set[str]]]:
    """The names that the outputs have in a graph with copies, and its layers and dependencies."""
    order = list(stages.dependencies)
    wanted: defaultdict[str, set[int]] = defaultdict(set)
    for name in outputs:
        wanted[name].add(stages.facts(name).run)
    for name in reversed(order):
        for stage in wanted[name]:
            for d in stages.dependencies[name]:
                wanted[d].add(_source(stages, name, d, stage))
    names: dict[tuple[str, int], str] = {}
    layers: dict[str, Layer] = {}
    dependencies: dict[str, set[str]] = {}
    for name in order:
        for stage in sorted(wanted[name]):
            before = _before(stages, name, stage)
            moved = {d: s for d, s in before.items() if names[d, s] != d}
            own = stage == stages.facts(name).run and not moved
            new = names[name, stage] = name if own else _named(name, stage)
            dependencies[new] = {names[d, s] for d, s in before.items()}
            layers[new] = stages.layers[name] if own else _copy(stages, name, stage, moved)
    _wait(stages, wanted, names, layers, dependencies)
    return {name: names[name, stages.facts(name).run] for name in outputs}, layers, dependencies


def _wait(
    stages: Stages,
    wanted: Mapping[str, set[int]],
    names: Mapping[tuple[str, int], str],
    layers: dict[str, Layer],
    dependencies: dict[str, set[str]],
) -> None:
    """Have data that is read again wait for the summaries before its stage: it would only lie about until then."""
    from dask.base import tokenize

    summaries: defaultdict[int, set[str]] = defaultdict(set)
    for name, before in stages.dependencies.items():
        stage = stages.facts(name).run
        if stage in wanted[name]:
            summaries[stage] |= {names[d, stages.facts(d).run] for d in before if stages.is_summary(d, stage)}
    gates = {}
    for stage, found in summaries.items():
        if stage and found:
            gates[stage] = name = _named(f"gate-{tokenize(sorted(found))}", stage)
            layers[name] = gate(name, [key for d in sorted(found) for key in layers[d].get_output_keys()])
            dependencies[name] = found
    for (name, stage), new in names.items():
        again = stage > stages.facts(name).out
        if again and stage in gates and not any(names[d, s] != d for d, s in _before(stages, name, stage).items()):
            layers[new] = after(layers[new], gates[stage])
            dependencies[new] = {*dependencies[new], gates[stage]}


def _before(stages: Stages, name: str, stage: int) -> dict[str, int]:
    """The layers that one depends on, and in what stages."""
    return {d: _source(stages, name, d, stage) for d in stages.dependencies[name]}


def _source(stages: Stages, user: str, name: str, stage: int) -> int:
    return stages.facts(name).run if refers_to_keys(stages.layers[user]) else stages.source(name, stage)


def _copy(stages: Stages, name: str, stage: int, moved: Mapping[str, int]) -> Layer:
    """A layer in a stage, where it depends on copies of others in theirs."""
    renamed = {p: _named(p, s) for d, s in {**moved, name: stage}.items() for p in prefixes(stages.layers[d])}

    def rename(key: Key) -> Key:
        if type(key) is tuple:
            return (renamed.get(key[0], key[0]), *key[1:])
        return renamed.get(key, key)

    return copied(stages.layers[name], rename, _Keys(stages, name))


def _in_order(last: str, dependencies: Mapping[str, Iterable[str]], known: Mapping[str, Any]) -> Iterator[str]:
    """The layers up to `last` that are not known yet, none before what it depends on; each is known when it went by."""
    stack = [last]
    while stack:
        name = stack[-1]
        unknown = [d for d in dependencies[name] if d not in known] if name not in known else []
        if not unknown:
            stack.pop()
            if name not in known:
                yield name
        stack += unknown
