"""Calls of one function on many small arrays as one call on all of them: a call takes longer than its few elements.

The arrays are computed next to each other, as rows of a *stack*; once the last of them is there, and before the first
result is needed, one call makes a stack of results. That happens wherever a pass back asks for a function of what the
pass forward has computed, the cosines of a chain of sines for instance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agnograd.compiler.program import Program, Step, Var, name_of

# Bytes of an array that is small, and of a stack; members from which on it is worth it.
_SMALL, _MOST, _LEAST = 1 << 13, 1 << 22, 4


@dataclass
class Stack:
    """Steps that are one call.

    Attributes
    ----------
    steps : list of Step
    operands : list of Var
        The array that each of them reads and the others do not.
    place : int
        The step after which all operands are there.
    """

    steps: list[Step]
    operands: list[Var]
    place: int


def stacks(program: Program, ufunc: Callable[[Step], Any], can_place: Callable[[Step, Var], bool]) -> list[Stack]:
    """The stacks of a program, no array in two of them.

    Parameters
    ----------
    ufunc : callable
        What calculates a step on elements; None for others.
    can_place : callable
        ``can_place(step, out)``: whether a step can write its result to a place that is given.
    """
    made = {v: k for k, step in enumerate(program.steps) for v in step.outs}
    kept = set(program.results)
    uses: dict[Var, int] = {}
    for k, step in enumerate(program.steps):
        for v in step.reads:
            uses.setdefault(v, k)
    common = {*program.inputs, *program.constants}
    candidates: dict[Any, list[tuple[int, int, Step, Var]]] = {}
    for step in program.steps:
        if step.several or step.out in kept or not step.out.shape or ufunc(step) is None:
            continue
        own = {v for v in step.reads if v not in common}
        if len(own) != 1:
            continue
        (x,) = own
        small = x.shape == step.out.shape and x.size * x.dtype.itemsize <= _SMALL and x.size
        if not small or x in kept or step.out not in uses or not can_place(program.steps[made[x]], x):
            continue
        pattern = tuple([("own",) if v is x else ("other", v) for v in step.args])
        key = (step.name, x.shape, name_of(x.dtype), name_of(step.out.dtype), pattern)
        candidates.setdefault(key, []).append((made[x], uses[step.out], step, x))
    return _grouped(candidates)


def _grouped(candidates: dict[Any, list[tuple[int, int, Step, Var]]]) -> list[Stack]:
    found: list[Stack] = []
    taken: set[Var] = set()
    for members in candidates.values():
        members.sort(key=lambda member: member[0])
        group: list[tuple[int, int, Step, Var]] = []
        first = 0
        for member in members:
            nbytes = member[3].size * member[3].dtype.itemsize
            if group and (member[0] >= first or (len(group) + 1) * nbytes > _MOST):
                _close(group, found, taken)
                group = []
            first = min(first, member[1]) if group else member[1]
            group.append(member)
        _close(group, found, taken)
    return found


def _close(group: list[tuple[int, int, Step, Var]], found: list[Stack], taken: set[Var]) -> None:
    free = {m[3]: m for m in group if m[3] not in taken and m[2].out not in taken}
    group = list(free.values())
    if len(group) < _LEAST:
        return
    taken.update(m[3] for m in group)
    taken.update(m[2].out for m in group)
    found.append(Stack([m[2] for m in group], [m[3] for m in group], max(m[0] for m in group)))
