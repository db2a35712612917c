"""Sums of few elements on CuPy, in one kernel with what comes right before and after.

Of a large array a sum is left to CuPy's own function, which CUB runs on the whole of a device. A kernel with several
operands has one block of threads for each element of the result: where there are few elements, launches are what takes
time, and there is one instead of up to three.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from agnograd.compiler.fusion import Group
from agnograd.compiler.program import Program, Step, Var
from agnograd.core.formulas import broadcast_shapes

# Elements that a block of threads adds up, each thread a few of them.
FEW = 1 << 13
_OPTIONS = frozenset(("axis", "keepdims"))


@dataclass(frozen=True)
class Reduction:
    """A sum, with elementwise steps on its operand and on its result.

    Attributes
    ----------
    before, after : Group or None
    step : Step
        The sum.
    functions : tuple of str
        Code that defines ``agnograd_before`` and ``agnograd_after`` of elements.
    """

    before: Group | None
    step: Step
    after: Group | None
    functions: tuple[str, ...]

    @property
    def steps(self) -> int:
        """How many calls it takes the place of."""
        return sum(len(group.steps) for group in (self.before, self.after) if group is not None) + 1


def is_small_sum(step: Step) -> bool:
    """Whether a step is a sum of floating-point numbers that a kernel of its own is good for."""
    if step.name != "sum" or step.params.keys() - _OPTIONS or len(step.args) != 1 or type(step.args[0]) is not Var:
        return False
    x = step.args[0]
    return x.dtype.char in "fd" and step.out.dtype == x.dtype and 0 < x.size <= FEW * max(step.out.size, 1)


def reductions(
    program: Program,
    groups: Mapping[int, Group],
    elementwise: Callable[[Step], bool],
    function: Callable[[Group, str], tuple[str, ...]],
) -> tuple[Program, dict[int, Reduction], dict[int, Group]]:
    """The program with sums joined by what is computed for them, or of them, alone; the sums, and the other groups.

    Parameters
    ----------
    groups : mapping
        Identities of steps to the groups that they stand for.
    elementwise : callable
        Whether a step that is a call could be a group.
    function : callable
        ``function(group, name)``, code of a function of elements that computes a group; none where it cannot be one.
    """
    made = {v: step for step in program.steps for v in step.outs}
    readers: dict[Var, list[Step]] = {}
    for step in program.steps:
        for v in dict.fromkeys(step.reads):
            readers.setdefault(v, []).append(step)
    results = set(program.results)

    def is_for_a_sum(v: Var) -> bool:
        found = readers.get(v, [])
        return v not in results and len(found) == 1 and is_small_sum(found[0])

    def group_of(step: Step | None, v: Var) -> Group | None:
        """What computes a variable and nothing else."""
        if step is None:
            return None
        if id(step) in groups:
            group = groups[id(step)]
            if len(group.outs) == 1:
                return group
            # Each for a sum of its own: what they share is computed for each, and not written.
            parts = [_part(group, out) for out in group.outs] if all(map(is_for_a_sum, group.outs)) else []
            if not parts or not all(_fills(part) and function(part, "agnograd_before") for part in parts):
                return None
            return parts[group.outs.index(v)]
        if elementwise(step):
            return Group(step.out.shape, [step], list(dict.fromkeys(step.reads)), [step.out])
        return None

    found: dict[int, Reduction] = {}
    replaced: dict[int, Step | None] = {}
    for step in program.steps:
        if not is_small_sum(step):
            continue
        x, out = step.args[0], step.out
        source, reader = made.get(x), readers.get(out, [])
        before = group_of(source, x) if is_for_a_sum(x) else None
        if before is not None and (replaced.get(id(source)) is not None or not _fills(before)):
            before = None
        first = () if before is None else function(before, "agnograd_before")
        if not first:
            before = None
        after = group_of(reader[0], reader[0].out) if len(reader) == 1 and out not in results else None
        if after is not None and (
            after.reads != [out] or not _is_like(after.outs[0], out) or id(reader[0]) in replaced
        ):
            after = None
        last = () if after is None else function(after, "agnograd_after")
        if not last:
            after = None
        if before is None and after is None:
            continue
        reads = [x] if before is None else before.reads
        new = Step("reduction", reads, {}, [out if after is None else after.outs[0]])
        # What both need is defined once.
        found[id(new)] = Reduction(before, step, after, tuple(dict.fromkeys((*first, *last))))
        if before is not None:
            replaced[id(source)] = None
        if after is not None:
            replaced[id(step)] = None
            replaced[id(reader[0])] = new
        else:
            replaced[id(step)] = new
    if not found:
        return program, {}, dict(groups)
    steps = [replaced.get(id(step), step) for step in program.steps]
    left = {key: group for key, group in groups.items() if key not in replaced}
    return replace(program, steps=[step for step in steps if step is not None]), found, left


def _part(group: Group, out: Var) -> Group:
    """The steps of a group that one of its results needs."""
    needed = {out}
    steps = []
    for step in reversed(group.steps):
        if not needed.isdisjoint(step.outs):
            steps.append(step)
            needed.update(step.reads)
    made = {v for step in steps for v in step.outs}
    reads = dict.fromkeys(v for step in reversed(steps) for v in step.reads if v not in made)
    return Group(group.shape, steps[::-1], list(reads), [out])


def _fills(group: Group) -> bool:
    """Whether the operands of a group make up its shape."""
    return bool(group.reads) and broadcast_shapes(*(v.shape for v in group.reads)) == group.shape


def _is_like(v: Var, other: Var) -> bool:
    return v.shape == other.shape and v.dtype == other.dtype


def source(name: str, reduction: Reduction, operands: Sequence[str]) -> tuple[str, list[str]]:
    """The definition of a kernel, and what it is called with besides its operands: their types and names are given."""
    kind = reduction.step.out.dtype.name
    names = [operand.split()[-1] for operand in operands]
    mapped = names[0] if reduction.before is None else f"agnograd_before({', '.join(names)})"
    result = "a" if reduction.after is None else "agnograd_after(a)"
    preamble = "\n".join(reduction.functions)
    digest = hashlib.sha256("\n".join([*operands, mapped, result, preamble]).encode()).hexdigest()[:8]
    text = (
        f'{name} = ReductionKernel(\n    "{", ".join(operands)}",\n    "{kind} out",\n    "{mapped}",\n    "a + b",\n'
        f'    "out = {result}",\n    "0",\n    "agnograd_sum_{digest}",\n    preamble="""\n{preamble}    """,\n'
        f'    options=("--fmad=false",),\n)\n'
    )
    params = reduction.step.params
    return text, [f"{key}={params[key]!r}" for key in sorted(params)]
