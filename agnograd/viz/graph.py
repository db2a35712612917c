"""The graph behind tensors as plain vertices and edges, in the direction in which values flow.

Nodes hold what their rules need and no more, so shapes are put together from what is there: the tensors at either end,
what was saved, and that an elementwise operation whose arguments needed no broadcasting has one shape throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.facts import short
from agnograd.core.nodes import Node, is_leaf, leaf_of
from agnograd.core.op import Projection, Variant
from agnograd.core.saved import Packed
from agnograd.core.views import settled

LEAF, OPERATION, RESULT, REST = "leaf", "operation", "result", "rest"


@dataclass
class Vertex:
    """What is drawn as one shape.

    Attributes
    ----------
    number : int
        Vertices with smaller numbers were there before.
    kind : str
        ``"leaf"``, ``"operation"``, ``"result"`` or the ``"rest"`` that is left out.
    label : str
    shape, dtype : str
        Of its value, as far as they are known.
    inputs : list of (int, str)
        Numbers of the vertices that it takes values from, with what is written there.
    nodes : list of int
        Numbers of the nodes of the graph.
    details : list of str
        Further lines: what it cost.
    fold : int or None
        Number of the fold that the vertex belongs to.
    """

    number: int
    kind: str
    label: str
    shape: str = ""
    dtype: str = ""
    inputs: list[tuple[int, str]] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    fold: int | None = None


@dataclass(frozen=True)
class Fold:
    """Parts that follow one another and are alike, of which one is shown.

    Attributes
    ----------
    number : int
    count : int
        How many there are.
    members : tuple of int
        Numbers of the vertices that are shown.
    """

    number: int
    count: int
    members: tuple[int, ...]


@dataclass
class Graph:
    """Vertices in the order in which they came to be, and the folds among them."""

    vertices: list[Vertex]
    folds: list[Fold] = field(default_factory=list)

    def members(self, fold: Fold) -> list[Vertex]:
        """The vertices of a fold."""
        return [vertex for vertex in self.vertices if vertex.fold == fold.number]


def trace(roots: Sequence[Array], names: Mapping[str, Any], shapes: Mapping[int, tuple[str, str]]) -> Graph:
    """The graph behind some tensors.

    Parameters
    ----------
    roots : sequence of Tensor
    names : mapping
        Name to the leaf that is to be called so.
    shapes : mapping
        Number of a node to shape and dtype of its value, where they are known from elsewhere.
    """
    ends = [(x, getattr(settled(x), "_node", None)) for x in roots]
    order = _in_order([node for _, node in ends if node is not None])
    known = _Shapes(order, ends, shapes)
    called = {id(getattr(settled(x), "_node", None)): name for name, x in names.items()}
    vertices: list[Vertex] = []
    place: dict[Node, int] = {}
    leaves = 0
    for node in order:
        if _is_projection(node.variant):
            vertex = vertices[place[node.first]]
            place[node] = vertex.number
            vertex.nodes.append(node.number)
            continue
        number = place[node] = len(vertices)
        shape, dtype = known.of.get(node, ("", ""))
        if is_leaf(node):
            label = called.get(id(node)) or f"leaf {leaves}"
            leaves += id(node) not in called
            vertices.append(Vertex(number, LEAF, label, shape, dtype, nodes=[node.number]))
        else:
            inputs = [(place[parent], known.of.get(parent, ("", ""))[0]) for parent in node.parents]
            vertices.append(Vertex(number, OPERATION, node.variant.op.name, shape, dtype, inputs, [node.number]))
    for i, (x, end) in enumerate(ends):
        label = f"result {i}" if len(ends) > 1 else "result"
        shape, dtype = _form(x)
        inputs = [(place[end], shape)] if end is not None else []
        vertices.append(Vertex(len(vertices), RESULT, label, shape, dtype, inputs))
    return Graph(vertices)


def _in_order(roots: Iterable[Node]) -> list[Node]:
    """All nodes, parents first: numbers of nodes fall with time."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for parent in stack.pop().parents:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    # The node of a leaf may be younger than what it was used in: requires_grad_ was called again.
    leaves = [node for node in seen if is_leaf(node)]
    others = [node for node in seen if not is_leaf(node)]
    return sorted(leaves, key=_age) + sorted(others, key=_age)


def _age(node: Node) -> int:
    return -node.number


def _is_projection(variant: Variant) -> bool:
    return isinstance(getattr(variant, "plain", variant), Projection)


def _form(x: Any) -> tuple[str, str]:
    """Shape and dtype of an array, written as a shape is; a lazy backend's unknown size is a question mark."""
    return shape_text(x.shape), short(innermost(x).dtype if isinstance(x, Array) else x.dtype)


def shape_text(shape: Iterable[Any]) -> str:
    """A shape as a picture has it."""
    sizes = [str(int(n)) if isinstance(n, Integral) else "?" for n in shape]
    return " × ".join(sizes) or "scalar"


class _Shapes:
    """What is known of the values of nodes, from the results back to the leaves."""

    def __init__(
        self, order: Sequence[Node], ends: Sequence[tuple[Any, Node | None]], given: Mapping[int, tuple[str, str]]
    ) -> None:
        self.of: dict[Node, tuple[str, str]] = {}
        for x, node in ends:
            if node is not None:
                self.of[node] = _form(x)
        for node in order:
            if node.number in given:
                self.of.setdefault(node, given[node.number])
            elif is_leaf(node):
                leaf = leaf_of(node)
                if leaf is not None:
                    self.of[node] = _form(leaf)
        for node in reversed(order):
            if not is_leaf(node) and not _is_projection(node.variant):
                self._look_back(node)

    def _look_back(self, node: Node) -> None:
        variant, op = node.variant, node.variant.op
        saved = dict(zip(variant.names, _kept(node), strict=False))
        parents = dict(zip(variant.needs, node.parents, strict=False))
        for name in ("ans", "ans_spec"):
            self._note(node, saved.get(name))
        arrays: Sequence[str] = getattr(op, "arrays", ())
        fitted = any(name.endswith("_spec") for name in variant.names)
        for i, parent in parents.items():
            for name in (arrays[i], f"{arrays[i]}_spec") if i < len(arrays) else ():
                self._note(parent, saved.get(name))
            if getattr(op, "tier", None) == "elementwise" and not fitted and node in self.of:
                # Rules that need not fit a cotangent to the argument were chosen because it has the output's form.
                self.of.setdefault(parent, self.of[node])

    def _note(self, node: Node, value: Any) -> None:
        if node not in self.of and hasattr(value, "shape") and hasattr(value, "dtype"):
            self.of[node] = _form(value)


def _kept(node: Node) -> Sequence[Any]:
    """What a node saved, without unpacking anything: a checkpoint would run its function again."""
    if isinstance(node.saved, Packed):
        return node.saved.unpacked()
    return node.saved if isinstance(node.saved, tuple) else ()
