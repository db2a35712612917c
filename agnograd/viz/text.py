"""Graphs in other programs' languages: Mermaid, which GitHub and notebooks draw, and DOT, which Graphviz draws."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from agnograd.viz.graph import LEAF, OPERATION, REST, Graph, Vertex


def mermaid(graph: Graph) -> str:
    """A flow chart of Mermaid."""
    lines = ["flowchart TD"]
    lines += [f"    {_mermaid_vertex(vertex)}" for vertex in graph.vertices if vertex.fold is None]
    for fold in graph.folds:
        lines.append(f'    subgraph f{fold.number}["× {fold.count}"]')
        lines += [f"        {_mermaid_vertex(vertex)}" for vertex in graph.members(fold)]
        lines.append("    end")
    for vertex in graph.vertices:
        for source, text in vertex.inputs:
            label = f'|"{_mermaid_text([text])}"|' if text else ""
            lines.append(f"    {_name(source)} -->{label} {_name(vertex.number)}")
    return "\n".join(lines) + "\n"


def _mermaid_vertex(vertex: Vertex) -> str:
    left, right = {LEAF: ("[/", "/]"), OPERATION: ("[", "]")}.get(vertex.kind, ("([", "])"))
    return f'{_name(vertex.number)}{left}"{_mermaid_text(lines_of(vertex))}"{right}'


def _mermaid_text(lines: Iterable[str]) -> str:
    # Within quotes Mermaid reads entities, and takes "#" for the start of one.
    def escaped(text: str) -> str:
        for character, entity in (("#", "35"), ("&", "38"), ('"', "34"), ("<", "60"), (">", "62")):
            text = text.replace(character, f"\0{entity};")
        return text.replace("\0", "#")

    return "<br/>".join(map(escaped, lines))


def dot(graph: Graph) -> str:
    """A directed graph of Graphviz."""
    lines = ["digraph {", "    node [fontname=Helvetica, fontsize=11]; edge [fontname=Helvetica, fontsize=9];"]
    lines += [f"    {_dot_vertex(vertex)}" for vertex in graph.vertices if vertex.fold is None]
    for fold in graph.folds:
        lines.append(f"    subgraph cluster_{fold.number} {{")
        lines.append(f"        label={_quoted(f'× {fold.count}')};")
        lines += [f"        {_dot_vertex(vertex)}" for vertex in graph.members(fold)]
        lines.append("    }")
    for vertex in graph.vertices:
        for source, text in vertex.inputs:
            label = f" [label={_quoted(text)}]" if text else ""
            lines.append(f"    {_name(source)} -> {_name(vertex.number)}{label};")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_vertex(vertex: Vertex) -> str:
    shape = {LEAF: "parallelogram", OPERATION: "box", REST: "plaintext"}.get(vertex.kind, "ellipse")
    text = "\n".join(lines_of(vertex))
    return f"{_name(vertex.number)} [shape={shape}, label={_quoted(text)}];"


# DOT's strings end and escape as those of JSON do; other characters may stand there as they are.
_quoted: Callable[[str], str] = json.JSONEncoder(ensure_ascii=False).encode


def _name(number: int) -> str:
    return "rest" if number < 0 else f"n{number}"


def lines_of(vertex: Vertex) -> list[str]:
    """What stands in the shape of a vertex, line by line."""
    form = " ".join(part for part in (vertex.dtype, vertex.shape) if part)
    return [vertex.label, *([form] if form and vertex.kind != OPERATION else []), *vertex.details]
