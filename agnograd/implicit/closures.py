"""What a function holds besides its arguments, taken out of it, so that a derivative can put something else there."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

import optree

from agnograd.core.array import Array
from agnograd.core.views import settled

# From new values for what was taken out to the object with them in their places.
Maker = Callable[[Sequence[Any]], Any]


def opened(f: Callable[..., Any]) -> tuple[list[Any], Maker]:
    """The arrays of transformations and graphs that a function holds, and the function around others.

    They are looked for in the variables of enclosing functions, in default values and in what `functools.partial`
    binds, in the functions found there too, and in trees. Everything else is shared with the original.

    Parameters
    ----------
    f : callable
        The function.

    Returns
    -------
    list of array, callable
        The arrays, and what makes the function again around others in their places.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.implicit import opened
    >>> a = ag.ones(2, requires_grad=True)
    >>> values, make = opened(lambda x: x * a)
    >>> len(values), make([ag.zeros(2)])(3.0)
    (0, tensor([3., 3.], grad_fn=<MulBackward0>))
    """
    values: list[Any] = []
    make = _Search(values).maker(f)
    return values, make if make is not None else lambda _: f


class _Search:
    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.entered: set[int] = set()

    def maker(self, x: Any) -> Maker | None:
        """How to make `x` again, or None if there is nothing in it to replace."""
        if isinstance(x, Array):
            x = settled(x)
            if x.level is None:
                return None
            self.values.append(x)
            place = len(self.values) - 1
            return lambda new: new[place]
        if isinstance(x, functools.partial):
            return self.of([x.func, x.args, x.keywords], lambda f, args, kwargs: functools.partial(f, *args, **kwargs))
        if isinstance(x, types.MethodType):
            return self.of([x.__func__, x.__self__], types.MethodType)
        if isinstance(x, types.FunctionType):
            return self.of_function(x)
        parts, structure = optree.tree_flatten(x)
        if len(parts) == 1 and parts[0] is x:
            return None
        return self.of(parts, lambda *new: optree.tree_unflatten(structure, new))

    def of(self, parts: Sequence[Any], make: Callable[..., Any]) -> Maker | None:
        """The same for an object that is made of parts."""
        makers = [self.maker(part) for part in parts]
        if all(maker is None for maker in makers):
            return None
        return lambda new: make(
            *[part if maker is None else maker(new) for part, maker in zip(parts, makers, strict=True)]
        )

    def of_function(self, f: types.FunctionType) -> Maker | None:
        if id(f) in self.entered:
            return None
        self.entered.add(id(f))
        cells = f.__closure__ or ()
        makers = [self.maker(cell.cell_contents) if _filled(cell) else None for cell in cells]
        defaults = self.maker(f.__defaults__)
        named = self.maker(f.__kwdefaults__)
        if defaults is None and named is None and all(maker is None for maker in makers):
            return None

        def make(new: Sequence[Any]) -> Any:
            # Cells that hold nothing to replace stay those of the original, which may write to them.
            closure = [c if m is None else types.CellType(m(new)) for c, m in zip(cells, makers, strict=True)]
            copy = types.FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, tuple(closure))
            copy.__defaults__ = f.__defaults__ if defaults is None else defaults(new)
            copy.__kwdefaults__ = f.__kwdefaults__ if named is None else named(new)
            return copy

        return make


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - a variable that is not assigned yet raises
    except ValueError:
        return False
    return True
