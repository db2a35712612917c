"""Functions of trees to trees that are to be small, or zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.optimize.bounds import flat_bounds
from agnograd.optimize.bridge import Vectors, scipy, tuple_of
from agnograd.optimize.minimisation import with_trees
from agnograd.optimize.operators import jacobian_operator


def least_squares(
    fun: Callable[..., Any], x0: Any, args: Any = (), *, bounds: Any = None, method: str = "trf", **options: Any
) -> Any:
    """Minimise half the sum of squares of residuals by ``scipy.optimize.least_squares``.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)``, a tree of residuals. Complex ones count with their absolute values.
    x0 : tree
        Where to begin: arrays of one backend and device, or numbers.
    args : tuple
        Further arguments, which stay as they are.
    bounds : optional
        As those of `minimize`.
    method, **options : optional
        As SciPy's. With ``tr_solver="lsmr"`` no matrix is built: the Jacobian is a linear operator.

    Returns
    -------
    scipy.optimize.OptimizeResult
        As SciPy's, with trees like `x0` for ``x`` and ``grad``.

    Raises
    ------
    MissingLibraryError
        If SciPy is not installed.
    TreeError
        If the bounds do not fit.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.optimize import least_squares
    >>> t, y = ag.tensor([0.0, 1.0, 2.0]), ag.tensor([3.0, 1.5, 0.75])
    >>> def residuals(p):
    ...     return p["height"] * ag.exp(-p["rate"] * t) - y
    >>> least_squares(residuals, {"height": ag.tensor(1.0), "rate": ag.tensor(1.0)}).x
    {'height': tensor(3.0000), 'rate': tensor(0.6931)}
    """
    at, of_tree = Vectors(x0), _bound(fun, args)
    jacobian = at.jacobian(of_tree)
    if options.get("tr_solver") == "lsmr":

        def jacobian(vector: Any) -> Any:
            return jacobian_operator(of_tree, at.tree(vector))

    found = flat_bounds(bounds, at)
    if found is not None:
        options["bounds"] = found
    return with_trees(
        scipy("optimize").least_squares(at.on_vectors(of_tree), at.start, jac=jacobian, method=method, **options), at
    )


def root(fun: Callable[..., Any], x0: Any, args: Any = (), method: str = "hybr", **options: Any) -> Any:
    """Solve ``fun(x, *args) = 0`` by ``scipy.optimize.root``.

    Parameters
    ----------
    fun : callable
        A function to a tree with as many numbers as `x0`.
    x0 : tree
        Where to begin: arrays of one backend and device, or numbers.
    args : tuple
        Further arguments, which stay as they are.
    method, **options : optional
        As SciPy's. The methods "hybr" and "lm" get the Jacobian, the others need none.

    Returns
    -------
    scipy.optimize.OptimizeResult
        As SciPy's, with a tree like `x0` for ``x``.

    Raises
    ------
    MissingLibraryError
        If SciPy is not installed.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.optimize import root
    >>> root(lambda x: (x[0] + x[1] - 1.0, x[0] - x[1] * x[1]), (ag.tensor(0.0), ag.tensor(1.0))).x
    (tensor(0.3820), tensor(0.6180))

    As the solver of `agnograd.implicit.custom_root`, whose result is differentiable:

    >>> from agnograd.implicit import custom_root
    >>> cube_root = lambda a: custom_root(lambda x: x**3 - a, ag.tensor(1.0), lambda f, x0: root(f, x0).x)
    >>> cube_root(ag.tensor(3.0)), ag.grad(cube_root)(ag.tensor(3.0))
    (tensor(1.4422), tensor(0.1602))
    """
    at, of_tree = Vectors(x0), _bound(fun, args)
    jac = at.jacobian(of_tree) if method in ("hybr", "lm") else None
    return with_trees(scipy("optimize").root(at.on_vectors(of_tree), at.start, method=method, jac=jac, **options), at)


def _bound(fun: Callable[..., Any], args: Any) -> Callable[[Any], Any]:
    given = tuple_of(args)
    return lambda x: fun(x, *given)
