"""The derivative of a function at a point, as a linear function that is cheap to call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import optree

from agnograd.core.array import Array
from agnograd.core.level import new_level
from agnograd.core.nodes import Node
from agnograd.core.reverse import backward
from agnograd.transforms.arguments import check_callable, differentiable, is_constant, lift
from agnograd.transforms.forward_mode import tangent_of
from agnograd.transforms.recording import Recording
from agnograd.transforms.results import finished, fitting, off_level, zeros
from agnograd.transforms.trees import flatten, leaves_like, place_of_argument


def linearize(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of a function, and its derivative there as a linear function of directions.

    `jvp` runs the function for each direction. Here it runs once, and a product with the derivative takes only the
    operations on the tangent: what they read, the cosine that belongs to a sine say, was computed before. That is what
    solvers want that ask for many products at one point, conjugate gradients or Newton's method.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a tree of arrays.
    *primals
        Its arguments.
    has_aux : bool
        Whether `f` returns ``(value, aux)``; the result is ``(value, f_lin, aux)`` then.

    Returns
    -------
    value : tree
        ``f(*primals)``.
    f_lin : callable
        ``f_lin(*tangents)`` is the tangent of `value`; tangents are like the arguments, None for one that does not
        change, and for arrays of integers or booleans. It may be differentiated itself: it is linear in the tangents,
        and where the arguments are those of an outer transformation, it depends on them.

    Raises
    ------
    CotangentError
        From `f_lin`, if structure, shape, dtype, backend or device are not those of the arguments.

    Notes
    -----
    The pullback of the function is linear in the cotangent, and its own pullback is the derivative [1]_. So the
    function is recorded, its graph walked back once for a cotangent of zero, and that walk recorded in its turn. A
    product is a backward pass through this second graph. On NumPy that takes between a half and a fortieth of the time
    of `jvp` (a hundred sines: a ninth for 3 elements, a fortieth for 10^5), and making the graph as long as one or two
    calls of `jvp`. Of custom functions it needs the rule for reverse mode only.

    References
    ----------
    .. [1] J. Townsend, A new trick for calculating Jacobian vector products, 2017.

    Examples
    --------
    >>> import agnograd as ag
    >>> value, f_lin = ag.linearize(lambda x: x**3, ag.tensor([1.0, 2.0]))
    >>> f_lin(ag.tensor([1.0, 0.0]))
    tensor([3., 0.])
    >>> f_lin(ag.tensor([0.0, 1.0]))
    tensor([ 0., 12.])
    """
    check_callable(f, "linearize")
    record = Recording(f, primals, "linearize", has_aux=has_aux)
    starts, ends = _graph_of_pullback(record)
    points, domain = flatten(tuple(primals))

    def f_lin(*tangents: Any) -> Any:
        given = leaves_like(tangents, domain, ("tangents", "primals"))
        known = iter(starts)
        roots = []
        for k, (t, point) in enumerate(zip(given, points, strict=True)):
            if point is None:
                continue
            x, node = next(known)
            if t is not None:
                where = partial(place_of_argument, domain, k)
                t = fitting(t, differentiable(x, "linearize", where), partial(tangent_of, where))
                if node is not None:
                    roots.append((node, t))
        found = backward(roots, release=False) if roots else {}
        tensors = record.inputs.tensors or any(isinstance(t, Array) for t in given)
        slopes = [
            found[end] if end in found else None if x is None or is_constant(x) else zeros(x)
            for (x, _), end in zip(record.values, ends, strict=True)
        ]
        return optree.tree_unflatten(record.structure, [finished(t, tensors=tensors) for t in slopes])

    return (record.value, f_lin, record.aux) if has_aux else (record.value, f_lin)


def _graph_of_pullback(record: Recording) -> tuple[list[tuple[Any, Node | None]], list[Node | None]]:
    """The recorded walk back from the values of a function to its arguments.

    Returns
    -------
    starts : list of (array, Node or None)
        Each leaf of the arguments, and the node of its cotangent; None where no value depends on it.
    ends : list of (Node or None)
        The node of each value's cotangent; None where the value depends on no argument.
    """
    inputs, values = record.inputs, record.values
    with new_level("linearize") as level:
        cotangents = [None if node is None else lift(zeros(x), level) for x, node in values]
        roots = [(node, g) for (_, node), g in zip(values, cotangents, strict=True) if node is not None]
        found = backward(roots) if roots else {}
        starts = [
            (x, off_level(found[node], level)[1] if node in found else None)
            for nodes, primals in zip(inputs.nodes, inputs.primals, strict=True)
            for node, x in zip(nodes, primals, strict=True)
        ]
    return starts, [None if g is None else g._node for g in cotangents]
