"""Arrays that are too large for memory, written block by block, and values that are computed in the same pass."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

from agnograd.core.facts import describe, raw_space
from agnograd.dask.grid import Layout, whole_node
from agnograd.dask.values import computable, computed, finished, is_dask
from agnograd.errors import BlocksError, ForeignArrayError, MissingLibraryError
from agnograd.transforms.trees import flatten


def store(
    targets: Mapping[Any, Any] | Iterable[tuple[Any, Any]], *values: Any, lock: Any = True, **options: Any
) -> Any:
    """Write arrays to where there is room for them, and compute values with them, in one pass over the data.

    The gradient with respect to data is as large as the data: no compute could return it. Each of its blocks is written
    as soon as it is there, and then forgotten.

    Parameters
    ----------
    targets : mapping, or iterable of pairs
        Lazy arrays or tensors to where they go: anything that is assigned to as ``target[1:3, 5:7] = block``, an array
        of zarr or h5py or a ``numpy.memmap``, or the path of an array of zarr that is created then, with the same
        chunks.
    *values : tree of array
        What is computed besides, a loss for example.
    lock : bool or lock
        Whether writes wait for one another, for targets whose chunks are not those of the arrays; or the lock that they
        wait for.
    **options
        For the scheduler of dask.

    Returns
    -------
    array, tuple or None
        The values, in memory: one by itself, several as a tuple.

    Raises
    ------
    BlocksError
        If a target has another shape, if the sizes of the blocks are not known, or if writes would be lost: without a
        lock, where two blocks share a chunk of the target, or in the memory of another process.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> import numpy as np
    >>> x = ag.asarray(da.ones((4, 2), chunks=(2, 2))).requires_grad_()
    >>> loss = ag.sum(x**3)
    >>> loss.backward()
    >>> file = np.zeros((4, 2))  # stands for one on disk
    >>> ag.dask.store({x.grad: file}, loss.detach())
    tensor(8.)
    >>> file[0]
    array([3., 3.])
    """
    import dask
    import dask.array as da
    from dask.base import get_scheduler
    from dask.utils import get_scheduler_lock

    pairs = list(targets.items() if isinstance(targets, Mapping) else targets)
    leaves, structure = flatten(values)
    arrays = finished([computable(x) for x in (*[source for source, _ in pairs], *leaves)])
    scheduler = options.get("scheduler")
    if lock is True:
        lock = get_scheduler_lock(collection=da.Array, scheduler=scheduler)
    get = get_scheduler(scheduler=scheduler) or da.Array.__dask_scheduler__
    apart = not _shares_memory(get)
    sources, others = arrays[: len(pairs)], arrays[len(pairs) :]
    written = [_written(x, target, lock or None, apart) for x, (_, target) in zip(sources, pairs, strict=True)]
    _, found = dask.compute(written, others, **options)
    results = structure.unflatten([computed(x, like) for x, like in zip(found, leaves, strict=True)])
    return None if not values else results[0] if len(values) == 1 else results


def _shares_memory(get: Any) -> bool:
    """Whether a scheduler runs tasks in this process."""
    module = getattr(get, "__module__", "") or ""
    return module in {"dask.threaded", "dask.local"}


def _written(x: Any, target: Any, lock: Any, apart: bool) -> Any:
    """A lazy array of no axes: when it is computed, the source has been written."""
    import dask.array as da
    import numpy as np
    from dask._task_spec import Task, TaskRef
    from dask.blockwise import blockwise
    from dask.highlevelgraph import HighLevelGraph
    from dask.layers import ArraySliceDep

    if not is_dask(x):
        msg = f"dask.store writes lazy arrays, got one in memory ({describe(x)}): assign it, target[...] = x"
        raise ForeignArrayError(msg)
    if math.isnan(sum(x.shape)):
        msg = f"dask.store needs the sizes of blocks, which are not known yet ({describe(x)}): compute_chunk_sizes()"
        raise BlocksError(msg)
    if isinstance(target, (str, os.PathLike)):
        target = _created(os.fspath(target), x)
    _check(x, target, lock, apart)
    node, collection = whole_node(target)
    labels = tuple(range(x.ndim))
    parts, name = f"store-{node}", f"stored-{node}"
    pairs = [x.name, labels, ArraySliceDep(x.chunks), labels, TaskRef(node), None, lock, None]
    layer = blockwise(_write, parts, labels, *pairs, numblocks={x.name: x.numblocks})
    below = HighLevelGraph.from_collections(parts, layer, dependencies=[x, collection])
    keys = [TaskRef(Layout(labels, x.chunks, None).key(parts, place)) for place in np.ndindex(*x.numblocks)]
    done = {(name,): Task((name,), _done, *keys)}
    graph = HighLevelGraph({**below.layers, name: done}, {**below.dependencies, name: {parts}})
    return da.Array(graph, name, (), dtype=np.bool_)


def _check(x: Any, target: Any, lock: Any, apart: bool) -> None:
    import numpy as np

    shape = getattr(target, "shape", None)
    if shape is None or not hasattr(target, "__setitem__"):
        msg = (
            f"dask.store writes to arrays of zarr, h5py and the like, or paths of zarr, got a {type(target).__name__}, "
            f"which has no shape or cannot be assigned to"
        )
        raise BlocksError(msg)
    if tuple(shape) != tuple(x.shape):
        msg = f"dask.store was given a target of shape {tuple(shape)} for an array of shape {tuple(x.shape)}"
        raise BlocksError(msg)
    dtype = getattr(target, "dtype", x.dtype)
    if not np.can_cast(x.dtype, dtype, casting="same_kind"):
        msg = f"dask.store was given a target of {dtype} for an array of {x.dtype}, whose values it cannot hold"
        raise BlocksError(msg)
    if apart and type(target) is np.ndarray:
        msg = (
            "dask.store was given an array in the memory of this process, and tasks run in others, which would write "
            "to copies of it. Give it a file: an array of zarr, or a numpy.memmap."
        )
        raise BlocksError(msg)
    chunks = getattr(target, "chunks", None)
    if lock is None and chunks is not None and not _aligned(x.chunks, chunks):
        msg = (
            f"blocks of the array ({x.chunks}) share chunks of the target ({chunks}), and without a lock one would "
            f"overwrite the other. Leave lock=True, or rechunk the array to multiples of the target's chunks."
        )
        raise BlocksError(msg)


def _aligned(chunks: Any, of_target: Any) -> bool:
    """Whether all blocks but the last ones end where a chunk of the target ends."""
    for sizes, size in zip(chunks, of_target, strict=True):
        end = 0
        for n in sizes[:-1]:
            end += n
            if end % size:
                return False
    return True


def _created(path: str, x: Any) -> Any:
    """A new array of zarr like a lazy one."""
    try:
        import zarr
    except ImportError:
        msg = f"dask.store needs zarr to create {path!r}, and it is not installed. Install it with: pip install zarr"
        raise MissingLibraryError(msg) from None
    if any(n != sizes[0] for sizes in x.chunks for n in sizes[:-1]) or any(c[-1] > c[0] for c in x.chunks):
        msg = (
            f"arrays of zarr have chunks of one size, and those of the array are {x.chunks}. Rechunk it, or create the "
            f"array of zarr yourself."
        )
        raise BlocksError(msg)
    sizes = tuple([max(c[0], 1) for c in x.chunks])
    return zarr.open_array(path, mode="w-", shape=x.shape, chunks=sizes, dtype=x.dtype)


def _write(block: Any, region: tuple[slice, ...], target: Any, lock: Any) -> None:
    space = raw_space(block)
    if not isinstance(target, type(block)):
        block = space.backend.to_host(block)
    if lock is None:
        target[region] = block
        return
    with lock:
        target[region] = block


def _done(*parts: Any) -> Any:
    import numpy as np

    return np.asarray(len(parts) >= 0)
