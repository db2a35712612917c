"""Each call by itself, in the order in which they ran: what pictures are made of (`agnograd.viz`)."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from agnograd.core import observing
from agnograd.core.nodes import next_number
from agnograd.core.observing import BACKWARD, Call
from agnograd.core.table import spaces
from agnograd.observers import report
from agnograd.observers.memory import arrays_of, size_of

if TYPE_CHECKING:
    from rich.table import Table


class Event(NamedTuple):
    """One call.

    Attributes
    ----------
    call : Call
        Operation, backend and phase.
    start, seconds : float
        When it began after the block did, and how long it took.
    held : int or None
        Bytes that the backend's arrays hold after it; None where the backend does not tell.
    size : int
        Bytes of its results; zero for lazy ones.
    node : int
        Number of the node of the graph that it made, or whose rule it is.
    form : tuple of str
        Shape and dtype of its result, of a forward call with one.
    """

    call: Call
    start: float
    seconds: float
    held: int | None
    size: int
    node: int
    form: tuple[tuple[Any, ...], str] | None


class Timeline(report.Report):
    """The observer ``timeline``: each operation and each rule by itself.

    NumPy's arrays are followed by Python's `tracemalloc`, which slows everything down.

    Parameters
    ----------
    synchronise : bool
        Wait before and after each call until a device has done its work.
    memory : bool
        Ask the backend what its arrays hold.

    Attributes
    ----------
    events : list of Event
    """

    title = "Timeline"

    def __init__(self, *, synchronise: bool = True, memory: bool = True) -> None:
        self.events: list[Event] = []
        self._synchronise = synchronise
        self._memory = memory
        self._stop = False
        self._start = 0.0

    def __enter__(self) -> Timeline:
        import tracemalloc

        if self._memory and not tracemalloc.is_tracing():
            self._stop = True
            tracemalloc.start()
        self._start = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop:
            import tracemalloc

            tracemalloc.stop()
            self._stop = False

    def watch(self, call: Call, run: Callable[[], Any]) -> Any:
        """Run and note; a call that fails is not noted."""
        backend = spaces.named(call.backend).backend
        wait = backend.synchronise if self._synchronise else None
        # The node that the operation makes gets the number after the one that is drawn here: numbers fall.
        node = observing.node.get() if call.phase == BACKWARD else next_number() - 1
        if wait is not None:
            wait()
        start = perf_counter()
        ans = run()
        if wait is not None:
            wait()
        seconds = perf_counter() - start
        held = backend.memory()[0] if self._memory and backend.memory is not None else None
        found = arrays_of(ans)
        size = 0 if backend.lazy else sum(map(size_of, found))
        form = (tuple(found[0].shape), str(found[0].dtype).rpartition(".")[2]) if len(found) == 1 else None
        self.events.append(Event(call, start - self._start, seconds, held, size, node or 0, form))
        return ans

    def __rich__(self) -> Table:
        rows = [
            (event.call, (f"{event.start * 1e3:.3f} ms", f"{event.seconds * 1e6:.1f} us", f"{event.size:,}"))
            for event in self.events
        ]
        total = ("", f"{sum(event.seconds for event in self.events) * 1e6:.1f} us", "")
        return report.table(self.title, ("start", "seconds", "bytes"), rows, total)
