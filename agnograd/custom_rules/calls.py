"""Arguments of a call: by position, as leaves, and those that are no part of what is differentiated."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import optree

from agnograd.core.apply import highest
from agnograd.core.apply import spec as spec_of
from agnograd.core.array import Array
from agnograd.core.cotangent import Spec
from agnograd.core.custom import is_array
from agnograd.core.facts import carries
from agnograd.core.views import settled
from agnograd.errors import FunctionError
from agnograd.transforms.arguments import check_callable
from agnograd.transforms.results import fitting
from agnograd.transforms.trees import argument, flatten, leaves_like, place


class CustomFunction:
    """A function with a rule, and which of its arguments take no part in that.

    Attributes
    ----------
    function : callable
    name : str
    nondiff_argnums : tuple of int
        Positions of arguments that are no arrays, or never differentiated.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        nondiff_argnums: int | str | Sequence[int | str] = (),
        nondiff_argnames: str | Sequence[str] = (),
    ) -> None:
        check_callable(function, type(self).__name__)
        functools.update_wrapper(cast("Callable[..., Any]", self), function)
        self.function = function
        self.name: str = getattr(function, "__name__", type(function).__name__)
        try:
            self._parameters: list[inspect.Parameter] = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            self._parameters = []
        places = (*_listed(nondiff_argnums), *_listed(nondiff_argnames))
        self.nondiff_argnums: tuple[int, ...] = tuple(sorted({self._position(n) for n in places}))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} function {self.name}>"

    def _position(self, n: int | str) -> int:
        names = [p.name for p in self._parameters]
        if isinstance(n, str):
            if n not in names:
                msg = f"{self.name} has no argument {n!r}, which nondiff_argnums names; it has {', '.join(names)}"
                raise TypeError(msg)
            return names.index(n)
        n = operator.index(n)
        return n + len(names) if n < 0 else n

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Call, list[Any]]:
        """A call, and the leaves of its arguments.

        Raises
        ------
        TypeError
            If an argument has no position.
        FunctionError
            If one that takes no part in the rule belongs to a transformation.
        """
        if kwargs or len(args) != len(self._parameters):
            args = self._positional(args, kwargs)
        fixed = [n for n in self.nondiff_argnums if n < len(args)]
        for n in fixed:
            level = highest([settled(x) for x in optree.tree_leaves(args[n]) if isinstance(x, Array)])
            if level is not None:
                msg = (
                    f"argument {n} of {self.name} is in nondiff_argnums and belongs to {level.name!r}, which "
                    f"differentiates or maps it. Take it out of nondiff_argnums, or take agnograd.stop_gradient of it."
                )
                raise FunctionError(msg)
        moving = [n for n in range(len(args)) if n not in fixed]
        flat = [flatten(args[n]) for n in moving]
        call = Call(self.name, {n: args[n] for n in fixed}, moving, [structure for _, structure in flat])
        return call, [x for leaves, _ in flat for x in leaves]

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        if not self._parameters and not kwargs:
            return args
        bound = inspect.Signature(self._parameters).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            msg = (
                f"{self.name} has a rule of its own, whose arguments are told apart by position: "
                f"{', '.join(bound.kwargs)} can be given by name only. Bind it with functools.partial."
            )
            raise TypeError(msg)
        return bound.args


def _listed(names: Any) -> tuple[Any, ...]:
    return (names,) if isinstance(names, str) or hasattr(names, "__index__") else tuple(names)


class Call:
    """The form of one call: what its leaves are leaves of. It holds none of them.

    Attributes
    ----------
    name : str
    fixed : dict
        Positions to arguments that take no part in the rule.
    moving : list of int
        Positions of all others.
    structures : list
        The structures of these.
    structure : PyTreeSpec
        That of the value, as soon as the function ran.
    """

    def __init__(self, name: str, fixed: dict[int, Any], moving: list[int], structures: list[Any]) -> None:
        self.name = name
        self.fixed = fixed
        self.moving = moving
        self.structures = structures
        self.structure: Any = None

    def trees(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """What is like the arguments that take part, from its leaves."""
        known = iter(leaves)
        return tuple([s.unflatten([next(known) for _ in range(s.num_leaves)]) for s in self.structures])

    def arguments(self, leaves: Sequence[Any]) -> list[Any]:
        """All arguments."""
        everything = {**self.fixed, **dict(zip(self.moving, self.trees(leaves), strict=True))}
        return [everything[n] for n in range(len(everything))]

    def outputs(self, value: Any) -> list[Any]:
        """The leaves of a value of the function."""
        leaves, self.structure = flatten(value)
        return leaves

    def value(self, outputs: Sequence[Any]) -> Any:
        """What is like a value of the function, from its leaves."""
        return self.structure.unflatten(outputs)

    def cotangents(self, found: Any, specs: Sequence[Spec | None]) -> list[Any]:
        """The leaves of what a way back returned, after checks.

        Parameters
        ----------
        specs : sequence of (Spec or None)
            What the leaves of the arguments are like, from `specs_of`. The cotangent of a Python number is ignored.

        Raises
        ------
        FunctionError
            If it is no tuple with an item for each argument, or has a cotangent where there can be none.
        CotangentError
            If structure, shape, dtype, backend or device are not those of an argument.
        """
        if not isinstance(found, (tuple, list)) or len(found) != len(self.moving):
            got = f"{len(found)} items" if isinstance(found, (tuple, list)) else type(found).__name__
            msg = (
                f"the bwd of {self.name} must return a tuple with a cotangent for each of the {len(self.moving)} "
                f"arguments that are differentiated, None for one of zero; got {got}"
            )
            raise FunctionError(msg)
        wanted = iter(specs)
        out: list[Any] = []
        for n, tree, structure in zip(self.moving, found, self.structures, strict=True):
            what = f"cotangent that the bwd of {self.name} returned for {argument(n)}"
            for k, g in enumerate(leaves_like(tree, structure, (what, "argument"))):
                like = next(wanted)
                if g is None or (like is not None and like.device is None):
                    out.append(None)
                    continue
                if like is None:
                    msg = f"the {place(what, structure, k)} must be None: it has no derivative"
                    raise FunctionError(msg)
                out.append(fitting(g, like, functools.partial(place, what, structure, k)))
        return out

    def tangents(self, found: Any, outputs: Sequence[Any]) -> list[Any]:
        """The leaves of a tangent that a rule returned, after checks.

        Raises
        ------
        FunctionError
            If an output of integers or booleans has one.
        CotangentError
            If structure, shape, dtype, backend or device are not those of the value.
        """
        what = f"tangent that the JVP rule of {self.name} returned"
        out = []
        for k, (t, y) in enumerate(zip(leaves_like(found, self.structure, (what, "value")), outputs, strict=True)):
            if t is not None and (not is_array(y) or not carries(y)):
                msg = f"the {place(what, self.structure, k)} must be None: the value has no derivative there"
                raise FunctionError(msg)
            out.append(None if t is None else fitting(t, y, functools.partial(place, what, self.structure, k)))
        return out


def specs_of(leaves: Sequence[Any]) -> list[Spec | None]:
    """What leaves are like: that of a Python number has no device, and there is none of what has no derivative."""
    return [
        spec_of(x) if isinstance(x, (int, float, complex)) or (is_array(x) and carries(x)) else None for x in leaves
    ]


def check_pair(found: Any, what: str) -> tuple[Any, Any]:
    """The two items that a rule must return.

    Raises
    ------
    FunctionError
    """
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        got = f"{len(found)} items" if isinstance(found, (tuple, list)) else type(found).__name__
        msg = f"{what}, got {got}"
        raise FunctionError(msg)
    return found[0], found[1]
