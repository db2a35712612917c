"""Sparse matrices with a pattern that is known: products with dense arrays, and linear systems.

A `SparseMatrix` is an array of values and a `Pattern`, which says where they are. Derivatives are those in the values,
so zeros that are not stored stay zeros, and in the dense operand; nothing dense of the size of the matrix is made.

On NumPy, dask and array-api-strict SciPy computes; elsewhere a product is a gather, a product and a scatter in names of
the standard.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import agnograd as ag
from agnograd.hookspecs import Kernel, Sample, Spec, Uniform, fit, general, linear

from agnograd_scipy.libraries import over_stacks
from agnograd_scipy.matrices import columns, single, stacked_systems
from agnograd_scipy.patterns import Pattern

__all__ = ["Pattern", "SparseMatrix", "from_scipy", "matmul", "spsolve"]

Array = Any

# -- rules -------------------------------------------------------------------------------------------------------------


def _indices(xp: Any, index: Any, like: Array) -> Array:
    return xp.asarray(index, device=xp.device(like))


def _product(xp: Any, values: Array, x: Array, *, pattern: Pattern) -> Array:
    # y_i = sum over stored (i, j) of a_ij x_j, with rows first: that is the axis of a scatter.
    vector = len(x.shape) == 1
    x = columns(x, vector)
    terms = values[..., None] * xp.take(x, _indices(xp, pattern.columns, x), axis=-2)
    terms = xp.moveaxis(terms, -2, 0)
    out = xp.zeros((pattern.shape[0], *terms.shape[1:]), dtype=terms.dtype, device=xp.device(terms))
    out = xp.moveaxis(xp.scatter_add(out, _indices(xp, pattern.rows, x), terms), 0, -2)
    return single(out, vector)


def _sampled(xp: Any, left: Array, right: Array, pattern: Pattern) -> Array:
    """The stored elements of ``left right^H``."""
    rows = xp.take(left, _indices(xp, pattern.rows, left), axis=-2)
    return xp.sum(rows * xp.conj(xp.take(right, _indices(xp, pattern.columns, right), axis=-2)), axis=-1)


def _product_values(xp: Any, g: Array, x: Array, x_spec: Spec, values_spec: Spec, pattern: Pattern) -> Array:
    vector = len(x_spec.shape) == 1
    return fit(xp, _sampled(xp, columns(g, vector), columns(x, vector), pattern), values_spec)


def _product_dense(xp: Any, g: Array, values: Array, x_spec: Spec, pattern: Pattern) -> Array:
    vector = len(x_spec.shape) == 1
    out = xp.scipy.sparse.product(xp.conj(values), columns(g, vector), pattern=pattern.T)
    return fit(xp, single(out, vector), x_spec)


_PATTERN = Pattern([0, 2, 0, 1, 2], [0, 0, 1, 2, 2], (3, 4))
_TWICE = Pattern([0, 0, 1], [1, 1, 0], (2, 2))
# Beside the diagonal 0, 1, 2 two elements.
_SQUARE = Pattern([0, 1, 2, 0, 2], [0, 1, 2, 2, 1], (3, 3))
_VALUES = [2.0, 1.5, -1.8, 0.4, 0.7]

product = linear(
    "scipy.sparse.product(values, x, /, *, pattern)",
    body=_product,
    batch=stacked_systems(1),
    values=_product_values,
    x=_product_dense,
    doc="y_i = sum_j A_ij x_j over the stored elements of A",
    samples=[
        Sample((Uniform(shape=(5,)), Uniform(shape=(4, 2))), {"pattern": _PATTERN}),
        Sample((Uniform(shape=(5,)), Uniform(shape=(4,))), {"pattern": _PATTERN}),
        Sample((Uniform(shape=(3,)), Uniform(shape=(2, 1))), {"pattern": _TWICE}),
        Sample((Uniform(shape=(2, 5)), Uniform(shape=(2, 4, 1))), {"pattern": _PATTERN}),
        Sample((Uniform(shape=(5,)), Uniform(shape=(2, 4, 1))), {"pattern": _PATTERN}),
        Sample((Uniform(shape=(2, 5)), Uniform(shape=(4,))), {"pattern": _PATTERN}),
        Sample((Uniform(shape=(5,), kind="complex"), Uniform(shape=(4, 1), kind="complex")), {"pattern": _PATTERN}),
        Sample((Uniform(shape=(5,)), Uniform(shape=(4,), kind="complex")), {"pattern": _PATTERN}),
    ],
)


def _solved(xp: Any, g: Array, values: Array, pattern: Pattern) -> Array:
    # A^-H G, of columns
    return xp.scipy.sparse.solve(xp.conj(values), g, pattern=pattern.T)


def _solve_both(
    xp: Any, g: Array, values: Array, ans: Array, values_spec: Spec, b_spec: Spec, pattern: Pattern
) -> tuple[Array, Array]:
    # B: W = A^-H G; A: -W X^H where elements are stored.
    vector = len(b_spec.shape) == 1
    w = _solved(xp, columns(g, vector), values, pattern)
    stored = -_sampled(xp, w, columns(ans, vector), pattern)
    return fit(xp, stored, values_spec), fit(xp, single(w, vector), b_spec)


def _solve_right(xp: Any, g: Array, values: Array, b_spec: Spec, pattern: Pattern) -> Array:
    vector = len(b_spec.shape) == 1
    return fit(xp, single(_solved(xp, columns(g, vector), values, pattern), vector), b_spec)


def _solve_jvp(xp: Any, t: Array, values: Array, ans: Array, b_spec: Spec, pattern: Pattern) -> Array:
    vector = len(b_spec.shape) == 1
    moved = xp.scipy.sparse.product(t, columns(ans, vector), pattern=pattern)
    return -single(xp.scipy.sparse.solve(values, moved, pattern=pattern), vector)


solve = general(
    "scipy.sparse.solve(values, b, /, *, pattern)",
    batch=stacked_systems(1),
    vjp={
        "values": lambda xp, g, values, ans, values_spec, b_spec, pattern: _solve_both(
            xp, g, values, ans, values_spec, b_spec, pattern
        )[0],
        "b": _solve_right,
    },
    jvp={
        "values": _solve_jvp,
        "b": lambda xp, t, values, pattern: xp.scipy.sparse.solve(values, t, pattern=pattern),
    },
    jointly=lambda xp, g, values, ans, values_spec, b_spec, pattern, needs: _solve_both(
        xp, g, values, ans, values_spec, b_spec, pattern
    ),
    doc="A X = B with a sparse A: dX = A^-1 (dB - dA X)",
    samples=[
        Sample((_VALUES, Uniform(shape=(3, 2))), {"pattern": _SQUARE}),
        Sample((_VALUES, Uniform(shape=(3,))), {"pattern": _SQUARE}),
        Sample(([_VALUES, _VALUES], Uniform(shape=(3, 1))), {"pattern": _SQUARE}),
        Sample(([_VALUES, _VALUES], Uniform(shape=(3,))), {"pattern": _SQUARE}),
        Sample(([v + 0.3j for v in _VALUES], Uniform(shape=(3, 1), kind="complex")), {"pattern": _SQUARE}),
    ],
)

# -- values ------------------------------------------------------------------------------------------------------------


def _product_numpy(values: Array, x: Array, *, pattern: Pattern) -> Array:
    if x.ndim == 1:
        return _product_numpy(values, x[:, None], pattern=pattern)[..., 0]
    if x.shape[-2] != pattern.shape[1]:
        msg = f"a sparse matrix of shape {pattern.shape} times an array of shape {x.shape}: sizes do not match"
        raise ValueError(msg)
    return over_stacks(
        lambda v, x: pattern.matrix(v[0]) @ x, (values[..., None, :], x), (pattern.shape[0], x.shape[-1])
    )


def _solve_numpy(values: Array, b: Array, *, pattern: Pattern) -> Array:
    import numpy as np
    from scipy.sparse.linalg import splu

    if b.ndim == 1:
        return _solve_numpy(values, b[:, None], pattern=pattern)[..., 0]
    dtype = np.result_type(values, b)

    def solved(v: Array, b: Array) -> Array:
        matrix = pattern.matrix(v[0]).tocsc()
        matrix.sum_duplicates()
        factors = splu(matrix)
        if b.dtype.kind == "c" and v.dtype.kind != "c":
            return factors.solve(b.real.astype(v.dtype)) + 1j * factors.solve(b.imag.astype(v.dtype))
        return factors.solve(b.astype(v.dtype, copy=False))

    return over_stacks(solved, (values[..., None, :], b), b.shape[-2:]).astype(dtype, copy=False)


def _on_host(function: Any) -> Any:
    """The same on array-api-strict's arrays, through the NumPy arrays inside, back to their device."""

    def body(*arrays: Array, **params: Any) -> Array:
        import array_api_strict as xp
        import numpy as np

        host = xp.Device("CPU_DEVICE")
        out = function(*[np.asarray(x.to_device(host)) for x in arrays], **params)
        return xp.asarray(out, device=arrays[-1].device)

    return body


def _in_blocks(function: Any, rows: int) -> Any:
    """The same on dask's arrays: a task for each matrix, and for each chunk of columns of the dense operand."""

    def body(values: Array, x: Array, *, pattern: Pattern) -> Array:
        import dask.array as da
        import numpy as np

        if x.ndim == 1:
            return body(values, x[:, None], pattern=pattern)[..., 0]
        dtype = np.result_type(values.dtype, x.dtype)
        return da.apply_gufunc(
            function,
            "(e),(j,k)->(i,k)",
            values,
            x,
            allow_rechunk=True,
            output_sizes={"i": pattern.shape[rows]},
            meta=np.empty((0,), dtype),
            pattern=pattern,
        )

    return body


def kernels() -> Iterator[Kernel]:
    """SciPy's products and solutions, where it can be called."""
    yield Kernel(op=product.name, backend="numpy", body=_product_numpy)
    yield Kernel(op=product.name, backend="dask", body=_in_blocks(_product_numpy, 0))
    yield Kernel(op=solve.name, backend="numpy", body=_solve_numpy)
    yield Kernel(op=solve.name, backend="strict", body=_on_host(_solve_numpy))
    yield Kernel(op=solve.name, backend="dask", body=_in_blocks(_solve_numpy, 1))


# -- what users call ---------------------------------------------------------------------------------------------------


class SparseMatrix:
    """A sparse matrix whose values are an array of any backend, and may carry a gradient.

    Parameters
    ----------
    values : array
        The stored elements, in one axis.
    pattern : Pattern
        Where they are.

    Raises
    ------
    ValueError
        If there is not one value for each place.

    Examples
    --------
    >>> import agnograd as ag
    >>> values = ag.tensor([2.0, 3.0], requires_grad=True)
    >>> a = SparseMatrix(values, Pattern([0, 1], [0, 1], (2, 2)))
    >>> (a @ ag.tensor([1.0, 5.0])).sum().backward()
    >>> values.grad
    tensor([1., 5.])
    """

    # NumPy's arrays leave `array @ matrix` to the matrix.
    __array_ufunc__ = None

    def __init__(self, values: Array, pattern: Pattern) -> None:
        if tuple(values.shape) != pattern.rows.shape:
            msg = f"a sparse matrix of {pattern.rows.size} stored elements needs as many values, got {values.shape}"
            raise ValueError(msg)
        self.values = values
        self.pattern = pattern
        self.shape = pattern.shape

    def __repr__(self) -> str:
        return f"SparseMatrix(shape={self.shape}, stored={self.pattern.rows.size}, dtype={self.values.dtype})"

    @property
    def T(self) -> SparseMatrix:  # noqa: N802 - as arrays call it
        """The transpose, which shares the values."""
        return SparseMatrix(self.values, self.pattern.T)

    def __matmul__(self, x: Array) -> Array:
        """The product with a vector, a matrix or a stack of matrices."""
        return ag.scipy.sparse.product(self.values, x, pattern=self.pattern)

    def __rmatmul__(self, x: Array) -> Array:
        """The product with a vector or a matrix on the left."""
        if len(x.shape) == 1:
            return self.T @ x
        return ag.matrix_transpose(self.T @ ag.matrix_transpose(x))

    def solve(self, b: Array) -> Array:
        """The solution of a linear system, for a vector or the columns of a matrix."""
        if self.shape[0] != self.shape[1] or b.shape[-2 if len(b.shape) > 1 else -1] != self.shape[0]:
            msg = f"a sparse matrix of shape {self.shape} and a right-hand side of shape {tuple(b.shape)} are no system"
            raise ValueError(msg)
        return ag.scipy.sparse.solve(self.values, b, pattern=self.pattern)


def from_scipy(matrix: Any, like: Array | None = None) -> SparseMatrix:
    """A sparse matrix or array of SciPy, its values as an array of a backend.

    Parameters
    ----------
    matrix : scipy.sparse array or matrix
        Of any format; of integers, if so, as floating-point numbers.
    like : array, optional
        Backend and device of the values are those of this array; they are NumPy's otherwise.

    Examples
    --------
    >>> import scipy.sparse
    >>> from_scipy(scipy.sparse.eye_array(3))
    SparseMatrix(shape=(3, 3), stored=3, dtype=float64)
    """
    import numpy as np

    found = matrix.tocoo()
    data = np.asarray(found.data if found.data.dtype.kind in "fc" else found.data.astype(float))
    values = ag.namespace("numpy").asarray(data)
    if like is not None:
        like = ag.asarray(like)
        xp = like.__array_namespace__()
        whole = found.data.dtype.kind not in "fc" and xp.isdtype(like.dtype, ("real floating", "complex floating"))
        values = xp.asarray(data, dtype=like.dtype if whole else None, device=like.device)
    return SparseMatrix(values, Pattern(found.row, found.col, found.shape))


def matmul(a: Any, x: Array) -> Array:
    """The product of a sparse matrix and a dense vector or matrix.

    Parameters
    ----------
    a : SparseMatrix, or scipy.sparse array or matrix
    x : array
        Its backend computes.

    Examples
    --------
    >>> import agnograd as ag, scipy.sparse
    >>> a = scipy.sparse.diags_array([1.0, 2.0])
    >>> ag.grad(lambda x: matmul(a, x).sum())(ag.tensor([3.0, 4.0]))
    tensor([1., 2.])
    """
    return (a if isinstance(a, SparseMatrix) else from_scipy(a, x)) @ x


def spsolve(a: Any, b: Array) -> Array:
    """The solution of ``a x = b`` with a sparse matrix.

    Parameters
    ----------
    a : SparseMatrix, or scipy.sparse array or matrix
    b : array
        A vector, or the columns of a matrix.

    Raises
    ------
    UnsupportedError
        On a backend without a solver for sparse systems: there is one on NumPy, dask and array-api-strict.

    Examples
    --------
    >>> import agnograd as ag, scipy.sparse
    >>> spsolve(scipy.sparse.diags_array([1.0, 2.0]), ag.tensor([3.0, 4.0]))
    tensor([3., 2.])
    """
    return (a if isinstance(a, SparseMatrix) else from_scipy(a, b)).solve(b)
