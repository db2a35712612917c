"""Arguments of transformations: which of them are meant, and how they are lifted to a level."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import optree

from agnograd.core.array import Array, innermost
from agnograd.core.facts import describe, raw_space
from agnograd.core.forward import Dual
from agnograd.core.level import Level
from agnograd.core.nodes import Node, Reverse, classes, new_leaf
from agnograd.core.operands import default_array
from agnograd.core.reverse import backward
from agnograd.core.table import spaces
from agnograd.core.views import settled
from agnograd.errors import NotDifferentiableError
from agnograd.transforms.results import finished, is_array, zeros
from agnograd.transforms.trees import argument, leaves_of, place, rebuilt

# Which arguments: a position, negative from the end, or a name, or a sequence of them.
Argnums = int | str | Sequence[int | str]
Key = int | str


def check_callable(f: Any, name: str) -> None:
    """Raise if `f` is no function."""
    if not callable(f):
        hint = " PyTorch's grad(outputs, inputs) is agnograd.autograd.grad." if "grad" in name else ""
        msg = f"agnograd.{name} takes a function, got {type(f).__name__}.{hint}"
        raise TypeError(msg)


def is_single(argnums: Argnums) -> bool:
    """Whether one argument is meant, and not a sequence of them."""
    return isinstance(argnums, str) or hasattr(argnums, "__index__")


def chosen(
    f: Callable[..., Any], argnums: Argnums, args: Sequence[Any], kwargs: dict[str, Any], what: str = "argnums"
) -> list[Key]:
    """Positions, or names of keyword arguments, that `argnums` means in a call.

    Raises
    ------
    TypeError
        If the call has no such argument.
    ValueError
        If an argument is named twice.
    """
    names: Any = (argnums,) if is_single(argnums) else argnums
    if not hasattr(names, "__iter__"):
        names = (names,)
    keys = [_key(f, n, args, kwargs, what) for n in names]
    for i, key in enumerate(keys):
        if key in keys[:i]:
            msg = f"{what} names {argument(key)} twice. Name each argument once."
            raise ValueError(msg)
    return keys


def _key(f: Callable[..., Any], n: Any, args: Sequence[Any], kwargs: dict[str, Any], what: str) -> Key:
    if type(n) is int and 0 <= n < len(args):
        return n
    if isinstance(n, str):
        return n if n in kwargs else _position(f, n, args, kwargs, what)
    if not hasattr(n, "__index__"):
        msg = f"{what} takes the positions of arguments, whole numbers, or their names, got {type(n).__name__}"
        raise TypeError(msg)
    position: int = n if type(n) is int else operator.index(n)
    if not -len(args) <= position < len(args):
        least = position + 1 if position >= 0 else -position
        msg = f"{what}={position} requires at least {least} positional arguments, got {len(args)}"
        if kwargs:
            msg += (
                f". Pass them by position, or name one that was passed by keyword, as in {what}={next(iter(kwargs))!r}"
            )
        raise TypeError(msg)
    return position % len(args)


def _position(f: Callable[..., Any], name: str, args: Sequence[Any], kwargs: dict[str, Any], what: str) -> int:
    """Where an argument of that name stands among the positional ones."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    by_position = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][: len(args)]
    if name not in by_position:
        given = ", ".join([*by_position, *(f"{k}=" for k in kwargs)])
        msg = f"{what}={name!r} is no argument of this call, which has {len(args)} by position ({given})"
        raise TypeError(msg)
    return by_position.index(name)


def arguments_at(keys: Sequence[Key], args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The arguments of a call that `chosen` found."""
    return [kwargs[key] if isinstance(key, str) else args[key] for key in keys]


def with_arguments(
    keys: Sequence[Key], trees: Sequence[Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """A call with others in the place of some arguments."""
    args, kwargs = list(args), dict(kwargs)
    for key, tree in zip(keys, trees, strict=True):
        if isinstance(key, str):
            kwargs[key] = tree
        else:
            args[key] = tree
    return args, kwargs


class Inputs:
    """Arguments lifted to a level of reverse mode, and the way from cotangents back to their trees.

    Attributes
    ----------
    lifted : list of tree
        The arguments at the level.
    structures : list
        Their structures.
    primals : list of list
        Their leaves as the level sees them.
    nodes : list of list
        The node of each leaf; None for a constant.
    tensors : bool
        Whether a leaf was a tensor: results are, then.
    """

    def __init__(
        self,
        trees: Sequence[Any],
        level: Level,
        keys: Sequence[Key],
        *,
        constants: bool = False,
        beside: Sequence[Any] = (),
    ) -> None:
        self.structures: list[Any] = []
        self.nodes: list[list[Node | None]] = []
        self.primals: list[list[Any]] = []
        self.lifted: list[Any] = []
        self.tensors: bool = False
        near = (*trees, *beside)
        for key, tree in zip(keys, trees, strict=True):
            leaves, structure = leaves_of(tree)
            primals: list[Any] = []
            lifted: list[Any] = []
            nodes: list[Node | None] = []
            for k, x in enumerate(leaves):
                if isinstance(x, Array):
                    self.tensors = True
                if not as_it_is(x):
                    if constants and is_constant(x):
                        primals.append(x)
                        lifted.append(x)
                        nodes.append(None)
                        continue
                    x = differentiable(x, level.name, partial(_place, key, structure, k), near)
                primals.append(x)
                x = lift(x, level)
                lifted.append(x)
                nodes.append(x._node)
            self.structures.append(structure)
            self.primals.append(primals)
            self.nodes.append(nodes)
            self.lifted.append(rebuilt(structure, lifted))

    @property
    def flat(self) -> list[tuple[Any, Node]]:
        """The leaves that are differentiated, each with its node."""
        pairs = zip(chain.from_iterable(self.primals), chain.from_iterable(self.nodes), strict=True)
        return [(x, node) for x, node in pairs if node is not None]

    def rebuilt(self, leaves: Sequence[Any]) -> list[Any]:
        """The arguments, with others in the place of the leaves that are differentiated."""
        new = iter(leaves)
        return [
            optree.tree_unflatten(structure, [x if n is None else next(new) for x, n in zip(xs, nodes, strict=True)])
            for structure, xs, nodes in zip(self.structures, self.primals, self.nodes, strict=True)
        ]

    def pull_back(self, roots: list[tuple[Node, Any]], *, release: bool, given: Sequence[Any] = ()) -> list[Any]:
        """The cotangents of the arguments, None for constants.

        Parameters
        ----------
        roots : list of (Node, array)
            Where cotangents come in.
        release : bool
            Whether the graph is free to go.
        given : sequence of array
            What else makes the results tensors if it holds one.
        """
        found = backward(roots, release=release) if roots else {}
        tensors = self.tensors or (bool(given) and any(isinstance(x, Array) for x in given))
        trees = []
        for structure, nodes, primals in zip(self.structures, self.nodes, self.primals, strict=True):
            leaves: list[Any] = []
            for node, x in zip(nodes, primals, strict=True):
                g = None if node is None else found.get(node)
                if node is not None:
                    g = finished(zeros(x) if g is None else g, tensors=tensors)
                leaves.append(g)
            trees.append(rebuilt(structure, leaves))
        return trees


def _place(key: Key, structure: Any, k: int) -> str:
    return place(argument(key), structure, k)


def as_it_is(x: Any) -> bool:
    """Whether an argument may be differentiated, and is what its level sees: the commonest ones."""
    if type(x) is Dual:
        if x._level.faded:
            return False
        x = x._array
    known = spaces.get(type(x))
    return known is not None and x.dtype in known.floats


def is_constant(x: Any) -> bool:
    """Whether `x` is an array of integers or booleans."""
    space = spaces.get(type(x))
    if space is None:
        x = settled(x)
        space = raw_space(x) if isinstance(x, Array) else spaces.known(type(x)) if hasattr(x, "dtype") else None
    return space is not None and x.dtype not in space.floats


def lift(x: Any, level: Level) -> Reverse:
    """An array as the end of a graph at a level."""
    tensor = (classes.nested if isinstance(x, Array) else classes.plain)(x, None)
    tensor._node = new_leaf(tensor, level)
    return tensor


def differentiable(x: Any, transformation: str, where: Callable[[], str], near: Any = ()) -> Any:
    """An argument as the level sees it: constants as raw as they can be.

    Parameters
    ----------
    x : array or number
    transformation : str
        Who asks, for messages.
    where : callable
        Says which argument it is, for messages.
    near : tree
        Where a number looks for an array to be like.

    Raises
    ------
    NotDifferentiableError
        If its dtype carries no gradient.
    """
    if as_it_is(x):
        return x
    x = settled(x)
    if isinstance(x, (int, float, complex)) and not isinstance(x, bool) and not hasattr(x, "dtype"):
        x = _as_array(float(x) if isinstance(x, int) else x, near)
    if isinstance(x, Array):
        x = x._array if x.level is None else x
    elif spaces.known(type(x)) is None:
        msg = (
            f"{transformation} differentiates with respect to arrays, got {where()} of type {type(x).__name__}. "
            f"Bind it with functools.partial, or leave it out of argnums."
        )
        raise NotDifferentiableError(msg)
    if x.dtype not in raw_space(x).floats:
        msg = (
            f"{transformation} requires real- or complex-valued inputs, got {where()} ({describe(x)}). Convert it "
            f"to a floating dtype, or leave it out of what is differentiated (argnums, or functools.partial)."
        )
        raise NotDifferentiableError(msg)
    return x


def _as_array(x: float | complex, near: Any) -> Any:
    """A number as an array: of the backend, device and precision of the first array nearby, or the default ones."""
    like = next((y for y in optree.tree_leaves(near) if is_array(y)), None)
    if like is None:
        return default_array(x)
    space = raw_space(like)
    dtype = None
    if like.dtype in space.floats:
        real = space.finfo(like.dtype).dtype
        dtype = real if isinstance(x, float) else space.complex64 if real == space.float32 else space.complex128
    return space.asarray(x, dtype=dtype, device=space.device(innermost(like)))
