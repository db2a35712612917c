"""A process of one engine: it prepares, checks and times what its parent asks for (see `benchmarks.worker`)."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.engines import ENGINES
from benchmarks.transforms import make
from benchmarks.worker import Times


class Session:
    """One engine, and a method for each question."""

    def __init__(self, engine: str, threads: int = 1) -> None:
        self.engine = ENGINES[engine]()
        # The CPU time of several threads is the sum of theirs, which nobody waits for.
        self.clock: Callable[[], float] = time.process_time if threads == 1 else time.perf_counter

    def prepare(self, name: str, small: bool = False) -> None:
        """Make the workload of that name the current one."""
        self.workload = make(name, small=small)
        self.constants = self.engine.constants(self.workload)

    def about(self) -> tuple[str, int]:
        """Title and number of operations of the current workload."""
        return self.workload.title, self.workload.operations

    def gradients(self) -> list[Any]:
        """The gradients of the current workload as ndarrays. They must be asked for before it is timed."""
        if self.workload.transform is not None:
            return [self.engine.to_numpy(x) for x in self.engine.transformed(self.workload, self.constants)]
        leaves = self.engine.leaves(self.workload)
        root = self.engine.record(self.workload, leaves, self.constants)
        return [self.engine.to_numpy(g) for g in self.engine.backward(root, leaves)]

    def run(self) -> Times:
        """Time one run."""
        clock = self.clock
        if self.workload.transform is not None:
            start = clock()
            found = self.engine.transformed(self.workload, self.constants)
            done = clock()
            found = None
            return Times(done - start, 0.0, clock() - done)
        leaves = self.engine.leaves(self.workload)
        start = clock()
        root = self.engine.record(self.workload, leaves, self.constants)
        recorded = clock()
        found = self.engine.backward(root, leaves)
        back = clock()
        # What a graph costs does not end with the gradient: it has to go.
        root = found = None  # noqa: F841
        return Times(recorded - start, back - recorded, clock() - back)

    def sample(self, runs: int) -> Times:
        """Mean of some runs after one that is not counted; what the garbage collector takes meanwhile is part of it."""
        self.run()
        gc.collect()
        # Libraries bring many objects of their own, which no user's collection should be charged for.
        gc.freeze()
        times = [self.run() for _ in range(runs)]
        return Times(*(sum(phase) / runs for phase in zip(*times, strict=True)))

    def peak(self) -> tuple[Times, int]:
        """Times of one run, and the bytes by which the process grew at most meanwhile."""
        gc.collect()
        before = _reset_peak()
        times = self.run()
        return times, _peak() - before


def _reset_peak() -> int:
    """Start a new peak, where the system can, and return the memory held now."""
    # Elsewhere the old peak stands: that of a fresh process, little above what it holds now.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """Peak of resident memory in bytes."""
    try:
        # Not ru_maxrss: that one starts at the parent's peak.
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    if found is not None:
        return int(found[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(engine: str, threads: int) -> None:
    """Answer until the input ends."""
    # Whatever a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    session = Session(engine, threads)
    while True:
        try:
            what, args = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(getattr(session, what)(*args), answers)
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
