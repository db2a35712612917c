"""A function of blocks under transformations: each of them maps another function over the blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from agnograd.core import nodes
from agnograd.core.apply import carrier, highest
from agnograd.core.array import Array, innermost, is_wrapper
from agnograd.core.batch import Batched
from agnograd.core.cotangent import Outputs
from agnograd.core.custom import CustomOp, value_of
from agnograd.core.facts import raw_space
from agnograd.core.forward import Dual
from agnograd.core.hooks import is_raw
from agnograd.core.level import Level, records, zero_safety
from agnograd.core.nodes import Node, Reverse, projection, shown, wrap
from agnograd.core.op import Variant
from agnograd.core.saved import packed
from agnograd.core.views import settled
from agnograd.dask.bodies import Body, Members, Pullback, Pushforward
from agnograd.dask.grid import Layout, assembled
from agnograd.dask.values import is_dask


class Mapped(NamedTuple):
    """A function of blocks, and how its arguments and results lie on the grid.

    Attributes
    ----------
    body : callable
        Takes a chunk of each argument, returns a list of chunks.
    name : str
        What its tasks are called.
    grid : tuple of int
        Number of blocks along each axis.
    inputs, outputs : tuple of Layout
    split_every : int or None
        How many blocks a sum takes together.
    """

    body: Body
    name: str
    grid: tuple[int, ...]
    inputs: tuple[Layout, ...]
    outputs: tuple[Layout, ...]
    split_every: int | None = None

    def run(self, arguments: Sequence[Any]) -> list[Any]:
        """Its results, at the highest level among the arguments."""
        arguments = [settled(x) if isinstance(x, Array) else x for x in arguments]
        level = highest(arguments)
        if level is None:
            raw = [x._array if isinstance(x, Array) else x for x in arguments]
            inputs = list(zip(raw, self.inputs, strict=True))
            return assembled(self.body, self.name, self.grid, inputs, self.outputs, self.split_every)
        own = tuple([i for i, x in enumerate(arguments) if isinstance(x, Array) and x.level is level])
        lower = [x._array if i in own else x for i, x in enumerate(arguments)]
        first = carrier(arguments, level)
        if isinstance(first, Reverse) and not records(level):
            return self.run(lower)
        level.check_open()
        if isinstance(first, Dual):
            return self._dual(arguments, lower, own, level)
        if isinstance(first, Batched):
            return [Batched(value_of(y), level) for y in self._members(lower, own).run(lower)]
        return self._recorded(arguments, lower, own, level)

    def pullback(self, needs: tuple[int, ...], present: tuple[int, ...]) -> Mapped:
        """The way back: of arguments and cotangents."""
        body = Pullback(self.body, len(self.inputs), needs, present, zero_safety.get())
        cotangents = [self.outputs[i] for i in present]
        return self._replace(
            body=body,
            name=f"vjp-{self.name}",
            inputs=(*self.inputs, *cotangents),
            outputs=tuple([self.inputs[i] for i in needs]),
        )

    def pushforward(self, moving: tuple[int, ...], present: tuple[int, ...]) -> Mapped:
        """Results and tangents, of arguments and tangents."""
        body = Pushforward(self.body, len(self.inputs), moving, len(self.outputs), present, zero_safety.get())
        return self._replace(
            body=body,
            name=f"jvp-{self.name}",
            inputs=(*self.inputs, *[self.inputs[i] for i in moving]),
            outputs=(*self.outputs, *[self.outputs[i] for i in present]),
        )

    def _members(self, arguments: Sequence[Any], own: tuple[int, ...]) -> Mapped:
        """The function for all members of a batch, whose axis becomes one of the grid."""
        raw = [innermost(arguments[i]) for i in own]
        candidates = [x.chunks[0] if is_dask(x) else (int(x.shape[0]),) for x in raw]
        sizes = max(candidates, key=len)
        # Axes of one block, for what every block gets whole of a member.
        free = range(len(self.grid) + 1, len(self.grid) + 1 + _most_axes(self))
        grid = (len(sizes), *self.grid, *[1 for _ in free])
        if len(sizes) == 1:
            grid = grid[: len(self.grid) + 1]
        inputs = [
            layout.shifted(sizes, free) if i in own else _one_further(layout) for i, layout in enumerate(self.inputs)
        ]
        return self._replace(
            body=Members(self.body, tuple([i in own for i in range(len(self.inputs))])),
            name=f"vmap-{self.name}",
            grid=grid,
            inputs=tuple(inputs),
            outputs=tuple([layout.shifted(sizes, free) for layout in self.outputs]),
        )

    def _dual(self, arguments: Sequence[Any], lower: list[Any], own: tuple[int, ...], level: Level) -> list[Any]:
        present = tuple([k for k, layout in enumerate(self.outputs) if layout.carries])
        tangents = [arguments[i]._tangent for i in own]
        found = self.pushforward(own, present).run([*lower, *tangents])
        values, slopes = found[: len(self.outputs)], dict(zip(present, found[len(self.outputs) :], strict=True))
        return [
            Dual(value_of(y), value_of(slopes[k]), level) if k in slopes else shown(y) for k, y in enumerate(values)
        ]

    def _recorded(self, arguments: Sequence[Any], lower: list[Any], own: tuple[int, ...], level: Level) -> list[Any]:
        values = self.run(lower)
        variant = _WayBack(self, own)
        saved = tuple(map(value_of, lower))
        if any(is_wrapper(x) for x in (*saved, *map(value_of, values))):
            level.nested = True
        parents = [arguments[i]._node for i in own]
        second = None if len(parents) == 1 else parents[1] if len(parents) == 2 else tuple(parents[1:])
        node = Node(nodes.next_number(), variant, packed(variant, saved), parents[0], second, level)
        single = len(values) == 1
        return [
            wrap(value_of(y), node if single else projection(node, k)) if layout.carries else shown(y)
            for k, (y, layout) in enumerate(zip(values, self.outputs, strict=True))
        ]


def _most_axes(mapped: Mapped) -> int:
    return max(len(layout.chunks) for layout in (*mapped.inputs, *mapped.outputs))


def _one_further(layout: Layout) -> Layout:
    return layout if layout.labels is None else layout._replace(labels=tuple([n + 1 for n in layout.labels]))


class _Name:
    """What a node is called after."""

    def __init__(self, name: str) -> None:
        self.__name__ = "".join(word.capitalize() for word in name.replace("-", "_").split("_"))


class _WayBack(Variant):
    """The way back of one call: it maps the pullback of the function over the blocks."""

    __slots__ = ("mapped",)

    def __init__(self, mapped: Mapped, needs: tuple[int, ...]) -> None:
        self.op = CustomOp(_Name(mapped.name), len(mapped.inputs), len(mapped.outputs))  # type: ignore[assignment, arg-type]
        self.mapped = mapped
        self.needs = needs
        self.names = self.op.arrays
        self.kinds = tuple([needs.index(i) if i in needs else None for i in range(len(mapped.inputs))])

    def zero_safe(self) -> Variant:
        """Itself: the mode goes into the tasks."""
        return self

    def rule(self, _: Any, g: Any, *saved: Any) -> Any:
        """Map the pullback."""
        given = g.items if type(g) is Outputs else (g,)
        factored = _factored(g, [self.mapped.inputs[i] for i in self.needs])
        if factored is not None:
            # The way back is linear: a factor that depends on all of the data need not be known in its tasks.
            found = self.mapped.pullback(self.needs, (0,)).run([*saved, factored])
            gradients = [g.with_base(x) for x in found]
            return gradients[0] if len(gradients) == 1 else gradients
        present = tuple([k for k, x in enumerate(given) if x is not None])
        found = self.mapped.pullback(self.needs, present).run([*saved, *[given[k] for k in present]])
        if not is_raw(g):
            found = [shown(x) for x in found]
        return found[0] if len(found) == 1 else found

    adjoint = rule


def _factored(g: Any, inputs: Sequence[Layout]) -> Any:
    """A cotangent without its factor, where that may be multiplied last."""
    if not is_dask(g):
        return None
    from agnograd.backends.dask_cotangents import Symbolic

    real = raw_space(g).reals
    if (
        type(g) is not Symbolic
        or g.factor is None
        or any(x.meta.dtype != g.dtype for x in inputs)
        or g.dtype not in real
    ):
        return None
    return Symbolic(g.base, g.chunks, g._meta)
