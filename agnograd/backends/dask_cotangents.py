"""Cotangents on dask that are built only where their values are looked at.

Reverse mode multiplies by numbers and repeats sums to the shapes of their arguments. On dask each of that would be a
task for every chunk. `Symbolic` is such a product by name: numbers are multiplied here, a shape is a note, and the
linear functions that rules take cotangents through leave both outside. This keeps a factor that is itself a reduction
of the data, a norm say, out of the chunks, which else would wait for it in memory.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import dask.array as da
import numpy as np
from dask.array.utils import meta_from_array
from dask.layers import ArrayChunkShapeDep

from agnograd.backends.dask_devices import meta_on
from agnograd.backends.dask_indexing import within_chunks
from agnograd.backends.dask_sizes import unknown_sizes
from agnograd.errors import UnsupportedError

Array = Any
Chunks = tuple[tuple[int, ...], ...]


class Shape(tuple[int, ...]):  # noqa: SLOT001 - it has an attribute
    """A shape that remembers into which chunks an array of it was cut."""

    chunks: Chunks

    def __reduce__(self) -> Any:
        return _shape, (self.chunks,)

    def part(self, x: Array, axis: int, before: Sequence[Shape]) -> Array:
        """The chunks of this shape in those of several that were put together along an axis."""
        start = sum(len(shape.chunks[axis]) for shape in before)
        stop = start + len(self.chunks[axis])
        if not _unknown(x.chunks) or stop > x.numblocks[axis]:
            what = "the derivative of concat"
            raise unknown_sizes(what, x)
        return plain(x).blocks[(*(slice(None),) * axis, slice(start, stop))]

    def elements(self, axes: tuple[int, ...], dtype: Any) -> Array:
        """The number of elements along axes, where a size depends on data: counted when it is computed."""
        return da.ones_like(source_of(self.chunks), dtype=dtype).sum(axis=axes, keepdims=True).min()


class UnknownChunks(tuple[tuple[int, ...], ...]):  # noqa: SLOT001 - it has an attribute
    """Chunks of which sizes depend on data, with an array that has them."""

    source: Array


def chunks_of(x: Array) -> Chunks:
    """The chunks of an array, and with unknown ones the array itself: nothing else tells their sizes."""
    if not _unknown(x.chunks) or type(x.chunks) is UnknownChunks:
        return x.chunks  # type: ignore[no-any-return]
    made = UnknownChunks(x.chunks)
    made.source = x
    return made


def source_of(chunks: Chunks) -> Array:
    """An array that has chunks of unknown sizes.

    Raises
    ------
    UnsupportedError
        If none is known.
    """
    if type(chunks) is UnknownChunks:
        return plain(chunks.source)
    msg = (
        "a gradient would have to be repeated to a shape that depends on data and is not known yet. Call "
        "compute_chunk_sizes() on the dask array first, or use agnograd.backends.dask_indexing.known_shapes()."
    )
    raise UnsupportedError(msg)


def _shape(chunks: Chunks) -> Shape:
    made = Shape(map(sum, chunks))
    made.chunks = chunks
    return made


def shape_of(x: Array) -> Shape:
    """The shape of a dask array, with its chunks."""
    made = Shape(x.shape)
    made.chunks = chunks_of(x)
    return made


class Symbolic(da.Array):  # type: ignore[misc]
    """``scale * factor * base``, broadcast to a shape.

    Attributes
    ----------
    scale : float or complex
    factor : dask array of no axes, or None for 1
    base : dask array, or None for 1
        Of as many axes as the shape has, in which it is of size one or of the same size.
    """

    made: Any
    base: Any
    scale: Any
    factor: Any

    def __new__(cls, base: Any, chunks: Chunks, meta: Any, scale: Any = 1.0, factor: Any = None) -> Symbolic:
        """Keep the parts; a graph is made from them when somebody asks for it."""
        self = object.__new__(cls)
        self.made = None
        self.base = base
        self.scale = scale
        self.factor = factor
        self._cached_keys = None
        self._chunks = chunks
        self._meta = meta_from_array(meta, ndim=len(chunks), dtype=meta.dtype)
        return self

    def plain(self) -> Array:
        """The product as an ordinary dask array."""
        if self.made is None:
            self.made = self._build()
        return self.made

    def _build(self) -> Array:
        weight = self.scale
        if self.factor is not None:
            weight = self.factor if weight == 1 else self.factor * weight
        if self.base is None:
            if self.factor is None:
                return full(self.chunks, weight, self._meta)
            return spread(weight, self.chunks)
        x = self.base
        if self.factor is not None:
            x = weighted(x, weight)
        elif weight != 1:
            x = x * weight
        return x if x.chunks == self.chunks or x.shape == self.shape else spread(x, self.chunks)

    dask = property(lambda self: self.plain().dask)
    name = property(lambda self: self.plain().name)
    _name = property(lambda self: self.plain().name)

    def __reduce__(self) -> Any:
        return self.plain().__reduce__()

    def copy(self) -> Array:
        """An array of its own, which can be written to."""
        return self.plain().copy()

    # -- what stays a product ------------------------------------------------------------------------------------------

    def times(self, scale: Any) -> Symbolic:
        """A number more."""
        return Symbolic(self.base, self.chunks, self._meta, self.scale * scale, self.factor)

    def with_base(self, base: Any, chunks: Chunks | None = None) -> Symbolic:
        """The same numbers times another array."""
        return Symbolic(base, base.chunks if chunks is None else chunks, base, self.scale, self.factor)

    def through(self, linear: Callable[[Array], Array]) -> Array:
        """A linear function of the product: numbers stay outside."""
        if self.base is not None and self.base.shape == self.shape:
            return self.with_base(linear(self.base))
        if self.factor is None or self.ndim == 0:
            return linear(self.plain())
        return self.rest_is(linear(self.rest()))

    def rest(self) -> Array:
        """All but the factor, as an ordinary array."""
        return Symbolic(self.base, self.chunks, self._meta, self.scale).plain()

    def rest_is(self, rest: Array) -> Symbolic:
        """The same factor times an ordinary array."""
        return Symbolic(rest, rest.chunks, rest, 1.0, self.factor)

    def rearranged(self, function: Callable[[Array], Array]) -> Array:
        """The elements in another order or shape, or some of them: numbers stay outside, and one number is the same."""
        if self.base is not None or self.ndim == 0:
            return self.through(function)
        like = function(full(self.chunks, 0, self._meta))
        return Symbolic(None, chunks_of(like), like._meta, self.scale, self.factor)

    def masked(self, choose: Callable[[Any], Array], mask: Any) -> Array:
        """Zero in some places."""
        if self.base is None and self.factor is None and getattr(mask, "shape", None) == self.shape:
            return choose(self.dtype.type(self.scale))
        return self.through(choose)

    def chosen(self, other: Symbolic, choose: Callable[[Any, Any], Array]) -> Array:
        """Elements of two products."""
        if self.factor is None or not _same(self.factor, other.factor):
            return choose(self.plain(), other.plain())
        return self.rest_is(choose(self.rest(), other.rest()))

    def __getitem__(self, key: Any) -> Array:
        return self.rearranged(lambda x: key_of(x, key))

    def __mul__(self, other: Any) -> Array:
        number = _number(other, self.dtype)
        if number is not None:
            return self.times(number)
        if not isinstance(other, da.Array) or other.dtype != self.dtype:
            return self.plain() * other
        if type(other) is Symbolic:
            product = self.times(other.scale)
            for part in (other.factor, other.base):
                product = product if part is None else product * part
            return product
        if other.ndim == 0:
            factor = other if self.factor is None else self.factor * other
            return Symbolic(self.base, self.chunks, self._meta, self.scale, factor)
        if self.base is None and _covers(other.shape, self.shape):
            return self.with_base(other)
        if self.base is not None and self.base.shape == self.shape:
            return self.with_base(self.base * other)
        if not _covers(self.shape, other.shape):
            return self.plain() * other
        base = other if self.base is None else self.base * other
        if base.ndim < self.ndim:
            base = key_of(base, (None,) * (self.ndim - base.ndim))
        return self.with_base(base, None if base.shape == self.shape else self.chunks)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Array:
        number = _number(other, self.dtype)
        if number is not None and number != 0:
            return Symbolic(self.base, self.chunks, self._meta, self.scale / number, self.factor)
        if not isinstance(other, da.Array) or other.dtype != self.dtype or not _covers(self.shape, other.shape):
            return self.plain() / other
        other = plain(other)
        if other.ndim == 0:
            factor = (1 if self.factor is None else self.factor) / other
            return Symbolic(self.base, self.chunks, self._meta, self.scale, factor)
        if self.base is None:
            return Symbolic(None, self.chunks, self._meta, 1.0, self.factor) * (self.scale / other)
        return Symbolic(None, self.chunks, self._meta, self.scale, self.factor) * (self.base / other)

    def __neg__(self) -> Symbolic:
        return self.times(-1)

    def __pos__(self) -> Symbolic:
        return self

    def __add__(self, other: Any) -> Array:
        return self._sum(other, 1)

    def __radd__(self, other: Any) -> Array:
        return self._sum(other, 1)

    def __sub__(self, other: Any) -> Array:
        return self._sum(other, -1)

    def __rsub__(self, other: Any) -> Array:
        return self.times(-1)._sum(other, 1)

    def _sum(self, other: Any, sign: int) -> Array:
        """``self + sign * other``: one product where both have the same parts, or the same numbers."""
        if type(other) is not Symbolic:
            return self.plain() + other if sign == 1 else self.plain() - other
        alike = self.dtype == other.dtype and self.chunks == other.chunks and _same(self.factor, other.factor)
        if alike and _same(self.base, other.base):
            return Symbolic(self.base, self.chunks, self._meta, self.scale + sign * other.scale, self.factor)
        if alike and self.base is not None and other.base is not None and self.base.shape == other.base.shape:
            if other.scale == self.scale:
                return self.with_base(self.base + other.base if sign == 1 else self.base - other.base, self.chunks)
            if other.scale == -self.scale:
                return self.with_base(self.base - other.base if sign == 1 else self.base + other.base, self.chunks)
        if alike and self.factor is not None:
            return self.rest_is(self.rest() + other.rest() if sign == 1 else self.rest() - other.rest())
        return self.plain() + other.plain() if sign == 1 else self.plain() - other.plain()


def _same(a: Any, b: Any) -> bool:
    return a is b or (a is not None and b is not None and bool(a.name == b.name))


def _number(x: Any, dtype: Any) -> Any:
    """The value of a number on this machine that leaves the dtype as it is; None for all else."""
    if type(x) in (int, float):
        return x
    if type(x) is complex:
        return x if dtype.kind == "c" else None
    if isinstance(x, np.generic) and x.dtype == dtype:
        return x.item()
    return None


def _covers(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether an array of the other shape broadcasts to the first one."""
    lead = len(shape) - len(other)
    same = zip(shape[lead:], other, strict=True) if lead >= 0 else ()
    return lead >= 0 and all(n in (1, m) or (math.isnan(n) and math.isnan(m)) for m, n in same)


def _unknown(chunks: Chunks) -> bool:
    return any(math.isnan(sum(axis)) for axis in chunks)


def key_of(x: Array, key: Any) -> Array:
    """``x[key]``, without a look at each chunk where that cuts none."""
    within = within_chunks(x, list(key) if isinstance(key, tuple) else [key])
    return x[key] if within is None else within


# -- building --------------------------------------------------------------------------------------------------------


def full(chunks: Chunks, value: Any, meta: Any) -> Array:
    """One number in every place; its blocks have no memory of their own, and fuse into what reads them."""
    axes = tuple(range(len(chunks)))
    if not axes:
        return da.from_array(_number_like(meta, value), name=f"full-{da.core.tokenize(value, meta)}", asarray=False)
    return da.blockwise(
        _full_block, axes, _sizes(chunks), axes, value=value, like=meta, align_arrays=False,
        dtype=meta.dtype, meta=meta,
    )  # fmt: skip


def weighted(x: Array, weight: Array) -> Array:
    """``x * weight``, and 0 where x is: an infinite weight comes after masks that it should have met with."""
    axes = tuple(range(x.ndim))
    meta = meta_from_array(x._meta, ndim=x.ndim, dtype=np.result_type(x.dtype, weight.dtype))
    return da.blockwise(_weighted_block, axes, x, axes, weight, (), dtype=meta.dtype, meta=meta)


def spread(x: Array, chunks: Chunks) -> Array:
    """An array broadcast to the shape that chunks add up to, in views that fuse into what reads them."""
    if x.chunks == chunks:
        return x
    axes = tuple(range(len(chunks)))
    lead = len(chunks) - x.ndim
    aligned = {
        a: chunks[lead + a]
        for a in range(x.ndim)
        if x.shape[a] != 1 and x.chunks[a] != chunks[lead + a] and not _unknown((x.chunks[a], chunks[lead + a]))
    }
    x = x.rechunk(aligned) if aligned else x
    meta = meta_from_array(x._meta, ndim=len(chunks))
    return da.blockwise(
        _spread_block, axes, x, axes[lead:], _sizes(chunks), axes, align_arrays=False,
        adjust_chunks=dict(enumerate(chunks)), dtype=x.dtype, meta=meta,
    )  # fmt: skip


def _sizes(chunks: Chunks) -> Any:
    """What tells the shapes of blocks: numbers, or an array."""
    return source_of(chunks) if _unknown(chunks) else ArrayChunkShapeDep(chunks)


def _size(block: Any) -> tuple[int, ...]:
    return block if isinstance(block, tuple) else tuple(block.shape)


def _full_block(shape: tuple[int, ...], *, value: Any, like: Any) -> Any:
    return np.broadcast_to(_number_like(like, value), _size(shape))


def _number_like(like: Any, value: Any) -> Any:
    # CuPy takes the shape of no axes for none given.
    return np.full_like(like, value, shape=(1,)).reshape(())


def _weighted_block(x: Any, weight: Any) -> Any:
    # That of an infinity and zero is NaN, and means nothing.
    with np.errstate(invalid="ignore"):
        return np.where(x == 0, x, x * weight) if np.isinf(weight) else x * weight


def _spread_block(x: Any, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(x, _size(shape))


# -- the engine's hooks ----------------------------------------------------------------------------------------------


def seed(root: Array) -> Symbolic:
    """Ones like the root of a pass: a number on this machine, not an array that all chunks would hang on."""
    return Symbolic(None, chunks_of(root), root._meta)


def settle(g: Array, like: Any) -> Array:
    """A gradient as users get it: an ordinary array, in the chunks of what it is the gradient of."""
    g = g.plain() if type(g) is Symbolic else g
    if not hasattr(like, "chunks") or g.chunks == like.chunks or g.shape != like.shape:
        return g
    if _unknown(g.chunks) or _unknown(like.chunks):
        return g
    return g.rechunk(like.chunks)


def broadcast_to(x: Array, shape: Any) -> Array:
    """``broadcast_to``, a note only where the shape remembers chunks."""
    chunks = getattr(shape, "chunks", None)
    if chunks is None:
        return da.broadcast_to(x.plain() if type(x) is Symbolic else x, tuple(shape))
    if type(x) is not Symbolic:
        x = Symbolic(x, x.chunks, x._meta) if x.ndim else Symbolic(None, (), x._meta, 1.0, x)
    if x.base is None:
        return Symbolic(None, chunks, x._meta, x.scale, x.factor)
    base = key_of(x.base, (None,) * (len(chunks) - x.base.ndim)) if x.base.ndim < len(chunks) else x.base
    return Symbolic(base, chunks, x._meta, x.scale, x.factor)


def plain(x: Any) -> Any:
    """What is no `Symbolic`, with the same values."""
    return x.plain() if type(x) is Symbolic else x


def aware(bodies: dict[str, Callable[..., Any]], xp: Any) -> dict[str, Callable[..., Any]]:
    """Functions that rules take cotangents through, for a `Symbolic` too: what is linear works on its base."""

    def body(name: str) -> Callable[..., Any]:
        return bodies.get(name) or getattr(xp, name)

    def rearranging(name: str) -> Callable[..., Array]:
        run = body(name)

        def rearranged(x: Array, *args: Any, **params: Any) -> Array:
            return x.rearranged(lambda y: run(y, *args, **params)) if type(x) is Symbolic else run(x, *args, **params)

        return rearranged

    def reshape(x: Array, shape: Any, *, copy: bool | None = None) -> Array:
        chunks = getattr(shape, "chunks", None)
        if chunks is None and isinstance(shape, tuple) and set(shape) == {1}:
            chunks = ((1,),) * len(shape)  # a number that is kept with its axes
        if type(x) is Symbolic and x.base is None and chunks is not None:
            return Symbolic(None, chunks, x._meta, x.scale, x.factor)
        made = reshaped(x, shape if chunks is None else tuple(shape), copy=copy)
        return made if chunks is None or type(made) is Symbolic else settle(made, _Like(chunks))

    def where(condition: Array, x1: Any, x2: Any) -> Array:
        if type(x1) is Symbolic and _is_zero(x2):
            return x1.masked(lambda y: choose(condition, y, 0), condition)
        if type(x2) is Symbolic and _is_zero(x1):
            return x2.masked(lambda y: choose(condition, 0, y), condition)
        if type(x1) is Symbolic and type(x2) is Symbolic:
            return x1.chosen(x2, lambda y1, y2: choose(condition, y1, y2))
        return choose(condition, plain(x1), plain(x2))

    def conj(x: Array) -> Array:
        if type(x) is not Symbolic:
            return conjugate(x)
        base, factor = (None if y is None else conjugate(y) for y in (x.base, x.factor))
        return Symbolic(base, x.chunks, x._meta, x.scale.conjugate(), factor)

    def rechunk(x: Array, *, chunks: Any) -> Array:
        return x.rearranged(lambda y: y.rechunk(chunks)) if type(x) is Symbolic else x.rechunk(chunks)

    def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
        chunks = getattr(shape, "chunks", None)
        return (
            make_zeros(shape, dtype=dtype, device=device)
            if chunks is None
            else full(chunks, 0, meta_on(device, len(shape), dtype))
        )

    reshaped, choose, conjugate, make_zeros = rearranging("reshape"), body("where"), body("conj"), body("zeros")
    names = ("permute_dims", "matrix_transpose", "expand_dims", "squeeze", "moveaxis", "getitem")
    return {
        **{name: rearranging(name) for name in names},
        **{f.__name__: f for f in (reshape, where, conj, rechunk, zeros, broadcast_to)},
        "add": operator.add,
        "subtract": operator.sub,
        "multiply": operator.mul,
        "divide": operator.truediv,
        "negative": operator.neg,
    }


class _Like:
    """What `settle` asks of an array."""

    def __init__(self, chunks: Chunks) -> None:
        self.chunks = chunks
        self.shape = tuple(map(sum, chunks))


def _is_zero(x: Any) -> bool:
    return type(x) in (int, float) and x == 0
