"""What operations and their rules allocate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from agnograd.core.array import Array, innermost
from agnograd.core.observing import Call
from agnograd.core.table import spaces
from agnograd.observers import report

if TYPE_CHECKING:
    from rich.table import Table


@dataclass
class Sizes:
    """Of the calls of one operation on one backend in one phase.

    Attributes
    ----------
    calls : int
    kept : int
        Bytes by which the memory that arrays hold grew over each call, added up. What a view takes is nothing.
    peak : int
        The most bytes that were held in the course of one call beyond what was held before it.
    measured : bool
        Whether the backend tells what its arrays hold. Where it does not, `kept` and `peak` are the sizes of results,
        and views count as if they were copies.
    """

    calls: int = 0
    kept: int = 0
    peak: int = 0
    measured: bool = True


class Memory(report.Report):
    """The observer ``memory``.

    NumPy's arrays are followed by Python's `tracemalloc`, which slows everything down. Nothing is counted for lazy
    arrays, which hold nothing until they are computed.

    Attributes
    ----------
    sizes : dict
        Operation, backend and phase (`agnograd.hookspecs.Call`) to `Sizes`.
    """

    title = "Memory"

    def __init__(self) -> None:
        self.sizes: dict[Call, Sizes] = {}
        self._stop = False

    def __enter__(self) -> Memory:
        import tracemalloc

        if not tracemalloc.is_tracing():
            self._stop = True
            tracemalloc.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop:
            import tracemalloc

            tracemalloc.stop()
            self._stop = False

    def watch(self, call: Call, run: Callable[[], Any]) -> Any:
        """Run and measure; a call that fails is not counted."""
        sizes = self.sizes.setdefault(call, Sizes())
        backend = spaces.named(call.backend).backend
        if backend.memory is not None:
            before, _ = backend.memory()
            ans = run()
            after, most = backend.memory()
            kept, peak = max(after - before, 0), max(most - before, 0)
        else:
            ans = run()
            kept = peak = 0 if backend.lazy else sum(map(size_of, arrays_of(ans)))
            sizes.measured = False
        sizes.calls += 1
        sizes.kept += kept
        sizes.peak = max(sizes.peak, peak)
        return ans

    def __rich__(self) -> Table:
        found = sorted(self.sizes.items(), key=lambda item: -item[1].kept)
        rows = [(c, (str(s.calls), _text(s.kept, s), _text(s.peak, s))) for c, s in found if s.calls]
        whole = Sizes(
            sum(s.calls for _, s in found),
            sum(s.kept for _, s in found),
            max((s.peak for _, s in found), default=0),
            all(s.measured for _, s in found),
        )
        total = (str(whole.calls), _text(whole.kept, whole), _text(whole.peak, whole))
        return report.table(self.title, ("calls", "kept", "peak"), rows, total)


def arrays_of(ans: Any) -> list[Any]:
    """The raw arrays of a result: of one array, or of several."""
    if isinstance(ans, (tuple, list)):
        return [x for part in ans for x in arrays_of(part)]
    if isinstance(ans, Array):
        return arrays_of(innermost(ans))
    return [ans] if hasattr(ans, "dtype") and hasattr(ans, "shape") else []


def size_of(x: Any) -> int:
    """Bytes of an array that is not lazy."""
    import math

    found = getattr(x, "nbytes", None)
    if found is not None:
        return int(found)
    digits = "".join(c for c in str(x.dtype) if c.isdigit())
    return int(math.prod(x.shape)) * (int(digits) // 8 if digits else 1)


def _text(size: int, sizes: Sizes) -> str:
    about = "" if sizes.measured else "~"
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if size >= 10**power:
            return f"{about}{size / 10**power:.3g} {unit}"
    return f"{about}{size} B"
