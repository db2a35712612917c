"""Levels of transformations and the grad mode, local to a thread or an asyncio task."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

from agnograd.errors import EscapedError

_serials = itertools.count(1)

# Whether a function is run again for a pass back through it, whose transformation may have ended.
revisiting: ContextVar[bool] = ContextVar("agnograd_revisiting", default=False)


class Level:
    """One call of a transformation.

    An enclosing transformation is always opened earlier, so a larger serial is further inside. A serial is never used
    twice: a value that outlives its transformation is recognised, whatever was opened since, in whatever thread.

    Attributes
    ----------
    serial : int
        Position in the order of all levels; 0 is the user's own graph.
    name : str
        The transformation, for messages.
    nested : bool
        Whether something that this level recorded is a wrapper itself.
    closed : bool
        Whether the transformation has ended.
    faded : bool
        Whether values of this level are, from now on, what they hold (see `agnograd.autograd.forward_ad`).
    """

    __slots__ = ("closed", "name", "nested", "serial")

    faded: bool = False

    def __init__(self, name: str, serial: int | None = None) -> None:
        self.serial: int = next(_serials) if serial is None else serial
        self.name: str = name
        self.nested: bool = False
        self.closed: bool = False

    def __repr__(self) -> str:
        return f"<level {self.serial} of {self.name}>"

    def check_open(self) -> None:
        """Raise if the transformation has ended."""
        if self.closed and not revisiting.get():
            msg = (
                f"a value of the transformation {self.name!r} was used after that call had ended. Return it from the "
                f"function (has_aux=True for extra results), or detach() it before storing it elsewhere."
            )
            raise EscapedError(msg)


ROOT = Level("backward", serial=0)

# True: everything records. False: nothing does. A serial: levels from that one inwards do, which is how a
# transformation opens its own grad mode inside a caller's no_grad; from level 0 on, everything does, on the slow path.
# The hot path asks `recording() is True` and leaves everything else to the slow path.
_recording: ContextVar[bool | int] = ContextVar("agnograd_recording", default=True)
recording: Callable[[], bool | int] = _recording.get
set_recording: Callable[[bool | int], Token[bool | int]] = _recording.set
reset_recording: Callable[[Token[bool | int]], None] = _recording.reset


# Whether zero times an infinity or a NaN is zero in the rules of elementwise operations.
zero_safety: ContextVar[bool] = ContextVar("agnograd_zero_safety", default=False)


# Whether what asks for a Python value, or a NumPy array, computes a lazy array.
implicit_compute: ContextVar[bool] = ContextVar("agnograd_implicit_compute", default=True)


# What anomaly mode looks for in values and gradients (`agnograd.core.anomaly.Checks`), or None.
anomaly_checks: ContextVar[Any] = ContextVar("agnograd_anomaly_checks", default=None)


def records(level: Level) -> bool:
    """Whether operations at `level` are recorded now."""
    mode = recording()
    return mode if mode is True or mode is False else level.serial >= mode


@contextmanager
def recording_in(mode: bool | int) -> Iterator[None]:
    """Record in another mode within a block."""
    token = set_recording(mode)
    try:
        yield
    finally:
        reset_recording(token)


class new_level:  # noqa: N801 - used like a function
    """Open a level for the duration of one call of a transformation.

    Parameters
    ----------
    name : str
        The transformation, for messages.
    """

    # A generator would take ten times as long, which a small Jacobian notices.
    __slots__ = ("_level", "_token")

    def __init__(self, name: str) -> None:
        self._level = Level(name)

    def __enter__(self) -> Level:
        mode = recording()
        # What records goes on to do so: levels that are open within a caller's no_grad, too.
        self._token = set_recording(self._level.serial if mode is False else mode)
        return self._level

    def __exit__(self, *error: object) -> None:
        reset_recording(self._token)
        self._level.closed = True
