"""Vectorisation: a value for each member of a batch, under which a function is written for one of them.

The wrapped array has one axis more than the wrapper shows, the first. An operation on such values is one operation on
the arrays inside, by its batching rule (`agnograd.core.batching`): derivative rules, which are made of operations, need
none of their own.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any

from agnograd.core.array import Array, innermost, new_class
from agnograd.core.kept import kept
from agnograd.core.level import Level
from agnograd.core.op import Op
from agnograd.core.table import OPS, spaces
from agnograd.errors import BatchedValueError, BatchLoopWarning


class Batched(Array):
    """The wrapper of ``vmap``.

    Attributes
    ----------
    _array : array
        The values of all members, the batch axis first.
    """

    __slots__ = ("_level",)

    def __init__(self, array: Any, level: Level) -> None:
        self._array = array
        self._views = None
        self._level = level

    @property
    def level(self) -> Level:
        """The call of ``vmap`` that the batch belongs to."""
        return self._level

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis of one member; None where a lazy backend does not know it."""
        shape = self._array.shape[1:]
        for n in shape:
            if n != n:
                return tuple([None if n != n else n for n in shape])  # type: ignore[misc]
        return shape if type(shape) is tuple else tuple(shape)

    @property
    def ndim(self) -> int:
        """Number of axes of one member."""
        return len(self._array.shape) - 1

    @property
    def size(self) -> int | None:
        """Number of elements of one member; None where a lazy backend does not know it."""
        total = math.prod(self._array.shape[1:])
        return total if total == total else None  # an unknown size is NaN


Batched.handle_class = new_class("Batched", (Batched,), "A batch that was written to with a value of a higher level.")


class Mapped:
    """A static parameter, or a part of one, that differs from member to member: its values, the batch axis first.

    Attributes
    ----------
    array : array
        The values.

    Examples
    --------
    >>> import numpy as np
    >>> from agnograd.hookspecs import Mapped
    >>> Mapped(np.asarray([1, 2, 3])).array.shape
    (3,)
    """

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array: Any = array


def detached(x: Any) -> Any:
    """The value inside of all wrappers that belong to derivatives; a batch stays one."""
    if isinstance(x, Batched):
        inner = detached(x._array)
        return x if inner is x._array else Batched(inner, x._level)
    return detached(x._array) if isinstance(x, Array) else x


def is_batched(x: Any) -> bool:
    """Whether there is a batch among the wrappers around a value."""
    while isinstance(x, Array):
        if isinstance(x, Batched):
            return True
        x = x._array
    return False


def check_single(x: Any, what: str) -> None:
    """Raise if `x` has no single value, but one for each member of a batch."""
    if is_batched(x):
        msg = (
            f"{what} needs the values of an array, and under vmap there is one for each member of a batch (shape "
            f"{tuple(x.shape)} each). Write where() instead of a branch, return the array from the function, or leave "
            f"this argument out of the batch (in_axes=None)."
        )
        raise BatchedValueError(msg)


def batched_level(params: dict[str, Any]) -> Level | None:
    """The innermost level of batches among static parameters, an index for instance."""
    return _level_among(params.values(), None)


# What static parameters mostly are, and no batch.
_PLAIN = frozenset((int, bool, float, str, slice, type(None), type(Ellipsis)))


def _level_among(values: Iterable[Any], found: Level | None) -> Level | None:
    for x in values:
        if type(x) in _PLAIN:
            continue
        if isinstance(x, (tuple, list)):
            found = _level_among(x, found)
        elif isinstance(x, Batched) and (found is None or x._level.serial > found.serial):
            found = x._level
    return found


def _opened(value: Any, level: Level) -> Any:
    """A static parameter with what belongs to `level` as `Mapped`."""
    if type(value) in (tuple, list):
        return type(value)(_opened(item, level) for item in value)
    return Mapped(value._array) if isinstance(value, Batched) and value._level is level else value


def has_mapped(value: Any) -> bool:
    """Whether a static parameter differs from member to member."""
    return isinstance(value, Mapped) or (type(value) in (tuple, list) and any(map(has_mapped, value)))


def run_batched(op: Op, operands: tuple[Any, ...], params: dict[str, Any], level: Level, statics: bool) -> Any:
    """Run an operation for all members of a batch at once.

    Parameters
    ----------
    operands : tuple
        Of `level` or lower ones.
    statics : bool
        Whether parameters are of `level` too.

    Returns
    -------
    Batched, or a tuple of them
    """
    mapped = tuple([isinstance(x, Batched) and x._level is level for x in operands])
    arrays = tuple([_operand(x, m) for x, m in zip(operands, mapped, strict=True)])
    rule = op.batch
    if statics:
        params = {name: _opened(value, level) for name, value in params.items()}
        rule = op.batch_statics
    raw = innermost(next(x for x in arrays if hasattr(x, "dtype")))
    guard = spaces[type(raw)].guard
    # Rules use operators, too, on arrays of a device that may not be the current one.
    with _NO_GUARD if guard is None else guard(raw):
        ans = (rule or one_by_one(op))(runner(op), arrays, mapped, **params)
    if isinstance(ans, tuple):
        items = [batch_of(x, level) for x in ans]
        return type(ans)(*items) if hasattr(ans, "_fields") else tuple(items)
    return batch_of(ans, level)


_NO_GUARD = nullcontext()


def _operand(x: Any, mapped: bool) -> Any:
    return x._array if isinstance(x, Array) and (mapped or x.level is None) else x


def batch_of(x: Any, level: Level) -> Batched:
    """A batch of a level, around the value of a constant tensor."""
    return Batched(x._array if isinstance(x, Array) and x.level is None else x, level)


@functools.cache
def runner(op: Op) -> Callable[..., Any]:
    """The operation as a function of separate arrays."""
    variadic = op.variadic
    count = len(op.arrays)

    def run(*arrays: Any, **params: Any) -> Any:
        if len(arrays) > count and not variadic:
            params = op.bind(arrays[count:], params)
            arrays = arrays[:count]
        body = body_of(op, arrays)
        if body is not None and kept() is None:
            try:
                return body(list(arrays), **params) if variadic else body(*arrays, **params)
            except Exception:
                pass  # it is run again below, and explains what went wrong
        return op.call(list(arrays), **params) if variadic else op.call(*arrays, **params)

    return run


def widened(x: Any, missing: int) -> Any:
    """The values of all members, with axes of size one after that of the batch."""
    return x[(slice(None), *(None,) * missing, ...)]


def body_of(op: Op, arrays: Sequence[Any]) -> Callable[..., Any] | None:
    """What runs an operation on operands that are raw arrays of one library and Python scalars; None for others."""
    found = None
    for x in arrays:
        kind = type(x)
        if kind is not found and kind is not float and kind is not int:
            if found is not None:
                return None
            found = kind
    return op.bodies.get(found) if found is not None else None


def one_by_one(op: Op) -> Callable[..., Any]:
    """The rule of last resort: a loop over the batch, which says so once for each operation."""

    def rule(run: Callable[..., Any], arrays: tuple[Any, ...], mapped: tuple[bool, ...], **params: Any) -> Any:
        size = _size(arrays, mapped, params)
        if not size:
            msg = f"{op.name} has no batching rule, and a loop over an empty batch does not tell the shape of a result"
            raise BatchedValueError(msg)
        _warn(op)
        results = [
            run(
                *[x[i, ...] if m else x for x, m in zip(arrays, mapped, strict=True)],
                **{name: _member(value, i) for name, value in params.items()},
            )
            for i in range(size)
        ]
        stack = OPS["stack"].call
        first = results[0]
        if not isinstance(first, tuple):
            return stack(results)
        items = [stack(list(outputs)) for outputs in zip(*results, strict=True)]
        return type(first)(*items) if hasattr(first, "_fields") else tuple(items)

    return rule


def _size(arrays: tuple[Any, ...], mapped: tuple[bool, ...], params: dict[str, Any]) -> int:
    statics = [x.array for value in params.values() for x in _mapped_leaves(value)]
    return next(int(x.shape[0]) for x in [*[x for x, m in zip(arrays, mapped, strict=True) if m], *statics])


def _mapped_leaves(value: Any) -> Any:
    if isinstance(value, Mapped):
        yield value
    elif type(value) in (tuple, list):
        for item in value:
            yield from _mapped_leaves(item)


def _member(value: Any, i: int) -> Any:
    if isinstance(value, Mapped):
        return value.array[i, ...]
    return type(value)(_member(item, i) for item in value) if type(value) in (tuple, list) else value


# Operations of which it was said that they run in a loop.
warned: set[str] = set()


def _warn(op: Op) -> None:
    if op.name not in warned:
        msg = (
            f"{op.name} has no batching rule for these arguments and runs in a loop over the batch. Give it one with "
            f"batch= where it is declared (see agnograd.hookspecs)."
        )
        warnings.warn(msg, BatchLoopWarning, stacklevel=2)
        warned.add(op.name)  # not where the warning is an error: that is raised every time
