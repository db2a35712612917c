"""What is promised about speed and memory, and whether it is kept."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks import workloads
from benchmarks.compare import Once
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


def _peak_over(runs: Callable[[Results], Sequence[Once]], engine: str) -> Callable[[Results], float | None]:
    def measured(results: Results) -> float | None:
        peaks = {run.engine: run.peak for run in runs(results)}
        return peaks["agnograd"] / peaks[engine] if {"agnograd", engine} <= set(peaks) else None

    return measured


def _growth(workload: str, smaller: str) -> Callable[[Results], float | None]:
    def measured(results: Results) -> float | None:
        both = [results.timing(name) for name in (workload, smaller)]
        if None in both:
            return None
        times = [statistics.median(timing.totals("agnograd")) for timing in both]
        return times[0] / times[1]

    return measured


def _longer(results: Results) -> float | None:
    runs = (results.directions, results.short_directions)
    peaks = [run.peak for each in runs for run in each if run.engine == "agnograd"]
    return peaks[0] / peaks[1] if len(peaks) == 2 else None


BARS = [
    Bar(
        "1000 operations, c and b constant arrays: time over that of HIPS autograd", 0.35, "x", _ratio("chain", "hips")
    ),
    Bar("the same over that of torch eager", 0.6, "x", _ratio("chain", "torch")),
    Bar(
        "50 layers of 8 MB: peak of memory over that of torch eager", 1.1, "x", _peak_over(lambda r: r.memory, "torch")
    ),
    Bar("200 slices of an array of 8 MB: time over that of HIPS autograd", 0.5, "x", _ratio("slices", "hips")),
    # The gradient itself is ten times as large; a dense array for each slice would take all of the time.
    Bar(
        "200 small slices of it: time over that of an array of 0.8 MB",
        2.0,
        "x",
        _growth("slices-few", "slices-smaller"),
    ),
    # By hand: the gradient, which is as large as the array.
    Bar("200 slices: peak of memory over that of NumPy by hand", 2.2, "x", _peak_over(lambda r: r.slices, "hand")),
    # Not slower, and among large arrays, where both wait for NumPy, not by more than the error of measuring.
    *(
        Bar(
            f"{name} of {elements} elements: time over that of HIPS autograd",
            1.0 if elements == min(workloads.SIZES) else 1.05,
            "x",
            _ratio(workloads.common(name, elements), "hips"),
        )
        for name in workloads.COMMON
        for elements in workloads.SIZES
    ),
    Bar("Jacobian, 100 in, 100 out, forward mode: time over that of HIPS autograd", 0.1, "x", _ratio("jacfwd", "hips")),
    Bar("the same by reverse mode", 0.1, "x", _ratio("jacrev", "hips")),
    Bar("Hessian in 50 parameters: time over that of HIPS autograd", 0.1, "x", _ratio("hessian", "hips")),
    Bar(
        "gradients for each of 256 samples: time over that of the gradient of the batch",
        3.0,
        "x",
        _growth("gradients-of-samples", "gradient"),
    ),
    Bar("derivative along a direction: peak for 1000 operations over that for 10", 1.1, "x", _longer),
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
