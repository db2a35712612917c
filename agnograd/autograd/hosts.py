"""Arrays of any backend and their values as NumPy arrays on the host, where derivatives are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optree

from agnograd.core.array import innermost
from agnograd.core.table import spaces
from agnograd.core.views import settled

Array = Any


def to_host(x: Any) -> Any:
    """The values of an array, raw or wrapped, as a NumPy array."""
    import numpy as np

    raw = innermost(settled(x))
    return np.asarray(spaces[type(raw)].backend.to_host(raw))


def hosts(arrays: Sequence[Any]) -> list[Any]:
    """The values of several arrays; lazy ones are computed together."""
    return list(compute(list(arrays)))


def compute(tree: Any) -> Any:
    """A tree of arrays as one of NumPy arrays; lazy ones are computed together."""
    found, structure = optree.tree_flatten(tree)
    raw = [innermost(settled(x)) for x in found]
    lazy = [x for x in raw if hasattr(x, "dask")]
    if len(lazy) > 1:
        import dask

        computed = iter(dask.compute(*lazy, scheduler="synchronous"))
        raw = [next(computed) if hasattr(x, "dask") else x for x in raw]
    return optree.tree_unflatten(structure, [to_host(x) for x in raw])


def like(x: Array, host: Any) -> Array:
    """Values as an array of the backend, dtype, device and chunks of the raw array `x`."""
    import numpy as np

    space = spaces[type(x)]
    host = np.array(host, dtype=_host_dtype(x))
    # Nothing may write into what it was given.
    host.flags.writeable = False
    if hasattr(x, "chunks"):
        return space.module.asarray(host).rechunk(x.chunks)
    return space.module.asarray(host, device=space.device(x))


def kind(x: Any) -> str:
    """NumPy's letter for the dtype of an array: ``f``, ``c`` for complex numbers, and ``i`` for all others."""
    space = spaces[type(innermost(settled(x)))]
    if space.isdtype(x.dtype, "complex floating"):
        return "c"
    return "f" if space.isdtype(x.dtype, "real floating") else "i"


def _host_dtype(x: Array) -> Any:
    import numpy as np

    return np.dtype(str(x.dtype).rpartition(".")[2])


def pairs(host: Any) -> Any:
    """The elements of an array as real numbers, two for a complex one."""
    import numpy as np

    host = np.asarray(host)
    wide = np.ascontiguousarray(host, dtype=np.complex128 if host.dtype.kind == "c" else np.float64)
    return wide.reshape(-1).view(np.float64)


def unpaired(v: Any, host: Any) -> Any:
    """Real numbers as an array like `host`."""
    import numpy as np

    return (np.ascontiguousarray(v).view(np.complex128) if host.dtype.kind == "c" else v).reshape(host.shape)
