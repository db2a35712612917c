"""``agnograd.draw``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agnograd.core.array import Array
from agnograd.core.observing import BACKWARD
from agnograd.viz.folding import folded, shortened
from agnograd.viz.graph import OPERATION, Graph, shape_text, trace
from agnograd.viz.svg import svg
from agnograd.viz.text import dot, mermaid

if TYPE_CHECKING:
    from agnograd.observers.timeline import Timeline


class Drawing:
    """A graph that can be looked at: a notebook shows it, and `save` writes it.

    Parameters
    ----------
    graph : Graph
        What is drawn.

    Attributes
    ----------
    graph : Graph

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.draw(ag.sin(ag.ones(2, requires_grad=True)))
    <drawing of 3 vertices; .svg, .mermaid, .dot, or save(path)>
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @property
    def mermaid(self) -> str:
        """A flow chart of Mermaid, which GitHub draws in a code block of that name."""
        return mermaid(self.graph)

    @property
    def dot(self) -> str:
        """A directed graph in DOT, the language of Graphviz."""
        return dot(self.graph)

    @property
    def svg(self) -> str:
        """An SVG picture."""
        return svg(self.graph)

    def save(self, path: str | Path) -> None:
        """Write the drawing in the form that the file's name ends in.

        Parameters
        ----------
        path : str or Path
            Ends in ``.svg``, ``.mmd`` or ``.dot``.

        Raises
        ------
        ValueError
            If it ends in something else.
        """
        path = Path(path)
        forms = {".svg": "svg", ".mmd": "mermaid", ".dot": "dot"}
        if path.suffix not in forms:
            msg = f"a graph is drawn as .svg, .mmd or .dot, not as {path.suffix or 'a file without an ending'}: {path}"
            raise ValueError(msg)
        path.write_text(getattr(self, forms[path.suffix]), encoding="utf-8")

    def __str__(self) -> str:
        return self.mermaid

    def __repr__(self) -> str:
        return f"<drawing of {len(self.graph.vertices)} vertices; .svg, .mermaid, .dot, or save(path)>"

    def _repr_svg_(self) -> str:
        return self.svg


def draw(
    *tensors: Array,
    names: Mapping[str, Array] | None = None,
    profile: Timeline | None = None,
    fold: bool = True,
    limit: int = 200,
) -> Drawing:
    """Draw the graph behind tensors: operations, leaves, and the shapes of what flows between them.

    The graph is only looked at: nothing is computed, and nothing that a checkpoint or a hook has packed is unpacked.
    After a backward pass, which frees what operations saved, some shapes are not known any more.

    Parameters
    ----------
    *tensors : Tensor
        What the graph leads to.
    names : mapping, optional
        Name to the leaf that is to be called so.
    profile : Timeline, optional
        What ``ag.observe("timeline")`` gave: each operation shows what it cost, forward and backward.
    fold : bool
        Show once what repeats, the steps of a loop or layers that are alike, with a count.
    limit : int
        Show at most so many operations, results and leaves, the last ones.

    Returns
    -------
    Drawing
        A notebook shows it. Its attributes ``svg``, ``mermaid`` and ``dot`` are text, and `Drawing.save` writes it.

    Raises
    ------
    TypeError
        If something else than tensors is given, or no tensor.

    Examples
    --------
    >>> import agnograd as ag
    >>> w = ag.ones(3, 2, requires_grad=True)
    >>> y = ag.tanh(ag.ones(4, 3) @ w).sum()
    >>> print(ag.draw(y, names={"w": w}))
    flowchart TD
        n0[/"w<br/>float64 3 × 2"/]
        n1["matmul"]
        n2["tanh"]
        n3["sum"]
        n4(["result<br/>float64 scalar"])
        n0 -->|"3 × 2"| n1
        n1 -->|"4 × 2"| n2
        n2 -->|"4 × 2"| n3
        n3 -->|"scalar"| n4
    <BLANKLINE>
    """
    given: tuple[Any, ...] = (*tensors, *(names or {}).values())
    others = [type(x).__name__ for x in given if not isinstance(x, Array)]
    if others or not tensors:
        msg = (
            f"draw takes tensors, got {', '.join(others) or 'none'}. Of a function, draw what it returns for tensors "
            f"that require grad: draw(f(x.requires_grad_()))."
        )
        raise TypeError(msg)
    graph = trace(tensors, names or {}, _forms(profile))
    if fold:
        graph = folded(graph)
    graph = shortened(graph, limit)
    if profile is not None:
        _add_costs(graph, profile)
    return Drawing(graph)


def _forms(profile: Timeline | None) -> dict[int, tuple[str, str]]:
    events: Iterable[Any] = () if profile is None else profile.events
    return {
        event.node: (shape_text(event.form[0]), event.form[1])
        for event in events
        if event.form is not None and event.call.phase != BACKWARD
    }


def _add_costs(graph: Graph, profile: Timeline) -> None:
    seconds: dict[tuple[int, bool], float] = {}
    for event in profile.events:
        key = event.node, event.call.phase == BACKWARD
        seconds[key] = seconds.get(key, 0.0) + event.seconds
    for vertex in graph.vertices:
        if vertex.kind != OPERATION:
            continue
        for back, arrow in ((False, "→"), (True, "←")):
            found = [seconds[key] for node in vertex.nodes if (key := (node, back)) in seconds]
            if found:
                vertex.details.append(f"{arrow} {_time(sum(found))}")


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"
