"""A call of a compiled function as one node of an eager graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from agnograd.core.array import is_wrapper
from agnograd.core.cotangent import Outputs
from agnograd.core.facts import carries
from agnograd.core.level import Level
from agnograd.core.nodes import NOTHING, Node, next_number, wrap
from agnograd.core.op import Projection, Variant
from agnograd.core.table import Space
from agnograd.core.trace import TracedSpace

if TYPE_CHECKING:
    from agnograd.compiler.differentiated import Differentiated
    from agnograd.compiler.operation import Operation, Rest


class _Op:
    """What the engine asks of a node's operation."""

    def __init__(self, name: str, arguments: int, outputs: int) -> None:
        self.name = name
        self.node_name = "CompiledBackward"
        self.arrays = tuple(f"argument{i}" for i in range(arguments))
        self.statics: tuple[str, ...] = ()
        self.outputs = outputs
        self._projections = [Projection(self, i) for i in range(outputs)]  # type: ignore[arg-type]

    def projection(self, index: int) -> Projection:
        """How one of several outputs is taken back."""
        return self._projections[index]


class Call(Variant):
    """The way back through a compiled function, for certain arguments that need a gradient.

    On raw arrays the program of the pass back runs, from residuals. Anything else, a pass that is recorded or one on
    duals or batches, goes through the function's pullback, which is compiled, too, and reads the arguments only.

    Attributes
    ----------
    specs : list of tuple
        Shape, dtype and device of each value, and whether it carries a gradient.
    order : list of int
        The arguments in the order in which they are saved: those that the program of the pass back reads, between
        which and the others stand its residuals.
    """

    __slots__ = (
        "ahead",
        "carrying",
        "connected",
        "first",
        "made",
        "mask",
        "operation",
        "order",
        "residuals",
        "run",
        "specs",
    )

    def __init__(
        self, operation: Operation, mask: tuple[bool, ...], specs: Sequence[Any], made: Differentiated | None
    ) -> None:
        n = len(mask)
        self.operation: Operation = operation
        self.mask: tuple[bool, ...] = mask
        self.made: Differentiated | None = made
        self.specs: Sequence[Any] = specs
        self.carrying: bool = all(spec[3] for spec in specs)
        self.op = _Op(operation.name, n, len(specs))  # type: ignore[assignment]
        self.needs = tuple([i for i, m in enumerate(mask) if m])
        reads = [] if made is None else made.reads
        self.residuals: int = 0 if made is None else made.residuals
        self.first: int = len(reads)
        self.ahead: int = self.first + self.residuals
        self.order: list[int] = [*reads, *(i for i in range(n) if i not in reads)]
        self.run: Callable[..., tuple[Any, ...]] | None = None if made is None else made.backward.run
        self.connected: bool = made is not None and all(made.gradients)
        places = {i: k for k, i in enumerate(self.needs)}
        names = [f"argument{i}" for i in self.order]
        kinds = [places.get(i) for i in self.order]
        extra = self.residuals
        self.names = (*names[: self.first], *(f"residual{i}" for i in range(extra)), *names[self.first :])
        self.kinds = (*kinds[: self.first], *[None] * extra, *kinds[self.first :])

    def zero_safe(self) -> Variant:
        """Itself."""
        return self

    def saved(self, arguments: Sequence[Any], residuals: Sequence[Any]) -> tuple[Any, ...]:
        """What a node of this kind keeps."""
        ordered = [arguments[i] for i in self.order]
        return (*ordered[: self.first], *residuals, *ordered[self.first :])

    def rule(self, xp: Any, g: Any, *saved: Any) -> Any:
        """The gradients of the arguments that need one."""
        cotangents = g.items if type(g) is Outputs else (g,)
        complete = self.carrying
        for x in cotangents:
            if x is None:
                complete = False
        if not complete:
            pairs = zip(cotangents, self.specs, strict=True)
            cotangents = tuple([_zeros(xp, spec) if x is None else x for x, spec in pairs if spec[3]])
        made = self.made
        raw = isinstance(xp, Space)
        if made is not None and raw and not isinstance(xp, TracedSpace):
            outs = self.run(*saved[: self.ahead], *cotangents)  # type: ignore[misc]
            if self.connected:
                return outs if len(outs) > 1 else outs[0]
            found = iter(outs)
            gradients = [next(found) if connected else None for connected in made.gradients]
            return gradients[0] if len(gradients) == 1 else gradients
        kept = (*saved[: self.first], *saved[self.ahead :])
        arguments = dict(zip(self.order, kept, strict=True))
        pulled, _ = self.operation.pullback(self.mask).result([*(arguments[i] for i in range(len(kept))), *cotangents])
        if raw:
            gradients = [x._array if is_wrapper(x) and x.level is None else x for x in pulled]
        else:
            gradients = [None if x is None else wrap(x, None) for x in pulled]
        return gradients[0] if len(gradients) == 1 else gradients

    adjoint = rule

    def node(self, arguments: Sequence[Any], residuals: Sequence[Any], parents: Sequence[Node], level: Level) -> Node:
        """The node of a call."""
        second: Any = None if len(parents) == 1 else parents[1] if len(parents) == 2 else tuple(parents[1:])
        return Node(next_number(), self, self.saved(arguments, residuals), parents[0], second, level)

    def values(self, outs: Sequence[Any], node: Node) -> list[Any]:
        """The values of a call, those that carry a gradient with their place in the graph."""
        if len(outs) == 1:
            return [wrap(outs[0], node)]
        level, projection = node.level, self.op.projection
        return [
            wrap(x, Node(next_number(), projection(k), NOTHING, node, None, level)) if spec[3] else x
            for k, (x, spec) in enumerate(zip(outs, self.specs, strict=True))
        ]


def _zeros(xp: Any, spec: Any) -> Any:
    shape, dtype, device, _ = spec
    return xp.zeros(shape, dtype=dtype, device=device)


def call(
    operation: Operation, arrays: Sequence[Any], lower: Sequence[Any], mask: tuple[bool, ...], level: Level
) -> tuple[Rest, Sequence[Any]]:
    """The values of a compiled function with their node.

    Parameters
    ----------
    arrays, lower : sequence
        The arguments as given, and as the level sees them.
    mask : tuple of bool
        Which of them are of the level.
    """
    from agnograd.compiler.operation import key_of

    parents: list[Any] = [x._node for x, m in zip(arrays, mask, strict=True) if m]
    residuals: Sequence[Any] = ()
    if any(is_wrapper(x) for x in lower):
        level.nested = True
        rest, values = operation(lower)
        specs = [(tuple(x.shape), x.dtype, None, carries(x)) for x in values]
        variant = Call(operation, mask, specs, None)
    else:
        needs = tuple([i for i, m in enumerate(mask) if m])
        made, outs = operation.run(key_of(lower), lower, needs)
        rest, values, residuals = made.rest, outs[: made.values], outs[made.values :]
        variant = variant_of(operation, made, mask)
    if not any(spec[3] for spec in variant.specs):
        return rest, values
    return rest, variant.values(values, variant.node(lower, residuals, parents, level))


def variant_of(operation: Operation, made: Differentiated, mask: tuple[bool, ...]) -> Call:
    """How calls of a program are taken back."""
    if made.variant is None:
        carrying = set(made.carrying)
        specs = [(*spec, k in carrying) for k, spec in enumerate(made.outputs)]
        made.variant = Call(operation, mask, specs, made)
    return made.variant  # type: ignore[no-any-return]
