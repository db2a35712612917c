"""PyTorch's ``torch.autograd``, by its names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnograd.autograd import forward_ad, function, functional, graph
from agnograd.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
from agnograd.autograd.gradcheck import gradcheck, gradgradcheck
from agnograd.core.array import Array
from agnograd.core.facts import describe
from agnograd.core.gradient import differentiated, gradients, listed, run_backward
from agnograd.core.nodes import Node, wrap
from agnograd.core.table import OPS
from agnograd.errors import CotangentError, UnusedInputError
from agnograd.function import Function
from agnograd.grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from agnograd.tensors import Tensor
from agnograd.transforms import vmap

__all__ = [
    "Function",
    "Node",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Accumulate the gradients of `tensors` into the ``grad`` of the leaves they depend on.

    Parameters
    ----------
    tensors : Tensor, GradientEdge or sequence of them
        Outputs; their contributions are summed.
    grad_tensors : array or sequence of arrays, optional
        Their cotangents; None for tensors of one element.
    retain_graph, create_graph : bool
        As in `Tensor.backward`.
    inputs : Tensor, sequence or dict of them, optional
        As in `Tensor.backward`; a dictionary stands for its values.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> ag.autograd.backward([ag.sum(x * x), ag.sum(x)])
    >>> x.grad
    tensor([3., 5.])
    """
    roots, seeds = _outputs(tensors, grad_tensors, "backward")
    run_backward(roots, seeds, retain_graph=retain_graph, create_graph=create_graph, inputs=inputs)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """Gradients of `outputs` with respect to `inputs`, without touching the ``grad`` of leaves.

    Parameters
    ----------
    outputs : Tensor, GradientEdge or sequence of them
        Outputs; their contributions are summed.
    inputs : Tensor, GradientEdge, sequence or dict of them
        Leaves or intermediate tensors. What does not lead to them does not run.
    grad_outputs : array or sequence of arrays, optional
        Cotangents of the outputs.
    retain_graph, create_graph : bool
        As in `Tensor.backward`.
    allow_unused : bool, optional
        Give None for an input that no output depends on, instead of raising. By default as `materialize_grads`.
    is_grads_batched : bool
        Take the first axis of each of `grad_outputs` for a batch of cotangents, and return batches of gradients: one
        pass, under `agnograd.vmap`, which hooks and custom functions see batches in.
    materialize_grads : bool
        Give zeros instead of None.

    Returns
    -------
    tuple of Tensor or None, or dict of them
        One for each input, of its shape, dtype and device; a dictionary for a dictionary.

    Raises
    ------
    NoGraphError
        If an output or input does not require grad.
    UnusedInputError
        If an input was not used.
    CotangentError
        If a cotangent does not fit its output.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor(2.0, requires_grad=True)
    >>> (dx,) = ag.autograd.grad(x**3, x, create_graph=True)
    >>> ag.autograd.grad(dx, x)
    (tensor(12.),)
    """
    if materialize_grads and allow_unused is False:
        msg = "materialize_grads=True replaces what allow_unused=False would raise for: set only one of them"
        raise ValueError(msg)
    if is_grads_batched:
        return _batched(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads)
    roots, seeds = _outputs(outputs, grad_outputs, "grad")
    wanted = differentiated(inputs, "grad")
    nodes = [x._node for x in wanted]
    results = gradients(roots, seeds, retain_graph=retain_graph, create_graph=create_graph, targets=nodes)
    out: list[Tensor | None] = []
    for i, x in enumerate(wanted):
        g = results.get(x._node)
        like = x._like if isinstance(x, graph.GradientEdge) else x.detach()
        if g is None and materialize_grads:
            g = OPS["zeros_like"].call(like).requires_grad_(create_graph)
        elif g is None and not allow_unused:
            msg = (
                f"the differentiated tensor at index {i} ({describe(like)}) appears to not have been used in the "
                f"graph. Set allow_unused=True if this is the desired behavior."
            )
            raise UnusedInputError(msg)
        out.append(g if g is None or isinstance(g, Tensor) else wrap(g, None))
    return dict(zip(inputs, out, strict=True)) if isinstance(inputs, dict) else tuple(out)


def _batched(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any,
    retain_graph: bool | None,
    create_graph: bool,
    allow_unused: bool | None,
    materialize_grads: bool,
) -> Any:
    roots, seeds = _outputs(outputs, grad_outputs, "grad")
    sizes = {tuple(g.shape)[:1] for g in seeds if g is not None}
    if len(sizes) != 1 or sizes == {()} or any(g is None for g in seeds):
        msg = (
            f"If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension: "
            f"all need one, of the same size, got shapes {[None if g is None else tuple(g.shape) for g in seeds]}"
        )
        raise CotangentError(msg)
    pass_back = vmap(
        lambda *cotangents: grad(
            roots,
            inputs,
            cotangents,
            retain_graph,
            create_graph,
            allow_unused=allow_unused,
            materialize_grads=materialize_grads,
        )
    )
    return pass_back(*[g if isinstance(g, Array) else wrap(g, None) for g in seeds])


def _outputs(tensors: Any, seeds: Any, function: str) -> tuple[list[Any], list[Any]]:
    roots = listed(tensors, "outputs" if function == "grad" else "tensors", function)
    if seeds is None:
        return roots, [None] * len(roots)
    given = list(seeds) if isinstance(seeds, (tuple, list)) else [seeds]
    if len(given) != len(roots):
        msg = f"got {len(roots)} tensors and {len(given)} gradients: there must be one, or None, for each"
        raise CotangentError(msg)
    return roots, given
