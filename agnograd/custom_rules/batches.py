"""A function and its rule for all members of a batch at once, where a level further out needs the rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agnograd.core.array import Array
from agnograd.core.custom import is_array
from agnograd.core.table import OPS
from agnograd.core.views import settled
from agnograd.custom_rules.nodes import Forward, ForwardPass, Pull
from agnograd.transforms import vmap

Leaves = list[Any]
Jvp = Callable[[Leaves, Leaves], tuple[Leaves, Leaves]]


class Batches:
    """Functions of the leaves of members, made functions of the leaves of a batch.

    Attributes
    ----------
    mapped : list of bool
        Which leaves have a batch axis, their first.
    size : int
        Number of members.
    """

    def __init__(self, mapped: list[bool], size: int) -> None:
        self.mapped = mapped
        self.size = size
        self.axes: tuple[int | None, ...] = tuple([0 if m else None for m in mapped])

    def _over(self, f: Callable[..., Any], in_axes: Any, *args: Any) -> Any:
        return vmap(f, in_axes, axis_size=self.size)(*args)

    def function(self, f: Callable[[Leaves], Leaves]) -> Callable[[Leaves], Leaves]:
        """The function itself."""
        return lambda leaves: list(self._over(lambda x: tuple(f(list(x))), (self.axes,), tuple(leaves)))

    def jvp(self, rule: Jvp) -> Jvp:
        """A rule for forward mode."""

        def run(x: Sequence[Any], t: Sequence[Any]) -> Any:
            outputs, slopes = rule(list(x), list(t))
            return tuple(outputs), tuple(slopes)

        def jvp(leaves: Leaves, tangents: Leaves) -> tuple[Leaves, Leaves]:
            outputs, slopes = self._over(run, (self.axes, self.axes), tuple(leaves), tuple(tangents))
            return list(outputs), list(slopes)

        return jvp

    def forward(self, member: ForwardPass) -> ForwardPass:
        """The forward pass of a rule for reverse mode."""

        def forward(leaves: Leaves, needs: tuple[int, ...]) -> Forward:
            done: list[Forward] = []
            own: list[bool] = []

            def run(x: Sequence[Any]) -> Any:
                done.append(member(list(x), needs))
                level = next(leaf.level for leaf, m in zip(x, self.mapped, strict=True) if m)
                own.extend(isinstance(r, Array) and settled(r).level is level for r in done[0].residuals)
                mine = [r for r, m in zip(done[0].residuals, own, strict=True) if m]
                return tuple(done[0].outputs), tuple(mine)

            outputs, residuals = self._over(run, (self.axes,), tuple(leaves))
            if not done[0].complete:
                return Forward(
                    list(outputs), [x for x in leaves if is_array(x)], self._again(member, leaves, needs), True
                )
            # What all members share is kept once.
            known = iter(residuals)
            kept = [next(known) if m else r for r, m in zip(done[0].residuals, own, strict=True)]
            return Forward(list(outputs), kept, self._pull(done[0].pull, own), complete=True)

        return forward

    def _pull(self, member: Pull, own: Sequence[bool]) -> Pull:
        axes = tuple([0 if m else None for m in own])

        def run(r: Sequence[Any], g: Sequence[Any]) -> Any:
            return tuple(member(r, g))

        def pull(residuals: Sequence[Any], cotangents: Sequence[Any]) -> Leaves:
            return self._summed(self._over(run, (axes, 0), tuple(residuals), tuple(cotangents)))

        return pull

    def _again(self, member: ForwardPass, leaves: Leaves, needs: tuple[int, ...]) -> Pull:
        """The way back where what it reads belongs to a batch that is gone: the forward pass runs again."""
        present = [is_array(x) for x in leaves]
        others = [None if there else x for x, there in zip(leaves, present, strict=True)]

        def run(x: Sequence[Any], g: Sequence[Any]) -> Any:
            done = member(list(x), needs)
            return tuple(done.pull(done.residuals, g))

        def pull(arrays: Sequence[Any], cotangents: Sequence[Any]) -> Leaves:
            known = iter(arrays)
            arguments = tuple([next(known) if there else x for x, there in zip(others, present, strict=True)])
            return self._summed(self._over(run, (self.axes, 0), arguments, tuple(cotangents)))

        return pull

    def _summed(self, cotangents: Sequence[Any]) -> Leaves:
        """Those of what all members share are sums over them."""
        pairs = zip(cotangents, self.mapped, strict=True)
        return [g if g is None or m else OPS["sum"].call(g, axis=0) for g, m in pairs]
