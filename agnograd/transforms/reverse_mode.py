"""Reverse mode: gradients, and cotangents taken back through a function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import optree

from agnograd.core.facts import describe, raw_space
from agnograd.core.level import new_level
from agnograd.errors import NotDifferentiableError
from agnograd.transforms.arguments import (
    Argnums,
    Inputs,
    Key,
    arguments_at,
    check_callable,
    chosen,
    is_single,
    with_arguments,
)
from agnograd.transforms.recording import Recording
from agnograd.transforms.results import check_scalar, conjugate, extra, finished, off_level, ones, pair
from agnograd.transforms.trees import argument, place


def grad(
    f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The gradient of a scalar function.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a real scalar.
    argnums : int, str or sequence of them
        The arguments to differentiate with respect to, by position or by name; a name may be that of a keyword
        argument. A sequence gives a tuple of gradients.
    has_aux : bool
        Whether `f` returns ``(value, aux)``; the gradient function then returns ``(gradient, aux)``.
    holomorphic : bool
        Whether `f` is a holomorphic function of complex numbers, with a complex value: what is returned then is its
        complex derivative.

    Returns
    -------
    callable
        Takes what `f` takes. A gradient has the shape, dtype and device of its argument; for complex arguments it is
        the conjugate Wirtinger derivative, the direction of steepest ascent. Gradients that are plain arrays may share
        memory: copy one before writing to it.

    Raises
    ------
    NonScalarError
        If the value is no real scalar.
    NotDifferentiableError
        If an argument is integer or boolean, or, with `holomorphic`, real.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.grad(lambda x: (x**3).sum())(ag.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    >>> ag.grad(lambda x, scale: scale * x, "scale")(ag.tensor(2.0), scale=ag.tensor(5.0))
    tensor(2.)
    >>> ag.grad(lambda z: z * z, holomorphic=True)(ag.tensor(1 + 2j))
    tensor(2.+4.j)
    """
    check_callable(f, "grad")

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        _, aux, out = differentiated(f, argnums, args, kwargs, "grad", has_aux=has_aux, holomorphic=holomorphic)
        return (out, aux) if has_aux else out

    return gradient


def value_and_grad(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """The value of a scalar function together with its gradient.

    Parameters and errors are those of `grad`; the result is ``(value, gradient)``, with `has_aux`
    ``((value, aux), gradient)``.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.value_and_grad(lambda x: x * x)(ag.tensor(3.0))
    (tensor(9.), tensor(6.))
    """
    check_callable(f, "value_and_grad")

    @functools.wraps(f)
    def both(*args: Any, **kwargs: Any) -> Any:
        value, aux, out = differentiated(
            f, argnums, args, kwargs, "value_and_grad", has_aux=has_aux, holomorphic=holomorphic
        )
        return ((value, aux) if has_aux else value), out

    return both


def differentiated(
    f: Callable[..., Any],
    argnums: Argnums,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    name: str,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> tuple[Any, Any, Any]:
    """The value of a scalar function in a call, its extra results, and its gradient, for the transformation `name`."""
    keys = chosen(f, argnums, args, kwargs)
    with new_level(name) as level:
        inputs = Inputs(arguments_at(keys, args, kwargs), level, keys, beside=(args, kwargs))
        if holomorphic:
            _check_complex(inputs, keys, name)
        lifted, named = with_arguments(keys, inputs.lifted, args, kwargs)
        out = f(*lifted, **named)
        aux = None
        if has_aux:
            out, aux = pair(out)
            aux = extra(aux, level, tensors=inputs.tensors)
        value, node = off_level(out, level)
        check_scalar(value, name, holomorphic=holomorphic)
        gradients = inputs.pull_back([(node, ones(value))] if node is not None else [], release=True)
    if holomorphic:
        # A pullback multiplies by the conjugate of the derivative.
        gradients = [optree.tree_map(conjugate, g) for g in gradients]
    value = finished(value, tensors=inputs.tensors)
    return value, aux, gradients[0] if is_single(argnums) else tuple(gradients)


def _check_complex(inputs: Inputs, keys: list[Key], name: str) -> None:
    for key, structure, primals in zip(keys, inputs.structures, inputs.primals, strict=True):
        for k, x in enumerate(primals):
            if not raw_space(x).isdtype(x.dtype, "complex floating"):
                msg = (
                    f"{name} with holomorphic=True requires complex inputs, got "
                    f"{place(argument(key), structure, k)} ({describe(x)}). Convert it to a complex dtype, or leave "
                    f"holomorphic out."
                )
                raise NotDifferentiableError(msg)


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of a function, and the function that takes a cotangent of it back to its arguments.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a tree of arrays.
    *primals
        Its arguments.
    has_aux : bool
        Whether `f` returns ``(value, aux)``; the result is ``(value, pullback, aux)`` then.

    Returns
    -------
    value : tree
        ``f(*primals)``.
    pullback : callable
        Takes a cotangent with the structure of `value`, None standing for zero, and returns a tuple of cotangents, one
        for each argument, None for an array of integers or booleans. It may be called any number of times.

    Raises
    ------
    CotangentError
        From `pullback`, if structure, shape, dtype, backend or device are not those of the value.

    Examples
    --------
    >>> import agnograd as ag
    >>> value, pullback = ag.vjp(lambda x: x * x, ag.tensor([1.0, 2.0]))
    >>> pullback(ag.tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)
    """
    check_callable(f, "vjp")
    record = Recording(f, primals, "vjp", has_aux=has_aux)
    return (record.value, record.pullback, record.aux) if has_aux else (record.value, record.pullback)
