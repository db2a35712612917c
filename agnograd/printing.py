"""The text of a tensor, in PyTorch's form."""

from __future__ import annotations

from typing import Any

from agnograd.backends.text import INDENT, LINE
from agnograd.core.array import Array, innermost
from agnograd.core.batch import Batched, is_batched
from agnograd.core.facts import raw_space
from agnograd.core.forward import Dual
from agnograd.core.nodes import node_class
from agnograd.core.views import settled
from agnograd.namespaces import default_backend, default_float
from agnograd.tensors import Tensor


def tensor_text(tensor: Any) -> str:
    """``tensor([1., 2.], grad_fn=<AddBackward0>)``; dtype and backend only where they are not the default."""
    value = settled(tensor)
    tangents = []
    while isinstance(value, Dual):
        tangents.append(f"tangent={tensor_text(value.tangent)}".replace("\n", "\n" + " " * (INDENT + len("tangent="))))
        value = settled(value._array)
    if is_batched(value):
        inner = f"batched(shape={value.shape}, dtype={_dtype_name(value.dtype)}, {_members(value)})"
        return _joined(inner[:-1], tangents[::-1]) + ")"
    space = raw_space(value)
    raw = innermost(value)
    parts = []
    empty = 0 in raw.shape and not space.backend.lazy
    if empty and raw.ndim != 1:
        parts.append(f"size={tuple(raw.shape)}")
    if not space.backend.lazy and raw.dtype not in _tacit(space, empty):
        parts.append(f"dtype={_dtype_name(raw.dtype)}")
    if space.name != default_backend():
        parts.append(f"backend={space.name}")
    if isinstance(value, Array):
        level = value.level
        if level is not None and level.serial:
            parts.append(f"level={level.serial} of {level.name}")
    node = getattr(value, "_node", None)
    if node is not None:
        name = node_class(node.variant).__name__
        parts.append("requires_grad=True" if name == "AccumulateGrad" else f"grad_fn=<{name}>")
    return _joined(f"tensor({space.backend.describe(raw)}", parts + tangents[::-1]) + ")"


def _joined(text: str, parts: list[str]) -> str:
    """`text` and what follows it, on a new line where the last one is full."""
    used = len(text) - text.rfind("\n") + 1
    for part in parts:
        if used + len(part) + 2 > LINE or "\n" in part:
            text += ",\n" + " " * INDENT + part
            used = INDENT + len(part)
        else:
            text += f", {part}"
            used += len(part) + 2
    return text


def _tacit(space: Any, empty: bool) -> list[Any]:
    """The dtypes that the values tell: the default float and its complex partner, booleans and 64-bit integers."""
    real = default_float(space)
    xp = space.module
    return [real] if empty else [real, xp.complex128 if real == xp.float64 else xp.complex64, xp.bool, xp.int64]


def _dtype_name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _members(value: Any) -> str:
    while not isinstance(value, Batched):
        value = value._array
    return f"size={value._array.shape[0]}, level={value.level.serial} of {value.level.name}"


def _html(tensor: Any) -> str:
    from agnograd.viz import tensor_html  # loaded by the first notebook that shows a tensor

    return tensor_html(tensor)


Tensor.__repr__ = tensor_text  # type: ignore[method-assign]
Dual.__repr__ = tensor_text  # type: ignore[method-assign]
Batched.__repr__ = tensor_text  # type: ignore[method-assign]
Array._repr_html_ = _html  # type: ignore[attr-defined]
