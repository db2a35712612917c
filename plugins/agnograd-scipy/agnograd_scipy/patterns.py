"""Where the elements of a sparse matrix are, which never changes, while their values are an array."""

from __future__ import annotations

from functools import cached_property
from typing import Any

Array = Any


class Pattern:
    """The rows and columns of the stored elements of a sparse matrix, in the order of their values.

    Parameters
    ----------
    rows, columns : array_like of int
        Where each stored element is. Elements in one place add up.
    shape : (int, int)

    Raises
    ------
    ValueError
        If rows and columns differ in number, or lie outside of the shape.

    Examples
    --------
    >>> Pattern([0, 1, 1], [0, 0, 2], (2, 3))
    Pattern(shape=(2, 3), stored=3)
    """

    def __init__(self, rows: Any, columns: Any, shape: tuple[int, int]) -> None:
        import numpy as np

        self.rows, self.columns = np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64)
        self.shape = int(shape[0]), int(shape[1])
        for name, index, size in (("rows", self.rows, self.shape[0]), ("columns", self.columns, self.shape[1])):
            if (
                index.ndim != 1
                or index.shape != self.rows.shape
                or (index.size and not 0 <= index.min() <= index.max() < size)
            ):
                msg = f"{name} of a pattern must be one index below {size} for each stored element, in one axis"
                raise ValueError(msg)
            index.flags.writeable = False

    def __repr__(self) -> str:
        return f"Pattern(shape={self.shape}, stored={self.rows.size})"

    def __reduce__(self) -> Any:
        return Pattern, (self.rows, self.columns, self.shape)

    def __dask_tokenize__(self) -> Any:
        return type(self).__name__, self.rows.tobytes(), self.columns.tobytes(), self.shape

    @cached_property
    def T(self) -> Pattern:  # noqa: N802 - as arrays call it
        """The pattern of the transpose: the same values in the same order."""
        other = Pattern(self.columns, self.rows, self.shape[::-1])
        other.T = self
        return other

    @cached_property
    def _by_rows(self) -> tuple[Any, Any, Any]:
        """The order of values, the columns in that order and where rows begin: SciPy's compressed form."""
        import numpy as np

        order = np.lexsort((self.columns, self.rows))
        starts = np.searchsorted(self.rows[order], np.arange(self.shape[0] + 1))
        return order, self.columns[order], starts

    def matrix(self, values: Any) -> Any:
        """SciPy's matrix, compressed by rows, with the values of a NumPy array."""
        import scipy.sparse

        order, columns, starts = self._by_rows
        return scipy.sparse.csr_array((values[order], columns, starts), shape=self.shape)
