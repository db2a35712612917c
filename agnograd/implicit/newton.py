"""Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.implicit.iteration import changes_little, iterate
from agnograd.implicit.linear import dense
from agnograd.transforms import jvp
from agnograd.tree import map as tree_map


def newton(
    f: Callable[[Any], Any],
    x0: Any,
    *,
    tol: float | None = None,
    max_iterations: int = 50,
    iterations: int | None = None,
    tangent_solve: Callable[[Callable[[Any], Any], Any], Any] = dense,
) -> Any:
    """A root of a function by Newton's method, a solver for `custom_root`.

    Parameters
    ----------
    f : callable
        Function from trees like `x0` to trees like it.
    x0 : tree
        Where to begin.
    tol : float, optional
        The last step is one that changes less than this, relative to the root where that is larger than 1; by default
        what rounding allows.
    max_iterations : int
        The most steps.
    iterations : int, optional
        Take so many steps instead, without a look at any value: for GPUs and `vmap`, and for lazy arrays that are to
        stay lazy. Otherwise these are computed once a step, from where the last one ended.
    tangent_solve : callable
        Solves the linear systems.

    Returns
    -------
    tree

    Raises
    ------
    ConvergenceError
        If `max_iterations` are not enough.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.implicit import newton
    >>> newton(lambda x: x * x - 2.0, ag.tensor(1.0))
    tensor(1.4142)
    """

    def step(x: Any) -> Any:
        change = tangent_solve(lambda t: jvp(f, (x,), (t,))[1], f(x))
        return tree_map(lambda x, d: x - d, x, change)

    def done(before: Any, after: Any) -> Any:
        return changes_little(before, after, tol)

    return iterate(step, x0, done, name="newton", max_iterations=max_iterations, iterations=iterations)
