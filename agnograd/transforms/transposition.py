"""The transpose of a linear function."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree

from agnograd.core.array import innermost
from agnograd.core.batch import is_batched
from agnograd.core.facts import raw_space
from agnograd.core.nodes import Node, is_leaf, wrap
from agnograd.core.op import Projection
from agnograd.core.views import settled
from agnograd.core.walk import below
from agnograd.errors import LinearityError
from agnograd.transforms.arguments import check_callable, is_constant
from agnograd.transforms.recording import Recording
from agnograd.transforms.results import conjugate, is_array, zeros


def linear_transpose(f: Callable[..., Any], *primals: Any) -> Callable[[Any], tuple[Any, ...]]:
    """The transpose of a linear function.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, that is linear in all of them together.
    *primals
        Arrays of the shapes, dtypes and backend of its arguments. Their values do not matter.

    Returns
    -------
    callable
        Takes a cotangent like the value of `f` and returns a tuple of cotangents, one for each argument. For
        ``f(x) = A @ x`` it is ``A.T @ y``, also where A is complex, as in JAX; ``conj(transpose(conj(y)))``, which is
        what `vjp` gives, is the adjoint.

    Raises
    ------
    LinearityError
        If `f` is not linear. An operation that is not linear is found in its graph. A constant that is added, or a
        branch that depends on the argument, is found by a test of ``<f(x), f(x)> = <x, transpose(f(x))>`` at one point,
        but on lazy backends, which it would make compute.

    Examples
    --------
    >>> import agnograd as ag
    >>> a = ag.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> transpose = ag.linear_transpose(lambda x: a @ x, ag.zeros(2))
    >>> transpose(ag.tensor([1.0, 0.0]))
    (tensor([1., 2.]),)
    """
    check_callable(f, "linear_transpose")
    given: Any = primals
    origin: Any = optree.tree_map(_zero, given)
    record = Recording(f, origin, "linear_transpose")
    check_linear([node for _, node in record.values if node is not None], "linear_transpose takes a linear function")
    _check_identity(f, record)

    def transpose(cotangent: Any) -> tuple[Any, ...]:
        found: Any = record.pullback(optree.tree_map(_conjugate, cotangent))
        return tuple([optree.tree_map(conjugate, g) for g in found])

    return transpose


def _zero(x: Any) -> Any:
    if isinstance(x, (int, float, complex)):
        return 0 * x
    return zeros(x) if is_array(x) and not is_constant(x) else x


def _conjugate(g: Any) -> Any:
    return g.conjugate() if isinstance(g, (int, float, complex)) else conjugate(g)


def check_linear(roots: Iterable[Node], demand: str) -> None:
    """Raise if an operation of a graph is not linear in what its level differentiates.

    Such an operation needs, on the way back, the value of what is differentiated, or its own; or it is constant but for
    jumps.

    Raises
    ------
    LinearityError
    """
    for node in below(list(roots), None):
        variant = node.variant
        if is_leaf(node) or isinstance(variant, Projection):
            continue
        op = variant.op
        flat = getattr(op, "tier", None) == "elementwise" and any(op.partials[op.arrays[i]] == 0 for i in variant.needs)
        if flat or any(kind is not None for kind in variant.kinds):
            msg = (
                f"{demand}, and {op.name!r} was applied to a value that depends on its arguments in a way that is not "
                f"linear. Linearise it first, with agnograd.linearize or agnograd.vjp, or bind what is constant with "
                f"functools.partial."
            )
            raise LinearityError(msg)


def _check_identity(f: Callable[..., Any], record: Recording) -> None:
    """Raise if ``<f(x), f(x)>`` is not ``<x, adjoint(f(x))>`` for some x, as it is for a linear function.

    Raises
    ------
    LinearityError
    """
    inputs = record.inputs
    origin = [x for x, _ in inputs.flat]
    if any(
        is_batched(x) or raw_space(x).backend.lazy for x in (*origin, *(y for y, _ in record.values if y is not None))
    ):
        return
    x = [_somewhere(innermost(x)) for x in origin]
    y = f(*inputs.rebuilt([wrap(each, None) for each in x]))
    pulled: Any = record.pullback(y)
    back: list[Any] = optree.tree_leaves(pulled)
    value = [leaf for leaf in optree.tree_leaves(y) if not is_constant(leaf)]
    squared, other = _inner(value, value), _inner(x, back)
    allowed = _precision(value) * (squared + (_inner(x, x) * _inner(back, back)) ** 0.5)
    if abs(squared - other) > allowed:
        msg = (
            "linear_transpose takes a linear function, and this one is none: it adds a constant, or branches on the "
            "values of its arguments. Linearise it first, with agnograd.linearize or agnograd.vjp."
        )
        raise LinearityError(msg)


def _somewhere(x: Any) -> Any:
    """Numbers of both signs, like an array."""
    xp = raw_space(x)
    steps = xp.cumulative_sum(xp.ones((math.prod(x.shape),), dtype=x.dtype, device=xp.device(x)), axis=0)
    return xp.reshape(xp.cos(steps), tuple(x.shape))


def _inner(a: Sequence[Any], b: Sequence[Any]) -> float:
    """The inner product of lists of arrays."""
    total = 0.0
    for x, y in zip(map(_plain, a), map(_plain, b), strict=True):
        xp = raw_space(x)
        product = xp.sum(xp.conj(x) * y) if xp.isdtype(x.dtype, "complex floating") else xp.sum(x * y)
        total += float(xp.real(product) if xp.isdtype(product.dtype, "complex floating") else product)
    return total


def _plain(x: Any) -> Any:
    return innermost(settled(x))


def _precision(arrays: Sequence[Any]) -> float:
    return max((float(raw_space(x).finfo(x.dtype).eps) ** 0.5 for x in arrays), default=0.0)
