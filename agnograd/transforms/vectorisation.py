"""Vectorisation: a function of one member of a batch becomes a function of the batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import optree

from agnograd.core.array import Array
from agnograd.core.batch import Batched
from agnograd.core.facts import describe
from agnograd.core.level import Level, new_level
from agnograd.core.nodes import wrap
from agnograd.core.table import OPS, spaces
from agnograd.core.views import settled
from agnograd.errors import BatchedValueError
from agnograd.transforms.arguments import check_callable
from agnograd.transforms.results import check_array, finished, off_level
from agnograd.transforms.trees import flatten, place, place_of_argument


def vmap(
    f: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    *,
    axis_size: int | None = None,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Map a function over an axis of its arguments: written for one member, run for all of them at once.

    Every operation runs once, on arrays with one axis more. One without a batching rule runs in a loop, and warns.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a tree of arrays. It must not branch on values of what is mapped.
    in_axes : int, None, or tuple of trees of them
        The axis of each argument that is mapped; None for what all members share, which need not be an array. One for
        all arguments, one for each, or a tree for the leaves of an argument. Keyword arguments are mapped along their
        first axis.
    out_axes : int, None, or tree of them
        Where the axis stands in the results; None for a result that is the same for all members.
    axis_size : int, optional
        Number of members, where no argument is mapped.
    chunk_size : int, optional
        At most so many members at once, to bound the memory; the results are put together.

    Returns
    -------
    callable
        Takes what `f` takes, with one axis more where it is mapped.

    Raises
    ------
    BatchedValueError
        If mapped axes differ in size, if an argument has no such axis, or, within the function, where a value or a
        shape is asked for that differs from member to member.

    Examples
    --------
    Gradients for each sample of a batch:

    >>> import agnograd as ag
    >>> def loss(weights, x):
    ...     return ag.sum(ag.square(weights * x))
    >>> samples = ag.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.vmap(ag.grad(loss), in_axes=(None, 0))(ag.ones(2), samples)
    tensor([[ 2.,  8.],
            [18., 32.]])
    """
    check_callable(f, "vmap")
    if chunk_size is not None and chunk_size < 1:
        msg = f"chunk_size is the number of members that run at once, 1 or more, got {chunk_size}"
        raise ValueError(msg)

    @functools.wraps(f)
    def vectorised(*args: Any, **kwargs: Any) -> Any:
        batch = _Batch(args, kwargs, in_axes, axis_size)
        if chunk_size is None or batch.size <= chunk_size:
            return batch.run(f, out_axes)
        starts = range(0, batch.size, chunk_size)
        chunks = [batch.part(i, min(i + chunk_size, batch.size)).run(f, out_axes) for i in starts]
        return _joined(chunks, out_axes)

    return vectorised


class _Batch:
    """Arguments, and which axis of each leaf is mapped."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], in_axes: Any, axis_size: int | None) -> None:
        leaves, self.structure = flatten((args, kwargs))
        self.positional, self.named = self.structure.children()
        self.leaves = [settled(x) if isinstance(x, Array) else x for x in leaves]
        axes = _axes_of(in_axes, args)
        axes += [0] * (len(leaves) - len(axes))
        self.axes = [
            None if a is None or x is None else self._axis(k, a)
            for k, (x, a) in enumerate(zip(self.leaves, axes, strict=True))
        ]
        self.tensors = any(isinstance(x, Array) for x in self.leaves)
        self.size = self._size(axis_size)

    def _place(self, k: int) -> str:
        count = self.positional.num_leaves
        return place_of_argument(self.positional, k) if k < count else place_of_argument(self.named, k - count)

    def _axis(self, k: int, axis: Any) -> int:
        x = self.leaves[k]
        if isinstance(axis, bool) or not isinstance(axis, int):
            msg = f"in_axes has whole numbers and None, got {type(axis).__name__} for {self._place(k)}"
            raise TypeError(msg)
        if not isinstance(x, Array) and spaces.known(type(x)) is None:
            msg = (
                f"vmap maps over axes of arrays, got {self._place(k)} of type {type(x).__name__}. Give it None in "
                f"in_axes, or bind it with functools.partial."
            )
            raise BatchedValueError(msg)
        ndim = len(x.shape)
        if not -ndim <= axis < ndim:
            msg = (
                f"vmap was asked to map over axis {axis} of {self._place(k)}, which has {ndim} axes ({describe(x)}). "
                f"Choose another one with in_axes, or None for what all members share."
            )
            raise BatchedValueError(msg)
        return axis % ndim

    def _size(self, axis_size: int | None) -> int:
        sizes = [None if a is None else x.shape[a] for x, a in zip(self.leaves, self.axes, strict=True)]
        known = {n for n in sizes if n is not None}
        unknown = [k for k, n in enumerate(sizes) if n is not None and not isinstance(n, Integral)]
        if unknown:
            k = unknown[0]
            msg = f"vmap needs the size of the axis that it maps over, and that of {self._place(k)} is not known yet"
            raise BatchedValueError(msg)
        if not known and axis_size is None:
            msg = "vmap has nothing to map over: in_axes is None for every argument. Say how often with axis_size."
            raise BatchedValueError(msg)
        if len(known | ({axis_size} - {None})) > 1:
            found = "; ".join(
                f"{self._place(k)}: {n} along axis {self.axes[k]}" for k, n in enumerate(sizes) if n is not None
            )
            asked = f"; axis_size={axis_size}" if axis_size is not None else ""
            msg = (
                f"vmap needs one size for all axes that it maps over, got {found}{asked}. Give None in in_axes to "
                f"what all calls share."
            )
            raise BatchedValueError(msg)
        return int(known.pop()) if known else axis_size  # type: ignore[return-value]

    def part(self, start: int, stop: int) -> _Batch:
        """Some members of the batch."""
        new = object.__new__(_Batch)
        new.__dict__.update(self.__dict__)
        new.leaves = [
            x if a is None else x[(*(slice(None),) * a, slice(start, stop), ...)]
            for x, a in zip(self.leaves, self.axes, strict=True)
        ]
        new.size = stop - start
        return new

    def run(self, f: Callable[..., Any], out_axes: Any) -> Any:
        with new_level("vmap") as level:
            leaves = [
                _shared(x) if a is None else _batched(x, a, level) for x, a in zip(self.leaves, self.axes, strict=True)
            ]
            arguments: Any = optree.tree_unflatten(self.structure, leaves)
            out = f(*arguments[0], **arguments[1])
            results, structure = optree.tree_flatten(out)
            axes = _prefix(out_axes, out, "out_axes", "the result of the function")
            results = [
                self._result(x, a, level, functools.partial(place, "result", structure, k))
                for k, (x, a) in enumerate(zip(results, axes, strict=True))
            ]
        return optree.tree_unflatten(structure, results)

    def _result(self, x: Any, axis: Any, level: Level, where: Callable[[], str]) -> Any:
        x = settled(x)
        mapped = isinstance(x, Batched) and x.level is level
        value, _ = off_level(x, level)
        check_array(value, "vmap", where)
        if axis is None:
            if mapped:
                msg = (
                    f"out_axes is None for {where()}, which differs from member to member ({describe(x)} each): give "
                    f"the place of the axis, or reduce over the batch outside of vmap"
                )
                raise BatchedValueError(msg)
            return finished(value, tensors=self.tensors)
        if not mapped:
            value = OPS["broadcast_to"].call(value, (self.size, *value.shape))
        ndim = len(value.shape)
        if not -ndim <= axis < ndim:
            msg = f"out_axes={axis} is out of bounds for {where()}, of {ndim} axes with that of the batch"
            raise BatchedValueError(msg)
        return finished(OPS["moveaxis"].call(value, 0, axis) if axis % ndim else value, tensors=self.tensors)


def _shared(x: Any) -> Any:
    """What all members share; an array as a constant, so that a batch may index it."""
    return wrap(x, None) if not isinstance(x, Array) and spaces.known(type(x)) is not None else x


def _batched(x: Any, axis: int, level: Level) -> Batched:
    data = OPS["moveaxis"].call(x, axis, 0) if axis else x
    return Batched(data._array if isinstance(data, Array) and data.level is None else data, level)


def _axes_of(in_axes: Any, args: tuple[Any, ...]) -> list[Any]:
    if isinstance(in_axes, (tuple, list)):
        in_axes = tuple(in_axes)
        if len(in_axes) != len(args):
            msg = f"in_axes has {len(in_axes)} items, and the function was called with {len(args)} positional arguments"
            raise BatchedValueError(msg)
    return _prefix(in_axes, args, "in_axes", "the arguments", none_is_leaf=True)


def _prefix(axes: Any, tree: Any, name: str, what: str, *, none_is_leaf: bool = False) -> list[Any]:
    """An axis for each leaf of a tree, from one of the leading structure of that tree."""
    if axes is None or isinstance(axes, int):
        return [axes] * len(optree.tree_leaves(tree, none_is_leaf=none_is_leaf))
    shown = optree.tree_map(lambda x: None if x is None else 0, tree, none_is_leaf=True)
    try:
        found = optree.broadcast_prefix(axes, shown, none_is_leaf=True)
    except ValueError as error:
        msg = f"{name} must have the leading structure of {what}: {error}"
        raise BatchedValueError(msg) from None
    if none_is_leaf:
        return list(found)
    present = optree.tree_leaves(shown, none_is_leaf=True)
    return [a for a, x in zip(found, present, strict=True) if x is not None]


def _joined(chunks: Sequence[Any], out_axes: Any) -> Any:
    first = chunks[0]
    axes = _prefix(out_axes, first, "out_axes", "the result of the function")
    leaves = [optree.tree_leaves(chunk) for chunk in chunks]
    structure = optree.tree_structure(first)
    whole = [
        parts[0] if axis is None else OPS["concat"].call(list(parts), axis=axis)
        for axis, parts in zip(axes, zip(*leaves, strict=True), strict=True)
    ]
    return optree.tree_unflatten(structure, whole)


# Outside of all graphs, as far as the batch itself is concerned.
_GRAPH = {"requires_grad": False, "is_leaf": True, "grad_fn": None}


def _of_tensor(self: Batched, name: str) -> Any:
    """What code written for tensors asks of a batch."""
    value = self if name.startswith("_") else settled(self)
    if value is not self:
        return getattr(value, name)
    if name in _GRAPH:
        return _GRAPH[name]
    msg = (
        f"a batch under vmap has no attribute {name!r}. Differentiate with agnograd.grad within the function, or "
        f"around vmap; backward() has its place outside."
    )
    raise AttributeError(msg, name=name, obj=self)


Batched.__getattr__ = _of_tensor  # type: ignore[attr-defined]
