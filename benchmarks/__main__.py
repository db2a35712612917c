"""The command: `python -m benchmarks [ledger|guard|publish|compiled|on-torch] --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks import bars, compare, compiled, guard, ledger, on_torch, publish, report, startup, transforms, workloads
from benchmarks.engines import installed
from benchmarks.results import Results, surroundings

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
    command = commands.add_parser("publish", help="the figures that the page on performance plots; writes its JSON")
    command.add_argument("--rounds", type=int, default=25, help="interleaved rounds for each workload (%(default)s)")
    command.add_argument("--engines", nargs="+", choices=installed(), default=installed(), help="of those installed")
    command.add_argument("--output", type=Path, default=publish.PATH, metavar="FILE", help="instead of the page's file")
    command.set_defaults(run=_publish)
    command = commands.add_parser("compiled", help="compiled gradients against those by hand and jax.jit")
    command.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(compiled.NAMES)}")
    command.add_argument("--threads", nargs="+", type=int, default=[1], help="how many, one or several (%(default)s)")
    command.add_argument("--seconds", type=float, default=6.0, help="CPU time for each workload (%(default)s)")
    command.add_argument("--no-jax", action="store_true", help="leave jax.jit out")
    command.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    command.add_argument("--check", action="store_true", help="exit with 1 where a bar is missed")
    command.set_defaults(run=_compiled)
    command = commands.add_parser("on-torch", help="agnograd over PyTorch's tensors against PyTorch's own autograd")
    command.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(on_torch.NAMES)}")
    command.add_argument("--seconds", type=float, default=6.0, help="CPU time for each workload (%(default)s)")
    command.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    command.add_argument("--check", action="store_true", help="exit with 1 where a bar is missed")
    command.set_defaults(run=_on_torch)
    options = parser.parse_args(arguments)
    code: int = options.run(options, Console(width=None if sys.stdout.isatty() else 160))
    return code


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=25, help="interleaved rounds for each workload (%(default)s)")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part of it; may be given again")
    parser.add_argument("--engines", nargs="+", choices=installed(), default=installed(), help="of those installed")
    timed = sorted({*workloads.TIMED, *transforms.TIMED, *transforms.LETTERS})
    parser.add_argument(
        "--workloads", nargs="+", choices=timed, metavar="NAME", help=f"those to time, of {', '.join(timed)}"
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="of each engine; on several, by the clock on the wall (%(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples and ratios there")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bar is missed")


def _compare(options: argparse.Namespace, console: Console) -> int:
    parts = options.only or PARTS
    # Ratios need both: the gradient by hand also checks all others.
    engines = list(dict.fromkeys(["hand", "agnograd", *options.engines]))
    results = Results(engines, options.threads)

    def timed(names: Sequence[str]) -> list[compare.Timing]:
        chosen = [name for name in names if options.workloads is None or name in options.workloads]
        return _timings(chosen, engines, options.rounds, options.threads)

    if "time" in parts:
        results.timings = timed(workloads.TIMED)
    if "memory" in parts:
        results.memory = compare.once("l", engines)
        results.slices = compare.once("slices", engines)
    if "deep" in parts:
        # HIPS autograd gets there too, in half a minute and a gigabyte.
        results.deep = compare.once("deep", [engine for engine in engines if engine != "hips"])
    if "import" in parts:
        results.startup = startup.measure(engines)
    if "transforms" in parts:
        results.transforms = timed(transforms.TIMED)
        results.short_directions = compare.once("direction-short", engines)
        results.directions = compare.once("direction", engines)
    if "models" in parts:
        results.models = timed(transforms.LETTERS)
    verdicts = bars.judge(results)
    report.show(results, verdicts, console)
    if options.json:
        facts = results.as_dict() | {"bars": [verdict._asdict() for verdict in verdicts]}
        options.json.write_text(json.dumps(facts, indent=1) + "\n")
    return int(options.check and any(verdict.kept is False for verdict in verdicts))


def _timings(names: Sequence[str], engines: Sequence[str], rounds: int, threads: int) -> list[compare.Timing]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("timing", total=len(names) * rounds)
        return compare.timings(names, engines, rounds=rounds, threads=threads, done=lambda: progress.advance(task))


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


def _compiled(options: argparse.Namespace, console: Console) -> int:
    jax = "jax" in installed() and not options.no_jax
    rows = []
    for threads in options.threads:
        for name in options.names or compiled.NAMES:
            rows.append(compiled.in_process(name, threads=threads, jax=jax, seconds=options.seconds))
            if options.json:
                where = surroundings(["hand", "agnograd", *(["jax"] if jax else [])])
                options.json.write_text(json.dumps({"where": where, "compiled": rows}, indent=1) + "\n")
    console.print(compiled.table(rows))
    return int(options.check and any(row["broken"] for row in rows))


def _on_torch(options: argparse.Namespace, console: Console) -> int:
    if not on_torch.installed():
        console.print("on-torch needs PyTorch and the plugin of this tree: pip install torch plugins/agnograd-torch")
        return 2
    rows = [on_torch.in_process(name, seconds=options.seconds) for name in options.names or on_torch.NAMES]
    if options.json:
        where = surroundings(["agnograd", "torch"])
        options.json.write_text(json.dumps({"where": where, "on torch": rows}, indent=1) + "\n")
    console.print(on_torch.table(rows))
    return int(options.check and not all(row["kept"] for row in rows))


def _publish(options: argparse.Namespace, console: Console) -> int:
    engines = list(dict.fromkeys(["hand", "agnograd", *options.engines]))
    figures = publish.measure(engines, rounds=options.rounds, done=lambda part: console.print(f"measured: {part}"))
    options.output.write_text(publish.text(figures))
    console.print(f"written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
