"""Results of some operations, which are kept in a first run and taken from there in a second one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple


class Kept(NamedTuple):
    """Names of the operations, and their results in the order of the calls."""

    names: frozenset[str]
    again: Iterator[Any] | None
    results: list[Any]

    def result(self, run: Callable[[], Any]) -> Any:
        """The result that was kept, or that of `run`, to be kept."""
        if self.again is not None:
            found = next(self.again, _kept)
            return run() if found is _kept else found
        self.results.append(run())
        return self.results[-1]


_kept: ContextVar[Kept | None] = ContextVar("agnograd_kept_results", default=None)
kept: Callable[[], Kept | None] = _kept.get


@contextmanager
def kept_outputs(
    names: frozenset[str], again: Iterator[Any] | None, results: list[Any] | None = None
) -> Iterator[None]:
    """Keep the results of operations of these names in a list, or take them from an iterator, within a block.

    With no names, a block around goes on to keep its own; what is only run again is none of its.
    """
    outer = _kept.get() if again is None else None
    token = _kept.set(Kept(names, again, [] if results is None else results) if names else outer)
    try:
        yield
    finally:
        _kept.reset(token)
