"""Trees of arrays, and how messages name their leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import optree

from agnograd.core.array import Array
from agnograd.core.table import spaces
from agnograd.errors import CotangentError


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Leaves and structure; None is a leaf, which stands for a direction or cotangent of zero."""
    return optree.tree_flatten(tree, none_is_leaf=True)


# The structure of a single array, and what an array is for a tree that has one leaf.
LEAF: Any = optree.tree_structure(0)  # type: ignore[arg-type]


def leaves_of(tree: Any) -> tuple[list[Any], Any]:
    """Leaves and structure, where None is none: most arguments are one array, which takes no search."""
    if type(tree) in spaces or isinstance(tree, Array):
        return [tree], LEAF
    return optree.tree_flatten(tree)


def rebuilt(structure: Any, leaves: list[Any]) -> Any:
    """The tree of a structure and its leaves."""
    return leaves[0] if structure is LEAF else optree.tree_unflatten(structure, leaves)


def place(name: str, structure: Any, k: int) -> str:
    """The leaf number `k` of a tree as a user writes it: ``argument 0['weights'][1]``."""
    return optree.treespec_accessors(structure)[k].codify(name)


def argument(key: int | str) -> str:
    """An argument by its position or name, as messages call it."""
    return f"argument {key!r}"


def place_of_argument(structure: Any, k: int) -> str:
    """The leaf number `k` of a tuple of arguments: ``argument 0['weights'][1]``."""
    first, *rest = optree.treespec_accessors(structure)[k]
    return optree.PyTreeAccessor(rest).codify(argument(first.entry))


def leaves_like(tree: Any, structure: Any, names: tuple[str, str]) -> list[Any]:
    """The leaves of a tree that must have a certain structure; None may stand for any part of it, each leaf being None.

    Parameters
    ----------
    tree : tree
    structure : PyTreeSpec
        As `flatten` gives it.
    names : tuple of str
        What the tree is, and what it must be like.

    Raises
    ------
    CotangentError
        If it has another structure; the message says where they part.
    """
    leaves, own = flatten(tree)
    if own == structure:
        return leaves
    spread: list[Any] = []
    where, why = _spread(own, iter(leaves), structure, spread)
    if why:
        what, model = names
        msg = (
            f"the {what} must have the structure of the {model}, {shown(structure)}, got {shown(own)}: it has {why}"
            f"{where and f', at {where}'}"
        )
        raise CotangentError(msg)
    return spread


def _spread(own: Any, leaves: Iterator[Any], structure: Any, spread: list[Any]) -> tuple[str, str]:
    """Collect a leaf for each of a structure, or say where that is not possible, and why."""
    if own.type is None:
        leaf = next(leaves)
        if leaf is not None and structure.type is not None:
            return "", f"a leaf in the place of a {structure.type.__name__}"
        spread += [leaf] * structure.num_leaves
        return "", ""
    if own.type is not structure.type:
        other = "leaf" if structure.type is None else structure.type.__name__
        return "", f"a {own.type.__name__} in the place of a {other}"
    if own.one_level() != structure.one_level():
        if own.type in (list, tuple):
            return "", f"{own.num_children} items, not {structure.num_children}"
        return "", f"the items {own.entries()}, not {structure.entries()}"
    for one, other, accessor in zip(own.children(), structure.children(), own.one_level().accessors(), strict=True):
        where, why = _spread(one, leaves, other, spread)
        if why:
            return accessor.codify("") + where, why
    return "", ""


def shown(structure: Any) -> str:
    """A structure without what all of them say."""
    return str(structure).replace(", NoneIsLeaf", "")
