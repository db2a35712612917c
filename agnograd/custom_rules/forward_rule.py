"""Functions with a rule for forward mode, which serves reverse mode, too: it is transposed there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.custom_rules.calls import CustomFunction, check_pair
from agnograd.custom_rules.reverse_rule import plain
from agnograd.custom_rules.rules import Rules
from agnograd.errors import MissingRuleError
from agnograd.transforms.arguments import check_callable
from agnograd.transforms.trees import flatten, leaves_like


class custom_jvp(CustomFunction):  # noqa: N801 - JAX's name
    """A function with a rule of its own for forward mode, which reverse mode transposes.

    Parameters
    ----------
    function : callable
        Function of arrays, or trees of arrays, to a tree of arrays.
    nondiff_argnums : int, str or sequence of them
        Positions or names of arguments that take no part in the rule: functions, options. The rule gets them first.
    nondiff_argnames : str or sequence of str
        The same by name, for users of JAX.

    Raises
    ------
    MissingRuleError
        When it is called before `defjvp` or `defjvps`.
    FunctionError
        If what the rule returns is not what it must be, or the function closes over a value that is differentiated.
    LinearityError
        In reverse mode, if the tangent is not linear in those of the arguments.

    Examples
    --------
    >>> import agnograd as ag
    >>> @ag.custom_jvp
    ... def log1pexp(x):
    ...     return ag.log(1.0 + ag.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), t / (1.0 + ag.exp(-x))
    >>> ag.grad(log1pexp)(ag.tensor(0.0))
    tensor(0.5000)
    >>> ag.jvp(log1pexp, (ag.tensor(0.0),), (ag.tensor(2.0),))
    (tensor(0.6931), tensor(1.))
    """

    _rule: Callable[..., Any] | None = None

    def defjvp(self, jvp: Callable[..., Any]) -> Callable[..., Any]:
        """Give the rule.

        Parameters
        ----------
        jvp : callable
            ``jvp(*nondiff, primals, tangents)`` returns ``(value, tangent)``. Of the two tuples, the second has zeros
            for what does not change and None for integers; None in any part of the tangent stands for zero. The tangent
            must be linear in `tangents`.

        Returns
        -------
        callable
            `jvp`, so that this may be used as a decorator.
        """
        check_callable(jvp, "custom_jvp.defjvp")
        self._rule = jvp
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Give the rule in parts, one for each argument, whose results are added up.

        Parameters
        ----------
        *jvps : callable or None
            ``jvp(t, ans, *primals)``: the tangent of the value for that of one argument; None if it is zero.
        """
        if self.nondiff_argnums:
            msg = f"{self.name} has nondiff_argnums: give the whole rule, with defjvp"
            raise TypeError(msg)

        def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            if len(primals) != len(jvps):
                msg = f"{self.name} was called with {len(primals)} arguments, and defjvps was given {len(jvps)} rules"
                raise TypeError(msg)
            ans = self(*primals)
            structure = flatten(ans)[1]
            names = f"tangent that a JVP rule of {self.name} returned", "value"
            total: list[Any] = [None] * structure.num_leaves
            for part, t in zip(jvps, tangents, strict=True):
                if part is not None and t is not None:
                    leaves = leaves_like(part(t, ans, *primals), structure, names)
                    total = [a if b is None else b if a is None else a + b for a, b in zip(total, leaves, strict=True)]
            return ans, structure.unflatten(total)

        self.defjvp(rule)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, whose derivatives are those of the rule."""
        rule = self._rule
        if rule is None:
            msg = (
                f"custom_jvp function {self.name} has no rule yet: give it one with {self.name}.defjvp(jvp) or "
                f"{self.name}.defjvps(...)"
            )
            raise MissingRuleError(msg)
        call, leaves = self.bind(args, kwargs)

        def jvp(leaves: list[Any], tangents: list[Any]) -> tuple[list[Any], list[Any]]:
            value, tangent = check_pair(
                rule(*call.fixed.values(), call.trees(leaves), call.trees(tangents)),
                f"the JVP rule of {self.name} must return a pair (value, tangent)",
            )
            outputs = call.outputs(value)
            return outputs, call.tangents(tangent, outputs)

        return call.value(Rules(self.name, plain(self.function, call), jvp=jvp)(leaves))
