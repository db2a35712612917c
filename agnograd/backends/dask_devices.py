"""Whose chunks a dask array has: NumPy's, or those of a library on a device, CuPy say.

The device of a dask array is that of its chunks. An array that a rule creates beside another, on its device, has chunks
of the same library then; ``cpu`` stands for NumPy's. Tasks run on what is the current device where they run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.backends.dask_blocks import meta_like
from agnograd.core.array import innermost
from agnograd.core.table import spaces

Array = Any

CPU = "cpu"

# Type of a device to an empty chunk of the library that has it.
_metas: dict[type, Any] = {}


def device(x: Array) -> Any:
    """The device of the chunks, as their library tells it.

    Examples
    --------
    >>> import dask.array as da
    >>> device(da.zeros(2))
    'cpu'
    """
    import numpy as np

    meta = innermost(x)._meta  # a rule may ask for that of a wrapper
    if isinstance(meta, (np.ndarray, np.generic)):
        return CPU
    space = spaces.known(type(meta))
    if space is None:
        return CPU
    found = space.device(meta)
    _metas.setdefault(type(found), meta)
    return found


def meta_on(device: Any, ndim: int, dtype: Any) -> Any:
    """An empty chunk of the library that has a device."""
    import numpy as np
    from dask.array.utils import meta_from_array

    like = _metas.get(type(device))
    return np.empty((0,) * ndim, dtype) if like is None else meta_from_array(like, ndim=ndim, dtype=dtype)


def placed(x: Array, device: Any) -> Array:
    """An array with chunks of the library that has a device."""
    if _metas.get(type(device)) is None or type(x._meta) is type(_metas[type(device)]):
        return x
    meta = meta_on(device, x.ndim, x.dtype)
    return x.map_blocks(_place_block, like=meta, dtype=x.dtype, meta=meta)


def _place_block(x: Any, *, like: Any) -> Any:
    return spaces[type(like)].backend.from_host(x)


def beside(x: Array, made: Array) -> Array:
    """An array that was made of NumPy's chunks with those of `x`."""
    return placed(made, device(x))


def with_meta(x: Array, out: Array) -> Array:
    """`out` said to have the chunks of the library of `x`, which dask forgets where it tries a function on NumPy's."""
    if type(out._meta) is not type(x._meta) and out.ndim:
        out._meta = meta_like(x, out.ndim, out.dtype)
    return out


def kernels(bodies: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Creation functions, of the backend's own `bodies` or the namespace's, on a device."""
    import array_api_compat.dask.array
    import dask.array as da
    import numpy as np

    from agnograd.backends.dask_cotangents import full as one_number

    xp: Any = array_api_compat.dask.array

    def on_device(name: str) -> Callable[..., Array]:
        create = bodies.get(name) or getattr(xp, name)

        def run(*args: Any, device: Any = None, **params: Any) -> Array:
            return (
                placed(create(*args, **params), device)
                if type(device) in _metas
                else create(*args, device=device, **params)
            )

        return run

    def filled(name: str, value: float) -> Callable[..., Array]:
        create = getattr(xp, name)

        def run(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
            if type(device) not in _metas:
                return create(shape, dtype=dtype, device=device)
            shape = (shape,) if isinstance(shape, int) else tuple(shape)
            dtype = np.dtype(np.float64 if dtype is None else dtype)
            chunks = da.core.normalize_chunks("auto", shape, dtype=dtype)
            return one_number(chunks, value, meta_on(device, len(shape), dtype))

        return run

    names = ("arange", "asarray", "eye", "full", "linspace")
    return {name: on_device(name) for name in names} | {
        "empty": filled("empty", 0),
        "ones": filled("ones", 1),
        "zeros": filled("zeros", 0),
    }
