"""A function recorded at a level of its own, and the way back through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import optree

from agnograd.core.level import new_level
from agnograd.core.nodes import Node
from agnograd.transforms.arguments import Inputs
from agnograd.transforms.results import extra, finished, fitting, pair, values_of
from agnograd.transforms.trees import flatten, leaves_like, place


class Recording:
    """One call of a function in reverse mode.

    Attributes
    ----------
    inputs : Inputs
    values : list of (array, Node or None)
        The leaves of its value off the level, each with its node there.
    structure : PyTreeSpec
        That of the value, None being a leaf.
    aux : tree
        Extra results; None without `has_aux`.
    """

    def __init__(self, f: Callable[..., Any], primals: Sequence[Any], name: str, *, has_aux: bool = False) -> None:
        with new_level(name) as level:
            self.inputs: Inputs = Inputs(primals, level, range(len(primals)), constants=True)
            out = f(*self.inputs.lifted)
            self.aux: Any = None
            if has_aux:
                out, aux = pair(out)
                self.aux = extra(aux, level, tensors=self.inputs.tensors)
            self.structure: Any
            leaves, self.structure = flatten(out)
            self.values: list[tuple[Any, Node | None]] = values_of(leaves, self.structure, level)

    @property
    def value(self) -> Any:
        """What the function returned, for the caller."""
        tensors = self.inputs.tensors
        return optree.tree_unflatten(self.structure, [finished(x, tensors=tensors) for x, _ in self.values])

    def pullback(self, cotangent: Any) -> tuple[Any, ...]:
        """Take a cotangent of the value back to the arguments.

        Raises
        ------
        CotangentError
            If structure, shape, dtype, backend or device are not those of the value.
        """
        given = leaves_like(cotangent, self.structure, ("cotangent", "value"))
        roots = []
        for k, (g, (value, node)) in enumerate(zip(given, self.values, strict=True)):
            if g is None:
                continue
            g = fitting(g, value, partial(place, "cotangent", self.structure, k))
            if node is not None:
                roots.append((node, g))
        return tuple(self.inputs.pull_back(roots, release=False, given=given))
