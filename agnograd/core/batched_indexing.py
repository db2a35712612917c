"""Batching rules of indexing: how the index of a member becomes one of the whole batch.

An index that all members share leaves the batch axis alone: it stands first where the index is basic, which makes a
view, and last where it has arrays, whose axes may come out in another place than they went in. An index that differs
from member to member becomes one with an array more, the numbers of the members.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

from agnograd.core.array import innermost
from agnograd.core.batch import Mapped, has_mapped
from agnograd.core.batching import Run, flattened, repeated, shifted, size_of, with_axes
from agnograd.core.table import OPS, spaces
from agnograd.errors import BatchedValueError

Array = Any
Mask = Sequence[bool]


def _call(name: str, *arrays: Any, **params: Any) -> Any:
    return OPS[name].call(*arrays, **params)


def is_basic(key: Any) -> bool:
    """Whether a key consists of integers, slices, ellipses and new axes only: no element is taken twice."""
    for k in key if isinstance(key, tuple) else (key,):
        # The commonest first: it is asked at each indexing.
        if type(k) is slice or type(k) is int or k is None or k is Ellipsis:
            continue
        if isinstance(k, bool) or not isinstance(k, (slice, Integral)):
            return False
    return True


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _consumed(k: Any) -> int:
    """How many axes a part of an index takes up."""
    if k is None or k is Ellipsis:
        return 0
    return _ndim(k) if _is_mask(k) else 1


def _ndim(k: Any) -> int:
    """Number of axes of an array of indices, for one member; none for a number."""
    return len(getattr(_values(k), "shape", ())) - isinstance(k, Mapped)


def _values(k: Any) -> Any:
    """An array of indices, or of several members together."""
    return k.array if isinstance(k, Mapped) else k


def _is_mask(k: Any) -> bool:
    array = _values(k)
    return isinstance(k, bool) or (
        hasattr(array, "dtype") and spaces[type(innermost(array))].isdtype(array.dtype, "bool")
    )


def explicit(key: Any, ndim: int) -> tuple[Any, ...]:
    """An index with a slice for each axis that an ellipsis, or its end, stands for."""
    parts = _parts(key)
    missing = (slice(None),) * (ndim - builtins.sum(_consumed(k) for k in parts))
    if not any(k is Ellipsis for k in parts):
        return (*parts, *missing)
    i = next(i for i, k in enumerate(parts) if k is Ellipsis)
    return (*parts[:i], *missing, *parts[i + 1 :])


def _is_whole(k: Any) -> bool:
    return isinstance(k, slice) and k == slice(None)


def _shortened(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """An index without the slices at its end that take all: not every library takes them beside arrays."""
    while parts and _is_whole(parts[-1]):
        parts = parts[:-1]
    return parts


class Members(NamedTuple):
    """An index of a whole batch, made of those of its members.

    Attributes
    ----------
    key : tuple
    place : int
        Where the axis of the batch comes out.
    rank : int
        The number of axes that arrays come out with, apart from it.
    move : int or None
        Where these axes belong in a member; None where they are in their place.
    """

    key: tuple[Any, ...]
    place: int
    rank: int
    move: int | None

    def restored(self, x: Array) -> Array:
        """What the index gives, with the axes of a batch."""
        if self.place:
            return _call("moveaxis", x, self.place, 0)
        if self.move is None or not self.rank:
            return x
        source = tuple(range(1, 1 + self.rank))
        return _call("moveaxis", x, source, tuple(a + self.move for a in source))

    def undone(self, x: Array) -> Array:
        """An array with the axes of a batch, as the index takes it."""
        if self.place:
            return _call("moveaxis", x, 0, self.place)
        if self.move is None or not self.rank:
            return x
        source = tuple(range(1, 1 + self.rank))
        return _call("moveaxis", x, tuple(a + self.move for a in source), source)


def members(key: Any, ndim: int, like: Array | None) -> Members:
    """The index that takes from each member what its own index asks for.

    Parameters
    ----------
    key : tuple
        With arrays, some of which may be `Mapped`.
    ndim : int
        Number of axes of a member.
    like : array or None
        The batch that is indexed; None where all members index the same array.
    """
    parts = explicit(key, ndim)
    if any(_is_mask(k) for k in parts if isinstance(k, Mapped)):
        msg = (
            "the shape of x[mask] depends on the mask, which under vmap differs from member to member. Write "
            "where(mask, x, 0) and go on with all elements."
        )
        raise BatchedValueError(msg)
    advanced = [i for i, k in enumerate(parts) if not (k is None or isinstance(k, slice))]
    count = builtins.max(1 if _is_mask(parts[i]) else _ndim(parts[i]) for i in advanced)
    aligned = tuple([with_axes(k.array, count) if isinstance(k, Mapped) else k for k in _shortened(parts)])
    first = advanced[0]
    adjacent = advanced == list(range(first, advanced[-1] + 1))
    if like is None:
        return Members(aligned, first if adjacent else 0, count, None)
    # With the numbers first, arrays behind a slice are no longer next to each other, and come out in front.
    return Members((_numbers(like, count), *aligned), 0, count, first if adjacent and first else None)


def _numbers(x: Array, rank: int) -> Array:
    """The number of each member, to broadcast against indices of so many axes; those may be of a smaller dtype."""
    raw = innermost(x)
    space = spaces[type(raw)]
    numbers = space.arange(x.shape[0], dtype=space.int64, device=space.device(raw))
    return space.reshape(numbers, (-1, *(1,) * rank))


# -- reading and writing ---------------------------------------------------------------------------------------------


def getitem(run: Run, arrays: Sequence[Array], mapped: Mask, key: Any) -> Array:
    """``x[key]``."""
    (x,) = arrays
    if is_basic(key):
        return run(x, key=(slice(None), *_parts(key)))
    ndim = len(x.shape) - mapped[0]
    parts = explicit(key, ndim)
    if not has_mapped(key) and any(map(_is_mask, parts)):
        return _to_front(run(_to_back(x), key=_shortened(parts)))
    others = [i for i, k in enumerate(parts) if not _is_whole(k)]
    k = parts[others[0]]
    if len(others) == 1 and not _is_mask(k):
        # Elements of one axis: every library can take them along any.
        return _taken(x, _values(k), (mapped[0], isinstance(k, Mapped)), others[0])
    index = members(parts, ndim, x if mapped[0] else None)
    return index.restored(run(x, key=index.key))


def _to_back(x: Array) -> Array:
    return _call("moveaxis", x, 0, -1)


def _to_front(x: Array) -> Array:
    return _call("moveaxis", x, -1, 0)


def setitem(run: Run, arrays: Sequence[Array], mapped: Mask, key: Any) -> Array:
    """`x` with ``x[key] = value``."""
    x, value = arrays
    if not mapped[0]:
        x = repeated(x, _size(arrays, mapped, key))
    if not x.shape[0]:
        return x  # Dask has its own rules for a value that goes nowhere.
    ndim = len(x.shape) - 1
    parts = explicit(key, ndim)
    if is_basic(key):
        left = builtins.sum(1 for k in parts if k is None or isinstance(k, slice))
        return run(x, with_axes(value, left) if mapped[1] else value, key=(slice(None), *parts))
    rank = len(getattr(value, "shape", ())) - mapped[1]
    if not has_mapped(key):
        if mapped[1]:
            value = _to_back(value)
        elif rank:
            value = value[..., None]
        return _to_front(run(_to_back(x), value, key=_shortened(parts)))
    written = _shortened(parts)
    if len(written) == 1 and _is_mask(written[0]) and not rank:
        mask = written[0].array
        mask = mask[(..., *(None,) * (ndim + 1 - len(mask.shape)))]
        return _call("where", mask, with_axes(value, ndim) if mapped[1] else value, x)
    index = members(parts, ndim, x)
    left = index.rank + builtins.sum(1 for k in parts if k is None or isinstance(k, slice))
    if mapped[1]:
        value = index.undone(with_axes(value, left))
    elif rank:
        value = index.undone(value[(*(None,) * (left + 1 - rank), ...)])
    return run(x, value, key=index.key)


def _size(arrays: Sequence[Array], mapped: Mask, key: Any) -> int:
    if any(mapped):
        return size_of(arrays, mapped)
    return int(next(k.array.shape[0] for k in _parts(key) if isinstance(k, Mapped)))


def embed(run: Run, arrays: Sequence[Array], mapped: Mask, key: Any, shape: Sequence[int]) -> Array:
    """Zeros of a shape with `x` added at a key."""
    (x,) = arrays
    size = _size(arrays, mapped, key)
    if is_basic(key):
        return run(x, key=(slice(None), *_parts(key)), shape=(size, *shape))
    parts = explicit(key, len(shape))
    if not has_mapped(key) and any(map(_is_mask, parts)):
        return _to_front(run(_to_back(x), key=_shortened(parts), shape=(*shape, size)))
    x = x if mapped[0] else repeated(x, size)
    index = members(parts, len(shape), x)
    return run(index.undone(x), key=index.key, shape=(size, *shape))


def embed_all(run: Run, arrays: Sequence[Array], mapped: Mask, keys: Sequence[Any], shape: Sequence[int]) -> Array:
    """Zeros of a shape with each array added at its key."""
    total = None
    for x, m, key in zip(arrays, mapped, keys, strict=True):
        if m or has_mapped(key):
            part = embed(OPS["embed"].call, (x,), (m,), key, shape)
        else:
            part = _call("embed", x, key=key, shape=shape)[None, ...]
        total = part if total is None else total + part
    return total


def scatter_add(run: Run, arrays: Sequence[Array], mapped: Mask) -> Array:
    """`x` with ``value[k]`` added to ``x[indices[k]]``: rows of all members, numbered through."""
    size = size_of(arrays, mapped)
    x, indices, value = [y if m else repeated(y, size) for y, m in zip(arrays, mapped, strict=True)]
    n = x.shape[1]
    reshape = OPS["reshape"].call
    indices = OPS["astype"].call(indices, spaces[type(innermost(x))].int64, copy=False)
    # An index that a member does not have is none of another one either.
    own = (indices >= -n) & (indices < n)
    rows = _call("where", own, indices % builtins.max(n, 1) + _numbers(x, 1) * n, size * n)
    rest = x.shape[2:]
    out = run(reshape(x, (size * n, *rest)), reshape(rows, (-1,)), reshape(value, (-1, *rest)))
    return reshape(out, x.shape)


# -- taking along an axis ----------------------------------------------------------------------------------------------


def take(run: Run, arrays: Sequence[Array], mapped: Mask, axis: int | None = None) -> Array:
    """Elements of an axis."""
    x, indices = arrays
    return _taken(x, indices, mapped, shifted(0 if axis is None else axis, len(x.shape) - mapped[0]) - 1)


def _taken(x: Array, indices: Array, mapped: Mask, a: int) -> Array:
    """The elements of axis `a` of a member at indices of any shape."""
    places = tuple(indices.shape[mapped[1] :])
    before, after = tuple(x.shape[: a + mapped[0]]), tuple(x.shape[a + mapped[0] + 1 :])
    if mapped[0] and mapped[1]:
        flat = _call("reshape", indices, (indices.shape[0], *(1,) * a, math.prod(places), *(1,) * len(after)))
        out = _call("take_along_axis", x, flat, axis=a + 1)
        return _in_places(out, (*before, *places, *after))
    out = _call("take", x, _in_places(indices, (math.prod(indices.shape),)), axis=len(before))
    if mapped[0]:
        return _in_places(out, (*before, *places, *after))
    return _call("moveaxis", _in_places(out, (*before, indices.shape[0], *places, *after)), a, 0)


def _in_places(x: Array, shape: tuple[int, ...]) -> Array:
    """An array with one axis in place of several, or the reverse; sizes that are not known stay so."""
    return x if len(x.shape) == len(shape) else _call("reshape", x, shape)


def take_along_axis(run: Run, arrays: Sequence[Array], mapped: Mask, axis: int = -1) -> Array:
    """Elements of an axis, for each place in the others."""
    a = shifted(axis, len(arrays[0].shape) - mapped[0])
    return run(*[x if m else x[None, ...] for x, m in zip(arrays, mapped, strict=True)], axis=a)


# -- searching ---------------------------------------------------------------------------------------------------------


def searchsorted(
    run: Run, arrays: Sequence[Array], mapped: Mask, side: str = "left", sorter: Array | None = None
) -> Array:
    """Places in a sorted array: one that all members share is searched once, others are compared with each value."""
    x1, x2 = arrays
    if isinstance(sorter, Mapped):
        x1 = _taken(x1, sorter.array, (mapped[0], True), 0)
    elif not mapped[0]:
        return run(x1, x2, side=side, sorter=sorter)
    elif sorter is not None:
        x1 = _call("take", x1, sorter, axis=1)
    size = x1.shape[0]
    x2 = x2 if mapped[1] else repeated(x2, size)
    ndim = len(x2.shape) - 1
    values = x2[..., None]
    ordered = _apart(x1, ndim)
    before = ordered < values if side == "left" else ordered <= values
    if spaces[type(innermost(x1))].isdtype(x1.dtype, ("real floating", "complex floating")):
        # A NaN is larger than all numbers.
        absent = _call("isnan", values)
        before = before | (absent & ~_call("isnan", ordered)) if side == "left" else before | absent
    return _call("count_nonzero", before, axis=-1)


def isin(run: Run, arrays: Sequence[Array], mapped: Mask, invert: bool = False) -> Array:
    """Whether elements are among others."""
    x1, x2 = arrays
    if not mapped[1]:
        return run(x1, x2, invert=invert)
    others = flattened(x2)
    ndim = len(getattr(x1, "shape", ())) - mapped[0]
    x1 = x1[..., None] if hasattr(x1, "shape") else x1
    found = _call("any", x1 == _apart(others, ndim), axis=-1)
    return _call("logical_not", found) if invert else found


def _apart(x: Array, ndim: int) -> Array:
    """``(batch, n)`` to ``(batch, 1, ..., n)`` against members of `ndim` axes and one more."""
    return x[(slice(None), *(None,) * ndim, slice(None))]
