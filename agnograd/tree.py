"""Trees of arrays: nested lists, tuples, dicts, named tuples and registered classes, with arrays at their leaves.

The names are those of ``jax.tree`` and ``jax.tree_util``, and optree does the work. None is a tree without leaves. A
class is registered once and for all users of optree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree
from optree import register_pytree_node_class as _register_class
from optree import tree_all as all
from optree import tree_flatten as flatten
from optree import tree_leaves as leaves
from optree import tree_map as _map
from optree import tree_paths as paths
from optree import tree_reduce as reduce
from optree import tree_structure as structure
from optree import tree_transpose as transpose
from optree import tree_unflatten as unflatten
from optree.registry import __GLOBAL_NAMESPACE as _EVERYWHERE

from agnograd.errors import TreeError

__all__ = [
    "all",
    "flatten",
    "leaves",
    "map",
    "paths",
    "reduce",
    "register_dataclass",
    "register_pytree_node",
    "register_pytree_node_class",
    "structure",
    "transpose",
    "unflatten",
]


def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Apply a function to the leaves of a tree, and to what stands in their places in others.

    Parameters
    ----------
    f : callable
        Takes a leaf of each tree.
    tree, *rest : tree
        The others must have at least the structure of the first.
    is_leaf : callable, optional
        ``is_leaf(node)``: whether to go no deeper.

    Raises
    ------
    TreeError
        If the structures differ; it says where.

    Examples
    --------
    >>> from agnograd import tree
    >>> tree.map(lambda x, y: x + y, {"a": 1, "b": (2, 3)}, {"a": 10, "b": (20, 30)})
    {'a': 11, 'b': (22, 33)}
    """
    try:
        return _map(f, tree, *rest, is_leaf=is_leaf)
    except ValueError:
        for number, other in enumerate(rest, 1):
            for error in optree.prefix_errors(tree, other, is_leaf=is_leaf):
                msg = f"tree {number} of {len(rest)} after the first one has another structure. {error('tree')}"
                raise TreeError(msg) from None
        raise


def register_pytree_node(
    cls: type, flatten_func: Callable[[Any], Any], unflatten_func: Callable[[Any, Any], Any]
) -> type:
    """Make instances of a class trees.

    Parameters
    ----------
    cls : type
        The class.
    flatten_func : callable
        Instance to ``(children, auxiliary data)``; the latter is hashable and part of the structure.
    unflatten_func : callable
        ``unflatten_func(auxiliary data, children)``, an instance.

    Examples
    --------
    >>> from agnograd import tree
    >>> class Line:
    ...     def __init__(self, slope, offset):
    ...         self.slope, self.offset = slope, offset
    >>> _ = tree.register_pytree_node(Line, lambda x: ((x.slope, x.offset), None), lambda _, xs: Line(*xs))
    >>> tree.leaves({"line": Line(2.0, 1.0)})
    [2.0, 1.0]
    """
    return optree.register_pytree_node(cls, flatten_func, unflatten_func, namespace=_EVERYWHERE)


def register_pytree_node_class(cls: type) -> type:
    """Make instances of a class trees by its methods ``tree_flatten()`` and ``tree_unflatten(auxiliary, children)``.

    Examples
    --------
    >>> from agnograd import tree
    >>> @tree.register_pytree_node_class
    ... class Pair:
    ...     def __init__(self, first, second):
    ...         self.both = first, second
    ...
    ...     def tree_flatten(self):
    ...         return self.both, None
    ...
    ...     @classmethod
    ...     def tree_unflatten(cls, _, children):
    ...         return cls(*children)
    >>> tree.map(lambda x: x * 10, Pair(1, 2)).both
    (10, 20)
    """
    register: Callable[..., type] = _register_class
    return register(cls, namespace=_EVERYWHERE)


def register_dataclass(
    cls: type, data_fields: Sequence[str] | None = None, meta_fields: Sequence[str] | None = None
) -> type:
    """Make instances of a dataclass trees; also as a decorator.

    Parameters
    ----------
    cls : type
        A dataclass.
    data_fields : sequence of str, optional
        The fields that are subtrees. By default all that are not ``field(metadata={"static": True})``.
    meta_fields : sequence of str, optional
        The fields that belong to the structure, with hashable values. By default the others.

    Raises
    ------
    TreeError
        If it is no dataclass, or if the fields are not each in one of the two lists.

    Examples
    --------
    >>> from dataclasses import dataclass, field
    >>> from agnograd import tree
    >>> @tree.register_dataclass
    ... @dataclass
    ... class Layer:
    ...     weights: object
    ...     name: str = field(default="", metadata={"static": True})
    >>> tree.map(lambda x: 2 * x, Layer(1.5, "first"))
    Layer(weights=3.0, name='first')
    """
    if not dataclasses.is_dataclass(cls):
        msg = f"register_dataclass takes a dataclass, got {cls!r}. Other classes are for register_pytree_node."
        raise TreeError(msg)
    node: Any = cls
    fields = [f for f in dataclasses.fields(cls) if f.init]
    if data_fields is None:
        data_fields = [f.name for f in fields if not f.metadata.get("static") and f.name not in (meta_fields or ())]
    if meta_fields is None:
        meta_fields = [f.name for f in fields if f.name not in data_fields]
    data, meta = tuple(data_fields), tuple(meta_fields)
    if sorted(data + meta) != sorted(f.name for f in fields):
        msg = f"data_fields {data} and meta_fields {meta} must name each field of {node.__name__} once"
        raise TreeError(msg)

    def parts(x: Any) -> tuple[Any, Any, Any]:
        return [getattr(x, name) for name in data], tuple([getattr(x, name) for name in meta]), data

    def made(static: Any, children: Iterable[Any]) -> Any:
        return node(**dict(zip(data, children, strict=True)), **dict(zip(meta, static, strict=True)))

    return optree.register_pytree_node(node, parts, made, path_entry_type=optree.GetAttrEntry, namespace=_EVERYWHERE)
