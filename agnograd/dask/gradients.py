"""Value and gradient of a sum over blocks, in one task for each block."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import optree

from agnograd.core.array import Array
from agnograd.core.facts import describe, raw_space
from agnograd.core.level import zero_safety
from agnograd.core.nodes import wrap
from agnograd.core.table import OPS
from agnograd.dask.arguments import Arguments
from agnograd.dask.bodies import Body, Call, safely
from agnograd.dask.grid import Layout, meta_of
from agnograd.dask.mapped import Mapped
from agnograd.dask.programs import Program
from agnograd.dask.values import raw
from agnograd.errors import BlocksError, NotDifferentiableError
from agnograd.transforms import value_and_grad as in_memory
from agnograd.transforms import vjp
from agnograd.transforms.arguments import Argnums, arguments_at, check_callable, chosen, is_single, with_arguments
from agnograd.transforms.results import check_scalar, is_array, pair
from agnograd.transforms.trees import argument

_REDUCTIONS = ("sum", "mean", "none")


def value_and_grad(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    reduce: str = "sum",
    has_aux: bool = False,
    rows: int | None = None,
    compile: bool = False,
    split_every: int | None = None,
) -> Callable[..., Any]:
    """Value and gradient of a function of chunks, summed over the chunks: one task for each of them.

    A task runs the function and the way back on raw chunks, and returns its value with all gradients; these are added
    up by a tree. That is what code written for the purpose does at best: each chunk is read once, and no intermediate
    result leaves its task.

    Parameters
    ----------
    f : callable
        Function of parameters and chunks to a real scalar, ``f(params, x, y)``: a loss of the rows in a chunk. It is
        sent to workers: a function of a module, or, on ``dask.distributed``, any.
    argnums : int, str or sequence of them
        The arguments to differentiate with respect to, by position or by name, trees of arrays.
    reduce : {"sum", "mean", "none"}
        What the value for all data is. ``"mean"`` is for functions that return a mean over the rows of a chunk: it
        weighs each chunk by its size, so that the value is the mean over all rows. ``"none"`` leaves the values, and
        the gradients of parameters, of all blocks side by side, along a leading axis for each axis that has several
        blocks.
    has_aux : bool
        Whether `f` returns ``(value, aux)``. Arrays in `aux` must not depend on the chunk in their shape, and are
        reduced as the value is: the number of hits, say. The result is ``((value, aux), gradient)``.
    rows : int, optional
        How many rows of its chunk a task takes at a time; all of them by default. A function that is a sum over rows
        (with ``reduce="mean"``, a mean) has the same value and gradients then, and intermediate results that are small:
        less memory, and a part that stays in the processor's cache.
    compile : bool
        Have tasks replay one program of both passes (`agnograd.compile`), made once for each process and shape of
        chunks: less memory and time than operations one by one, together with `rows` most of all.
    split_every : int, optional
        How many blocks the tree adds up at a time; by default what dask's configuration says, or 8.

    Returns
    -------
    callable
        Takes what `f` takes, with arrays of dask in the place of chunks, and returns ``(value, gradient)``, lazy both:
        compute them together. Arrays with several blocks are data. They are aligned by their first axis, and must be
        cut alike. All other arrays are parameters, which each block gets
        whole. A gradient with respect to data has the chunks of the data. Without an array of dask, it is
        `agnograd.value_and_grad` that runs.

    Raises
    ------
    BlocksError
        If blocks do not fit together; the message says how to rechunk.
    NonScalarError
        If the value is no real scalar.
    TraceError
        In a task, if it cannot be compiled.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask
    >>> import dask.array as da
    >>> import numpy as np
    >>> def loss(params, x, y):
    ...     return ag.sum((x @ params["w"] + params["b"] - y) ** 2)
    >>> x, y = da.ones((6, 2), chunks=(2, 2)), da.zeros(6, chunks=2)
    >>> params = {"w": np.asarray([1.0, 2.0]), "b": np.asarray(0.5)}
    >>> value, gradient = ag.dask.value_and_grad(loss)(params, x, y)
    >>> dask.compute(value, gradient)
    (np.float64(73.5), {'w': array([42., 42.]), 'b': np.float64(42.0)})
    """
    check_callable(f, "dask.value_and_grad")
    if reduce not in _REDUCTIONS:
        msg = f"reduce is one of {', '.join(map(repr, _REDUCTIONS))}, got {reduce!r}"
        raise ValueError(msg)
    if rows is not None and rows < 1:
        msg = f"rows is the number of rows that a task takes at a time, 1 or more, got {rows}"
        raise ValueError(msg)

    @functools.wraps(f)
    def both(*args: Any, **kwargs: Any) -> Any:
        keys = chosen(f, argnums, args, kwargs)
        trees = [_arrays(tree, (args, kwargs)) for tree in arguments_at(keys, args, kwargs)]
        positional, kwargs = with_arguments(keys, trees, args, kwargs)
        given = Arguments(tuple(positional), kwargs, leading=True, several=True)
        if not given.lazy:
            return in_memory(f, argnums, has_aux=has_aux)(*positional, **kwargs)
        given.check_counted_once()
        numbers = optree.tree_unflatten(given.structure, range(given.structure.num_leaves))
        wanted = [_leaves(tree) for tree in arguments_at(keys, *numbers)]
        moving = [given.places.index(i) if i in given.places else -1 for leaves in wanted for i in leaves]
        for key, leaves in zip(keys, wanted, strict=True):
            _check(given, key, leaves)
        mapped, aux = _mapped(f, given, moving, reduce, has_aux, rows, compile, split_every)
        found = [wrap(x, None) if given.tensors and not isinstance(x, Array) else x for x in mapped.run(given.arrays)]
        count = 0 if aux is None else aux.num_leaves
        value = (found[0], aux.unflatten(found[1 : 1 + count])) if has_aux else found[0]
        rest = iter(found[1 + count :])
        gradients = [optree.tree_map(lambda _: next(rest), tree) for tree in trees]
        return value, gradients[0] if is_single(argnums) else tuple(gradients)

    return both


def _arrays(tree: Any, near: Any) -> Any:
    """A tree of parameters, with numbers as arrays of the precision of the data."""
    like = next((x for x in optree.tree_leaves(near) if is_array(x) and x.dtype in raw_space(x).reals), None)

    def leaf(x: Any) -> Any:
        if isinstance(x, bool) or not isinstance(x, (int, float)) or hasattr(x, "dtype"):
            return x
        meta = None if like is None else meta_of(raw(like))
        return x if meta is None else raw_space(meta).asarray(float(x), dtype=meta.dtype)

    return optree.tree_map(leaf, tree)


def _leaves(tree: Any) -> list[int]:
    return list(optree.tree_leaves(tree))


def _check(given: Arguments, key: int | str, leaves: Sequence[int]) -> None:
    """Raise if there is no gradient with respect to an argument."""
    for i in leaves:
        if i not in given.places:
            msg = (
                f"dask.value_and_grad differentiates with respect to arrays, and {argument(key)} holds a "
                f"{type(given.fixed[i]).__name__}. Bind it with functools.partial, or leave it out of argnums."
            )
            raise NotDifferentiableError(msg)
        k = given.places.index(i)
        if not given.layouts[k].carries:
            msg = (
                f"dask.value_and_grad requires real- or complex-valued inputs, got {given.where(k)} "
                f"({describe(given.arrays[k])}). Convert it to a floating dtype, or leave it out of argnums."
            )
            raise NotDifferentiableError(msg)


def _mapped(
    f: Callable[..., Any],
    given: Arguments,
    moving: Sequence[int],
    reduce: str,
    has_aux: bool,
    rows: int | None,
    compile: bool,
    split_every: int | None,
) -> tuple[Mapped, Any]:
    """The function of blocks, and the structure of extra results."""
    call = given.call(f)
    split = tuple([n for n, count in enumerate(given.grid) if count > 1])
    weight = _weight(given, split) if reduce == "mean" else None
    apart = len(split) if reduce == "none" else 0
    structures: list[Any] = []

    def value_only(*chunks: Any) -> list[Any]:
        value, aux = _value_and_aux(call.value(chunks), has_aux)
        structures.append(optree.tree_structure(aux) if has_aux else None)
        return [weighted(x, weight, chunks) for x in (value, *optree.tree_leaves(aux))]

    samples = given.sampled(value_only, "dask.value_and_grad")
    # Axes of one block, for the axes of parameters beside those of blocks.
    most = max([len(layout.chunks) for layout in given.layouts], default=0)
    most = max(most, *[len(x.shape) for x in samples])
    free = tuple(range(len(given.grid), len(given.grid) + most)) if apart else ()
    side_by_side = [(1,) * given.grid[n] for n in split] if apart else []

    def reduced(layout: Layout) -> Layout:
        if not apart:
            return layout
        own = (*split, *free[: len(layout.chunks)])
        return Layout(own, (*side_by_side, *layout.chunks), meta_of(layout.meta, len(own)))

    extra = [reduced(Layout(None, tuple([(int(n),) for n in x.shape]), meta_of(raw(x)))) for x in samples]
    gradients = [
        layout if layout.labels is not None else reduced(layout) for layout in (given.layouts[k] for k in moving)
    ]
    summed = tuple([given.layouts[k].labels is None for k in moving])
    shapes = tuple([tuple(x.shape) for x in samples[1:]]) if has_aux else None
    body: Body = ValueAndGradient(call, tuple(moving), shapes, weight, apart, summed, zero_safety.get())
    if compile:
        body = Program.of(body)
    if rows is not None and 0 in split:
        # What has several blocks along the first axis is cut there once more.
        data = tuple([layout.labels is not None for layout in given.layouts])
        body = Rows(body, rows, data, (True,) * len(samples) + summed)
    name = getattr(f, "__name__", "f").strip("<>")
    grid = (*given.grid, *[1 for _ in free])
    return Mapped(body, f"grad-{name}", grid, tuple(given.layouts), (*extra, *gradients), split_every), structures[-1]


@dataclass(frozen=True, slots=True)
class Weight:
    """The share of a block in a mean over all data.

    Attributes
    ----------
    axes : tuple of (int, int)
        Arguments and axes of them that the sizes of a block are read off.
    total : int
        The size of all blocks.
    """

    axes: tuple[tuple[int, int], ...]
    total: int

    def of(self, chunks: Sequence[Any]) -> float:
        """The share of the block with these chunks."""
        return float(math.prod([chunks[k].shape[axis] for k, axis in self.axes]) / self.total)


@dataclass(frozen=True, slots=True)
class ValueAndGradient:
    """The body: value, extra results and gradients of one block.

    Attributes
    ----------
    call : Call
    moving : tuple of int
        Which arrays are differentiated with respect to.
    aux : tuple of tuple of int, or None
        Shapes of the extra results, where there are any.
    weight : Weight or None
        What all results are multiplied by.
    apart : int
        Number of axes that are put before results, for those of other blocks beside them.
    parameters : tuple of bool
        Which gradients get these axes, too.
    safe : bool
        Whether zero cotangents stay zero.
    """

    call: Call
    moving: tuple[int, ...]
    aux: tuple[tuple[int, ...], ...] | None
    weight: Weight | None
    apart: int
    parameters: tuple[bool, ...]
    safe: bool

    def __call__(self, *chunks: Any) -> list[Any]:
        """Run the function and the way back."""

        def function(*values: Any) -> Any:
            arrays = list(chunks)
            for k, x in zip(self.moving, values, strict=True):
                arrays[k] = x
            value, aux = _value_and_aux(self.call.value(arrays), self.aux is not None)
            return value, optree.tree_leaves(aux)

        with safely(self.safe):
            value, pull, aux = vjp(function, *[chunks[k] for k in self.moving], has_aux=True)
            check_scalar(value, "dask.value_and_grad")
            self._check_shapes(aux)
            gradients = pull(1.0 if self.weight is None else self.weight.of(chunks))
        results = [self._before(weighted(x, self.weight, chunks)) for x in (value, *aux)]
        pairs = zip(gradients, self.parameters, strict=True)
        return [*results, *[self._before(g) if apart else g for g, apart in pairs]]

    def _before(self, x: Any) -> Any:
        for _ in range(self.apart):
            x = OPS["expand_dims"].call(x, axis=0)
        return x

    def _check_shapes(self, aux: Sequence[Any]) -> None:
        shapes = tuple([tuple(getattr(x, "shape", ())) for x in aux])
        if self.aux is not None and shapes != self.aux:
            msg = (
                f"extra results of a function of chunks must have the same shape for each of them, got {shapes} and "
                f"{self.aux} for another one. Return what is as large as a chunk from a function of its own, with "
                f"agnograd.dask.map_blocks."
            )
            raise BlocksError(msg)


@dataclass(frozen=True, slots=True)
class Rows:
    """A body that takes some rows of its data at a time.

    Attributes
    ----------
    body : callable
    rows : int
        How many are taken at a time.
    data : tuple of bool
        Which arrays have them.
    summed : tuple of bool
        Which results are summed over them; the others have them.
    """

    body: Body
    rows: int
    data: tuple[bool, ...]
    summed: tuple[bool, ...]

    def __call__(self, *chunks: Any) -> list[Any]:
        """Run the body part by part."""
        count = max([x.shape[0] for x, there in zip(chunks, self.data, strict=True) if there], default=0)
        if count <= self.rows:
            return list(self.body(*chunks))
        found: list[Any] = []
        for start in range(0, count, self.rows):
            rows = slice(start, start + self.rows)
            part = [x[rows, ...] if there else x for x, there in zip(chunks, self.data, strict=True)]
            found = self._joined(found, self.body(*part))
        return [OPS["concat"].call(x, axis=0) if isinstance(x, list) else x for x in found]

    def _joined(self, found: list[Any], part: Sequence[Any]) -> list[Any]:
        """Results of some rows and of those behind them: sums, and lists of what has these rows."""
        if not found:
            return [x if summed else [x] for x, summed in zip(part, self.summed, strict=True)]
        pairs = zip(found, part, self.summed, strict=True)
        return [known + x if summed else [*known, x] for known, x, summed in pairs]


def weighted(x: Any, weight: Weight | None, chunks: Sequence[Any]) -> Any:
    """A result of a block as it goes into the sum over blocks; a number becomes an array."""
    if not is_array(x):
        x = raw_space(raw(chunks[0])).asarray(x)
    return x if weight is None else x * weight.of(chunks)


def _weight(given: Arguments, split: Sequence[int]) -> Weight:
    """How blocks are weighed in a mean.

    Raises
    ------
    BlocksError
        If their sizes are not known.
    """
    axes = [
        next(
            (k, axis)
            for k, layout in enumerate(given.layouts)
            for axis, (own, sizes) in enumerate(layout.axes())
            if own == label and sizes == given.sizes[label]
        )
        for label in split
    ]
    total = math.prod([sum(given.sizes[label]) for label in split])
    if math.isnan(total):
        msg = (
            "a mean over blocks needs their sizes, which are not known yet. Call compute_chunk_sizes() on the data, or "
            "use reduce='sum' and divide by the number of rows that the function returns beside the value."
        )
        raise BlocksError(msg)
    return Weight(tuple(axes), total)


def _value_and_aux(out: Any, has_aux: bool) -> tuple[Any, Any]:
    value, aux = pair(out) if has_aux else (out, ())
    check_scalar(value, "dask.value_and_grad")
    return value, aux
