"""Observers that come with agnograd: ``timing``, ``memory``, ``timeline``. `agnograd.observe` switches them on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from agnograd.hookspecs import ObserverSpec, hookimpl

if TYPE_CHECKING:
    from agnograd.observers.memory import Memory
    from agnograd.observers.timeline import Timeline
    from agnograd.observers.timing import Timing


def _timing(*, synchronise: bool = True) -> AbstractContextManager[Timing]:
    from agnograd.observers.timing import Timing  # loaded when somebody measures

    return Timing(synchronise=synchronise)


def _memory() -> AbstractContextManager[Memory]:
    from agnograd.observers.memory import Memory

    return Memory()


def _timeline(*, synchronise: bool = True, memory: bool = True) -> AbstractContextManager[Timeline]:
    from agnograd.observers.timeline import Timeline

    return Timeline(synchronise=synchronise, memory=memory)


@hookimpl
def agnograd_observers() -> Iterator[ObserverSpec]:
    """All of them."""
    yield ObserverSpec(name="timing", factory=_timing, doc="how long operations and their rules take")
    yield ObserverSpec(name="memory", factory=_memory, doc="what operations and their rules allocate")
    yield ObserverSpec(name="timeline", factory=_timeline, doc="each call by itself, for pictures")
