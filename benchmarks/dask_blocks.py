"""Fused block derivatives beside the ideal and beside formulas by hand, on data larger than memory; steps of training.

    python -m benchmarks.dask_blocks [--rows 1000000] [--memory 600] [--repeats 3] [--check]

Data of 2 GB are written to disk with a fixed seed, and each workload is taken in processes of their own, whose memory
is limited, in turns in these forms:

ideal
    One task for each chunk, by hand: NumPy's formulas for value and gradients, and a tree that adds them up.
fused
    `agnograd.dask.value_and_grad` of the loss, with ``compile=True``, and ``rows=512`` where intermediate results are
    as large as a chunk.
eager
    The same with neither: operations one by one on a whole chunk.
hand
    The natural formulas of value and gradients by hand, on dask arrays.
operations
    `agnograd.value_and_grad` of the loss on dask arrays, operation by operation.

Then 200 steps of training on 200,000 rows in memory, in 20 chunks, for each way to build their graphs. Tasks, bytes and
peaks are exact, times those of this machine. With `--check` the exit code is 1 where the fused form takes more than 1.1
times the tasks or CPU time of the ideal, or more of either than the formulas by hand, reads anything twice, or where
steps are not all of one size.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import agnograd as ag
from benchmarks.dask_workloads import WORKLOADS, Data, Workload, read_data, write_data

FORMS = ("ideal", "fused", "eager", "hand", "operations")
# Those whose losses are sums over blocks, or means of them.
NAMES = [name for name in WORKLOADS if name != "root mean square"]
SUMS = ("PCA", "matrix factorisation")
# Where intermediate results are as large as a chunk: so many rows of it at a time.
ROWS = {"PCA": 512, "matrix factorisation": 512, "row logsumexp": 512}
USES_Y = ("logistic regression", "least squares", "two-layer network")
MB = 2**20


# -- one form of one workload, in a process of its own -----------------------------------------------------------------


def used(name: str, data: Data) -> Data:
    """The data that a workload reads."""
    return Data(data.x, data.y if name in USES_Y else None, data.u if name == "matrix factorisation" else None)


def kernel(workload: Workload, p: Any, share: float, x: Any, y: Any, u: Any) -> list[Any]:
    """Value and gradients of a chunk by hand, as its share of those of all data."""
    return [np.asarray(part * np.float32(share)) for part in workload.hand(p, Data(x, y, u))]


def added(*parts: list[Any]) -> list[Any]:
    return [functools.reduce(np.add, items) for items in zip(*parts, strict=True)]


def ideal(name: str, p: Any, data: Data) -> list[Any]:
    """The graph that nobody would beat: a task for each chunk, and a tree of eight."""
    from dask import delayed

    blocks = [[None] * data.x.numblocks[0] if x is None else x.to_delayed().ravel().tolist() for x in data]
    run, add = delayed(kernel, pure=False), delayed(added, pure=False)
    sizes = data.x.chunks[0]
    shares = [1.0 if name in SUMS else n / sum(sizes) for n in sizes]
    parts = [run(WORKLOADS[name], p, *block) for block in zip(shares, *blocks, strict=True)]
    while len(parts) > 1:
        parts = [add(*parts[i : i + 8]) for i in range(0, len(parts), 8)]
    return [parts[0][i] for i in range(1 + len(p))]


def graph(form: str, name: str, p: Any, data: Data) -> list[Any]:
    """Value and gradients, lazy."""
    workload, data = WORKLOADS[name], used(name, data)
    if form == "ideal":
        return ideal(name, p, data)
    if form == "hand":
        return workload.hand(p, data)
    if form in ("fused", "eager"):
        reduce = "sum" if name in SUMS else "mean"
        how = {"rows": ROWS.get(name), "compile": True} if form == "fused" else {}
        run = ag.dask.value_and_grad(workload.loss, reduce=reduce, split_every=8, **how)
        value, g = run(p, data)
    else:
        value, g = ag.value_and_grad(workload.loss)(p, data)
    return [value, *[g[key] for key in p]]


def status(name: str) -> int:
    """A line of the status of this process, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def read_bytes() -> int:
    return int(next(line for line in Path("/proc/self/io").read_text().splitlines() if "rchar" in line).split()[1])


def child(form: str, name: str, folder: Path, memory: int) -> None:
    """Take one form of one workload, and print what it took."""
    import dask
    import dask.array as da

    dask.config.set(scheduler="threads", num_workers=2)
    data = read_data(folder)
    p = WORKLOADS[name].parameters(data.x.shape[1])
    dask.compute(da.ones(4, chunks=1).sum())  # threads start
    tasks: list[int] = []
    dask.compute(*graph(form, name, p, data), scheduler=counting(tasks))
    base = status("VmHWM")
    limit = status("VmData") * 1024 + memory * MB
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    start, cpu, before = time.perf_counter(), time.process_time(), read_bytes()
    lazy = graph(form, name, p, data)
    built = time.process_time() - cpu
    found = [np.asarray(x) for x in dask.compute(*lazy)]
    result = {
        "tasks": tasks[0],
        "build": built,
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - start,
        "peak": status("VmHWM") / 1024,
        "base": base / 1024,
        "read": (read_bytes() - before) / MB,
        "values": [float(np.sqrt(np.sum(np.square(x, dtype=np.float64)))) for x in found],
    }
    print(json.dumps(result))


def counting(sizes: list[int]) -> Callable[..., Any]:
    """A scheduler that notes how many tasks it was given, and runs none."""

    def get(tasks: Any, keys: Any, **_: Any) -> Any:
        sizes.append(len(tasks.__dask_graph__() if hasattr(tasks, "__dask_graph__") else tasks))
        return _zeros(keys)

    return get


def _zeros(keys: Any) -> Any:
    return [_zeros(k) for k in keys] if isinstance(keys, list) else np.zeros(())


# -- steps of training -------------------------------------------------------------------------------------------------


def training(steps: int, scheduler: str) -> list[tuple[str, float, float, str]]:
    """Name, CPU and wall milliseconds of a step, and the numbers of tasks of all steps, for each way to take them."""
    import dask
    import dask.array as da

    rows, columns, chunk = 200_000, 64, 10_000
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, columns), dtype=np.float32)
    y = (x[:, 0] > 0).astype(np.float32)
    lazy = Data(*dask.persist(da.from_array(x, chunks=(chunk, -1)), da.from_array(y, chunks=chunk)), None)
    start = np.zeros(columns, np.float32)
    workload = WORKLOADS["logistic regression"]

    def by_operations(p: Any, d: Data) -> Any:
        value, g = ag.value_and_grad(workload.loss)(p, d)
        return {"w": p["w"] - 0.5 * g["w"]}, value

    def fused(p: Any, d: Data) -> Any:
        value, g = ag.dask.value_and_grad(workload.loss, reduce="mean")(p, d)
        return {"w": p["w"] - 0.5 * g["w"]}, value

    def by_hand(p: Any, d: Data) -> Any:
        value, g = workload.hand(p, d)
        return {"w": p["w"] - 0.5 * g}, value

    sizes: list[int] = []

    def get(tasks: Any, keys: Any, **options: Any) -> Any:
        tasks = tasks.__dask_graph__() if hasattr(tasks, "__dask_graph__") else tasks
        sizes.append(len(tasks))
        run = {"threads": dask.threaded.get, "sync": dask.get}[scheduler]
        return run(tasks, keys, **options)

    def in_numpy(p: Any) -> Any:
        parts = [
            kernel(workload, p, chunk / rows, x[i : i + chunk], y[i : i + chunk], None) for i in range(0, rows, chunk)
        ]
        value, g = added(*parts)
        return {"w": p["w"] - np.float32(0.5) * g}, value

    def rebuilt(update: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda p: dask.compute(update({"w": da.from_array(p["w"], chunks=-1)}, lazy), scheduler=get)[0]

    def template(update: Callable[..., Any]) -> Callable[[Any], Any]:
        step = ag.dask.training_step(update)
        return lambda p: step(p, lazy, scheduler=get)

    def settled(p: Any) -> Any:
        w = ag.asarray(p["w"] if hasattr(p["w"], "dask") else da.from_array(p["w"], chunks=-1)).requires_grad_()
        value = workload.loss({"w": w}, Data(ag.asarray(lazy.x), ag.asarray(lazy.y), None))
        value.backward()
        with ag.no_grad():
            w -= 0.5 * w.grad
        w.grad = None
        value = ag.dask.settle([w], value, scheduler=get)
        return {"w": w.array}, value

    ways = {
        "NumPy, chunk by chunk": in_numpy,
        "by hand, graph of each step": rebuilt(by_hand),
        "operations, graph of each step": rebuilt(by_operations),
        "operations, settle()": settled,
        "operations, training_step": template(by_operations),
        "fused, graph of each step": rebuilt(fused),
        "fused, training_step": template(fused),
    }
    out = []
    for name, step in ways.items():
        p, cpus, walls, losses = {"w": start}, [], [], []
        sizes.clear()
        for _ in range(steps):
            wall, cpu = time.perf_counter(), time.process_time()
            p, value = step(p)
            cpus.append(time.process_time() - cpu)
            walls.append(time.perf_counter() - wall)
            losses.append(float(value))
        steady = sizes[len(sizes) // 2 :]
        counts = f"{min(steady)} to {max(steady)}" if len(set(steady)) > 1 else str(steady[0]) if steady else "-"
        out.append((name, 1e3 * float(np.median(cpus)), 1e3 * float(np.median(walls)), counts))
        if not out[1:]:
            expected = losses
        assert np.allclose(losses, expected, rtol=1e-3), name
    return out


# -- the command -------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask_blocks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the data (%(default)s)")
    parser.add_argument("--columns", type=int, default=512, help="of the data, in float32 (%(default)s)")
    parser.add_argument("--chunk", type=int, default=12_500, help="rows in a chunk (%(default)s)")
    parser.add_argument("--memory", type=int, default=600, help="MB that a process may allocate (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="times are the least of as many (%(default)s)")
    parser.add_argument("--steps", type=int, default=200, help="of training (%(default)s)")
    parser.add_argument("--workloads", nargs="*", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument(
        "--forms", nargs="+", choices=FORMS, default=FORMS, help="ideal, fused and hand are compared (all)"
    )
    parser.add_argument("--folder", type=Path, help="where the data are or will be written (a temporary folder)")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a ratio is too large")
    parser.add_argument("--child", nargs=2, metavar=("FORM", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(*options.child, options.folder, options.memory)
        return 0
    folder = options.folder or Path(tempfile.mkdtemp(prefix="agnograd-"))
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        if options.workloads and not (folder / "u.zarr").exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_data(folder, options.rows, options.columns, options.chunk)
        failures = [f for name in options.workloads for f in _measured(name, folder, options, console)]
    finally:
        if options.folder is None:
            shutil.rmtree(folder)
    if options.steps:
        failures += _trained(options.steps, console)
    for failure in failures:
        console.print(f"[red]{failure}")
    return int(bool(failures) and options.check)


def _measured(name: str, folder: Path, options: argparse.Namespace, console: Console) -> list[str]:
    best: dict[str, dict[str, Any]] = {}
    for _ in range(options.repeats):
        for form in options.forms:
            found = _run(form, name, folder, options)
            known = best.setdefault(form, found)
            for key in ("cpu", "wall", "peak", "build"):
                known[key] = min(known[key], found[key])
    table = Table(title=f"{name}, {options.repeats} times")
    for column in ("", "tasks", "build ms", "CPU s", "wall s", "peak MB", "read MB"):
        table.add_column(column, justify="left" if not column else "right")
    fused, perfect, hand = (best[form] for form in ("fused", "ideal", "hand"))
    for form, x in best.items():
        row = [x["tasks"], f"{1e3 * x['build']:.0f}", f"{x['cpu']:.1f}", f"{x['wall']:.1f}", f"{x['peak']:.0f}"]
        table.add_row(form, *map(str, row), f"{x['read']:.0f}")
    for title, other in (("fused / ideal", perfect), ("fused / hand", hand)):
        ratios = [fused[key] / other[key] for key in ("tasks", "build", "cpu", "wall", "peak", "read")]
        table.add_row(title, *[f"{r:.2f}" for r in ratios], style="bold")
    console.print(table)
    failures = [
        f"{name}: {key} of the fused form is {fused[key] / other[key]:.2f} times that of {what}"
        for what, other, limit in (("the ideal", perfect, 1.1), ("formulas by hand", hand, 1.0))
        for key in ("tasks", "cpu")
        if fused[key] > limit * other[key]
    ]
    if fused["read"] > 1.02 * perfect["read"]:
        failures.append(f"{name}: the fused form reads {fused['read']:.0f} MB, the ideal {perfect['read']:.0f}")
    for form, x in best.items():
        if not np.allclose(x["values"], perfect["values"], rtol=1e-3):
            failures.append(f"{name}: {form} found {x['values']}, the ideal {perfect['values']}")
    return failures


def _run(form: str, name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.dask_blocks", "--child", form, name]
    command += ["--folder", str(folder), "--memory", str(options.memory)]
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": "65536"}
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **single, "MALLOC_ARENA_MAX": "2"}
    )
    if ran.returncode:
        msg = f"{form} of {name} failed:\n{ran.stderr[-3000:]}"
        raise RuntimeError(msg)
    return json.loads(ran.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _trained(steps: int, console: Console) -> list[str]:
    failures = []
    for scheduler in ("sync", "threads"):
        table = Table(title=f"{steps} steps of logistic regression, 200,000 x 64 in 20 chunks, scheduler {scheduler}")
        for column in ("", "CPU ms", "wall ms", "tasks"):
            table.add_column(column, justify="left" if not column else "right")
        for name, cpu, wall, counts in training(steps, scheduler):
            table.add_row(name, f"{cpu:.1f}", f"{wall:.1f}", counts)
            if "to" in counts:
                failures.append(f"{name}: steps have {counts} tasks")
        console.print(table)
    return failures


if __name__ == "__main__":
    sys.exit(main())
