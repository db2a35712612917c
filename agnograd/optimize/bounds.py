"""Bounds of trees of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optree

from agnograd.core.array import Array
from agnograd.core.facts import raw_space
from agnograd.core.table import spaces
from agnograd.errors import TreeError
from agnograd.optimize.bridge import Vectors, plain, scipy


def flat_bounds(bounds: Any, at: Vectors) -> Any:
    """SciPy's ``Bounds`` of the vectors, from what users write; None where there are none.

    Raises
    ------
    TreeError
        If they do not fit the parameters, or a parameter that has some is complex.
    """
    if bounds is None or isinstance(bounds, scipy("optimize").Bounds):
        return bounds
    import numpy as np

    if len(at.shapes) == 1 and _is_list_of_pairs(bounds):
        if len(bounds) != at.size:
            msg = f"{len(bounds)} pairs of bounds for {at.size} parameters"
            raise TreeError(msg)
        pairs = list(bounds)
        shapes: list[tuple[int, ...]] = [()] * at.size
    else:
        pairs, shapes = _pairs(bounds, at), at.shapes
    lower = [_broadcast(low, -np.inf, shape) for (low, _), shape in zip(pairs, shapes, strict=True)]
    upper = [_broadcast(high, np.inf, shape) for (_, high), shape in zip(pairs, shapes, strict=True)]
    found = np.concatenate(lower), np.concatenate(upper)
    if found[0].shape != (at.size,):
        msg = "complex parameters have no order, and so no bounds: split them into real and imaginary parts"
        raise TreeError(msg)
    return scipy("optimize").Bounds(*found)


def _pairs(bounds: Any, at: Vectors) -> list[Any]:
    """A pair for each leaf."""
    full = optree.tree_unflatten(at.structure, range(len(at.shapes)))
    filled = optree.tree_map(lambda b: (None, None) if b is None else b, bounds, is_leaf=_is_pair, none_is_leaf=True)
    for error in optree.prefix_errors(filled, full, is_leaf=_is_pair):
        msg = f"the bounds do not fit the parameters. {error('bounds')}"
        raise TreeError(msg)
    pairs = optree.broadcast_prefix(filled, full, is_leaf=_is_pair)
    for pair in pairs:
        if not _is_pair(pair):
            msg = f"bounds are pairs (lower, upper) of numbers, arrays or None, got a {type(pair).__name__}"
            raise TreeError(msg)
    return pairs


def _is_pair(x: Any) -> bool:
    return isinstance(x, tuple) and len(x) == 2 and all(map(_is_bound, x))


def _is_bound(x: Any) -> bool:
    return x is None or isinstance(x, (int, float, Array)) or spaces.known(type(x)) is not None


def _is_list_of_pairs(bounds: Any) -> bool:
    """Whether they are in SciPy's form, a pair for each number."""
    return isinstance(bounds, Sequence) and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in bounds)


def _broadcast(bound: Any, default: float, shape: tuple[int, ...]) -> Any:
    import numpy as np

    if bound is None:
        bound = default
    elif not isinstance(bound, (int, float)):
        bound = raw_space(bound).backend.to_host(plain(bound))
    try:
        return np.broadcast_to(np.asarray(bound, dtype=np.float64), shape).ravel()
    except ValueError:
        msg = f"a bound of shape {np.shape(bound)} does not broadcast to its parameter, of shape {shape}"
        raise TreeError(msg) from None
