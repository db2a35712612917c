"""PyTorch's ``torch.autograd.functional``: products with Jacobians and Hessians of a function of tensors, and these.

Everything is done on the user's own graph: the function gets tensors that require grad, and may call whatever works on
these, `agnograd.autograd.grad`, hooks and custom functions without a rule for forward mode included. A product with a
Jacobian is the derivative of a backward pass by its cotangent, so that it needs no such rule either, at three times
the price; `agnograd.jvp` takes one pass of forward mode. So do Jacobians with ``strategy="forward-mode"``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agnograd.autograd.calls import FUNCTION, Call, one_element
from agnograd.errors import GradientError
from agnograd.transforms import grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of a function, and the product of a vector with its Jacobian: ``v @ J``.

    Parameters
    ----------
    func : callable
        Function of tensors to a tensor or a tuple of them.
    inputs : Tensor or tuple of Tensor
        Its arguments.
    v : Tensor or tuple of Tensor, optional
        One for each output, of its shape; one, for a single output of one element.
    create_graph : bool
        Whether value and result can be differentiated. They have no graph otherwise.
    strict : bool
        Whether to raise, instead of giving zeros, where outputs do not depend on an input.

    Returns
    -------
    value, product : Tensor or tuple of Tensor
        A tuple where the function returns one, and where `inputs` is one.

    Raises
    ------
    TypeError
        If inputs, outputs or `v` are no tensors.
    CotangentError
        If `v` does not fit the outputs.
    GradientError
        If `strict` is set and something is independent of an input.
    EscapedError
        If an input belongs to a transformation such as `agnograd.grad`.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0])
    >>> ag.autograd.functional.vjp(lambda x: x * x, x, ag.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call = Call("vjp", func, inputs, create_graph, strict)
    call.run()
    if v is None and one_element(call.outputs):
        cotangents: Sequence[Any] = (None,)
    else:
        cotangents = call.given(v, call.outputs, call.outputs_single, f"{FUNCTION} returns")
    found = call.pull(call.outputs, call.inputs, cotangents)
    product = call.filled(found, call.inputs, f"The output of {FUNCTION} is independent of input {{i}}", "jacobian")
    return call.value(), call.result(product, call.inputs_single)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of a function, and the product of its Jacobian with a vector: ``J @ v``.

    Parameters and errors are those of `vjp`; `v` has the shapes of the inputs, the product those of the outputs.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0])
    >>> ag.autograd.functional.jvp(lambda x: (x * x).sum(), x, ag.tensor([1.0, 10.0]))
    (tensor(5.), tensor(42.))
    """
    call = Call("jvp", func, inputs, create_graph, strict)
    tangents = call.tangents(v)
    call.run()
    found = call.push(call.outputs, tangents)
    product = call.filled(found, call.outputs, f"Output {{i}} of {FUNCTION} is independent of its inputs", "jacobian")
    return call.value(), call.result(product, call.outputs_single)


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of a function of one element, and the product of a vector with its Hessian: ``v @ H``.

    Parameters and errors are those of `vjp`; `v` and the product have the shapes of the inputs.

    Raises
    ------
    NonScalarError
        If the function returns more than one element.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0])
    >>> ag.autograd.functional.vhp(lambda x: (x**3).sum(), x, ag.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    call = Call("vhp", func, inputs, create_graph, strict)
    cotangents = call.tangents(v)
    slopes = call.run_scalar()
    found = call.pull(slopes, call.inputs, cotangents)
    product = call.filled(found, call.inputs, f"The jacobian of {FUNCTION} is independent of input {{i}}", "hessian")
    return call.value(), call.result(product, call.inputs_single)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of a function of one element, and the product of its Hessian with a vector: ``H @ v``.

    Where second derivatives are continuous, it is `vhp`, which costs less; `agnograd.hvp` costs least.
    Parameters and errors are those of `vhp`.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0])
    >>> ag.autograd.functional.hvp(lambda x: (x**3).sum(), x, ag.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    call = Call("hvp", func, inputs, create_graph, strict)
    tangents = call.tangents(v)
    slopes = call.run_scalar()
    found = call.push(slopes, tangents)
    product = call.filled(found, call.inputs, f"The jacobian of {FUNCTION} is independent of input {{i}}", "hessian")
    return call.value(), call.result(product, call.inputs_single)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of a function.

    Parameters
    ----------
    func : callable
        Function of tensors to a real tensor or a tuple of them.
    inputs : Tensor or tuple of Tensor
        Its arguments.
    create_graph : bool
        Whether the result can be differentiated.
    strict : bool
        Whether to raise, instead of giving zeros, where an output does not depend on an input.
    vectorize : bool
        Whether all passes are one, under `agnograd.vmap`: faster, and it needs memory for all of them at once.
    strategy : str
        ``"reverse-mode"``, one pass for each element of the outputs, or ``"forward-mode"``, one call of the function
        for each element of the inputs. The latter is a transformation: the function gets duals.

    Returns
    -------
    Tensor, or tuple of them, or tuple of tuples
        Of shape ``output.shape + input.shape``; by output if the function returns a tuple, then by input if `inputs` is
        one. Rows of complex inputs are gradients.

    Raises
    ------
    ValueError
        If there is no such strategy.
    NonScalarError
        If an output is complex, and so has no Jacobian that is one matrix.
    GradientError
        If `strict` is set and an output is independent of an input.

    Examples
    --------
    >>> import agnograd as ag
    >>> x, y = ag.tensor([1.0, 2.0]), ag.tensor(3.0)
    >>> ag.autograd.functional.jacobian(lambda x, y: x * y, (x, y))
    (tensor([[3., 0.],
             [0., 3.]]), tensor([1., 2.]))
    """
    call = Call("jacobian", func, inputs, create_graph, strict, vectorize)
    ahead = _forward(strategy, "strategy", call)
    with call.mode():
        if ahead:
            return call.nested(*call.columns(func))
        call.run()
        return call.nested([call.rows(i, y) for i, y in enumerate(call.outputs)], call.outputs_single)


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a function of one element: the Jacobian of its gradient.

    Parameters and errors are those of `jacobian`; with ``outer_jacobian_strategy="forward-mode"`` columns are computed
    forward over reverse mode.

    Returns
    -------
    Tensor or tuple of tuples of Tensor
        Of shape ``x.shape + y.shape`` for each pair of inputs.

    Raises
    ------
    NonScalarError
        If the function returns more than one element.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.autograd.functional.hessian(lambda x: (x**3).sum(), ag.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    call = Call("hessian", func, inputs, create_graph, strict, vectorize)
    ahead = _forward(outer_jacobian_strategy, "outer_jacobian_strategy", call)
    with call.mode():
        if ahead:
            gradient = grad(lambda *x: call.scalar(func(*x)), tuple(range(len(call.inputs))))
            return call.nested(call.columns(gradient)[0], call.inputs_single)
        return call.nested([call.rows(i, g) for i, g in enumerate(call.run_scalar())], call.inputs_single)


def _forward(strategy: str, name: str, call: Call) -> bool:
    if strategy not in ("forward-mode", "reverse-mode"):
        msg = f'Expected {name} to be either "forward-mode" or "reverse-mode", got {strategy!r}.'
        raise ValueError(msg)
    if strategy == "reverse-mode":
        return False
    if call.strict:
        msg = (
            f'agnograd.autograd.functional.{call.name}: `strict=True` and `{name}="forward-mode"` are not supported '
            f'together. Please either set `strict=False` or `{name}="reverse-mode"`.'
        )
        raise GradientError(msg)
    return True
