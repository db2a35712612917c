"""One backward pass, as hooks see it: what it started from, what it is for, and what it has found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class Walk:
    """One backward pass.

    Attributes
    ----------
    roots : sequence of Node
        Where it started.
    wanted : set of Node
        Nodes whose cotangents were asked for; empty where they are those of all leaves.
    path : set of Node or None
        Nodes that lead to a wanted one, where there are any: no others run.
    results : dict
        Cotangents found so far.
    create_graph : bool
        Whether the pass itself is recorded.
    accumulate : callable or None
        ``accumulate(node, g)`` writes a leaf's gradient; None for a pass that leaves ``grad`` alone.
    at_end : list of callable
        Called when the pass is over, whether it failed or not.
    depth : int
        How many passes it runs inside of.
    """

    __slots__ = ("accumulate", "at_end", "create_graph", "depth", "path", "results", "roots", "wanted")

    def __init__(
        self,
        roots: Sequence[Any],
        wanted: set[Any],
        path: set[Any] | None,
        results: dict[Any, Any],
        create_graph: bool,
        accumulate: Callable[[Any, Any], None] | None,
    ) -> None:
        self.roots: Sequence[Any] = roots
        self.wanted: set[Any] = wanted
        self.path: set[Any] | None = path
        self.results: dict[Any, Any] = results
        self.create_graph: bool = create_graph
        self.accumulate: Callable[[Any, Any], None] | None = accumulate
        self.at_end: list[Callable[[], Any]] = []
        outer = current()
        self.depth: int = 0 if outer is None else outer.depth + 1

    def hooked(self, nodes: Sequence[Any]) -> set[Any]:
        """Those of some nodes whose tensors' hooks run in this pass."""
        reached = below(self.roots, self.path)
        return {n for n in nodes if n in reached and (self.path is None or n in self.path or n in self.wanted)}


_current: ContextVar[Walk | None] = ContextVar("agnograd_walk", default=None)
current: Callable[[], Walk | None] = _current.get


@contextmanager
def walking(walk: Walk) -> Iterator[None]:
    """Make a pass the current one."""
    token = _current.set(walk)
    try:
        yield
    finally:
        _current.reset(token)
        for function in walk.at_end:
            function()


def leading_to(wanted: set[Any], roots: Sequence[Any]) -> set[Any]:
    """The nodes below `roots` from which a wanted one can be reached: those that must run."""
    path: set[Any] = set()
    seen: set[Any] = set()
    # Each node twice: before its parents and after them.
    stack = [(root, False) for root in roots]
    while stack:
        node, done = stack.pop()
        if done:
            if any(parent in path or parent in wanted for parent in node.parents):
                path.add(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(parent, False) for parent in node.parents if parent not in seen]
    return path


def complete_at(roots: Sequence[Any], path: set[Any] | None, leaves: Collection[Any]) -> dict[Any, float]:
    """Numbers for some leaves in a pass from `roots`: each comes right after the last node that contributes to it."""
    last: dict[Any, int] = {}
    for node in below(roots, path):
        for parent in node.parents:
            if parent in leaves and (path is None or node in path):
                last[parent] = max(last.get(parent, node.number), node.number)
    return {leaf: number + (i + 1) / (len(last) + 1) for i, (leaf, number) in enumerate(last.items())}


def below(roots: Sequence[Any], path: set[Any] | None) -> set[Any]:
    """The nodes that a pass from `roots` comes to."""
    seen = set(roots)
    stack = list(roots)
    while stack:
        node = stack.pop()
        if path is None or node in path:
            new = [parent for parent in node.parents if parent not in seen]
            seen.update(new)
            stack += new
    return seen
