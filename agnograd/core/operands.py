"""Raw operands of an operation: of one backend and one device, with errors that say what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.core.facts import describe
from agnograd.core.op import Op
from agnograd.core.table import spaces
from agnograd.errors import ForeignArrayError, MixedBackendsError, MixedDevicesError

SCALARS = frozenset((bool, int, float, complex))


def one_backend(op: Op, data: tuple[Any, ...]) -> tuple[Any, ...]:
    """Raw operands of one backend; scalars of another library become Python scalars.

    Raises
    ------
    MixedBackendsError
        If there are arrays of two backends.
    ForeignArrayError
        If there is something that no backend knows.
    """
    try:
        found = [(x, spaces[type(x)]) for x in data if type(x) not in SCALARS]
    except ForeignArrayError:
        raise _foreign(op, data) from None
    if all(space is found[0][1] for _, space in found):
        return data if found else _default_backend(data)
    arrays = [(x, space) for x, space in found if space.is_scalar is None or not space.is_scalar(x)]
    target = arrays[0][1] if arrays else found[0][1]
    for x, space in arrays:
        if space is not target:
            first = arrays[0][0]
            msg = (
                f"{op.name} got arrays of two backends, {target.name} and {space.name}: {describe(first)}; "
                f"{describe(x)}. Nothing is converted silently: convert one, for example with "
                f"agnograd.to_backend(x, {target.name!r})."
            )
            raise MixedBackendsError(msg)
    return tuple([x if type(x) in SCALARS or spaces[type(x)] is target else x.item() for x in data])


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
        # The backend would name a function of its own.
        wrong = [f"has no parameter {n!r}" for n in unknown] + [f"needs {n!r}" for n in missing]
        error = TypeError(f"{op.name}{op.signature} {' and '.join(wrong)}")
    error.add_note(f"in agnograd.{op.name}({'; '.join(described)})")
    return error
