"""Cotangents: fitting one to its primal, of which only a description is kept, and those that are mostly zero."""

from __future__ import annotations

from typing import Any, NamedTuple

Array = Any


class Spec(NamedTuple):
    """What a rule may know of an array that is not kept."""

    shape: tuple[int, ...]
    dtype: Any
    device: Any
    backend: str = ""


class Partial:
    """A cotangent that is zero except at `key`: many slices of one array must not cost a dense array each."""

    __slots__ = ("g", "key", "spec")

    def __init__(self, g: Any, key: Any, spec: Any) -> None:
        self.g = g
        self.key = key
        self.spec = spec

    def dense(self, xp: Any) -> Any:
        """The whole cotangent, in a fresh array."""
        return xp.embed(self.g, key=self.key, shape=self.spec.shape)


def fit(xp: Any, g: Array, spec: Spec) -> Array:
    """Bring a cotangent to the shape and dtype of its primal: sum broadcast axes, drop an imaginary part, cast."""
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
