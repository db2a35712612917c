"""Assignment on dask to what it cannot assign to itself: several arrays of indices, and masks with an array of values.

Nothing is written in place: chunks of the result are copies with the values in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agnograd.backends.dask_blocks import gather, whole_block
from agnograd.errors import UnsupportedError

Array = Any


def kernels() -> dict[str, Callable[..., Any]]:
    """The body by name."""
    return {"set": set_item}


def set_item(x: Array, key: Any, value: Any) -> Array:
    """`x` with ``x[key] = value``; `x` belongs to the caller, who goes on with the result.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> x = da.zeros((2, 3), chunks=1)
    >>> set_item(x, (np.asarray([0, 1]), np.asarray([2, 0])), da.from_array(np.asarray([1.0, 2.0]))).compute()
    array([[0., 0., 1.],
           [2., 0., 0.]])
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    arrays = [k for k in parts if hasattr(k, "dtype") and k.ndim]
    masks = [k for k in arrays if k.dtype == bool]
    if len(parts) == len(masks) == 1:
        return _at_mask(x, masks[0], value)
    numbers = [k for k in parts if not hasattr(k, "dtype") and hasattr(k, "__index__")]
    if not masks and arrays and (len(arrays) > 1 or arrays[0].ndim > 1 or numbers):
        return _at_arrays(x, parts, value)
    if masks:
        return _beside_mask(x, parts, masks[0], value)
    x[key] = value
    return x


def _at_mask(x: Array, mask: Array, value: Any) -> Array:
    """The k-th true element takes the k-th value; one that broadcasts along the true ones has no need of a place."""
    import dask.array as da

    from agnograd.backends.dask_cotangents import shape_of
    from agnograd.core.table import spaces

    lead, rest = mask.ndim, x.shape[mask.ndim :]
    if mask.shape != x.shape[:lead]:
        msg = f"a mask of shape {mask.shape} does not fit an array of shape {x.shape}"
        raise IndexError(msg)
    mask = da.asarray(mask)
    value = value.astype(x.dtype) if hasattr(value, "dask") else da.asarray(value, dtype=x.dtype, like=x._meta)
    if value.ndim == 1 + len(rest) and value.shape[0] != 1:
        if value.shape[1:] != rest:
            value = da.broadcast_to(value, (value.shape[0], *rest))
        value = spaces[type(x)].embed(value, key=mask, shape=shape_of(x))
    elif value.ndim > len(rest):
        value = value[0]
    return da.where(mask[(..., *(None,) * len(rest))], value, x)


def _beside_mask(x: Array, parts: list[Any], mask: Array, value: Any) -> Array:
    """A mask in the first place, and numbers and slices after it: what these select is written to, and written back."""
    rest = parts[1:]
    if parts[0] is not mask or any(hasattr(k, "dtype") or k is None for k in rest):
        msg = (
            "on dask a mask stands alone in an assignment, or first, with numbers and slices after it: turn it into "
            "indices with nonzero, or assign in two steps"
        )
        raise UnsupportedError(msg)
    key = (*(slice(None),) * mask.ndim, *rest)
    x[key] = _at_mask(x[key], mask, value)
    return x


def _at_arrays(x: Array, parts: Sequence[Any], value: Any) -> Array:
    """Arrays of indices, and numbers and slices beside them, in one chunk along their axes."""
    import dask.array as da

    if any(k is None for k in parts):
        msg = "on dask an assignment to arrays of indices takes no new axes: leave None out, and reshape the value"
        raise UnsupportedError(msg)
    at = next((i for i, k in enumerate(parts) if k is Ellipsis), len(parts))
    missing = x.ndim - sum(k is not Ellipsis for k in parts)
    parts = [*parts[:at], *[slice(None)] * missing, *parts[at + 1 :]]
    cut = [a for a, k in enumerate(parts) if not (isinstance(k, slice) and k == slice(None))]
    numbers = [a for a, k in enumerate(parts) if not isinstance(k, slice)]
    indices = da.broadcast_arrays(*(da.asarray(parts[a]) for a in numbers))
    shape = indices[0].shape
    # The axes of what the key selects, and which axis of `x` each of them is; indices have labels of their own.
    kept = [a for a in range(x.ndim) if a not in numbers]
    first = numbers[0] if numbers == list(range(numbers[0], numbers[0] + len(numbers))) else 0
    labels = tuple(range(x.ndim, x.ndim + len(shape)))
    axes = (*kept[:first], *labels, *kept[first:])
    sizes = {a: len(range(x.shape[a])[k]) if isinstance(k, slice) else 1 for a, k in enumerate(parts)}
    selected = tuple(shape[a - x.ndim] if a >= x.ndim else sizes[a] for a in axes)
    x = gather(x, cut, "an assignment to arrays of indices")
    arguments: list[Any] = []
    if hasattr(value, "dask"):
        value = da.broadcast_to(value, selected)
        value = value.rechunk({i: x.chunks[a] if a in kept and a not in cut else -1 for i, a in enumerate(axes)})
        # What is cut has another size in the values: it is no axis of the result there.
        renamed = tuple(a + 2 * x.ndim + len(shape) if a in cut else a for a in axes)
        arguments = [value, renamed]
    key = tuple(k if isinstance(k, slice) else None for k in parts)
    given = [part for i in indices for part in (whole_block(i), labels)]
    ind = tuple(range(x.ndim))
    return da.blockwise(
        _write_block, ind, x, ind, *given, *arguments, key=key, value=None if arguments else value, concatenate=True,
        dtype=x.dtype, meta=x._meta, align_arrays=False,
    )  # fmt: skip


def _write_block(x: Any, *arrays: Any, key: tuple[Any, ...], value: Any) -> Any:
    count = sum(k is None for k in key)
    indices = iter(arrays[:count])
    out = x.copy()
    out[tuple(next(indices) if k is None else k for k in key)] = arrays[count] if len(arrays) > count else value
    return out
