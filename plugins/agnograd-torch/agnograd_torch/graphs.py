"""PyTorch's own graphs end where agnograd begins: a tensor that requires grad in PyTorch is refused.

Nothing else is needed to keep PyTorch's autograd off. It records what was done with such tensors, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from agnograd.errors import GradientLostError

_TENSOR = torch.Tensor


def refuse_graphs(*values: Any) -> None:
    """Refuse tensors that require grad in PyTorch, within sequences too.

    Raises
    ------
    GradientLostError
        If there is one.
    """
    for x in values:
        if isinstance(x, _TENSOR):
            if x.requires_grad:
                msg = (
                    f"a PyTorch tensor of shape {tuple(x.shape)} and dtype {x.dtype} requires grad in PyTorch, whose "
                    f"graph gets no gradients from agnograd. Pass x.detach(); where a gradient is wanted, pass "
                    f"agnograd.tensor(x.detach(), requires_grad=True)."
                )
                raise GradientLostError(msg)
        elif isinstance(x, (tuple, list)):
            refuse_graphs(*x)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that refuses them as arguments."""

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        for x in args:
            if type(x) is not _TENSOR or x.requires_grad:
                refuse_graphs(x)
        return function(*args, **options)

    return call
