"""Raw operands of an operation: of one backend and one device, with errors that say what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.facts import describe, raw_space
from agnograd.core.op import Op
from agnograd.core.table import OPS, Space, spaces
from agnograd.core.trace import Traced
from agnograd.errors import ForeignArrayError, MixedBackendsError, MixedDevicesError

SCALARS = frozenset((bool, int, float, complex))


def one_backend(op: Op, data: tuple[Any, ...], within: bool = False) -> tuple[Any, ...]:
    """Raw operands of one backend; scalars of another library become Python scalars.

    Parameters
    ----------
    within : bool
        Whether these may be what carries a gradient outside.

    Raises
    ------
    MixedBackendsError
        If there are arrays of two backends, or, `within` a call, scalars that have to be lifted.
    ForeignArrayError
        If there is something that no backend knows.
    """
    try:
        found = [(x, spaces[type(x)]) for x in data if type(x) not in SCALARS]
    except ForeignArrayError:
        raise _foreign(op, data) from None
    if all(space is found[0][1] for _, space in found):
        return data if found else _default_backend(data)
    traced = next((x for x, _ in found if isinstance(x, Traced)), None)
    if traced is not None:
        return traced.trace.lifted(data)
    arrays = [(x, space) for x, space in found if space.is_scalar is None or not space.is_scalar(x)]
    target = arrays[0][1] if arrays else found[0][1]
    for x, space in arrays:
        if space is not target:
            raise _mixed(op, arrays[0][0], x)
    if within:
        for x, space in found:
            if space is not target and _limit(target, space) is not None:
                raise _mixed(op, arrays[0][0], x)
    return tuple([x if type(x) in SCALARS or spaces[type(x)] is target else x.item() for x in data])


def _mixed(op: Op, x: Any, y: Any) -> MixedBackendsError:
    first, second = raw_space(x), raw_space(y)
    described = (
        f"{op.name} got arrays of two backends, {first.name} and {second.name}: {describe(x)}; {describe(y)}. "
        f"Nothing is converted silently: "
    )
    for space, other in ((first, second), (second, first)):
        limit = _limit(space, other)
        if limit is not None and _device(x) != _device(y):
            return MixedBackendsError(
                f"{described}an array of {other.name!r} becomes one of {space.name!r} by itself only where both are on "
                f"one device. Convert it to the library whose arrays the chunks are."
            )
        if limit is not None:
            return MixedBackendsError(
                f"{described}convert one, for example with agnograd.to_backend(x, {space.name!r}, lifted=True), as is "
                f"done by itself up to {limit} bytes. Gradients with respect to it stay in {space.name!r} until they "
                f"are computed."
            )
    return MixedBackendsError(f"{described}convert one, for example with agnograd.to_backend(x, {first.name!r}).")


def _limit(space: Space, other: Space) -> int | None:
    """How many bytes of an array of another backend become an array of this one without being asked."""
    limits: Mapping[str, int] = getattr(space.backend, "lifts", {})
    return limits.get(other.name)


def lifted(operands: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Operands of two backends as those of one, where it lifts the others' arrays; None where none does.

    They are wrappers of any kind: the operation that lifts them is recorded as any other.
    """
    target = lifting(operands)
    return None if target is None else tuple(map(partial(_lift, target), operands))


def together(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments of a function that is made of operations: arrays of two backends as those of one, where that can be."""
    arrays = [x for x in values if isinstance(x, Array) or spaces.known(type(x)) is not None]
    target = lifting(arrays) if len({type(innermost(x)) for x in arrays}) > 1 else None
    if target is None:
        return values
    return tuple([_lift(target, x) if any(x is y for y in arrays) else x for x in values])


def lifting(operands: Sequence[Any]) -> Space | None:
    """The backend among those of several arrays into which the others may be lifted."""
    found = [None if type(x) in SCALARS else raw_space(x) for x in operands]
    for target, like in zip(found, operands, strict=True):
        if target is not None and all(map(partial(_lifts, target, like), found, operands)):
            return target
    return None


def _lifts(target: Space, like: Any, space: Space | None, x: Any) -> bool:
    if space is None or space is target:
        return True
    limit = _limit(target, space)
    return limit is not None and innermost(x).nbytes <= limit and _device(x) == _device(like)


def _device(x: Any) -> Any:
    return raw_space(x).device(innermost(x))


def _lift(target: Space, x: Any) -> Any:
    space = None if type(x) in SCALARS else raw_space(x)
    if space is None or space is target:
        return x
    raw = innermost(x)
    constant = not isinstance(x, Array) or x.level is None
    if constant and space.is_scalar is not None and space.is_scalar(raw):
        return raw.item()
    return OPS["to_backend"].call(x, target.name, lifted=True)


def _default_backend(data: tuple[Any, ...]) -> tuple[Any, ...]:
    """Python scalars alone become arrays of the default backend."""
    return tuple([default_array(x) for x in data])


def default_array(x: Any) -> Any:
    """A Python scalar as a raw array of the default backend; set by `agnograd.namespaces`."""
    return _default_array[0](x)


_default_array: list[Callable[[Any], Any]] = []


def _foreign(op: Op, data: tuple[Any, ...]) -> ForeignArrayError:
    i, x = next((i, x) for i, x in enumerate(data) if type(x) not in SCALARS and spaces.known(type(x)) is None)
    type_ = type(x)
    kind = f"{type_.__module__}.{type_.__qualname__}".removeprefix("builtins.")
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        kind = f"{kind} (shape {x.shape}, {x.dtype})"
    place = f"array {i}" if op.variadic else f"its argument {op.arrays[i]}"
    return ForeignArrayError(
        f"{op.name} got an object of type {kind} for {place}: that is neither a number nor an array of a registered "
        f"backend. Convert it with agnograd.asarray, or register a backend for its type (see agnograd.hookspecs)."
    )


def explained(op: Op, data: tuple[Any, ...], params: dict[str, Any], error: Exception) -> Exception:
    """The error of a backend, with what was asked of it; devices that differ and wrong parameters are named."""
    described = []
    devices = []
    names = map(str, range(len(data))) if op.variadic else op.arrays
    for name, x in zip(names, data, strict=True):
        if type(x) in SCALARS:
            described.append(f"{name}: a Python {type(x).__name__}")
            continue
        devices.append(str(spaces[type(x)].device(x)))
        described.append(f"{name}: {describe(x)}")
    if len(set(devices)) > 1:
        msg = (
            f"{op.name} got arrays of two devices, {'; '.join(described)}. Nothing is moved silently: move one with "
            f"x.to_device(device)."
        )
        return MixedDevicesError(msg)
    unknown = [n for n in params if n not in op.statics]
    missing = [n for n in op.statics if n not in params and n not in op.defaults]
    if isinstance(error, TypeError) and (unknown or missing):
        from agnograd import elsewhere

        # The backend would name a function of its own.
        wrong = [f"has no parameter {n!r}{elsewhere.parameter_hint(n)}" for n in unknown] + [
            f"needs {n!r}" for n in missing
        ]
        error = TypeError(f"{op.name}{op.signature} {' and '.join(wrong)}")
    error.add_note(f"in agnograd.{op.name}({'; '.join(described)})")
    return error
