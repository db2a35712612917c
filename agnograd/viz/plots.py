"""Where time and memory went, as plots of what an observer saw. matplotlib draws them, if it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agnograd.core.observing import PHASES
from agnograd.errors import MissingLibraryError

if TYPE_CHECKING:
    from agnograd.observers.memory import Memory
    from agnograd.observers.timeline import Timeline
    from agnograd.observers.timing import Timing

_COLOURS = dict(zip(PHASES, ("#4878d0", "#d65f5f", "#6acc64"), strict=True))


def plot_memory(timeline: Timeline, ax: Any = None) -> Any:
    """Plot the memory that arrays held over time, through operations and the pass back.

    Parameters
    ----------
    timeline : Timeline
        What ``ag.observe("timeline")`` gave.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingLibraryError
        If matplotlib is not installed.
    ValueError
        If nothing was noted, or the backend does not tell what its arrays hold.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones(1000, requires_grad=True)
    >>> with ag.observe("timeline") as timeline:
    ...     ag.sum(ag.exp(ag.sin(x))).backward()
    >>> from agnograd.viz import plot_memory
    >>> ax = plot_memory(timeline)  # doctest: +SKIP
    """
    events = [event for event in timeline.events if event.held is not None]
    if not events:
        msg = (
            f"there is no memory to plot: of {len(timeline.events)} calls none tells what arrays hold. Lazy arrays "
            f"hold nothing, and ag.observe('timeline', memory=False) does not ask."
        )
        raise ValueError(msg)
    ax = _axes(ax)
    times = [(event.start + event.seconds) * 1e3 for event in events]
    held = [event.held / 2**20 for event in events]  # type: ignore[operator]
    ax.plot(times, held, color="0.5", linewidth=1, drawstyle="steps-post", zorder=1)
    for phase in PHASES:
        points = [(t, h) for t, h, event in zip(times, held, events, strict=True) if event.call.phase == phase]
        if points:
            ax.scatter(*zip(*points, strict=True), s=10, color=_COLOURS[phase], label=phase, zorder=2)
    peak = max(range(len(held)), key=held.__getitem__)
    ax.plot(times[peak], held[peak], "o", markersize=9, markerfacecolor="none", color="0.2")
    title = f"Memory: at most {held[peak]:.3g} MiB, at {events[peak].call.op}, {events[peak].call.phase}"
    ax.set(xlabel="time, ms", ylabel="arrays hold, MiB", title=title)
    ax.legend(fontsize="small")
    return ax


def plot_operations(report: Timing | Memory | Timeline, ax: Any = None, *, most: int = 15) -> Any:
    """Plot what operations cost, the most expensive first: time, or memory that they allocated.

    Parameters
    ----------
    report : Timing, Memory or Timeline
        What ``ag.observe`` gave.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    most : int
        How many operations are shown.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingLibraryError
        If matplotlib is not installed.
    ValueError
        If nothing was noted.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones(1000, requires_grad=True)
    >>> with ag.observe("timing") as timing:
    ...     ag.sum(ag.exp(ag.sin(x))).backward()
    >>> from agnograd.viz import plot_operations
    >>> ax = plot_operations(timing)  # doctest: +SKIP
    """
    costs, unit = _costs(report)
    if not costs:
        msg = "there is nothing to plot: no call was noted within the block of ag.observe"
        raise ValueError(msg)
    ax = _axes(ax)
    totals: dict[str, float] = {}
    for (op, _), cost in costs.items():
        totals[op] = totals.get(op, 0.0) + cost
    shown = sorted(totals, key=totals.__getitem__)[-most:]
    left = [0.0] * len(shown)
    for phase in PHASES:
        widths = [costs.get((op, phase), 0.0) for op in shown]
        if any(widths):
            ax.barh(shown, widths, left=left, color=_COLOURS[phase], label=phase)
            left = [a + b for a, b in zip(left, widths, strict=True)]
    ax.set(xlabel=unit, title=report.title)
    ax.legend(fontsize="small", loc="lower right")
    return ax


def _costs(report: Any) -> tuple[dict[tuple[str, str], float], str]:
    """Operation and phase to cost, and what it is measured in."""
    found: dict[tuple[str, str], float] = {}

    def add(call: Any, cost: float) -> None:
        key = call.op, call.phase
        found[key] = found.get(key, 0.0) + cost

    if hasattr(report, "sizes"):
        for call, sizes in report.sizes.items():
            add(call, sizes.kept / 2**20)
        return found, "kept, MiB"
    if hasattr(report, "times"):
        for call, times in report.times.items():
            add(call, times.total * 1e3)
    else:
        for event in report.events:
            add(event.call, event.seconds * 1e3)
    return found, "time, ms"


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        msg = "plots are drawn by matplotlib, which is not installed: pip install 'agnograd[viz]'"
        raise MissingLibraryError(msg) from error
    return plt.subplots(layout="constrained")[1]
