"""From cotangents to gradients: what a user may seed a backward pass with, and where its results go."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.level import ROOT
from agnograd.core.reverse import LEAF, Node, Reverse, backward, describe, raw_space, short, wrap
from agnograd.core.table import OPS, spaces
from agnograd.core.views import settled
from agnograd.errors import (
    CotangentError,
    EscapedError,
    ForeignArrayError,
    GraphFreedError,
    NoGraphError,
    NonScalarError,
)

# Backward passes of several threads may share leaves.
_accumulating = threading.RLock()


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
    node = root._node if isinstance(root, Reverse) else None
    if node is None:
        msg = (
            f"element {position} of tensors does not require grad and does not have a grad_fn ({describe(root)}). "
            f"Create its inputs with requires_grad=True, and compute it outside no_grad() and without detach()."
        )
        raise NoGraphError(msg)
    return node


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
    space = raw_space(root)
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
        return space.ones(tuple(root.shape), dtype=dtype, device=space.device(innermost(root)))
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
    return gradient if gradient.dtype == dtype else OPS["astype"].call(gradient, dtype)


def gradients(
    roots: Sequence[Any],
    seeds: Sequence[Any],
    *,
    retain_graph: bool | None,
    create_graph: bool,
    targets: Iterable[Node] = (),
) -> dict[Node, Any]:
    """Check roots and seeds, walk, and return cotangents as tensors or, without `create_graph`, raw arrays."""
    roots = [settled(root) for root in roots]
    nodes = [root_node(root, i) for i, root in enumerate(roots)]
    starts = []
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
    release = not (create_graph if retain_graph is None else retain_graph)
    try:
        return backward(starts, release=release, create_graph=create_graph, targets=targets)
    except GraphFreedError as error:
        named = (f"<{node.name()}> ({describe(root)})" for node, root in zip(nodes, roots, strict=True))
        error.add_note(f"in a backward pass from {', '.join(named)}")
        raise


def accumulate(results: dict[Node, Any], create_graph: bool) -> None:
    """Add cotangents into the ``grad`` of the leaves that they belong to."""
    with _accumulating:
        for node, g in results.items():
            if node.variant is not LEAF:
                continue
            leaf = node.saved()
            if leaf is None:
                continue
            new = g if isinstance(g, Array) else wrap(g, None)
            old = getattr(leaf, "_grad", None)
            if old is None:
                leaf._grad = new
            elif create_graph:
                leaf._grad = OPS["add"].call(old, new)
            else:
                # The object that the user may hold stays the same; its value is replaced.
                total = OPS["add"].call(wrap(settled(old)._array, None), new)
                old._array = total._array
