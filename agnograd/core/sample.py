"""What an operation is tested with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Uniform(NamedTuple):
    """Values drawn for a test, evenly from an interval (for complex ones, both parts)."""

    low: float = -2.0
    high: float = 2.0
    shape: tuple[int, ...] = (3,)
    kind: str = "real"


class Sample(NamedTuple):
    """Arguments for which an operation is tested.

    Attributes
    ----------
    arrays : tuple
        One for each array argument: `Uniform`, nested lists (whose kind of number is the array's) or a Python number.
        An operation on a sequence has a tuple of them.
    params : dict
        Static parameters.
    gradient : tuple or None
        Expected gradients of the sum of the output, one per array argument, at values where the derivative is a
        convention or where a finite difference does not exist.
    """

    arrays: tuple[Any, ...]
    params: Mapping[str, Any] = {}
    gradient: tuple[Any, ...] | None = None
