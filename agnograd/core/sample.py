"""What an operation is tested with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Uniform(NamedTuple):
    """Values drawn for a test, evenly from an interval (for complex ones, both parts).

    Attributes
    ----------
    low, high : float
        The ends of the interval.
    shape : tuple of int
        The shape of the array.
    kind : str
        ``"real"`` or ``"complex"``.

    Examples
    --------
    >>> from agnograd.hookspecs import Uniform
    >>> Uniform(0.5, 2.0, (2, 3))
    Uniform(low=0.5, high=2.0, shape=(2, 3), kind='real')
    """

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

    Examples
    --------
    >>> from agnograd.hookspecs import Sample, Uniform
    >>> random = Sample((Uniform(shape=(2, 3)),), {"axis": 0})
    >>> at_a_corner = Sample(([-1.0, 0.0, 2.0],), gradient=([-1.0, 0.0, 1.0],))
    """

    arrays: tuple[Any, ...]
    params: Mapping[str, Any] = {}
    gradient: tuple[Any, ...] | None = None
