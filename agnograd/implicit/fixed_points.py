"""Fixed points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.implicit.iteration import changes_little, iterate
from agnograd.implicit.linear import dense
from agnograd.implicit.roots import Solve, TangentSolve, found
from agnograd.tree import map as tree_map


def fixed_point(
    f: Callable[..., Any],
    x0: Any,
    *params: Any,
    tol: float | None = None,
    max_iterations: int = 1000,
    iterations: int | None = None,
    solve: Solve | None = None,
    tangent_solve: TangentSolve = dense,
) -> Any:
    """A fixed point ``x = f(x, *params)``, differentiable in the parameters and in what `f` closes over.

    Parameters
    ----------
    f : callable
        Function of a tree like `x0`, and of trees of parameters, to a tree like it.
    x0 : tree
        Where to begin. Its derivative is zero.
    *params : tree
        See `agnograd.implicit` on which get derivatives.
    tol : float, optional
        The last step is one that changes less than this, relative to the fixed point where that is larger than 1; by
        default what rounding allows.
    max_iterations : int
        The most steps.
    iterations : int, optional
        Take so many steps instead, without a look at any value: for GPUs and `vmap`, and for lazy arrays that are to
        stay lazy. Otherwise these are computed once a step, from where the last one ended: what `f` reads of parameters
        it reads in each.
    solve : callable, optional
        ``solve(f, x0)`` finds the fixed point of ``f(x)``, in the place of repeating `f`. The three parameters above
        are not for it.
    tangent_solve : callable
        ``tangent_solve(linear, y)`` solves the linear systems of derivatives: `dense`, `cg`, `gmres` or your own.

    Returns
    -------
    tree

    Raises
    ------
    ConvergenceError
        If `max_iterations` are not enough.
    TreeError
        If `f` returns something else than a tree like `x0`.
    FunctionError
        If `f` reaches what is differentiated in a way that cannot be followed.

    Examples
    --------
    The square root, by Heron's method:

    >>> import agnograd as ag
    >>> from agnograd.implicit import fixed_point
    >>> sqrt = lambda a: fixed_point(lambda x, a: (x + a / x) / 2, ag.tensor(1.0), a)
    >>> sqrt(ag.tensor(2.0)), ag.grad(sqrt)(ag.tensor(2.0)), ag.grad(ag.grad(sqrt))(ag.tensor(2.0))
    (tensor(1.4142), tensor(0.3536), tensor(-0.0884))
    """

    def repeat(f: Callable[[Any], Any], x0: Any) -> Any:
        def done(before: Any, after: Any) -> Any:
            return changes_little(before, after, tol)

        return iterate(f, x0, done, name="fixed_point", max_iterations=max_iterations, iterations=iterations)

    def remainder(value: Any, x: Any) -> Any:
        return tree_map(lambda y, x: y - x, value, x)

    return found(f, x0, params, solve or repeat, tangent_solve, remainder)
