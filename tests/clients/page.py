"""docs/clients.md, written from the tables of cases and gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from clients.gaps import CLOSED, CONSTANT, FIRST_ORDER, GAPS
from clients.tables import CASES

if TYPE_CHECKING:
    from clients.case import Case

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
TEMPLATE = Path(__file__).with_name("page.md")


def render() -> str:
    """The text of the page."""
    text = TEMPLATE.read_text(encoding="utf-8").replace("{first_order}", _first_order())
    return text.replace("{summary}", "\n".join(_summary())).replace("{tables}", "\n".join(_tables()))


def _first_order() -> str:
    differ = [f"`{name.partition(':')[0]}` of {client} {why}" for (client, name), why in FIRST_ORDER.items()]
    return f"These differ: {'; '.join(differ)}."


def status(case: Case) -> str:
    """What becomes of a case, in words."""
    key = case.client, case.name
    gap = GAPS.get(key)
    if gap is not None:
        verb = "warns" if gap.error == "GradientLostWarning" else "refuses"
        until = ".".join(map(str, CLOSED[key])) if key in CLOSED else ""
        return f"{verb}: {gap.reason}{f', before {case.client} {until}' if until else ''}"
    if key in CONSTANT:
        return "works, its derivative is zero"
    needs = [name for name, on in (("agnograd-special", case.special), ("zero_safe()", case.zero_safe)) if on]
    return f"differentiated, with {' and '.join(needs)}" if needs else "differentiated"


def _clients() -> Iterator[tuple[str, list[Case]]]:
    for client in dict.fromkeys(case.client for case in CASES):
        yield client, [case for case in CASES if case.client == client]


def _summary() -> Iterator[str]:
    yield "| library | cases | differentiated | derivative zero | refused or warned |"
    yield "|---|---|---|---|---|"
    for client, cases in _clients():
        words = [status(case) for case in cases]
        right = sum(w.startswith("differentiated") for w in words)
        zero = sum(w.startswith("works") for w in words)
        yield f"| {client} | {len(cases)} | {right} | {zero} | {len(cases) - right - zero} |"


def _tables() -> Iterator[str]:
    for client, cases in _clients():
        yield f"### {client}\n"
        yield "| where | status | functions |"
        yield "|---|---|---|"
        rows = sorted(((case.area, _order(case), status(case), case) for case in cases), key=lambda row: row[:3])
        for (area, _, words), group in groupby(rows, key=lambda row: row[:3]):
            yield f"| {f'`{area}`' if area else ''} | {words} | {_names([row[3] for row in group])} |"
        yield ""


def _order(case: Case) -> int:
    return ("differentiated", "works", "warns", "refuses").index(status(case).partition(":")[0].partition(",")[0])


def _names(cases: Sequence[Case]) -> str:
    """Names of functions, each with what tells its cases apart where there are several."""
    found: dict[str, list[str]] = {}
    for case in cases:
        name, _, detail = case.name.partition(":")
        found.setdefault(name.removeprefix(f"{case.area}."), []).append(detail)
    return ", ".join(f"`{name}`{_details(details)}" for name, details in sorted(found.items()))


def _details(details: Sequence[str]) -> str:
    named = [detail for detail in details if detail]
    return f" ({', '.join(named)})" if named else ""
