"""PyTorch's ``torch.autograd.function``: operations with a derivative of their own."""

from agnograd.function import Function, FunctionCtx, once_differentiable

__all__ = ["Function", "FunctionCtx", "once_differentiable"]
