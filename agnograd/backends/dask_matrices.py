"""Functions of matrices on dask: of which matrices in one chunk, and of which in several.

A matrix that is small enough is put into one chunk, in which the library of the chunks factors it; stacks keep the
chunks of their other axes. Tall matrices in chunks of rows have a QR and a singular value decomposition by blocks, and
so have wide ones in chunks of columns; larger matrices have what `dask_linalg_blocked` has. What is too large for its
algorithm is an error that says how to rechunk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.backends import dask_linalg_blocked as blocked
from agnograd.backends.dask_blocks import empty_block, fits, from_block, gather, is_whole, limit, meta_like, on_block
from agnograd.backends.dask_indexing import complex_meta
from agnograd.backends.dask_sizes import is_unknown
from agnograd.core.table import OPS, spaces

Array = Any

_MATRIX = (-2, -1)


def kernels() -> dict[str, Callable[..., Any]]:
    """What dask lacks of ``linalg``, or has for single matrices only."""
    functions: list[Callable[..., Any]] = [cholesky, cross, det, eig, eigh, eigvalsh, inv, matrix_rank, pinv, qr]
    functions += [slogdet, solve, svd, svdvals]
    return {
        **{function.__name__: function for function in (cholesky_pullback, cofactors, solve_triangular)},
        **{f"linalg.{function.__name__}": function for function in functions},
    }


def _stacked(
    name: str, x: Array, signature: str, *dtypes: Any, sizes: dict[str, int] | None = None, **params: Any
) -> Any:
    """An operation on stacks of matrices in one chunk each; one dtype for each output."""
    import dask.array as da

    function = on_block(name, **params)
    if 0 in x.shape:
        # No elements, so nothing to wait for; apply_gufunc divides by the sizes of chunks.
        found = function(empty_block(x))
        return tuple(map(from_block, found)) if isinstance(found, tuple) else from_block(found)
    # Examples of the results: from dtypes alone dask casts one of `x`, and NumPy warns of it where that is complex.
    metas = tuple(meta_like(x, 1, dtype) for dtype in dtypes)
    return da.apply_gufunc(
        function, signature, gather(x, _MATRIX, name), vectorize=False,
        meta=metas if len(metas) > 1 else metas[0], output_sizes=sizes or {},
    )  # fmt: skip


def _real(x: Array) -> Any:
    return x.dtype.type(0).real.dtype


def _complex(x: Array) -> Any:
    import numpy as np

    return np.result_type(x.dtype, np.complex64)


def _adjoint(x: Array) -> Array:
    return x.conj().T


def _named(name: str, items: Any) -> Any:
    """A tuple of the type that NumPy's function returns."""
    import numpy as np

    return type(getattr(np.linalg, name)(np.eye(1)))(*items)


def _square(x: Array, name: str) -> Array:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        msg = f"{name} needs square matrices, got the shape {x.shape}"
        raise ValueError(msg)
    return x


def _by_blocks(x: Array) -> bool:
    """Whether a single matrix is in several chunks, and too large for one."""
    return x.ndim == 2 and not fits(x, _MATRIX)


# -- square matrices ---------------------------------------------------------------------------------------------------


def cholesky(x: Array, *, upper: bool = False) -> Array:
    """Dask's own returns the other triangle, and takes single matrices only."""
    if _by_blocks(_square(x, "cholesky")):
        lower = blocked.cholesky(blocked.square_blocks(x))
        return _adjoint(lower) if upper else lower
    return _stacked("linalg.cholesky", x, "(n,n)->(n,n)", x.dtype, upper=upper)


def det(x: Array) -> Array:
    """Of matrices in one chunk."""
    return _stacked("linalg.det", _square(x, "det"), "(n,n)->()", x.dtype)


def cofactors(x: Array) -> Array:
    """Of matrices in one chunk: one task, where the operations that it is made of would take many."""
    return _stacked("cofactors", _square(x, "cofactors"), "(n,n)->(n,n)", x.dtype)


def slogdet(x: Array) -> Any:
    """Of matrices in one chunk."""
    return _named("slogdet", _stacked("linalg.slogdet", _square(x, "slogdet"), "(n,n)->(),()", x.dtype, _real(x)))


def eigh(x: Array) -> Any:
    """Of matrices in one chunk."""
    return _named("eigh", _stacked("linalg.eigh", _square(x, "eigh"), "(n,n)->(n),(n,n)", _real(x), x.dtype))


def eigvalsh(x: Array) -> Array:
    """Of matrices in one chunk."""
    return _stacked("linalg.eigvalsh", _square(x, "eigvalsh"), "(n,n)->(n)", _real(x))


def eig(x: Array) -> Any:
    """Of matrices in one chunk. Real ones whose eigenvalues are real give real ones in some libraries: not here."""
    dtype = _complex(x)
    found = _stacked("linalg.eig", _square(x, "eig"), "(n,n)->(n),(n,n)", dtype, dtype)
    return _named("eig", (part.astype(dtype) for part in found))


def inv(x: Array) -> Array:
    """Of matrices in one chunk, or of one in several as the solution of a system."""
    if _by_blocks(_square(x, "inv")):
        return blocked.inv(x)
    return _stacked("linalg.inv", x, "(n,n)->(n,n)", x.dtype)


def solve(x1: Array, x2: Array) -> Array:
    """With a matrix in one chunk and right-hand sides in any, or with one in several."""
    if x2.ndim == 1:
        return solve(x1, x2[:, None])[..., 0]
    return _solved("linalg.solve", blocked.solve, x1, x2)


def solve_triangular(x1: Array, x2: Array, *, upper: bool = False) -> Array:
    """With a matrix in one chunk and right-hand sides in any, or with one in several."""

    def by_blocks(x1: Array, x2: Array) -> Array:
        return blocked.substitute(blocked.square_blocks(x1), x2, lower=not upper)

    return _solved("solve_triangular", by_blocks, x1, x2, upper=upper)


def _solved(name: str, by_blocks: Callable[[Array, Array], Array], x1: Array, x2: Array, **params: Any) -> Array:
    import dask.array as da
    import numpy as np

    dtype = np.result_type(x1.dtype, x2.dtype)
    if _by_blocks(_square(x1, name)) and x2.ndim == 2:
        return by_blocks(x1.astype(dtype), x2.astype(dtype))
    batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    x1, x2 = (da.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (x1, x2))
    x1, x2 = gather(x1, _MATRIX, name), gather(x2, (-2,), name, split=True)
    lead = tuple(range(len(batch)))
    i, j, k = (len(batch) + n for n in range(3))
    return da.blockwise(
        on_block(name, **params), (*lead, i, k), x1, (*lead, i, j), x2, (*lead, j, k),
        dtype=dtype, concatenate=True, meta=meta_like(x2, dtype=dtype),
    )  # fmt: skip


def cholesky_pullback(x1: Array, x2: Array) -> Array:
    """One task for matrices in one chunk; what it is made of for one in several."""
    import dask.array as da
    import numpy as np

    if not (fits(x1, _MATRIX) and fits(x2, _MATRIX)):
        body: Any = OPS["cholesky_pullback"].body
        return body(spaces[type(x1)], x1, x2)
    batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    both = [gather(da.broadcast_to(x, (*batch, *x.shape[-2:])), _MATRIX, "cholesky_pullback") for x in (x1, x2)]
    dtype = np.result_type(x1.dtype, x2.dtype)
    axes = tuple(range(len(batch) + 2))
    return da.blockwise(
        on_block("cholesky_pullback"), axes, both[0], axes, both[1], axes,
        dtype=dtype, meta=meta_like(both[0], dtype=dtype),
    )  # fmt: skip


# -- rectangular matrices ----------------------------------------------------------------------------------------------


def qr(x: Array, *, mode: str = "reduced") -> Any:
    """By blocks of rows for tall matrices, by panels for large ones, else of matrices in one chunk."""
    k = min(x.shape[-2:])
    if mode == "complete":
        _refuse_larger(x, "linalg.qr(mode='complete')")
        return _named("qr", _stacked("linalg.qr", x, "(m,n)->(m,m),(m,n)", x.dtype, x.dtype, mode=mode))
    with complex_meta(x):
        if _is_tall(x):
            return _named("qr", _tall_qr(x))
        if _by_blocks(x):
            return _named("qr", blocked.qr(x))
    sizes = {"k": k}
    return _named("qr", _stacked("linalg.qr", x, "(m,n)->(m,k),(k,n)", x.dtype, x.dtype, sizes=sizes, mode=mode))


def _is_tall(x: Array) -> bool:
    """Whether a matrix has more rows than columns, and chunks of rows that may hold all columns."""
    if x.ndim != 2 or x.shape[0] < x.shape[1] or x.shape[1] < 1 or is_unknown(x.shape[1:]):
        return False
    # Where the number of rows depends on data, there are enough of them.
    in_parts = len(x.chunks[0]) > 1 or is_unknown(x.shape) or not fits(x, _MATRIX)
    return in_parts and (is_whole(x, (1,)) or x.shape[1] ** 2 * x.dtype.itemsize <= limit())


def _tall_qr(x: Array) -> tuple[Array, Array]:
    import dask.array as da

    return da.linalg.tsqr(gather(x, (1,), "linalg.qr", split=True))  # type: ignore[no-any-return]


def _tall_svd(x: Array) -> tuple[Array, Array, Array]:
    """By the singular values of the triangle, which is small."""
    q, r = _tall_qr(x)
    u, s, vh = _stacked("linalg.svd", r, "(m,n)->(m,n),(n),(n,n)", x.dtype, _real(x), x.dtype, full_matrices=False)
    return q @ u, s, vh


def svd(x: Array, *, full_matrices: bool = True) -> Any:
    """By blocks for tall and wide matrices, else of matrices in one chunk."""
    m, n = x.shape[-2:]
    if not full_matrices and x.ndim == 2:
        with complex_meta(x):
            if _is_tall(x):
                return _named("svd", _tall_svd(x))
            if _is_tall(x.T):
                u, s, vh = _tall_svd(_adjoint(x))
                return _named("svd", (_adjoint(vh), s, _adjoint(u)))
    if full_matrices:
        _refuse_larger(x, "linalg.svd(full_matrices=True)")
    outputs = "(m,m),(k),(n,n)" if full_matrices else "(m,k),(k),(k,n)"
    kinds = x.dtype, _real(x), x.dtype
    found = _stacked("linalg.svd", x, f"(m,n)->{outputs}", *kinds, sizes={"k": min(m, n)}, full_matrices=full_matrices)
    return _named("svd", found)


def _refuse_larger(x: Array, what: str) -> None:
    """Square matrices that a tall or wide one leads to must be below the limit themselves."""
    from agnograd.errors import UnsupportedError

    size = max(x.shape[-2:])
    if size * size * x.dtype.itemsize > limit() and size > min(x.shape[-2:]):
        msg = (
            f"{what} of an array of shape {x.shape} has matrices of {size} x {size} elements, each in one chunk. "
            f"The reduced form, which has no more columns than the shorter side, is found by blocks."
        )
        raise UnsupportedError(msg)


def svdvals(x: Array) -> Array:
    """By blocks for tall and wide matrices, else of matrices in one chunk."""
    if x.ndim == 2 and (_is_tall(x) or _is_tall(x.T)):
        with complex_meta(x):
            return svdvals(_tall_qr(x if _is_tall(x) else _adjoint(x))[1])
    return _stacked("linalg.svdvals", x, "(m,n)->(k)", _real(x), sizes={"k": min(x.shape[-2:])})


def pinv(x: Array, *, rtol: Any = None) -> Array:
    """By singular vectors for matrices in several chunks, else of matrices in one chunk."""
    import dask.array as da

    if _by_blocks(x):
        u, s, vh = svd(x, full_matrices=False)
        keep = _is_large(s, rtol, x)
        inverse = da.where(keep, 1 / da.where(keep, s, 1), 0)
        return (_adjoint(vh) * inverse) @ _adjoint(u)
    return _stacked("linalg.pinv", x, "(m,n)->(n,m)", x.dtype, rtol=rtol)


def matrix_rank(x: Array, *, rtol: Any = None) -> Array:
    """By singular values for matrices in several chunks, else of matrices in one chunk."""
    import numpy as np

    if _by_blocks(x):
        return _is_large(svdvals(x), rtol, x).sum(dtype=np.int64)
    return _stacked("linalg.matrix_rank", x, "(m,n)->()", np.dtype(np.int64), rtol=rtol)


def _is_large(s: Array, rtol: Any, x: Array) -> Array:
    import numpy as np

    return s > s.max() * (max(x.shape) * np.finfo(s.dtype).eps if rtol is None else rtol)


# -- vectors -----------------------------------------------------------------------------------------------------------


def cross(x1: Array, x2: Array, *, axis: int = -1) -> Array:
    """Of vectors of three elements along an axis."""
    import dask.array as da

    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        msg = f"cross needs vectors of three elements, got the shapes {x1.shape} and {x2.shape}, axis {axis}"
        raise ValueError(msg)

    if axis >= 0 and x1.ndim != x2.ndim:
        msg = f"cross of arrays of {x1.ndim} and {x2.ndim} axes needs a negative axis, got {axis}"
        raise ValueError(msg)

    def turned(x: Array, by: int) -> Array:
        return da.roll(x, by, axis=axis)

    return turned(x1, -1) * turned(x2, -2) - turned(x1, -2) * turned(x2, -1)
