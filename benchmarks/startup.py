"""What an import costs: own time of agnograd's modules, the array libraries that come along, and the peers."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.worker import environment

ARRAY_LIBRARIES = ("array_api_strict", "cupy", "dask", "jax", "numpy", "scipy", "sklearn", "torch")
STATEMENTS = {
    "hand": "import numpy",
    "agnograd": "import agnograd",
    "agnograd, first array": "import agnograd; agnograd.ones(2)",
    "hips": "import autograd.numpy",
    "torch": "import torch",
}

_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s*(\S+)")


class Startup(NamedTuple):
    """What ``import agnograd`` costs.

    Attributes
    ----------
    own : float
        Milliseconds of agnograd's own modules, as ``-X importtime`` tells them.
    total : float
        Milliseconds with everything that they import.
    modules : int
        Number of modules loaded.
    loaded : list of str
        Array libraries among them.
    cpu : dict
        Statement to the milliseconds of CPU time that a fresh interpreter needs beyond those of an empty program.
    """

    own: float
    total: float
    modules: int
    loaded: list[str]
    cpu: dict[str, float]


def measure(engines: Sequence[str], *, runs: int = 7) -> Startup:
    """Import in fresh interpreters; the fastest run counts, since other work on the machine only ever adds."""
    # The first run compiles what was not compiled yet.
    found = [_import_times() for _ in range(runs + 1)][1:]
    modules = found[0]
    own = min(sum(us for name, us in run.items() if _inside(name, "agnograd")) for run in found)
    total = min(sum(run.values()) for run in found)
    loaded = [library for library in ARRAY_LIBRARIES if any(_inside(name, library) for name in modules)]
    statements = {name: code for name, code in STATEMENTS.items() if name.partition(",")[0] in engines}
    seconds: dict[str, list[float]] = {name: [] for name in ("", *statements)}
    for _ in range(runs + 1):
        for name, times in seconds.items():
            times.append(_cpu_seconds(statements.get(name, "pass")))
    bare = statistics.median(seconds.pop("")[1:])
    cpu = {name: (statistics.median(times[1:]) - bare) * 1000 for name, times in seconds.items()}
    return Startup(own / 1000, total / 1000, len(modules), loaded, cpu)


def _import_times() -> dict[str, int]:
    """Microseconds of each module's own time, what the interpreter itself imports at its start left out."""
    lines = []
    for code in ("pass", "import agnograd"):
        command = [sys.executable, "-X", "importtime", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
        lines.append({name: int(own) for own, _, name in _LINE.findall(done.stderr)})
    bare, full = lines
    return {name: own for name, own in full.items() if name not in bare}


def _inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _cpu_seconds(code: str) -> float:
    import resource  # not everywhere

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
