"""Arguments of a function of blocks: which of them are arrays, and how they lie on one grid."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.batch import Batched
from agnograd.core.custom import is_array
from agnograd.core.facts import raw_space
from agnograd.core.table import OPS
from agnograd.core.views import settled
from agnograd.dask.bodies import Body, Call, unwrapped
from agnograd.dask.grid import Chunks, Layout, meta_of
from agnograd.dask.values import is_dask
from agnograd.errors import AgnogradError, BlocksError
from agnograd.transforms.trees import flatten, place_of_argument

# What is in one block, and of no more elements, is sampled as it is.
_SMALL = 2**12


class Arguments:
    """The arrays among the arguments of a call, and the grid that those of dask lie on.

    Parameters
    ----------
    args : tuple
    kwargs : dict
    leading : bool
        Whether axes are counted from the first one, not from the last one as in broadcasting.
    several : bool
        Whether an array of dask lies on the grid only where it has several blocks, and is given whole otherwise.

    Attributes
    ----------
    arrays : list of array
    layouts : list of Layout
    grid : list of int
        Number of blocks along each axis.
    sizes : list of tuple of int
        The chunks along each axis.
    lazy : bool
        Whether one of them is an array of dask.
    sample_size : int
        How many elements samples of blocks have, see `sampled`.
    tensors : bool
        Whether one of them is a tensor: results are, then.

    Raises
    ------
    BlocksError
        If blocks do not fit together.
    """

    def __init__(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, leading: bool = False, several: bool = False
    ) -> None:
        self.structure: Any
        leaves, self.structure = flatten((args, kwargs))
        self.places: list[int] = [i for i, x in enumerate(leaves) if is_array(x)]
        self.arrays: list[Any] = [leaves[i] for i in self.places]
        self.fixed: dict[int, Any] = {i: _constant(x) for i, x in enumerate(leaves) if i not in set(self.places)}
        self.tensors: bool = any(isinstance(x, Array) for x in self.arrays)
        self.sample_size: int = 0
        self.lazy: bool = any(is_dask(innermost(x)) for x in self.arrays)
        own = [_own_chunks(x) for x in self.arrays]
        self.chunked: list[bool] = [
            is_dask(innermost(x)) and not (several and all(len(c) == 1 for c in chunks))
            for x, chunks in zip(self.arrays, own, strict=True)
        ]
        ndim = max((len(chunks) for chunks, there in zip(own, self.chunked, strict=True) if there), default=0)
        self.layouts: list[Layout] = [
            Layout(
                tuple(range(len(c)) if leading else range(ndim - len(c), ndim)) if there else None,
                c,
                meta_of(innermost(x), len(c)),
            )
            for x, c, there in zip(self.arrays, own, self.chunked, strict=True)
        ]
        self.grid: list[int] = [1] * ndim
        self.sizes: list[tuple[int, ...]] = [()] * ndim
        for layout in self.layouts:
            for label, sizes in layout.axes():
                if label is not None and (len(sizes), sum(sizes)) > (len(self.sizes[label]), sum(self.sizes[label])):
                    self.grid[label], self.sizes[label] = len(sizes), sizes
        for k, layout in enumerate(self.layouts):
            for axis, (label, sizes) in enumerate(layout.axes()):
                if label is not None:
                    self._check(k, axis, sizes, self.sizes[label])

    def where(self, k: int) -> str:
        """The array of that number, for messages."""
        positional, named = self.structure.children()
        i = self.places[k]
        count = positional.num_leaves
        return place_of_argument(positional, i) if i < count else place_of_argument(named, i - count)

    def call(self, f: Callable[..., Any], dtype: Any = None) -> Call:
        """The function of the arrays alone, of results of a dtype if one is given."""
        return Call(f, self.structure, self.fixed, dtype)

    def one_block(self, label: int) -> None:
        """Put all arrays into one chunk along an axis of the grid."""
        self.grid[label], self.sizes[label] = 1, (sum(self.sizes[label]),)
        for k, layout in enumerate(self.layouts):
            chunks = tuple([(sum(c),) if n == label else c for n, c in layout.axes()])
            if layout.labels is not None and chunks != layout.chunks:
                self.layouts[k] = layout._replace(chunks=chunks)
                self.arrays[k] = OPS["rechunk"].call(self.arrays[k], chunks=chunks)

    def _misplaced(self) -> list[str]:
        """What is given whole to each block, and is as long as all blocks together: that is seldom meant."""
        hints = []
        for k, layout in enumerate(self.layouts):
            for axis, (label, sizes) in enumerate(layout.axes()):
                label = label if label is not None else axis
                if label < len(self.grid) and len(sizes) == 1 < self.grid[label] and sizes[0] == sum(self.sizes[label]):
                    hints.append(
                        f"{self.where(k)} is in one piece along axis {axis}, of {sizes[0]} elements, and is given "
                        f"whole to each of {self.grid[label]} blocks. Give it the chunks {_shown(self.sizes[label])} "
                        f"there, with rechunk, or dask.array.from_array if it is none of dask's."
                    )
        return hints

    def _check(self, k: int, axis: int, sizes: tuple[int, ...], wanted: tuple[int, ...]) -> None:
        if len(sizes) == 1 or sizes == wanted or _unknown(sizes, wanted):
            return
        if len(sizes) == len(wanted) and sum(sizes) != sum(wanted):
            # One part for each block, of another size than that of others.
            return
        other = next(
            n
            for n, layout in enumerate(self.layouts)
            if any(c == wanted and label == self.layouts[k].axes()[axis][0] for label, c in layout.axes())
        )
        msg = (
            f"the blocks of {self.where(k)} and {self.where(other)} do not fit together: along axis {axis} the former "
            f"has the chunks {_shown(sizes)}, the latter {_shown(wanted)}. Rechunk one of them: "
            f"x.rechunk({{{axis}: {_shown(wanted)}}}); with one chunk along that axis, it is given whole to each block."
        )
        raise BlocksError(msg)

    def check_counted_once(self) -> None:
        """Raise if a sum over all blocks would count a block of data several times.

        Raises
        ------
        BlocksError
            If data have one block along an axis along which others have several.
        """
        for k, layout in enumerate(self.layouts):
            if layout.labels is None:
                continue
            for label in layout.summed(self.grid):
                other = next(
                    n
                    for n, x in enumerate(self.layouts)
                    if any(own == label and len(sizes) > 1 for own, sizes in x.axes())
                )
                msg = (
                    f"{self.where(other)} has {self.grid[label]} blocks along axis {label}, and {self.where(k)} is not "
                    f"cut there: each of its blocks would be counted {self.grid[label]} times. Rechunk the former, "
                    f"x.rechunk({{{label}: -1}}), or sum what agnograd.dask.map_blocks returns."
                )
                raise BlocksError(msg)

    def open_labels(self) -> set[int]:
        """The axes of the grid along which the size of a block means nothing: samples have few elements there."""
        several = {n for n, count in enumerate(self.grid) if count > 1}
        if several or all(math.prod(map(sum, layout.chunks)) <= _SMALL for layout in self.layouts):
            return several
        return {0}

    def sampled(self, body: Body, name: str) -> list[Any]:
        """What a body returns for blocks of next to no elements.

        Raises
        ------
        BlocksError
            If it cannot be called with them.
        """
        open_labels = self.open_labels()
        failed: Exception | None = None
        # Two, so that it can be told from an axis that the function leaves one element of.
        for size in (0, 2):
            self.sample_size = size
            samples = [
                _sample(x, layout, open_labels, max(self.grid, default=1) == 1, size)
                for x, layout in zip(self.arrays, self.layouts, strict=True)
            ]
            try:
                with ExitStack() as stack:
                    stack.enter_context(warnings.catch_warnings())
                    warnings.simplefilter("ignore")
                    return [unwrapped(y) for y in body(*samples)]
            except AgnogradError:
                if size:
                    raise
            except Exception as error:
                failed = error
                hints = self._misplaced()
                if hints:
                    break
        msg = (
            f"{name} calls the function with chunks of two elements along axes that are in several, to learn what "
            f"it returns, and that failed: {type(failed).__name__}: {failed}."
            f"{' '.join(hints) and ' ' + ' '.join(hints)}"
        )
        raise BlocksError(msg) from failed


def _own_chunks(x: Any) -> Chunks:
    """The chunks of an array, without the axes of batches around it; one chunk for what is no array of dask."""
    batches = 0
    while isinstance(x, Array):
        batches += isinstance(x, Batched)
        x = settled(x)._array
    return (x.chunks if is_dask(x) else tuple([(int(n),) for n in x.shape]))[batches:]


def _unknown(sizes: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether as many blocks may be of the same sizes, which are not known."""
    return len(sizes) == len(wanted) and math.isnan(sum(sizes) + sum(wanted))


def _shown(sizes: Sequence[int]) -> str:
    if len(sizes) <= 4:
        return str(tuple(sizes)).replace("nan", "unknown")
    return f"({', '.join(map(str, sizes[:3]))}, ... {len(sizes)} of them)"


def _sample(x: Any, layout: Layout, open_labels: set[int], single: bool, size: int) -> Any:
    raw = innermost(x)
    if not is_dask(raw) and len(raw.shape) == len(layout.chunks):
        return raw
    # What has one block along an axis of several is given whole to each of them.
    shape = [
        (size if max(sizes) != 1 else 1)
        if math.isnan(sum(sizes)) or len(sizes) > 1 or (label in open_labels and single)
        else sizes[0]
        for label, sizes in layout.axes()
    ]
    return raw_space(layout.meta).ones(tuple(shape), dtype=layout.meta.dtype)


def _constant(x: Any) -> Any:
    """An argument that is no array.

    Raises
    ------
    TypeError
        If it is another collection of dask, which no block would see the value of.
    """
    if hasattr(x, "__dask_graph__") and x.__dask_graph__() is not None:
        msg = (
            f"a function of blocks takes arrays and plain values, got a lazy {type(x).__name__}. Make it an array with "
            f"dask.array.from_delayed, or compute it first."
        )
        raise TypeError(msg)
    return x
