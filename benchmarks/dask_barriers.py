"""What barriers cost: gradients that depend on a reduction of the data they are taken from, larger than memory.

    python -m benchmarks.dask_barriers [--megabytes 3200] [--extra 400]

For each loss: how often each chunk is read, whether the gradient ends, and the most memory, in a process that may take
no more than `--extra` megabytes besides what it has when it starts; where what is needed again is computed again (auto)
and where it is held, as dask does (hold). Then what it takes to look for barriers, as the number of chunks grows.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np

import agnograd as ag
from agnograd.backends.dask_barriers import bounded
from benchmarks.dask_workloads import WORKLOADS, Data

Array = Any
COLUMNS, WIDTH, MEGABYTES = 1024, 16, 20


class Source:
    """Data that is made when it is read, in blocks of `MEGABYTES`."""

    ndim, dtype = 2, np.dtype("f4")

    def __init__(self, megabytes: int) -> None:
        self.rows = MEGABYTES * 250_000 // COLUMNS
        self.blocks = megabytes // MEGABYTES
        self.shape = self.blocks * self.rows, COLUMNS
        self.base = np.random.default_rng(0).standard_normal((self.rows, COLUMNS), dtype=np.float32)
        self.reads = 0

    def __getitem__(self, key: Any) -> Array:
        self.reads += 1
        i, n = key[0].start // self.rows, key[0].stop - key[0].start
        return self.base[:n] * np.float32(1 + i % 7) + np.float32(i % 3)

    def array(self) -> Array:
        return da.from_array(self, chunks=(self.rows, COLUMNS), asarray=True, meta=np.empty((0, 0), np.float32))


def root_mean_square(p: Any, x: Array) -> Array:
    return ag.sqrt(ag.mean((x @ p["w"] @ p["v"] - 1) ** 2))


def norm(p: Any, x: Array) -> Array:
    return ag.linalg.vector_norm(ag.tanh(x @ p["w"]) @ p["v"] - 1)


def log_of_mean(p: Any, x: Array) -> Array:
    return ag.log(ag.mean(ag.exp(ag.tanh(x @ p["w"]) @ p["v"])))


def standardised(p: Any, x: Array) -> Array:
    return ag.mean((ag.tanh((x - ag.mean(x, axis=0)) / ag.std(x, axis=0) @ p["w"]) @ p["v"] - 1) ** 2)


def normalised_network(p: Any, x: Array) -> Array:
    h = x @ p["w"]
    h = ag.tanh((h - ag.mean(h, axis=0)) / ag.sqrt(ag.var(h, axis=0) + 1e-5))
    return ag.mean((h @ p["v"] - 1) ** 2)


def cosine(p: Any, x: Array) -> Array:
    a, b = ag.tanh(x @ p["w"]) @ p["v"], x[:, 0]
    return ag.sum(a * b) / (ag.linalg.vector_norm(a) * ag.linalg.vector_norm(b))


LOSSES: dict[str, Callable[[Any, Array], Array]] = {
    f.__name__: f for f in (root_mean_square, norm, log_of_mean, standardised, normalised_network, cosine)
}


def parameters() -> dict[str, Array]:
    draw = np.random.default_rng(1)
    return {
        "w": draw.standard_normal((COLUMNS, WIDTH), dtype=np.float32) / np.float32(32),
        "v": draw.standard_normal(WIDTH, dtype=np.float32),
    }


# -- memory, each in a process of its own ------------------------------------------------------------------------------


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


def run(name: str, policy: str, megabytes: int, extra: int) -> None:
    """Value and gradients of one loss; prints a line."""
    loss, p, source = LOSSES[name], parameters(), Source(megabytes)
    x = source.array()
    compute = partial(ag.compute, scheduler="threads", num_workers=2)
    for _ in range(2):  # threads, and what BLAS takes for each
        compute(*ag.value_and_grad(normalised_network)(p, x[: 2 * source.rows]))
    limit, before = _status("VmData") + extra * 10**6, _status("VmRSS")
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    source.reads, start = 0, time.process_time()
    try:
        with ag.dask.saved("hold") if policy == "hold" else ag.dask.saved("auto", limit=extra * 10**6 // 8):
            value = float(compute(*ag.value_and_grad(loss)(p, x))[0])
        found = f"{value:.6f}"
    except MemoryError:
        found = "MemoryError"
    peak = (_status("VmHWM") - before) // 10**6
    seconds = time.process_time() - start
    print(f"{name:20} {policy:5} {found:>12} {source.reads / source.blocks:6.2f} {peak:6} {seconds:7.1f}", flush=True)


def memory(megabytes: int, extra: int) -> None:
    """All losses, both policies."""
    print(f"{megabytes} MB of data, {extra} MB more memory")
    print(f"{'loss':20} {'':5} {'value':>12} {'reads':>6} {'MB':>6} {'CPU s':>7}", flush=True)
    environment = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "65536"}
    for name in LOSSES:
        for policy in ("auto", "hold"):
            command = [sys.executable, "-m", "benchmarks.dask_barriers", "--run", name, policy]
            command += ["--megabytes", str(megabytes), "--extra", str(extra)]
            subprocess.run(command, check=True, env={**os.environ, **environment})


# -- what a look costs -------------------------------------------------------------------------------------------------


def looks() -> None:
    """Milliseconds to look for barriers, and to cure them, in graphs of values and gradients."""
    print(f"\n{'loss':20} {'chunks':>7} {'graph ms':>9} {'look ms':>8}  result", flush=True)
    for chunks in (100, 1000, 10_000):
        x = _blocks(chunks, (2000, 16))
        data = Data(x, _blocks(chunks, (2000,)), _blocks(chunks, (2000, 16)))
        p = {"w": np.ones((16, 4), np.float32), "v": np.ones(4, np.float32)}
        losses = {**{k: _gradient(w.loss, w.parameters(16), data) for k, w in WORKLOADS.items()}}
        losses |= {k: _gradient(f, p, x) for k, f in LOSSES.items()}
        for name, make in losses.items():
            start = time.process_time()
            arrays = make()
            built = time.process_time() - start
            least = min(_timed(lambda arrays=arrays: bounded(arrays, 1e6))[0] for _ in range(3))
            new = bounded(arrays, 1e6)
            same = all(a is b for a, b in zip(new, arrays, strict=True))
            result = "unchanged" if same else f"{_tasks(arrays)} tasks before, {_tasks(new)} after"
            print(f"{name:20} {chunks:7} {built * 1e3:9.1f} {least * 1e3:8.2f}  {result}", flush=True)


def _gradient(loss: Callable[..., Array], p: Any, data: Any) -> Callable[[], list[Array]]:
    def make() -> list[Array]:
        with ag.dask.saved("hold"):
            return [x.array if hasattr(x, "array") else x for x in ag.tree.leaves(ag.value_and_grad(loss)(p, data))]

    return make


def _blocks(chunks: int, shape: tuple[int, ...]) -> Array:
    sizes = ((shape[0],) * chunks, *[(n,) for n in shape[1:]])
    meta = np.empty((0,) * len(shape), np.float32)
    return da.map_blocks(
        _ones, chunks=sizes, dtype=np.float32, meta=meta, name=f"made-{chunks}-{len(shape)}-{shape[0]}"
    )


def _ones(block_info: Any = None) -> Array:
    return np.ones(block_info[None]["chunk-shape"], np.float32)


class _CountedError(Exception):
    """Ends a computation that was only asked for to be counted."""


def _tasks(arrays: list[Array]) -> int:
    """How many tasks come to the scheduler."""
    counted = 0

    def scheduler(graph: Any, *_: Any, **__: Any) -> Any:
        nonlocal counted
        counted = len(graph.__dask_graph__() if hasattr(graph, "__dask_graph__") else graph)
        raise _CountedError

    with contextlib.suppress(_CountedError):
        dask.compute(*arrays, scheduler=scheduler)
    return counted


def _timed(f: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    out = f()
    return time.process_time() - start, out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=3200)
    parser.add_argument("--extra", type=int, default=400)
    parser.add_argument("--run", nargs=2, metavar=("LOSS", "POLICY"))
    given = parser.parse_args()
    if given.run:
        run(*given.run, given.megabytes, given.extra)
    else:
        memory(given.megabytes, given.extra)
        looks()


if __name__ == "__main__":
    main()
