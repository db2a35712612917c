"""The command: `python -m benchmarks [ledger|guard] --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks import bars, compare, guard, ledger, report, startup, transforms, workloads
from benchmarks.engines import installed
from benchmarks.results import Results

PARTS = ("time", "memory", "deep", "import", "transforms", "models")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 1 where something promised was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure agnograd against its peers.")
    parser.set_defaults(run=_compare)
    _add_options(parser)
    commands = parser.add_subparsers(title="other commands", metavar="")
    command = commands.add_parser("ledger", help="what each feature costs an operation; writes LEDGER.md")
    command.add_argument("--rounds", type=int, default=60, help="interleaved rounds in a block (%(default)s)")
    command.add_argument("--output", type=Path, default=ledger.PATH, metavar="FILE", help="instead of LEDGER.md")
    command.set_defaults(run=_ledger)
    command = commands.add_parser("guard", help="check against regressions, by ratio to a calibration workload")
    command.add_argument("--rounds", type=int, default=15, help="interleaved rounds (%(default)s)")
    command.set_defaults(run=_guard)
    options = parser.parse_args(arguments)
    code: int = options.run(options, Console(width=None if sys.stdout.isatty() else 160))
    return code


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=25, help="interleaved rounds for each workload (%(default)s)")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part of it; may be given again")
    parser.add_argument("--engines", nargs="+", choices=installed(), default=installed(), help="of those installed")
    parser.add_argument(
        "--workloads", nargs="+", choices=workloads.TIMED, default=workloads.TIMED, help="those to time"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples and ratios there")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bar is missed")


def _compare(options: argparse.Namespace, console: Console) -> int:
    parts = options.only or PARTS
    # Ratios need both: the gradient by hand also checks all others.
    engines = list(dict.fromkeys(["hand", "agnograd", *options.engines]))
    results = Results(engines)
    if "time" in parts:
        results.timings = _timings(options.workloads, engines, options.rounds)
    if "memory" in parts:
        results.memory = compare.once("l", engines)
        results.slices = compare.once("slices", engines)
    if "deep" in parts:
        # HIPS autograd gets there too, in half a minute and a gigabyte.
        results.deep = compare.once("deep", [engine for engine in engines if engine != "hips"])
    if "import" in parts:
        results.startup = startup.measure(engines)
    if "transforms" in parts:
        results.transforms = _timings(transforms.TIMED, engines, options.rounds)
        results.short_directions = compare.once("direction-short", engines)
        results.directions = compare.once("direction", engines)
    if "models" in parts:
        results.models = _timings(transforms.LETTERS, engines, options.rounds)
    verdicts = bars.judge(results)
    report.show(results, verdicts, console)
    if options.json:
        facts = results.as_dict() | {"bars": [verdict._asdict() for verdict in verdicts]}
        options.json.write_text(json.dumps(facts, indent=1) + "\n")
    return int(options.check and any(verdict.kept is False for verdict in verdicts))


def _timings(names: Sequence[str], engines: Sequence[str], rounds: int) -> list[compare.Timing]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("timing", total=len(names) * rounds)
        return compare.timings(names, engines, rounds=rounds, done=lambda: progress.advance(task))


def _ledger(options: argparse.Namespace, console: Console) -> int:
    entries = ledger.measure(rounds=options.rounds)
    console.print(ledger.table(entries))
    options.output.write_text(ledger.markdown(entries))
    console.print(f"written to {options.output}")
    return 0


def _guard(options: argparse.Namespace, console: Console) -> int:
    verdicts = guard.measure(rounds=options.rounds)
    console.print(report.verdict_table(verdicts, "Guard: time over that of the calibration workload"))
    return int(any(verdict.kept is False for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
