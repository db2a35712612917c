"""Functions that return the way back beside their value."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from agnograd.custom_rules.calls import CustomFunction, check_pair, specs_of
from agnograd.custom_rules.nodes import Forward
from agnograd.custom_rules.reverse_rule import plain
from agnograd.custom_rules.rules import Rules


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a rule of its own for reverse mode, which it returns.

    Parameters
    ----------
    function : callable
        Returns ``(value, bwd)``. ``bwd(g)`` takes the cotangent of the value and returns a tuple with a cotangent for
        each argument; where there is one argument, its cotangent. See `custom_vjp` for what these may be.

    Returns
    -------
    callable
        The function to the value alone.

    Examples
    --------
    >>> import agnograd as ag
    >>> @ag.custom_gradient
    ... def clipped(x):
    ...     return x * x, lambda g: ag.clip(2 * x * g, -1.0, 1.0)
    >>> ag.grad(clipped)(ag.tensor(3.0))
    tensor(1.)
    """
    custom = CustomFunction(function)
    pair = f"the custom_gradient function {custom.name} must return a pair (value, bwd)"

    def value(*args: Any) -> Any:
        return check_pair(function(*args), pair)[0]

    @functools.wraps(function)
    def call_it(*args: Any, **kwargs: Any) -> Any:
        call, leaves = custom.bind(args, kwargs)

        def forward(leaves: list[Any], _: Sequence[int]) -> Forward:
            out, bwd = check_pair(function(*call.arguments(leaves)), pair)
            specs = specs_of(leaves)

            def pull(_: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
                found = bwd(call.value(cotangents))
                if len(call.moving) == 1 and not (isinstance(found, tuple) and len(found) == 1):
                    found = (found,)
                return call.cotangents(found, specs)

            # What `bwd` closes over is not known.
            return Forward(call.outputs(out), [], pull, complete=False)

        return call.value(Rules(custom.name, plain(value, call), forward=forward)(leaves))

    return call_it
