"""What a function keeps for its gradient: the memory between the forward and the backward pass, value by value."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any, NamedTuple

from agnograd.core import anomaly
from agnograd.core.array import innermost
from agnograd.core.facts import short
from agnograd.core.nodes import Node, is_leaf
from agnograd.core.saved import Packed
from agnograd.core.table import spaces
from agnograd.core.walk import below
from agnograd.transforms.arguments import check_callable
from agnograd.transforms.recording import Recording


class Residual(NamedTuple):
    """A value that a graph keeps.

    Attributes
    ----------
    operation : str
        The operation whose rule will read it.
    name : str
        What it is to the operation: the name of an argument, or ``ans`` for its result.
    shape : tuple of int
    dtype : str
    size : int or None
        In bytes; None where a lazy backend does not know the shape yet.
    argument : bool
        Whether it is an argument of the function, which lives anyway.
    place : str or None
        Where the operation was called: ``file:line``.
    """

    operation: str
    name: str
    shape: tuple[int | None, ...]
    dtype: str
    size: int | None
    argument: bool
    place: str | None

    def __str__(self) -> str:
        what = "argument" if self.argument else f"{self.name} of {self.operation}"
        size = "unknown size" if self.size is None else f"{self.size:,} bytes"
        return f"{self.dtype}{list(self.shape)}, {size}: {what}{f' at {self.place}' if self.place else ''}"


def saved_residuals(f: Callable[..., Any], *primals: Any) -> list[Residual]:
    """What stays in memory between the forward and the backward pass of a function, the last recorded first.

    A value that several operations read is listed once. What `agnograd.checkpoint` computes again, and what hooks have
    packed, is not listed: it is not kept.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays.
    *primals
        Its arguments.

    See Also
    --------
    print_saved_residuals : the same as text.

    Examples
    --------
    >>> import agnograd as ag
    >>> found = ag.saved_residuals(lambda x: ag.sum(ag.exp(ag.sin(x))), ag.ones(1000))
    >>> [(r.operation, r.name, r.size) for r in found]
    [('exp', 'ans', 8000), ('sin', 'x', 8000)]
    """
    check_callable(f, "saved_residuals")
    anomaly.enable()  # it notes the lines of operations
    try:
        record = Recording(f, primals, "saved_residuals")
        arguments = {id(innermost(x)) for leaves in record.inputs.primals for x in leaves}
        nodes = below([node for _, node in record.values if node is not None], None)
        ordered = sorted(nodes, key=lambda node: node.number)
        return list(_once(ordered, arguments))
    finally:
        anomaly.disable()


def print_saved_residuals(f: Callable[..., Any], *primals: Any) -> None:
    """Print what stays in memory between the forward and the backward pass of a function.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays.
    *primals : tree
        Its arguments.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.print_saved_residuals(lambda x: ag.sum(ag.exp(ag.sin(x))), ag.ones(1000))
    float64[1000], 8,000 bytes: ans of exp at ...
    float64[1000], 8,000 bytes: argument at ...
    in all 16,000 bytes, 8,000 of them arguments
    """
    found = saved_residuals(f, *primals)
    total = sum(r.size or 0 for r in found)
    of_arguments = sum(r.size or 0 for r in found if r.argument)
    last = f"in all {total:,} bytes, {of_arguments:,} of them arguments"
    sys.stdout.write("\n".join([*map(str, found), last, ""]))


def _once(nodes: list[Node], arguments: set[int]) -> Iterator[Residual]:
    seen: set[int] = set()
    for node in nodes:
        if is_leaf(node):
            continue
        kept = node.saved.unpacked() if isinstance(node.saved, Packed) else node.saved
        for name, value in zip(node.variant.names, kept, strict=True):
            for x in value if type(value) is tuple else (value,):
                raw = innermost(x)
                if spaces.known(type(raw)) is None or id(raw) in seen:
                    continue
                seen.add(id(raw))
                yield _described(node, name, raw, id(raw) in arguments)


def _described(node: Node, name: str, raw: Any, argument: bool) -> Residual:
    shape = tuple(
        [int(n) if isinstance(n, Integral) else None for n in raw.shape]
    )  # a lazy backend's unknown size is NaN
    size = None if None in shape else math.prod(shape) * _bytes_of(short(raw.dtype))  # type: ignore[arg-type]
    return Residual(node.variant.op.name, name, shape, short(raw.dtype), size, argument, anomaly.site_of(node))


def _bytes_of(dtype: str) -> int:
    # The names of the standard end in the number of bits.
    bits = dtype.lstrip("abcdefghijklmnopqrstuvwxyz")
    return int(bits) // 8 if bits else 1
