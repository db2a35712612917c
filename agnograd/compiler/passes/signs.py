"""Signs: ``a + (-b)`` is ``a - b``, and ``(-a) b`` is ``-(a b)``, bit for bit.

Rules that subtract give negative cotangents, which are multiplied and then added to others.
"""

from __future__ import annotations

import itertools

from agnograd.compiler.passes.rewriting import Rewriting
from agnograd.compiler.program import Program, Step, Var


def run(program: Program) -> Program:
    """The program with fewer changes of sign."""
    if not any(step.name == "negative" for step in program.steps):
        return program
    top = max(v.number for step in program.steps for v in step.outs)
    numbers = itertools.count(max([top, *(v.number for v in (*program.inputs, *program.constants))]) + 1)
    only_added = _only_added(program)
    rewriting = Rewriting(program)
    negative: dict[Var, Var] = {}
    for step in rewriting.current():
        if step.name == "negative" and type(step.args[0]) is Var:
            negative[step.out] = step.args[0]
        elif step.name == "add" and len(step.args) == 2:
            step = _difference(step, negative)
        elif step.name == "multiply" and step.out in only_added:
            i = next((i for i, x in enumerate(step.args) if type(x) is Var and x in negative), None)
            if i is not None:
                product = Var(next(numbers), step.out.shape, step.out.dtype, step.out.device)
                args = [negative[x] if k == i else x for k, x in enumerate(step.args)]
                rewriting.keep(Step("multiply", args, {}, (product,)))
                negative[step.out] = product
                step = Step("negative", (product,), {}, step.outs)
        rewriting.keep(step)
    return rewriting.program()


def _difference(step: Step, negative: dict[Var, Var]) -> Step:
    x, y = step.args
    if type(y) is Var and y in negative:
        return Step("subtract", (x, negative[y]), {}, step.outs)
    if type(x) is Var and x in negative:
        return Step("subtract", (y, negative[x]), {}, step.outs)
    return step


def _only_added(program: Program) -> set[Var]:
    """Variables that are operands of additions and of nothing else: there a sign costs nothing."""
    added: set[Var] = set()
    otherwise = set(program.results)
    for step in program.steps:
        plain = step.name == "add" and len(step.args) == 2 and step.args[0] is not step.args[1]
        (added if plain else otherwise).update(step.reads)
    return added - otherwise
