"""The figures of docs/explanation/performance.md: `python -m benchmarks publish`.

What the page plots is measured in the way of the other commands, and written as a small file of JSON beside the
page, with the machine, the versions and how busy it was. The page draws it when the documentation is built.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import compare, compiled, transforms, workloads
from benchmarks.compare import Once, Timing
from benchmarks.engines import ENGINES
from benchmarks.results import surroundings
from benchmarks.worker import ROOT

PATH = ROOT / "docs" / "explanation" / "performance.json"

# Program to what `benchmarks.compiled` calls it: `j` is a loop in Python around one compiled step.
COMPILED = {letter: letter for letter in "abcdefghik"} | {"j": "j-steps"}
# Programs of small operations alone, which Numba compiles as a whole, and those whose elementary functions it computes.
NATIVE = {"a": "a-native", "b": "b-native", "d": "d-native", "j": "j-native"}


def measure(
    engines: Sequence[str], *, rounds: int, small: bool = False, done: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure all that the page plots.

    Parameters
    ----------
    engines : sequence of str
        ``"hand"`` and ``"agnograd"`` among them.
    rounds : int
        Interleaved rounds for each workload.
    small : bool
        Take the small version of each workload, and compile none.
    done : callable
        Called with the name of each part that is finished.
    """
    busy = [round(os.getloadavg()[0], 1)]
    parts: dict[str, Any] = {}

    def timed(part: str, names: Sequence[str]) -> None:
        parts[part] = [_timing(t) for t in compare.timings(names, engines, rounds=rounds, small=small)]
        done(part)

    timed("programs", transforms.LETTERS)
    timed("calls", [workloads.common(name, size) for name in workloads.COMMON for size in workloads.SIZES])
    parts["memory"] = [_once(run) for run in compare.once("l", engines, small=small)]
    done("memory")
    for part, names in {"compiled": COMPILED, "native": NATIVE}.items():
        parts[part] = {} if small else {letter: _compiled(name) for letter, name in names.items()}
        done(part)
    busy.append(round(os.getloadavg()[0], 1))
    labels = {engine: ENGINES[engine].label for engine in engines}
    return {"where": surroundings(engines), "busy": busy, "rounds": rounds, "labels": labels, **parts}


def _timing(timing: Timing) -> dict[str, Any]:
    engines = {}
    for engine in timing.samples:
        microseconds = sum(timing.microseconds(engine)) * timing.operations
        over = [float(f"{x:.3g}") for x in timing.ratio(engine, "hand")]
        engines[engine] = {"microseconds": float(f"{microseconds:.4g}"), "over hand": over}
    return {"name": timing.workload, "title": timing.title, "operations": timing.operations, "engines": engines}


def _once(run: Once) -> dict[str, Any]:
    return {"engine": run.engine, "peak MB": round(run.peak / 1e6, 1)}


def _compiled(name: str) -> dict[str, Any]:
    found = compiled.in_process(name)
    low, high = found["quartiles"]
    return {
        "over hand": [float(f"{x:.3g}") for x in (low, found["ratio"], high)],
        "first call s": round(found["first"], 2),
    }


def text(figures: dict[str, Any]) -> str:
    """The file: a line for each workload, so that a difference can be read."""
    lines = []
    for key, value in figures.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n  ".join(json.dumps(item) for item in value)
            lines.append(f" {json.dumps(key)}: [\n  {inner}\n ]")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
