"""What is promised about speed and memory, and whether it is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.results import Results


class Bar(NamedTuple):
    """A promise.

    Attributes
    ----------
    what : str
        What is compared.
    limit : float
        The largest value that keeps it.
    unit : str
        What follows the numbers in a table.
    measured : callable
        The value from the results; None where they do not have it.
    """

    what: str
    limit: float
    unit: str
    measured: Callable[[Results], float | None]


class Verdict(NamedTuple):
    """A promise and what was measured; `kept` is None where it was not."""

    what: str
    limit: float
    unit: str
    value: float | None
    kept: bool | None


def _ratio(workload: str, engine: str) -> Callable[[Results], float | None]:
    def measured(results: Results) -> float | None:
        timing = results.timing(workload)
        return timing.ratio("agnograd", engine).median if timing and engine in timing.samples else None

    return measured


def _memory(results: Results) -> float | None:
    peaks = {run.engine: run.peak for run in results.memory}
    return peaks["agnograd"] / peaks["torch"] if {"agnograd", "torch"} <= set(peaks) else None


BARS = [
    Bar("1000 operations, c and b constant arrays: time over that of HIPS autograd", 0.35, "x", _ratio("a", "hips")),
    Bar("the same over that of torch eager", 0.6, "x", _ratio("a", "torch")),
    Bar("50 layers of 8 MB: peak of memory over that of torch eager", 1.1, "x", _memory),
    Bar("import agnograd: own time", 60.0, " ms", lambda r: r.startup.own if r.startup else None),
    Bar("import agnograd: array libraries loaded", 0, "", lambda r: len(r.startup.loaded) if r.startup else None),
]


def judge(results: Results) -> list[Verdict]:
    """Hold the results against every promise."""
    verdicts = []
    for bar in BARS:
        value = bar.measured(results)
        verdicts.append(Verdict(bar.what, bar.limit, bar.unit, value, None if value is None else value <= bar.limit))
    return verdicts
