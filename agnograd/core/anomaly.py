"""Anomaly mode: where the operations of a graph were called, and whether their values and gradients are numbers.

While the mode is on, the counter that numbers nodes also notes the line of the user's code: nothing else of the hot
path changes, and when the mode is off nothing of it is left.
"""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Callable
from types import CodeType
from typing import Any

from agnograd.core import apply, recorders, reverse
from agnograd.core.array import Array, innermost
from agnograd.core.cotangent import Outputs, Partial
from agnograd.core.reverse import Node, raw_space
from agnograd.errors import AnomalyError

_count = reverse.next_number
_RECORDERS = (reverse, apply, recorders)
# The oldest are forgotten: a graph of so many operations is not read line by line. A power of two.
_MOST = 1 << 17

_lock = threading.Lock()
# Files of this package's modules, whose frames are not the user's.
_own: set[str] = set()


class _Notes:
    """Code and instruction for each of the last numbers, in a ring.

    Attributes
    ----------
    depth : int
        How often the mode was turned on, over all threads.
    first : int
        The number at which it was turned on: larger ones, which are older, were not noted.
    """

    def __init__(self, most: int) -> None:
        self.depth = 0
        self.first = 0
        self.most = most
        self.codes: list[Any] = []
        self.instructions: list[int] = []
        self.count: Callable[[], int] = _count

    def start(self) -> None:
        """Note every number from now on."""
        if not self.codes:
            # Once: what is allocated, and compiled for its types by the interpreter, again and again costs more.
            self.codes, self.instructions = [None] * self.most, [0] * self.most
            self.count = _noting(self.codes, self.instructions)
        self.first = _count()

    def find(self, number: int) -> tuple[CodeType, int] | None:
        """The call that a number was given for; None if it was not noted, or is forgotten."""
        if number >= self.first or number - _count() > self.most or not self.depth:
            return None
        code = self.codes[number % self.most]
        return None if code is None else (code, self.instructions[number % self.most])


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
            modules = [m for name, m in sys.modules.items() if name.partition(".")[0] == "agnograd"]
            _own.update(f for m in modules if (f := getattr(m, "__file__", None)) is not None)
            _notes.start()
            for module in _RECORDERS:
                module.next_number = _notes.count  # type: ignore[attr-defined]


def disable() -> None:
    """Undo an `enable`; after the last one nothing is noted any more, and what was is forgotten."""
    with _lock:
        _notes.depth -= 1
        if _notes.depth == 0:
            for module in _RECORDERS:
                module.next_number = _count  # type: ignore[attr-defined]


def enabled() -> bool:
    """Whether the mode is on."""
    return _notes.depth > 0


def _noting(codes: list[Any], instructions: list[int]) -> Callable[[], int]:
    """A counter that notes where the function that asks for a number was called."""
    users: CodeType | None = None

    def elsewhere(frame: Any, number: int) -> int:
        nonlocal users
        if frame.f_code.co_filename not in _own:
            users = frame.f_code
        while frame is not None and frame.f_code.co_filename in _own:
            frame = frame.f_back
        i = number % len(codes)
        codes[i] = frame and frame.f_code
        instructions[i] = frame and frame.f_lasti
        return number

    # Every line counts here: it is run for each operation. Defaults are quicker to find than globals.
    def noted(
        count: Callable[[], int] = _count,
        getframe: Callable[[int], Any] = sys._getframe,
        codes: list[Any] = codes,
        instructions: list[int] = instructions,
        mask: int = len(codes) - 1,
    ) -> int:
        number = count()
        # The frame of the recorder is skipped unseen.
        frame = getframe(2)
        code = frame.f_code
        if code is not users:
            return elsewhere(frame, number)
        i = number & mask
        codes[i] = code
        instructions[i] = frame.f_lasti
        return number

    return noted


_notes = _Notes(_MOST)


def place_of(node: Node) -> str | None:
    """The line of the user's code that made a node, as a traceback shows it."""
    found = _notes.find(node.number)
    if found is None:
        return None
    code, instruction = found
    line = next((n for start, stop, n in code.co_lines() if start <= instruction < stop), None)
    text = linecache.getline(code.co_filename, line or 0).strip()
    shown = f'  File "{code.co_filename}", line {line}, in {code.co_name}'
    return f"{shown}\n    {text}" if text else shown


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
