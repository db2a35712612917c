"""The loop that all iterations share: until little changes, or a number of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optree

from agnograd.core.array import Array, innermost
from agnograd.core.conversions import Computes
from agnograd.core.facts import raw_space
from agnograd.core.level import implicit_compute
from agnograd.core.nodes import wrap
from agnograd.core.table import OPS, Space, spaces
from agnograd.core.views import settled
from agnograd.errors import ConvergenceError
from agnograd.raveling import ravel_tree


def iterate(
    step: Callable[[Any], Any],
    state: Any,
    done: Callable[[Any, Any], Any],
    *,
    name: str,
    max_iterations: int,
    iterations: int | None,
) -> Any:
    """Repeat a step.

    Parameters
    ----------
    step : callable
        State to state.
    state : Any
        The first.
    done : callable
        ``done(before, after)``, an array that says whether `after` is the last one.
    name : str
        For the message.
    max_iterations : int
        The most steps.
    iterations : int or None
        Take so many steps and ask no questions, so that no value is computed or leaves its device.

    Raises
    ------
    ConvergenceError
        If `max_iterations` steps were not enough.
    """
    if iterations is not None:
        for _ in range(iterations):
            state = step(state)
        return state
    for _ in range(max_iterations):
        before, state = state, step(state)
        state, last = held(state, done(before, state))
        if last:
            return state
    msg = (
        f"{name} has not come to its end in {max_iterations} steps. Start nearer to the solution, raise max_iterations "
        f"or tol, or give iterations= to take what a fixed number of steps finds."
    )
    raise ConvergenceError(msg)


def held(state: Any, question: Any) -> tuple[Any, Any]:
    """A state that a lazy backend keeps, and the answer to a question: it computes both at once.

    Without this each look would compute all steps again, from the first on. What a transformation follows stays lazy.
    """
    leaves, structure = optree.tree_flatten(state)
    arrays = [x for x in leaves if isinstance(x, Array) or spaces.known(type(x)) is not None]
    space = raw_space(question)
    hold = getattr(space.backend, "hold", None)
    if space.lazy and not implicit_compute.get():
        # Says so when it is asked.
        return state, question if isinstance(question, Array) else wrap(question, None)
    if hold is None or not all(_is_constant(x, space) for x in (*arrays, question)):
        return state, question
    Computes.count += 1
    kept, answer = hold([innermost(x) for x in arrays], innermost(question))
    fresh = iter(kept)
    made = [_like(x, next(fresh)) if any(x is y for y in arrays) else x for x in leaves]
    return optree.tree_unflatten(structure, made), answer


def kept(x: Any) -> Any:
    """A vector that a lazy backend keeps: what it is computed from is read once, not in each step."""
    return held((x,), norm(x) >= 0)[0][0] if raw_space(x).lazy else x


def _is_constant(x: Any, space: Space) -> bool:
    return raw_space(x) is space and (not isinstance(x, Array) or settled(x).level is None)


def _like(x: Any, raw: Any) -> Any:
    return wrap(raw, None) if isinstance(x, Array) else raw


def tolerance(x: Any, tol: float | None) -> float:
    """`tol`, or what rounding allows in the dtype of an array."""
    return 64 * float(raw_space(x).module.finfo(x.dtype).eps) if tol is None else tol


def norm(x: Any) -> Any:
    """The Euclidean norm of a vector."""
    return OPS["linalg.vector_norm"].call(x)


def changes_little(before: Any, after: Any, tol: float | None) -> Any:
    """Whether the change of a tree is small against the tree, or against 1 where that is smaller."""
    old, new = ravel_tree(before)[0], ravel_tree(after)[0]
    size = norm(new)
    return norm(new - old) <= tolerance(new, tol) * OPS["maximum"].call(size, OPS["ones_like"].call(size))
