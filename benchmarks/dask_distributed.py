"""Gradients on a cluster of two processes with little memory each, beside those written by hand for dask.

    python -m benchmarks.dask_distributed

writes 6 GB of data and takes each workload once by hand and once by agnograd, in turns, on a `LocalCluster` of two
workers with a limit of 1.5 GB each. It counts what must not happen: workers that restart, and bytes that are spilled to
the disk; and tells wall and CPU time, the peak of memory and the bytes that were read. Values are compared. The exit
code is 1 where a gradient differs, a worker restarts, or agnograd spills where the formula by hand does not.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import agnograd as ag
from benchmarks.dask_workloads import WORKLOADS, Data, Workload, read_data, write_data

MB = 1e6


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask_distributed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rows", type=int, default=3_000_000, help="of the data (%(default)s)")
    parser.add_argument("--columns", type=int, default=512, help="of the data, in float32 (%(default)s)")
    parser.add_argument("--chunk", type=int, default=37_500, help="rows in a chunk (%(default)s)")
    parser.add_argument("--memory", default="1.5GB", help="limit of each of the two workers (%(default)s)")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), metavar="NAME")
    parser.add_argument("--folder", type=Path, help="where the data are or will be written (a temporary folder)")
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="agnograd-"))
    try:
        if not (folder / "u.zarr").exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_data(folder, options.rows, options.columns, options.chunk)
        return _measure(options, folder)
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


def _measure(options: argparse.Namespace, folder: Path) -> int:
    from distributed import Client, LocalCluster

    console = Console(width=None if sys.stdout.isatty() else 160)
    data = read_data(folder)
    x, y, _ = data
    console.print(
        f"{x.nbytes / MB:.0f} MB in {x.npartitions} chunks of {x.blocks[0].nbytes / MB:.0f} MB; two workers of "
        f"{options.memory}; the least a gradient can read is {(x.nbytes + y.nbytes) / MB:.0f} MB"
    )
    table = Table("workload", "engine", "s", "CPU s", "peak MB", "read MB", "spilled MB", "restarts", "tasks", "error")
    missed = []
    for name in options.workloads:
        spilled = {}
        for engine, gradients in ENGINES.items():
            # A cluster of its own for each: what the allocator keeps of one run must not count for the next.
            cluster = LocalCluster(
                n_workers=2, threads_per_worker=1, memory_limit=options.memory, dashboard_address=":0"
            )
            with cluster, Client(cluster) as client:
                run = Run(client)
                found = run(partial(gradients, WORKLOADS[name], data))
            if engine == "by hand":
                expected = found
            error = max(_difference(a, b) for a, b in zip(found, expected, strict=True))
            spilled[engine] = run.spilled
            row = (name, engine, *run.row(), "" if engine == "by hand" else f"{error:.1e}")
            table.add_row(*row)
            print(*row, sep="; ", flush=True)  # a run takes long
            if run.restarts or error > 1e-3:
                missed.append(f"{name} {engine}: {run.restarts} restarts, error {error:.1e}")
            gc.collect()
        if spilled["agnograd"] > spilled["by hand"]:
            missed.append(f"{name}: {spilled['agnograd'] / MB:.0f} MB spilled, {spilled['by hand'] / MB:.0f} by hand")
    console.print(table)
    for line in missed:
        console.print(f"[red]missed[/red]: {line}")
    return 1 if missed else 0


def _difference(found: Any, expected: Any) -> float:
    """How far float32 sums of millions of terms in another order are apart, relative to the largest element."""
    return float(np.abs(np.asarray(found) - np.asarray(expected)).max() / max(np.abs(np.asarray(expected)).max(), 1e-6))


def by_hand(workload: Workload, data: Data) -> tuple[Any, ...]:
    """Value and gradients by the formulas written for dask."""
    import dask

    return dask.compute(*workload.hand(workload.parameters(data.x.shape[1]), data))  # type: ignore[no-any-return]


def by_agnograd(workload: Workload, data: Data) -> tuple[Any, ...]:
    """The same from the loss alone."""
    value, gradients = ag.value_and_grad(workload.loss)(workload.parameters(data.x.shape[1]), data)
    value, gradients = ag.compute(value, gradients)
    return value, *gradients.values()


ENGINES: dict[str, Callable[..., tuple[Any, ...]]] = {"by hand": by_hand, "agnograd": by_agnograd}


class Run:
    """A call, and what it costs the workers of a cluster that has done nothing else.

    Attributes
    ----------
    seconds, cpu : float
        Wall time, and CPU time of all workers.
    peak : int
        The most memory that one of the workers held, in bytes.
    read, spilled : int
        Bytes that they read from files and from one another, and wrote to the disk for want of memory.
    restarts : int
        Workers that did not survive.
    tasks : int
        How many tasks ran.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __call__(self, work: Callable[[], Any]) -> Any:
        client = self._client
        before = client.run(_costs)
        start = time.perf_counter()
        found = work()
        self.seconds = time.perf_counter() - start
        after = client.run(_costs)
        lived = before.keys() & after.keys()
        self.restarts = len(before) - sum(before[k]["pid"] == after[k]["pid"] for k in lived)
        self.cpu, self.read, self.spilled = (
            sum(costs[what] for costs in after.values()) - sum(before[k][what] for k in lived)
            for what in ("cpu", "read", "spilled")
        )
        self.peak = max(costs["peak"] for costs in after.values())
        self.tasks = client.run_on_scheduler(_tasks)
        return found

    def row(self) -> list[str]:
        """The costs as the cells of a table."""
        megabytes = [f"{n / MB:.0f}" for n in (self.peak, self.read, self.spilled)]
        return [f"{self.seconds:.1f}", f"{self.cpu:.1f}", *megabytes, str(self.restarts), str(self.tasks)]


def _costs(dask_worker: Any = None) -> dict[str, float]:
    """What a worker has used up to now; asked of each."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "pid": os.getpid(),
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
        "read": int(Path("/proc/self/io").read_text(encoding="ascii").split()[1]),
        "spilled": dask_worker.data.cumulative_metrics.get(("disk-write", "bytes"), 0),
    }


def _tasks(dask_scheduler: Any = None) -> int:
    """How many tasks ran."""
    return sum(prefix.state_counts["memory"] for prefix in dask_scheduler.task_prefixes.values())


if __name__ == "__main__":
    raise SystemExit(main())
