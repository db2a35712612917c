"""Compiled bodies: one program for each process that runs tasks of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agnograd.dask.bodies import Body

# Bodies that keep their programs in a process.
_KEPT = 32


@dataclass(frozen=True, slots=True)
class Program:
    """A body that is traced once for each shape of chunks, and replayed.

    Attributes
    ----------
    body : callable
    token : str
        What stands for the body: tasks that come from elsewhere bring a copy of it each, and share a program.
    """

    body: Body = field(compare=False)
    token: str

    @classmethod
    def of(cls, body: Body) -> Program:
        """The program of a body."""
        from dask.base import tokenize

        return cls(body, tokenize(body))

    def __call__(self, *chunks: Any) -> Sequence[Any]:
        """Replay it."""
        return _compiled(self)(*chunks)  # type: ignore[no-any-return]


@functools.lru_cache(_KEPT)
def _compiled(program: Program) -> Callable[..., Any]:
    from agnograd.compiler import compile

    body = program.body

    def run(*chunks: Any) -> list[Any]:
        return list(body(*chunks))

    program_of: Callable[..., Any] = compile(run)
    return program_of
