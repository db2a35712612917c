"""The node of a call in a graph of reverse mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from agnograd.core import nodes, reverse
from agnograd.core.apply import spec
from agnograd.core.array import Array, is_wrapper
from agnograd.core.cotangent import Outputs, Spec
from agnograd.core.custom import CustomOp, is_array, value_of, zeros
from agnograd.core.facts import carries
from agnograd.core.hooks import given_back, is_raw, users_code
from agnograd.core.level import ROOT, Level
from agnograd.core.nodes import Node, Reverse, projection, shown, wrap
from agnograd.core.op import Variant
from agnograd.core.saved import packed
from agnograd.errors import FunctionError

# Takes residuals, and cotangents of the outputs, to cotangents of the arguments, None being zero.
Pull = Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]


class Forward(NamedTuple):
    """What the forward pass of a rule gives.

    Attributes
    ----------
    outputs : list
        The leaves of its value.
    residuals : list of array
        What the way back reads.
    pull : callable
        The way back, ``pull(residuals, cotangents)``.
    complete : bool
        Whether it depends on nothing but the residuals.
    """

    outputs: list[Any]
    residuals: list[Any]
    pull: Pull
    complete: bool


# ``forward(arguments, needs)``: `needs` are the places of arguments that a cotangent is wanted for.
ForwardPass = Callable[[list[Any], tuple[int, ...]], Forward]


class CustomVariant(Variant):
    """The way back of one call.

    Attributes
    ----------
    forward : callable
        ``forward(arguments, needs)`` is the forward pass.
    level : Level
    outputs : list of (Spec or None)
        What a cotangent of zero is like; None for an output without one.
    residuals : int
        Number of residuals among the saved values.
    arguments : list
        All arguments, those that were saved after the residuals left out; None where they were not.
    """

    __slots__ = ("arguments", "forward", "level", "outputs", "residuals")

    def __init__(self, forward: ForwardPass, needs: tuple[int, ...], level: Level) -> None:
        self.forward: ForwardPass = forward
        self.needs = needs
        self.level: Level = level
        self.names: tuple[str, ...] = ()
        self.kinds: tuple[int | None, ...] = ()
        self.outputs: list[Spec | None] = []
        self.residuals: int = 0
        self.arguments: list[Any] = []

    def zero_safe(self) -> Variant:
        """Itself: its rule is the user's."""
        return self

    def rule(self, _: Any, g: Any, *saved: Any) -> Any:
        """Run the way back.

        Where the pass is recorded, the forward pass runs again on the arguments with their place in the graph: what the
        residuals are of them is known from then on.
        """
        raw = is_raw(g)
        given = g.items if type(g) is Outputs else (g,)
        cotangents = [shown(zeros(like) if x is None else x) for x, like in zip(given, self.outputs, strict=True)]
        *values, pull = saved
        residuals, arguments = values[: self.residuals], values[self.residuals :]
        with users_code(self.level):
            if any(isinstance(x, Reverse) and x.level is self.level for x in arguments):
                again = iter(arguments)
                leaves = [next(again) if x is _SAVED else x for x in self.arguments]
                _, residuals, pull, _ = self.forward(leaves, self.needs)
            found = pull([shown(x) for x in residuals], cotangents)
        gradients = [None if found[i] is None else given_back(found[i], self.level, raw) for i in self.needs]
        return gradients[0] if len(gradients) == 1 else gradients

    adjoint = rule


# In the place of an argument that is kept with the residuals.
_SAVED = object()


def recorded(name: str, forward: ForwardPass, arguments: Sequence[Any], lower: list[Any], level: Level) -> list[Any]:
    """The outputs of a call at a level of reverse mode.

    Parameters
    ----------
    arguments, lower : sequence
        The leaves of the arguments as given, and as the level sees them.
    """
    # The rule asks of the pass whether it is recorded: that is known only where passes are described.
    reverse.any_hooks = True
    needs = tuple([i for i, x in enumerate(arguments) if isinstance(x, Reverse) and x.level is level])
    done = forward(lower, needs)
    check_closed((*done.outputs, *done.residuals), level, name)
    outputs = [shown(y) if is_array(y) else y for y in done.outputs]
    kept = list(done.residuals)
    variant = CustomVariant(forward, needs, level)
    variant.op = CustomOp(SimpleNamespace(__name__=name), len(lower), len(outputs))  # type: ignore[assignment, arg-type]
    variant.outputs = [spec(y) if is_array(y) and carries(y) else None for y in outputs]
    variant.residuals = len(kept)
    kinds = [_kind(x, lower, done.outputs, needs) for x in kept]
    # Others may depend on the arguments in a way that the graph does not know.
    known = all(
        kind is not None or not carries(x) or any(x is y for y in lower) for kind, x in zip(kinds, kept, strict=True)
    )
    if level is ROOT and not (done.complete and known):
        variant.arguments = [_SAVED if is_array(x) else x for x in lower]
        kept += [x for x in lower if is_array(x)]
        kinds += [needs.index(i) if i in needs else None for i, x in enumerate(lower) if is_array(x)]
    variant.names = (*["ans"] * len(kept), "pullback")
    variant.kinds = (*kinds, None)
    if any(is_wrapper(value_of(x)) for x in (*lower, *kept, *outputs)):
        level.nested = True
    saved = packed(variant, (*map(value_of, kept), done.pull))
    parents = [arguments[i]._node for i in needs]
    second = None if len(parents) == 1 else parents[1] if len(parents) == 2 else tuple(parents[1:])
    node = Node(nodes.next_number(), variant, saved, parents[0], second, level)
    single = len(outputs) == 1
    return [
        y if like is None else wrap(value_of(y), node if single else projection(node, i))
        for i, (y, like) in enumerate(zip(outputs, variant.outputs, strict=True))
    ]


def _kind(x: Any, lower: Sequence[Any], outputs: Sequence[Any], needs: tuple[int, ...]) -> int | None:
    """Which argument or output a residual is, as `agnograd.core.nodes.reattached` wants to know it.

    It must be the same object: what was detached from an argument holds the same array.
    """
    for place, i in enumerate(needs):
        if x is lower[i]:
            return place
    if not carries(x):
        return None
    return next((-1 if len(outputs) == 1 else -2 - i for i, y in enumerate(outputs) if x is y), None)


def check_closed(values: Iterable[Any], level: Level, name: str) -> None:
    """Raise if what a rule returned belongs to the level that it is a rule for, or to one further inside.

    Raises
    ------
    FunctionError
    """
    for x in values:
        own = x.level if isinstance(x, Array) else None
        if own is not None and own.serial >= level.serial:
            msg = (
                f"{name} closes over a value that {own.name!r} differentiates or maps, which its rule knows nothing "
                f"of. Pass it as an argument, or take agnograd.stop_gradient of it."
            )
            raise FunctionError(msg)
