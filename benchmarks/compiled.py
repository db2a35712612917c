"""Compiled gradients against gradients by hand in NumPy and jax.jit: `python -m benchmarks compiled [NAME ...]`.

Each workload has a process of its own, with as many threads as asked for, in which all gradients are checked against
the one by hand and then run in turns: what is printed is the median of the ratios of CPU times, with quartiles, and
the CPU time that the first call takes. What a library loads and sets up for the first function of all is not part of
it: each has compiled a small one before.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks import models, transforms, workloads
from benchmarks.worker import ROOT, environment

# What is promised, as a ratio to NumPy by hand; for `l` the peak of memory in units of one array.
# `-steps` is a loop in Python around a compiled step, `-native` runs on what Numba compiles. Where a processor has no
# AVX-512, NumPy's hyperbolic tangent takes half of the time of `b` and `d` by hand, and all but as much of the compiled
# ones, whose values are the same bit for bit: there only `b-native` and `d-native` can keep what is promised.
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
    "b-native": 0.8,
    "d-native": 0.35,
    "j-native": 0.12,
    "j-steps-native": 0.85,
}
# Of the others nothing is promised to be faster than by hand.
NAMES = (*BARS, "c", "f", "h", "k")
# What is promised against jax.jit.
OVER_JAX = {"d": 0.4, "d-native": 0.4}
FIRST_OVER_JAX = 0.1

_SECONDS = 6.0


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


def by_jax(workload: Any) -> Callable[[], Any]:
    """The gradient by jax.jit, in the precision of the workload."""
    from benchmarks.engines import Jax

    engine = Jax()
    leaves, constants = engine.leaves(workload), engine.constants(workload)
    return lambda: engine.record(workload, leaves, constants)[1]


class Transformed:
    """A Hessian times a vector, or a Jacobian.

    Parameters
    ----------
    name : str
        Of one of the workloads of `benchmarks.transforms`.
    """

    def __init__(self, name: str) -> None:
        self.workload = transforms.make(name)

    def by_hand(self) -> Any:
        """From the formula."""
        return self.workload.derivative()

    def compiled(self) -> Callable[[], Any]:
        """By a compiled function."""
        import agnograd as ag

        workload = self.workload
        count = len(workload.leaves)

        def product(*arrays: Any) -> Any:
            function = lambda *xs: workload.function(ag, *xs, *arrays[2 * count :])  # noqa: E731
            return ag.hvp(function, arrays[:count], arrays[count : 2 * count])

        if workload.transform == "hvp":
            f, arrays = ag.compile(product), [*workload.leaves, *workload.vectors, *workload.constants]
        else:
            f = ag.compile(ag.jacobian(lambda x, *rest: workload.function(ag, x, *rest)))
            arrays = [*workload.leaves, *workload.constants]
        return lambda: f(*arrays)

    def by_jax(self) -> Callable[[], Any]:
        """By jax.jit."""
        from benchmarks.engines import Jax

        jax = Jax()
        constants = jax.constants(self.workload)
        return lambda: jax.jax.block_until_ready(jax.transformed(self.workload, constants))


def _runs(name: str) -> tuple[Any, Callable[[], Any], Callable[[], Any], Callable[[], Callable[[], Any]]]:
    """The workload, and its gradient by hand, by a compiled function and by a function that loads JAX."""
    kind, *variants = name.split("-")
    if kind in ("h", "i"):
        made = Transformed(kind)
        return made.workload, made.by_hand, made.compiled(), made.by_jax
    workload = make(kind)
    ours = (compiled_steps if "steps" in variants else compiled)(workload, native="native" in variants)
    return workload, by_hand(workload), ours, lambda: by_jax(workload)


def measure(name: str, seconds: float = _SECONDS, *, jax: bool = False) -> dict[str, Any]:
    """Check and time one workload.

    Returns
    -------
    dict
        Ratio to the gradient by hand with quartiles, CPU seconds of the first call, CPU milliseconds of a call; if
        `jax`, all of that for jax.jit, and the ratio to it.
    """
    import agnograd as ag

    workload, hand, run, load = _runs(name)
    expected = hand()
    ag.compile(ag.value_and_grad(_small(ag)), native="native" in name)(np.ones(2))
    if "native" in name:
        ag.compile(_elementary(ag), native=True)(np.ones((8, 8)))
    first = _first(run, expected)
    if name == "l":
        return {"name": name, "first": first, "ratio": _peak(run) / workload.leaves[0].nbytes}
    runs = {"hand": hand, "ours": run}
    found: dict[str, Any] = {"name": name, "first": first}
    if jax:
        runs["jax"] = load()
        _warm_jax()
        found["jax first"] = _first(runs["jax"], expected)
    repeat = max(1, int(0.02 / _timed(hand, 1)[0]))
    samples: dict[str, list[tuple[float, float]]] = {engine: [] for engine in runs}
    until = time.process_time() + seconds
    while time.process_time() < until or len(samples["hand"]) < 5:
        for engine, f in runs.items():
            samples[engine].append(_timed(f, repeat))
    for engine, times in samples.items():
        found[f"{engine} ms"] = min(cpu for cpu, _ in times) * 1e3
    low, found["ratio"], high = _ratio(samples["ours"], samples["hand"])
    found["quartiles"] = [low, high]
    found["wall ratio"] = _ratio(samples["ours"], samples["hand"], clock=1)[1]
    if jax:
        found["jax ratio"] = _ratio(samples["jax"], samples["hand"])[1]
        found["over jax"] = _ratio(samples["ours"], samples["jax"])[1]
        found["wall over jax"] = _ratio(samples["ours"], samples["jax"], clock=1)[1]
    return found


def _small(xp: Any) -> Callable[[Any], Any]:
    return lambda x: xp.sum(xp.sin(x) * x)


def _elementary(xp: Any) -> Callable[[Any], Any]:
    return lambda x: xp.tanh(x @ x) + xp.log(x @ x)


def _warm_jax() -> None:
    import jax

    jax.block_until_ready(jax.jit(jax.value_and_grad(_small(jax.numpy)))(np.ones(2)))


def _first(run: Callable[[], Any], expected: Any) -> float:
    """CPU seconds of the first call, whose result is checked."""
    start = time.process_time()
    found = run()
    first = time.process_time() - start
    for a, b in zip(_flat(found), _flat(expected), strict=True):
        single = b.dtype.itemsize == 4
        np.testing.assert_allclose(a, b, rtol=1e-3 if single else 1e-6, atol=1e-5 if single else 1e-9)
    return first


def _flat(x: Any) -> list[Any]:
    if isinstance(x, (tuple, list)):
        return [z for y in x for z in _flat(y)]
    return [np.asarray(x)]


def _timed(run: Callable[[], Any], repeat: int) -> tuple[float, float]:
    """CPU and wall seconds of a call."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(repeat):
        run()
    return (time.process_time() - cpu) / repeat, (time.perf_counter() - wall) / repeat


def _ratio(a: Sequence[tuple[float, float]], b: Sequence[tuple[float, float]], clock: int = 0) -> list[float]:
    return statistics.quantiles([x[clock] / y[clock] for x, y in zip(a, b, strict=True)], n=4)


def _peak(run: Callable[[], Any]) -> float:
    tracemalloc.start()
    run()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    run()
    return tracemalloc.get_traced_memory()[1] - before


def in_process(name: str, *, threads: int = 1, jax: bool = False, seconds: float = _SECONDS) -> dict[str, Any]:
    """`measure` in a process of its own."""
    variables = environment(threads)
    command = [sys.executable, "-m", "benchmarks.compiled", "--child", name, str(seconds), str(int(jax))]
    found = json.loads(subprocess.run(command, env=variables, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    return {**found, "threads": threads, "broken": broken(name, found)}


def broken(name: str, found: dict[str, Any]) -> list[str]:
    """Promises that are not kept."""
    texts = []
    if found["ratio"] > BARS.get(name, float("inf")):
        texts.append(f"at most {BARS[name]:g} of by hand")
    if found.get("over jax", 0.0) > OVER_JAX.get(name, float("inf")):
        texts.append(f"at most {OVER_JAX[name]:g} of jax.jit")
    if (_first_over_jax(found) or 0.0) > FIRST_OVER_JAX:
        texts.append("first call at most a tenth")
    return texts


def _first_over_jax(found: dict[str, Any]) -> float | None:
    """What the first call takes more than others, over what it does with jax.jit."""
    if "jax first" not in found:
        return None
    ours, jax = (found[f"{lead}first"] - found[f"{name} ms"] / 1e3 for lead, name in (("", "ours"), ("jax ", "jax")))
    return ours / jax  # type: ignore[no-any-return]


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """What was found, to print."""
    shown = Table(title="Compiled gradients, CPU time; NumPy by hand = 1, for l: arrays of 8 MB")
    for column in ("", "threads", "ratio", "quartiles", "at most", "jax.jit", "over jax", "first s", "jax first s"):
        shown.add_column(column, justify="right" if column else "left")
    shown.add_column("over it")
    shown.add_column("ms")
    shown.add_column("broken")
    for row in rows:
        low, high = row.get("quartiles", (None, None))
        over = _first_over_jax(row)
        numbers = [row["ratio"], f"{_text(low)}-{_text(high)}", BARS.get(row["name"]), row.get("jax ratio")]
        numbers += [row.get("over jax"), row["first"], row.get("jax first"), over, row.get("ours ms")]
        shown.add_row(row["name"], str(row["threads"]), *map(_text, numbers), ", ".join(row["broken"]))
    return shown


def _text(x: Any) -> str:
    return "" if x is None else x if isinstance(x, str) else f"{x:.3g}"


if __name__ == "__main__":
    if sys.argv[1:2] != ["--child"]:
        sys.exit("python -m benchmarks compiled --help")
    own, limit, with_jax = (*sys.argv[2:], str(_SECONDS), "0")[:3]
    print(json.dumps(measure(own, float(limit), jax=with_jax == "1")))
