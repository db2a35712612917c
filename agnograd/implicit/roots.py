"""Roots, and the operation of the engine that has the derivatives of the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optree

from agnograd.core.array import Array, innermost
from agnograd.core.custom import is_array
from agnograd.core.facts import carries, describe
from agnograd.core.forward import Dual
from agnograd.core.nodes import Reverse, wrap
from agnograd.core.table import OPS
from agnograd.core.views import settled
from agnograd.errors import FunctionError, TreeError
from agnograd.function import Function, FunctionCtx
from agnograd.implicit.closures import opened
from agnograd.implicit.linear import dense
from agnograd.raveling import is_complex
from agnograd.transforms import jvp, stop_gradient, vjp

Solve = Callable[[Callable[[Any], Any], Any], Any]
TangentSolve = Callable[[Callable[[Any], Any], Any], Any]


def custom_root(
    f: Callable[..., Any],
    initial_guess: Any,
    solve: Solve,
    tangent_solve: TangentSolve = dense,
    *,
    params: Sequence[Any] = (),
    has_aux: bool = False,
) -> Any:
    """A root of ``f(x, *params)``, differentiable in the parameters and in what `f` closes over.

    JAX's ``jax.lax.custom_root``, with parameters.

    Parameters
    ----------
    f : callable
        Function of a tree like `initial_guess`, and of the parameters, to a tree like it.
    initial_guess : tree
        Its derivative is zero.
    solve : callable
        ``solve(f, initial_guess)`` returns a root of ``f(x)``; see `newton`. It need not be differentiable: what it
        gets is constant.
    tangent_solve : callable
        ``tangent_solve(linear, y)`` returns the tree where a linear function is `y`, for the linear systems of
        derivatives in both modes: `dense`, `cg`, `gmres` or your own. It need not be differentiable either.
    params : sequence of tree
        See `agnograd.implicit` on which get derivatives.
    has_aux : bool
        Whether `solve` returns ``(root, aux)``. Then that is returned; the derivative of `aux` is zero.

    Returns
    -------
    tree

    Raises
    ------
    TreeError
        If root or value of `f` is something else than a tree like `initial_guess`.
    FunctionError
        If `f` reaches what is differentiated in a way that cannot be followed.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.implicit import custom_root, newton
    >>> sqrt = lambda a: custom_root(lambda x: x * x - a, ag.tensor(1.0), newton)
    >>> sqrt(ag.tensor(2.0)), ag.grad(sqrt)(ag.tensor(2.0)), ag.grad(ag.grad(sqrt))(ag.tensor(2.0))
    (tensor(1.4142), tensor(0.3536), tensor(-0.0884))
    """
    return found(f, initial_guess, params, solve, tangent_solve, lambda value, _: value, has_aux=has_aux)


def found(
    f: Callable[..., Any],
    guess: Any,
    params: Sequence[Any],
    solve: Solve,
    tangent_solve: TangentSolve,
    remainder: Callable[[Any, Any], Any],
    *,
    has_aux: bool = False,
) -> Any:
    """What a solver finds of `f`, such that ``remainder(f(x, *params), x)`` is zero."""
    held, around = opened(f)

    def at(x: Any, parameters: Any) -> Any:
        held, params = parameters
        return around(held)(x, *params)

    def residual(x: Any, parameters: Any) -> Any:
        return _fitting(remainder(at(x, parameters), x), x)

    def compute(guess: Any, parameters: Any) -> Any:
        return solve(lambda x: at(x, parameters), guess)

    start, parameters = _alike((stop_gradient(guess), (held, tuple(params))))
    problem = _Problem(residual, compute, tangent_solve, has_aux)
    x, aux = problem.run(start, parameters)
    check_followed(residual(stop_gradient(x), stop_gradient(parameters)))
    return (x, aux) if has_aux else x


class _Problem:
    """A root that is looked for: ``residual(x, parameters) = 0``, found by ``compute(guess, parameters)``."""

    def __init__(
        self,
        residual: Callable[[Any, Any], Any],
        compute: Callable[[Any, Any], Any],
        tangent_solve: TangentSolve,
        has_aux: bool = False,
    ) -> None:
        self.residual = residual
        self.compute = compute
        self.tangent_solve = tangent_solve
        self.has_aux = has_aux

    def run(self, guess: Any, parameters: Any) -> tuple[Any, Any]:
        leaves, self.form = optree.tree_flatten(guess)
        inputs, self.inputs = optree.tree_flatten(parameters)
        self.size = len(leaves)
        outputs = _Root.apply(self, *_told_apart([*leaves, *inputs]))
        return self.root(outputs), optree.tree_unflatten(self.aux, outputs[self.size :])

    def root(self, leaves: Sequence[Any]) -> Any:
        return optree.tree_unflatten(self.form, leaves[: self.size])

    def parameters(self, leaves: Sequence[Any]) -> Any:
        return optree.tree_unflatten(self.inputs, leaves)

    def find(self, *leaves: Any) -> tuple[Any, ...]:
        out = self.compute(self.root(leaves), self.parameters(leaves[self.size :]))
        both: tuple[Any, Any] = out if self.has_aux else (out, None)
        x, aux = both
        roots, form = optree.tree_flatten(x)
        if form != self.form:
            msg = f"the solver returned a tree of structure {form}, and the initial guess has {self.form}"
            raise TreeError(msg)
        for y in roots:
            if not is_array(y):
                msg = f"the solver must return a tree of arrays, and one leaf is of type {type(y).__name__}"
                raise TreeError(msg)
        others: list[Any]
        others, self.aux = optree.tree_flatten(aux)
        return tuple(_told_apart([*leaves, *roots, *others])[len(leaves) :])

    def solved(self, operator: Callable[..., Any], y: Any, x: Any, parameters: Any) -> Any:
        """Where ``operator(w, x, parameters)``, linear in `w`, is `y`: a root once more."""

        def residual(w: Any, operands: Any) -> Any:
            y, *rest = operands
            return optree.tree_map(lambda a, b: a - b, operator(w, *rest), y)

        def compute(_: Any, operands: Any) -> Any:
            y, *rest = operands
            return self.tangent_solve(lambda w: operator(w, *rest), y)

        return _Problem(residual, compute, self.tangent_solve).run(stop_gradient(y), (y, x, parameters))[0]

    def forward(self, t: Any, x: Any, parameters: Any) -> Any:
        """The derivative of the residual in the root, times a tangent."""
        return jvp(lambda x: self.residual(x, parameters), (x,), (t,))[1]

    def adjoint(self, g: Any, x: Any, parameters: Any) -> Any:
        """Its adjoint, times a cotangent."""
        return vjp(lambda x: self.residual(x, parameters), x)[1](g)[0]


class _Root(Function):
    """``apply(problem, *guess, *parameters)``, leaves of trees: leaves of the root, and of what comes along with it."""

    @staticmethod
    def forward(problem: _Problem, *leaves: Any) -> tuple[Any, ...]:
        return problem.find(*leaves)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.problem, *leaves = inputs
        leaves = leaves[ctx.problem.size :]
        # Numbers among the parameters are no tensors to save.
        ctx.others = [None if is_array(x) else x for x in leaves]
        ctx.save_for_backward(*output[: ctx.problem.size], *[x for x in leaves if is_array(x)])
        ctx.mark_non_differentiable(*output[ctx.problem.size :])

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> tuple[Any, ...]:
        problem, x, leaves = _opened(ctx)
        needed = [i for i, need in enumerate(ctx.needs_input_grad[1 + problem.size :]) if need and carries(leaves[i])]
        found: list[Any] = [None] * (1 + problem.size + len(leaves))
        if not needed:
            return tuple(found)
        w = problem.solved(problem.adjoint, problem.root(gradients), x, problem.parameters(leaves))
        back = vjp(_in(problem, x, leaves, needed), *[leaves[i] for i in needed])[1](w)
        for i, g in zip(needed, back, strict=True):
            found[1 + problem.size + i] = -g
        return tuple(found)

    @staticmethod
    def jvp(ctx: FunctionCtx, *tangents: Any) -> tuple[Any, ...]:
        problem, x, leaves = _opened(ctx)
        ts = tangents[1 + problem.size :]
        needs = ctx.needs_input_grad[1 + problem.size :]
        moved = [i for i, t in enumerate(ts) if needs[i] and t is not None and carries(leaves[i])]
        nothing = [None] * problem.aux.num_leaves
        if not moved:
            return (*[None] * problem.size, *nothing)
        change = jvp(_in(problem, x, leaves, moved), [leaves[i] for i in moved], [ts[i] for i in moved])[1]
        t = problem.solved(problem.forward, change, x, problem.parameters(leaves))
        return (*[-t for t in optree.tree_leaves(t)], *nothing)


def _alike(trees: Any) -> Any:
    """Arrays as tensors if any is one: an operator between an array and a tensor is not for every library."""
    if not any(isinstance(x, Array) for x in optree.tree_leaves(trees)):
        return trees
    return optree.tree_map(lambda x: wrap(x, None) if is_array(x) and not isinstance(x, Array) else x, trees)


def _told_apart(leaves: Sequence[Any]) -> list[Any]:
    """The same with a copy of each array that comes a second time: `Function` tells values apart by identity."""
    seen: set[int] = set()
    found = []
    for x in leaves:
        raw = id(innermost(settled(x))) if is_array(x) else None
        found.append(OPS["clone"].call(x) if raw in seen else x)
        if raw is not None:
            seen.add(raw)
    return found


def _opened(ctx: FunctionCtx) -> tuple[_Problem, Any, list[Any]]:
    problem = ctx.problem
    saved = ctx.saved_tensors
    arrays = iter(saved[problem.size :])
    return problem, problem.root(saved), [next(arrays) if x is None else x for x in ctx.others]


def _in(problem: _Problem, x: Any, leaves: Sequence[Any], places: Sequence[int]) -> Callable[..., Any]:
    """The residual as a function of some parameters."""

    def residual(*values: Any) -> Any:
        replaced = list(leaves)
        for i, value in zip(places, values, strict=True):
            replaced[i] = value
        return problem.residual(x, problem.parameters(replaced))

    return residual


def _fitting(value: Any, x: Any) -> Any:
    """The value of the function, in the dtypes of the root.

    Raises
    ------
    TreeError
        If the function has not one equation for each unknown.
    """
    leaves, form = optree.tree_flatten(value)
    roots, other = optree.tree_flatten(x)
    if form != other:
        msg = f"the function returned a tree of structure {form} for one of {other}: {_EQUATIONS}"
        raise TreeError(msg)
    for k, (y, root) in enumerate(zip(leaves, roots, strict=True)):
        if tuple(y.shape) != tuple(root.shape) or (is_complex(y) and not is_complex(root)):
            msg = f"leaf {k} of what the function returned has {describe(y)}, that of its argument {describe(root)}: "
            msg += _EQUATIONS
            raise TreeError(msg)
    astype = OPS["astype"].call
    return optree.tree_unflatten(
        form, [y if y.dtype == x.dtype else astype(y, x.dtype) for y, x in zip(leaves, roots, strict=True)]
    )


_EQUATIONS = "there must be one equation for each unknown"


def check_followed(value: Any) -> None:
    """Raise if the function still depends on what is differentiated, with all constant that it is known to hold.

    Parameters
    ----------
    value : tree
        What the function returns then.

    Raises
    ------
    FunctionError
        If there is anything in it that carries a derivative.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.implicit import check_followed
    >>> check_followed({"root": ag.ones(2)})
    """
    for x in optree.tree_leaves(value):
        while isinstance(x, Array):
            x = settled(x)
            if isinstance(x, Dual) or (isinstance(x, Reverse) and x.level is not None):
                msg = (
                    "the function depends on a value that is being differentiated and that is neither among its "
                    "params nor a variable of an enclosing function, but a global variable or an attribute, say. Pass "
                    "it in params."
                )
                raise FunctionError(msg)
            x = x._array
