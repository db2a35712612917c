"""Common subexpressions: a call with the same arguments as an earlier one has the same result."""

from __future__ import annotations

from typing import Any

from agnograd.compiler.passes.rewriting import Rewriting
from agnograd.compiler.program import Program, Var, frozen

# Two arrays of these are not the same.
_FRESH = frozenset(("empty", "empty_like"))


def run(program: Program) -> Program:
    """The program with the later call replaced by the earlier one."""
    rewriting = Rewriting(program)
    seen: dict[Any, tuple[Var, ...]] = {}
    for step in program.steps:
        step = rewriting.current(step)
        key = None if step.name in _FRESH else (step.name, frozen(step.args), frozen(step.params))
        earlier = seen.get(key) if key is not None else None
        if earlier is None:
            if key is not None:
                seen[key] = step.outs
            rewriting.keep(step)
        else:
            for old, new in zip(step.outs, earlier, strict=True):
                rewriting.replace(old, new)
    return rewriting.program()
