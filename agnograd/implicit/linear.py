"""Solvers of linear systems that are given as a function, on trees of arrays of any backend.

Each takes a linear function of a tree and the right-hand side, ``solve(linear, y)``, as `agnograd.implicit.custom_root`
and JAX's ask of a `tangent_solve`. Complex numbers count as pairs of real ones, so that functions need be linear over
the real numbers only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.core.array import innermost
from agnograd.core.facts import raw_space
from agnograd.core.table import OPS
from agnograd.implicit.iteration import iterate, kept, norm, tolerance
from agnograd.raveling import Unravel, ravel_real
from agnograd.transforms import vmap

Linear = Callable[[Any], Any]


def dense(linear: Linear, y: Any) -> Any:
    """Solve by the matrix of the function: for up to some thousand unknowns, and always right.

    Parameters
    ----------
    linear : callable
        Linear function of trees like `y`. It is called once, under `vmap`, with as many directions as unknowns.
    y : tree
        The right-hand side.

    Returns
    -------
    tree
        Where `linear` is `y`.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.implicit import dense
    >>> dense(lambda x: (x[0] + x[1], x[0] - x[1]), (ag.tensor(3.0), ag.tensor(1.0)))
    (tensor(2.), tensor(1.))
    """
    matvec, b, unravel = _flat(linear, y)
    if not b.shape[0]:
        return y
    space = raw_space(b)
    basis = space.eye(b.shape[0], dtype=b.dtype, device=space.device(innermost(b)))
    matrix = vmap(matvec, out_axes=1)(basis)
    return unravel(OPS["linalg.solve"].call(matrix, b))


def cg(
    linear: Linear,
    y: Any,
    *,
    tol: float | None = None,
    max_iterations: int | None = None,
    iterations: int | None = None,
) -> Any:
    """Solve by conjugate gradients, where the function is self-adjoint and positive definite.

    Hestenes and Stiefel, Methods of conjugate gradients for solving linear systems, 1952.

    Parameters
    ----------
    linear : callable
        As for `dense`; it is called once a step.
    y : tree
        As for `dense`.
    tol : float, optional
        The most that may remain of `y`, relative to it; by default what rounding allows.
    max_iterations : int, optional
        By default ten for each unknown.
    iterations : int, optional
        Take so many steps instead, without a look at any value: for GPUs and `vmap`, and for lazy arrays that are to
        stay lazy. Otherwise these are computed once a step, from where the last one ended.

    Raises
    ------
    ConvergenceError
        If `max_iterations` are not enough.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.implicit import cg
    >>> cg(lambda x: x * ag.tensor([1.0, 3.0, 7.0]), ag.ones(3))
    tensor([1.0000, 0.3333, 0.1429])
    """
    matvec, b, unravel = _flat(linear, y)
    if not b.shape[0]:
        return y
    if iterations is None:
        b = kept(b)
    aim = norm(b) * tolerance(b, tol)

    def step(state: Any) -> Any:
        x, r, p, rr = state
        image = matvec(p)
        length = _ratio(rr, _dot(p, image))
        x, r = x + length * p, r - length * image
        new = _dot(r, r)
        return x, r, r + _ratio(new, rr) * p, new

    found = iterate(
        step,
        (OPS["zeros_like"].call(b), b, b, _dot(b, b)),
        lambda _, state: norm(state[1]) <= aim,
        name="cg",
        max_iterations=10 * b.shape[0] if max_iterations is None else max_iterations,
        iterations=iterations,
    )
    return unravel(found[0])


def gmres(
    linear: Linear,
    y: Any,
    *,
    restart: int = 30,
    tol: float | None = None,
    max_iterations: int = 100,
    iterations: int | None = None,
) -> Any:
    """Solve by generalised minimal residuals, where the matrix is too large for `dense`.

    Saad and Schultz, GMRES: a generalized minimal residual algorithm for solving nonsymmetric linear systems, 1986.

    Parameters
    ----------
    linear : callable
        As for `dense`; it is called `restart` times a step.
    y : tree
        As for `dense`.
    restart : int
        Vectors that are kept. With as many as there are unknowns the first step is the last.
    tol : float, optional
        The most that may remain of `y`, relative to it; by default what rounding allows.
    max_iterations : int
        The most steps.
    iterations : int, optional
        Take so many steps instead, without a look at any value: for GPUs and `vmap`, and for lazy arrays that are to
        stay lazy. Otherwise these are computed once a step, from where the last one ended.

    Raises
    ------
    ConvergenceError
        If `max_iterations` are not enough.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.implicit import gmres
    >>> gmres(lambda x: (x[0] + x[1], x[0] - 2 * x[1]), (ag.tensor(1.0), ag.tensor(0.0)))
    (tensor(0.6667), tensor(0.3333))
    """
    matvec, b, unravel = _flat(linear, y)
    if not b.shape[0]:
        return y
    size = min(restart, b.shape[0])
    if iterations is None:
        b = kept(b)
    aim = norm(b) * tolerance(b, tol)
    concat, expand, matmul, stack = (OPS[name].call for name in ("concat", "expand_dims", "matmul", "stack"))

    def step(state: Any) -> Any:
        x, r = state
        length = norm(r)
        basis = expand(_ratio(r, length), axis=0)
        columns = []
        for j in range(size):
            image = matvec(basis[j, :])
            weights = matmul(basis, image)
            rest = image - matmul(weights, basis)
            # Once more: rounding has left something of the basis.
            again = matmul(basis, rest)
            rest = rest - matmul(again, basis)
            height = norm(rest)
            basis = concat([basis, expand(_ratio(rest, height), axis=0)])
            nothing = OPS["zeros_like"].call(basis[:1, 0])
            columns.append(concat([weights + again, expand(height, axis=0), *[nothing] * (size - 1 - j)]))
        # Where the basis has become complete early, the rest of it is zero: the pseudo-inverse leaves that out.
        inverse = OPS["linalg.pinv"].call(stack(columns, axis=1))
        x = x + matmul(inverse[:, 0] * length, basis[:size, :])
        return x, b - matvec(x)

    found = iterate(
        step,
        (OPS["zeros_like"].call(b), b),
        lambda _, state: norm(state[1]) <= aim,
        name="gmres",
        max_iterations=max_iterations,
        iterations=iterations,
    )
    return unravel(found[0])


def _flat(linear: Linear, y: Any) -> tuple[Linear, Any, Unravel]:
    """The function and the right-hand side on vectors of real numbers, and the way back."""
    b, unravel = ravel_real(y)
    return lambda v: ravel_real(linear(unravel(v)))[0], b, unravel


def _dot(x: Any, y: Any) -> Any:
    return OPS["vecdot"].call(x, y)


def _ratio(x: Any, y: Any) -> Any:
    """``x / y``, and 0 where `y` is: steps that are taken after the solution has been found change nothing."""
    where = OPS["where"].call
    zero = y == 0
    return where(zero, OPS["zeros_like"].call(x), x / where(zero, OPS["ones_like"].call(y), y))
