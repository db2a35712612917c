"""The loop that all iterations share: until little changes, or a number of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.core.facts import raw_space
from agnograd.core.table import OPS
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
        if done(before, state):
            return state
    msg = (
        f"{name} has not come to its end in {max_iterations} steps. Start nearer to the solution, raise max_iterations "
        f"or tol, or give iterations= to take what a fixed number of steps finds."
    )
    raise ConvergenceError(msg)


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
