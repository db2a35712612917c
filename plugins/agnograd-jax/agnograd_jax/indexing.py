"""Writing to arrays that cannot be written to: each write gives a new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

Array = Any


def _within(x: Array, key: Any) -> Any:
    """The key; JAX itself takes the nearest element for an integer that is out of bounds."""
    parts = key if isinstance(key, tuple) else (key,)
    axis = 0
    for i, k in enumerate(parts):
        if k is Ellipsis:
            axis = x.ndim - sum(_axes_taken(rest) for rest in parts[i + 1 :])
            continue
        if isinstance(k, (int, np.integer)) and not -x.shape[axis] <= k < x.shape[axis]:
            msg = f"index {k} is out of bounds for axis {axis}, which has {x.shape[axis]} elements"
            raise IndexError(msg)
        axis += _axes_taken(k)
    return key


def _axes_taken(k: Any) -> int:
    if k is None:
        return 0
    return k.ndim if str(getattr(k, "dtype", "")) == "bool" else 1


def getitem(x: Array, key: Any) -> Array:
    """``x[key]``."""
    return x[_within(x, key)]


def set_item(x: Array, key: Any, value: Any) -> Array:
    """`x` with `value` at `key`."""
    return x.at[_within(x, key)].set(jnp.asarray(value, dtype=x.dtype))


def add_into(x: Array, value: Array, key: Any) -> Array:
    """`x` with `value` added at `key`; where an element is taken twice, it adds twice."""
    return x.at[key].add(value)


def scatter_add(x: Array, indices: Array, value: Array) -> Array:
    """`x` with ``value[k]`` added to ``x[indices[k]]``."""
    return x.at[indices].add(value)


def kernels() -> dict[str, Callable[..., Any]]:
    """The functions by the names of their operations."""
    return {"getitem": getitem, "set": set_item, "add_into": add_into, "scatter_add": scatter_add}
