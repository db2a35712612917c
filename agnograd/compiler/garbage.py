"""No search for garbage while a program is made: of its many objects, which are there until the end, none is any.

Each search looks at all objects that are young, and in the end at all that there are. A quarter of the time goes there.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_changing = threading.Lock()
_depth, _was_on = 0, False


@contextmanager
def uncollected() -> Iterator[None]:
    """Python's search for cycles is off within; it is on again when the last thread has left."""
    global _depth, _was_on  # noqa: PLW0603 - the collector is one for the process
    with _changing:
        if _depth == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _depth += 1
    try:
        yield
    finally:
        with _changing:
            _depth -= 1
            if _depth == 0 and _was_on:
                gc.enable()
