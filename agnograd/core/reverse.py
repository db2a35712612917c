"""Reverse mode: nodes, what they save, and the walk back.

A graph goes by reference counting alone: a tensor holds its node, a node its parents and saved raw values, and nothing
points forward. A leaf's node knows its tensor weakly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from heapq import heappop, heappush
from typing import Any
from weakref import ref

from agnograd.core.array import Array, innermost, is_wrapper
from agnograd.core.cotangent import Outputs, Partial
from agnograd.core.level import ROOT, Level, zero_safety
from agnograd.core.op import Projection, Variant
from agnograd.core.table import OPS, Space, spaces
from agnograd.errors import GraphFreedError

# Numbers fall, so that a heap of them yields the newest node first.
next_number = itertools.count(-1, -1).__next__


class Node:
    """One recorded call: an entry of the graph.

    Attributes
    ----------
    number : int
        Falls with every node that is made: parents have larger numbers.
    variant : Variant
        The rule, and what its saved values are.
    saved : tuple
        Saved values: raw arrays, specs and static parameters.
    first : Node
        The parent of the first argument that needs a gradient.
    second : Node, tuple of Node or None
        The other parents; None if there is one parent only.
    level : Level
        The level that recorded it.
    """

    __slots__ = ("__weakref__", "first", "level", "metadata_", "number", "saved", "second", "variant")

    def __init__(self, number: int, variant: Variant, saved: Any, first: Any, second: Any, level: Level) -> None:
        self.number = number
        self.variant = variant
        self.saved = saved
        self.first = first
        self.second = second
        self.level = level

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    def name(self) -> str:
        """Name of the node's class, ``AddBackward0`` for an addition."""
        return node_class(self.variant).__name__

    @property
    def parents(self) -> tuple[Node, ...]:
        """Nodes of the arguments that need a gradient."""
        if self.first is None:
            return ()
        if self.second is None:
            return (self.first,)
        return (self.first, *self.second) if type(self.second) is tuple else (self.first, self.second)

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """``(node, output number)`` for each differentiable argument; ``(None, 0)`` where no gradient is needed."""
        parents = dict(zip(self.variant.needs, self.parents, strict=True))
        if self.variant is LEAF:
            return ()
        count = max(len(self.variant.op.arrays), *(i + 1 for i in self.variant.needs))
        return tuple(edge(parents[i]) if i in parents else (None, 0) for i in range(count))

    @property
    def variable(self) -> Any:
        """The tensor that a leaf's node accumulates into, as long as it lives."""
        if self.variant is not LEAF:
            msg = f"{type(exposed(self)).__name__!r} object has no attribute 'variable'"
            raise AttributeError(msg)
        return self.saved()

    @property
    def metadata(self) -> dict[str, Any]:
        """A free dictionary for debugging."""
        try:
            return self.metadata_
        except AttributeError:
            self.metadata_: dict[str, Any] = {}
            return self.metadata_


class _LeafVariant(Variant):
    """The end of a path: the cotangent that arrives there is the gradient."""

    __slots__ = ()

    def __init__(self) -> None:
        self.needs = ()
        self.kinds = ()


LEAF: Variant = _LeafVariant()


class Static(tuple[Any, ...]):
    """Saved values without an array: nothing to free, so the node may be walked again."""

    __slots__ = ()


NOTHING = Static()


class _Freed:
    def __len__(self) -> int:
        return len(tuple(self))

    def __iter__(self) -> Iterator[Any]:
        msg = (
            "trying to go backward through the graph a second time: the values that it had saved were freed by the "
            "first pass. Pass retain_graph=True to that first backward() or grad() call."
        )
        raise GraphFreedError(msg)


FREED = _Freed()

_node_classes: dict[str, type[Node]] = {}


def node_class(variant: Variant) -> type[Node]:
    """The subclass of Node that users see for this operation."""
    name = "AccumulateGrad" if variant is LEAF else variant.op.node_name
    found = _node_classes.get(name)
    if found is None:
        found = _node_classes[name] = type(name, (Node,), {"__slots__": (), "__module__": "agnograd"})
    return found


def exposed(node: Node) -> Node:
    """The same node under the class that users know.

    Nodes are of one class until somebody looks: CPython reads an attribute several times faster where it always meets
    the same class, and the walk reads six of them a node.
    """
    if type(node) is Node:
        node.__class__ = node_class(node.variant)
    return node


def edge(node: Node) -> tuple[Node, int]:
    """The node of the operation that an array comes from, as users see it, and which output of it the array is."""
    if type(node.variant) is Projection:
        return exposed(node.first), node.variant.index
    return exposed(node), 0


class Reverse(Array):
    """The wrapper of reverse mode; `agnograd.tensors.Tensor` adds what users of PyTorch know.

    Attributes
    ----------
    _node : Node or None
        None where no gradient is needed: such a tensor is a constant, at whatever level it is used.
    """

    __slots__ = ("_grad", "_node")

    _node: Node | None

    def __init__(self, array: Any, node: Node | None) -> None:
        self._array = array
        self._node = node
        self._views = None

    @property
    def level(self) -> Level | None:
        """The level of its graph; None for a constant."""
        return None if self._node is None else self._node.level


class _Classes:
    """The concrete classes of the states of a tensor, set by `agnograd.tensors` (see `agnograd.core.array`)."""

    plain: type[Reverse]
    nested: type[Reverse]
    owner: type[Reverse]
    owned_array: Callable[[Any], Any]


classes = _Classes


def wrap(array: Any, node: Node | None) -> Any:
    """A tensor around `array`, of the class that its state asks for."""
    if is_wrapper(array):
        return array if node is None else classes.nested(array, node)
    return classes.plain(array, node)


def new_leaf(tensor: Reverse, level: Level = ROOT) -> Node:
    """A node that collects the gradient of `tensor`."""
    return Node(next_number(), LEAF, ref(tensor), None, None, level)


def backward(
    roots: Sequence[tuple[Node, Any]],
    *,
    release: bool = True,
    create_graph: bool = False,
    targets: Iterable[Node] = (),
) -> dict[Node, Any]:
    """Walk the graph back from `roots`.

    Parameters
    ----------
    roots : sequence of (Node, array)
        Nodes and their cotangents.
    release : bool
        Free each node's saved arrays as soon as it has run.
    create_graph : bool
        Record the walk itself, so that its results can be differentiated again.
    targets : iterable of Node
        Nodes other than leaves whose cotangents are wanted.

    Returns
    -------
    dict
        The cotangent of every leaf that was reached, and of `targets`.
    """
    wanted = set(targets)
    if create_graph or roots[0][0].level.nested or any(is_wrapper(g) for _, g in roots):
        return _walk_any(roots, create_graph, wanted)
    if zero_safety.get():
        return _walk_any(roots, create_graph, wanted, release)
    return _walk_raw(roots, release, wanted)


def _walk_raw(roots: Sequence[tuple[Node, Any]], release: bool, wanted: set[Node]) -> dict[Node, Any]:
    cotangents: dict[int, Any] = {}
    waiting: dict[int, Node] = {}
    heap: list[int] = []
    # Numbers whose cotangent is an array that the walk itself allocated: only those are added to in place.
    owned: set[int] = set()
    results: dict[Node, Any] = {}
    # The type of the last cotangent, its namespace, the guard of its devices, and the last dtype that was found real:
    # they rarely change.
    kind = type(roots[0][1])
    xp: Any = spaces[kind]
    guard = xp.guard
    add = _add if guard is None else _guarded_add(guard)
    real: Any = None
    for root, g in roots:
        add(root, g, cotangents, waiting, heap, owned)
    node = waiting.pop(heappop(heap))
    g = cotangents.pop(node.number)
    while True:
        if type(g) is Partial:
            g = g.dense(spaces[type(g.g)])
        if wanted and node in wanted:
            results[node] = g
        variant = node.variant
        if variant is LEAF:
            results[node] = g
        else:
            if type(g) is not kind:
                kind = type(g)
                xp = spaces[kind if kind is not Outputs else type(g.any)]
                guard = xp.guard
                add = _add if guard is None else _guarded_add(guard)
            saved = node.saved
            dtype = g.dtype
            if dtype is real:
                rule = variant.rule
            elif dtype in xp.reals:
                rule = variant.rule
                real = dtype
            else:
                rule = variant.adjoint
            if guard is not None:
                with guard(g):
                    g = rule(xp, g, *saved)
            elif len(saved) == 1:
                # Most rules read one value or none, and CPython calls them twice as fast without the star.
                g = rule(xp, g, saved[0])
            else:
                g = rule(xp, g, *saved) if saved else rule(xp, g)
            if release and type(saved) is tuple:
                node.saved = FREED
            first = node.first
            second = node.second
            if second is not None:
                if type(second) is tuple:
                    g, *others = g
                    for parent, other in zip(second, others, strict=True):
                        if other is not None:
                            add(parent, other, cotangents, waiting, heap, owned)
                    others = None
                else:
                    g, other = g
                    if other is not None:
                        add(second, other, cotangents, waiting, heap, owned)
                other = None
            if g is not None:
                if not heap or first.number < heap[0]:
                    # A chain: nothing that waits is as new as the first parent, the heap has no part in it.
                    node = first
                    continue
                add(first, g, cotangents, waiting, heap, owned)
            # The last references to arrays must not outlive their node.
            first = second = saved = None
        if not heap:
            return results
        node = waiting.pop(heappop(heap))
        g = cotangents.pop(node.number)


def _add(
    node: Node,
    g: Any,
    cotangents: dict[int, Any],
    waiting: dict[int, Node],
    heap: list[int],
    owned: set[int],
) -> None:
    """Add a contribution to the cotangent of `node`."""
    number = node.number
    total = cotangents.get(number)
    if total is None:
        cotangents[number] = g
        waiting[number] = node
        heappush(heap, number)
    elif type(g) is Partial or type(total) is Partial:
        cotangents[number] = _add_partial(number, total, g, owned)
    elif number in owned:
        total += g
        cotangents[number] = total
    else:
        cotangents[number] = total + g
        owned.add(number)


def _guarded_add(guard: Callable[[Any], Any]) -> Callable[..., None]:
    def add(node: Node, g: Any, *state: Any) -> None:
        with guard(g.g if type(g) is Partial else g):
            _add(node, g, *state)

    return add


def _add_partial(number: int, total: Any, g: Any, owned: set[int]) -> Any:
    if type(total) is Partial:
        total = total.dense(spaces[type(total.g)])
        owned.add(number)
    xp = spaces[type(total)]
    if type(g) is not Partial:
        return total + g
    if number not in owned:
        total = xp.copy(total)
        owned.add(number)
    return xp.add_into(total, g.g, g.key)


def _walk_any(
    roots: Sequence[tuple[Node, Any]], create_graph: bool, wanted: set[Node], release: bool = False
) -> dict[Node, Any]:
    """The walk where cotangents or saved values are wrappers, or where zero cotangents are to stay zero.

    Every sum is an operation of the table.
    """
    safe = zero_safety.get()
    cotangents: dict[int, Any] = {}
    waiting: dict[int, Node] = {}
    heap: list[int] = []
    results: dict[Node, Any] = {}
    parts: dict[int, list[Partial]] = {}
    add = OPS["add"].call

    def accumulate(node: Node, g: Any) -> None:
        number = node.number
        if number not in waiting:
            waiting[number] = node
            heappush(heap, number)
        if type(g) is Partial:
            parts.setdefault(number, []).append(g)
        elif number in cotangents:
            total = cotangents[number]
            cotangents[number] = total + g if type(g) is Outputs else add(total, g)
        else:
            cotangents[number] = g

    for root, g in roots:
        accumulate(root, g)
    while heap:
        node = waiting.pop(heappop(heap))
        g = cotangents.pop(node.number, None)
        if node.number in parts:
            whole = _assembled(parts.pop(node.number))
            g = whole if g is None else add(g, whole)
        if node.variant is LEAF or node in wanted:
            results[node] = g
        if node.variant is LEAF:
            continue
        saved = _reattached(node) if create_graph else tuple(node.saved)
        xp = namespace_of(g, saved)
        if not isinstance(xp, Space):
            g = g.map(as_wrapper) if type(g) is Outputs else as_wrapper(g)
            saved = _as_wrappers(node.variant, saved)
        real = not xp.isdtype(g.dtype, "complex floating")
        variant = node.variant.op.zero_safe(node.variant) if safe else node.variant
        rule = variant.rule if real else variant.adjoint
        guard = xp.guard if isinstance(xp, Space) else None
        with nullcontext() if guard is None else guard(g):
            gs = rule(xp, g, *saved)
        if release and type(node.saved) is tuple:
            node.saved = FREED
        for parent, gi in zip(node.parents, (gs,) if node.second is None else gs, strict=True):
            if gi is not None:
                accumulate(parent, gi)
    return results


def _assembled(parts: Sequence[Partial]) -> Any:
    """The whole cotangent from its parts: one operation, since a dense array for each would cost more than they do."""
    first = parts[0]
    if len(parts) == 1:
        return first.dense(namespace_of(first.g, ()))
    keys = tuple([part.key for part in parts])
    return OPS["embed_all"].call([part.g for part in parts], keys=keys, shape=tuple(first.spec.shape))


def _reattached(node: Node) -> list[Any]:
    """Saved raw values as tensors with their nodes, so that the rule's own operations are recorded."""
    parents = node.parents
    return [
        value
        if kind is None
        else wrap(value, parents[kind])
        if kind >= 0
        else projected(value, node)
        if type(value) is tuple
        else wrap(value, node)
        for value, kind in zip(node.saved, node.variant.kinds, strict=True)
    ]


def projected(values: Iterable[Any], node: Node) -> tuple[Any, ...]:
    """The outputs of an operation with several, as tensors of its node."""
    project = node.variant.op.projection
    return tuple(
        [
            wrap(x, Node(next_number(), project(i), NOTHING, node, None, node.level) if carries(x) else None)
            for i, x in enumerate(values)
        ]
    )


def carries(x: Any) -> bool:
    """Whether the dtype of an array is one that carries gradients."""
    return x.dtype in raw_space(x).floats


def _as_wrappers(variant: Variant, saved: Iterable[Any]) -> list[Any]:
    arrays = {*variant.op.arrays, "ans"}
    return [as_wrapper(x) if name in arrays else x for name, x in zip(variant.names, saved, strict=True)]


def as_wrapper(x: Any) -> Any:
    """A raw array as a constant; what rules see are wrappers throughout, or raw arrays throughout.

    An operator between the two is not for every backend: array-api-strict raises where it should return NotImplemented.
    """
    if type(x) is tuple:
        return tuple([as_wrapper(y) for y in x])
    return x if isinstance(x, Array) or type(x) in _SCALARS else wrap(x, None)


_SCALARS = frozenset((bool, int, float, complex))


def namespace_of(g: Any, others: Iterable[Any]) -> Any:
    """The namespace that a rule runs on: the raw one unless anything is a wrapper."""
    if type(g) is Outputs:
        others = (*g.items, *others)
        g = g.any
    for value in (g, *others):
        if type(value) is tuple:
            value = next((x for x in value if isinstance(x, Array)), None)
        if isinstance(value, Array):
            return value.__array_namespace__()
    return spaces[type(innermost(g))]


def raw_space(x: Any) -> Space:
    """The raw namespace of the backend inside all wrappers."""
    return spaces[type(innermost(x))]


def describe(x: Any) -> str:
    """Shape, dtype, backend and device of an array, for messages; never its values."""
    space = raw_space(x)
    shape = tuple([n if n == n else None for n in x.shape])  # a lazy backend's unknown size is NaN
    return f"shape {shape}, {short(x.dtype)}, {space.name} on {short(space.device(innermost(x)))}"


def short(x: Any) -> str:
    """The name of a dtype or device without its module."""
    return str(x).rpartition(".")[2]
