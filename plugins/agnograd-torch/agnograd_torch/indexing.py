"""Reading, writing and adding at an index as NumPy does, where PyTorch refuses or differs.

PyTorch has no slices with negative steps, and beside an array of indices it takes an integer for a slice, so that the
axes of the result come in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from agnograd_torch.graphs import checked, refuse_graphs

Array = Any


class _Index(NamedTuple):
    """An index in two steps that PyTorch takes.

    Attributes
    ----------
    basic : tuple
        Integers, slices with positive steps and new axes: what they choose is a view.
    flipped : tuple of int
        Axes of the view to turn around.
    arrays : list
        For each axis of the view its indices, of one shape all of them, or None; empty if there are none.
    """

    basic: tuple[Any, ...]
    flipped: tuple[int, ...]
    arrays: list[Any]


def _is_plain(key: Any) -> bool:
    """Whether PyTorch and NumPy agree about a key."""
    if type(key) is not tuple:
        return not (type(key) is slice and key.step is not None and key.step < 0)
    arrays = integers = False
    for k in key:
        if isinstance(k, torch.Tensor):
            arrays = True
            integers = integers or not k.ndim
        elif type(k) is slice:
            if k.step is not None and k.step < 0:
                return False
        elif type(k) is int:
            integers = True
        elif k is not None and k is not Ellipsis:
            return False
    return not (arrays and integers)


_BASIC = frozenset((int, type(None), type(Ellipsis)))


def _is_basic(key: Any) -> bool:
    """Whether a key chooses a view, the same one in PyTorch and NumPy."""
    for k in key if type(key) is tuple else (key,):
        if type(k) is slice:
            if k.step is not None and k.step < 0:
                return False
        elif type(k) not in _BASIC:
            return False
    return True


def _opened(x: Array, key: Any) -> _Index:
    parts = list(key) if isinstance(key, tuple) else [key]
    beside_arrays = any(isinstance(k, torch.Tensor) for k in parts)
    rest = x.ndim - sum(map(_axes_taken, parts))
    if rest < 0:
        msg = f"an index for {x.ndim - rest} axes is too long for an array of shape {tuple(x.shape)}"
        raise IndexError(msg)
    if not any(k is Ellipsis for k in parts):
        parts.append(Ellipsis)
    basic: list[Any] = []
    flipped: list[int] = []
    arrays: list[Any] = []
    axis = 0
    for k in parts:
        indices: list[Any] = [None]
        chosen: list[Any] = [k]
        if k is Ellipsis:
            chosen, indices = [slice(None)] * rest, [None] * rest
        elif isinstance(k, slice):
            if k.step is not None and k.step < 0:
                flipped.append(len(arrays))
                chosen = [_forward(range(x.shape[axis])[k])]
        elif isinstance(k, torch.Tensor) or (beside_arrays and k is not None):
            indices = _indices(k, x, axis)
            chosen = [slice(None)] * len(indices)
        elif k is not None:
            indices = []
        basic += chosen
        arrays += indices
        axis += rest if k is Ellipsis else _axes_taken(k)
    return _Index(tuple(basic), tuple(flipped), _broadcast(arrays) if beside_arrays else [])


def _forward(chosen: range) -> slice:
    return slice(chosen[-1], chosen[0] + 1, -chosen.step) if chosen else slice(0, 0)


def _axes_taken(k: Any) -> int:
    if k is None or k is Ellipsis:
        return 0
    return k.ndim if isinstance(k, torch.Tensor) and k.dtype is torch.bool else 1


def _indices(k: Any, x: Array, axis: int) -> list[Array]:
    """An integer, an array of integers or a mask as arrays of integers, one for each axis that it takes."""
    if not isinstance(k, torch.Tensor):
        return [torch.tensor(k, device=x.device)]
    if k.dtype is not torch.bool:
        return [k]
    if k.shape != x.shape[axis : axis + k.ndim]:
        msg = f"a mask of shape {tuple(k.shape)} does not fit axis {axis} of an array of shape {tuple(x.shape)}"
        raise IndexError(msg)
    return list(k.nonzero(as_tuple=True))


def _broadcast(arrays: list[Any]) -> list[Any]:
    same = iter(torch.broadcast_tensors(*[a for a in arrays if a is not None]))
    return [None if a is None else next(same) for a in arrays]


def getitem(x: Array, key: Any) -> Array:
    """``x[key]``."""
    if type(x) is not torch.Tensor or x.requires_grad:
        refuse_graphs(x)
    if _is_basic(key) or _is_plain(key):
        return x[key]
    basic, flipped, arrays = _opened(x, key)
    out = x[basic].flip(flipped)
    return torch.ops.aten.index(out, arrays) if arrays else out


def set_item(x: Array, key: Any, value: Any) -> Array:
    """`x` with ``x[key] = value``, in place."""
    if _is_plain(key):
        x[key] = value
        return x
    return _put(x, key, torch.as_tensor(value, dtype=x.dtype, device=x.device), accumulate=False)


def add_into(x: Array, value: Array, key: Any) -> Array:
    """`x` with `value` added at `key`, in place; where an element is taken twice, it adds twice."""
    if type(value) is not torch.Tensor or x.requires_grad or value.requires_grad:
        refuse_graphs(x, value)
    if _is_basic(key):
        x[key].add_(value)
        return x
    if type(key) is torch.Tensor and key.dtype is torch.int64:
        return x.index_put_((key,), value, accumulate=True)
    return _put(x, key, value, accumulate=True)


def _put(x: Array, key: Any, value: Array, *, accumulate: bool) -> Array:
    basic, flipped, arrays = _opened(x, key)
    target = x[basic]
    turned = target.flip(flipped) if flipped else target
    if arrays:
        torch.ops.aten.index_put_(turned, arrays, value, accumulate)
    elif accumulate:
        turned.add_(value)
    else:
        turned.copy_(value)
    if flipped:  # PyTorch's flip is a copy
        target.copy_(turned.flip(flipped))
    return x


def scatter_add(x: Array, indices: Array, value: Array) -> Array:
    """`x` with ``value[k]`` added to ``x[indices[k]]``."""
    return x.index_add(0, indices, value)


def kernels() -> dict[str, Callable[..., Any]]:
    """The functions by the names of their operations."""
    return {
        "getitem": getitem,
        "set": checked(set_item),
        "add_into": add_into,
        "scatter_add": checked(scatter_add),
    }
