"""The command line: what is installed, what works here, what can be differentiated.

Each command collects plain data (`agnograd.cli.collect`) and shows it as a table (`agnograd.cli.show`), or with
``--json`` as JSON and nothing else on standard output. Exit status: 0, 1 if what was asked for is not there or does not
work, 2 if the command line cannot be understood.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import agnograd
from agnograd import plugins
from agnograd.cli import collect, show
from agnograd.errors import AgnogradError, PluginLoadWarning


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        The exit status.

    Examples
    --------
    >>> main(["ops", "tanh", "--json"])
    [
      {
        "name": "tanh",
        "signature": "(x, /)",
        "tier": "elementwise",
        "differentiable": [
          "x"
        ],
        "provider": "agnograd",
        "view": false,
        "standard": true,
        "doc": "..."
      }
    ]
    0
    """
    options = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            # A broken plugin gets a line of its own, without the place in agnograd that noticed it.
            warnings.simplefilter("ignore", PluginLoadWarning)
            status = _COMMANDS[options.command or "info"](options)
        sys.stdout.flush()
    except AgnogradError as error:
        return _complain(str(error))
    except BrokenPipeError:
        # The reader, `head` say, has seen enough. What is still buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agnograd",
        description="Gradients on any array library that speaks the Python Array API standard.",
        epilog="Without a command: info.",
    )
    parser.add_argument("--version", action="version", version=f"agnograd {agnograd.__version__}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    # A subcommand's default must not undo what was said before it.
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")

    commands = parser.add_subparsers(dest="command", metavar="command")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=[shared])

    command("info", "what is here: versions, backends, plugins, and what does not work")
    command("backends", "the array libraries, and whether they work here")
    listed = command("plugins", "the plugins, and what became of them")
    listed.add_argument("--check", action="store_true", help="exit with 1 if a plugin failed or two are in conflict")
    ops = command("ops", "the operations that can be differentiated")
    ops.add_argument("pattern", nargs="?", default="*", help="show only names that match, such as 'linalg.*'")
    tour = command("tour", "PyTorch's autograd tutorial on every backend, then a classifier on real data")
    tour.add_argument("--backend", nargs="+", action="extend", metavar="NAME", help="only on these")
    tour.add_argument("--steps", type=_positive, metavar="N", help="steps of the fit, on every backend")
    checked = command("check", "the tests of every operation, run on this machine; the output is for bug reports")
    checked.add_argument("--backend", nargs="+", action="extend", metavar="NAME", help="only on these")
    checked.add_argument("--ops", default="*", metavar="PATTERN", help="only these, such as 'linalg.*,sum'")
    checked.add_argument(
        "--samples", choices=["few", "all"], default="few", help="how many arguments each operation is tried with"
    )
    bench = command("bench", "what a gradient costs beside its function, on each backend and on what else is installed")
    bench.add_argument("--backend", nargs="+", action="extend", metavar="NAME", help="only on these")
    bench.add_argument("--rounds", type=_positive, default=7, metavar="N", help="the median of so many is told")
    return parser


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        msg = f"{text!r} is no positive whole number"
        raise argparse.ArgumentTypeError(msg)
    return number


def _info(options: argparse.Namespace) -> int:
    _put(options, collect.info(), show.info)
    if options.json:
        _report_failures()  # the table has told of them
    return 0


def _backends(options: argparse.Namespace) -> int:
    _put(options, collect.backends(), show.backends)
    _report_failures()
    return 0


def _plugins(options: argparse.Namespace) -> int:
    found = collect.plugins()
    _put(options, found, show.plugins)
    broken = bool(found["conflicts"]) or any(plugin["error"] for plugin in found["plugins"])
    return int(options.check and broken)


def _ops(options: argparse.Namespace) -> int:
    found = collect.ops(options.pattern)
    _report_failures()
    if found or options.json:
        _put(options, found, show.ops)
    if not found:
        return _complain(f"no operation matches {options.pattern!r}.{collect.similar_ops(options.pattern)}")
    return 0


def _tour(options: argparse.Namespace) -> int:
    from agnograd import tour

    report = tour.run(options.backend, steps=options.steps, console=show.console(quiet=options.json))
    if options.json:
        _put(options, report, None)
    for problem in report["problems"]:
        _complain(problem)
    return int(bool(report["problems"]))


def _check(options: argparse.Namespace) -> int:
    from agnograd.cli import check

    found = check.run(options.backend, options.ops, options.samples, show.console(stderr=True, quiet=options.json))
    if not found["checks"] and not found["interrupted"]:
        return _complain(f"no operation matches {options.ops!r}.{collect.similar_ops(options.ops)}")
    _put(options, found, check.show)
    _report_failures()
    return 130 if found["interrupted"] else int(bool(found["failures"]))


def _bench(options: argparse.Namespace) -> int:
    from agnograd.cli import bench

    _put(options, bench.run(options.backend, options.rounds), bench.show)
    _report_failures()
    return 0


_COMMANDS = {
    "info": _info,
    "backends": _backends,
    "plugins": _plugins,
    "ops": _ops,
    "tour": _tour,
    "check": _check,
    "bench": _bench,
}


def _put(options: argparse.Namespace, data: Any, table: Any) -> None:
    if options.json:
        print(json.dumps(data, indent=2))
    else:
        table(data)


def _complain(text: str) -> int:
    print(f"agnograd: {text}", file=sys.stderr)
    return 1


def _report_failures() -> None:
    plugins.manager.load()
    for record in plugins.manager.records:
        if record.error:
            _complain(f"plugin {record.label}: {record.error}")
