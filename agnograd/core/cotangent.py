"""Cotangents: fitting one to its primal, of which only a description is kept, and those that are not one array.

The cotangent of an array of which parts were used is a `Partial`, that of an operation with several outputs `Outputs`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Array = Any


class Spec(NamedTuple):
    """What a rule may know of an array that is not kept.

    Attributes
    ----------
    shape : tuple of int
    dtype, device : object
        As its backend calls them.
    backend : str
        Name of the backend.

    Examples
    --------
    >>> import numpy as np
    >>> from agnograd.hookspecs import Spec
    >>> Spec((2, 3), np.dtype("float32"), "cpu").shape
    (2, 3)
    """

    shape: tuple[int, ...]
    dtype: Any
    device: Any
    backend: str = ""


class Partial:
    """A cotangent that is zero except at `key`: many slices of one array must not cost a dense array each."""

    __slots__ = ("g", "key", "spec")

    def __init__(self, g: Any, key: Any, spec: Any) -> None:
        self.g: Any = g
        self.key: Any = key
        self.spec: Any = spec

    def dense(self, xp: Any) -> Any:
        """The whole cotangent, in a fresh array."""
        return xp.embed(self.g, key=self.key, shape=self.spec.shape)


class Outputs:
    """The cotangents of the outputs of one operation; None for an output that nothing depends on."""

    __slots__ = ("items",)

    def __init__(self, items: tuple[Any, ...]) -> None:
        self.items: tuple[Any, ...] = items

    def __add__(self, other: Outputs) -> Outputs:
        # Of one operation, so that both have as many.
        items, others = self.items, other.items
        if len(items) == 2:
            # A state and its rate of change, say: for each step of a loop.
            (a, c), (b, d) = items, others
            return Outputs(
                (b if a is None else a if b is None else a + b, d if c is None else c if d is None else c + d)
            )
        pairs = zip(items, others)  # noqa: B905
        return Outputs(tuple([b if a is None else a if b is None else a + b for a, b in pairs]))

    @property
    def any(self) -> Array:
        """One of the arrays: there is always one."""
        for g in self.items:
            if g is not None:
                return g
        raise AssertionError

    @property
    def dtype(self) -> Any:
        """The dtype of one of the arrays; whether rules conjugate does not depend on it."""
        return self.any.dtype

    @property
    def device(self) -> Any:
        """The device of the arrays."""
        return self.any.device

    def map(self, f: Callable[[Any], Any]) -> Outputs:
        """The same with a function applied to each array."""
        return Outputs(tuple([None if g is None else f(g) for g in self.items]))


def fit(xp: Any, g: Array, spec: Spec) -> Array:
    """Bring a cotangent to the shape and dtype of its primal: sum broadcast axes, drop an imaginary part, cast.

    Parameters
    ----------
    xp : namespace
        That of the cotangent.
    g : array
        The cotangent.
    spec : Spec
        Shape and dtype of the primal.

    Returns
    -------
    array

    Examples
    --------
    >>> import numpy as np
    >>> from agnograd.hookspecs import Spec, fit
    >>> fit(np, np.ones((2, 3)), Spec((3,), np.dtype("float64"), "cpu"))
    array([2., 2., 2.])
    """
    if type(g) is Partial:
        # What indexing keeps is of its array's dtype, and the whole of its array's shape.
        return g
    if g.shape != spec.shape:
        g = unbroadcast(xp, g, spec.shape)
    if g.dtype != spec.dtype:
        if xp.isdtype(g.dtype, "complex floating") and not xp.isdtype(spec.dtype, "complex floating"):
            g = xp.real(g)
        if g.dtype != spec.dtype:
            g = xp.astype(g, spec.dtype)
    return g


def unbroadcast(xp: Any, g: Array, shape: tuple[int, ...]) -> Array:
    """Sum `g` over the axes along which an array of `shape` was broadcast, in one reduction."""
    lead = len(g.shape) - len(shape)
    if lead and g.shape[lead:] == shape:
        return xp.sum(g, axis=0 if lead == 1 else tuple(range(lead)))
    axes = tuple(range(lead)) + tuple(lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1)
    if axes:
        g = xp.sum(g, axis=axes, keepdims=len(axes) > lead)
    return g if g.shape == shape else xp.reshape(g, shape)
