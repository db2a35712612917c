"""The commands' data as tables; plain text where the output is no terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

# Where nobody reads along, lines are for grep rather than for a screen.
_WIDTH_OF_FILES = 200


def console(*, quiet: bool = False, stderr: bool = False) -> Console:
    """Where the commands write: colours and bars on a terminal, text elsewhere, nothing if `quiet`."""
    out = Console(markup=False, emoji=False, highlight=False, quiet=quiet, stderr=stderr)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = _WIDTH_OF_FILES
    return out


def put(out: Console, shown: RenderableType) -> None:
    """Print something that rich lays out; in a file without the blanks that it fills lines with."""
    if out.is_terminal or out.quiet:
        out.print(shown)
        return
    with out.capture() as captured:
        out.print(shown)
    out.print("\n".join(line.rstrip() for line in captured.get().splitlines()), soft_wrap=True)


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table; on a terminal that is too narrow for its words, each row as lines below one another."""
    out = console()
    names, lines = list(columns), [list(row) for row in rows]
    needed = [
        max(len(word) for cell in cells for word in [*cell.split(), ""]) for cells in zip(names, *lines, strict=True)
    ]
    if out.is_terminal and sum(needed) + 3 * (len(names) - 1) > out.width:
        for row in lines:
            out.print(row[0], style="bold")
            for name, cell in zip(names[1:], row[1:], strict=True):
                if cell:
                    out.print(f"  {name}: {cell}")
        return
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        made.add_column(name, overflow="fold")
    for row in lines:
        made.add_row(*row)
    put(out, made)


def pairs(named: Iterable[tuple[str, str]]) -> None:
    """Print names and values below one another."""
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True, style="bold")
    made.add_column(overflow="fold")
    for name, value in named:
        made.add_row(name, value)
    put(console(), made)


def _said(value: bool) -> str:
    return "yes" if value else "no"


def info(data: dict[str, Any]) -> None:
    """Print versions, backends and plugins, then what does not work."""
    problem = data["default_backend_error"]
    pairs(
        [
            ("agnograd", data["agnograd"]),
            ("Python", data["python"]),
            ("platform", data["platform"]),
            ("default backend", data["default_backend"] + (f": {problem}" if problem else "")),
            ("hook API", data["hook_api"]),
            ("array API", data["array_api"]),
            *((name, version or "not installed") for name, version in data["dependencies"].items()),
        ]
    )
    out = console()
    out.print()
    table(
        ["backend", "works", "devices", "from"],
        [
            [
                b["name"] + (" (default)" if b["default"] else ""),
                _said(b["available"]),
                ", ".join(b["devices"]),
                b["provider"],
            ]
            for b in data["backends"]
        ],
    )
    others = [p for p in data["plugins"] if p["distribution"] != "agnograd"]
    if others:
        out.print()
        table(
            ["plugin", "distribution", "status"],
            [[p["name"], f"{p['distribution']} {p['version']}".strip(), p["status"]] for p in others],
        )
    for problem in data["problems"]:
        out.print(f"\n{problem}", soft_wrap=True)
    out.print("\n`python -m agnograd check` tries every operation on these backends; --help lists the other commands.")


def backends(data: list[dict[str, Any]]) -> None:
    """Print the backends, then why some do not work."""
    table(
        ["backend", "works", "lazy", "devices", "namespace", "from", "documentation"],
        [
            (
                b["name"] + (" (default)" if b["default"] else ""),
                _said(b["available"]),
                _said(b["lazy"]),
                ", ".join(b["devices"]),
                b["namespace"],
                b["provider"],
                b["url"],
            )
            for b in data
        ],
    )
    for b in data:
        if not b["available"]:
            console().print(f"\n{b['reason']}", soft_wrap=True)


def plugins(data: dict[str, Any]) -> None:
    """Print what became of the plugins."""
    table(
        ["plugin", "distribution", "status", "provides", "error"],
        [
            (
                p["name"],
                f"{p['distribution']} {p['version']}".strip(),
                p["status"],
                "; ".join(f"{hook.removeprefix('agnograd_')} {_first(n)}" for hook, n in p["provides"].items()),
                p["error"],
            )
            for p in data["plugins"]
        ],
    )
    for conflict in data["conflicts"]:
        console().print(f"\n{conflict}", soft_wrap=True)


def _first(names: list[str], count: int = 8) -> str:
    """The first of some names; ``--json`` gives them all."""
    rest = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + rest


def ops(data: list[dict[str, Any]]) -> None:
    """Print operations."""
    table(
        ["operation", "tier", "differentiable in", "view", "standard", "from"],
        [
            (
                op["name"] + op["signature"],
                op["tier"],
                ", ".join(op["differentiable"]),
                _said(op["view"]),
                _said(op["standard"]),
                op["provider"],
            )
            for op in data
        ],
    )
