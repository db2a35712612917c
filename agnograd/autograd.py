"""PyTorch's ``torch.autograd``, by its names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agnograd.core.array import Array
from agnograd.core.gradient import accumulate, gradients
from agnograd.core.reverse import Node, Reverse, describe, wrap
from agnograd.core.table import spaces
from agnograd.core.views import settled
from agnograd.errors import NoGraphError, UnusedInputError
from agnograd.grad_mode import enable_grad, is_grad_enabled, no_grad
from agnograd.tensors import Tensor

__all__ = ["Node", "backward", "enable_grad", "grad", "is_grad_enabled", "no_grad"]


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Accumulate the gradients of `tensors` into the ``grad`` of the leaves they depend on.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensor
        Outputs; their contributions are summed.
    grad_tensors : array or sequence of arrays, optional
        Their cotangents; None for tensors of one element.
    retain_graph, create_graph : bool
        As in `Tensor.backward`.
    """
    roots, seeds = _outputs(tensors, grad_tensors)
    results = gradients(roots, seeds, retain_graph=retain_graph, create_graph=create_graph)
    accumulate(results, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """Gradients of `outputs` with respect to `inputs`, without touching any ``grad``.

    Parameters
    ----------
    outputs : Tensor or sequence of Tensor
        Outputs; their contributions are summed.
    inputs : Tensor or sequence of Tensor
        Leaves or intermediate tensors.
    grad_outputs : array or sequence of arrays, optional
        Cotangents of the outputs.
    retain_graph, create_graph : bool
        As in `Tensor.backward`.
    allow_unused : bool
        Give None for an input that no output depends on, instead of raising.

    Returns
    -------
    tuple of Tensor or None
        One for each input, of its shape, dtype and device.

    Raises
    ------
    NoGraphError
        If an output or input does not require grad.
    UnusedInputError
        If an input was not used.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor(2.0, requires_grad=True)
    >>> (dx,) = ag.autograd.grad(x**3, x, create_graph=True)
    >>> ag.autograd.grad(dx, x)
    (tensor(12.),)
    """
    roots, seeds = _outputs(outputs, grad_outputs)
    wanted = [settled(x) for x in _listed(inputs, "inputs")]
    for i, x in enumerate(wanted):
        if not isinstance(x, Reverse) or x._node is None:
            known = isinstance(x, Array) or spaces.known(type(x)) is not None
            msg = (
                f"one of the differentiated tensors does not require grad: input {i} "
                f"({describe(x) if known else f'an object of type {type(x).__name__}'}). Create it with "
                f"requires_grad=True before the outputs are computed."
            )
            raise NoGraphError(msg)
    results = gradients(
        roots,
        seeds,
        retain_graph=retain_graph,
        create_graph=create_graph,
        targets=[x._node for x in wanted],
    )
    out: list[Tensor | None] = []
    for i, x in enumerate(wanted):
        g = results.get(x._node)
        if g is None and not allow_unused:
            msg = (
                f"the differentiated tensor at index {i} ({describe(x)}) appears to not have been used in the graph. "
                f"Set allow_unused=True if this is the desired behavior."
            )
            raise UnusedInputError(msg)
        out.append(g if g is None or isinstance(g, Tensor) else wrap(g, None))
    return tuple(out)


def _outputs(tensors: Any, seeds: Any) -> tuple[list[Any], list[Any]]:
    roots = _listed(tensors, "tensors")
    if seeds is None:
        return roots, [None] * len(roots)
    given = list(seeds) if isinstance(seeds, (tuple, list)) else [seeds]
    if len(given) != len(roots):
        msg = f"got {len(roots)} tensors and {len(given)} gradients: there must be one, or None, for each"
        raise ValueError(msg)
    return roots, given


def _listed(tensors: Any, name: str) -> list[Any]:
    """Tensors given as one or as several."""
    if hasattr(tensors, "dtype") or not isinstance(tensors, Iterable):
        return [tensors]
    found = list(tensors)
    if not found:
        msg = f"`{name}` cannot be empty"
        raise ValueError(msg)
    return found
