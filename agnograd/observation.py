"""Observers, switched on by name for a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agnograd import plugins
from agnograd.core.observing import watching


@contextmanager
def observe(name: str, **options: Any) -> Iterator[Any]:
    """Have an observer watch the operations that this thread or task runs within a block.

    ``timing`` and ``memory`` come with agnograd: how long operations and their derivative rules take, and what they
    allocate, for each operation and backend. ``timeline`` notes each call by itself, for `agnograd.viz`. Plugins add
    others (`agnograd.hookspecs.ObserverSpec`). Without a block nothing is paid for them.

    Parameters
    ----------
    name : str
        Name of the observer.
    **options
        What the observer takes. ``timing`` takes ``synchronise``, by default True: it waits for a GPU after each call.

    Yields
    ------
    object
        What the observer hands out: those of agnograd can be printed, within the block and after it.

    Raises
    ------
    UnknownPluginError
        If there is no observer of that name.
    ConflictError
        If two plugins provide it.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> with ag.observe("timing") as timing:
    ...     ag.sum(ag.sin(x)).backward()
    >>> for call in timing.times:
    ...     print(*call)
    sin numpy forward
    sum numpy forward
    sum numpy backward
    sin numpy backward
    >>> print(timing)
    Time
    operation  backend  phase     calls  total  share  mean  longest
    ...
    in all ...
    """
    spec = plugins.manager.find_observer(name)
    with spec.factory(**{**spec.options, **options}) as observer:
        watch = getattr(observer, "watch", None)
        if watch is None:
            yield observer
        else:
            with watching(watch):
                yield observer
