"""PyTorch's tensors as a storage of agnograd: ``ag.namespace("torch")``, and tensors around ``torch.Tensor``.

Derivatives are agnograd's own; PyTorch computes values. A PyTorch tensor that requires grad is refused, so that no
gradient is lost between the two.
"""

__version__ = "0.1.0"
