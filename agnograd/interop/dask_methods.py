"""Methods that users of dask expect of a tensor around one of its arrays."""

from __future__ import annotations

from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.table import OPS
from agnograd.core.views import settled


def chunks(self: Array) -> Any:
    """The sizes of the chunks along each axis, for arrays that have chunks."""
    raw = innermost(settled(self))
    found = getattr(raw, "chunks", None)
    if found is None or len(found) != self.ndim:
        msg = f"a tensor of backend {self.__array_namespace__()._space.name!r} has no attribute 'chunks'"
        raise AttributeError(msg, name="chunks", obj=self)
    return found


def rechunk(self: Array, chunks: Any) -> Any:
    """The same values in other chunks, given as dask's ``rechunk`` takes them; gradients come back in the old ones.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> x = ag.asarray(da.ones((4, 4), chunks=2)).requires_grad_()
    >>> y = x.rechunk({1: -1})
    >>> y.sum().backward()
    >>> y.chunks, x.grad.chunks
    (((2, 2), (4,)), ((2, 2), (2, 2)))
    """
    return OPS["rechunk"].call(self, chunks=chunks)


def compute(self: Array, **options: Any) -> Any:
    """`agnograd.compute` of this tensor alone. Several together read their data once: ``agnograd.compute(x, y)``."""
    from agnograd.dask.computing import compute

    return compute(self, **options)


def persist(self: Array, **options: Any) -> Any:
    """`agnograd.persist` of this tensor alone."""
    from agnograd.dask.computing import persist

    return persist(self, **options)


def visualize(self: Array, filename: str = "mydask", **options: Any) -> Any:
    """The graph of a lazy array as a picture, as ``dask.visualize`` draws it; `agnograd.draw` draws agnograd's own."""
    from agnograd.dask.values import computable

    return computable(self).visualize(filename, **options)


setattr(Array, "chunks", property(chunks, doc=chunks.__doc__))  # noqa: B010 - mypy knows no such attribute
for _method in (compute, persist, rechunk, visualize):
    setattr(Array, _method.__name__, _method)
