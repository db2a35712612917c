"""Compiled gradients against gradients by hand in NumPy: `python -m benchmarks.compiled [NAME ...]`.

Each workload has a process of its own with one thread, in which both are checked against each other and then run in
turns: what is printed is the median of the ratios of CPU times, with quartiles, and what the first call takes.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import models, workloads
from benchmarks.worker import ROOT, environment

# What is promised, as a ratio to NumPy by hand; for `l` the peak of memory in units of one array.
# `-steps` is a loop in Python around a compiled step, `-native` runs on the machine that Numba compiles.
BARS = {
    "a": 0.75,
    "b": 0.8,
    "d": 0.35,
    "e": 1.1,
    "g": 0.8,
    "j-steps": 0.85,
    "i": 8.0,
    "l": 2.0,
    "a-native": 0.1,
    "j-native": 0.12,
    "j-steps-native": 0.85,
}
NAMES = tuple(BARS)


def make(name: str, *, small: bool = False) -> Any:
    """A workload."""
    if name in models.MAKERS:
        return models.MAKERS[name][small]()
    return workloads.make(name, small=small)


def by_hand(workload: Any) -> Callable[[], Any]:
    """The gradient by hand."""
    return lambda: workload.backward(workload.forward()[1])


def compiled(workload: Any, *, native: bool = False) -> Callable[[], Any]:
    """The gradient by a compiled function."""
    import agnograd as ag

    count = len(workload.leaves)
    gradient = ag.value_and_grad(lambda *arrays: workload.function(ag, *arrays), tuple(range(count)))
    f = ag.compile(gradient, native=native)
    arrays = [*workload.leaves, *workload.constants]
    return lambda: f(*arrays)[1]


def compiled_steps(workload: Any, *, native: bool = False) -> Callable[[], Any]:
    """The gradient of a loop in Python, each step of which is one compiled call."""
    import agnograd as ag

    step = ag.compile(lambda q, p, *rest: workload._advance(ag, (q, p), *rest), native=native)

    def loop(stiffness: Any, damping: Any, q: Any, p: Any) -> Any:
        for _ in range(workload.steps):
            q, p = step(q, p, stiffness, damping)
        return ag.sum(q * q)

    f = ag.value_and_grad(loop, (0, 1))
    return lambda: f(*workload.leaves, *workload.constants)[1]


def jacobian() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The Jacobian of a layer of 100 by 100, by hand and compiled."""
    import agnograd as ag

    draw = np.random.default_rng(0)
    w, x = draw.normal(size=(100, 100)) / 10, draw.normal(size=100)

    def hand() -> Any:
        y = np.tanh(w @ x)
        return (1 - y * y)[:, None] * w

    f = ag.compile(ag.jacobian(lambda x, w: ag.tanh(w @ x)))
    return hand, lambda: f(x, w)


def measure(name: str, seconds: float = 6.0) -> dict[str, Any]:
    """Check and time one workload."""
    kind, *variants = name.split("-")
    if kind == "i":
        hand, run = jacobian()
    else:
        workload = make(kind)
        hand = by_hand(workload)
        run = (compiled_steps if "steps" in variants else compiled)(workload, native="native" in variants)
    start = time.process_time()
    found = run()
    first = time.process_time() - start
    for a, b in zip(_flat(found), _flat(hand()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    if kind == "l":
        return {"name": name, "first": first, "ratio": _peak(run) / workload.leaves[0].nbytes}
    ratios, ours = [], []
    repeat = max(1, int(0.02 / _timed(hand, 1)))
    until = time.process_time() + seconds
    while time.process_time() < until or len(ratios) < 5:
        a = _timed(hand, repeat)
        b = _timed(run, repeat)
        ratios.append(b / a)
        ours.append(b)
    quartiles = statistics.quantiles(ratios, n=4)
    return {"name": name, "first": first, "ratio": quartiles[1], "quartiles": quartiles[::2], "ms": min(ours) * 1e3}


def _flat(x: Any) -> list[Any]:
    if isinstance(x, (tuple, list)):
        return [z for y in x for z in _flat(y)]
    return [np.asarray(x)]


def _timed(run: Callable[[], Any], repeat: int) -> float:
    start = time.process_time()
    for _ in range(repeat):
        run()
    return (time.process_time() - start) / repeat


def _peak(run: Callable[[], Any]) -> float:
    tracemalloc.start()
    run()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    run()
    return tracemalloc.get_traced_memory()[1] - before


def main(names: list[str]) -> int:
    """Measure, print, and return 1 where a promise is not kept."""
    broken = 0
    for name in names or NAMES:
        command = [sys.executable, "-m", "benchmarks.compiled", "--child", name]
        answer = subprocess.run(command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        found = json.loads(answer)
        bar = BARS[name]
        broken += found["ratio"] > bar
        spread = "".join(f"{q:8.2f}" for q in found.get("quartiles", ()))
        print(
            f"{name:8} {found['ratio']:6.2f} (at most {bar:4.2f}) quartiles{spread}  first {found['first']:6.2f} s"
            f"  {found.get('ms', 0):8.3f} ms",
            flush=True,
        )
    return int(broken > 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        sys.exit(main(sys.argv[1:]))
