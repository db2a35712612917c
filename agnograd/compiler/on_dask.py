"""Dask's generator: elementwise steps in groups, each of which is one task a block, and all other calls as they are.

Chunks stay what they are: where operands of a group have different ones, which dask brings into line pair by pair, its
steps are called one by one. A task knows names of operations, which it looks up for the type of its blocks, and is
small and can be pickled. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da  # noqa: TID253 - this module is imported for programs on dask only
from dask.array.utils import meta_from_array  # noqa: TID253

from agnograd.compiler.fusion import Group, Limits, fused
from agnograd.compiler.program import Program, Step, Var
from agnograd.compiler.shapes import function_of, is_elementwise
from agnograd.compiler.source import Code, Kernel, plain
from agnograd.core.formulas import broadcast_shapes
from agnograd.core.table import Space, spaces

Array = Any

_LIMITS = Limits(1000, lambda _: 64)
_NUMBERS = (bool, int, float, complex)
# What the backend has functions of its own for, which do the same on ordinary arrays.
_MENDED = frozenset(
    ("add", "subtract", "multiply", "divide", "negative", "pow", "where", "sign", "tanh", "conj", "expm1")
)
_CHEAP = frozenset(
    ("add", "subtract", "multiply", "divide", "negative", "square", "abs", "where", "maximum", "minimum")
)


def generate(program: Program) -> Code:
    """The code of a program."""
    space = program.space
    program, groups = fused(
        program,
        lambda step: _fits(space, step),
        spreads=lambda _: False,
        cheap=lambda step: step.name in _CHEAP,
        limits=_LIMITS,
    )
    kernels: dict[int, Kernel] = {}
    for number, (step, group) in enumerate((s, groups[id(s)]) for s in program.steps if id(s) in groups):
        name = f"blocks{number}"
        lines = [f"# {name}, on each block:", *(f"#     {inner}" for inner in group.steps)]
        kernels[id(step)] = Kernel(name, "\n".join(lines), {name: _Kernel(space, group)}, [])
    notes = [f"{len(group.steps)} elementwise steps on {group.shape} in one task a block" for group in groups.values()]
    return plain(program, kernels, notes)


def _fits(space: Space, step: Step) -> bool:
    if step.several or step.params or not step.reads or (step.name in space.kernels and step.name not in _MENDED):
        return False
    if step.name == "astype":
        return len(step.args) == 2 and type(step.args[0]) is Var
    if not is_elementwise(step.name) or any(type(x) is not Var and type(x) not in _NUMBERS for x in step.args):
        return False
    return tuple(broadcast_shapes(*(v.shape for v in step.reads))) == step.out.shape


@dataclass(frozen=True)
class Block:
    """The steps of a group on the blocks of one place.

    Attributes
    ----------
    steps : tuple
        For each step its name and its arguments, a number, a dtype, or the place of an earlier value as `Place`.
    outs : tuple of int
        The values that are returned: one, or several in a tuple.
    """

    steps: tuple[tuple[str, tuple[Any, ...]], ...]
    outs: tuple[int, ...]

    def __call__(self, *blocks: Any) -> Any:
        """Run them."""
        values = list(blocks)
        space = spaces[type(max(blocks, key=lambda x: x.ndim))]
        for name, args in self.steps:
            given = [values[x.index] if type(x) is Place else x for x in args]
            values.append(function_of(space, name)(*given))
        found = tuple([values[i] for i in self.outs])
        return found if len(found) > 1 else found[0]


@dataclass(frozen=True)
class Place:
    """A value within a block."""

    index: int


@dataclass(frozen=True)
class Part:
    """One of the results of a block."""

    index: int

    def __call__(self, block: tuple[Any, ...]) -> Any:
        """Take it."""
        return block[self.index]


class _Kernel:
    """A group as a function of dask arrays."""

    def __init__(self, space: Space, group: Group) -> None:
        self.shape = group.shape
        self.dtypes = [v.dtype for v in group.outs]
        places = {v: k for k, v in enumerate(group.reads)}
        steps = []
        for step in group.steps:
            steps.append((step.name, tuple([Place(places[x]) if type(x) is Var else x for x in step.args])))
            places[step.out] = len(places)
        self.block = Block(tuple(steps), tuple([places[v] for v in group.outs]))
        self.functions: list[Callable[..., Array]] = [function_of(space, step.name) for step in group.steps]

    def __call__(self, *arrays: Array) -> Any:
        # A cotangent may be a product by name, which the backend's own functions know.
        if any(type(a) is not da.Array for a in arrays) or not _aligned(arrays, self.shape):
            return self._one_by_one(arrays)
        axes = tuple(range(len(self.shape)))[::-1]
        given = [x for a in arrays for x in (a, tuple(range(a.ndim))[::-1])]
        metas = [meta_from_array(max(arrays, key=lambda a: a.ndim), ndim=len(axes), dtype=d) for d in self.dtypes]
        several = len(metas) > 1
        out = da.blockwise(self.block, axes, *given, meta=metas[0], dtype=self.dtypes[0], align_arrays=False)
        if not several:
            return out
        return tuple(
            [da.blockwise(Part(i), axes, out, axes, meta=meta, dtype=meta.dtype) for i, meta in enumerate(metas)]
        )

    def _one_by_one(self, arrays: Sequence[Array]) -> Any:
        values = list(arrays)
        for function, (_, args) in zip(self.functions, self.block.steps, strict=True):
            values.append(function(*[values[x.index] if type(x) is Place else x for x in args]))
        found = tuple([values[i] for i in self.block.outs])
        return found if len(found) > 1 else found[0]


def _aligned(arrays: Sequence[Array], shape: tuple[int, ...]) -> bool:
    """Whether arrays of a group have the same chunks along each axis, and one of them all elements along it."""
    for axis, size in enumerate(shape, -len(shape)):
        chunks = {a.chunks[axis] for a in arrays if a.ndim >= -axis and a.shape[axis] == size}
        if len(chunks) != 1:
            return False
    return True
