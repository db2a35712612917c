"""Derivatives as linear operators, for SciPy's iterative solvers of systems and eigenvalue problems."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import optree

from agnograd.core.facts import describe
from agnograd.errors import NotDifferentiableError
from agnograd.optimize.bridge import Vectors, scipy
from agnograd.raveling import is_complex, ravel_real, ravel_tree
from agnograd.transforms import grad, linearize, vjp


def jacobian_operator(f: Callable[[Any], Any], x: Any, *, holomorphic: bool = False) -> Any:
    """The derivative of a function at a point, as a linear operator of SciPy's.

    Parameters
    ----------
    f : callable
        Function of a tree to a tree.
    x : tree
        Arrays of one backend and device, or numbers.
    holomorphic : bool
        Whether `f` is a holomorphic function of complex leaves only, so that its derivative is a complex matrix.
        Otherwise complex numbers count as pairs of real ones, on both sides.

    Returns
    -------
    scipy.sparse.linalg.LinearOperator
        On the vectors of `agnograd.ravel_tree`; where complex numbers count as pairs, the imaginary parts of a leaf
        follow its real parts. A product (``matvec``) takes no more than the linear part of the function, one with the
        adjoint (``rmatvec``) one backward pass.

    Raises
    ------
    MissingLibraryError
        If SciPy is not installed.
    NotDifferentiableError
        If arguments or values are no floating-point numbers, or not complex where the function is holomorphic.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.optimize import jacobian_operator
    >>> J = jacobian_operator(lambda x: ag.diff(x**2), ag.tensor([1.0, 2.0, 4.0]))
    >>> J.shape
    (2, 3)
    >>> J @ [1.0, 0.0, 1.0], J.T @ [1.0, 0.0]
    (array([-2.,  8.]), array([-2.,  4.,  0.]))
    """
    derivative = _Derivative(f, Vectors(x, ravel_tree if holomorphic else ravel_real, name="x"))
    if holomorphic:
        _check_complex(derivative.domain, derivative.codomain)
    return _operator(derivative.codomain, derivative.domain, derivative.forward, derivative.adjoint)


def hessian_operator(f: Callable[[Any], Any], x: Any) -> Any:
    """The Hessian of a scalar function at a point, as a linear operator of SciPy's.

    Parameters
    ----------
    f : callable
        Function of a tree to a real scalar.
    x : tree
        Arrays of one backend and device, or numbers. Complex numbers count as pairs of real ones.

    Returns
    -------
    scipy.sparse.linalg.LinearOperator
        As that of `jacobian_operator`; symmetric.

    Raises
    ------
    MissingLibraryError
        If SciPy is not installed.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.optimize import hessian_operator
    >>> H = hessian_operator(lambda x: ag.sum(x**3), ag.tensor([1.0, 2.0]))
    >>> H @ [1.0, 1.0]
    array([ 6., 12.])
    """
    derivative = _Derivative(grad(f), Vectors(x, name="x"))
    return _operator(derivative.domain, derivative.domain, derivative.forward, derivative.forward)


def _check_complex(*sides: Vectors) -> None:
    for side in sides:
        for x in optree.tree_leaves(side.unravel(side.flat)):
            if not is_complex(x):
                msg = f"holomorphic=True is for complex arguments and values only, got {describe(x)}: leave it out"
                raise NotDifferentiableError(msg)


class _Derivative:
    """The derivative of a function, in both directions; what forward products need is prepared at the first of them."""

    def __init__(self, f: Callable[[Any], Any], domain: Vectors) -> None:
        self.f = f
        self.domain = domain
        self.x = domain.tree(domain.start)
        value, self.pullback = vjp(f, self.x)
        self.codomain = Vectors(value, domain.ravel, name="the value")

    @cached_property
    def linear(self) -> Callable[..., Any]:
        linear: Callable[..., Any] = linearize(self.f, self.x)[1]
        return linear

    def forward(self, vector: Any) -> Any:
        return self.codomain.host(self.linear(self.domain.tree(vector)))

    def adjoint(self, vector: Any) -> Any:
        return self.domain.host(self.pullback(self.codomain.tree(vector))[0])


def _operator(rows: Vectors, columns: Vectors, forward: Callable[[Any], Any], adjoint: Callable[[Any], Any]) -> Any:
    import numpy as np

    dtype = np.result_type(rows.dtype, columns.dtype)
    return scipy("sparse.linalg").LinearOperator(
        (rows.size, columns.size), dtype=dtype, matvec=_linear(forward, dtype), rmatvec=_linear(adjoint, dtype)
    )


def _linear(product: Callable[[Any], Any], dtype: Any) -> Callable[[Any], Any]:
    """A product that takes complex vectors where the matrix is real, too."""
    import numpy as np

    def of_any(vector: Any) -> Any:
        if np.iscomplexobj(vector) and dtype.kind != "c":
            return product(np.real(vector)) + 1j * product(np.imag(vector))
        return product(vector)

    return of_any
