"""Sparse Jacobians: columns without a common row are found together, from one product with their sum.

A. R. Curtis, M. J. D. Powell and J. K. Reid, On the estimation of sparse Jacobian matrices, 1974. A product more, with
a random vector, tells whether the pattern that was given is that of the Jacobian.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from agnograd.core.array import innermost
from agnograd.core.batch import Batched, is_batched
from agnograd.core.conversions import carries_gradient
from agnograd.core.facts import describe, raw_space
from agnograd.core.level import Level
from agnograd.core.views import settled
from agnograd.errors import GradientLostError, MissingLibraryError, SparsityError


class Pattern:
    """Where a Jacobian may differ from zero.

    Parameters
    ----------
    sparsity : scipy.sparse array or matrix, or array
        A row for each element of the output, a column for each of the input. What a sparse matrix stores may differ
        from zero, and what is not zero in an array.
    """

    def __init__(self, sparsity: Any) -> None:
        self._sparse = _scipy_sparse()
        try:
            self.matrix: Any = self._sparse.csr_array(sparsity, copy=True)
        except (TypeError, ValueError) as error:
            msg = (
                f"sparsity takes a matrix of scipy.sparse, or an array of truth values with two axes on the host, got "
                f"{type(sparsity).__name__}: {error}"
            )
            raise SparsityError(msg) from None
        if len(self.matrix.shape) != 2:
            msg = "sparsity has a row for each element of the output and a column for each of the input, got one axis"
            raise SparsityError(msg)
        self.matrix.sum_duplicates()
        self._colours: dict[bool, list[int]] = {}

    def colours(self, of_rows: bool) -> list[int]:
        """A number for each row, or for each column; equal where they are found together."""
        found = self._colours.get(of_rows)
        if found is None:
            matrix = self.matrix.T.tocsc() if of_rows else self.matrix.tocsc()
            found = self._colours[of_rows] = greedy_colours(matrix.shape[0], matrix.indptr, matrix.indices)
        return found

    def check(self, sizes: Sequence[int], axis: int) -> None:
        """Raise if it has not a row for each element of the output, axis 0, or a column for each of the input."""
        what = ("output", "input")[axis]
        if len(sizes) != 1:
            msg = (
                f"a sparse Jacobian is one matrix, of one array by one array, and there are {len(sizes)} {what} "
                f"arrays. Make one vector of them (agnograd.ravel_tree), or leave sparsity out."
            )
            raise SparsityError(msg)
        if self.matrix.shape[axis] != sizes[0]:
            msg = (
                f"sparsity must have a {('row', 'column')[axis]} for each element of the {what}, which are {sizes[0]}, "
                f"got shape {self.matrix.shape}"
            )
            raise SparsityError(msg)

    def assemble(self, found: Any, vectors: Colours) -> Any:
        """The Jacobian from its products with the sums of columns, or of rows.

        Parameters
        ----------
        found : array
            The products, a row for each of `vectors`.
        vectors : Colours

        Returns
        -------
        scipy.sparse.csr_array

        Raises
        ------
        SparsityError
            If the Jacobian differs from zero elsewhere.
        """
        import numpy as np

        host = _to_host(found)
        host = host.reshape(host.shape[0], -1)
        entries = self.matrix.tocoo()
        row, column = entries.coords
        colours = np.asarray(vectors.colours, dtype=np.intp)
        data = host[colours[row], column] if vectors.of_rows else host[colours[column], row]
        parts = (data, self.matrix.indices, self.matrix.indptr)
        jacobian = self._sparse.csr_array(parts, shape=self.matrix.shape, copy=True)
        oriented = jacobian.T if vectors.of_rows else jacobian
        check = np.asarray(vectors.check)
        expected, scale = oriented @ check, abs(oriented) @ abs(check)
        eps = float(np.finfo(host.dtype).eps)
        largest = scale[np.isfinite(scale)].max(initial=0.0)
        with np.errstate(invalid="ignore"):
            missed = abs(host[-1] - expected) > eps**0.5 * scale + eps**0.75 * largest
        if missed.any():
            what = ("column", "input") if vectors.of_rows else ("row", "output")
            msg = (
                f"the Jacobian has entries outside of the sparsity that was given: of {missed.size} {what[0]}s "
                f"{int(missed.sum())} have some, the first of them that of element {int(missed.argmax())} of the "
                f"{what[1]}. Give a pattern that has all entries that may differ from zero."
            )
            raise SparsityError(msg)
        return jacobian


class Colours:
    """The sum of the basis vectors of each colour, and a random vector.

    Parameters
    ----------
    pattern : Pattern
    of_rows : bool
        Whether rows were coloured, whose vectors are cotangents, or columns.
    like : array
        What the vectors are like.
    """

    def __init__(self, pattern: Pattern, of_rows: bool, like: Any) -> None:
        self.of_rows = of_rows
        self.colours: list[int] = pattern.colours(of_rows)
        self._groups = max(self.colours, default=-1) + 1
        self.count: int = self._groups + 1
        self._raw = innermost(like)
        self._shape = tuple(like.shape)
        draw = random.Random(0)
        self.check: list[float] = [draw.choice((-1, 1)) * draw.uniform(0.5, 1.5) for _ in self.colours]

    def batches(self, start: int, stop: int, level: Level) -> list[Batched]:
        """Some of them, see `agnograd.transforms.basis.Vectors`."""
        return [Batched(x, level) for x in self.rows(start, stop)]

    def rows(self, start: int, stop: int) -> list[Any]:
        """Some of them, see `agnograd.transforms.basis.Vectors`."""
        x = self._raw
        space = raw_space(x)
        device = space.device(x)
        colours = space.asarray(self.colours, dtype=space.int64, device=device)
        numbers = space.arange(start, min(stop, self._groups), dtype=space.int64, device=device)
        found = space.astype(colours[None, :] == numbers[:, None], x.dtype)
        if stop > self._groups:
            check = space.asarray(self.check, dtype=x.dtype, device=device)
            found = space.concat([found, check[None, :]], axis=0)
        return [space.reshape(found, (stop - start, *self._shape))]


def greedy_colours(rows: int, indptr: Sequence[int], indices: Sequence[int]) -> list[int]:
    """A colour for each column of a sparse matrix, so that no two columns of one colour have entries in one row.

    Each column takes the first colour that none of those before it has that it shares a row with (Curtis, Powell and
    Reid, 1974): that needs three for a tridiagonal matrix.

    Parameters
    ----------
    rows : int
        Number of rows.
    indptr, indices : sequence of int
        Column j has entries in the rows ``indices[indptr[j]:indptr[j + 1]]``.

    Examples
    --------
    >>> greedy_colours(3, [0, 2, 5, 7], [0, 1, 0, 1, 2, 1, 2])
    [0, 1, 2]
    >>> greedy_colours(3, [0, 1, 2, 3], [0, 1, 2])
    [0, 0, 0]
    """
    # The colours that occur in a row are the bits of a number.
    taken = [0] * rows
    found = []
    places = list(map(int, indices))
    for start, end in pairwise(map(int, indptr)):
        used = 0
        for i in places[start:end]:
            used |= taken[i]
        free = ~used & (used + 1)
        for i in places[start:end]:
            taken[i] |= free
        found.append(free.bit_length() - 1)
    return found


def _to_host(x: Any) -> Any:
    x = settled(x)
    if carries_gradient(x) or is_batched(x):
        msg = (
            f"a sparse Jacobian is a matrix of scipy.sparse, and no transformation around it, nor the graph of a "
            f"tensor, can go on through that ({describe(x)}). Detach what it depends on, or leave sparsity out."
        )
        raise GradientLostError(msg)
    raw = innermost(x)
    return raw_space(raw).backend.to_host(raw)


def _scipy_sparse() -> Any:
    try:
        import scipy.sparse
    except ImportError as error:
        msg = "sparse Jacobians are matrices of SciPy, which is not installed: pip install 'agnograd[optimize]'"
        raise MissingLibraryError(msg) from error
    return scipy.sparse
