"""Minima of functions of trees."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from agnograd.core.facts import describe
from agnograd.errors import NonScalarError
from agnograd.optimize.bounds import flat_bounds
from agnograd.optimize.bridge import Vectors, scipy, tuple_of
from agnograd.transforms import hvp, value_and_grad

# What a method of SciPy's makes use of; all others take the gradient.
WITHOUT_GRADIENT = ("nelder-mead", "powell", "cobyla", "cobyqa")
HESSIAN_PRODUCT = ("newton-cg", "trust-ncg", "trust-krylov", "trust-constr")
WHOLE_HESSIAN = ("dogleg", "trust-exact")


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: Any = None,
    *,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Minimise a function of a tree of parameters by ``scipy.optimize.minimize``.

    The gradient is that of `agnograd.value_and_grad`; methods that want second derivatives get products with the
    Hessian (`agnograd.hvp`), or the Hessian ("dogleg", "trust-exact").

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)``, a real scalar.
    x0 : tree
        Where to begin: arrays of one backend and device, or numbers. Floating-point dtypes and devices are kept.
    args : tuple
        Further arguments, which stay as they are.
    method : str or callable, optional
        As SciPy's.
    bounds : optional
        None; a pair ``(lower, upper)`` for all parameters; or a tree of pairs, of the structure of `x0` or of the
        upper part of it. Lower and upper are None, numbers, or arrays that broadcast to the parameter; None in the
        place of a pair leaves a parameter free. Also SciPy's forms: a list with a pair for each number where `x0` is a
        single array, and ``scipy.optimize.Bounds`` for the vector.
    constraints : optional
        As SciPy's. The functions of dictionaries and of ``NonlinearConstraint`` take trees and return trees, and get
        exact derivatives; a ``LinearConstraint`` is one for the vector of `agnograd.ravel_tree`.
    tol : float, optional
        As SciPy's.
    options : dict, optional
        As SciPy's.
    callback : callable, optional
        As SciPy's: called after each iteration with the tree (by "trust-constr" with its state too), or with the
        ``OptimizeResult`` if its parameter has the name ``intermediate_result``.

    Returns
    -------
    scipy.optimize.OptimizeResult
        As SciPy's, with trees like `x0` for ``x`` and the gradient (``jac``, ``grad``); what else is there is about
        the vector.

    Raises
    ------
    MissingLibraryError
        If SciPy is not installed.
    NotDifferentiableError
        If a parameter is of integers, or the function depends on what a transformation around differentiates.
    TreeError
        If the bounds do not fit.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.optimize import minimize
    >>> def rosenbrock(p):
    ...     return (1 - p["x"]) ** 2 + 100 * (p["y"] - p["x"] ** 2) ** 2
    >>> found = minimize(rosenbrock, {"x": ag.tensor(-1.0), "y": ag.tensor(2.0)}, tol=1e-10)
    >>> found.success, found.x
    (True, {'x': tensor(1.0000), 'y': tensor(1.0000)})
    """
    at = Vectors(x0)
    given = tuple_of(args)
    both = value_and_grad(fun)

    def of_tree(x: Any) -> Any:
        return fun(x, *given)

    def value_and_gradient(vector: Any) -> tuple[float, Any]:
        found = at.doubles(both(at.tree(vector), *given))
        return float(found[0]), found[1:]

    def value(vector: Any) -> float:
        found = of_tree(at.tree(vector))
        if tuple(found.shape) != ():
            msg = f"minimize takes a function to one real scalar; the output has {describe(found)}"
            raise NonScalarError(msg)
        return float(at.doubles(found)[0])

    def product(vector: Any, direction: Any) -> Any:
        return at.doubles(hvp(of_tree, (at.tree(vector),), (at.tree(direction),)))

    name = method.lower() if isinstance(method, str) else None
    derivatives: dict[str, Any] = {} if name in WITHOUT_GRADIENT else {"jac": True}
    if name in HESSIAN_PRODUCT:
        derivatives["hessp"] = product
    if name in WHOLE_HESSIAN:
        derivatives["hess"] = at.jacobian(lambda x: both(x, *given)[1])
    result = scipy("optimize").minimize(
        value_and_gradient if derivatives else value,
        at.start,
        method=method,
        bounds=flat_bounds(bounds, at),
        constraints=_flat_constraints(constraints, at),
        tol=tol,
        callback=None if callback is None else _flat_callback(callback, at),
        options=options,
        **derivatives,
    )
    return with_trees(result, at)


def with_trees(result: Any, at: Vectors) -> Any:
    """A result of SciPy's with trees for what is a vector of parameters."""
    for name in ("x", "jac", "grad"):
        found = result.get(name)
        if getattr(found, "shape", None) == (at.size,):
            result[name] = at.tree(found)
    return result


def _flat_callback(callback: Callable[..., Any], at: Vectors) -> Callable[..., Any]:
    """The callback in the form, of two, in which it was written: SciPy looks at the names of parameters."""

    def result_with_trees(result: Any) -> Any:
        return with_trees(type(result)(result), at)

    if set(inspect.signature(callback).parameters) == {"intermediate_result"}:
        return lambda intermediate_result: callback(intermediate_result=result_with_trees(intermediate_result))
    return lambda vector, *state: callback(at.tree(vector), *map(result_with_trees, state))


def _flat_constraints(constraints: Any, at: Vectors) -> Any:
    if isinstance(constraints, (tuple, list)):
        return [_flat_constraint(c, at) for c in constraints]
    return _flat_constraint(constraints, at)


def _flat_constraint(constraint: Any, at: Vectors) -> Any:
    optimize = scipy("optimize")
    if isinstance(constraint, dict):
        given = tuple_of(constraint.get("args", ()))

        def fun(x: Any) -> Any:
            return constraint["fun"](x, *given)

        return {"type": constraint["type"], "fun": at.on_vectors(fun), "jac": at.jacobian(fun)}
    if isinstance(constraint, optimize.NonlinearConstraint):
        return optimize.NonlinearConstraint(
            at.on_vectors(constraint.fun),
            constraint.lb,
            constraint.ub,
            jac=at.jacobian(constraint.fun),
            hess=constraint.hess,
            keep_feasible=constraint.keep_feasible,
        )
    return constraint
