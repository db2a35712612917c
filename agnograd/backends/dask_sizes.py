"""Sizes that depend on data: an array whose size is unknown, where it is known from elsewhere what it has to be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from agnograd.errors import UnsupportedError

Array = Any


def is_unknown(shape: Sequence[Any]) -> bool:
    """Whether a size is NaN, as dask has it where it depends on data."""
    return any(map(math.isnan, shape))


def alike(shape: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two shapes are the same, where one that is unknown in both is taken for the same."""
    return len(shape) == len(other) and all(
        m == n or (math.isnan(m) and math.isnan(n)) for m, n in zip(shape, other, strict=True)
    )


def unknown_sizes(what: str, x: Array) -> UnsupportedError:
    """The error for what needs to know a size that depends on data."""
    return UnsupportedError(
        f"{what} needs to know all sizes of an array of shape {x.shape}, of which those that are NaN depend on data. "
        f"Call compute_chunk_sizes() on the dask array, which computes it, or run the code within "
        f"agnograd.backends.dask_indexing.known_shapes(), which does so wherever such an array comes up."
    )


def one_chunk_each(sizes: Sequence[Any]) -> Any:
    """An argument of ``blockwise`` that brings axes of one chunk each along, which its function gets the sizes of.

    With ``new_axes=`` dask would hold on to the one chunk where it puts two operations together, and lose the others of
    an array that the first one's result meets in the second.
    """
    from dask.layers import ArrayChunkShapeDep

    return ArrayChunkShapeDep(tuple((n,) for n in sizes))


def declared(x: Array, shape: tuple[int, ...]) -> Array | None:
    """The array with the sizes that `shape` says in place of unknown ones, which is checked when it is computed.

    The axes concerned are put into one chunk. None where the shapes differ in more than what is unknown.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> x = da.from_array(np.asarray([1.0, -1.0, 2.0]), chunks=1)
    >>> declared(x[x > 0], (2,)).compute()
    array([1., 2.])
    """
    import dask.array as da

    if (
        len(shape) != x.ndim
        or is_unknown(shape)
        or any(m != n and not math.isnan(m) for m, n in zip(x.shape, shape, strict=True))
    ):
        return None
    axes = [a for a, n in enumerate(x.shape) if math.isnan(n)]
    out = tuple(x.ndim + a if a in axes else a for a in range(x.ndim))
    return da.blockwise(
        _checked_block, out, x, tuple(range(x.ndim)), one_chunk_each([shape[a] for a in axes]),
        tuple(x.ndim + a for a in axes), axes=tuple(axes), concatenate=True, align_arrays=False,
        dtype=x.dtype, meta=x._meta,
    )  # fmt: skip


def _checked_block(x: Any, sizes: tuple[int, ...], *, axes: tuple[int, ...]) -> Any:
    found = tuple(x.shape[a] for a in axes)
    if found != sizes:
        msg = (
            f"an array whose size depends on data has the sizes {found} along the axes {axes}, where {sizes} are needed"
        )
        raise ValueError(msg)
    return x
