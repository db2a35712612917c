"""Forward mode: derivatives along a direction, in the same pass as the value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import optree

from agnograd.core.array import Array
from agnograd.core.forward import Dual
from agnograd.core.level import new_level
from agnograd.transforms.arguments import as_it_is, check_callable, differentiable
from agnograd.transforms.results import extra, finished, fitting, pair, tangent_off_level, values_of
from agnograd.transforms.reverse_mode import differentiated
from agnograd.transforms.trees import flatten, leaves_like, place_of_argument


def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False
) -> tuple[Any, ...]:
    """The value of a function and its derivative along a direction, in one forward pass.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a tree of arrays.
    primals, tangents : tuple or list
        Arguments and their directions, of the same structure, shapes and dtypes. The direction of an argument that
        does not change is None; that of an array of integers or booleans must be.
    has_aux : bool
        Whether `f` returns ``(value, aux)``; the result is ``(value, tangent, aux)`` then.

    Returns
    -------
    value, tangent : tree
        The tangent of an array of integers or booleans is None.

    Raises
    ------
    CotangentError
        If a direction has another structure, shape, dtype, backend or device than its argument.
    NotDifferentiableError
        If an array of integers or booleans has one.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.jvp(lambda x: x * x, (ag.tensor(3.0),), (ag.tensor(1.0),))
    (tensor(9.), tensor(6.))
    """
    check_callable(f, "jvp")
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        msg = (
            f"primals and tangents of jvp must be tuples or lists, one item for each argument; got "
            f"{type(primals).__name__} and {type(tangents).__name__}"
        )
        raise TypeError(msg)
    values, structure = flatten(tuple(primals))
    directions = leaves_like(tuple(tangents), structure, ("tangents", "primals"))
    tensors = False
    with new_level("jvp") as level:
        duals = []
        for k, (x, t) in enumerate(zip(values, directions, strict=True)):
            if isinstance(x, Array) or isinstance(t, Array):
                tensors = True
            if t is None:
                duals.append(x)
                continue
            where = partial(place_of_argument, structure, k)
            if not as_it_is(x):
                x = differentiable(x, level.name, where, values)
            duals.append(Dual(x, fitting(t, x, partial(tangent_of, where)), level))
        out = f(*optree.tree_unflatten(structure, duals))
        aux = None
        if has_aux:
            out, aux = pair(out)
            aux = extra(aux, level, tensors=tensors)
        leaves, shape = flatten(out)
        found = [finished(x, tensors=tensors) for x, _ in values_of(leaves, shape, level)]
        slopes = [None if x is None else finished(tangent_off_level(x, level), tensors=tensors) for x in leaves]
    value, tangent = optree.tree_unflatten(shape, found), optree.tree_unflatten(shape, slopes)
    return (value, tangent, aux) if has_aux else (value, tangent)


def tangent_of(where: Callable[[], str]) -> str:
    """The direction of an argument, as messages call it."""
    return f"tangent of {where()}"


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Hessian-vector product of a scalar function, forward over reverse.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a real scalar.
    primals, tangents : tuple or list
        Arguments and their directions, as for `jvp`.

    Returns
    -------
    tree
        The product, like the argument; where there are several, a tuple of products, of the whole Hessian.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.hvp(lambda x: (x**3).sum(), (ag.tensor([1.0, 2.0]),), (ag.tensor([1.0, 1.0]),))
    tensor([ 6., 12.])
    >>> ag.hvp(lambda x, y: x * y, (ag.tensor(2.0), ag.tensor(3.0)), (ag.tensor(1.0), ag.tensor(0.0)))
    (tensor(0.), tensor(1.))
    """
    check_callable(f, "hvp")
    argnums = tuple(range(len(primals))) if len(primals) > 1 else 0

    def gradient(*args: Any) -> Any:
        return differentiated(f, argnums, args, {}, "grad")[2]

    return jvp(gradient, primals, tangents)[1]
