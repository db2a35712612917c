"""Contributions to one cotangent of a pass on raw arrays, and their sum."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappush
from typing import Any

from agnograd.core.array import is_wrapper
from agnograd.core.cotangent import Partial
from agnograd.core.nodes import LEAF, Node
from agnograd.core.table import OPS, Space, spaces

# A node, its cotangent so far, and whether that is an array that the walk itself allocated: only those are added to in
# place.
Waiting = list[Any]


def arrive(
    node: Node,
    g: Any,
    waiting: dict[int, Waiting],
    heap: list[int],
    leaves: list[Waiting],
    combine: Callable[[Waiting, Any], None],
) -> None:
    """Add a contribution to the cotangent of `node`."""
    number = node.number
    found = waiting.get(number)
    if found is not None:
        combine(found, g)
        return
    waiting[number] = found = [node, g, False]
    if node.variant is LEAF:
        leaves.append(found)
    else:
        heappush(heap, number)


def _combine(found: Waiting, g: Any) -> None:
    """Add to a cotangent."""
    _, total, owned = found
    kind = type(g)
    if kind is type(total) and kind is not Partial:
        if owned:
            total += g
            found[1] = total
        else:
            found[1] = total + g
            found[2] = True
    elif kind is Partial and owned and type(g.g) is type(total):
        found[1] = spaces[type(total)].add_into(total, g.g, g.key)
    else:
        found[1:] = _combine_unlike(total, g, owned)


def _combine_unlike(total: Any, g: Any, owned: bool) -> tuple[Any, bool]:
    """The sum where one is a `Partial`, or a wrapper that code of the user brought in; and whether it is the walk's."""
    if is_wrapper(total) or is_wrapper(g):
        total, g = [x.dense(spaces[type(x.g)]) if type(x) is Partial else x for x in (total, g)]
        return OPS["add"].call(total, g), False
    if type(total) is Partial:
        if type(g) is Partial:
            total = total.dense(spaces[type(total.g)])
            owned = True
        else:
            total, g, owned = g, total, False
    if type(g) is not Partial:
        return total + g, True
    xp = spaces[type(total)]
    return xp.add_into(total if owned else xp.copy(total), g.g, g.key), True


def combiner(xp: Space) -> Callable[[Waiting, Any], None]:
    """What adds to a cotangent of a backend."""
    combine = _combine if xp.guard is None else _guarded(xp.guard)
    return combine if xp.deferral is None else xp.deferral.combining(combine)


def _guarded(guard: Callable[[Any], Any]) -> Callable[[Waiting, Any], None]:
    def combine(found: Waiting, g: Any) -> None:
        with guard(g.g if type(g) is Partial else g):
            _combine(found, g)

    return combine
