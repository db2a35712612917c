"""Common subexpressions: a call with the same arguments as an earlier one has the same result."""

from __future__ import annotations

from typing import Any

from agnograd.compiler.passes.rewriting import Rewriting
from agnograd.compiler.program import Program, Step, Var, frozen

# Two arrays of these are not the same.
_FRESH = frozenset(("empty", "empty_like"))


def run(program: Program) -> Program:
    """The program with the later call replaced by the earlier one."""
    rewriting = Rewriting(program)
    seen: dict[Any, tuple[Var, ...]] = {}
    for step in rewriting.current():
        key = None if step.name in _FRESH else _key(step)
        earlier = seen.get(key) if key is not None else None
        if earlier is None:
            if key is not None:
                seen[key] = step.outs
            rewriting.keep(step)
        else:
            for old, new in zip(step.outs, earlier, strict=True):
                rewriting.replace(old, new)
    return rewriting.program()


def _key(step: Step) -> Any:
    """What two calls have in common that return the same."""
    key: list[Any] = [step.name]
    for x in step.args:
        # Numbers must not be taken for variables, nor 1 for True.
        key += (x,) if type(x) is Var else (int, x) if type(x) is int else (None, frozen(x))
    if step.params:
        key += (dict, frozen(step.params))
    return tuple(key)
