"""The Jacobian of a function at a point: by its columns, by its rows, or by whichever are fewer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import optree

from agnograd.core.array import Array, innermost
from agnograd.core.facts import describe, raw_space
from agnograd.core.forward import Dual
from agnograd.core.level import new_level
from agnograd.core.reverse import backward
from agnograd.core.table import spaces
from agnograd.core.views import settled
from agnograd.errors import NotDifferentiableError
from agnograd.transforms.arguments import (
    Argnums,
    arguments_at,
    chosen,
    differentiable,
    is_single,
    lift,
    with_arguments,
)
from agnograd.transforms.basis import Basis, columns, images, rows
from agnograd.transforms.results import (
    check_array,
    conjugate,
    extra,
    finished,
    off_level,
    pair,
    tangent_off_level,
    zeros,
)
from agnograd.transforms.sparsity import Colours, Pattern
from agnograd.transforms.trees import argument, place

Pullback = Callable[[list[Any]], Sequence[Any]]


class Call:
    """A function at a point: one from arrays to arrays, which are the leaves of its arguments and of its value.

    Attributes
    ----------
    leaves : list of array
        The point, as a level sees it.
    aux
        Extra results of the last run.
    """

    def __init__(
        self,
        name: str,
        f: Callable[..., Any],
        argnums: Argnums,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        *,
        has_aux: bool,
        holomorphic: bool,
    ) -> None:
        self.name = name
        self.aux: Any = None
        self._f = f
        self._args = args
        self._kwargs = kwargs
        self._has_aux = has_aux
        self._holomorphic = holomorphic
        self._keys = chosen(f, argnums, args, kwargs)
        trees: Any = arguments_at(self._keys, args, kwargs)
        self._given: list[Any]
        self._given, self._structure = optree.tree_flatten(trees)
        self._trees = trees
        self._tensors = any(isinstance(x, Array) for x in self._given)
        self.leaves: list[Any] = [differentiable(x, name, partial(self._input, k)) for k, x in enumerate(self._given)]
        # What the blocks of one output are put into, and what those of all outputs.
        domain: Any = trees[0] if is_single(argnums) else tuple(trees)
        self._domain = optree.tree_structure(domain)
        self._range: Any = None

    def __call__(self, *leaves: Any) -> tuple[list[Any], Any]:
        """Leaves of the value, and extra results."""
        trees: Any = optree.tree_unflatten(self._structure, leaves)
        args, kwargs = with_arguments(self._keys, trees, self._args, self._kwargs)
        out, aux = self._f(*args, **kwargs), None
        if self._has_aux:
            out, aux = pair(out)
        found, self._range = optree.tree_flatten(out)
        for k, x in enumerate(found):
            if type(x) not in spaces and not isinstance(x, (Array, bool, int, float, complex)):
                check_array(settled(x), self.name, partial(self._output, k))
        return found, aux

    # -- modes -------------------------------------------------------------------------------------------------------

    def forward(self, chunk_size: int | None, pattern: Pattern | None) -> Any:
        """By columns, from tangents."""
        self._check_inputs(forward=True)
        basis = Basis(self.leaves, self._input)
        values: list[Any] = []

        def push(*tangents: Any) -> Sequence[Any]:
            with new_level("jvp") as level:
                # Those of a basis are like the arguments: nothing is left to check.
                out, aux = self(*[Dual(x, t, level) for x, t in zip(self.leaves, tangents, strict=True)])
                self.aux = extra(aux, level, tensors=True)
                values[:] = [off_level(y, level)[0] for y in out]
                found = [tangent_off_level(y, level) for y in out]
            self._check_outputs(values, forward=True)
            return found

        if pattern is not None:
            pattern.check(basis.sizes, 1)
            seeds = Colours(pattern, False, self.leaves[0])
            found = images(push, seeds, chunk_size)
            pattern.check(Basis(values, self._output).sizes, 0)
            return self._tree([[pattern.assemble(found[0], seeds)]])
        found = images(push, basis, chunk_size)
        return self._tree(
            [
                self._finished(columns(part, y.shape, shape))
                for part, shape in zip(basis.parts(x), basis.shapes, strict=True)
            ]
            for x, y in zip(found, values, strict=True)
        )

    def reverse(self, chunk_size: int | None, pattern: Pattern | None) -> Any:
        """By rows, from cotangents."""
        return self._pulled(*self._recorded(), chunk_size, pattern)

    def either(self, chunk_size: int | None, pattern: Pattern | None) -> Any:
        """By columns where they are fewer than rows, or where only forward mode can do it."""
        values, pullback = self._recorded()
        several = [any(map(_is_complex, xs)) for xs in (self.leaves, values)]
        if any(several) and not self._holomorphic:
            forward = several[1]
        elif pattern is not None:
            forward = max(pattern.colours(False), default=0) < max(pattern.colours(True), default=0)
        else:
            forward = Basis(self.leaves, self._input).count < Basis(values, self._output).count
        if not forward:
            return self._pulled(values, pullback, chunk_size, pattern)
        del values, pullback
        return self.forward(chunk_size, pattern)

    def _recorded(self) -> tuple[list[Any], Pullback]:
        with new_level("vjp") as level:
            lifted = [lift(x, level) for x in self.leaves]
            out, aux = self(*lifted)
            self.aux = extra(aux, level, tensors=self._tensors)
            found = [off_level(y, level) for y in out]
        nodes = [x._node for x in lifted]
        values = [finished(y, tensors=False) for y, _ in found]

        def pullback(cotangents: list[Any]) -> Sequence[Any]:
            # Those of a basis are like the values: nothing is left to check.
            roots = [(node, g) for (_, node), g in zip(found, cotangents, strict=True) if node is not None]
            gs = backward(roots, release=False) if roots else {}
            return [gs[node] if node in gs else zeros(x) for node, x in zip(nodes, self.leaves, strict=True)]

        return values, pullback

    def _pulled(self, values: list[Any], pullback: Pullback, chunk_size: int | None, pattern: Pattern | None) -> Any:
        self._check_inputs(forward=False)
        self._check_outputs(values, forward=False)
        basis = Basis(values, self._output)

        def pull(*cotangents: Any) -> Sequence[Any]:
            found = pullback(list(cotangents))
            # A pullback multiplies by the conjugate of the derivative.
            return [conjugate(g) for g in found] if self._holomorphic else found

        if pattern is not None:
            pattern.check(basis.sizes, 0)
            pattern.check(Basis(self.leaves, self._input).sizes, 1)
            seeds = Colours(pattern, True, values[0])
            return self._tree([[pattern.assemble(images(pull, seeds, chunk_size)[0], seeds)]])
        if basis.shapes == [()]:
            # A gradient: it is the only row.
            (y,) = values
            space = raw_space(y)
            one = space.ones((), dtype=y.dtype, device=space.device(innermost(y)))
            return self._tree([[self._finished(g) for g in pull(one)]])
        found = images(pull, basis, chunk_size)
        parts = [basis.parts(g) for g in found]
        return self._tree(
            [self._finished(rows(part[i], shape, x.shape)) for part, x in zip(parts, self.leaves, strict=True)]
            for i, shape in enumerate(basis.shapes)
        )

    # -- what goes in and out ----------------------------------------------------------------------------------------

    def _tree(self, blocks: Iterable[Sequence[Any]]) -> Any:
        """The blocks of each output as the tree that the caller gets."""
        if self.aux is not None:
            self.aux = optree.tree_map(lambda x: self._finished(x) if isinstance(x, Array) else x, self.aux)
        return optree.tree_unflatten(self._range, [optree.tree_unflatten(self._domain, row) for row in blocks])

    def _finished(self, x: Any) -> Any:
        return finished(x._array if isinstance(x, Array) and x.level is None else x, tensors=self._tensors)

    def _input(self, k: int) -> str:
        """The input of that number, as messages call it."""
        for key, tree in zip(self._keys, self._trees, strict=True):
            structure = optree.tree_structure(tree)
            if k < structure.num_leaves:
                return place(argument(key), structure, k)
            k -= structure.num_leaves
        raise IndexError(k)

    def _output(self, k: int) -> str:
        """The output of that number, as messages call it."""
        return place("value", self._range, k)

    def _check_inputs(self, *, forward: bool) -> None:
        for k, x in enumerate(self.leaves):
            if _is_complex(x) is self._holomorphic or (_is_complex(x) and not forward):
                continue
            if self._holomorphic:
                msg = (
                    f"{self.name} with holomorphic=True requires complex inputs, got {self._input(k)} ({describe(x)}). "
                    f"Convert it to a complex dtype, or leave holomorphic out."
                )
            else:
                msg = (
                    f"{self.name} by forward mode requires real inputs, got {self._input(k)} ({describe(x)}). Pass "
                    f"holomorphic=True for the complex derivative of a holomorphic function; for others take jacrev if "
                    f"their values are real, or make real and imaginary parts arguments of their own."
                )
            raise NotDifferentiableError(msg)

    def _check_outputs(self, values: Sequence[Any], *, forward: bool) -> None:
        for k, y in enumerate(values):
            if y.dtype not in raw_space(y).floats:
                msg = (
                    f"{self.name} requires real- or complex-valued outputs, got {self._output(k)} ({describe(y)}), "
                    f"which has no derivative. Return it beside the value, with has_aux=True."
                )
            elif self._holomorphic and not _is_complex(y):
                msg = (
                    f"{self.name} with holomorphic=True requires complex outputs, got {self._output(k)} "
                    f"({describe(y)}). Leave holomorphic out."
                )
            elif _is_complex(y) and not forward and not self._holomorphic:
                msg = (
                    f"{self.name} by reverse mode requires real outputs, got {self._output(k)} ({describe(y)}). Pass "
                    f"holomorphic=True for the complex derivative of a holomorphic function; take jacfwd if the inputs "
                    f"are real, or return the real and the imaginary part."
                )
            else:
                continue
            raise NotDifferentiableError(msg)


def _is_complex(x: Any) -> bool:
    space = raw_space(x)
    return x.dtype in space.floats and x.dtype not in space.reals
