"""The text of a tensor, in PyTorch's form."""

from __future__ import annotations

from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.reverse import node_class, raw_space
from agnograd.core.views import settled
from agnograd.namespaces import default_backend, default_float


def tensor_text(tensor: Any) -> str:
    """``tensor([1., 2.], grad_fn=<AddBackward0>)``; dtype and backend only where they are not the default."""
    value = settled(tensor)
    space = raw_space(value)
    raw = innermost(value)
    parts = [space.backend.describe(raw)]
    if not space.backend.lazy and not _is_default(space, raw.dtype):
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
    return f"tensor({', '.join(parts)})"


def _is_default(space: Any, dtype: Any) -> bool:
    """Whether printed values tell the dtype: the default float, booleans and 64-bit integers."""
    return bool(dtype == default_float(space) or dtype == space.module.bool or dtype == space.module.int64)


def _dtype_name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]
