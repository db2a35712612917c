"""A process of one engine: it prepares, checks and times what its parent asks for.

The parent makes a `Worker` and calls its methods; `python -m benchmarks.worker ENGINE` is the other end. They exchange
pickles over the child's standard input and output.
"""

from __future__ import annotations

import gc
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.engines import ENGINES
from benchmarks.workloads import make

ROOT = Path(__file__).resolve().parents[1]

# Both choose kernels of OpenBLAS by hand, and on a machine that they were not made for halve its speed.
_UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Times(NamedTuple):
    """CPU seconds of one run."""

    record: float
    backward: float
    free: float


def environment() -> dict[str, str]:
    """Environment variables of a process that measures: one thread, NumPy's own choice of kernels."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | dict.fromkeys(_THREADS, "1") | {"PYTHONPATH": os.pathsep.join(paths)}


class Worker:
    """The parent's end.

    Parameters
    ----------
    engine : str
        A name of `benchmarks.engines.ENGINES`.

    Examples
    --------
    >>> with Worker("hand") as worker:
    ...     worker.ask("prepare", "a")
    ...     times = worker.ask("sample", 10)
    """

    def __init__(self, engine: str) -> None:
        self.engine = engine
        command = [sys.executable, "-m", "benchmarks.worker", engine]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), cwd=ROOT
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        # At the end of its input the child leaves.
        self._process.communicate()

    def ask(self, what: str, *args: Any) -> Any:
        """Call that method of `_Session` in the child, and return what it returned.

        Raises
        ------
        RuntimeError
            If it raised; the child has printed the traceback and is gone.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump((what, args), self._process.stdin)
            self._process.stdin.flush()
            return pickle.load(self._process.stdout)
        except (BrokenPipeError, EOFError):
            msg = f"the worker of {self.engine!r} failed at {what}{args}: its traceback is above"
            raise RuntimeError(msg) from None


class _Session:
    """The child's end: a method for each question."""

    def __init__(self, engine: str) -> None:
        self.engine = ENGINES[engine]()

    def version(self) -> str:
        """Version of the engine's library."""
        import importlib.metadata

        return importlib.metadata.version(self.engine.package)

    def prepare(self, name: str, small: bool = False) -> None:
        """Make the workload of that name the current one."""
        self.workload = make(name, small=small)
        self.constants = self.engine.constants(self.workload)

    def about(self) -> tuple[str, int]:
        """Title and number of operations of the current workload."""
        return self.workload.title, self.workload.operations

    def gradients(self) -> list[Any]:
        """The gradients of the current workload as ndarrays. They must be asked for before it is timed."""
        leaves = self.engine.leaves(self.workload)
        root = self.engine.record(self.workload, leaves, self.constants)
        return [self.engine.to_numpy(g) for g in self.engine.backward(root, leaves)]

    def run(self) -> Times:
        """Time one run."""
        clock = time.process_time
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
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # the old peak stands: that of a fresh process, little above what it holds now
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


def main(engine: str) -> None:
    """Answer until the input ends."""
    # Whatever a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    session = _Session(engine)
    while True:
        try:
            what, args = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(getattr(session, what)(*args), answers)
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
