"""A matrix times each of many vectors as one product of matrices, which reads the matrix once.

Batched pullbacks are full of them: a Jacobian is one. Sums come out in another order, so the last bits may differ.
"""

from __future__ import annotations

import itertools

from agnograd.compiler.passes.rewriting import Rewriting
from agnograd.compiler.program import Program, Step, Var


def run(program: Program) -> Program:
    """The program with such products joined."""
    if not any(_is_many(step) for step in program.steps):
        return program
    top = max(v.number for step in program.steps for v in step.outs)
    numbers = itertools.count(max(top, *(v.number for v in (*program.inputs, *program.constants))) + 1)
    rewriting = Rewriting(program)
    for step in rewriting.current():
        if not _is_many(step):
            rewriting.keep(step)
            continue
        matrix, vectors = step.args
        n, k, _ = vectors.shape
        rows = Var(next(numbers), (n, k), vectors.dtype, vectors.device)
        turned = Var(next(numbers), matrix.shape[::-1], matrix.dtype, matrix.device)
        products = Var(next(numbers), (n, matrix.shape[0]), step.out.dtype, step.out.device)
        rewriting.keep(Step("reshape", (vectors, rows.shape), {}, (rows,)))
        rewriting.keep(Step("matrix_transpose", (matrix,), {}, (turned,)))
        rewriting.keep(Step("matmul", (rows, turned), {}, (products,)))
        rewriting.keep(Step("reshape", (products, step.out.shape), {}, step.outs))
    return rewriting.program()


def _is_many(step: Step) -> bool:
    if step.name != "matmul" or any(type(x) is not Var for x in step.args):
        return False
    x, y = step.args
    # One member, or one row: nothing is gained, and bits may change.
    return len(x.shape) == 2 and len(y.shape) == 3 and y.shape[2] == 1 and y.shape[0] > 1 and x.dtype == y.dtype
