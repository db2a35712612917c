"""PyTorch's ``torch.autograd.gradcheck``: derivatives of a function of tensors against central differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from agnograd.autograd.calls import pull
from agnograd.autograd.jacobians import Check, Options, leaves, random_like, requires_grad
from agnograd.core.facts import short
from agnograd.core.nodes import wrap
from agnograd.errors import GradcheckError
from agnograd.transforms import vjp

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Function = Callable[..., Any]


def gradcheck(
    func: Function,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Check the derivatives of a function against central differences.

    Parameters
    ----------
    func : callable
        Function of tensors to a tensor or several.
    inputs : Tensor or sequence of Tensor
        Its arguments. Those that require grad are varied, and should have double precision.
    eps : float
        Step of the differences.
    atol, rtol : float
        What the derivatives may differ by: ``atol + rtol * |numerical|``.
    raise_exception : bool
        Whether to raise `GradcheckError` rather than to return False.
    nondet_tol : float
        What two passes with the same cotangent may differ by.
    check_undefined_grad : bool
        Whether to check that an output without a cotangent counts as one whose cotangent is zero, and an input without
        a tangent as one whose tangent is zero.
    check_grad_dtypes : bool
        Whether gradients must have the dtype of their input.
    check_batched_grad : bool
        Whether to check ``is_grads_batched`` of `agnograd.autograd.grad`.
    check_forward_ad, check_backward_ad : bool
        Which modes to check. The function gets duals in forward mode.
    fast_mode : bool
        Check one random projection of each Jacobian, not every element.

    Returns
    -------
    bool
        True if everything agrees.

    Raises
    ------
    GradcheckError
        If something does not.
    ValueError
        If no input requires grad.

    Notes
    -----
    `agnograd.testing.gradcheck` needs no tensors that require grad, checks both modes and their second order, and is
    stricter by three digits. `agnograd.testing.check_grads` is JAX's, for any order.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> ag.autograd.gradcheck(lambda x: ag.exp(x) * x, x)
    True
    >>> ag.autograd.gradcheck(lambda x: x * x.detach(), x)
    Traceback (most recent call last):
        ...
    agnograd.errors.GradcheckError: Jacobian mismatch for output 0 with respect to input 0, numerical: ...
    """
    if not (check_forward_ad or check_backward_ad):
        msg = "Expected at least one of check_forward_ad or check_backward_ad to be True"
        raise AssertionError(msg)
    if check_batched_grad and not check_backward_ad:
        msg = "Setting check_batched_grad=True requires check_backward_ad to be True"
        raise AssertionError(msg)
    options = Options(eps, atol, rtol, nondet_tol, check_grad_dtypes, fast_mode)
    given = _as_tuple(inputs)
    _check_inputs(given)
    try:
        check = Check(func, func, given, options)
        check.run(check_forward_ad, check_backward_ad, check_undefined_grad, check_batched_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Function,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Check second derivatives: `gradcheck` of the map from inputs and cotangents to gradients.

    Parameters
    ----------
    func : callable
        As in `gradcheck`.
    inputs : Tensor or sequence of Tensor
        As in `gradcheck`.
    grad_outputs : Tensor or sequence of Tensor, optional
        Cotangents of the outputs that require grad; by default random ones, by which it is differentiated, too.
    gen_non_contig_grad_outputs : bool
        Whether random cotangents are every other element of an array.
    check_fwd_over_rev, check_rev_over_rev : bool
        Which modes to check. For the first, the function runs inside transformations.
    eps, atol, rtol, nondet_tol : float
        As in `gradcheck`.
    raise_exception, check_undefined_grad, check_grad_dtypes, check_batched_grad, fast_mode : bool
        As in `gradcheck`.

    Returns
    -------
    bool

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> ag.autograd.gradgradcheck(lambda x: ag.exp(x) * x, x)
    True
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        msg = "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True"
        raise AssertionError(msg)
    if check_batched_grad and not check_rev_over_rev:
        msg = "Setting check_batched_grad=True requires check_rev_over_rev to be True"
        raise AssertionError(msg)
    given = _as_tuple(inputs)
    varied = _check_inputs(given)
    outputs = leaves(func(*given))
    places = [i for i, y in enumerate(outputs) if requires_grad(y)]
    if grad_outputs is None:
        made = random_like([outputs[i] for i in places], gen_non_contig_grad_outputs)
        cotangents = tuple([wrap(g, None).requires_grad_() for g in made])
    else:
        cotangents = _as_tuple(grad_outputs)
    with_gradient = pull([outputs[i] for i in places], [given[i] for i in varied], cotangents)
    kept = [n for n, g in enumerate(with_gradient) if g is not None]

    def reverse(*args: Any) -> Any:
        xs, gs = args[: len(given)], args[len(given) :]
        ys = leaves(func(*xs))
        found = pull([ys[i] for i in places], [xs[i] for i in varied], gs, create_graph=True)
        return tuple([found[n] for n in kept])

    def transformed(*args: Any) -> Any:
        xs, gs = list(args[: len(given)]), args[len(given) :]

        def f(*primals: Any) -> Any:
            for i, x in zip(varied, primals, strict=True):
                xs[i] = x
            ys = leaves(func(*xs))
            return tuple([ys[i] for i in places])

        found = vjp(f, *[xs[i] for i in varied])[1](tuple(gs))
        return tuple([found[n] for n in kept])

    options = Options(eps, atol, rtol, nondet_tol, check_grad_dtypes, fast_mode)
    try:
        check = Check(reverse, transformed, (*given, *cotangents), options)
        check.run(check_fwd_over_rev, check_rev_over_rev, check_undefined_grad, check_batched_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _check_inputs(inputs: Sequence[Any]) -> list[int]:
    varied = [i for i, x in enumerate(inputs) if requires_grad(x)]
    if not varied:
        msg = (
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
        raise ValueError(msg)
    for i in varied:
        dtype = short(inputs[i].dtype)
        if dtype not in ("float64", "complex128"):
            msg = (
                f"Input #{i} requires gradient and is not a double precision floating point or complex, it is {dtype}. "
                f"This check will likely fail if all the inputs are not of double precision floating point or complex."
            )
            warnings.warn(msg, UserWarning, stacklevel=3)
    return varied
