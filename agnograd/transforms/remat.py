"""Functions whose intermediate values are computed again for the way back, instead of being kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from agnograd.transforms.arguments import check_callable


def remat(f: Callable[..., Any] | None = None, *, save: str | Iterable[str] = ()) -> Callable[..., Any]:
    """A function that does the same, and keeps less for its gradient: ``jax.checkpoint``, as a decorator or a call.

    `agnograd.checkpoint` calls a function at once, as PyTorch's does.

    Parameters
    ----------
    f : callable
        Must do the same each time that it is called with the same arguments.
    save : str or iterable of str
        Names of operations whose results are kept. What JAX calls the policy ``dots_saveable`` is ``{"matmul",
        "tensordot", "vecdot", "contract"}``, the last for ``einsum``.

    Returns
    -------
    callable
        Takes what `f` takes. It may be transformed in any way; in forward mode nothing is kept anyway.

    Examples
    --------
    >>> import agnograd as ag
    >>> block = ag.remat(lambda x: ag.sin(ag.exp(x)))
    >>> ag.grad(block)(ag.tensor(1.0))
    tensor(-2.4783)
    >>> @ag.remat(save="matmul")
    ... def layer(w, x):
    ...     return ag.tanh(w @ x)
    >>> ag.vjp(layer, ag.ones((1, 2)), ag.ones(2))[0]
    tensor([0.9640])
    """
    if f is None:
        return functools.partial(remat, save=save)
    check_callable(f, "remat")
    function = f

    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return function(*args, **kwargs)

    @functools.wraps(function)
    def again(*args: Any, **kwargs: Any) -> Any:
        from agnograd.rematerialisation import checkpoint  # which needs the table of operations

        # In one tree: an argument of `f` may have the name of an option.
        return checkpoint(call, args, kwargs, save=save)

    return again
