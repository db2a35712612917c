"""What a graph consists of: nodes, with what they save for their rules, and the tensors that hold them.

A graph goes by reference counting alone: a tensor holds its node, a node its parents and saved raw values, and nothing
points forward. A leaf's node knows its tensor weakly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any
from weakref import ref

from agnograd.core.array import Array, is_wrapper
from agnograd.core.cotangent import Outputs, Partial
from agnograd.core.facts import carries, namespace_of
from agnograd.core.level import ROOT, Level, zero_safety
from agnograd.core.op import Projection, Variant
from agnograd.core.table import Space
from agnograd.errors import GraphFreedError

# Numbers fall, so that a heap of them yields the newest node first.
numbers: Iterator[int] = itertools.count(-1, -1)
next_number: Callable[[], int] = numbers.__next__


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

    Examples
    --------
    >>> import agnograd as ag
    >>> y = ag.sin(ag.ones(2, requires_grad=True))
    >>> y.grad_fn.name(), [node.name() for node, _ in y.grad_fn.next_functions]
    ('SinBackward0', ['AccumulateGrad'])
    """

    __slots__ = ("__weakref__", "first", "level", "metadata_", "number", "saved", "second", "variant")

    def __init__(self, number: int, variant: Variant, saved: Any, first: Any, second: Any, level: Level) -> None:
        self.number: int = number
        self.variant: Variant = variant
        self.saved: Any = saved
        self.first: Any = first
        self.second: Any = second
        self.level: Level = level

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
        found = zip(self.variant.names, _saved_tensors(self), strict=True)
        arrays = [x for name, x in found if _is_array(self.variant, name) and type(x) not in _SCALARS]
        return tuple([y for x in arrays for y in (x if type(x) is tuple else (x,))])

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
        self.needs: tuple[int, ...] = ()
        self.kinds: tuple[int | None, ...] = ()

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
        return _saved_tensors(self)[self.variant.names.index(name[7:])]
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


def new_leaf(tensor: Reverse, level: Level = ROOT) -> Node:
    """A node that collects the gradient of `tensor`."""
    return Node(next_number(), LEAF, ref(tensor), None, None, level)


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


def _saved_tensors(node: Node) -> list[Any]:
    """Saved values as users see them: those with no place in the graph are constant tensors."""
    names = zip(node.variant.names, reattached(node), strict=True)
    return [_shown_all(x) if _is_array(node.variant, name) else x for name, x in names]


def _shown_all(x: Any) -> Any:
    if type(x) is tuple:
        return tuple(map(_shown_all, x))
    return x if type(x) in _SCALARS else shown(x)


def projected(values: Iterable[Any], node: Node) -> tuple[Any, ...]:
    """The outputs of an operation with several, as tensors of its node."""
    return tuple([wrap(x, projection(node, i) if carries(x) else None) for i, x in enumerate(values)])


def projection(node: Node, index: int) -> Node:
    """The node of one output of an operation with several."""
    return Node(next_number(), node.variant.op.projection(index), NOTHING, node, None, node.level)


def run_rule(node: Node, g: Any, saved: Sequence[Any], safe: bool) -> Sequence[Any]:
    """Run a node's rule on raw arrays throughout, or on wrappers throughout; one cotangent for each parent."""
    variant = node.variant.zero_safe() if safe else node.variant
    xp = g.__array_namespace__() if isinstance(g, Array) else namespace_of(g, saved)
    if not isinstance(xp, Space):
        g, saved = on_wrappers(node.variant, g, saved)
        found = (variant.rule if g.dtype in xp.reals else variant.adjoint)(xp, g, *saved)
    else:
        rule = variant.rule if g.dtype in xp.reals else variant.adjoint
        with nullcontext() if xp.guard is None else xp.guard(g):
            found = rule(xp, g, *saved)
    return (found,) if node.second is None else found


def _wrapped_rule(node: Node, g: Any) -> list[Any]:
    g = g.map(as_wrapper) if type(g) is Outputs else as_wrapper(g)
    found = run_rule(node, g, reattached(node), zero_safety.get())
    return [x.dense(namespace_of(x.g, ())) if type(x) is Partial else x for x in found]


def on_wrappers(variant: Variant, g: Any, saved: Iterable[Any]) -> tuple[Any, list[Any]]:
    """A cotangent and saved values for a rule that is to run on wrappers."""
    if not isinstance(g, Array):
        g = g.map(as_wrapper) if type(g) is Outputs else as_wrapper(g)
    arrays = variant.op.arrays
    names = zip(variant.names, saved, strict=True)
    return g, [
        x if isinstance(x, Array) or (name not in arrays and name != "ans") else as_wrapper(x) for name, x in names
    ]


_SCALARS = frozenset((bool, int, float, complex))


def as_wrapper(x: Any) -> Any:
    """A raw array as a constant; what rules see are wrappers throughout, or raw arrays throughout.

    An operator between the two is not for every backend: array-api-strict raises where it should return NotImplemented.
    """
    if type(x) is tuple:
        return tuple([as_wrapper(y) for y in x])
    return x if x is None or isinstance(x, Array) or type(x) in _SCALARS else wrap(x, None)


def _is_array(variant: Variant, name: str) -> bool:
    return name == "ans" or name in variant.op.arrays
