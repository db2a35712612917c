"""Numbers that are added to zeros one by one, as the pass back from ``x[0]`` and ``x[1]`` does: one kernel for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cupy as cp  # noqa: TID253 - this module is imported for programs on CuPy only

from agnograd.backends import cupy_kernels
from agnograd.compiler.program import Program, Step, Var

# Elements of an array for which one kernel is better than several that write one element each, and its arguments.
FEW, MOST = 4096, 24


def place(key: Any, shape: Sequence[int]) -> int | None:
    """Which element of a small array a key takes, counted row by row; None where it takes none, or several."""
    keys = key if type(key) is tuple else (key,)
    if len(keys) != len(shape) or any(type(k) is not int for k in keys) or math.prod(shape) > FEW:
        return None
    found = 0
    for k, n in zip(keys, shape, strict=True):
        found = found * n + (k + n if k < 0 else k)
    return found


def put(values: Sequence[Any], places: Sequence[int], shape: tuple[int, ...], dtype: Any) -> Any:
    """Zeros with numbers added at their places, on the current device."""
    out = cp.empty(shape, dtype=dtype)
    given = [x for pair in zip(values, places, strict=True) for x in pair]
    return cupy_kernels.numbers(len(places))(*given, out)


def joined(program: Program) -> tuple[Program, dict[int, Callable[..., Any]]]:
    """The program with one step for the numbers of each array, and what these steps call."""
    made = {v: step for step in program.steps for v in step.outs}
    reads: dict[Var, int] = dict.fromkeys(program.results, 1)
    for step in program.steps:
        for v in step.reads:
            reads[v] = reads.get(v, 0) + 1
    functions: dict[int, Callable[..., Any]] = {}
    gone: set[int] = set()
    new: dict[int, Step] = {}
    for step in reversed(program.steps):
        if id(step) in gone:
            continue
        chain = []
        at: Step | None = step
        while at is not None and _adds_a_number(at) and (at is step or reads[at.out] == 1):
            chain.append(at)
            at = made.get(at.args[0])
        if not 1 < len(chain) <= MOST or at is None or not _is_zeros(at):
            continue
        chain.reverse()
        values = [link.args[1] for link in chain]
        places = [place(link.args[2], step.out.shape) for link in chain]
        one = Step("numbers", values, {}, step.outs)
        functions[id(one)] = _function(places, step.out)
        new[id(step)] = one
        gone.update(id(link) for link in chain)
    steps = [new.get(id(step), step) for step in program.steps if id(step) in new or id(step) not in gone]
    needed = {v for step in steps for v in step.reads} | set(program.results)
    steps = [step for step in steps if not _is_zeros(step) or step.out in needed]
    return replace(program, steps=steps), functions


def _adds_a_number(step: Step) -> bool:
    if step.name != "add_into" or step.params or len(step.args) != 3:
        return False
    x, value, key = step.args
    return (
        type(x) is Var
        and type(value) is Var
        and value.shape == ()
        and value.dtype == x.dtype
        and x.dtype.char in "fd"
        and place(key, x.shape) is not None
    )


def _is_zeros(step: Step) -> bool:
    # A zero with a sign is not what numbers are added to.
    return step.name == "full" and len(step.args) == 2 and repr(step.args[1]) in ("0", "0.0")


def _function(places: Sequence[Any], out: Var) -> Callable[..., Any]:
    def numbers(*values: Any) -> Any:
        with out.device:
            return put(values, places, out.shape, out.dtype)

    return numbers
