"""Tables of the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from benchmarks.bars import Verdict
from benchmarks.compare import Once, Ratio, Timing
from benchmarks.engines import ENGINES
from benchmarks.results import Results, surroundings
from benchmarks.startup import Startup

if TYPE_CHECKING:
    from rich.console import Console


def show(results: Results, verdicts: Sequence[Verdict], console: Console) -> None:
    """Print everything that was measured."""
    console.print(where(surroundings(results.engines, results.threads)), highlight=False)
    if results.timings:
        console.print(_timings("Microseconds per operation, and ratios with quartiles", results.timings))
    if results.memory:
        console.print(_runs("50 layers tanh(x*w) of 8 MB, each engine in a fresh process", results.memory))
    if results.slices:
        console.print(_runs("200 slices of an array of 8 MB, each engine in a fresh process", results.slices))
    if results.deep:
        console.print(_runs("One million operations sin(x*c+b), each engine in a fresh process", results.deep))
    if results.startup:
        console.print(_startup(results.startup))
    if results.transforms:
        console.print(_timings("Transformations: microseconds a call, and ratios with quartiles", results.transforms))
    if results.models:
        console.print(_timings("Programs: microseconds per operation, and ratios with quartiles", results.models))
    for runs, count in ((results.short_directions, 10), (results.directions, 1000)):
        if runs:
            title = f"Derivative along a direction of {count} operations on 2 MB, each engine in a fresh process"
            console.print(_runs(title, runs))
    console.print(verdict_table(verdicts, "Bars"))


def where(facts: Mapping[str, Any]) -> str:
    """Date, machine, versions and clock in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    machine = f"{facts['cpu']} ({facts['cores']} cores)"
    threads = facts["threads"]
    clock = "one thread, CPU time" if threads == 1 else f"{threads} threads, wall clock"
    return f"{facts['date']}, {machine}, {facts['python']}, {versions}; {clock}"


def _timings(title: str, timings: Sequence[Timing]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("workload")
    table.add_column("engine")
    for column in ("record", "backward", "free", "sum", "over NumPy by hand", "agnograd over it"):
        table.add_column(column, justify="right")
    for timing in timings:
        for i, engine in enumerate(timing.samples):
            per_operation = timing.microseconds(engine)
            table.add_row(
                f"{timing.workload}: {timing.title}" if i == 0 else "",
                ENGINES[engine].label,
                *(f"{us:.2f}" for us in per_operation),
                f"{sum(per_operation):.2f}",
                _spread(timing.ratio(engine, "hand")),
                _spread(timing.ratio("agnograd", engine)),
                end_section=i == len(timing.samples) - 1,
            )
    return table


def _spread(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})"


def _runs(title: str, runs: Sequence[Once]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("engine")
    for column in ("record s", "backward s", "free s", "peak MB", "agnograd over it"):
        table.add_column(column, justify="right")
    own = next(run.peak for run in runs if run.engine == "agnograd")
    for run in runs:
        seconds = [f"{s:.2f}" for s in run.times]
        table.add_row(ENGINES[run.engine].label, *seconds, f"{run.peak / 1e6:.1f}", f"{own / run.peak:.2f}")
    return table


def _startup(startup: Startup) -> Table:
    libraries = ", ".join(startup.loaded) or "none"
    title = (
        f"import agnograd: {startup.own:.1f} ms of its own, {startup.total:.1f} ms with what it imports, "
        f"{startup.modules} modules; array libraries loaded: {libraries}"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("import")
    table.add_column("CPU ms beyond an empty program", justify="right")
    for name, ms in startup.cpu.items():
        table.add_row(ENGINES[name].label if name in ENGINES else name, f"{ms:.0f}")
    return table


def verdict_table(verdicts: Sequence[Verdict], title: str) -> Table:
    """A row for each promise."""
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    for column in ("measured", "at most", "kept"):
        table.add_column(column, justify="right")
    for verdict in verdicts:
        value = "-" if verdict.value is None else f"{verdict.value:.3g}{verdict.unit}"
        kept = "not measured" if verdict.kept is None else "yes" if verdict.kept else "[bold red]NO[/]"
        table.add_row(verdict.what, value, f"{verdict.limit:g}{verdict.unit}", kept)
    return table
