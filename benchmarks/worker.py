"""The parent's end of a process that measures one engine; the child's is `benchmarks.session`.

They exchange pickles over the child's standard input and output.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]

# The first two choose kernels of OpenBLAS by hand, and on a machine that they were not made for halve its speed. The
# last makes every process compile the sources again, which no user's does.
_UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Times(NamedTuple):
    """Seconds of one run: of the CPU on one thread, on the wall on several."""

    record: float
    backward: float
    free: float


# XLA has threads of its own, as many as cores.
_ONE_OF_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def environment(threads: int = 1) -> dict[str, str]:
    """Environment variables of a process that measures: so many threads, and nothing that slows it."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    # A first call is to be one: nothing is found on disk.
    kept |= dict.fromkeys(THREADS, str(threads)) | ({"XLA_FLAGS": _ONE_OF_XLA} if threads == 1 else {})
    return kept | {"PYTHONPATH": os.pathsep.join(paths), "AGNOGRAD_CACHE": "0"}


class Worker:
    """A process of one engine.

    Parameters
    ----------
    engine : str
        A name of `benchmarks.engines.ENGINES`.
    threads : int
        How many it may use. On several, times are those of the clock on the wall.
    **variables : str
        Further environment variables.

    Examples
    --------
    >>> with Worker("hand") as worker:
    ...     worker.ask("prepare", "b")
    ...     times = worker.ask("sample", 10)
    """

    def __init__(self, engine: str, *, threads: int = 1, **variables: str) -> None:
        self.engine = engine
        command = [sys.executable, "-m", "benchmarks.session", engine, str(threads)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(threads) | variables, cwd=ROOT
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        # At the end of its input the child leaves.
        self._process.communicate()

    def ask(self, what: str, *args: Any) -> Any:
        """Call that method of `benchmarks.session.Session` in the child, and return what it returned.

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
