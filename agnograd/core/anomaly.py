"""Anomaly mode: where the operations of a graph were called, and whether their values and gradients are numbers.

While the mode is on, the counter that numbers nodes also notes the line of the user's code: nothing else of the hot
path changes, and when the mode is off nothing of it is left.
"""

from __future__ import annotations

import linecache
import os
import threading
from collections import deque
from collections.abc import Callable
from sys import _getframe as getframe
from types import CodeType, ModuleType
from typing import Any

from agnograd.core import apply, nodes, recorders
from agnograd.core.array import Array, innermost
from agnograd.core.cotangent import Outputs, Partial
from agnograd.core.facts import raw_space
from agnograd.core.nodes import Node, next_number, numbers
from agnograd.errors import AnomalyError

# The oldest notes are forgotten: a graph of so many operations is not read line by line.
_MOST = 1 << 17

_lock = threading.Lock()


class _Own(dict[str, bool]):
    """Whether a file is one of this package, whose frames are not the user's."""

    # By text: pathlib would be loaded for this alone, at each import of agnograd.
    package = __file__.rpartition(os.sep)[0].removesuffix("core")

    def __missing__(self, file: str) -> bool:
        found = self[file] = file.startswith(self.package)
        return found


class _Notes:
    """Where the last numbers were given out.

    Attributes
    ----------
    depth : int
        How often the mode was turned on, over all threads.
    kept : deque of tuple
        A number, and the code and instruction of the user's call.
    counters : dict
        What takes the place of each module's `next_number` while the mode is on.
    """

    def __init__(self, most: int) -> None:
        self.depth = 0
        self.kept: deque[tuple[int, CodeType, int]] = deque(maxlen=most)
        self.counters = _counters(self.kept.append)


def _counters(note: Callable[[tuple[int, CodeType, int]], None]) -> dict[ModuleType, Callable[[], int]]:
    own = _Own()
    users: CodeType | None = None

    def noting(depth: int) -> Callable[[], int]:
        def noted() -> int:
            # This is run for each operation: every line counts.
            nonlocal users
            number = next(numbers)
            try:
                frame: Any = getframe(depth)
                code = frame.f_code
                if code is not users:
                    while own[code.co_filename]:
                        frame = frame.f_back
                        code = frame.f_code
                    users = code
                note((number, code, frame.f_lasti))
            except (ValueError, AttributeError):
                pass  # none of the frames is the user's: a thread runs the operation itself
            return number

        return noted

    # As many frames as are never the user's are skipped unseen: to make an object of one costs more than to note it.
    return {recorders: noting(2), apply: noting(3), nodes: noting(2)}


_notes = _Notes(_MOST)


class Checks:
    """What the mode looks for.

    Attributes
    ----------
    nan, infinite : bool
        In gradients.
    forward : bool
        In values, too.
    """

    def __init__(self, nan: bool, infinite: bool, forward: bool) -> None:
        self.nan = nan
        self.infinite = infinite
        self.forward = forward

    def look_at(self, node: Node, gradients: Any) -> None:
        """Raise if a node returned what is no number.

        Raises
        ------
        AnomalyError
            The message names the operation, a note the line that made it.
        """
        for i, g in enumerate(gradients):
            if type(g) is not Outputs:
                kind = _anomaly(g.g if type(g) is Partial else g, self)
                if kind is not None:
                    _raise(node, f"function {node.name()!r} returned {kind} values in its {i}th output")

    def look_at_value(self, node: Node, ans: Any) -> None:
        """The same for the value that an operation computed."""
        for y in ans if isinstance(ans, tuple) else (ans,):
            kind = _anomaly(y, self)
            if kind is not None:
                _raise(node, f"operation {node.variant.op.name!r} computed {kind} values")


def enable() -> None:
    """Note the lines of operations from now on; as often as `disable` is called later."""
    with _lock:
        _notes.depth += 1
        if _notes.depth == 1:
            for module, counter in _notes.counters.items():
                module.next_number = counter  # type: ignore[attr-defined]


def disable() -> None:
    """Undo an `enable`; after the last one nothing is noted any more, and what was is forgotten."""
    with _lock:
        _notes.depth -= 1
        if _notes.depth == 0:
            for module in _notes.counters:
                module.next_number = next_number  # type: ignore[attr-defined]
            _notes.kept.clear()


def enabled() -> bool:
    """Whether the mode is on."""
    return _notes.depth > 0


def place_of(node: Node) -> str | None:
    """The line of the user's code that made a node, as a traceback shows it."""
    found = _noted(node)
    if found is None:
        return None
    code, line = found
    text = linecache.getline(code.co_filename, line or 0).strip()
    shown = f'  File "{code.co_filename}", line {line}, in {code.co_name}'
    return f"{shown}\n    {text}" if text else shown


def site_of(node: Node) -> str | None:
    """The same in short, ``file:line``."""
    found = _noted(node)
    return None if found is None else f"{found[0].co_filename}:{found[1]}"


def _noted(node: Node) -> tuple[CodeType, int | None] | None:
    """The user's code that made a node, and the line in it."""
    for number, code, instruction in _notes.kept.copy():
        if number == node.number:
            return code, next((n for start, stop, n in code.co_lines() if start <= instruction < stop), None)
    return None


def _anomaly(x: Any, checks: Checks) -> str | None:
    if x is None:
        return None
    raw = innermost(x) if isinstance(x, Array) else x
    xp = raw_space(raw)
    if raw.dtype not in xp.floats:
        return None
    if checks.nan and bool(xp.any(xp.isnan(raw))):
        return "nan"
    if checks.infinite and bool(xp.any(xp.isinf(raw))):
        return "infinite"
    return None


def _raise(node: Node, what: str) -> None:
    error = AnomalyError(f"{what}.")
    place = place_of(node)
    if place is not None:
        error.add_note(f"the operation was called here:\n{place}")
    raise error
