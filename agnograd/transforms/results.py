"""Results of transformed functions: taken off their level, checked, and given to the caller as they were asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import optree

from agnograd.core.apply import spec
from agnograd.core.array import Array
from agnograd.core.batch import Batched
from agnograd.core.cotangent import Spec
from agnograd.core.facts import describe, raw_space, short
from agnograd.core.forward import Dual
from agnograd.core.level import Level
from agnograd.core.nodes import Node, Reverse, classes, wrap
from agnograd.core.operands import default_array
from agnograd.core.table import OPS, spaces
from agnograd.core.trace import traced_like
from agnograd.core.views import settled
from agnograd.errors import CotangentError, NonScalarError
from agnograd.transforms.trees import place


def off_level(x: Any, level: Level) -> tuple[Any, Node | None]:
    """What a result is without the level, constants as raw as they can be, and its node of reverse mode there.

    Raises
    ------
    EscapedError
        If it belongs to a transformation that has ended.
    """
    kind = type(x)
    if kind in spaces:
        return x, None
    if (kind is Dual or kind is Batched) and x._level is level and not level.faded:
        return x._array, None
    x = settled(x)
    if isinstance(x, (bool, int, float, complex)) and not hasattr(x, "dtype"):
        return default_array(x), None
    if not isinstance(x, Array):
        return x, None
    own = x.level
    if own is level:
        return x._array, x._node if isinstance(x, Reverse) else None
    if own is None:
        return x._array, None
    own.check_open()
    return x, None


def is_array(x: Any) -> bool:
    """Whether it is a wrapper, or an array of a known library."""
    return type(x) in spaces or isinstance(x, Array) or spaces.known(type(x)) is not None


def check_array(x: Any, name: str, where: Callable[[], str]) -> None:
    """Raise if a result of the function that `name` transforms is no array."""
    if not is_array(x):
        msg = (
            f"{name} takes a function that returns arrays, or trees of them; it returned {where()} of type "
            f"{type(x).__name__}. Return extra results beside them, with has_aux=True."
        )
        raise TypeError(msg)


def values_of(leaves: list[Any], structure: Any, level: Level) -> list[tuple[Any, Node | None]]:
    """The leaves of a function's result off its level; None stays None.

    Raises
    ------
    TypeError
        If one is no array.
    """
    found: list[tuple[Any, Node | None]] = []
    for k, x in enumerate(leaves):
        if type(x) is Dual and x._level is level and not level.faded:
            found.append((x._array, None))
            continue
        value, node = (None, None) if x is None else off_level(x, level)
        if value is not None and type(value) not in spaces:
            check_array(value, level.name, partial(place, "value", structure, k))
        found.append((value, node))
    return found


def pair(out: Any) -> tuple[Any, Any]:
    """The value and the extra results of a function with ``has_aux=True``."""
    if not isinstance(out, tuple) or len(out) != 2:
        msg = f"with has_aux=True the function must return a pair (value, aux), got {type(out).__name__}"
        raise TypeError(msg)
    return out


def extra(aux: Any, level: Level, *, tensors: bool) -> Any:
    """Extra results for the caller: arrays off the level, anything else as it is."""
    if aux is None:
        return None

    def leaf(x: Any) -> Any:
        if not isinstance(x, Array):
            return x
        return finished(off_level(x, level)[0], tensors=tensors)

    return optree.tree_map(leaf, aux)


def finished(x: Any, *, tensors: bool) -> Any:
    """A result for the caller: wrappers as they are, raw values as tensors or as the backend's arrays."""
    kind = type(x)
    if kind is Dual or kind is Batched or (kind in _arrays and not tensors):
        return x
    if isinstance(x, Reverse) and x.level is None:
        # The cotangent of an array that was lifted into another backend (see `to_backend`) is a constant tensor.
        x = settled(x)._array
    if isinstance(x, Array) or x is None:
        return x
    if tensors:
        return wrap(x, None)
    # 0-d results may be scalars of the backend inside; users get arrays.
    space = raw_space(x)
    out = space.asarray(x)
    if out is x and space.is_scalar is not None:
        _arrays.add(kind)
    return out


# Raw types that are arrays to their own library, and no scalars of it, known once one came up. Where a library has no
# scalars, its `asarray` may have another reason: that of PyTorch refuses what requires grad there.
_arrays: set[type] = set()


def ones(x: Any) -> Any:
    """Ones like an array: constants, which are raw but for a batch, each of whose members has its own."""
    while type(x) is Dual or type(x) is classes.nested:
        x = x._array
    if isinstance(x, Array):
        return OPS["ones_like"].call(x)
    space = raw_space(x)
    return space.ones_like(x) if space.seed is None else space.seed(x)


def zeros(x: Any) -> Any:
    """Zeros like an array, at the level that it has."""
    return OPS["zeros_like"].call(x) if isinstance(x, Array) else raw_space(x).zeros_like(x)


def conjugate(x: Any) -> Any:
    """The conjugate of an array, itself where it is real."""
    if raw_space(x).isdtype(x.dtype, "real floating"):
        return x
    return OPS["conj"].call(x) if isinstance(x, Array) else raw_space(x).conj(x)


def check_scalar(value: Any, name: str, *, holomorphic: bool = False) -> None:
    """Raise if a function has no gradient: its value is no scalar, or of the wrong kind of numbers.

    Raises
    ------
    NonScalarError
    """
    if not is_array(value):
        msg = (
            f"gradient only defined for functions that return one real scalar; this one returned an object of type "
            f"{type(value).__name__}. Return the scalar, or use has_aux=True for extra results."
        )
        raise NonScalarError(msg)
    space = raw_space(value)
    if tuple(value.shape) != ():
        msg = (
            f"gradient only defined for scalar-output functions; the output has {describe(value)}. Reduce it, or use "
            f"agnograd.vjp or agnograd.jvp."
        )
        raise NonScalarError(msg)
    if holomorphic and not space.isdtype(value.dtype, "complex floating"):
        msg = f"{name} with holomorphic=True requires a complex output, got {describe(value)}. Leave holomorphic out."
        raise NonScalarError(msg)
    if not holomorphic and value.dtype not in space.reals:
        msg = (
            f"{name} requires a real floating-point output, got {describe(value)}. Take its real part or its abs, or "
            f"pass holomorphic=True for the complex derivative of a holomorphic function."
        )
        raise NonScalarError(msg)


def fitting(g: Any, value: Any, what: Callable[[], str]) -> Any:
    """A tangent or cotangent as a level sees it: a number made an array, a constant as raw as it can be.

    Parameters
    ----------
    g : array or number
    value : array or Spec
        What it belongs to.
    what : callable
        Says what it is, for messages.

    Raises
    ------
    CotangentError
        If shape, dtype, backend or device are not those of `value`.
    """
    space = spaces.get(type(g))
    alike = space is not None and type(value) is type(g) and g.shape == value.shape and g.dtype == value.dtype
    if alike and space.device(g) == space.device(value):  # type: ignore[union-attr]
        # The commonest by far: two raw arrays.
        return g
    like = value if isinstance(value, Spec) else spec(value)
    g = settled(g)
    if isinstance(g, (int, float, complex)):
        space = spaces.named(like.backend)
        if isinstance(g, complex) and not space.isdtype(like.dtype, "complex floating"):
            msg = f"the {what()} is a complex number, the value real ({_described(like)}): give its real part"
            raise CotangentError(msg)
        return traced_like(space.full(tuple(like.shape), g, dtype=like.dtype, device=like.device), value)
    if isinstance(g, Array) and g.level is None:
        g = g._array
    if not is_array(g):
        msg = f"the {what()} must be an array like the value ({_described(like)}), got one of type {type(g).__name__}"
        raise CotangentError(msg)
    given = spec(g)
    # Dtypes of two libraries are not compared: some warn.
    if given.backend == like.backend and given == like:
        return traced_like(g, value)
    found, wanted = _described(given), _described(like)
    if found != wanted:
        msg = (
            f"the {what()} has {found}, the value {wanted}: shape, dtype, backend and device must be the same. Convert "
            f"it with astype, agnograd.to_backend or to_device."
        )
        raise CotangentError(msg)
    return g


def _described(like: Spec) -> str:
    shape = tuple([None if isinstance(n, float) else n for n in like.shape])  # a lazy backend's unknown size is NaN
    return f"shape {shape}, {short(like.dtype)}, {like.backend} on {short(like.device)}"


def tangent_off_level(x: Any, level: Level) -> Any:
    """The tangent of a result at a level, zeros where it does not depend on the inputs; None for integers."""
    if type(x) is Dual and x._level is level and not level.faded:
        return x._tangent
    x = settled(x)
    if isinstance(x, Dual) and x.level is level:
        return x._tangent
    value, _ = off_level(x, level)
    return zeros(value) if value.dtype in raw_space(value).floats else None
