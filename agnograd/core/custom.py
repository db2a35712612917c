"""The graph of custom functions: the node of a call, and values that bar the way to a wrong second derivative.

`agnograd.function` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from copy import copy
from typing import Any

from agnograd.core import nodes, walk
from agnograd.core.array import Array, innermost
from agnograd.core.cotangent import Outputs, Spec
from agnograd.core.facts import carries, describe, raw_space
from agnograd.core.hooks import given_back, is_raw, users_code
from agnograd.core.nodes import NOTHING, Node, Reverse, projection, shown, wrap
from agnograd.core.op import Projection, Variant
from agnograd.core.table import spaces
from agnograd.core.views import settled
from agnograd.errors import CotangentError, FunctionError

# The context, the saved tensors and the nodes of the arguments of the call whose way back is running.
active: ContextVar[tuple[Any, tuple[Any, ...], Sequence[Node]] | None] = ContextVar(
    "agnograd_function_context", default=None
)


class CustomOp:
    """What the engine asks of a node's operation."""

    def __init__(self, function: type[Any], arguments: int, outputs: int) -> None:
        self.name: str = function.__name__
        self.node_name: str = f"{function.__name__}Backward"
        self.arrays: tuple[str, ...] = tuple(f"argument{i}" for i in range(arguments))
        self.statics: tuple[str, ...] = ()
        self.outputs = outputs

    def projection(self, index: int) -> Projection:
        """How one of several outputs is taken back."""
        return Projection(self, index)  # type: ignore[arg-type]


class Call(Variant):
    """The way back of one call."""

    __slots__ = ("attributes", "ctx", "function", "outputs", "parents", "specs", "unknown")

    def __init__(
        self,
        function: type[Any],
        ctx: Any,
        specs: list[Spec | None],
        needs: tuple[int, ...],
        outputs: Any,
        parents: Sequence[Node],
    ) -> None:
        self.op: CustomOp = CustomOp(function, len(specs), len(outputs))  # type: ignore[assignment]
        self.function: type[Any] = function
        self.ctx: Any = ctx
        self.specs: list[Spec | None] = specs
        self.needs = needs
        self.outputs: Any = outputs
        self.parents: Sequence[Node] = parents
        self.names: tuple[str, ...] = ()
        self.kinds: tuple[int | None, ...] = ()
        # Saved values that are neither argument nor output, and attributes of the context that are.
        self.unknown: tuple[int, ...] = ()
        self.attributes: dict[str, int] = {}

    def zero_safe(self) -> Variant:
        """Itself: its rule is the user's."""
        return self

    def rule(self, _: Any, g: Any, *saved: Any) -> Any:
        """Run the class's backward pass on tensors, and check what it returns."""
        raw = is_raw(g)
        given = g.items if type(g) is Outputs else (g,)
        if self.ctx._materialize:
            given = tuple([zeros(spec) if x is None else x for x, spec in zip(given, self.outputs, strict=True)])
        given = tuple(map(shown, given))
        ctx, saved = self.ctx, tuple(map(shown, saved))
        current = walk.current()
        if current is not None and current.create_graph:
            ctx, saved = self._on_the_graph(saved)
        level = self.parents[0].level
        token = active.set((ctx, saved, self.parents))
        backward = getattr(self.function, "vjp", None) or self.function.backward
        try:
            with users_code(level):
                found = backward(ctx, *given)
        finally:
            active.reset(token)
        gradients = self._checked(found if isinstance(found, tuple) else (found,))
        gradients = [None if x is None else given_back(x, level, raw) for x in gradients]
        return gradients[0] if len(gradients) == 1 else gradients

    adjoint = rule

    def _on_the_graph(self, saved: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        """The context for a pass that is recorded: all that can be differentiated again has its place in the graph."""
        ctx = copy(self.ctx)
        node = None if self.ctx._node is None else self.ctx._node()
        for name, kind in self.attributes.items():
            value = value_of(getattr(ctx, name))
            if kind >= 0:
                setattr(ctx, name, wrap(value, self.parents[kind]))
            elif node is not None:
                setattr(ctx, name, wrap(value, node if kind == -1 else projection(node, -2 - kind)))
        return ctx, tuple([barred(x, self.parents[0]) if i in self.unknown else x for i, x in enumerate(saved)])

    def _checked(self, found: tuple[Any, ...]) -> list[Any]:
        """One gradient for each argument that needs one.

        Raises
        ------
        FunctionError
            If there are too few or too many, or one for what is no tensor.
        CotangentError
            If shape, kind of number or backend are not the argument's.
        """
        name = self.op.node_name
        count = len(self.specs)
        while len(found) > count and found[-1] is None:
            found = found[:-1]
        if len(found) != count:
            msg = (
                f"function {name} returned an incorrect number of gradients (expected {count}, got {len(found)}). "
                f"Return one for each argument of forward, None where there is none."
            )
            raise FunctionError(msg)
        for i, (x, spec) in enumerate(zip(found, self.specs, strict=True)):
            if x is None:
                continue
            if spec is None:
                msg = (
                    f"function {name} returned a gradient different than None at position {i}, but the corresponding "
                    f"forward input was not a tensor that can have one"
                )
                raise FunctionError(msg)
            if not is_array(x):
                msg = (
                    f"function {name} returned at index {i} something that is neither a tensor nor None, but "
                    f"{type(x).__name__}"
                )
                raise FunctionError(msg)
        return [None if found[i] is None else fitting(found[i], self.specs[i], name, i) for i in self.needs]


def fitting(g: Any, spec: Spec | None, name: str, index: int) -> Any:
    """A gradient or tangent as it must be, cast where only the precision differs.

    Raises
    ------
    CotangentError
        If it is of another backend, device, shape or kind of number.
    """
    assert spec is not None
    g = shown(settled(g) if isinstance(g, Array) else g)
    space = raw_space(g)
    if space.name != spec.backend or str(space.device(innermost(g))) != str(spec.device):
        msg = (
            f"function {name} returned a gradient at index {index} on another backend or device ({describe(g)}) than "
            f"its argument ({spec.backend} on {spec.device})"
        )
        raise CotangentError(msg)
    if tuple(g.shape) != tuple(spec.shape):
        msg = (
            f"function {name} returned an invalid gradient at index {index} - got shape {tuple(g.shape)} but expected "
            f"{tuple(spec.shape)}. Nothing is summed silently: sum over the axes along which the argument was "
            f"broadcast."
        )
        raise CotangentError(msg)
    if g.dtype != spec.dtype:
        xp = g.__array_namespace__()
        if xp.isdtype(g.dtype, "complex floating") and not xp.isdtype(spec.dtype, "complex floating"):
            msg = (
                f"function {name} returned a complex gradient at index {index} for a real argument: return its real "
                f"part"
            )
            raise CotangentError(msg)
        g = xp.astype(g, spec.dtype)
    return g


def kind_of(x: Any, lower: tuple[Any, ...], outputs: tuple[Any, ...], needs: tuple[int, ...]) -> int | None:
    """Which argument or output a value is, as `agnograd.core.nodes.reattached` wants to know it."""
    if x is None:
        return None
    place = place_among(x, [lower[i] for i in needs])
    if place is not None:
        return place
    output = place_among(x, outputs)
    return None if output is None or not carries(x) else -1 if len(outputs) == 1 else -2 - output


def place_among(x: Any, values: Sequence[Any]) -> int | None:
    """Which of some values is `x`: the object itself, and only else one that shares its array."""
    found = next((i for i, y in enumerate(values) if x is y), None)
    return next((i for i, y in enumerate(values) if same(x, y)), None) if found is None else found


def same(x: Any, y: Any) -> bool:
    """Whether two values are one, or constants around one array."""
    return x is y or (is_array(x) and is_array(y) and value_of(x) is value_of(y))


def value_of(x: Any) -> Any:
    """A constant tensor's array; anything else as it is."""
    return x._array if isinstance(x, Reverse) and x.level is None else x


def is_array(x: Any) -> bool:
    """Whether it is a wrapper, or an array of a known library."""
    return isinstance(x, Array) or spaces.known(type(x)) is not None


def spec_of(x: Any) -> Spec | None:
    """Shape, dtype and device of what may have a gradient; None of anything else."""
    return described(x) if is_array(x) and carries(x) else None


def described(x: Any) -> Spec | None:
    """Shape, dtype and device of an array; None of anything else."""
    if not is_array(x):
        return None
    x = settled(x)
    return raw_space(x).spec(x)


def zeros(spec: Spec | None) -> Any:
    """A gradient that is zero."""
    if spec is None:
        return None
    space = spaces.named(spec.backend)
    return space.zeros(tuple(spec.shape), dtype=spec.dtype, device=spec.device)


class Bar(Variant):
    """The way back from a value that depends on others in a way that is not known: it raises."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.op: CustomOp = CustomOp(Bar, 1, 1)  # type: ignore[assignment]
        self.needs: tuple[int, ...] = (0,)
        self.names: tuple[str, ...] = ()
        self.kinds: tuple[int | None, ...] = ()
        self.reason: str = reason

    def zero_safe(self) -> Variant:
        """Itself: it multiplies nothing."""
        return self

    def rule(self, *_: Any) -> Any:
        """Refuse.

        Raises
        ------
        FunctionError
            Always.
        """
        raise FunctionError(self.reason)

    adjoint = rule


TWICE = (
    "trying to differentiate twice a function that was marked with @once_differentiable. Write its backward with "
    "operations that can be differentiated, and take the mark away."
)
INTERMEDIATE = (
    "a second derivative of a custom function depends on a tensor that it saved and that is neither an argument nor an "
    "output: how that depends on the arguments is not known. Return it as an output, compute it again in backward, or, "
    "if it is a constant, keep it as an attribute of ctx."
)
# In the place of such a tensor where it would need a tangent.
LOST = object()


def barred(x: Any, node: Node, reason: str = INTERMEDIATE) -> Any:
    """A value that depends on what `node` made, in a way that is not known."""
    return wrap(value_of(x), Node(nodes.next_number(), Bar(reason), NOTHING, node, None, node.level))
