"""From cotangents to gradients: what a user may seed a backward pass with, and where its results go."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from functools import partial
from typing import Any
from weakref import ref

from agnograd.core import observing
from agnograd.core.array import Array, innermost
from agnograd.core.facts import describe, raw_space, short
from agnograd.core.level import ROOT, recording_in
from agnograd.core.nodes import LEAF, Node, Reverse, classes, edge, is_leaf, leaf_of, wrap
from agnograd.core.reverse import backward
from agnograd.core.saved import recorded_mode
from agnograd.core.table import OPS, spaces
from agnograd.core.trace import traced_like
from agnograd.core.views import settled
from agnograd.errors import (
    CotangentError,
    EscapedError,
    ForeignArrayError,
    GradientError,
    GraphFreedError,
    NoGraphError,
    NonScalarError,
)

# Backward passes of several threads may share leaves.
_accumulating = threading.RLock()


class GradientEdge:
    """A place in the graph, which may stand for a tensor as an input or output of a gradient.

    Attributes
    ----------
    node : Node
        The node of the operation that made the tensor, or the leaf's.
    output_nr : int
        Which of its outputs the tensor is.
    """

    __slots__ = ("_like", "_node", "node", "output_nr")

    def __init__(self, tensor: Any) -> None:
        (tensor,) = differentiated(tensor, "get_gradient_edge")
        self.node: Node
        self.output_nr: int
        self.node, self.output_nr = edge(tensor._node)
        self._node = tensor._node
        # Shape, dtype and device of the cotangent, in an array without elements of its own.
        raw = innermost(tensor)
        space = raw_space(raw)
        zero = space.zeros((), dtype=raw.dtype, device=space.device(raw))
        self._like = wrap(space.broadcast_to(zero, tuple(raw.shape)), None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradientEdge) and self.node is other.node and self.output_nr == other.output_nr

    def __hash__(self) -> int:
        return hash((self.node, self.output_nr))

    def __repr__(self) -> str:
        return f"GradientEdge(node={self.node!r}, output_nr={self.output_nr})"


def root_node(root: Any, position: int = 0) -> Node:
    """The node to start from.

    Raises
    ------
    NoGraphError
        If `root` has none.
    EscapedError
        If it belongs to a transformation and not to the user's own graph.
    ForeignArrayError
        If it is no array at all.
    """
    if isinstance(root, GradientEdge):
        node: Node = root._node
        return node
    if not isinstance(root, Array) and spaces.known(type(root)) is None:
        msg = (
            f"element {position} of tensors is an object of type {type(root).__name__}: backward() starts from tensors"
        )
        raise ForeignArrayError(msg)
    level = root.level if isinstance(root, Array) else None
    if level is not None and level is not ROOT:
        level.check_open()
        msg = (
            f"backward() was called on a value of the transformation {level.name!r} ({describe(root)}). Inside it, use "
            f"agnograd.grad, vjp or jvp; backward() is for tensors of your own graph."
        )
        raise EscapedError(msg)
    found = root._node if isinstance(root, Reverse) else None
    if found is None:
        msg = (
            f"element {position} of tensors does not require grad and does not have a grad_fn ({describe(root)}). "
            f"Create its inputs with requires_grad=True, and compute it outside no_grad() and without detach()."
        )
        raise NoGraphError(msg)
    return found


def seed(root: Array, gradient: Any, position: int = 0) -> Any:
    """The cotangent of `root`: `gradient` after checks, or one.

    Raises
    ------
    NonScalarError
        If there is no gradient and `root` has more than one element, or is complex.
    CotangentError
        If shape, dtype, backend or device of `gradient` do not fit.
    ForeignArrayError
        If `gradient` is no array.
    """
    raw = innermost(root)
    space = spaces[type(raw)]
    dtype = root.dtype
    if gradient is None:
        if dtype not in space.reals and space.isdtype(dtype, "complex floating"):
            msg = (
                f"grad can be implicitly created only for real scalar outputs but got {short(dtype)} "
                f"({describe(root)}). Pass gradient=, or take the real part or the abs of the output first."
            )
            raise NonScalarError(msg)
        if root.size != 1:
            msg = (
                f"grad can be implicitly created only for scalar outputs: this one has {describe(root)}. Pass "
                f"gradient= with that shape, or reduce it first, for example with .sum()."
            )
            raise NonScalarError(msg)
        if space.seed is not None:
            return space.seed(raw)
        return space.ones(tuple(root.shape), dtype=dtype, device=space.device(raw))
    if not isinstance(gradient, Array) and spaces.known(type(gradient)) is None:
        msg = (
            f"gradients can be either tensors, arrays or None, but got {type(gradient).__name__}. Make it one with "
            f"agnograd.tensor; the output has {describe(root)}."
        )
        raise ForeignArrayError(msg)
    given = raw_space(gradient)
    if given is not space:
        if given.is_scalar is None or not given.is_scalar(innermost(gradient)):
            msg = (
                f"grad_output[{position}] belongs to another backend ({describe(gradient)}) than output[{position}] "
                f"({describe(root)}). Convert it with agnograd.to_backend(gradient, {space.name!r})."
            )
            raise CotangentError(msg)
        gradient = space.asarray(gradient.item(), dtype=dtype, device=space.device(innermost(root)))
    if tuple(gradient.shape) != tuple(root.shape):
        msg = (
            f"Mismatch in shape: grad_output[{position}] has a shape of {tuple(gradient.shape)} and "
            f"output[{position}] has a shape of {tuple(root.shape)} ({describe(root)}). Pass a gradient of that shape."
        )
        raise CotangentError(msg)
    if space.isdtype(gradient.dtype, "complex floating") and not space.isdtype(dtype, "complex floating"):
        msg = (
            f"output[{position}] is real ({describe(root)}) but grad_output[{position}] is complex "
            f"({describe(gradient)}). The gradient of a real output is real: pass its real part."
        )
        raise CotangentError(msg)
    if str(space.device(innermost(gradient))) != str(space.device(innermost(root))):
        msg = (
            f"grad_output[{position}] ({describe(gradient)}) is not on the device of output[{position}] "
            f"({describe(root)}). Move it with gradient.to_device(output.device)."
        )
        raise CotangentError(msg)
    gradient = traced_like(gradient, root)
    return gradient if gradient.dtype == dtype else OPS["astype"].call(gradient, dtype)


def gradients(
    roots: Sequence[Any],
    seeds: Sequence[Any],
    *,
    retain_graph: bool | None,
    create_graph: bool,
    targets: Iterable[Node] = (),
    accumulates: bool = False,
) -> dict[Node, Any]:
    """Check roots and seeds, walk, and return cotangents as tensors or, without `create_graph`, raw arrays.

    Parameters
    ----------
    accumulates : bool
        Whether the pass is one that fills ``grad``, so that hooks may run after a leaf's was.
    """
    starts = (None if create_graph else _plain_start(roots, seeds)) or _starts(roots, seeds, create_graph)
    release = not (create_graph if retain_graph is None else retain_graph)
    write = partial(_accumulate, create_graph=create_graph) if accumulates else None
    try:
        if not create_graph:
            return backward(starts, release=release, targets=targets, accumulate=write)
        with _mode(create_graph):
            return backward(starts, release=release, create_graph=True, targets=targets, accumulate=write)
    except GraphFreedError as error:
        roots = [root._like if isinstance(root, GradientEdge) else root for root in roots]
        named = (f"<{node.name()}> ({describe(root)})" for (node, _), root in zip(starts, roots, strict=True))
        error.add_note(f"in a backward pass from {', '.join(named)}")
        raise


def _plain_start(roots: Sequence[Any], seeds: Sequence[Any]) -> list[tuple[Node, Any]] | None:
    """Where a pass mostly starts: from one real number, whose cotangent is one. None for any other start."""
    if len(roots) != 1 or seeds[0] is not None or type(roots[0]) is not classes.plain:
        return None
    node, raw = roots[0]._node, roots[0]._array
    space = spaces[type(raw)]
    if node is None or node.level is not ROOT or space.seed is None or raw.shape != () or raw.dtype not in space.reals:
        return None
    return [(node, space.seed(raw))]


def _starts(roots: Sequence[Any], seeds: Sequence[Any], create_graph: bool) -> list[tuple[Node, Any]]:
    """Nodes and their cotangents."""
    roots = [root if isinstance(root, GradientEdge) else settled(root) for root in roots]
    nodes = [root_node(root, i) for i, root in enumerate(roots)]
    starts = []
    roots = [root._like if isinstance(root, GradientEdge) else root for root in roots]
    for i, (root, gradient) in enumerate(zip(roots, seeds, strict=True)):
        g = seed(root, settled(gradient), i)
        if create_graph:
            g = g if isinstance(g, Array) else wrap(g, None)
        elif isinstance(g, Reverse):
            g = g._array
        if gradient is not None and not isinstance(g, Array) and spaces[type(g)].writeable:
            # The caller may write into its own array later: no gradient may alias it.
            g = spaces[type(g)].copy(g)
        starts.append((nodes[i], g))
    return starts


def _mode(create_graph: bool) -> AbstractContextManager[None]:
    """A pass that is to be recorded is recorded, under ``no_grad`` too."""
    return recording_in(recorded_mode()) if create_graph else nullcontext()


def run_backward(
    roots: Sequence[Any],
    seeds: Sequence[Any],
    *,
    retain_graph: bool | None,
    create_graph: bool,
    inputs: Any = None,
) -> None:
    """A pass that fills ``grad``: of all leaves, or of `inputs`."""
    chosen = None if inputs is None else differentiated(inputs, "backward")
    for x in chosen or ():
        if isinstance(x, Reverse):
            retain(x)
    results = gradients(
        roots,
        seeds,
        retain_graph=retain_graph,
        create_graph=create_graph,
        targets=() if chosen is None else [x._node for x in chosen],
        accumulates=True,
    )
    accumulate(results, create_graph)


def retain(x: Reverse) -> None:
    """Let a computed tensor keep its gradient from now on, as leaves do."""
    from agnograd.core.hooks import hooks_of

    node = x._node
    if node is not None and not is_leaf(node):
        hooks_of(node).retained = ref(x)


def retains_grad(x: Reverse) -> bool:
    """Whether a computed tensor keeps its gradient."""
    node = x._node
    hooks = None if node is None or is_leaf(node) else node.variant.hooks
    return hooks is not None and hooks.retained is not None and hooks.retained() is x


def differentiated(inputs: Any, name: str) -> list[Any]:
    """Tensors that something is differentiated with respect to, given as one, several, or a dictionary.

    Raises
    ------
    NoGraphError
        If one does not require grad.
    ForeignArrayError
        If one is no array at all.
    EscapedError
        If one belongs to a transformation of another kind.
    GradientError
        If there is none.
    """
    given = listed(inputs.values() if isinstance(inputs, dict) else inputs, "inputs", name)
    wanted = [x if isinstance(x, GradientEdge) else settled(x) for x in given]
    for i, x in enumerate(wanted):
        if not isinstance(x, GradientEdge) and (not isinstance(x, Reverse) or x._node is None):
            level = x.level if isinstance(x, Array) else None
            if level is not None:
                msg = (
                    f"input {i} ({describe(x)}) belongs to the transformation {level.name!r}, not to the user's own "
                    f"graph. Inside it, use agnograd.grad, vjp or jvp."
                )
                raise EscapedError(msg)
            if not isinstance(x, Array) and spaces.known(type(x)) is None:
                msg = f"input {i} of {name}() is an object of type {type(x).__name__}: it takes tensors"
                raise ForeignArrayError(msg)
            msg = (
                f"one of the differentiated tensors does not require grad: input {i} ({describe(x)}). Create it with "
                f"requires_grad=True before the outputs are computed."
            )
            raise NoGraphError(msg)
    return wanted


def listed(tensors: Any, name: str, function: str) -> list[Any]:
    """Tensors given as one or as several."""
    if hasattr(tensors, "dtype") or not isinstance(tensors, Iterable):
        return [tensors]
    found = list(tensors)
    if not found:
        msg = f"`{name}` argument to `{function}()` cannot be empty. Give at least one tensor."
        raise GradientError(msg)
    return found


def accumulate(results: dict[Node, Any], create_graph: bool) -> None:
    """Add cotangents into the ``grad`` of the leaves that they belong to."""
    if not create_graph and not observing.count:
        _accumulate_all(results, create_graph)
        return
    with _mode(create_graph), observing.going_back() if observing.count else nullcontext():
        _accumulate_all(results, create_graph)


def _accumulate_all(results: dict[Node, Any], create_graph: bool) -> None:
    plain = classes.plain
    with _accumulating:
        for node, g in results.items():
            if node.variant is LEAF and type(g) in spaces:
                leaf = node.saved()
                if leaf is None:
                    continue
                old = getattr(leaf, "_grad", None)
                if old is None:
                    leaf._grad = plain(g, None)
                    continue
                if type(old) is plain and old._node is None and not create_graph and _alike(old._array, g):
                    # The object that the user may hold stays the same; its value is replaced.
                    old._array = OPS["add"].bodies[type(g)](old._array, g)
                    continue
            if is_leaf(node):
                _accumulate(node, g, create_graph)


def _alike(x: Any, y: Any) -> bool:
    return type(x) is type(y) and x.dtype == y.dtype


def _accumulate(node: Node, g: Any, create_graph: bool) -> None:
    leaf = leaf_of(node)
    if leaf is not None:
        add_to_grad(leaf, g, create_graph)


def add_to_grad(tensor: Any, g: Any, create_graph: bool) -> None:
    """Add a cotangent to the ``grad`` of a tensor."""
    with _accumulating:
        old = getattr(tensor, "_grad", None)
        new = g if isinstance(g, Array) else wrap(g, None)
        if old is None:
            # An object of its own: a cotangent may belong to several tensors, and to whoever gave it.
            tensor._grad = copy(g) if isinstance(g, Reverse) else new
        elif create_graph or _transformed(old) or _transformed(new):
            tensor._grad = OPS["add"].call(old, new)
        else:
            # The object that the user may hold stays the same; its value is replaced.
            total = OPS["add"].call(wrap(settled(old)._array, None), new)
            old._array = total._array


def _transformed(x: Any) -> bool:
    """Whether a gradient is a value of a transformation, which has to record its sum."""
    level = settled(x).level
    return level is not None and level is not ROOT
