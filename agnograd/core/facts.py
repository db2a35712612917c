"""Facts of an array beneath its wrappers: its namespace, whether it carries gradients, and words for messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.cotangent import Outputs
from agnograd.core.table import Space, spaces


def raw_space(x: Any) -> Space:
    """The raw namespace of the backend inside all wrappers."""
    return spaces[type(innermost(x))]


def namespace_of(g: Any, others: Iterable[Any]) -> Any:
    """The namespace that a rule runs on: the raw one unless anything is a wrapper."""
    if type(g) is Outputs:
        others = (*g.items, *others)
        g = g.any
    for value in (g, *others):
        if type(value) is tuple:
            value = next((x for x in value if isinstance(x, Array)), None)
        if isinstance(value, Array):
            return value.__array_namespace__()
    return spaces[type(innermost(g))]


def carries(x: Any) -> bool:
    """Whether the dtype of an array is one that carries gradients."""
    return x.dtype in raw_space(x).floats


def describe(x: Any) -> str:
    """Shape, dtype, backend and device of an array, for messages; never its values."""
    space = raw_space(x)
    shape = tuple([n if n == n else None for n in x.shape])  # a lazy backend's unknown size is NaN
    return f"shape {shape}, {short(x.dtype)}, {space.name} on {short(space.device(innermost(x)))}"


def short(x: Any) -> str:
    """The name of a dtype or device without its module; of one that has no name, that of its type."""
    text = str(x)
    return type(x).__name__ if text == object.__repr__(x) else text.rpartition(".")[2]
