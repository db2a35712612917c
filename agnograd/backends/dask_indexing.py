"""Indexing, repetition and sets on dask: what it refuses, and shapes that depend on data.

Such shapes are unknown until something is computed. `known_shapes` is the option that computes them at once.
"""

from __future__ import annotations

import contextlib
import math
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from agnograd.backends.dask_blocks import gather, meta_like
from agnograd.backends.dask_devices import with_meta
from agnograd.backends.dask_sizes import alike, declared, is_unknown, one_chunk_each, unknown_sizes

Array = Any

_known: ContextVar[bool] = ContextVar("agnograd_dask_known_shapes", default=False)


@contextlib.contextmanager
def known_shapes() -> Iterator[None]:
    """Compute, within a block, the sizes that depend on data, where they come up.

    Masks, ``nonzero``, ``unique_*`` and ``repeat`` by an array then have results of known shape, as code expects that
    was written for arrays in memory. Each of them computes its arguments for it.

    For example::

        x = agnograd.namespace("dask").asarray([1.0, 0.0, 2.0])
        x[x > 0].shape  # (None,)
        with known_shapes():
            x[x > 0].shape  # (2,)
    """
    token = _known.set(True)
    try:
        yield
    finally:
        _known.reset(token)


def sized(x: Array) -> Array:
    """An array of the backend's own making, with the sizes of its chunks where the option asks for them."""
    if _known.get() and any(math.isnan(n) for n in x.shape):
        x.compute_chunk_sizes()
    return x


def kernels() -> dict[str, Callable[..., Any]]:
    """Bodies for what dask refuses, and with the option for unknown shapes."""
    import array_api_compat.dask.array
    import dask.array as da
    import numpy as np

    from agnograd.backends import dask_sums

    xp: Any = array_api_compat.dask.array

    def take(x: Array, indices: Array, *, axis: int | None = None) -> Array:
        if is_unknown((x.shape[0 if axis is None else axis],)):
            raise unknown_sizes(take.__name__, x)
        with complex_meta(x):
            return with_meta(x, da.take(x, indices, axis=0 if axis is None else axis))

    def take_along_axis(x: Array, indices: Array, *, axis: int = -1) -> Array:
        # The array is put into one chunk along the axis; the indices keep theirs.
        a = axis % x.ndim
        x = gather(x, (a,), "take_along_axis")
        out = tuple(range(x.ndim))
        return da.blockwise(
            _along_axis_block, out, x, tuple(x.ndim if i == a else i for i in out), indices, out, a, None,
            dtype=x.dtype, concatenate=True, meta=meta_like(x),
        )  # fmt: skip

    def repeat(x: Array, repeats: Any, *, axis: int | None = None) -> Array:
        if axis is None:
            x, axis = reshape(x, (-1,)), 0
        axis %= x.ndim
        if hasattr(repeats, "dask"):
            return sized(_repeated(x, repeats, axis))
        if 0 in x.shape:
            return da.zeros([n * repeats if i == axis else n for i, n in enumerate(x.shape)], dtype=x.dtype)
        return da.repeat(x, repeats, axis=axis)

    def reshape(x: Array, shape: Any, *, copy: bool | None = None) -> Array:
        # Dask refuses most shapes of no elements.
        sizes: Any = tuple(math.nan if n is None else n for n in ((shape,) if isinstance(shape, int) else shape))
        if x.ndim and (alike(x.shape, sizes) or sizes == (-1,) == (-x.ndim,)) and not copy:
            return x
        ones = _ones_moved(x, sizes)
        if ones is not None:
            return ones
        if is_unknown((*x.shape, *sizes)):
            found = declared(x, sizes)
            if found is None:
                what = f"reshape to {shape}"
                raise unknown_sizes(what, x)
            return found
        known = math.prod(n for n in sizes if n != -1)
        if sizes.count(-1) > 1 or (x.size % known if -1 in sizes and known else x.size != known):
            msg = f"cannot reshape array of size {x.size} into shape {tuple(sizes)}"
            raise ValueError(msg)
        if 0 in x.shape and sizes.count(-1) == (known != 0):
            return da.zeros([0 if n == -1 else n for n in sizes], dtype=x.dtype)
        try:
            return da.reshape(x.copy() if copy else x, sizes)
        except NotImplementedError:
            # Axes that neither merge nor split evenly, which needs -1 to be known.
            return _reshaped_by_rows(x, tuple(x.size // known if n == -1 else n for n in sizes))

    def expand_dims(x: Array, *, axis: int | tuple[int, ...] = 0) -> Array:
        # Dask's own stumbles over an axis that is named twice.
        axes = np.lib.array_utils.normalize_axis_tuple(axis, x.ndim + (1 if isinstance(axis, int) else len(axis)))
        return dask_sums.with_axes(x, tuple(sorted(axes)))

    def getitem(x: Array, key: Any) -> Array:
        parts = [_plain(k) for k in (key if isinstance(key, tuple) else (key,))]
        masks = [k for k in parts if getattr(k, "dtype", None) == np.bool_]
        if len(masks) == len(parts) == 1 and not _masks_by_chunk(masks[0], x):
            return sized(_masked(x, masks[0]))
        if not masks and _needs_numpy(parts):
            return _picked(x, parts)
        within = within_chunks(x, parts)
        if within is not None:
            return within
        with complex_meta(x):
            return sized(with_meta(x, x[tuple(parts)]))

    def nonzero(x: Array) -> tuple[Array, ...]:
        if 0 in x.shape:
            return tuple(da.zeros((0,), dtype=np.int64) for _ in x.shape)
        return tuple(sized(indices) for indices in xp.nonzero(x))

    def unique(name: str) -> Callable[[Array], Any]:
        function = getattr(xp, name)

        def run(x: Array) -> Any:
            found = function(x)
            return type(found)(*map(sized, found)) if isinstance(found, tuple) else sized(found)

        return run

    functions: list[Any] = [take, take_along_axis, repeat, reshape, expand_dims, getitem, nonzero]
    sets = ("unique_all", "unique_counts", "unique_inverse", "unique_values")
    return {**{function.__name__: function for function in functions}, **{name: unique(name) for name in sets}}


@contextlib.contextmanager
def complex_meta(x: Array) -> Iterator[None]:
    """Dask casts an empty array like `x` to other dtypes, integers say: of that NumPy warns where `x` is complex."""
    if x.dtype.kind != "c":
        yield
        return
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        yield


# -- slices and shapes within chunks ---------------------------------------------------------------------------------


def within_chunks(x: Array, parts: Sequence[Any]) -> Array | None:
    """A basic index that cuts no axis of several chunks: one task for each chunk, which fuses; None for all others."""
    import dask.array as da
    from dask.array.utils import meta_from_array

    missing = x.ndim - sum(k is not None and k is not Ellipsis for k in parts)
    at = next((i for i, k in enumerate(parts) if k is Ellipsis), len(parts))
    if missing < 0 or any(isinstance(k, bool) or not _basic(k) for k in parts):
        return None
    parts = [*parts[:at], *[slice(None)] * missing, *parts[at + 1 :]]
    out: list[int] = []
    new: list[int] = []
    cut: dict[int, int] = {}
    axis = 0
    for i, k in enumerate(parts):
        if k is None:
            out.append(x.ndim + i)
            new.append(x.ndim + i)
            continue
        n = x.shape[axis]
        if not (isinstance(k, slice) and k == slice(None)):
            if x.numblocks[axis] != 1 or math.isnan(n) or (not isinstance(k, slice) and not -n <= k < n):
                return None
            cut[axis] = len(range(n)[k]) if isinstance(k, slice) else 1
        if isinstance(k, slice):
            out.append(axis)
        axis += 1
    if not new and not cut:
        return x.copy()
    beside = (one_chunk_each([1] * len(new)), tuple(new)) if new else ()
    return da.blockwise(
        _key_block, tuple(out), x, tuple(range(x.ndim)), *beside, key=tuple(parts),
        align_arrays=False, adjust_chunks={a: n for a, n in cut.items() if a in out},
        dtype=x.dtype, meta=meta_from_array(x._meta, ndim=len(out)),
    )  # fmt: skip


def _basic(k: Any) -> bool:
    return k is None or k is Ellipsis or isinstance(k, slice) or (hasattr(k, "__index__") and not hasattr(k, "dtype"))


def _key_block(x: Any, _sizes: Any = None, *, key: tuple[Any, ...]) -> Any:
    while type(x) is list:  # see dask_sums.only_block
        (x,) = x
    return x[key]


def _reshaped_by_rows(x: Array, sizes: tuple[int, ...]) -> Array:
    """Any shape of as many elements: whole rows one after the other, then in chunks of whole rows of the new shape."""
    flat = gather(x, range(1, x.ndim), f"reshape to {sizes}", split=True).reshape((-1,))
    row = math.prod(sizes[1:])
    most = max(flat.chunks[0])
    return flat.rechunk((row * max(1, most // row),)).reshape(sizes)


def _ones_moved(x: Array, sizes: tuple[int, ...]) -> Array | None:
    """An array with axes of size one put in or taken out; None where a shape asks for more."""
    from agnograd.backends import dask_sums

    if not alike([n for n in sizes if n != 1], [n for n in x.shape if n != 1]):
        return None
    ones = tuple(a for a, n in enumerate(x.shape) if n == 1)
    x = dask_sums.without_axes(x, ones) if ones else x
    ones = tuple(a for a, n in enumerate(sizes) if n == 1)
    return dask_sums.with_axes(x, ones) if ones else x


# -- several arrays of indices -----------------------------------------------------------------------------------------


def _plain(k: Any) -> Any:
    """A part of a key as dask takes it: bounds of slices may be whatever is an index."""
    if isinstance(k, slice):
        return slice(*(None if n is None else operator.index(n) for n in (k.start, k.stop, k.step)))
    return k


def _masks_by_chunk(mask: Array, x: Array) -> bool:
    return bool(mask.ndim == 1 or (mask.ndim == x.ndim > 0 and 0 not in x.shape))


def _needs_numpy(parts: Sequence[Any]) -> bool:
    """Whether a key has several arrays of indices, or one beside numbers, or one that is not one-dimensional."""
    arrays = [k for k in parts if hasattr(k, "dtype")]
    return bool(arrays) and (len(arrays) > 1 or arrays[0].ndim != 1 or any(isinstance(k, int) for k in parts))


def _picked(x: Array, parts: Sequence[Any]) -> Array:
    """NumPy's indexing by arrays: slices first, then one task for each chunk along the other axes."""
    import dask.array as da

    missing = x.ndim - sum(k is not None and k is not Ellipsis for k in parts)
    full = [slice(None)] * missing
    at = next((i for i, k in enumerate(parts) if k is Ellipsis), len(parts))
    parts = [*parts[:at], *full, *parts[at + 1 :]]
    # What is no slice is an index, numbers too.
    x = x[tuple(k if k is None or isinstance(k, slice) else slice(None) for k in parts)]
    axes = [i for i, k in enumerate(parts) if not (k is None or isinstance(k, slice))]
    indices = da.broadcast_arrays(*(da.asarray(parts[i]) for i in axes))
    labels = tuple(range(x.ndim, x.ndim + indices[0].ndim))
    kept = [i for i in range(x.ndim) if i not in axes]
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    first = axes[0] if together else 0
    out = (*kept[:first], *labels, *kept[first:])
    arrays = [part for i in indices for part in (i.rechunk(-1), labels)]
    whole = gather(x, axes, "an index of several arrays")
    return da.blockwise(
        _pick_block, out, whole, tuple(range(x.ndim)), *arrays, axes=tuple(axes),
        dtype=x.dtype, concatenate=True, meta=meta_like(x, len(out)),
    )  # fmt: skip


def _pick_block(x: Any, *indices: Any, axes: tuple[int, ...]) -> Any:
    key: list[Any] = [slice(None)] * x.ndim
    for axis, i in zip(axes, indices, strict=True):
        key[axis] = i
    return x[tuple(key)]


def _along_axis_block(x: Any, indices: Any, axis: int) -> Any:
    import numpy as np

    return np.take_along_axis(x, indices, axis)


# -- shapes that depend on data ----------------------------------------------------------------------------------------


def _masked(x: Array, mask: Array) -> Array:
    """Elements where a mask of any number of axes holds, in one task."""
    import dask
    import dask.array as da
    import numpy as np

    if mask.shape != x.shape[: mask.ndim]:
        msg = f"a mask of shape {mask.shape} does not fit an array of shape {x.shape}"
        raise IndexError(msg)
    shape = (np.nan, *x.shape[mask.ndim :])
    return da.from_delayed(
        dask.delayed(operator.getitem, pure=True)(x, mask), shape=shape, meta=meta_like(x, len(shape))
    )


def _repeated(x: Array, repeats: Array, axis: int) -> Array:
    """Repetition by an array, in one chunk along the axis."""
    import dask.array as da
    import numpy as np

    new = x.ndim
    return da.blockwise(
        _repeat_block, tuple(new if i == axis else i for i in range(x.ndim)), gather(x, (axis,), "repeat"),
        tuple(range(x.ndim)), repeats.rechunk(-1), (new + 1,) * repeats.ndim, axis=axis, new_axes={new: np.nan},
        dtype=x.dtype, concatenate=True, meta=meta_like(x),
    )  # fmt: skip


def _repeat_block(x: Any, repeats: Any, axis: int) -> Any:
    import numpy as np

    return np.repeat(x, repeats, axis)
