"""How long operations and their rules take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

from agnograd.core.observing import Call
from agnograd.core.table import spaces
from agnograd.observers import report

if TYPE_CHECKING:
    from rich.table import Table


@dataclass
class Times:
    """Of the calls of one operation on one backend in one phase.

    Attributes
    ----------
    calls : int
    total, longest : float
        Seconds.
    """

    calls: int = 0
    total: float = 0.0
    longest: float = 0.0


class Timing(report.Report):
    """The observer ``timing``.

    Parameters
    ----------
    synchronise : bool
        Wait before and after each call until a device has done its work, so that each is charged with its own. Without
        it, what is measured on a GPU is how long launching takes; lazy arrays are never computed.

    Attributes
    ----------
    times : dict
        Operation, backend and phase (`agnograd.hookspecs.Call`) to `Times`.
    """

    title = "Time"

    def __init__(self, *, synchronise: bool = True) -> None:
        self.times: dict[Call, Times] = {}
        self._synchronise = synchronise

    def __enter__(self) -> Timing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def watch(self, call: Call, run: Callable[[], Any]) -> Any:
        """Run and measure; a call that fails is not counted."""
        wait = spaces.named(call.backend).backend.synchronise if self._synchronise else None
        if wait is not None:
            wait()
        start = perf_counter()
        ans = run()
        if wait is not None:
            wait()
        taken = perf_counter() - start
        times = self.times.setdefault(call, Times())
        times.calls += 1
        times.total += taken
        times.longest = max(times.longest, taken)
        return ans

    @property
    def total(self) -> float:
        """Seconds of all calls together."""
        return sum(times.total for times in self.times.values())

    def __rich__(self) -> Table:
        found = sorted(self.times.items(), key=lambda item: -item[1].total)
        whole = self.total or 1.0
        rows = [
            (c, (str(t.calls), _text(t.total), f"{t.total / whole:.0%}", _text(t.total / t.calls), _text(t.longest)))
            for c, t in found
        ]
        calls = sum(times.calls for times in self.times.values())
        columns = ("calls", "total", "share", "mean", "longest")
        return report.table(self.title, columns, rows, (str(calls), _text(self.total), "", "", ""))


def _text(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"
