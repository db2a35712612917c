"""Drives the workers: checks every gradient, then times in shuffled, interleaved rounds.

Ratios are formed within a round, between samples that lie a fraction of a second apart, and their median is taken: what
other work on the machine does to a round it does to both sides of the ratio.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from benchmarks.transforms import able
from benchmarks.worker import Times, Worker

# glibc gives large blocks back at once, until the first of them was freed: from then on it keeps them, and whether the
# next array fits into a hole is a matter of luck, which took torch's peak up to 1.7 times what it holds.
_EXACT = {"MALLOC_MMAP_THRESHOLD_": "1000000"}

# A sample lasts about as long for every engine.
SAMPLE_SECONDS = 0.05


class Ratio(NamedTuple):
    """Median and quartiles of pairwise ratios."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, numerators: Iterable[float], denominators: Iterable[float]) -> Ratio:
        """From samples of the same rounds."""
        ratios = [a / b for a, b in zip(numerators, denominators, strict=True)]
        return cls(*statistics.quantiles(ratios, n=4)) if len(ratios) > 1 else cls(*ratios * 3)


class Timing(NamedTuple):
    """What the rounds gave for one workload.

    Attributes
    ----------
    operations : int
        By which the times of a run are divided.
    samples : dict
        Engine to its times, one for each round.
    """

    workload: str
    title: str
    operations: int
    samples: dict[str, list[Times]]

    def totals(self, engine: str) -> list[float]:
        """Seconds of a run, for each round: recording, the way back and freeing together."""
        return [sum(times) for times in self.samples[engine]]

    def microseconds(self, engine: str) -> Times:
        """Medians per operation."""
        phases = zip(*self.samples[engine], strict=True)
        return Times(*(statistics.median(phase) * 1e6 / self.operations for phase in phases))

    def ratio(self, engine: str, to: str) -> Ratio:
        """How many times the time of `to` the engine takes."""
        return Ratio.of(self.totals(engine), self.totals(to))


class WrongGradientError(Exception):
    """An engine disagrees with the gradient by hand, so that its time means nothing."""


def check(name: str, engine: str, found: Sequence[Any], expected: Sequence[Any]) -> None:
    """Compare gradients.

    Raises
    ------
    WrongGradientError
        If they differ in number, dtype, shape or value.
    """
    same = len(found) == len(expected) and all(
        g.shape == e.shape and g.dtype == e.dtype and _close(g, e) for g, e in zip(found, expected, strict=True)
    )
    if not same:
        msg = f"{engine} gives another gradient of workload {name!r} than the one by hand"
        raise WrongGradientError(msg)


def _close(found: Any, expected: Any) -> bool:
    eps = float(np.finfo(expected.dtype).eps)
    return np.allclose(found, expected, rtol=eps**0.5, atol=50 * eps * np.abs(expected).max())


def timings(
    names: Sequence[str],
    engines: Sequence[str],
    *,
    rounds: int,
    threads: int = 1,
    small: bool = False,
    done: Callable[[], None] = lambda: None,
) -> list[Timing]:
    """Time workloads on engines, one of which must be ``"hand"``.

    Parameters
    ----------
    names : sequence of str
        Workloads.
    engines : sequence of str
    rounds : int
    threads : int
        Of each engine.
    small : bool
        Take the small version of each workload.
    done : callable
        Called after each round, for a progress bar.
    """
    shuffled = random.Random(0)
    results = []
    with ExitStack() as stack:
        workers = {engine: stack.enter_context(Worker(engine, threads=threads)) for engine in engines}
        for name in names:
            own = able(name, engines)
            runs = _prepared(name, {engine: workers[engine] for engine in own}, small=small)
            samples: dict[str, list[Times]] = {engine: [] for engine in own}
            for _ in range(rounds):
                for engine in shuffled.sample(own, len(own)):
                    samples[engine].append(workers[engine].ask("sample", runs[engine]))
                done()
            title, operations = workers["hand"].ask("about")
            results.append(Timing(name, title, operations, samples))
    return results


def _prepared(name: str, workers: dict[str, Worker], *, small: bool) -> dict[str, int]:
    """Load a workload everywhere, check its gradients, and find how many runs make a sample."""
    for worker in workers.values():
        worker.ask("prepare", name, small)
    expected = workers["hand"].ask("gradients")
    runs = {}
    for engine, worker in workers.items():
        check(name, engine, worker.ask("gradients"), expected)
        runs[engine] = max(1, round(SAMPLE_SECONDS / sum(worker.ask("sample", 2))))
    return runs


class Once(NamedTuple):
    """One run in a process of its own."""

    engine: str
    times: Times
    peak: int


def once(name: str, engines: Sequence[str], *, small: bool = False) -> list[Once]:
    """Run a workload once on each engine, in a fresh process: for peaks of memory, and for what takes long."""
    expected = None
    results = []
    for engine in ["hand", *(e for e in able(name, engines) if e != "hand")]:
        with Worker(engine, **_EXACT) as worker:
            # The small version first: it loads what a library loads late, and frees little.
            worker.ask("prepare", name, True)
            worker.ask("gradients")
            worker.ask("prepare", name, small)
            times, peak = worker.ask("peak")
            found = worker.ask("gradients")
            expected = found if expected is None else expected
            check(name, engine, found, expected)
        results.append(Once(engine, times, peak))
    return [result for result in results if result.engine in engines]
