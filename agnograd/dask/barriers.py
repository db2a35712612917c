"""What is held in memory, and what is computed again, where data is needed on both sides of a reduction of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from agnograd.backends.dask import finish
from agnograd.backends.dask_barriers import held_bytes
from agnograd.core.array import Array, innermost
from agnograd.core.facts import describe, raw_space
from agnograd.core.views import settled
from agnograd.errors import BlocksError, ForeignArrayError

Policy = Literal["auto", "remat", "hold"]


@contextmanager
def saved(policy: Policy = "auto", *, limit: float | str | None = None) -> Iterator[None]:
    """Choose, within a block, what becomes of data that is needed again once all of it has been seen.

    In a batch that is normalised each chunk depends on numbers that depend on all chunks, and so do chunks of the
    gradients of many losses. They may be held until these are known, or read and computed again. Where only a factor
    without axes is late, as for a norm or the logarithm of a mean, it is multiplied last, which needs neither.

    Backward passes look at the graphs of the gradients that they find, and `agnograd.compute` at that of all that it
    computes; so put into the block what is to follow its policy.

    Parameters
    ----------
    policy : {"auto", "remat", "hold"}
        ``"auto"``, which holds without a block, too: compute again what would hold more than `limit` bytes, one result
        by itself or small ones together. ``"remat"``: compute all again, of whatever size, but single chunks and what
        lies in memory anyway, persisted arrays and those of NumPy. ``"hold"``: compute nothing again, as dask itself
        does.
    limit : float or str, optional
        Bytes of one intermediate result, as a number or as ``"1 GiB"``. By default dask's option ``array.chunk-size``.

    Raises
    ------
    BlocksError
        If there is no such policy, or no such size.

    See Also
    --------
    bounded : the same for arrays that are computed in other ways.

    Notes
    -----
    What is computed again must give the same values: a function of ``map_blocks`` that draws random numbers from a
    generator of its own does not. Those of `dask.array.random` do.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> x = ag.asarray(da.ones((1000, 2), chunks=(100, 2)))
    >>> w = ag.asarray(da.ones(2)).requires_grad_()
    >>> with ag.dask.saved("remat"):
    ...     h = x @ w
    ...     ag.sum((h - ag.mean(h)) ** 2).backward()
    ...     total = w.grad.tolist()
    >>> total
    [0.0, 0.0]
    """
    token = held_bytes.set(_bytes(policy, limit))
    try:
        yield
    finally:
        held_bytes.reset(token)


def _bytes(policy: str, limit: float | str | None) -> float | None:
    from dask.utils import parse_bytes

    if policy not in ("auto", "remat", "hold"):
        msg = f"unknown policy {policy!r}: it is 'auto', 'remat' or 'hold'"
        raise BlocksError(msg)
    if policy != "auto":
        if limit is not None:
            msg = f"limit= belongs to the policy 'auto', got it with {policy!r}"
            raise BlocksError(msg)
        return 0 if policy == "remat" else math.inf
    if limit is None:
        return None
    try:
        size = float(parse_bytes(limit) if isinstance(limit, str) else limit)
    except (TypeError, ValueError):
        size = -1
    if not size >= 0:
        msg = f"limit is a number of bytes or a text such as '1 GiB', got {limit!r}"
        raise BlocksError(msg)
    return size


def bounded(*arrays: Any) -> tuple[Any, ...]:
    """Raw arrays of dask with the values of some arrays, in a form that holds no more than the policy allows.

    For what dask computes by itself: ``dask.compute(*agnograd.dask.bounded(loss, w.grad))``. `agnograd.compute` and the
    like do this on their own.

    Parameters
    ----------
    *arrays : Tensor or dask.array.Array
        What is computed together.

    Returns
    -------
    tuple of dask.array.Array

    Raises
    ------
    ForeignArrayError
        If one is no array of dask.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> x = da.arange(10.0, chunks=2)
    >>> (y,) = ag.dask.bounded(x - x.mean())
    >>> y.compute()[:3]
    array([-4.5, -3.5, -2.5])
    """
    raw = [innermost(settled(x)) if isinstance(x, Array) else x for x in arrays]
    for x in raw:
        space = raw_space(x)
        if space.name != "dask":
            msg = f"bounded() takes arrays of dask, got {describe(x)}"
            raise ForeignArrayError(msg)
    return tuple(finish([raw_space(x).backend.expose(x) for x in raw]))
