"""Hooks: functions of users that a backward pass calls at a tensor or a node.

A node with hooks gets a variant of its own, whose rule calls them around the real one. The walk does not know of it, so
nodes without hooks pay nothing.

Order, as in PyTorch: hooks of the tensor in the order of registration, what `retain_grad` keeps, hooks before the node,
the node, hooks after it; at a leaf: hooks of the tensor, hooks before, accumulation, hooks after accumulation, hooks
after.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import ref

from agnograd.core import reverse, walk
from agnograd.core.array import Array, innermost
from agnograd.core.cotangent import Outputs, Partial
from agnograd.core.facts import namespace_of
from agnograd.core.gradient import add_to_grad
from agnograd.core.level import ROOT, Level, recording, recording_in, zero_safety
from agnograd.core.nodes import LeafVariant, Node, Reverse, Static, is_leaf, on_wrappers, shown
from agnograd.core.op import Op, Variant
from agnograd.core.table import spaces
from agnograd.core.views import settled
from agnograd.errors import CotangentError, HookError

Hook = Callable[..., Any]
_ids = itertools.count()


class RemovableHandle:
    """What registers a hook returns this: ``remove()``, or the end of a ``with`` block, takes the hook away."""

    __slots__ = ("_others", "_place", "id")

    def __init__(self, hook: Hook, place: dict[int, Hook], others: Sequence[RemovableHandle] = ()) -> None:
        self.id: int = next(_ids)
        self._place = place
        self._others = others
        place[self.id] = hook

    @classmethod
    def of(cls, handles: Sequence[RemovableHandle]) -> RemovableHandle:
        """One handle for several."""
        return cls(_nothing, {}, handles)

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self._place.pop(self.id, None)
        for handle in self._others:
            handle.remove()

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def users_code(level: Level) -> AbstractContextManager[None]:
    """Run code of the user within a pass through a graph of `level`.

    The user's own graph does not grow, unless the pass is recorded. Transformations go on to record: what they are
    differentiated with respect to may come in through a closure.
    """
    mode = recording()
    if level is not ROOT or _recorded() or mode is False:
        return nullcontext()
    return recording_in(_TRANSFORMATIONS if mode is True else max(mode, _TRANSFORMATIONS))


# The mode that records at all levels but the outermost one, True and 0 being those that record there, too.
_TRANSFORMATIONS = 1


def _recorded() -> bool:
    """Whether the pass is; without one, a node was called, and the mode decides."""
    current = walk.current()
    return current is None or current.create_graph


def given_back(x: Any, level: Level, raw: bool) -> Any:
    """What code of the user returned to a pass through a graph of `level`, as the pass goes on with it.

    A constant there, unless the pass is recorded; and an array as the pass has them, `raw` or not, unless a
    transformation takes part in it.
    """
    x = settled(x)
    while isinstance(x, Reverse) and (x.level is None or (x.level is level and not _recorded())):
        x = settled(x._array)
    return x if raw else shown(x)


def is_raw(g: Any) -> bool:
    """Whether a cotangent is no wrapper."""
    return not isinstance(g.any if type(g) is Outputs else g, Array)


def _nothing(*args: Any) -> None:
    """The hook of a handle that stands for others."""


class Hooks:
    """The hooks of a node.

    Attributes
    ----------
    of_tensor, before, after, accumulated : dict
        Hooks by their numbers: of the tensor that the node made, before and after the node, and after a leaf's
        gradient was accumulated.
    retained : weak reference or None
        The tensor that keeps its gradient.
    """

    __slots__ = ("accumulated", "after", "before", "node", "of_tensor", "retained")

    def __init__(self, node: Node) -> None:
        self.node: ref[Node] = ref(node)
        self.of_tensor: dict[int, Hook] = {}
        self.before: dict[int, Hook] = {}
        self.after: dict[int, Hook] = {}
        self.accumulated: dict[int, Hook] = {}
        self.retained: ref[Any] | None = None

    def arrive(self, g: Any) -> Any:
        """A cotangent after the hooks of the tensor."""
        node = self._owner()
        raw = is_raw(g)
        with users_code(node.level):
            for hook in list(self.of_tensor.values()):
                given = shown(g)
                found = hook(given)
                # What a hook wrote into its argument counts, as it does in PyTorch.
                g = _replaced(g, hook, given if found is None else found, node.level, raw)
        current = walk.current()
        if current is not None and node in current.wanted:
            current.results[node] = g
        tensor = None if self.retained is None else self.retained()
        if tensor is not None:
            add_to_grad(tensor, g, current is not None and current.create_graph)
        return g

    def enter(self, items: tuple[Any, ...], raw: bool) -> tuple[Any, ...]:
        """Cotangents of the node's outputs after the hooks before it, which may take them away."""
        level = self._owner().level
        with users_code(level):
            for hook in list(self.before.values()):
                items = _replaced_all(items, hook, hook(tuple(map(shown, items))), level, raw)
        return items

    def leave(self, inputs: tuple[Any, ...], items: tuple[Any, ...], raw: bool) -> tuple[Any, ...]:
        """Cotangents that the node gives its inputs, after the hooks after it."""
        inputs = tuple(map(_whole, inputs))
        outputs = tuple(map(shown, items))
        level = self._owner().level
        with users_code(level):
            for hook in list(self.after.values()):
                inputs = _replaced_all(inputs, hook, hook(tuple(map(shown, inputs)), outputs), level, raw)
        return inputs

    def _owner(self) -> Node:
        """The node, which the pass that calls holds."""
        node = self.node()
        assert node is not None
        return node


def _whole(g: Any) -> Any:
    return g.dense(namespace_of(g.g, ())) if type(g) is Partial else g


def _replaced(g: Any, hook: Hook, found: Any, level: Level, raw: bool) -> Any:
    """What a hook returned, as the walk needs it.

    Raises
    ------
    HookError
        If it is no tensor.
    CotangentError
        If shape, dtype or backend are not those of `g`.
    """
    if not isinstance(found, Array):
        msg = (
            f"expected a tensor or None, but hook returned {type(found).__name__!r} (hook {_name(hook)!r}). Return a "
            f"tensor like the gradient, or None to leave it as it is."
        )
        raise HookError(msg)
    for what, old, new in (
        ("backend", spaces[type(innermost(g))].name, spaces[type(innermost(found))].name),
        ("size", tuple(g.shape), tuple(found.shape)),
        ("type", g.dtype, found.dtype),
    ):
        if old != new:
            msg = f"hook {_name(hook)!r} has changed the {what} of value (was {old} got {new}). Return one like it."
            raise CotangentError(msg)
    return given_back(found, level, raw)


def _replaced_all(items: tuple[Any, ...], hook: Hook, found: Any, level: Level, raw: bool) -> tuple[Any, ...]:
    if found is None:
        return items
    if isinstance(found, Array) and len(items) == 1:
        found = (found,)
    if not isinstance(found, tuple):
        msg = (
            f"expected tuple, but hook returned {type(found).__name__!r} (hook {_name(hook)!r}). Return a tuple of "
            f"{len(items)} gradients, or None to leave them as they are."
        )
        raise HookError(msg)
    if len(found) != len(items):
        msg = (
            f"hook {_name(hook)!r} has returned an incorrect number of values (got {len(found)}, but expected "
            f"{len(items)})"
        )
        raise HookError(msg)
    if any(old is None and new is not None for old, new in zip(items, found, strict=True)):
        msg = f"hook {_name(hook)!r} can't replace a None gradient with a non-None value. Return None in its place."
        raise HookError(msg)
    pairs = zip(items, found, strict=True)
    return tuple([None if new is None else _replaced(old, hook, new, level, raw) for old, new in pairs])


def _name(hook: Hook) -> str:
    return getattr(hook, "__qualname__", None) or type(hook).__qualname__


class Hooked(Variant):
    """The variant of one node with hooks."""

    __slots__ = ("hooks", "plain")

    def __init__(self, plain: Variant, hooks: Hooks) -> None:
        self.plain: Variant = plain
        self.hooks: Hooks = hooks
        self.op: Op = plain.op
        self.needs: tuple[int, ...] = plain.needs
        self.names: tuple[str, ...] = plain.names
        self.kinds: tuple[int | None, ...] = plain.kinds

    def zero_safe(self) -> Variant:
        """Itself: it asks for the mode when it runs."""
        return self

    # Methods in the place of the attributes that other variants have: a stored one would make a cycle.
    def rule(self, xp: Any, g: Any, *saved: Any) -> Any:
        """The rule with the hooks around it."""
        return self._around("rule", xp, g, saved)

    def adjoint(self, xp: Any, g: Any, *saved: Any) -> Any:
        """Its form for complex cotangents."""
        return self._around("adjoint", xp, g, saved)

    def _around(self, form: str, xp: Any, g: Any, saved: Sequence[Any]) -> Any:
        hooks, raw, several = self.hooks, is_raw(g), len(self.needs) > 1
        items = hooks.enter(g.items if type(g) is Outputs else (hooks.arrive(g),), raw)
        found: Any
        if all(x is None for x in items):
            # Nothing arrives, so nothing leaves.
            found = (None,) * len(self.needs) if several else None
        else:
            plain = self.plain.zero_safe() if zero_safety.get() else self.plain
            g = Outputs(items) if type(g) is Outputs else items[0]
            switches = raw and not is_raw(g)
            if switches:
                # A transformation takes part from here on, and rules see wrappers throughout.
                g, saved = on_wrappers(plain, g, saved)
                xp = namespace_of(g, ())
            found = getattr(plain, form)(xp, g, *saved)
            if switches:
                found = tuple(map(_whole, found)) if several else _whole(found)
        if not hooks.after:
            return found
        node = hooks._owner()
        inputs = dict(zip(self.needs, found if several else (found,), strict=True))
        slots = hooks.leave(tuple([inputs.get(i) for i in range(node.slots)]), items, raw)
        return tuple([slots[i] for i in self.needs]) if several else slots[self.needs[0]]


class HookedLeaf(LeafVariant):
    """The variant of a leaf with hooks: its rule ends the path."""

    __slots__ = ("hooks",)

    def __init__(self, hooks: Hooks) -> None:
        super().__init__()
        self.hooks: Hooks = hooks
        self.kinds: tuple[int | None, ...] = (None,)
        self.names: tuple[str, ...] = ("variable",)

    def rule(self, _: Any, g: Any, variable: Any) -> None:
        """Run the hooks, and leave the gradient to the pass, or accumulate it where hooks come after that."""
        hooks, raw = self.hooks, is_raw(g)
        g = hooks.arrive(g)
        current = walk.current()
        node = hooks._owner()
        assert current is not None
        if current.accumulate is None:
            if not current.wanted:
                current.results[node] = g
            return
        if current.wanted and node not in current.wanted:
            return
        (g,) = hooks.enter((g,), raw)
        current.results.pop(node, None)
        if not hooks.accumulated and not hooks.after:
            if g is not None:
                current.results[node] = g
            return
        if g is not None:
            current.accumulate(node, g)
        leaf = variable()
        with users_code(node.level):
            # None where the tensor is gone, and its gradient with it.
            for hook in [] if leaf is None else list(hooks.accumulated.values()):
                if hook(leaf) is not None:
                    msg = f"post accumulate grad hooks must return None, {_name(hook)!r} returned something"
                    raise HookError(msg)
        hooks.leave((), (g,), raw)

    adjoint = rule


_registering = threading.Lock()


def hooks_of(node: Node) -> Hooks:
    """The hooks of a node, which gets them now if it has none."""
    with _registering:
        if node.variant.hooks is None:
            reverse.any_hooks = True
            hooks = Hooks(node)
            if is_leaf(node):
                node.saved = Static((node.saved,))
                node.variant = HookedLeaf(hooks)
            else:
                node.variant = Hooked(node.variant, hooks)
        return node.variant.hooks  # type: ignore[no-any-return]
