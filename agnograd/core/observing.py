"""Calls that observers watch: operations on raw arrays, and the rules of passes in either direction.

Where the first observer comes, functions of the tables are looked up again and found wrapped; where the last one goes,
they are looked up again and found plain. So the hot path knows nothing of observers and pays nothing for them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple, Protocol

FORWARD, BACKWARD, TANGENT = PHASES = ("forward", "backward", "tangent")


class Call(NamedTuple):
    """What runs.

    Attributes
    ----------
    op : str
        Name of the operation, or of the class of a custom function.
    backend : str
        Name of the backend of its arrays.
    phase : str
        ``"forward"`` for the operation itself, ``"backward"`` for its rule in a pass back and all else that such a pass
        runs, ``"tangent"`` for its rule in forward mode.

    Examples
    --------
    >>> import agnograd as ag
    >>> with ag.observe("timing") as timing:
    ...     _ = ag.exp(ag.ones(2))
    >>> list(timing.times)
    [Call(op='exp', backend='numpy', phase='forward')]
    """

    op: str
    backend: str
    phase: str


Watch = Callable[[Call, Callable[[], Any]], Any]
AGAIN = "again"


class Follower(Protocol):
    """What hears of long work: `agnograd.progress`."""

    def stage(self, kind: str, count: Callable[[], int]) -> AbstractContextManager[None]:
        """A context for a pass back, of which `count` tells the number of rules, or for what is run again in it."""

    def step(self) -> None:
        """A rule has run."""


# How many observers the process has: whether functions are wrapped when they are looked up.
count: int = 0
_lock = threading.Lock()

# Those of this thread or task, and the phase in which operations are there.
_watches: ContextVar[tuple[Watch, ...]] = ContextVar("agnograd_watches", default=())
_followers: ContextVar[tuple[Follower, ...]] = ContextVar("agnograd_followers", default=())
# Number of the node whose rule runs.
node: ContextVar[int | None] = ContextVar("agnograd_node", default=None)
_phase: ContextVar[str] = ContextVar("agnograd_phase", default=FORWARD)

# Set by `agnograd.core.table`: has functions looked up again.
refresh: list[Callable[[], None]] = []


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Call ``watch(call, run)`` in the place of each ``run()`` within a block."""
    _turn(1)
    token = _watches.set((*_watches.get(), watch))
    try:
        yield
    finally:
        _watches.reset(token)
        _turn(-1)


@contextmanager
def following(follower: Follower) -> Iterator[None]:
    """Tell of long work within a block."""
    _turn(1)
    token = _followers.set((*_followers.get(), follower))
    try:
        yield
    finally:
        _followers.reset(token)
        _turn(-1)


def is_followed() -> bool:
    """Whether somebody is told of long work here."""
    return bool(_followers.get())


@contextmanager
def stage(kind: str, count: Callable[[], int] = int) -> Iterator[None]:
    """A stage of long work within a block."""
    with ExitStack() as stack:
        for follower in _followers.get():
            stack.enter_context(follower.stage(kind, count))
        yield


def step() -> None:
    """A rule of a pass back has run."""
    for follower in _followers.get():
        follower.step()


def _turn(by: int) -> None:
    global count  # noqa: PLW0603 - one number a process is the point
    with _lock:
        former = count
        count += by
        if (former == 0) != (count == 0):
            for look_again in refresh:
                look_again()


@contextmanager
def going_back(count: Callable[[], int] | None = None) -> Iterator[None]:
    """Count operations within a block to a pass back: one of so many rules, or what belongs to one."""
    token = _phase.set(BACKWARD)
    try:
        with nullcontext() if count is None else stage(BACKWARD, count):
            yield
    finally:
        _phase.reset(token)


def watched(op: str, backend: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of an operation, as it is found in the tables while there are observers."""

    def run(*args: Any, **params: Any) -> Any:
        if not _watches.get():
            return function(*args, **params)
        return observed(Call(op, backend, _phase.get()), partial(function, *args, **params))

    return run


def observed(call: Call, run: Callable[[], Any]) -> Any:
    """Run under the eyes of the observers; what `run` calls itself counts to it, and is not shown to them."""
    watches = _watches.get()
    if not watches:
        return run()
    token = _watches.set(())
    try:
        for watch in reversed(watches):
            run = partial(watch, call, run)
        return run()
    finally:
        _watches.reset(token)
