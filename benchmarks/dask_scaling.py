"""What a gradient costs dask's scheduler as the number of chunks grows, and what follows for data of a terabyte.

    python -m benchmarks.dask_scaling [--write]

Logistic regression on tiny chunks, so that nothing but tasks costs time: by hand, by agnograd operation by operation,
and fused to a task for each chunk. `--write` puts the tables into docs/dask_scaling.md.
"""

from __future__ import annotations

import argparse
import pickle
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np

import agnograd as ag
from benchmarks.dask_workloads import WORKLOADS, Data

PAGE = Path(__file__).parent.parent / "docs" / "dask_scaling.md"
COLUMNS, ROWS = 8, 4
LOGISTIC = WORKLOADS["logistic regression"]
PARAMETERS = LOGISTIC.parameters(COLUMNS)


# -- graphs ------------------------------------------------------------------------------------------------------------


def tiny(chunks: int) -> Data:
    """Data of which each chunk is made in its own task, as if it were read."""
    x = da.map_blocks(_rows, chunks=((ROWS,) * chunks, (COLUMNS,)), dtype=np.float32, meta=np.empty((0, 0), np.float32))
    y = da.map_blocks(_labels, chunks=((ROWS,) * chunks,), dtype=np.float32, meta=np.empty((0,), np.float32))
    return Data(x, y, None)


def _rows(block_info: Any = None) -> Any:
    return np.full(block_info[None]["chunk-shape"], 0.1, np.float32)


def _labels(block_info: Any = None) -> Any:
    return np.ones(block_info[None]["chunk-shape"], np.float32)


def _loss_of_rows(p: Any, x: Any, y: Any) -> Any:
    z = x @ p["w"]
    return ag.sum(ag.logaddexp(z, 0.0) - y * z)


def loss_by_hand(d: Data) -> list[Any]:
    return LOGISTIC.hand(PARAMETERS, d)[:1]


def by_hand(d: Data) -> list[Any]:
    return LOGISTIC.hand(PARAMETERS, d)


def by_agnograd(d: Data) -> list[Any]:
    value, g = ag.value_and_grad(LOGISTIC.loss)(PARAMETERS, d)
    return [value, g["w"]]


def fused(d: Data) -> list[Any]:
    value, g = ag.dask.value_and_grad(_loss_of_rows)(PARAMETERS, d.x, d.y)
    return [value / d.x.shape[0], g["w"] / d.x.shape[0]]


KINDS: dict[str, Callable[[Data], list[Any]]] = {
    "loss alone, by hand": loss_by_hand,
    "value and gradient, by hand": by_hand,
    "agnograd": by_agnograd,
    "agnograd, fused blocks": fused,
}


# -- measuring ---------------------------------------------------------------------------------------------------------


@dataclass
class Cost:
    """Of one graph, in seconds of CPU time, which does not count what else the machine does.

    Attributes
    ----------
    build, optimise : float
        To make the graph, and to optimise it.
    tasks, size : int
        What reaches the scheduler, and its bytes as a pickle.
    threads : float or None
        To run it in this process.
    cluster : float or None
        Of the scheduler, which is in this process too, to have two others run it.
    """

    build: float
    optimise: float
    tasks: int
    size: int
    threads: float | None = None
    cluster: float | None = None


def cost(make: Callable[[Data], list[Any]], chunks: int, client: Any, rounds: int, most: int) -> Cost:
    """The costs of a graph; it is run if it has not more than so many tasks."""
    data = tiny(chunks)
    built = []
    for _ in range(rounds):
        start = time.process_time()
        arrays = make(data)
        built.append(time.process_time() - start)
    graphs: list[Any] = []
    times = []

    def run(expression: Any, keys: Any, **_: Any) -> Any:
        graphs.append(dict(expression.__dask_graph__()))
        times.append(time.process_time())
        if len(graphs[0]) > most:
            return keys
        found = dask.threaded.get(graphs[0], keys)
        times.append(time.process_time())
        return found

    start = time.process_time()
    dask.compute(*arrays, scheduler=run)
    size = len(pickle.dumps(graphs[0], protocol=pickle.HIGHEST_PROTOCOL))
    found = Cost(min(built), times[0] - start, len(graphs[0]), size)
    if len(times) > 1:
        found.threads = times[1] - times[0]
        start = time.process_time()
        dask.compute(*arrays, scheduler=client)
        found.cluster = time.process_time() - start - found.optimise
    return found


def throughput(name: str, megabytes: int = 64, columns: int = 512, rounds: int = 5) -> float:
    """Bytes a second that one core takes through value and gradient of a workload, chunks in memory."""
    rows = megabytes * 10**6 // (4 * columns)
    workload = WORKLOADS[name]
    p = workload.parameters(columns)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, columns), dtype=np.float32)
    d = Data(x, np.ones(rows, np.float32), None)
    times = []
    for _ in range(rounds):
        start = time.process_time()
        ag.value_and_grad(workload.loss)(p, d)
        times.append(time.process_time() - start)
    return float(x.nbytes / min(times))


# -- tables ------------------------------------------------------------------------------------------------------------


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, the first column to the left and all others to the right."""
    lines = [head, ["---", *["---:" for _ in head[1:]]], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def costs_table(costs: dict[tuple[int, str], Cost]) -> str:
    """What was measured."""
    head = [
        "chunks, graph",
        "build s",
        "of the loss by hand",
        "optimise s",
        "tasks",
        "a chunk",
        "pickle MB",
        "threads s",
    ]
    rows = []
    for (chunks, kind), c in costs.items():
        ratio = c.build / costs[chunks, "loss alone, by hand"].build
        runs = ["" if t is None else f"{t:.1f} ({1000 * t / c.tasks:.2f} ms a task)" for t in (c.threads, c.cluster)]
        rows.append([
            f"{chunks:,}, {kind}", f"{c.build:.3f}", f"{ratio:.2f}", f"{c.optimise:.2f}", f"{c.tasks:,}",
            f"{c.tasks / chunks:.2f}", f"{c.size / 1e6:.2f}", *runs,
        ])  # fmt: skip
    return markdown([*head, "cluster s"], rows)


# What the page assumes of a machine of a cluster: cores, and bytes a second that it reads.
CORES, DISK = 8, 0.5e9


def limits_table(per_chunk: dict[str, float], per_task: float, speed: float) -> str:
    """The size of chunks below which the scheduler cannot keep the cores of some machines busy."""
    own = 1 / (1 / speed + CORES / DISK)
    rows = [
        [f"{machines:,} ({machines * CORES:,})"]
        + [f"{machines * CORES * own * k * per_task / 1e6:,.0f} MB" for k in per_chunk.values()]
        for machines in (1, 5, 20, 100)
    ]
    return markdown(["machines (cores)", *per_chunk], rows)


def terabyte_table(per_chunk: dict[str, float], per_task: float, speed: float, machines: int) -> str:
    """One gradient of a terabyte: what scheduler, cores and disks need, by size of chunk."""
    rows = []
    for megabytes in (32, 128, 512):
        chunks = 10**12 / (megabytes * 1e6)
        for kind, k in per_chunk.items():
            times = {
                "scheduler": chunks * k * per_task,
                "cores": 1e12 / (machines * CORES * speed),
                "reading": 1e12 / (machines * DISK),
            }
            most = max(times, key=lambda name: times[name])
            numbers = [f"{n:,.0f}" for n in (chunks, chunks * k, *times.values())]
            rows.append([f"{megabytes} MB, {kind}", *numbers, most])
    return markdown(["chunks of", "number", "tasks", "scheduler s", "cores s", "reading s", "limit"], rows)


def tables_of(costs: dict[tuple[int, str], Cost]) -> dict[str, str]:
    """The tables of the page by name."""
    most = max(chunks for chunks, _ in costs)
    per_chunk = {kind: costs[most, kind].tasks / most for kind in list(KINDS)[1:]}
    # What else a machine does only adds to it; in small graphs, what does not depend on their size does.
    ran = [c for c in costs.values() if c.cluster is not None and c.tasks > 500]
    per_task, largest = min((c.cluster / c.tasks, c.tasks) for c in ran if c.cluster is not None)
    quick, slow = throughput("logistic regression"), throughput("two-layer network")
    return {
        "costs": costs_table(costs),
        "rates": (
            f"The scheduler takes {1000 * per_task:.2f} ms of CPU time a task (in a graph of {largest:,} tasks). "
            f"A core takes {quick / 1e6:,.0f} MB a second through value and gradient of logistic regression, and "
            f"{slow / 1e6:,.0f} MB a second through those of a network with 64 hidden units."
        ),
        "limits": limits_table(per_chunk, per_task, slow),
        "terabyte": terabyte_table(per_chunk, per_task, slow, machines=20),
    }


def write(tables: dict[str, str]) -> None:
    """Put tables into the page."""
    page = PAGE.read_text(encoding="utf-8")
    for name, text in tables.items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, count = block.subn(lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page)
        if count != 1:
            message = f"{PAGE.name} has no place for the table {name!r}"
            raise ValueError(message)
    PAGE.write_text(page, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask_scaling", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--chunks", type=int, nargs="+", default=[100, 1_000, 10_000], help="numbers (%(default)s)")
    parser.add_argument("--tasks", type=int, default=10_000, help="run graphs that have not more (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of building; the quickest counts (%(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write the tables to {PAGE.name}")
    options = parser.parse_args(arguments)
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        for kind in KINDS.values():  # imports, on both sides
            cost(kind, 4, client, 1, options.tasks)
        costs = {}
        for chunks in options.chunks:
            for kind, make in KINDS.items():
                costs[chunks, kind] = found = cost(make, chunks, client, options.rounds, options.tasks)
                print(f"{chunks:,} chunks, {kind}: {found}", flush=True)
    tables = tables_of(costs)
    for name, text in tables.items():
        print(f"\n{name}\n{text}")
    if options.write:
        write(tables)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
