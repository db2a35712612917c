"""Reverse mode: nodes, what they save, and the walk back.

A graph goes by reference counting alone: a tensor holds its node, a node its parents and saved raw values, and nothing
points forward. A leaf's node knows its tensor weakly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from contextvars import copy_context
from functools import partial
from heapq import heappop, heappush
from typing import Any
from weakref import WeakSet, ref

from agnograd.core.array import Array, innermost, is_wrapper
from agnograd.core.cotangent import Outputs, Partial
from agnograd.core.level import ROOT, Level, anomaly_checks, zero_safety
from agnograd.core.op import Projection, Variant
from agnograd.core.table import OPS, Space, spaces
from agnograd.core.walk import Walk, below, complete_at, leading_to, walking
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
        return tuple(edge(parents[i]) if i in parents else (None, 0) for i in range(self.slots))

    @property
    def slots(self) -> int:
        """Number of the operation's arguments that may have a gradient."""
        if is_leaf(self):
            return 0
        return max(len(self.variant.op.arrays), *(i + 1 for i in self.variant.needs))

    @property
    def variable(self) -> Any:
        """The tensor that a leaf's node accumulates into, as long as it lives."""
        if not is_leaf(self):
            msg = f"{type(exposed(self)).__name__!r} object has no attribute 'variable'"
            raise AttributeError(msg)
        return leaf_of(self)

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Call ``hook(grad_inputs, grad_outputs)`` after the node has run; a tuple that it returns replaces the former.

        Parameters
        ----------
        hook : callable
            Takes two tuples: the gradients of the operation's arguments, as in `next_functions`, and of its outputs.

        Returns
        -------
        RemovableHandle
        """
        from agnograd.core.hooks import RemovableHandle, hooks_of

        return RemovableHandle(hook, hooks_of(self).after)

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        """Call ``hook(grad_outputs)`` before the node runs; a tuple that it returns replaces them.

        Returns
        -------
        RemovableHandle
        """
        from agnograd.core.hooks import RemovableHandle, hooks_of

        return RemovableHandle(hook, hooks_of(self).before)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The arrays that the node keeps for its rule, as tensors with their place in the graph.

        Raises
        ------
        GraphFreedError
            If a backward pass has freed them.
        """
        if is_leaf(self):
            return ()
        names = self.variant.names
        found = [x for name, x in zip(names, reattached(self), strict=True) if _is_array(self.variant, name)]
        return tuple([y for x in found for y in (x if type(x) is tuple else (x,))])

    def __call__(self, *gradients: Any) -> Any:
        """Run the node's rule on gradients of its outputs, recorded where grad mode is on.

        Returns
        -------
        Tensor or tuple of Tensor or None
            The gradients of its arguments, in the order of `next_functions`.

        Raises
        ------
        TypeError
            If there are not as many gradients as outputs.
        GraphFreedError
            If a backward pass has freed what the node saved.
        """
        if is_leaf(self):
            msg = "a leaf's node accumulates gradients in backward passes only"
            raise TypeError(msg)
        count = self.variant.op.outputs
        if len(gradients) != count:
            msg = f"{self.name()} expected {count} arguments, got {len(gradients)}"
            raise TypeError(msg)
        g = gradients[0] if count == 1 else Outputs(gradients)
        found = dict(zip(self.variant.needs, _wrapped_rule(self, g), strict=True))
        slots = tuple([found.get(i) for i in range(self.slots)])
        return slots[0] if len(slots) == 1 else slots

    def _sequence_nr(self) -> int:
        """A number that grows with every node."""
        return -self.number

    @property
    def metadata(self) -> dict[str, Any]:
        """A free dictionary for debugging."""
        try:
            return self.metadata_
        except AttributeError:
            self.metadata_: dict[str, Any] = {}
            return self.metadata_


class LeafVariant(Variant):
    """The end of a path: the cotangent that arrives there is the gradient."""

    __slots__ = ()

    def __init__(self) -> None:
        self.needs = ()
        self.kinds = ()

    def zero_safe(self) -> Variant:
        """Itself: it has no rule."""
        return self


LEAF: Variant = LeafVariant()


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


def _named_value(self: Node, name: str) -> Any:
    """Saved values by name, ``_saved_x1``, ``_saved_ans``, as PyTorch has them."""
    if name.startswith("_saved_") and not is_leaf(self) and name[7:] in self.variant.names:
        return reattached(self)[self.variant.names.index(name[7:])]
    msg = f"{type(exposed(self)).__name__!r} object has no attribute {name!r}"
    raise AttributeError(msg)


def node_class(variant: Variant) -> type[Node]:
    """The subclass of Node that users see for this operation."""
    name = "AccumulateGrad" if isinstance(variant, LeafVariant) else variant.op.node_name
    found = _node_classes.get(name)
    if found is None:
        # A class with __getattr__ reads all attributes slowly: the one that the walk meets has none.
        members = {"__slots__": (), "__module__": "agnograd", "__getattr__": _named_value}
        found = _node_classes[name] = type(name, (Node,), members)
    return found


def exposed(node: Node) -> Node:
    """The same node under the class that users know.

    Nodes are of one class until somebody looks: CPython reads an attribute several times faster where it always meets
    the same class, and the walk reads six of them a node.
    """
    if type(node) is Node:
        node.__class__ = node_class(node.variant)
    return node


def is_leaf(node: Node) -> bool:
    """Whether a path ends at a node."""
    return isinstance(node.variant, LeafVariant)


def leaf_of(node: Node) -> Any:
    """The tensor of a leaf's node, or None if it is gone."""
    saved = node.saved
    return saved[0]() if type(saved) is Static else saved()


def edge(node: Node) -> tuple[Node, int]:
    """The node of the operation that an array comes from, as users see it, and which output of it the array is."""
    variant = node.variant
    plain = variant if variant.hooks is None or is_leaf(node) else variant.plain  # type: ignore[attr-defined]
    return (exposed(node.first), plain.index) if type(plain) is Projection else (exposed(node), 0)


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


def shown(g: Any) -> Any:
    """A cotangent as users see it: a tensor, or None."""
    return g if g is None or isinstance(g, Array) else wrap(g, None)


# Whether any node ever had hooks: only then are passes described to them.
any_hooks = False

# Leaves with hooks after accumulation: their gradients are written as soon as they are complete.
prompt_leaves: WeakSet[Node] = WeakSet()

# Nodes that passes start from which free what the graph saved, with a mark of the pass.
_claims: dict[Node, object] = {}


def new_leaf(tensor: Reverse, level: Level = ROOT) -> Node:
    """A node that collects the gradient of `tensor`."""
    return Node(next_number(), LEAF, ref(tensor), None, None, level)


def backward(
    roots: Sequence[tuple[Node, Any]],
    *,
    release: bool = True,
    create_graph: bool = False,
    targets: Iterable[Node] = (),
    accumulate: Callable[[Node, Any], None] | None = None,
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
        Nodes whose cotangents are wanted; only what leads to them runs. None of them: those of all leaves.
    accumulate : callable, optional
        ``accumulate(node, g)`` writes the gradient of a leaf with hooks that come after that.

    Returns
    -------
    dict
        The cotangents of `targets`, or of every leaf that was reached.

    Raises
    ------
    GraphFreedError
        If another pass has freed what the graph saved, or is about to.
    """
    wanted = set(targets)
    nodes = [node for node, _ in roots]
    path = leading_to(wanted, nodes) if wanted else None
    results: dict[Node, Any] = {}
    mark = object()
    try:
        if release and not create_graph:
            # One operation, so that of several threads one is the first.
            for node in nodes:
                if _claims.setdefault(node, mark) is not mark:
                    _check_nothing_to_free(nodes, path)
        if any_hooks:
            _walk_with_hooks(roots, release, create_graph, wanted, path, results, accumulate)
        else:
            _walk(roots, release, create_graph, wanted, path, results)
    finally:
        for node in nodes:
            if _claims.get(node) is mark:
                del _claims[node]
    return results


def _check_nothing_to_free(nodes: Sequence[Node], path: set[Node] | None) -> None:
    if any(not is_leaf(node) and type(node.saved) is not Static for node in below(nodes, path)):
        msg = (
            "trying to go backward through the graph a second time, while a pass of another thread, or one that a hook "
            "takes part in, goes through it and frees what it saved. Pass retain_graph=True to each backward() or "
            "grad() call but the last."
        )
        raise GraphFreedError(msg)


def _walk_with_hooks(
    roots: Sequence[tuple[Node, Any]],
    release: bool,
    create_graph: bool,
    wanted: set[Node],
    path: set[Node] | None,
    results: dict[Node, Any],
    accumulate: Callable[[Node, Any], None] | None,
) -> None:
    nodes = [node for node, _ in roots]
    walk = Walk(nodes, wanted, path, results, create_graph, accumulate)
    due = complete_at(nodes, path, prompt_leaves) if prompt_leaves and accumulate is not None else None
    run = partial(_walk, roots, release, create_graph, wanted, path, results, due)
    with walking(walk):
        if walk.depth % _DEPTH == _DEPTH - 1:
            _in_thread(run)
        else:
            run()


# Passes inside of passes, in hooks and custom functions, go on in a new thread before Python's stack is full.
_DEPTH = 30


def _in_thread(run: Callable[[], None]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    context = copy_context()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(context.run, run).result()


def _walk(
    roots: Sequence[tuple[Node, Any]],
    release: bool,
    create_graph: bool,
    wanted: set[Node],
    path: set[Node] | None,
    results: dict[Node, Any],
    due: dict[Node, float] | None = None,
) -> None:
    nested = create_graph or roots[0][0].level.nested or any([is_wrapper(g) for _, g in roots])
    if nested or due or zero_safety.get() or anomaly_checks.get() is not None:
        _walk_any(roots, create_graph, wanted, path, results, release and not nested, due or {})
    else:
        _walk_raw(roots, release, wanted, path, results)


def _walk_raw(
    roots: Sequence[tuple[Node, Any]],
    release: bool,
    wanted: set[Node],
    path: set[Node] | None,
    results: dict[Node, Any],
) -> None:
    cotangents: dict[int, Any] = {}
    waiting: dict[int, Node] = {}
    heap: list[int] = []
    # Numbers whose cotangent is an array that the walk itself allocated: only those are added to in place.
    owned: set[int] = set()
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
        variant = node.variant
        if path is not None and not _leads_on(node, g, path, wanted, results):
            pass
        elif variant is LEAF:
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
            if release and type(saved) is not Static:
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
            return
        node = waiting.pop(heappop(heap))
        g = cotangents.pop(node.number)


def _leads_on(node: Node, g: Any, path: set[Node], wanted: set[Node], results: dict[Node, Any]) -> bool:
    """Whether something wanted lies behind a node. Its own cotangent, if it is wanted, is kept."""
    if node in path:
        if node in wanted:
            results[node] = g
        return True
    if node in wanted:
        # The end of a path: hooks of the tensor run, the node itself does not.
        hooks = node.variant.hooks
        if hooks is None:
            results[node] = g
        elif is_leaf(node):
            node.variant.rule(None, g, *node.saved)
        else:
            hooks.arrive(g)
    return False


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
    roots: Sequence[tuple[Node, Any]],
    create_graph: bool,
    wanted: set[Node],
    path: set[Node] | None,
    results: dict[Node, Any],
    release: bool,
    due: dict[Node, float],
) -> None:
    """The walk where cotangents or saved values are wrappers, where zero cotangents are to stay zero, and the like.

    Every sum is an operation of the table. Nodes that are `due` have other numbers here than their own.
    """
    safe, checks = zero_safety.get(), anomaly_checks.get()
    cotangents: dict[float, Any] = {}
    waiting: dict[float, Node] = {}
    heap: list[float] = []
    parts: dict[float, list[Partial]] = {}
    add = OPS["add"].call

    def accumulate(node: Node, g: Any) -> None:
        number = due.get(node, node.number)
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
        number = heappop(heap)
        node = waiting.pop(number)
        g = cotangents.pop(number, None)
        if number in parts:
            whole = _assembled(parts.pop(number))
            g = whole if g is None else add(g, whole)
        if path is not None and not _leads_on(node, g, path, wanted, results):
            continue
        if node.variant is LEAF:
            results[node] = g
        if is_leaf(node):
            if node.variant is not LEAF:
                node.variant.rule(None, g, *node.saved)
            continue
        gs = _general_rule(node, g, reattached(node) if create_graph else tuple(node.saved), safe)
        if checks is not None:
            checks.look_at(node, gs)
        if release and type(node.saved) is not Static:
            node.saved = FREED
        for parent, gi in zip(node.parents, gs, strict=True):
            if gi is not None:
                accumulate(parent, gi)


def _assembled(parts: Sequence[Partial]) -> Any:
    """The whole cotangent from its parts: one operation, since a dense array for each would cost more than they do."""
    first = parts[0]
    if len(parts) == 1:
        return first.dense(namespace_of(first.g, ()))
    keys = tuple([part.key for part in parts])
    return OPS["embed_all"].call([part.g for part in parts], keys=keys, shape=tuple(first.spec.shape))


def _general_rule(node: Node, g: Any, saved: Sequence[Any], safe: bool) -> Sequence[Any]:
    """Run a node's rule on raw arrays throughout, or on wrappers throughout; one cotangent for each parent."""
    xp = namespace_of(g, saved)
    if not isinstance(xp, Space):
        g = g.map(as_wrapper) if type(g) is Outputs else as_wrapper(g)
        saved = _as_wrappers(node.variant, saved)
    variant = node.variant.zero_safe() if safe else node.variant
    rule = variant.adjoint if xp.isdtype(g.dtype, "complex floating") else variant.rule
    guard = xp.guard if isinstance(xp, Space) else None
    with nullcontext() if guard is None else guard(g):
        found = rule(xp, g, *saved)
    return (found,) if node.second is None else found


def _wrapped_rule(node: Node, g: Any) -> list[Any]:
    g = g.map(as_wrapper) if type(g) is Outputs else as_wrapper(g)
    found = _general_rule(node, g, reattached(node), zero_safety.get())
    return [x.dense(namespace_of(x.g, ())) if type(x) is Partial else x for x in found]


def _is_array(variant: Variant, name: str) -> bool:
    return name == "ans" or name in variant.op.arrays


def reattached(node: Node) -> list[Any]:
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
        if kind == -1
        else wrap(value, projection(node, -2 - kind))
        for value, kind in zip(node.saved, node.variant.kinds, strict=True)
    ]


def projected(values: Iterable[Any], node: Node) -> tuple[Any, ...]:
    """The outputs of an operation with several, as tensors of its node."""
    return tuple([wrap(x, projection(node, i) if carries(x) else None) for i, x in enumerate(values)])


def projection(node: Node, index: int) -> Node:
    """The node of one output of an operation with several."""
    return Node(next_number(), node.variant.op.projection(index), NOTHING, node, None, node.level)


def carries(x: Any) -> bool:
    """Whether the dtype of an array is one that carries gradients."""
    return x.dtype in raw_space(x).floats


def _as_wrappers(variant: Variant, saved: Iterable[Any]) -> list[Any]:
    names = zip(variant.names, saved, strict=True)
    return [as_wrapper(x) if _is_array(variant, name) else x for name, x in names]


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
