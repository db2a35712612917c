"""One command for a machine with a GPU: `python -m benchmarks.gpu_check`.

It runs the tests of CuPy with all samples, counts launches, waits and memory and holds them against what the emulator
predicts (tests/cupy_budgets.json), and times three workloads against CuPy by hand, PyTorch and compiled JAX, where
these are installed. With ``--dry`` it does a little of all this on the emulator, to show that the command itself works.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
PARTS = ("matrix", "counts", "times")
ROUNDS = 50

# Where counts of a GPU need not be the emulator's: what libraries allocate and call for themselves.
OWN_OF_LIBRARIES = ("library_calls", "allocations", "peak_bytes")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 1 where a test fails or a GPU does more than was predicted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_check", description=__doc__.splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="a little of it, on the emulator")
    parser.add_argument("--only", choices=PARTS, help="one part of it, in this process")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each workload that is timed (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append what was found, a line for each part")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT / "tests"))
    import cupy_cpu

    if not options.dry and not cupy_cpu.real_gpu():
        print("there is no NVIDIA GPU here: `--dry` shows what would be done, `python -m pytest` tests CuPy on the CPU")
        return 1
    if options.only is None:
        statuses = [_in_process(part, options) for part in PARTS]
        return int(any(statuses))
    if options.only == "matrix":
        return matrix(options)
    part: Callable[[argparse.Namespace, Console], tuple[int, Any]] = {"counts": counts, "times": times}[options.only]
    _start(options.dry, count=options.only == "counts")
    status, found = part(options, Console(width=None if sys.stdout.isatty() else 140))
    if options.json is not None:
        with options.json.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"part": options.only, "machine": machine(), "found": found}) + "\n")
    # What failed where CuPy could not be told.
    cupy_cpu.check_errors()
    if options.dry:
        cupy_cpu.exit(status)
    return status


def _in_process(part: str, options: argparse.Namespace) -> int:
    """Counting has to start before CuPy is imported, and must not slow what is timed."""
    print(f"\n== {part}", flush=True)
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--only", part, "--rounds", str(options.rounds)]
    command += ["--dry"] if options.dry else []
    command += ["--json", str(options.json.resolve())] if options.json is not None else []
    # JAX would take most of the memory for itself.
    env = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def _start(dry: bool, *, count: bool) -> None:
    import cupy_cpu

    if dry:
        cupy_cpu.install()
    else:
        cupy_cpu.load(count=count)


def machine() -> list[str]:
    """The devices."""
    import cupy as cp

    runtime = cp.cuda.runtime
    return [runtime.getDeviceProperties(i)["name"].decode() for i in range(runtime.getDeviceCount())]


# -- parts -------------------------------------------------------------------------------------------------------------


def matrix(options: argparse.Namespace) -> int:
    """The tests, as CuPy's column of the matrix; what they print is shown as it comes."""
    chosen = (
        ["tests/test_matrix.py", "--agnograd-ops=exp,softmax"]
        if options.dry
        else ["tests", "--agnograd-samples=all", "-m", "slow or not slow"]
    )
    command = [sys.executable, "-m", "pytest", *chosen, "--agnograd-backends=cupy", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def counts(options: argparse.Namespace, console: Console) -> tuple[int, Any]:
    """What operations and workloads cost, against the predictions."""
    import cupy as cp
    import cupy_cpu

    from agnograd import plugins
    from benchmarks import cupy_budgets, cupy_workloads

    # Reductions by CUB launch other kernels than those that the emulator can run.
    cp._core.set_routine_accelerators([])
    cp._core.set_reduction_accelerators([])
    with plugins.isolated():
        found = {
            "workloads": cupy_budgets.of_workloads(
                cupy_cpu.counting, cupy_workloads.WORKLOADS if options.dry else cupy_workloads.EVERY
            ),
            "operations": cupy_budgets.of_operations(
                cupy_budgets.chosen("exp,softmax,linalg.solve" if options.dry else "*"), cupy_cpu.counting
            ),
        }
    known = cupy_budgets.read()
    worse, other = [], []
    for section, budgets in found.items():
        # Only what was counted here is compared: a dry run counts a part.
        for line in cupy_budgets.differences(budgets, known[section], exact=False):
            (other if any(f": {name} " in line for name in OWN_OF_LIBRARIES) else worse).append(line)
    table = Table("workload", "launches", "predicted", "waits", "peak bytes", "predicted")
    for name, phases in found["workloads"].items():
        for phase, budget in phases.items():
            said = known["workloads"][f"{name}: {phase}"]
            shown = [budget["launches"], said["launches"], budget["synchronisations"]]
            shown += [budget["peak_bytes"], said["peak_bytes"]]
            table.add_row(f"{name}, {phase}", *map(str, shown))
    console.print(table)
    console.print(f"{sum(map(len, found['operations'].values()))} phases of operations counted")
    for title, lines in (("more than predicted", worse), ("more, of libraries' own", other)):
        console.print(f"{title}: {len(lines)}", *lines, sep="\n  ", markup=False)
    return int(bool(worse)), {**found, "worse": worse, "other": other}


def times(options: argparse.Namespace, console: Console) -> tuple[int, Any]:
    """The workloads in each library, in milliseconds and as ratios to CuPy by hand."""
    import cupy as cp

    from benchmarks import cupy_workloads

    rounds = 2 if options.dry else options.rounds
    found: dict[str, dict[str, float]] = {}
    wrong = []
    for name, workload in cupy_workloads.WORKLOADS.items():
        size = workload.small if options.dry else workload.large
        steps: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
            "CuPy by hand": (cupy_workloads.by_hand(workload, size), _wait_for_cupy),
            "agnograd": (cupy_workloads.with_agnograd(workload, cp.asarray, size), _wait_for_cupy),
        }
        if importlib.util.find_spec("torch") is not None:
            steps["PyTorch"] = cupy_workloads.with_torch(workload, size), _wait_for_torch
        if importlib.util.find_spec("jax") is not None:
            steps["JAX, compiled"] = cupy_workloads.with_jax(workload, size), _wait_for_jax
        results = {library: [_host(x) for x in step()] for library, (step, _) in steps.items()}
        for library, values in results.items():
            pairs = zip(values, results["CuPy by hand"], strict=True)
            if not all(np.allclose(x, y, rtol=1e-6, atol=1e-9) for x, y in pairs):
                wrong.append(f"{name}: {library} disagrees with CuPy by hand")
        found[name] = {library: _median(step, wait, rounds) for library, (step, wait) in steps.items()}
    table = Table("workload", *next(iter(found.values())), title=f"median of {rounds}, in milliseconds")
    for name, taken in found.items():
        table.add_row(name, *(f"{1e3 * t:.3f} ({t / taken['CuPy by hand']:.2f})" for t in taken.values()))
    console.print(", ".join(machine()) + (", emulated: times tell nothing" if options.dry else ""))
    console.print(table)
    for line in wrong:
        console.print(line)
    return int(bool(wrong)), found


def _median(step: Callable[[], Any], wait: Callable[[Any], Any], rounds: int) -> float:
    taken = []
    for i in range(rounds + 3):
        start = perf_counter()
        wait(step())
        if i >= 3:
            taken.append(perf_counter() - start)
    return statistics.median(taken)


def _wait_for_cupy(_: Any) -> None:
    import cupy as cp

    cp.cuda.Device().synchronize()


def _wait_for_torch(_: Any) -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _wait_for_jax(result: Any) -> None:
    import jax

    jax.block_until_ready(result)


def _host(x: Any) -> Any:
    """The values as a NumPy array."""
    if hasattr(x, "get"):
        return x.get()
    return x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x)


if __name__ == "__main__":
    sys.exit(main())
