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
from agnograd.core.array import innermost, is_wrapper
from agnograd.core.batched_elements import pulled
from agnograd.core.cotangent import Outputs, Partial
from agnograd.core.facts import namespace_of, raw_space
from agnograd.core.level import anomaly_checks, zero_safety
from agnograd.core.nodes import FREED, LEAF, Node, Reverse, Static, is_leaf, leaf_of, reattached, run_rule, wrap
from agnograd.core.op import Projection
from agnograd.core.table import OPS, settling, spaces
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
        if settling:
            _settle(results)
    finally:
        for node in nodes:
            if _claims.get(node) is mark:
                del _claims[node]
    return results


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
    cotangents: dict[int, Any] = {}
    waiting: dict[int, Node] = {}
    heap: list[int] = []
    # Nothing comes after a leaf, which need not wait for its turn.
    leaves: list[Node] = []
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
        add(root, g, cotangents, waiting, heap, owned, leaves)
    node: Any = None
    if heap:
        node = waiting.pop(heappop(heap))
        g = cotangents.pop(node.number)
    while node is not None:
        variant = node.variant
        if type(g) is Partial and variant is not LEAF:
            g = g.dense(spaces[type(g.g)])
        if variant is LEAF:
            add(node, g, cotangents, waiting, heap, owned, leaves)
        elif path is None or _leads_on(node, g, path, wanted, results):
            if type(g) is not kind:
                kind = type(g)
                if is_wrapper(g.any if kind is Outputs else g):
                    # Code of the user brought a transformation in: it takes part in all that is left.
                    rest = [(other, cotangents[other.number]) for other in (*waiting.values(), *leaves)]
                    _walk_any([(node, g), *rest], False, wanted, path, results, release, {})
                    return
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
                            add(parent, other, cotangents, waiting, heap, owned, leaves)
                    others = None
                else:
                    g, other = g
                    if other is not None:
                        add(second, other, cotangents, waiting, heap, owned, leaves)
                other = None
            if g is not None:
                if not heap or first.number < heap[0]:
                    # A chain: nothing that waits is as new as the first parent, the heap has no part in it.
                    node = first
                    continue
                add(first, g, cotangents, waiting, heap, owned, leaves)
            # The last references to arrays must not outlive their node.
            first = second = saved = None
        if not heap:
            break
        node = waiting.pop(heappop(heap))
        g = cotangents.pop(node.number)
    for node in leaves:
        g = cotangents[node.number]
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
    leaves: list[Node],
) -> None:
    """Add a contribution to the cotangent of `node`."""
    number = node.number
    total = cotangents.get(number)
    if total is None:
        cotangents[number] = g
        if node.variant is LEAF:
            leaves.append(node)
        else:
            waiting[number] = node
            heappush(heap, number)
    elif type(g) is not type(total) or type(g) is Partial:
        cotangents[number] = _add_unlike(number, total, g, owned)
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


def _add_unlike(number: int, total: Any, g: Any, owned: set[int]) -> Any:
    """The sum where one is a `Partial`, or a wrapper that code of the user brought in."""
    if is_wrapper(total) or is_wrapper(g):
        owned.discard(number)
        total, g = [x.dense(spaces[type(x.g)]) if type(x) is Partial else x for x in (total, g)]
        return OPS["add"].call(total, g)
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
        saved = reattached(node) if create_graph else tuple(node.saved)
        gs = _observed_pull(node, g, saved, safe) if observing.count else _pull(node, g, saved, safe)
        if checks is not None:
            checks.look_at(node, gs)
        if release and type(node.saved) is not Static:
            node.saved = FREED
        for parent, gi in zip(node.parents, gs, strict=True):
            if gi is not None:
                accumulate(parent, gi)


def _pull(node: Node, g: Any, saved: Sequence[Any], safe: bool) -> Sequence[Any]:
    gs = pulled(node.variant, g, saved, safe)
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
