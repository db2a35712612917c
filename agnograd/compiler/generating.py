"""From a recorded program to code: passes, then the backend's generator, or plain replay where it has none."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from agnograd.compiler.program import Program
from agnograd.compiler.source import Code, plain

Generator = Callable[[Program], Code]


def generator_of(program: Program) -> Generator:
    """What makes code for the backend of a program."""
    name = getattr(program.space.backend, "generator", "")
    if not name:
        return plain
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)  # type: ignore[no-any-return]


def generated(program: Program, *, native: bool = False) -> Code:
    """The code of a program that passes have been over.

    Parameters
    ----------
    native : bool
        Have it run by the machine of `agnograd.compiler.machine`, if it is for that, and else such functions of many
        elements as NumPy has no fast loops for by `agnograd.compiler.vectors`.
    """
    if native and program.space.name == "numpy":
        from agnograd.compiler import native as machine

        try:
            return machine.generate(program)
        except machine.UnfitError as error:
            from agnograd.compiler import on_numpy

            code = on_numpy.generate(program, native=True)
            code.notes.append(f"not native because of {error}")
            return code
    return generator_of(program)(program)
