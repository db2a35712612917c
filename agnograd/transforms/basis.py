"""Matrices of linear functions: their values at several vectors, all in one batched pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from numbers import Integral
from typing import Any, Protocol

from agnograd.core.array import Array, innermost
from agnograd.core.batch import Batched
from agnograd.core.diagonal import identity
from agnograd.core.facts import describe, raw_space
from agnograd.core.level import Level, new_level
from agnograd.core.table import OPS
from agnograd.core.views import settled
from agnograd.errors import NotDifferentiableError
from agnograd.transforms.results import finished, off_level

# Takes arrays like those of a domain to others.
Linear = Callable[..., Sequence[Any]]


class Vectors(Protocol):
    """Some vectors of a space whose elements are tuples of arrays."""

    @property
    def count(self) -> int:
        """How many there are."""

    def batches(self, start: int, stop: int, level: Level) -> list[Batched]:
        """Those from number `start` to `stop`, a batch at a level of ``vmap`` for each array of the space."""

    def rows(self, start: int, stop: int) -> list[Any]:
        """The same as raw arrays, their first axis the number of the vector."""


class Basis:
    """The standard basis of the space of some arrays: a vector for each of their elements.

    Parameters
    ----------
    arrays : sequence of array
        Of known shapes, floating-point dtypes, any level.
    where : callable
        ``where(k)`` says which array the one of that number is, for messages.

    Attributes
    ----------
    shapes : list of tuple
        Those of the arrays.
    count : int
        Number of elements of all arrays.
    """

    def __init__(self, arrays: Sequence[Any], where: Callable[[int], str]) -> None:
        self.shapes: list[tuple[int, ...]] = [tuple(x.shape) for x in arrays]
        for k, shape in enumerate(self.shapes):
            if not all(type(n) is int or isinstance(n, Integral) for n in shape):
                msg = (
                    f"a Jacobian needs shapes that are known, and that of {where(k)} depends on values that are not "
                    f"computed yet ({describe(arrays[k])}). Compute it first, or give its chunks their sizes."
                )
                raise NotDifferentiableError(msg)
        self.sizes: list[int] = [math.prod(shape) for shape in self.shapes]
        self.starts: list[int] = [0, *accumulate(self.sizes)]
        self.count: int = self.starts.pop()
        self._raw = [innermost(x) for x in arrays]

    def rows(self, start: int, stop: int) -> list[Any]:
        """Some vectors of the basis, see `Vectors`."""
        found: list[Any] = []
        for x, shape, size, first in zip(self._raw, self.shapes, self.sizes, self.starts, strict=True):
            space = raw_space(x)
            part = space.eye(stop - start, size, k=start - first, dtype=x.dtype, device=space.device(x))
            found.append(space.reshape(part, (stop - start, *shape)) if len(shape) != 1 else part)
        return found

    def batches(self, start: int, stop: int, level: Level) -> list[Batched]:
        """The same as batches, see `Vectors`."""
        if len(self.sizes) == 1 and stop - start == self.count:
            found = identity(self._raw[0], self.shapes[0], level)
            if found is not None:
                return [found]
        return [Batched(x, level) for x in self.rows(start, stop)]

    def parts(self, x: Any) -> list[Any]:
        """A matrix with a row for each vector, or a stack of such rows, cut into those of each array."""
        if len(self.sizes) == 1:
            return [x]
        return [x[first : first + size, ...] for first, size in zip(self.starts, self.sizes, strict=True)]


def images(f: Linear, vectors: Vectors, chunk_size: int | None) -> list[Any]:
    """The values of a linear function at some vectors.

    Parameters
    ----------
    f : callable
        Linear, from arrays to a sequence of arrays.
    vectors : Vectors
    chunk_size : int or None
        At most so many vectors at once, which bounds the memory of a pass; all of them for None.

    Returns
    -------
    list of array
        Those of `f` with one axis more, the first: the number of the vector.
    """
    count = vectors.count
    if count == 1:
        # No batch, whose operations take longer: the gradient of a scalar function is one.
        return [OPS["expand_dims"].call(y, axis=0) for y in f(*[x[0, ...] for x in vectors.rows(0, 1)])]
    step = min(chunk_size or count, count) or 1
    starts = range(0, count or 1, step)
    chunks = [_images(f, vectors, start, min(start + step, count)) for start in starts]
    if len(chunks) == 1:
        return list(chunks[0])
    return [OPS["concat"].call(list(parts), axis=0) for parts in zip(*chunks, strict=True)]


def _images(f: Linear, vectors: Vectors, start: int, stop: int) -> list[Any]:
    """What `vmap` gives for raw arrays, without a look at trees of arguments and axes."""
    with new_level("vmap") as level:
        found = [settled(y) for y in f(*vectors.batches(start, stop, level))]
        images = [
            y._array
            if isinstance(y, Batched) and y._level is level
            else _repeated(off_level(y, level)[0], stop - start)
            for y in found
        ]
    return [finished(y, tensors=False) for y in images]


def _repeated(x: Any, size: int) -> Any:
    """What does not depend on the vectors, once for each."""
    return OPS["broadcast_to"].call(x, (size, *x.shape))


def columns(x: Array, out: Sequence[int], shape: Sequence[int]) -> Any:
    """A block of a Jacobian, of shape ``(*out, *shape)``, from its columns: elements of `shape` are counted first."""
    return _shaped(OPS["moveaxis"].call(x, 0, -1) if len(out) else x, (*out, *shape))


def rows(x: Array, out: Sequence[int], shape: Sequence[int]) -> Any:
    """The same from its rows: elements of `out` are counted first."""
    return _shaped(x, (*out, *shape))


def _shaped(x: Any, shape: tuple[int, ...]) -> Any:
    return x if tuple(x.shape) == shape else OPS["reshape"].call(x, shape)
