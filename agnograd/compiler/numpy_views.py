"""Views in NumPy's source: what shows a part of an array, or all of it in another shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np  # noqa: TID253 - this module is imported for programs on NumPy only

from agnograd.compiler.program import Step, Var
from agnograd.compiler.source import Writer


def is_basic(key: Any) -> bool:
    """Whether an index is of slices and whole numbers, so that it shows a part."""
    parts = key if type(key) is tuple else (key,)
    return all(k is None or k is Ellipsis or type(k) in (slice, int) for k in parts)


def selects_one(key: Any, x: Var) -> bool:
    """Whether an index selects one element."""
    parts = key if type(key) is tuple else (key,)
    return len(parts) == len(x.shape) and all(type(k) is int for k in parts)


def _static_key(step: Step, writer: Writer) -> str | None:
    key = step.params["key"] if "key" in step.params else step.args[1]
    return f"{{}}[{key_text(key, writer)}]" if is_basic(key) else None


def key_text(key: Any, writer: Writer) -> str:
    """An index as it is written in brackets."""
    parts = key if type(key) is tuple else (key,)
    if not parts:
        return "()"
    return ", ".join([_slice(k) if type(k) is slice else writer.text(k) for k in parts]) + (
        "," if type(key) is tuple and len(parts) == 1 else ""
    )


def _slice(k: slice) -> str:
    start, stop = ("" if x is None else str(x) for x in (k.start, k.stop))
    return f"{start}:{stop}" + ("" if k.step is None else f":{k.step}")


def _given(step: Step, name: str, place: int = 1) -> Any:
    return step.params[name] if name in step.params else step.args[place] if len(step.args) > place else None


def _transposed(step: Step, _: Writer) -> str:
    return "{}.T" if len(step.out.shape) == 2 else "{}.swapaxes(-1, -2)"


def _reshaped(step: Step, _: Writer) -> str | None:
    return f"{{}}.reshape({step.out.shape!r})"


def _spread(step: Step, writer: Writer) -> str:
    writer.scope["broadcast_to"] = np.broadcast_to
    return f"broadcast_to({{}}, {step.out.shape!r})"


def adds_ones_only(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two shapes differ in axes of one element only: then a reshape never copies."""
    return [n for n in shape if n != 1] == [n for n in other if n != 1]


# What takes a step to its text, with a place for the array; None where it is no view.
TEXTS: dict[str, Callable[[Step, Writer], str | None]] = {
    "getitem": _static_key,
    "matrix_transpose": _transposed,
    "linalg.matrix_transpose": _transposed,
    "permute_dims": lambda step, _: f"{{}}.transpose({tuple(_given(step, 'axes'))!r})",
    "reshape": _reshaped,
    "expand_dims": _reshaped,
    "squeeze": _reshaped,
    "broadcast_to": _spread,
}
