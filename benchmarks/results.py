"""Everything that one run of the benchmark found, and where it ran."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.compare import Once, Timing
from benchmarks.engines import ENGINES
from benchmarks.startup import Startup


@dataclass
class Results:
    """The results of a run, or of the part that was asked for."""

    engines: Sequence[str]
    threads: int = 1
    timings: list[Timing] = field(default_factory=list)
    memory: list[Once] = field(default_factory=list)
    slices: list[Once] = field(default_factory=list)
    deep: list[Once] = field(default_factory=list)
    startup: Startup | None = None
    transforms: list[Timing] = field(default_factory=list)
    models: list[Timing] = field(default_factory=list)
    short_directions: list[Once] = field(default_factory=list)
    directions: list[Once] = field(default_factory=list)

    def timing(self, workload: str) -> Timing | None:
        """The timing of a workload, if it was taken."""
        return next(
            (timing for timing in [*self.timings, *self.transforms, *self.models] if timing.workload == workload), None
        )

    def as_dict(self) -> dict[str, Any]:
        """All of it in lists, dictionaries, strings and numbers."""
        return {
            "where": surroundings(self.engines, self.threads),
            "timings": [_timing(timing) for timing in self.timings],
            "memory": [_once(run) for run in self.memory],
            "slices": [_once(run) for run in self.slices],
            "deep": [_once(run) for run in self.deep],
            "startup": None if self.startup is None else self.startup._asdict(),
            "transforms": [_timing(timing) for timing in self.transforms],
            "models": [_timing(timing) for timing in self.models],
            "directions": {
                "short": [_once(run) for run in self.short_directions],
                "long": [_once(run) for run in self.directions],
            },
        }


def _timing(timing: Timing) -> dict[str, Any]:
    return {
        "workload": timing.workload,
        "title": timing.title,
        "operations": timing.operations,
        "engines": {
            engine: {
                "microseconds per operation": timing.microseconds(engine)._asdict(),
                "ratio to hand": timing.ratio(engine, "hand")._asdict(),
                "agnograd over this": timing.ratio("agnograd", engine)._asdict(),
                "samples": [times._asdict() for times in samples],
            }
            for engine, samples in timing.samples.items()
        },
    }


def _once(run: Once) -> dict[str, Any]:
    return {"engine": run.engine, "seconds": run.times._asdict(), "peak": run.peak}


def surroundings(engines: Sequence[str], threads: int = 1) -> dict[str, Any]:
    """Date, machine and versions: figures mean little without them."""
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {ENGINES[engine].package: metadata.version(ENGINES[engine].package) for engine in engines},
    }


def _cpu() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()
