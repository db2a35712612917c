"""A program that is written anew, step by step, with variables taking the place of others."""

from __future__ import annotations

from dataclasses import replace

from agnograd.compiler.program import Program, Step, Var


class Rewriting:
    """What a pass has written so far."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._steps: list[Step] = []
        self._new: dict[Var, Var] = {}

    def current(self, step: Step) -> Step:
        """A step of the old program on the variables of the new one."""
        new = self._new
        return step.replaced(self.of) if new and any(v in new for v in step.reads) else step

    def of(self, v: Var) -> Var:
        """The variable that is now in the place of `v`."""
        return self._new.get(v, v)

    def keep(self, step: Step) -> None:
        """Write a step."""
        self._steps.append(step)

    def replace(self, old: Var, new: Var) -> None:
        """Let a variable take the place of another, from here on."""
        self._new[old] = new

    def program(self) -> Program:
        """The new program."""
        guards = [replace(guard, variable=self.of(guard.variable)) for guard in self._program.guards]
        outputs = [self.of(v) for v in self._program.outputs]
        return replace(self._program, steps=self._steps, outputs=outputs, guards=guards)
