"""Dead code: steps whose results nothing needs."""

from __future__ import annotations

from dataclasses import replace

from agnograd.compiler.program import Program


def run(program: Program) -> Program:
    """The program without them, and without constants that nothing reads."""
    live = set(program.results)
    kept = []
    for step in reversed(program.steps):
        if not live.isdisjoint(step.outs):
            kept.append(step)
            live.update(step.reads)
    constants = {v: x for v, x in program.constants.items() if v in live}
    return replace(program, steps=kept[::-1], constants=constants)
