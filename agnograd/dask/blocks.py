"""`map_blocks`: a function of chunks, of which derivatives are functions of chunks too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agnograd.core.array import Array
from agnograd.core.nodes import wrap
from agnograd.dask.arguments import Arguments
from agnograd.dask.grid import Layout, meta_of
from agnograd.dask.mapped import Mapped
from agnograd.errors import BlocksError
from agnograd.transforms.arguments import check_callable


def map_blocks(
    f: Callable[..., Any],
    *args: Any,
    name: str | None = None,
    dtype: Any = None,
    chunks: Sequence[Any] | None = None,
    drop_axis: int | Sequence[int] = (),
    new_axis: int | Sequence[int] = (),
    meta: Any = None,
    split_every: int | None = None,
    **kwargs: Any,
) -> Any:
    """Map a function over the blocks of arrays of dask, as `dask.array.map_blocks`, with derivatives block by block.

    The derivative is a function of blocks again: one task for each block runs the whole forward pass and the way back
    on raw chunks, by the rules that differentiate code on arrays in memory. However many operations the function has,
    the graph grows by one task for each block.

    Parameters
    ----------
    f : callable
        Function of chunks to a chunk, in code that agnograd differentiates: it gets plain arrays of the chunks'
        library, and tensors of them for a derivative. It is sent to workers: a function of a module, or, on
        ``dask.distributed``, any.
    *args, **kwargs
        Its arguments, or trees of them. Arrays of dask are aligned as in broadcasting, block by block; one with a
        single block along an axis is given to all blocks along that axis. All other arrays, parameters for instance,
        are given whole to each block; their gradient is the sum over blocks, lazy as all results.
    name : str, optional
        What the tasks are called.
    dtype : dtype, optional
        That of the result. By default, the function is called with chunks of no elements, or of two, to find out.
        Given here or by `meta`, chunks are cast to it.
    chunks : sequence, optional
        The chunks of the result, where they are not those of the arguments: for each axis the size of all chunks, or a
        tuple of sizes. Along axes of one block the size is found out where `dtype` and `meta` are not given.
    drop_axis : int or sequence of int
        Axes of the arguments that the result does not have. The arguments are put into one chunk along them.
    new_axis : int or sequence of int
        Axes of the result that the arguments do not have.
    meta : array, optional
        An array of no elements, like a chunk of the result.
    split_every : int, optional
        How many blocks are summed at a time for the gradient of what several blocks were given.

    Returns
    -------
    array
        A tensor, if an argument was one. Without an array of dask among the arguments there is one block: the call is
        one of `f`.

    Raises
    ------
    BlocksError
        If blocks do not fit together, or what the function returns does not fit them.
    FunctionError
        If the function closes over an array that is differentiated: that is not known in another process. Pass it as an
        argument.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> import numpy as np
    >>> from agnograd.dask import map_blocks
    >>> def distances(x, centre):
    ...     return ag.sqrt(ag.sum((x - centre) ** 2, axis=1, keepdims=True))
    >>> x = da.ones((6, 2), chunks=(2, 2))
    >>> centre = ag.tensor([1.0, 0.0], requires_grad=True)
    >>> ag.grad(lambda c: ag.sum(map_blocks(distances, x, c)))(np.asarray([1.0, 0.0])).compute()
    array([ 0., -6.])
    """
    check_callable(f, "dask.map_blocks")
    given = Arguments(args, kwargs)
    if not any(given.chunked):
        return f(*args, **kwargs)
    dropped, new = _axes(drop_axis), _axes(new_axis)
    labels = list(range(len(given.grid)))
    for axis in dropped:
        if not -len(labels) <= axis < len(labels):
            msg = f"drop_axis={axis} is no axis of blocks of {len(labels)} axes"
            raise BlocksError(msg)
        if given.grid[axis % len(labels)] > 1:
            given.one_block(axis % len(labels))
    own = [n for n in labels if n not in {axis % len(labels) for axis in dropped}]
    for axis in sorted(new):
        own.insert(axis, len(given.grid))
        given.grid.append(1)
        given.sizes.append((1,))
    wanted = dtype if dtype is not None else None if meta is None else meta.dtype
    body = given.call(f, wanted)
    found = None
    if meta is None and dtype is None:
        (found,) = given.sampled(body, "map_blocks")
        if not hasattr(found, "shape"):
            found = _array_of(found, given)
        if len(found.shape) != len(own):
            msg = (
                f"the function returns chunks of {len(found.shape)} axes, where blocks have {len(own)}. Say which axes "
                f"of the arguments the result does not have with drop_axis, and which it has besides with new_axis."
            )
            raise BlocksError(msg)
    like = meta_of(found if meta is None else meta) if dtype is None else _cast(given, meta, dtype)
    sizes = _sizes(given, own, chunks, found)
    layout = Layout(tuple(own), sizes, meta_of(like, len(own)))
    mapped = Mapped(
        body,
        name or getattr(f, "__name__", "map_blocks").strip("<>"),
        tuple(given.grid),
        tuple(given.layouts),
        (layout,),
        split_every,
    )
    (out,) = mapped.run(given.arrays)
    return wrap(out, None) if given.tensors and not isinstance(out, Array) else out


def _axes(axes: int | Sequence[int]) -> tuple[int, ...]:
    return (axes,) if isinstance(axes, int) else tuple(axes)


def _array_of(x: Any, given: Arguments) -> Any:
    """A number that a function returned, as an array like those that it was given."""
    from agnograd.core.facts import raw_space

    k = given.chunked.index(True)
    return raw_space(given.layouts[k].meta).asarray(x)


def _cast(given: Arguments, meta: Any, dtype: Any) -> Any:
    k = given.chunked.index(True)
    return (given.layouts[k].meta if meta is None else meta_of(meta)).astype(dtype)


def _sizes(
    given: Arguments, own: Sequence[int], chunks: Sequence[Any] | None, found: Any
) -> tuple[tuple[int, ...], ...]:
    """The chunks of the result."""
    if chunks is not None:
        if len(chunks) != len(own):
            msg = f"chunks has {len(chunks)} items, and the result of map_blocks {len(own)} axes"
            raise BlocksError(msg)
        sizes = [
            tuple(c) if isinstance(c, (tuple, list)) else (c,) * given.grid[n] for c, n in zip(chunks, own, strict=True)
        ]
        for axis, (c, n) in enumerate(zip(sizes, own, strict=True)):
            if len(c) != given.grid[n]:
                msg = f"chunks has {len(c)} sizes for axis {axis} of the result, which has {given.grid[n]} blocks"
                raise BlocksError(msg)
        return tuple(sizes)
    open_labels = given.open_labels()
    for axis, n in enumerate(own):
        if (
            found is not None
            and given.grid[n] > 1
            and max(given.sizes[n]) > 1
            and found.shape[axis] != given.sample_size
        ):
            msg = (
                f"the function returns chunks of {found.shape[axis]} elements along axis {axis} for arguments of "
                f"{given.sample_size}. Say of how many for each block with chunks=, or drop the axis with drop_axis."
            )
            raise BlocksError(msg)
    return tuple(
        given.sizes[n] if found is None or n in open_labels else (int(found.shape[axis]),) for axis, n in enumerate(own)
    )
