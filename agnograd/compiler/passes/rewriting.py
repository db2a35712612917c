"""A program that is written anew, step by step, with variables taking the place of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from agnograd.compiler.program import Program, Step, Var


class Rewriting:
    """What a pass has written so far."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._steps: list[Step] = []
        self._new: dict[Var, Var] = {}
        # Writes a step.
        self.keep: Callable[[Step], None] = self._steps.append

    def current(self) -> Iterator[Step]:
        """The steps of the old program, each on the variables of the new one."""
        replaced = self._new.keys()
        for step in self._program.steps:
            yield step if replaced.isdisjoint(step.reads) else step.replaced(self.of)

    def of(self, v: Var) -> Var:
        """The variable that is now in the place of `v`."""
        return self._new.get(v, v)

    def replace(self, old: Var, new: Var) -> None:
        """Let a variable take the place of another, from here on."""
        self._new[old] = new

    def program(self) -> Program:
        """The new program."""
        guards = [replace(guard, variable=self.of(guard.variable)) for guard in self._program.guards]
        outputs = [self.of(v) for v in self._program.outputs]
        return replace(self._program, steps=self._steps, outputs=outputs, guards=guards)
