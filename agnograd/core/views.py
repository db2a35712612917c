"""Views, and what a write means for them.

The value of a wrapper is immutable. A write gives the object a new value and a new node, so whatever the graph saved
stays what it was and no version counter is needed. Views alias all the same: a write through a view is scattered back
into its base, and live views of a base that was written to become *stale*: they compute their value again at the next
read. Reads of anything else pay nothing, since the state is the object's class.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from agnograd.core.array import Array
from agnograd.core.batch import Batched, detached
from agnograd.core.forward import Dual
from agnograd.core.level import recording, records, reset_recording, set_recording
from agnograd.core.nodes import Node, Reverse, classes, is_leaf, wrap
from agnograd.core.op import Op


def attach(view: Any, base: Array, op: Op | None, params: dict[str, Any]) -> None:
    """Remember that `view` is ``op(base, **params)``; with no operation, that it shares the value and has no graph."""
    if view is not base and (op is None or op.aliases is None or op.aliases(**params)):
        alias(view, base, op, params)


def alias(view: Any, base: Array, op: Op | None, params: dict[str, Any]) -> None:
    """The same for what is known to be a view, and no other name of its base."""
    view._view = base, op, params
    live = base._views
    if live is None:
        base._views = [ref(view)]
        return
    live.append(ref(view))
    if len(live) >= 16 and len(live) & (len(live) - 1) == 0:
        # At each doubling dead views are dropped: amortised constant cost.
        live[:] = [r for r in live if r() is not None]


# Classes whose instances are settled as they are, known once one came up.
steady: set[type] = set()


def settled(x: Any) -> Any:
    """`x` itself with a value of its own, or the wrapper that it stands for."""
    if type(x) in steady or (type(x) is Dual and not x._level.faded):
        return x
    while isinstance(x, Array):
        if isinstance(x, x.stale_class):
            refresh(x)
        elif isinstance(x, x.handle_class):
            x = x._array
        elif isinstance(x, classes.owner):
            x.__class__ = classes.plain
        elif isinstance(x, Dual) and x._level.faded:
            x._tangent = None
            _stand_for(x, wrap(x._array, None) if not isinstance(x._array, Array) else x._array)
        else:
            if not isinstance(x, Dual):
                steady.add(type(x))
            return x
    return x


def _plain_class(x: Array) -> type[Array]:
    plain: type[Array] = classes.plain if isinstance(x, Reverse) else Dual if isinstance(x, Dual) else Batched
    return plain


def refresh(view: Array) -> None:
    """Compute the value of a stale view again."""
    base, op, params = view._view
    view.__class__ = _plain_class(view)
    live = settled(base)
    if op is None:
        value = detached(live)
        view._array = value._array if isinstance(value, Batched) else value
        return
    node = getattr(view, "_node", None)
    if node is not None and is_leaf(node):
        # Made a leaf of its own: it shares the value and not the graph.
        token = set_recording(False)
    else:
        # What was recorded when the view was made is recorded again, whatever the mode is at the time of reading.
        token = set_recording(recording() if node is None else True)
    try:
        fresh = op.call(live, **params)
    finally:
        reset_recording(token)
    if node is not None and is_leaf(node):
        view._array = settled(fresh)._array
        return
    become(view, fresh)


def become(x: Array, new: Any) -> None:
    """Give the object `x` the value and the place in the graph of the wrapper `new`."""
    new = settled(new)
    if (
        isinstance(new, Reverse)
        and isinstance(x, Reverse)
        and (x.level is None or new.level is None or x.level is new.level)
    ):
        x.__class__ = type(new)
        x._array = new._array
        old, x._node = x._node, new._node
        move_retained(x, old)
    elif isinstance(new, Dual) and isinstance(x, Dual) and x.level is new.level:
        x.__class__ = Dual
        x._array = new._array
        x._tangent = new._tangent
    elif isinstance(new, Batched) and isinstance(x, Batched) and x.level is new.level:
        x.__class__ = Batched
        x._array = new._array
    elif isinstance(x, Dual) and (new.level is None or new.level.serial < x._level.serial):
        # Overwritten with something that has no tangent here: a constant of this level.
        _stand_for(x, new)
    else:
        _stand_for(x, new)
        if isinstance(x, Reverse):
            x._node = None


def move_retained(x: Reverse, old: Node | None) -> None:
    """A tensor that keeps its gradient goes on to keep that of its newest value."""
    hooks = None if old is None or is_leaf(old) else old.variant.hooks
    if hooks is not None and hooks.retained is not None and hooks.retained() is x and x._node is not old:
        from agnograd.core.hooks import hooks_of

        hooks.retained = None
        if x._node is not None and not is_leaf(x._node):
            hooks_of(x._node).retained = ref(x)


def _stand_for(x: Any, new: Array) -> None:
    x.__class__ = x.handle_class
    x._array = new


def make_stale(x: Array) -> None:
    """Let all live views of `x` compute their value again at the next read."""
    for weak in x._views or ():
        view = weak()
        if view is not None:
            view.__class__ = view.stale_class
            make_stale(view)


def root_of(x: Array) -> Array:
    """The array that a chain of views goes back to; an alias without a graph is its own root."""
    while True:
        origin = getattr(x, "_view", None)
        if origin is None or origin[1] is None:
            return x
        x = origin[0]


def assign(x: Array, new: Any) -> None:
    """Make `new` the value of `x`, of the base that it is a view of, and so of every other view."""
    origin = getattr(x, "_view", None)
    if origin is None:
        _overwrite(x, new)
        make_stale(x)
        return
    base, op, params = origin
    if op is None:
        # An alias made by detach() or data: the base takes the value and keeps its graph.
        token = set_recording(False)
        try:
            assign(base, wrap(detached(settled(new)), None))
        finally:
            reset_recording(token)
        if new.level is not None:
            # What was written has a graph, which the alias alone takes over: from here on they are two.
            _release(x)
            x.__class__ = _plain_class(x)
            become(x, new)
        return
    assert op.view is not None
    assign(base, op.view(settled(base), new, **params))


def _release(x: Array) -> None:
    """Make a view an array of its own."""
    base = x._view[0]
    x._writes = writes(base)
    base._views = [r for r in base._views or () if r() is not x]
    del x._view


def share(x: Reverse, other: Any) -> None:
    """Let `x`, as it is in the graph, share the value of another array from now on.

    Its views keep the value that they have, together with what `x` was a view of.
    """
    source = _owner_of(settled(other))
    if settled(x) is not x:
        x.__class__ = classes.plain
    if source is _owner_of(x):
        return
    views = [view for view in (r() for r in x._views or ()) if view is not None]
    if views:
        old = classes.plain(x._array, x._node)
        if hasattr(x, "_view"):
            attach(old, *x._view)
        for view in views:
            attach(view, old, *view._view[1:])
        x._views = None
    if hasattr(x, "_view"):
        _release(x)
    value = detached(source)
    x._array = value
    if source is not value:
        attach(x, source, None, {})


def _owner_of(x: Any) -> Any:
    """What an alias without a graph shares the value of."""
    while hasattr(x, "_view") and x._view[1] is None:
        x = x._view[0]
    return x


def count_write(x: Array) -> None:
    """Count a write to an array that is no view."""
    x._writes = getattr(x, "_writes", 0) + 1


def writes(x: Any) -> int:
    """How often an array was written to in place; views and aliases share the count."""
    while hasattr(x, "_view"):
        x = x._view[0]
    return getattr(x, "_writes", 0)


def _stays(node: Node, new: Any) -> bool:
    """Whether an array keeps its place in the graph with a new value, unseen by the graph."""
    mode = recording()
    if mode is False or mode is True:
        return mode is False
    return not records(node.level) and (not isinstance(new, Array) or new.level is None or new.level is node.level)


def _overwrite(x: Array, new: Any) -> None:
    count_write(x)
    new = settled(new)
    if isinstance(x, Reverse) and x._node is not None and _stays(x._node, new):
        x._array = new._array if isinstance(new, Reverse) else new
        x.__class__ = classes.nested if isinstance(x._array, Array) else classes.plain
        return
    if not isinstance(new, Array):
        new = classes.plain(new, None)
    become(x, new)
