"""What runs on the chunks of one block: a function of the user, and what transformations make of it.

A body is called with raw chunks, or with wrappers around them by the body of a transformation further out, and returns
a list. Bodies are sent to other processes, and find there no context variable of the caller: they hold raw values only,
open levels of their own, and set the modes that matter to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.facts import raw_space
from agnograd.core.table import OPS
from agnograd.core.views import settled
from agnograd.errors import FunctionError
from agnograd.grad_mode import zero_safe
from agnograd.transforms import jvp, vjp, vmap

Body = Callable[..., Sequence[Any]]


def safely(safe: bool) -> AbstractContextManager[None]:
    """The mode in which zero cotangents stay zero, where it was on when the body was made."""
    return zero_safe() if safe else nullcontext()


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the user, with all that is no array bound to it.

    Attributes
    ----------
    function : callable
    structure : PyTreeSpec
        Of its positional and keyword arguments.
    fixed : dict
        Numbers of leaves to those that are no arrays.
    dtype : dtype, optional
        What is returned is cast to it.
    """

    function: Callable[..., Any]
    structure: Any
    fixed: dict[int, Any]
    dtype: Any = None

    def value(self, chunks: Sequence[Any]) -> Any:
        """Call it with arrays in their places."""
        arrays = iter(chunks)
        count = self.structure.num_leaves
        leaves = [self.fixed[i] if i in self.fixed else next(arrays) for i in range(count)]
        args, named = self.structure.unflatten(leaves)
        return self.function(*args, **named)

    def __call__(self, *chunks: Any) -> list[Any]:
        """What it returns, in a list."""
        y = self.value(chunks)
        return [y if self.dtype is None or y.dtype == self.dtype else OPS["astype"].call(y, self.dtype)]


@dataclass(frozen=True, slots=True)
class Pullback:
    """Cotangents of some arguments of a body, from those of its results: the whole forward pass, and the way back.

    Attributes
    ----------
    body : callable
    count : int
        Number of its arguments; behind them come the cotangents.
    needs : tuple of int
        Positions of the arguments that a cotangent is wanted for.
    present : tuple of int
        Positions of the results that have one.
    safe : bool
        Whether zero cotangents stay zero.
    """

    body: Body
    count: int
    needs: tuple[int, ...]
    present: tuple[int, ...]
    safe: bool = False

    def __call__(self, *chunks: Any) -> list[Any]:
        """Run both passes."""
        moving = _Part(self.body, chunks[: self.count], self.needs, self.present)
        with safely(self.safe):
            values, pull = vjp(moving, *moving.start)
            return list(pull([_like(g, y) for g, y in zip(chunks[self.count :], values, strict=True)]))


@dataclass(frozen=True, slots=True)
class Pushforward:
    """Results of a body, and behind them their tangents, from tangents of some of its arguments.

    Attributes
    ----------
    body : callable
    count : int
        Number of its arguments; behind them come the tangents.
    moving : tuple of int
        Positions of the arguments that have one.
    results : int
        Number of its results.
    present : tuple of int
        Positions of the results that have one.
    safe : bool
        Whether zero tangents stay zero.
    """

    body: Body
    count: int
    moving: tuple[int, ...]
    results: int
    present: tuple[int, ...]
    safe: bool = False

    def __call__(self, *chunks: Any) -> list[Any]:
        """Run the pass."""
        moving = _Part(self.body, chunks[: self.count], self.moving, tuple(range(self.results)))
        with safely(self.safe):
            values, tangents = jvp(moving, moving.start, chunks[self.count :])
        return [*values, *[tangents[i] for i in self.present]]


@dataclass(frozen=True, slots=True)
class Members:
    """A body for all members of a batch.

    Attributes
    ----------
    body : callable
    mapped : tuple of bool
        Which arguments have a batch axis, their first. All results have one.
    """

    body: Body
    mapped: tuple[bool, ...]

    def __call__(self, *chunks: Any) -> list[Any]:
        """Run it for all of them at once."""
        axes = tuple([0 if m else None for m in self.mapped])
        return list(vmap(_as_tuple(self.body), axes)(*chunks))


class _Part:
    """A body as a function of some of its arguments, to some of its results."""

    def __init__(self, body: Body, arguments: Sequence[Any], moving: Sequence[int], results: Sequence[int]) -> None:
        self.body = body
        self.arguments = arguments
        self.moving = moving
        self.results = results
        self.start = [arguments[i] for i in moving]

    def __call__(self, *values: Any) -> list[Any]:
        arguments = list(self.arguments)
        for i, x in zip(self.moving, values, strict=True):
            arguments[i] = x
        found = self.body(*arguments)
        return [found[i] for i in self.results]


def _as_tuple(body: Body) -> Callable[..., tuple[Any, ...]]:
    return lambda *chunks: tuple(body(*chunks))


def _like(g: Any, y: Any) -> Any:
    """A cotangent in the shape of its value: what all elements share comes un-expanded, from a sum for instance."""
    space = raw_space(y)
    if raw_space(g) is not space:
        g = space.asarray(innermost(g).item(), dtype=y.dtype, device=space.device(innermost(y)))
    if tuple(g.shape) != tuple(y.shape):
        g = OPS["broadcast_to"].call(g, tuple(y.shape))
    return g if g.dtype == y.dtype else OPS["astype"].call(g, y.dtype)


@dataclass(frozen=True, slots=True)
class Block:
    """The task of one block: a body, of which raw results leave.

    Attributes
    ----------
    body : callable
    single : bool
        Whether the body has one result, which is then returned by itself.
    """

    body: Body
    single: bool

    def __call__(self, *chunks: Any) -> Any:
        """Run the body."""
        found = [unwrapped(x) for x in self.body(*chunks)]
        return found[0] if self.single else found


def unwrapped(x: Any) -> Any:
    """A result of a body, without wrappers that carry no derivative.

    Raises
    ------
    FunctionError
        If it depends on a value that a transformation around the whole computation differentiates or maps: that is not
        known in the task.
    """
    if not isinstance(x, Array):
        return x
    x = settled(x)
    if x.level is not None:
        msg = (
            f"a function of blocks closes over an array that {x.level.name!r} differentiates or maps, which would be "
            f"lost. Pass it as an argument: small arrays are given whole to each block. Or take agnograd.stop_gradient "
            f"of it."
        )
        raise FunctionError(msg)
    return unwrapped(x._array)


def total(*parts: Any) -> Any:
    """The sum of what several blocks found: of arrays, or of lists of them, item by item."""
    first, *rest = parts
    if isinstance(first, list):
        return [total(*items) for items in zip(*parts, strict=True)]
    for x in rest:
        first = first + x
    return first


def items(found: Sequence[Any], places: Sequence[int]) -> list[Any]:
    """Some results of a block."""
    return [found[i] for i in places]
