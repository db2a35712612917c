"""``jax.numpy``, with what it lacks of the array API standard."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import dtypes, lax

Array = Any

__array_api_version__ = "2025.12"

# As arrays have them. JAX's own names are of classes, which equal these.
bool = np.dtype("bool")
int8, int16, int32, int64 = (np.dtype(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{n}") for n in (8, 16, 32, 64))
float32, float64 = np.dtype("float32"), np.dtype("float64")
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")


def __getattr__(name: str) -> Any:
    return getattr(jnp, name)


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Array:
    """An array. JAX remembers of one made of Python numbers that another dtype may take over; this does not."""
    out = jnp.asarray(obj, dtype=dtype, device=device, copy=copy)
    return lax.convert_element_type(out, out.dtype) if out.weak_type else out


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """One value everywhere, with a dtype of its own as in `asarray`."""
    return asarray(jnp.full(shape, fill_value, dtype=dtype, device=device))


def permute_dims(x: Array, /, axes: tuple[int, ...]) -> Array:
    """The array with its axes in another order; JAX counts them from the front only."""
    return jnp.permute_dims(x, tuple(a % x.ndim if -x.ndim <= a < 0 else a for a in axes))


def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    """Where values would be inserted, as indices of the default dtype."""
    return jnp.searchsorted(x1, x2, side=side, sorter=sorter).astype(dtypes.canonicalize_dtype(np.int64))


def all(x: Array, /, *, axis: Any = None, keepdims: Any = False) -> Array:
    """Whether no element is zero; JAX looks at the real part of a complex one."""
    return jnp.all(x != 0, axis=axis, keepdims=keepdims)


def any(x: Array, /, *, axis: Any = None, keepdims: Any = False) -> Array:
    """Whether an element is not zero; JAX looks at the real part of a complex one."""
    return jnp.any(x != 0, axis=axis, keepdims=keepdims)
