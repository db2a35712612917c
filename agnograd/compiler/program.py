"""A program: straight-line code in which every variable is assigned once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agnograd.core.table import Space

Array = Any


class Var:
    """A variable: an array of known shape, dtype and device.

    Attributes
    ----------
    number : int
        Its name in source is made of it.
    size : int
        Number of elements.
    """

    __slots__ = ("device", "dtype", "number", "shape", "size")

    def __init__(self, number: int, shape: tuple[int, ...], dtype: Any, device: Any) -> None:
        self.number: int = number
        self.shape: tuple[int, ...] = shape
        self.dtype: Any = dtype
        self.device: Any = device
        self.size: int = math.prod(shape)

    def __repr__(self) -> str:
        return f"v{self.number}"


_NESTED = frozenset((tuple, list, dict, slice))


class Step:
    """One call of a function of the backend.

    Attributes
    ----------
    name : str
        The function, as an attribute of the backend's namespace.
    args, params : tuple, dict
        Variables, static values, and tuples and lists of them.
    outs : tuple of Var
        What is assigned: several variables where the function returns a tuple.
    reads : tuple of Var
        The variables among `args` and `params`.
    """

    __slots__ = ("args", "name", "outs", "params", "reads", "several")

    def __init__(
        self, name: str, args: Sequence[Any], params: dict[str, Any], outs: Sequence[Var], several: bool = False
    ) -> None:
        self.name: str = name
        self.args: tuple[Any, ...] = tuple(args)
        self.params: dict[str, Any] = params
        self.outs: tuple[Var, ...] = tuple(outs)
        self.several: bool = several
        reads = []
        nested = bool(params)
        for x in self.args:
            kind = type(x)
            if kind is Var:
                reads.append(x)
            elif kind in _NESTED:
                nested = True
        # Most operations have no more than arrays and numbers.
        self.reads: tuple[Var, ...] = tuple(variables((self.args, params)) if nested else reads)

    def __repr__(self) -> str:
        given = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.params.items())]
        return f"{', '.join(map(repr, self.outs))} = {self.name}({', '.join(given)})"

    @property
    def out(self) -> Var:
        """The only variable that is assigned."""
        return self.outs[0]

    def replaced(self, new: Callable[[Var], Any]) -> Step:
        """The same on other variables."""
        return Step(self.name, substitute(self.args, new), substitute(self.params, new), self.outs, self.several)


@dataclass
class Program:
    """Steps, with what goes in and what comes out.

    Attributes
    ----------
    space : Space
        The raw namespace of the backend.
    inputs : list of Var
    constants : dict
        Variables to the arrays that they stand for.
    steps : list of Step
    outputs : list of Var
    guards : list of (Var, value)
        Variables of one element, on whose value a branch of the function has been decided, in order.
    """

    space: Space
    inputs: list[Var]
    outputs: list[Var]
    steps: list[Step] = field(default_factory=list)
    constants: dict[Var, Array] = field(default_factory=dict)
    guards: list[Guard] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(map(repr, self.steps))

    @property
    def results(self) -> list[Var]:
        """What must be computed: the outputs, and what branches depend on."""
        return [*self.outputs, *(guard.variable for guard in self.guards)]

    def fresh(self, shape: tuple[int, ...], dtype: Any, device: Any) -> Var:
        """A variable that the program does not have yet."""
        return Var(next(self._numbers), shape, dtype, device)

    @property
    def _numbers(self) -> Iterator[int]:
        top = max((v.number for v in (*self.inputs, *self.constants)), default=-1)
        top = max((v.number for step in self.steps for v in step.outs), default=top)
        return iter((top + 1,))


@dataclass(frozen=True)
class Guard:
    """A value that the function branched on.

    Attributes
    ----------
    variable : Var
    convert : callable
        ``bool``, ``float`` and the like: what the function asked for.
    value
        What the answer was.
    line : str
        Where in the user's code.
    place : int
        How many steps were recorded before it.
    """

    variable: Var
    convert: Callable[[Any], Any]
    value: Any
    line: str
    place: int


# Typed: libraries' dtypes are not to be compared with one another.
@functools.lru_cache(1000, typed=True)
def name_of(dtype: Any) -> str:
    """A dtype as text; NumPy takes long to find out."""
    return str(dtype)


def variables(value: Any) -> Iterator[Var]:
    """The variables in a value, in order."""
    if type(value) is Var:
        yield value
    elif type(value) in (tuple, list):
        for item in value:
            yield from variables(item)
    elif type(value) is dict:
        for item in value.values():
            yield from variables(item)
    elif type(value) is slice:
        for item in (value.start, value.stop, value.step):
            yield from variables(item)


def substitute(value: Any, new: Callable[[Var], Any]) -> Any:
    """A value with others in the place of its variables."""
    kind = type(value)
    if kind is Var:
        return new(value)
    if kind is tuple:
        return tuple([substitute(item, new) for item in value])
    if kind is list:
        return [substitute(item, new) for item in value]
    if kind is dict:
        return {name: substitute(item, new) for name, item in value.items()}
    return value


def frozen(value: Any) -> Any:
    """What two equal values have in common, hashable; arrays are equal to themselves only."""
    kind = type(value)
    if kind is Var:
        return Var, value.number
    if kind in (tuple, list):
        return kind, tuple([(Var, item.number) if type(item) is Var else frozen(item) for item in value])
    if kind is dict:
        return tuple([(name, frozen(item)) for name, item in value.items()])
    if kind is slice:
        return slice, value.start, value.stop, value.step
    if kind is float:
        # Zeros have signs.
        return float, value.hex()
    if kind is complex:
        return complex, value.real.hex(), value.imag.hex()
    try:
        hash(value)
    except TypeError:
        return object, id(value)
    return kind, value
