"""What is known of a call, on the leaves of its arguments, and how it runs at a level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agnograd.core.apply import carrier, highest
from agnograd.core.array import Array
from agnograd.core.batch import Batched
from agnograd.core.custom import is_array, value_of
from agnograd.core.facts import carries
from agnograd.core.forward import Dual
from agnograd.core.level import Level, new_level, records
from agnograd.core.nodes import Reverse, shown
from agnograd.core.reverse import backward
from agnograd.core.views import settled
from agnograd.custom_rules.batches import Batches, Jvp, Leaves
from agnograd.custom_rules.nodes import Forward, ForwardPass, check_closed, recorded
from agnograd.errors import FunctionError, MissingRuleError
from agnograd.transforms.arguments import lift
from agnograd.transforms.results import off_level, zeros
from agnograd.transforms.transposition import check_linear


class Rules:
    """A function with its rule, of the leaves of its arguments.

    Attributes
    ----------
    name : str
    function : callable
        Leaves of arguments to leaves of the value.
    forward : callable
        The forward pass of reverse mode, ``forward(leaves, needs)``; made from `jvp` where there is none.
    jvp : callable or None
        ``jvp(leaves, tangents)`` returns leaves of the value and of its tangent, None being zero; None where there is
        no rule for forward mode.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[Leaves], Leaves],
        *,
        forward: ForwardPass | None = None,
        jvp: Jvp | None = None,
    ) -> None:
        self.name = name
        self.function = function
        self.forward: ForwardPass = forward or self._transposed
        self.jvp = jvp

    def __call__(self, leaves: Leaves) -> Leaves:
        """Run it at the highest level among the leaves."""
        leaves = [settled(x) if isinstance(x, Array) else x for x in leaves]
        level = highest(leaves)
        if level is None:
            return self.function(leaves)
        own = [isinstance(x, Array) and x.level is level for x in leaves]
        lower = [shown(x._array) if mine else x for x, mine in zip(leaves, own, strict=True)]
        first = carrier(leaves, level)
        if isinstance(first, Reverse) and not records(level):
            return self(lower)
        level.check_open()
        if isinstance(first, Dual):
            return self._dual(leaves, lower, level)
        if isinstance(first, Batched):
            if highest(lower) is None:
                # No derivative is asked for: the function is code as any other.
                return self.function(leaves)
            outputs = self._whole(Batches(own, first._array.shape[0]))(lower)
            check_closed(outputs, level, self.name)
            return [Batched(value_of(y), level) for y in outputs]
        return recorded(self.name, self.forward, leaves, lower, level)

    def _whole(self, batches: Batches) -> Rules:
        """The same for all members of a batch at once."""
        function = batches.function(self.function)
        if self.jvp is None:
            return Rules(self.name, function, forward=batches.forward(self.forward))
        return Rules(self.name, function, jvp=batches.jvp(self.jvp))

    def _dual(self, leaves: Leaves, lower: Leaves, level: Level) -> Leaves:
        if self.jvp is None:
            msg = (
                f"forward mode ({level.name}) came to {self.name}, a custom_vjp function, which has a rule for reverse "
                f"mode only. Give it a rule for both with agnograd.custom_jvp, or use agnograd.grad or vjp."
            )
            raise MissingRuleError(msg)
        own = [isinstance(x, Dual) and x.level is level for x in leaves]
        tangents = [shown(x._tangent) if mine else _still(x) for x, mine in zip(leaves, own, strict=True)]
        outputs, slopes = self.jvp(lower, tangents)
        check_closed((*outputs, *slopes), level, self.name)
        return [
            (shown(y) if is_array(y) else y) if t is None else Dual(value_of(y), value_of(t), level)
            for y, t in zip(outputs, slopes, strict=True)
        ]

    def _transposed(self, leaves: Leaves, needs: tuple[int, ...]) -> Forward:
        """The forward pass that follows from the rule of forward mode: that is linear in the tangents."""
        assert self.jvp is not None
        with new_level(self.name) as level:
            tangents = [lift(zeros(x), level) if i in needs else _still(x) for i, x in enumerate(leaves)]
            outputs, slopes = self.jvp(leaves, tangents)
            ends = [None if t is None else off_level(t, level)[1] for t in slopes]
            if any(isinstance(y, Array) and y.level is level for y in outputs):
                msg = f"the JVP rule of {self.name} returned a value that depends on the tangents, beside its tangent"
                raise FunctionError(msg)
        check_linear(
            [end for end in ends if end is not None], f"the JVP rule of {self.name} must be linear in tangents"
        )
        starts = [tangents[i]._node if i in needs else None for i in range(len(leaves))]

        def pull(_: Sequence[Any], cotangents: Sequence[Any]) -> Leaves:
            pairs = zip(ends, cotangents, strict=True)
            roots = [(end, value_of(g)) for end, g in pairs if end is not None and g is not None]
            found = backward(roots, release=False) if roots else {}
            return [None if start is None else found.get(start) for start in starts]

        return Forward(outputs, [], pull, complete=False)


def _still(x: Any) -> Any:
    """The tangent of an argument that does not change; None of what has none."""
    if isinstance(x, (float, complex)):
        return 0.0 * x
    return shown(zeros(x)) if is_array(x) and carries(x) else None
