"""Operations of the table on the chunks of dask arrays, whatever library these are of.

A task knows a chunk and the name of an operation. It looks that up for the chunk's own type, so that chunks of CuPy
stay on their device, and graphs are small and can be pickled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from agnograd.backends.dask_sizes import is_unknown, unknown_sizes
from agnograd.core.table import spaces
from agnograd.errors import UnsupportedError

Array = Any

# What one chunk may grow to where an algorithm needs all of an axis in it; for ``dask.config.set``.
LIMIT = "agnograd.gather-limit"
DEFAULT_LIMIT = "256MiB"


def on_block(name: str, **params: Any) -> Callable[..., Any]:
    """The operation of that name as a function of chunks; several outputs come as a plain tuple, as dask takes them.

    Examples
    --------
    >>> import numpy as np
    >>> on_block("linalg.trace")(np.eye(2)).item()
    2.0
    """
    return partial(_run, name, **params) if params else partial(_run, name)


def _run(name: str, x: Any, *rest: Any, **params: Any) -> Any:
    found: Any = spaces[type(x)]
    for part in name.split("."):
        found = getattr(found, part)
    out = found(x, *rest, **params)
    return tuple(out) if isinstance(out, tuple) else out


def meta_like(x: Array, ndim: int | None = None, dtype: Any = None) -> Any:
    """An empty chunk of the library of those of `x`."""
    import dask.array.utils

    found: Any = dask.array.utils.meta_from_array(x, ndim=x.ndim if ndim is None else ndim)
    return found if dtype is None or found.dtype == dtype else found.real.astype(dtype)


def empty_block(x: Array) -> Any:
    """All of an array that has no elements, as one chunk."""
    import numpy as np

    return np.empty_like(meta_like(x), shape=x.shape)


def from_block(block: Any) -> Array:
    """A dask array of one chunk."""
    import dask.array as da

    return da.from_array(block, chunks=-1, asarray=False)


def limit() -> int:
    """The bytes that one chunk may have to hold where chunks are put together."""
    import dask
    from dask.utils import parse_bytes

    return int(parse_bytes(dask.config.get(LIMIT, DEFAULT_LIMIT)))


def largest(chunks: Sequence[Sequence[int]], itemsize: int) -> float:
    """The bytes of the largest chunk; NaN where a size is unknown."""
    return math.prod(_most(sizes) for sizes in chunks) * itemsize


def _most(sizes: Sequence[int]) -> float:
    return math.nan if any(math.isnan(n) for n in sizes) else max(sizes, default=0)


def fits(x: Array, axes: Sequence[int]) -> bool:
    """Whether the limit lets `axes` be in one chunk: where they are already, or the chunk would be small enough."""
    return is_whole(x, axes) or not largest(gathered_chunks(x, axes), x.dtype.itemsize) > limit()


def is_whole(x: Array, axes: Sequence[int]) -> bool:
    """Whether each of `axes` is in one chunk."""
    return all(len(x.chunks[a]) == 1 for a in axes)


def gathered_chunks(x: Array, axes: Sequence[int]) -> list[tuple[int, ...]]:
    """The chunks with `axes` in one each."""
    over = {a % x.ndim for a in axes}
    return [(sum(sizes),) if a in over else sizes for a, sizes in enumerate(x.chunks)]


def whole_block(x: Array) -> Array:
    """A small array, of indices say, in one chunk."""
    return x if all(n == 1 for n in x.numblocks) else x.rechunk(-1)


def gather(x: Array, axes: Sequence[int], what: str, *, split: bool = False) -> Array:
    """The array with each of `axes` in one chunk.

    Parameters
    ----------
    x : dask array
    axes : sequence of int
    what : str
        What needs it, for the message.
    split : bool
        Whether the other axes may come in smaller chunks, to stay below the limit.

    Raises
    ------
    UnsupportedError
        If a chunk would be larger than the limit.
    """
    if is_whole(x, axes):
        return x
    if is_unknown([x.shape[a] for a in axes]):
        raise unknown_sizes(what, x)
    if fits(x, axes):
        return x.rechunk(dict.fromkeys(axes, -1))
    import dask
    from dask.utils import format_bytes

    over = {a % x.ndim for a in axes}
    if split and math.prod(x.shape[a] for a in over) * x.dtype.itemsize <= limit():
        # Dask may go beyond the size that it is given by a part of it.
        with dask.config.set({"array.chunk-size-tolerance": 1}):
            return x.rechunk({a: -1 if a in over else "auto" for a in range(x.ndim)}, block_size_limit=limit())
    size = largest(gathered_chunks(x, axes), x.dtype.itemsize)
    msg = (
        f"{what} needs {'axis' if len(over) == 1 else 'the axes'} {', '.join(map(str, sorted(over)))} of an array of "
        f"shape {x.shape} and dtype {x.dtype} in one chunk, which would have {format_bytes(size)}, more than the limit "
        f"of {format_bytes(limit())}. Rechunk it, x.rechunk({dict.fromkeys(sorted(over), -1)}), with smaller chunks "
        f"along the other axes, if a worker has the memory; or raise the limit, dask.config.set({{{LIMIT!r}: '4GiB'}})"
    )
    raise UnsupportedError(msg)
