"""Recompute in the backward pass what the forward pass would have to keep.

The graph is recorded as always, but what operations save are places in a frame. The first of them that is asked for
runs the function again, and what operations save this time fills the frame. The graph of that second run is dropped:
only its values are of use.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, NamedTuple

import optree

from agnograd.core import nodes
from agnograd.core.apply import highest
from agnograd.core.array import Array
from agnograd.core.facts import describe
from agnograd.core.kept import kept_outputs
from agnograd.core.level import records, revisiting
from agnograd.core.nodes import NOTHING, Node, Reverse, is_leaf, leaf_of, new_leaf, wrap
from agnograd.core.observing import AGAIN, stage
from agnograd.core.op import Variant
from agnograd.core.saved import current_pair, hold, released, saved_tensors_hooks
from agnograd.core.table import OPS, find
from agnograd.core.views import settled
from agnograd.errors import CheckpointError
from agnograd.grad_mode import enable_grad


class _Place:
    """Where a saved value stands among those of a frame."""

    __slots__ = ("__weakref__", "form", "frame", "number")

    def __init__(self, frame: _Frame, number: int, x: Any) -> None:
        self.frame = frame
        self.number = number
        self.form = tuple(x.shape), x.dtype


class _Enough(BaseException):
    """All values have been computed again that anything waits for: no error, and not for the function to catch."""


class _Argument(NamedTuple):
    """A tensor that was passed: what it held, and whether it was on the graph, as a leaf perhaps."""

    value: Any
    on_graph: bool
    leaf: bool


class _Frame:
    """One call of a function that is checkpointed."""

    def __init__(
        self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], save: frozenset[str], early_stop: bool
    ) -> None:
        self.function = function
        tree: Any = (args, kwargs)
        leaves: list[Any]
        leaves, self.structure = optree.tree_flatten(tree, none_is_leaf=True)
        tensors = [x for x in leaves if isinstance(x, Array)]
        self.level = highest([settled(x) for x in tensors])
        # Arguments are saved values of what is outside: an outer checkpoint or spill packs them.
        self.leaves = [self._held(x) if isinstance(x, Array) else x for x in leaves]
        self.save = save
        self.early_stop = early_stop
        self.places: list[weakref.ref[_Place]] = []
        self.kept: list[Any] = []
        self.values: dict[int, Any] = {}
        # Leaves that the function used and was not given.
        self.used: list[_Used] = []
        # Whether the first run is over. A pass within the function may ask for values before.
        self.complete = False
        # Modes and the default backend are for the second run what they were for the first.
        self.context = copy_context()
        # Several threads may go back through one graph.
        self.lock = threading.RLock()

    def _held(self, x: Array) -> _Argument:
        x = settled(x)
        node = x._node if isinstance(x, Reverse) and x.level is self.level else None
        value = x._array if node is not None or x.level is None else x
        return _Argument(hold(value, current_pair()), node is not None, node is not None and is_leaf(node))

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function for the first time, and find out whether it can be run again."""
        arguments: Any = (args, kwargs)
        tensors = [x for x in optree.tree_leaves(arguments) if isinstance(x, Array)]
        shared = _shared(tensors)
        given = {node for x in tensors if (node := getattr(settled(x), "_node", None)) is not None}
        start = nodes.next_number()
        with saved_tensors_hooks(self.pack, self.unpack), kept_outputs(self.save, None, self.kept):
            found = self.function(*args, **kwargs)
        if any(_writes(x) != count for x, count in shared):
            msg = (
                "the function wrote to an argument that another argument is, or is a view of. When it is run again for "
                "the backward pass, each has a value of its own, and such a write would not be seen: pass a clone()."
            )
            raise CheckpointError(msg)
        self.used = _used(found, start, given)
        self.complete = True
        self.values.clear()
        return found

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments again, at the ends of a graph of their own."""
        leaves = []
        for x in self.leaves:
            if type(x) is _Argument:
                x = self._argument(x)
            leaves.append(x)
        return optree.tree_unflatten(self.structure, leaves)  # type: ignore[return-value]

    def _argument(self, held: _Argument) -> Any:
        value = released(held.value)
        if not held.on_graph:
            return wrap(value, None)
        assert self.level is not None
        new = wrap(value, Node(nodes.next_number(), _END, NOTHING, None, None, self.level))
        if held.leaf:
            new._node = new_leaf(new, self.level)
        return new

    def _inner(self, x: Any) -> bool:
        """Whether a pass within the function needs a value: its place in the graph counts, it cannot be replaced."""
        level = x.level if isinstance(x, Array) else None
        return level is not None and (self.level is None or level.serial >= self.level.serial)

    def pack(self, x: Any) -> Any:
        """A place for a value in the first run."""
        if self._inner(x):
            return x
        place = _Place(self, len(self.places), x)
        self.places.append(weakref.ref(place))
        return place

    def unpack(self, place: Any) -> Any:
        """The value for a place, computed again with all others that are waited for."""
        if type(place) is not _Place:
            return place
        with self.lock:
            if place.number not in self.values:
                self.context.copy().run(self.run_again)
            try:
                # Handed out once: what is asked for again is computed again.
                return self.values.pop(place.number)
            except KeyError:
                msg = (
                    f"the function saved {len(self.places)} values when it was called, and fewer when it was run again "
                    f"for the backward pass: it must do the same both times"
                )
                raise CheckpointError(msg) from None

    def run_again(self) -> None:
        """Fill the values of all places that live."""
        for used in self.used:
            used.check()
        waiting = {i for i, place in enumerate(self.places) if place() is not None}
        last = max(waiting, default=-1)
        count = 0

        def pack(x: Any) -> Any:
            nonlocal count
            if self._inner(x):
                return x
            place = self.places[count]() if count in waiting else None
            if place is not None:
                if (tuple(x.shape), x.dtype) != place.form:
                    msg = (
                        f"the function saved a value of shape {place.form[0]} and dtype {place.form[1]} when it was "
                        f"called, and one of shape {tuple(x.shape)} and dtype {x.dtype} in its place when it was run "
                        f"again for the backward pass: it must do the same both times"
                    )
                    raise CheckpointError(msg)
                self.values[count] = x
            count += 1
            if count > len(self.places):
                msg = (
                    f"the function saved {len(self.places)} values when it was called, and more when it was run again "
                    f"for the backward pass: it must do the same both times"
                )
                raise CheckpointError(msg)
            if (self.early_stop or not self.complete) and count > last:
                raise _Enough
            return x

        args, kwargs = self.arguments()
        with stage(AGAIN), _revisiting(), enable_grad(), kept_outputs(self.save, iter(self.kept)):
            try:
                with saved_tensors_hooks(pack, _same):
                    self.function(*args, **kwargs)
            except _Enough:
                pass


def _same(x: Any) -> Any:
    return x


def _origin(x: Array) -> Array:
    """The array that `x` is a view of, or else `x`."""
    while hasattr(x, "_view"):
        x = x._view[0]
    return x


def _writes(x: Array) -> int:
    """How often the memory of an array was written to."""
    return getattr(_origin(x), "_writes", 0)


def _shared(tensors: Iterable[Array]) -> list[tuple[Array, int]]:
    """The arrays that several of some tensors are, or are views of, and how often each was written to."""
    origins = [_origin(x) for x in tensors]
    count = Counter(map(id, origins))
    return [(x, _writes(x)) for x in origins if count[id(x)] > 1]


def _used(found: Any, start: int, given: set[Node]) -> list[_Used]:
    """Leaves older than `start` that results depend on by nodes since then."""
    stack = [x._node for x in optree.tree_leaves(found) if isinstance(x, Reverse) and x._node is not None]
    seen = set(given)
    used = []
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        # Numbers fall.
        if node.number < start:
            stack.extend(node.parents)
        elif is_leaf(node) and (leaf := leaf_of(node)) is not None:
            used.append(_Used(weakref.ref(leaf), settled(leaf)._array, _writes(leaf)))
    return used


class _Used(NamedTuple):
    """A leaf that a function used: what it held, and how often that had been written to."""

    leaf: weakref.ref[Array]
    value: Any
    writes: int

    def check(self) -> None:
        """Refuse another value than it had."""
        leaf = self.leaf()
        if leaf is None:
            change = "was replaced"
        elif settled(leaf)._array is not self.value or _writes(leaf) != self.writes:
            change = f"({describe(leaf)}) was written to"
        else:
            return
        msg = (
            f"a tensor that the function uses without taking it as an argument {change} since the function was called. "
            f"Run again for the backward pass, it would compute other values: pass the tensor as an argument, or "
            f"change it after the backward pass."
        )
        raise CheckpointError(msg)


class _End(Variant):
    """The end of a graph whose values alone are of use."""

    __slots__ = ()

    def __init__(self) -> None:
        self.op = OPS["clone"]
        self.needs = ()
        self.names = ()
        self.kinds = ()

    def zero_safe(self) -> Variant:
        return self

    def rule(self, xp: Any, g: Any) -> None:
        """Nothing."""

    adjoint = rule


_END = _End()


@contextmanager
def _revisiting() -> Iterator[None]:
    token = revisiting.set(True)
    try:
        yield
    finally:
        revisiting.reset(token)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    save: str | Iterable[str] = (),
    early_stop: bool = True,
    use_reentrant: bool = False,
    **kwargs: Any,
) -> Any:
    """Call a function without keeping what its gradient needs; the backward pass calls it again for that.

    Memory for time: of the whole function only its arguments and its result are kept. Calls nest.

    Parameters
    ----------
    function : callable
        Must do the same each time that it is called with the same arguments. It may use tensors that are not among
        its arguments: these must hold the same values in the backward pass, which is checked for leaves that require
        grad. Arguments may be written to, by the function and later.
    *args, **kwargs
        Its arguments, trees of tensors among them.
    save : str or iterable of str
        Names of operations whose results are kept, so that they are not computed again: ``{"matmul"}`` for the
        expensive ones.
    early_stop : bool
        End the second call as soon as all is there that is needed.
    use_reentrant : bool
        For users of PyTorch, who have to say False: there is no other way here.

    Returns
    -------
    Any
        What the function returns.

    Raises
    ------
    ValueError
        If `use_reentrant` is true.
    UnknownOperationError
        If `save` names an operation that there is not.
    CheckpointError
        If the function writes to an argument that another one is, or is a view of. In the backward pass, if it saved
        values of other shapes or dtypes when it was run again, or uses a leaf that was written to or replaced since.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> y = ag.checkpoint(lambda x: ag.sin(ag.exp(x)), x)
    >>> y.sum().backward()
    >>> x.grad
    tensor([-2.4783,  3.3129])
    """
    if use_reentrant:
        msg = "checkpoint has no reentrant form: leave use_reentrant out, or False"
        raise ValueError(msg)
    names = frozenset([find(name).name for name in ((save,) if isinstance(save, str) else save)])
    frame = _Frame(function, args, kwargs, names, early_stop)
    if frame.level is not None and not records(frame.level):
        return function(*args, **kwargs)
    return frame.run(args, kwargs)
