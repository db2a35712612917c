"""Values of variables of a program that is still being recorded, computed where somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnograd.compiler.program import Program, Step, Var, substitute
from agnograd.compiler.shapes import _as_facts, function_of

Array = Any


class Values:
    """The values of inputs, and of what was computed from them.

    Steps run when a value is asked for that depends on them, once.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: dict[int, Array] = {}

    def set(self, v: Var, value: Array) -> None:
        """Give an input its value."""
        self._known[v.number] = value

    def of(self, v: Var) -> Array:
        """The value of a variable."""
        if v.number not in self._known:
            self._run([v])
        return self._known[v.number]

    def _run(self, wanted: Sequence[Var]) -> None:
        known, constants = self._known, self._program.constants
        for v, x in constants.items():
            known.setdefault(v.number, x)
        missing = {v.number for v in wanted}
        needed: list[Step] = []
        for step in reversed(self._program.steps):
            if any(v.number in missing and v.number not in known for v in step.outs):
                needed.append(step)
                missing.update(v.number for v in step.reads)
        for step in reversed(needed):
            self._assign(step)

    def _assign(self, step: Step) -> None:
        ans = self._call(step.name, step.args, step.params)
        for v, x in zip(step.outs, ans if step.several else (ans,), strict=True):
            self._known[v.number] = x

    def _call(self, name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
        function = function_of(self._program.space, name)
        return function(*substitute(tuple(args), self.of), **substitute(params, self.of))

    def facts(self, name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Shapes and dtypes of the results of a call, from the call itself."""
        return _as_facts(self._call(name, args, params))
