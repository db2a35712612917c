"""Gradients of data larger than memory against dask by hand: tasks, CPU time, peak memory and bytes read.

    python -m benchmarks.dask_out_of_core [--rows 1048576] [--limit 650] [--rounds 3] [--only PCA] [--folder DIR]

Each computation has a process of its own, whose memory is limited: the data on disk, 2 GiB by default, are three times
as large. Rounds go through by hand, agnograd, and agnograd fused to a task for each chunk in turn; a ratio is the
median of those of the rounds. It ends with status 1 where agnograd, operation by operation, is above a bar.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import agnograd as ag
from benchmarks.dask_workloads import WORKLOADS, Data, read_data, write_data

COLUMNS, CHUNK = 512, 8192
# To by-hand dask.
BARS = {"tasks": 1.05, "cpu": 1.1, "peak": 1.15, "read": 1.02}
VARIANTS = ("hand", "agnograd", "fused")
# What glibc would keep of freed memory, and threads of BLAS beside those of dask, say nothing about a graph.
ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
# The arrays that a loss reads: a task for each chunk is given no others.
READ = {"PCA": ("x",), "row logsumexp": ("x",), "matrix factorisation": ("x", "u")}
SUMS = {"PCA", "matrix factorisation"}


def results(name: str, variant: str, data: Data) -> list[Any]:
    """Value and gradients, lazy."""
    workload = WORKLOADS[name]
    parameters = workload.parameters(COLUMNS)
    if variant == "hand":
        return workload.hand(parameters, data)
    if variant == "agnograd":
        value, gradient = ag.value_and_grad(workload.loss)(parameters, data)
    else:
        read = READ.get(name, ("x", "y"))
        data = Data(*(getattr(data, field) if field in read else None for field in Data._fields))
        value, gradient = ag.dask.value_and_grad(workload.loss, reduce="sum" if name in SUMS else "mean")(
            parameters, data
        )
    return [value, *(gradient[k] for k in parameters)]


def run(name: str, variant: str, folder: Path, limit: int) -> dict[str, Any]:
    """Compute in this process, and tell what that took."""
    import dask
    from dask.threaded import get

    data = read_data(folder)
    counted: list[int] = []

    def scheduler(graph: Any, keys: Any, **options: Any) -> Any:
        graph = graph.__dask_graph__() if hasattr(graph, "__dask_graph__") else graph
        counted.append(len(graph))
        return get(graph, keys, num_workers=2, **options)

    resource.setrlimit(resource.RLIMIT_DATA, (limit << 20, limit << 20))
    read = _bytes_read()
    start, cpu = time.perf_counter(), time.process_time()
    with dask.config.set(scheduler=scheduler):
        found = ag.compute(*results(name, variant, data))
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - start,
        "read": _bytes_read() - read,
        "peak": _peak(),
        "tasks": sum(counted),
        "values": [np.asarray(x, dtype=np.float64).ravel()[:64].tolist() for x in found],
    }


def _bytes_read() -> int:
    return int(dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())["rchar"])


def _peak() -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10


def measured(name: str, variant: str, folder: Path, limit: int) -> dict[str, Any] | None:
    """The same in a process of its own; None if its memory does not suffice."""
    command = [sys.executable, "-m", "benchmarks.dask_out_of_core", "--run", name, variant]
    command += ["--folder", str(folder), "--limit", str(limit)]
    done = subprocess.run(command, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout)  # type: ignore[no-any-return]
    if "MemoryError" in done.stderr:
        return None
    raise RuntimeError(done.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask_out_of_core", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1 << 20)
    parser.add_argument("--limit", type=int, default=650, help="MiB of memory for a process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=WORKLOADS, action="append")
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="besides hand; may be given again")
    parser.add_argument("--folder", type=Path, help="where the data are, or are to be, and stay")
    parser.add_argument("--run", nargs=2, metavar=("WORKLOAD", "VARIANT"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.run:
        print(json.dumps(run(*options.run, options.folder, options.limit)))
        return 0
    with tempfile.TemporaryDirectory(prefix="agnograd-data-") as made:
        folder = options.folder or Path(made)
        if not (folder / "x.zarr").exists():
            write_data(folder, options.rows, COLUMNS, CHUNK)
        return _report(options, folder)


def _report(options: argparse.Namespace, folder: Path) -> int:
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    title = f"{size / 2**30:.2f} GiB on disk, {options.limit} MiB of memory; ratios to dask by hand"
    table = Table(
        "workload", "variant", "tasks", "CPU s", "peak MB", "GiB read", "tasks x", "CPU x", "peak x", title=title
    )
    above = []
    variants = [v for v in VARIANTS if v == "hand" or v in (options.variant or VARIANTS)]
    for name in options.only or WORKLOADS:
        rounds = [{v: measured(name, v, folder, options.limit) for v in variants} for _ in range(options.rounds)]
        for variant in variants:
            if any(r[variant] is None for r in rounds):
                table.add_row(name, variant, "out of memory")
                above += [f"{name}: memory"] if variant == "agnograd" else []
                continue
            own: list[Any] = [r[variant] for r in rounds]
            hand: list[Any] = [r["hand"] for r in rounds]
            ratios = {}
            if None not in hand:
                for a, b in zip(own[0]["values"], hand[0]["values"], strict=True):
                    np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-3 * max(map(abs, b)), err_msg=name)
                ratios = {k: statistics.median(a[k] / b[k] for a, b in zip(own, hand, strict=True)) for k in BARS}
            if variant == "agnograd":
                above += [f"{name}, {variant}: {k} {ratios[k]:.2f} x" for k in ratios if ratios[k] > BARS[k]]
            middle = {k: statistics.median(r[k] for r in own) for k in ("tasks", "cpu", "peak", "read")}
            table.add_row(
                name,
                variant,
                f"{middle['tasks']:.0f}",
                f"{middle['cpu']:.1f}",
                f"{middle['peak'] / 1e6:.0f}",
                f"{middle['read'] / 2**30:.2f}",
                *[f"{ratios[k]:.2f}" if ratios else "" for k in ("tasks", "cpu", "peak")],
            )
    console = Console(width=120)
    console.print(table)
    for line in above:
        console.print(f"above its bar: {line}")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
