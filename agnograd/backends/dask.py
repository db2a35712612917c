"""dask.array: data larger than memory, computed only when asked.

This describes it, and is imported with agnograd; the modules beside it do the work, and are imported when dask is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from agnograd.core.table import spaces
from agnograd.hookspecs import Backend, hookimpl

Array = Any

_SYMBOLIC = "agnograd.backends.dask_cotangents:Symbolic"


def to_host(x: Array) -> Array:
    """Compute the values."""
    import numpy as np

    (x,) = finish([expose(x)])
    block = x.compute()
    return np.asarray(spaces[type(block)].backend.to_host(block))


def copy(x: Array) -> Array:
    """An array of its own over the same graph: writes go to that object alone, nothing is computed or copied."""
    return x.copy()


def device(x: Array) -> Any:
    """That of the chunks."""
    from agnograd.backends import dask_devices

    return dask_devices.device(x)


def shape(x: Array) -> Any:
    """The shape that rules are told, with the chunks."""
    from agnograd.backends.dask_cotangents import shape_of

    raw = x
    while hasattr(raw, "_array"):
        raw = raw._array
    # A batch has an axis more than each of its members.
    return shape_of(raw) if raw.ndim == len(x.shape) else tuple(x.shape)


def seed(root: Array) -> Array:
    """Ones like the root of a pass, as a number that is multiplied before anything is computed."""
    from agnograd.backends import dask_cotangents

    return dask_cotangents.seed(root)


def settle(g: Array, like: Array | None) -> Array:
    """A gradient in the chunks of its array."""
    from agnograd.backends import dask_cotangents

    return dask_cotangents.settle(g, like)


def finish(arrays: Sequence[Array]) -> Sequence[Array]:
    """The same arrays on graphs that hold no more, and fuse no more, than they should."""
    from agnograd.backends import dask_barriers, dask_seams

    return dask_seams.shallow(dask_barriers.finish(arrays))


def expose(x: Array) -> Array:
    """An ordinary array."""
    from agnograd.backends.dask_cotangents import plain

    return plain(x)


def hold(arrays: Sequence[Array], question: Array) -> tuple[Sequence[Array], bool]:
    """Arrays kept in memory, and what one of a single element says, all of it in one pass over the data."""
    import dask

    *kept, last = dask.persist(*finish([expose(x) for x in (*arrays, question)]))
    block = last.dask[(last.name,)]
    block = getattr(block, "value", block)
    # On a cluster the value is there, too.
    return kept, bool(block if hasattr(block, "dtype") else last.compute())


def describe(x: Array) -> str:
    """Shape, dtype and chunks; the values would have to be computed."""
    return f"shape={tuple(x.shape)}, dtype={x.dtype}, chunks={x.chunks}"


def _drawn(draw: str) -> Callable[..., Array]:
    def random(shape: tuple[int, ...], *, dtype: Any, device: Any, seed: int) -> Array | None:
        import dask
        import dask.array as da
        import numpy as np
        from dask.utils import parse_bytes

        if math.prod(shape) * np.dtype(dtype).itemsize <= parse_bytes(dask.config.get("array.chunk-size")):
            return None  # one chunk: NumPy's, which are the same on every backend
        x = getattr(da.random.default_rng(seed), draw)(size=shape, chunks="auto").astype(dtype)
        return x if device is None else spaces[da.Array].asarray(x, device=device)

    return random


randn: Callable[..., Array] = _drawn("standard_normal")
rand: Callable[..., Array] = _drawn("random")


def kernels() -> dict[str, Callable[..., Any]]:
    """What dask.array lacks or gets wrong, from what it has."""
    from agnograd.backends import dask_kernels

    return dask_kernels.kernels()


def probe() -> None:
    """Refuse the expressions that dask.array may be made of instead of graphs: rules and kernels are written for those.

    Raises
    ------
    RuntimeError
        If they are switched on.
    """
    import dask.array as da

    if getattr(da, "array_expr_enabled", bool)():
        msg = (
            "dask.array was imported with the option array.query-planning, under which its arrays have no graph. "
            "Switch that off before dask.array is imported, dask.config.set({'array.query-planning': False})"
        )
        raise RuntimeError(msg)


def lift(x: Any) -> Array:
    """An array in memory as one chunk, which stays where it is."""
    import dask.array as da

    return da.from_array(x, chunks=-1, asarray=False)


@hookimpl
def agnograd_backends() -> Iterable[Backend]:
    """Dask's description."""
    yield Backend(
        name="dask",
        namespace="array_api_compat.dask.array",
        # The second is refused by the probe, with a reason.
        array_types=("dask.array.core:Array", "dask.array._array_expr._collection:Array", _SYMBOLIC),
        requires=("dask", "dask.array"),
        extra="dask",
        probe=probe,
        lazy=True,
        # Arrays in memory beside larger ones are parameters. They travel in the graph, once for each gradient.
        lifts={"numpy": 2**20, "cupy": 2**20},
        lift=lift,
        to_host=to_host,
        expose=expose,
        shape=shape,
        seed=seed,
        settle=settle,
        hold=hold,
        finish=finish,
        copy=copy,
        device=device,
        describe=describe,
        randn=randn,
        rand=rand,
        kernels=kernels,
        generator="agnograd.compiler.on_dask:generate",
        doc="dask arrays: chunked, lazy, larger than memory",
        url="https://docs.dask.org/en/stable/array.html",
    )
