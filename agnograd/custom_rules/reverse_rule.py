"""Functions with a rule for reverse mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optree

from agnograd.core.custom import is_array
from agnograd.custom_rules.calls import Call, CustomFunction, check_pair, specs_of
from agnograd.custom_rules.nodes import Forward
from agnograd.custom_rules.rules import Rules
from agnograd.errors import MissingRuleError
from agnograd.transforms.arguments import check_callable


class custom_vjp(CustomFunction):  # noqa: N801 - JAX's name
    """A function with a rule of its own for reverse mode.

    Parameters
    ----------
    function : callable
        Function of arrays, or trees of arrays, to a tree of arrays.
    nondiff_argnums : int, str or sequence of them
        Positions or names of arguments that take no part in the rule: functions, options. Both parts of the rule get
        them first.
    nondiff_argnames : str or sequence of str
        The same by name, for users of JAX.

    Raises
    ------
    MissingRuleError
        When it is called before `defvjp`, or in forward mode.
    FunctionError
        If what the rule returns is not what it must be, or the function closes over a value that is differentiated.

    Notes
    -----
    Where the rule is differentiated again, its two parts are differentiated as the code that they are. Forward over
    reverse mode therefore needs a `fwd` that does not call the function itself, which has no rule for forward mode.

    Examples
    --------
    >>> import agnograd as ag
    >>> @ag.custom_vjp
    ... def log1pexp(x):
    ...     return ag.log(1.0 + ag.exp(x))
    >>> def forward(x):
    ...     return ag.log1p(ag.exp(x)), x
    >>> def backward(x, g):
    ...     return (g / (1.0 + ag.exp(-x)),)
    >>> log1pexp.defvjp(forward, backward)
    >>> ag.grad(log1pexp)(ag.tensor(0.0))
    tensor(0.5000)
    """

    _fwd: Callable[..., Any] | None = None
    _bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Give the rule.

        Parameters
        ----------
        fwd : callable
            Takes what the function takes, and returns ``(value, residuals)``, a tree of all that `bwd` needs.
        bwd : callable
            ``bwd(*nondiff, residuals, g)``: takes the cotangent of the value, with zeros for what nothing depends on
            and None for integers, and returns a tuple with a cotangent for each argument, like it; None in any part of
            it stands for zero, and must stand for arrays of integers.
        """
        check_callable(fwd, "custom_vjp.defvjp")
        check_callable(bwd, "custom_vjp.defvjp")
        self._fwd, self._bwd = fwd, bwd

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, whose derivatives are those of the rule."""
        fwd, bwd = self._fwd, self._bwd
        if fwd is None or bwd is None:
            msg = f"custom_vjp function {self.name} has no rule yet: give it one with {self.name}.defvjp(fwd, bwd)"
            raise MissingRuleError(msg)
        call, leaves = self.bind(args, kwargs)

        def forward(leaves: list[Any], _: Sequence[int]) -> Forward:
            value, residuals = check_pair(
                fwd(*call.arguments(leaves)), f"the fwd of {self.name} must return a pair (value, residuals)"
            )
            outputs = call.outputs(value)
            specs = specs_of(leaves)
            kept = _Residuals(residuals)

            def pull(arrays: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
                found = bwd(*call.fixed.values(), kept.tree(arrays), call.value(cotangents))
                return call.cotangents(found, specs)

            return Forward(outputs, kept.taken(), pull, kept.complete)

        return call.value(Rules(self.name, plain(self.function, call), forward=forward)(leaves))


def plain(function: Callable[..., Any], call: Call) -> Callable[[list[Any]], list[Any]]:
    """The function itself, of leaves."""
    return lambda leaves: call.outputs(function(*call.arguments(leaves)))


class _Residuals:
    """What a forward pass keeps: arrays, which a graph holds, and all else."""

    def __init__(self, tree: Any) -> None:
        leaves, self.structure = optree.tree_flatten(tree)
        self.arrays = [x for x in leaves if is_array(x)]
        self.others = [_ARRAY if is_array(x) else x for x in leaves]
        # A function among the residuals may hold anything.
        self.complete = all(x is _ARRAY or isinstance(x, _CONSTANTS) for x in self.others)

    def taken(self) -> list[Any]:
        """The arrays, which are not held any longer."""
        arrays, self.arrays = self.arrays, []
        return arrays

    def tree(self, arrays: Sequence[Any]) -> Any:
        """What was kept, with arrays put in their places."""
        known = iter(arrays)
        return optree.tree_unflatten(self.structure, [next(known) if x is _ARRAY else x for x in self.others])


_ARRAY = object()
_CONSTANTS = (bool, int, float, complex, str, bytes)
