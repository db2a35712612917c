"""Graphs as SVG, laid out here: values flow downwards, and every vertex stands below all that it takes values from.

Rows are ordered by the mean place of their neighbours, a few times down and up, which takes out most crossings
(Sugiyama's method). Edges that pass rows go through places of their own there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from agnograd.viz.graph import LEAF, OPERATION, Fold, Graph, Vertex
from agnograd.viz.text import lines_of

_LINE, _CHARACTER = 15.0, 6.7
_PAD, _GAP, _ROW = 10.0, 26.0, 44.0
_SWEEPS = 6
# Colours that a dark page shows as well: text and lines take the page's own.
_STYLE = (
    "text{font-size:11px;font-family:system-ui,sans-serif;fill:currentColor}.e{fill:none;stroke:currentColor;opacity:.55}"
    ".l{font-size:9px;opacity:.8}rect{fill-opacity:.2}.leaf{fill:#4c9f70;stroke:#4c9f70}"
    ".operation{fill:#4878d0;stroke:#4878d0}.result{fill:#d65f5f;stroke:#d65f5f}.rest{fill:none;stroke:none}"
    ".fold{fill:none;stroke:currentColor;stroke-dasharray:4 3;opacity:.6}"
)


@dataclass(eq=False)
class _Place:
    """A vertex in its row, or where an edge passes one."""

    vertex: Vertex | None
    row: int
    width: float = 2.0
    height: float = 0.0
    x: float = 0.0
    y: float = 0.0
    above: list[_Place] = field(default_factory=list)
    below: list[_Place] = field(default_factory=list)


def svg(graph: Graph) -> str:
    """A picture of a graph, to be put into a page or a file."""
    rows, routes = _rows(graph)
    _order(rows)
    width, height = _coordinates(rows)
    places = {place.vertex.number: place for row in rows for place in row if place.vertex is not None}
    parts = [_edge(route, text) for route, text in routes]
    counts = {fold.number: fold.count for fold in graph.folds}
    parts += [_shape(places[v.number], counts.get(v.fold) if v.fold is not None else None) for v in graph.vertices]
    parts += [_frame(fold, places) for fold in graph.folds]
    described = escape(f"graph of {len(graph.vertices)} vertices")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{described}"><style>{_STYLE}</style><defs><marker id="a" '
        f'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z" '
        f'fill="currentColor" opacity=".7"/></marker></defs>{"".join(parts)}</svg>'
    )


def _rows(graph: Graph) -> tuple[list[list[_Place]], list[tuple[list[_Place], str]]]:
    depth: dict[int, int] = {}
    for vertex in graph.vertices:
        depth[vertex.number] = max((depth[source] + 1 for source, _ in vertex.inputs), default=0)
    # A leaf stands right above the first that uses it, not at the top of everything.
    first: dict[int, int] = {}
    for vertex in graph.vertices:
        for source, _ in vertex.inputs:
            first[source] = min(first.get(source, depth[vertex.number]), depth[vertex.number])
    for vertex in graph.vertices:
        if not vertex.inputs and vertex.number in first:
            depth[vertex.number] = first[vertex.number] - 1
    rows: list[list[_Place]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    places: dict[int, _Place] = {}
    for vertex in graph.vertices:
        lines = lines_of(vertex)
        place = places[vertex.number] = _Place(
            vertex,
            depth[vertex.number],
            width=max(map(len, lines)) * _CHARACTER + 2 * _PAD,
            height=len(lines) * _LINE + _PAD,
        )
        rows[place.row].append(place)
    routes = []
    for vertex in graph.vertices:
        for source, text in vertex.inputs:
            route = [places[source]]
            for row in range(depth[source] + 1, depth[vertex.number]):
                route.append(_Place(None, row))
                rows[row].append(route[-1])
            route.append(places[vertex.number])
            for upper, lower in pairwise(route):
                upper.below.append(lower)
                lower.above.append(upper)
            routes.append((route, text))
    return rows, routes


def _order(rows: Sequence[list[_Place]]) -> None:
    for row in rows:
        _number(row)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            centres = {id(p): _mean(p.above if down else p.below, p.x) for p in row}
            row.sort(key=lambda p, centres=centres: centres[id(p)])  # type: ignore[misc]
            _number(row)


def _number(row: Sequence[_Place]) -> None:
    for i, place in enumerate(row):
        place.x = float(i)


def _mean(places: Sequence[_Place], otherwise: float) -> float:
    return sum(p.x for p in places) / len(places) if places else otherwise


def _coordinates(rows: Sequence[Sequence[_Place]]) -> tuple[float, float]:
    y = _PAD + _ROW / 2
    for row in rows:
        x = 0.0
        for place in row:
            place.x = x + place.width / 2
            x += place.width + _GAP
    for sweep in range(2 * _SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            _settle(row, [_mean(p.above if down else p.below, p.x) for p in row])
    left = min(p.x - p.width / 2 for row in rows for p in row) - _PAD - 8
    right = max(p.x + p.width / 2 for row in rows for p in row) + _PAD + 24
    for row in rows:
        tallest = max(p.height for p in row)
        for place in row:
            place.x -= left
            place.y = y + tallest / 2
        y += tallest + _ROW
    return right - left, y - _ROW / 2 + _PAD


def _settle(row: Sequence[_Place], wanted: Sequence[float]) -> None:
    """Move a row to where its places would be, as far as they have room; each to the mean of two ways to make it."""
    rightwards, leftwards = list(wanted), list(wanted)
    for i in range(1, len(row)):
        rightwards[i] = max(wanted[i], rightwards[i - 1] + _distance(row[i - 1], row[i]))
    for i in range(len(row) - 2, -1, -1):
        leftwards[i] = min(wanted[i], leftwards[i + 1] - _distance(row[i], row[i + 1]))
    for place, a, b in zip(row, rightwards, leftwards, strict=True):
        place.x = (a + b) / 2


def _distance(a: _Place, b: _Place) -> float:
    return (a.width + b.width) / 2 + _GAP


def _edge(route: Sequence[_Place], text: str) -> str:
    start, end = route[0], route[-1]
    path = f"M{start.x:.1f} {start.y + start.height / 2:.1f}"
    y = start.y + start.height / 2
    x = start.x
    for place in route[1:]:
        to = place.y - place.height / 2
        middle = (y + to) / 2
        path += f"C{x:.1f} {middle:.1f} {place.x:.1f} {middle:.1f} {place.x:.1f} {to:.1f}"
        x, y = place.x, to
    drawn = f'<path class="e" d="{path}" marker-end="url(#a)"/>'
    if text:
        # Half-way down the last stretch: further up edges from one vertex are close, further down those to one.
        before = route[-2]
        at = (before.x + end.x) / 2
        middle = (end.y - end.height / 2 + before.y + before.height / 2) / 2
        drawn += f'<text class="l" x="{at + 4:.1f}" y="{middle + 3:.1f}">{escape(text)}</text>'
    return drawn


def _shape(place: _Place, count: int | None) -> str:
    vertex = place.vertex
    assert vertex is not None
    left, top = place.x - place.width / 2, place.y - place.height / 2
    radius = {OPERATION: 3.0, LEAF: 9.0}.get(vertex.kind, place.height / 2)
    drawn = (
        f'<rect class="{vertex.kind}" x="{left:.1f}" y="{top:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" rx="{radius:.1f}"/>'
    )
    for i, line in enumerate(lines_of(vertex)):
        y = top + _PAD / 2 + (i + 0.75) * _LINE
        weight = ' font-weight="bold"' if i == 0 else ""
        drawn += f'<text x="{place.x:.1f}" y="{y:.1f}" text-anchor="middle"{weight}>{escape(line)}</text>'
    if count is not None:
        drawn += f'<text class="l" x="{place.x + place.width / 2 + 3:.1f}" y="{place.y + 3:.1f}">×{count}</text>'
    return drawn


def _frame(fold: Fold, found: Mapping[int, _Place]) -> str:
    """A frame around what repeats, where nothing else stands within it; the counts are told without it."""
    places = [found[number] for number in fold.members]
    left = min(p.x - p.width / 2 for p in places) - 8
    right = max(p.x + p.width / 2 for p in places) + 26
    top = min(p.y - p.height / 2 for p in places) - 8
    bottom = max(p.y + p.height / 2 for p in places) + 8
    for place in found.values():
        beside = abs(2 * place.x - left - right) > place.width + right - left
        if not (place in places or beside or abs(2 * place.y - top - bottom) > place.height + bottom - top):
            return ""
    return (
        f'<rect class="fold" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" '
        f'rx="6"/>'
    )
