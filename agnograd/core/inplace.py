"""Writes in place: ``x[key] = value`` and ``x += y``.

What they mean for views is told in `agnograd.core.views`. A loop that fills an array must not copy it for every
element: after its first write the array is an *owner* (a class, as every state) of a buffer that nobody else knows,
and further writes go into that buffer. Any other use of it ends that state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.core.apply import record
from agnograd.core.array import Array
from agnograd.core.facts import describe, raw_space, short
from agnograd.core.level import recording, records
from agnograd.core.nodes import classes, is_leaf
from agnograd.core.operands import SCALARS
from agnograd.core.table import OPS, spaces
from agnograd.core.trace import Traced
from agnograd.core.views import assign, count_write, make_stale, move_retained, root_of, settled
from agnograd.errors import InplaceError, MixedBackendsError


def check_writable(x: Array) -> None:
    """Refuse to write to a leaf that requires grad, or to a view of one, while its operations are recorded."""
    for y, what in ((settled(x), "a leaf"), (settled(root_of(x)), "a view of a leaf")):
        node = getattr(y, "_node", None)
        if node is not None and is_leaf(node) and records(node.level):
            msg = (
                f"{what} that requires grad is being written to in place ({describe(y)}). Its gradient would belong "
                f"to a value that is gone. Write under no_grad(), to x.data, or to a copy (x.clone())."
            )
            raise InplaceError(msg)


def set_item(x: Array, key: Any, value: Any) -> None:
    """``x[key] = value``."""
    if type(x) is classes.owner and _write_owned(x, key, value):
        return
    check_writable(x)
    new = OPS["setitem"].call(settled(x), value, key=key)
    _check_backend(x, new, "x[key] = value")
    assign(x, new)
    if type(x) is classes.plain and not hasattr(x, "_view") and spaces[type(x._array)].writeable:
        # The array is a fresh copy that nobody else has seen: as long as that lasts, writes go into it.
        x.__class__ = classes.owner


def _check_backend(x: Array, new: Any, what: str) -> None:
    """Refuse to make an array one of another backend, into which its value was lifted, by writing to it."""
    old, space = raw_space(x), raw_space(new)
    if space.origin is not old.origin:
        msg = (
            f"{what} would make an array of {old.name!r} ({describe(x)}) one of {space.name!r}. Convert the value with "
            f"agnograd.to_backend(value, {old.name!r}), which computes a lazy one."
        )
        raise MixedBackendsError(msg)


def _write_owned(x: Any, key: Any, value: Any) -> bool:
    """Write into the buffer that `x` alone knows, where nothing needs the value that it had."""
    data = classes.owned_array(x)
    operand = value._array if type(value) is classes.plain else value
    if isinstance(operand, (Array, Traced)) or any(
        isinstance(k, Array) for k in (key if type(key) is tuple else (key,))
    ):
        return False
    if type(operand) not in SCALARS and spaces.known(type(operand)) not in (spaces[type(data)], None):
        return False
    node = x._node if x._node is not None else getattr(value, "_node", None)
    if node is not None:
        other = getattr(value, "_node", None)
        if recording() is not True or (other is not None and other.level is not node.level):
            return False
        spaces[type(data)].set(data, key, operand)
        old = x._node
        x._node = record(OPS["setitem"], (x, value), (data, operand), {"key": key}, data, node.level)._node
        move_retained(x, old)
    else:
        spaces[type(data)].set(data, key, operand)
    count_write(x)
    make_stale(x)
    return True


def write(x: Array, other: Any, operation: Callable[..., Any]) -> Any:
    """``x op= other``: shape and dtype of `x` stay what they were."""
    check_writable(x)
    shape, dtype = x.shape, x.dtype
    new = operation(x, other)
    if new is NotImplemented:
        return NotImplemented
    _check_backend(x, new, "an in-place operator")
    if new.shape != shape:
        msg = (
            f"an in-place operator cannot change a shape: the result has shape {new.shape}, the array {shape}. "
            f"Write x = x op y instead."
        )
        raise ValueError(msg)
    if new.dtype != dtype:
        xp = x.__array_namespace__()
        if not _same_kind(xp, new.dtype, dtype):
            msg = (
                f"an in-place operator cannot change a dtype: the result has {short(new.dtype)}, the array "
                f"{short(dtype)}. Write x = x op y instead."
            )
            raise TypeError(msg)
        new = OPS["astype"].call(new, dtype)
    assign(x, new)
    return x


_KINDS = ("bool", "integral", "real floating", "complex floating")


def _same_kind(xp: Any, new: Any, old: Any) -> bool:
    rank = {kind: i for i, kind in enumerate(_KINDS)}
    kind = {dtype: next(k for k in _KINDS if xp.isdtype(d, k)) for dtype, d in (("new", new), ("old", old))}
    return rank[kind["new"]] <= rank[kind["old"]]
