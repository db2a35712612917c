"""What is done to a program before code is made of it: each pass returns one that computes the same."""

from __future__ import annotations

from agnograd.compiler.passes import algebra, common, dead, fills, products, signs
from agnograd.compiler.program import Program

# Fills first: algebra asks whether an operand is one.
_PASSES = (dead.run, fills.run, common.run, products.run, algebra.run, signs.run, common.run, dead.run)


def optimised(program: Program) -> Program:
    """A program that computes the same with fewer calls, bit for bit."""
    for run in _PASSES:
        program = run(program)
    return program
