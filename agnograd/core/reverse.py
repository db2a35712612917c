"""Reverse mode: the walk back through a graph.

It is written twice: for raw arrays, of which most passes consist, and for everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from contextvars import copy_context
from functools import partial
from heapq import heappop, heappush
from typing import Any
from weakref import WeakSet

from agnograd.core import observing
from agnograd.core.accumulation import Waiting, arrive, combiner
from agnograd.core.array import innermost, is_wrapper
from agnograd.core.batch import Batched
from agnograd.core.batched_elements import pulled
from agnograd.core.cotangent import Outputs, Partial
from agnograd.core.facts import namespace_of, raw_space
from agnograd.core.level import anomaly_checks, zero_safety
from agnograd.core.nodes import FREED, LEAF, Node, Reverse, Static, is_leaf, leaf_of, reattached, run_rule, wrap
from agnograd.core.op import Projection
from agnograd.core.table import OPS, deferring, settling, spaces
from agnograd.core.trace import TracedSpace, constant
from agnograd.core.walk import Walk, below, complete_at, leading_to, walking
from agnograd.errors import GraphFreedError

# Whether any node ever had hooks: only then are passes described to them.
any_hooks = False

# Leaves with hooks after accumulation: their gradients are written as soon as they are complete.
prompt_leaves: WeakSet[Node] = WeakSet()

# Nodes that passes start from which free what the graph saved, with a mark of the pass.
_claims: dict[Node, object] = {}


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
        if deferring:
            results.update({node: _evaluated(g) for node, g in results.items()})
        if settling:
            _settle(results)
    finally:
        for node in nodes:
            if _claims.get(node) is mark:
                del _claims[node]
    return results


def _evaluated(g: Any) -> Any:
    """A cotangent as an array, where it only stands for one."""
    space = spaces.get(type(g))
    return g if space is None or space.deferral is None else space.deferral.evaluate(g)


def _settle(results: dict[Node, Any]) -> None:
    """Make cotangents ordinary arrays, where a backend has others, and finish them together."""
    found: dict[Any, dict[Node, Any]] = {}
    for node, g in results.items():
        raw = g._array if isinstance(g, Reverse) and g._node is None else g
        if type(raw) is Partial or raw is None or is_wrapper(raw):
            continue
        space = spaces[type(raw)]
        if space.settle is not None:
            leaf = leaf_of(node) if is_leaf(node) else None
            like = None if leaf is None or raw_space(leaf) is not space else innermost(leaf)
            found.setdefault(space.finish, {})[node] = space.settle(raw, like)
    for finish, raws in found.items():
        together = raws.values() if finish is None else finish(list(raws.values()))
        for node, raw in zip(raws, together, strict=True):
            results[node] = wrap(raw, None) if is_wrapper(results[node]) else raw


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
    if nested or due or zero_safety.get() or anomaly_checks.get() is not None or observing.count:
        with observing.going_back(partial(_rules, roots, path)) if observing.count else nullcontext():
            _walk_any(roots, create_graph, wanted, path, results, release and not nested, due or {})
    else:
        _walk_raw(roots, release, wanted, path, results)


def _rules(roots: Sequence[tuple[Node, Any]], path: set[Node] | None) -> int:
    """How many rules a pass runs."""
    nodes = below([node for node, _ in roots], path) if path is None else path
    return sum(1 for node in nodes if not is_leaf(node) and type(node.variant) is not Projection)


def _walk_raw(
    roots: Sequence[tuple[Node, Any]],
    release: bool,
    wanted: set[Node],
    path: set[Node] | None,
    results: dict[Node, Any],
) -> None:
    # The nodes that something has arrived at, by their numbers.
    waiting: dict[int, Waiting] = {}
    heap: list[int] = []
    # Nothing comes after a leaf, which need not wait for its turn.
    leaves: list[Waiting] = []
    # The type of the last cotangent, its namespace, what runs rules there, and the last dtype that was found real: they
    # rarely change.
    kind = type(roots[0][1])
    xp: Any = spaces[kind]
    run = xp.run
    combine = combiner(xp)
    real: Any = None
    found: Any = None
    for root, g in roots:
        arrive(root, g, waiting, heap, leaves, combine)
    node: Any = None
    if heap:
        node, g, _ = waiting.pop(heappop(heap))
    while node is not None:
        variant = node.variant
        if variant is LEAF:
            arrive(node, g, waiting, heap, leaves, combine)
        else:
            if type(g) is not kind:
                if type(g) is Partial:
                    g = g.dense(spaces[type(g.g)])
                kind = type(g)
                space = spaces.get(kind)
                if space is not xp:
                    if space is None:
                        if is_wrapper(g.any if kind is Outputs else g):
                            # Code of the user brought a transformation in: it takes part in all that is left.
                            rest = [(other, _evaluated(found)) for other, found, _ in waiting.values()]
                            _walk_any([(node, g), *rest], False, wanted, path, results, release, {})
                            return
                        space = spaces[kind if kind is not Outputs else type(g.any)]
                    elif isinstance(xp, TracedSpace):
                        # A constant that a rule came to is one of the program, as all other cotangents are part of it.
                        g = constant(g)
                        kind = type(g)
                        space = spaces[kind]
                    xp = space
                    run = xp.run
                    combine = combiner(xp)
            if path is None or _leads_on(node, g, path, wanted, results):
                saved = node.saved
                dtype = g.dtype
                if dtype is real:
                    rule = variant.rule
                elif dtype in xp.reals:
                    rule = variant.rule
                    real = dtype
                else:
                    rule = variant.adjoint
                count = len(saved)
                if run is not None:
                    g = run(variant, rule, g, saved)
                elif count == 1:
                    # Most rules read two values or fewer, and CPython calls them twice as fast without the star.
                    g = rule(xp, g, saved[0])
                elif count == 2:
                    g = rule(xp, g, saved[0], saved[1])
                else:
                    g = rule(xp, g, *saved) if count else rule(xp, g)
                if release and type(saved) is not Static:
                    node.saved = FREED
                first = node.first
                second = node.second
                if second is not None:
                    if type(second) is tuple:
                        g, *others = g
                        for parent, other in zip(second, others, strict=True):
                            if other is not None:
                                arrive(parent, other, waiting, heap, leaves, combine)
                        others = None
                    else:
                        g, other = g
                        if other is None:
                            pass
                        elif g is None:
                            first = second
                            g = other
                        elif first is second:
                            # Both arguments are one array.
                            if run is None and type(g) is type(other) and type(g) is not Partial:
                                g = g + other
                            else:
                                found = [None, g, False]
                                combine(found, other)
                                g = found[1]
                        else:
                            if second.number < first.number:
                                # The newer one comes next, or before the other one.
                                first, second = second, first
                                g, other = other, g
                            number = second.number
                            found = waiting.get(number)
                            if found is not None:
                                combine(found, other)
                            else:
                                waiting[number] = found = [second, other, False]
                                if second.variant is LEAF:
                                    leaves.append(found)
                                else:
                                    heappush(heap, number)
                    found = other = None
                if g is not None:
                    number = first.number
                    if not heap or number < heap[0]:
                        # A chain: nothing that waits is as new as this parent, the heap has no part in it.
                        node = first
                        continue
                    found = waiting.get(number)
                    if found is not None:
                        combine(found, g)
                        found = None
                    else:
                        arrive(first, g, waiting, heap, leaves, combine)
                # The last references to arrays must not outlive their node.
                first = second = saved = None
        if not heap:
            break
        node, g, _ = waiting.pop(heappop(heap))
    for node, g, _ in leaves:
        if type(g) is Partial:
            g = g.dense(spaces[type(g.g)])
        if path is None or _leads_on(node, g, path, wanted, results):
            results[node] = g


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
            node.variant.rule(None, _evaluated(g), *node.saved)
        else:
            hooks.arrive(_evaluated(g))
    return False


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
        number = due.get(node, node.number) if due else node.number
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
    node: Any = None
    while heap or node is not None:
        if node is None:
            number = heappop(heap)
            node = waiting.pop(number)
            g = cotangents.pop(number, None)
            if parts and number in parts:
                whole = _assembled(parts.pop(number))
                g = whole if g is None else add(g, whole)
        this, node = node, None
        if path is not None and not _leads_on(this, g, path, wanted, results):
            continue
        first, second = this.first, this.second
        if first is None and is_leaf(this):
            if this.variant is LEAF:
                results[this] = g
            else:
                this.variant.rule(None, g, *this.saved)
            continue
        saved = reattached(this) if create_graph else tuple(this.saved)
        if observing.count:
            gs = _observed_pull(this, g, saved, safe)
        elif isinstance(g, Batched):
            gs = _pull(this, g, saved, safe)
        else:
            gs = run_rule(this, g, saved, safe)
        if checks is not None:
            checks.look_at(this, gs)
        if release and type(this.saved) is not Static:
            this.saved = FREED
        if second is not None:
            for parent, g in zip(this.parents, gs, strict=True):
                if g is not None:
                    accumulate(parent, g)
            continue
        (g,) = gs
        if g is None:
            continue
        if not due and type(g) is not Partial and (not heap or first.number < heap[0]):
            # A chain: nothing that waits is as new as this parent.
            node = first
        else:
            accumulate(first, g)


def _pull(node: Node, g: Any, saved: Sequence[Any], safe: bool) -> Sequence[Any]:
    gs = pulled(node.variant, g, saved, safe) if isinstance(g, Batched) else None
    return run_rule(node, g, saved, safe) if gs is None else gs


def _observed_pull(node: Node, g: Any, saved: Sequence[Any], safe: bool) -> Sequence[Any]:
    if type(node.variant) is Projection:
        return _pull(node, g, saved, safe)
    backend = raw_space(g.any if type(g) is Outputs else g).name
    call = observing.Call(node.variant.op.name, backend, observing.BACKWARD)
    observing.node.set(node.number)
    gs = observing.observed(call, partial(_pull, node, g, saved, safe))
    observing.step()
    return gs  # type: ignore[no-any-return]


def _assembled(parts: Sequence[Partial]) -> Any:
    """The whole cotangent from its parts: one operation, since a dense array for each would cost more than they do."""
    first = parts[0]
    if len(parts) == 1:
        return first.dense(namespace_of(first.g, ()))
    keys = tuple([part.key for part in parts])
    return OPS["embed_all"].call([part.g for part in parts], keys=keys, shape=first.spec.shape)
