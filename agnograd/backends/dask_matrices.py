"""Functions of matrices on dask, each matrix in one chunk: dask has few of them, and those for single matrices.

Tall matrices in chunks of rows keep dask's own QR and singular value decomposition, which work by blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from agnograd.backends.dask_indexing import complex_meta

Array = Any


def kernels() -> dict[str, Callable[..., Any]]:
    """What dask lacks of ``linalg``, or has for single matrices only."""
    import dask.array as da
    import numpy as np

    def blocks(function: Callable[..., Any], x: Array, signature: str, *kinds: str, **sizes: int) -> Any:
        """NumPy's function on stacks of whole matrices; `kinds` says what dtype each output has."""
        real = x.dtype.type(0).real.dtype
        dtypes = {"same": x.dtype, "real": real, "complex": np.result_type(real, np.complex64), "index": np.dtype(int)}
        # Examples of the results: from dtypes alone dask casts one of `x`, and NumPy warns of it where that is complex.
        meta = tuple(np.empty((0,), dtypes[kind]) for kind in kinds)
        if 0 in x.shape:
            # No elements, so nothing to wait for; apply_gufunc divides by the sizes of chunks.
            found = function(np.empty(x.shape, x.dtype))
            return tuple(map(da.asarray, found)) if isinstance(found, tuple) else da.asarray(found)
        return da.apply_gufunc(
            function, signature, x, allow_rechunk=True, vectorize=False,
            meta=meta if len(meta) > 1 else meta[0], output_sizes=sizes,
        )  # fmt: skip

    def by_rows(x: Array) -> bool:
        return bool(x.ndim == 2 and len(x.chunks[0]) > 1 and len(x.chunks[1]) == 1 and x.shape[0] >= x.shape[1])

    def named(function: Callable[..., Any], items: Any) -> Any:
        """A tuple of the type that NumPy's function returns."""
        return type(function(np.eye(1)))(*items)

    def square(x: Array, name: str) -> Array:
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            msg = f"{name} needs square matrices, got the shape {x.shape}"
            raise ValueError(msg)
        return x

    def cholesky(x: Array, *, upper: bool = False) -> Array:
        # Dask returns the other triangle.
        return blocks(partial(np.linalg.cholesky, upper=upper), square(x, "cholesky"), "(n,n)->(n,n)", "same")

    def det(x: Array) -> Array:
        return blocks(np.linalg.det, square(x, "det"), "(n,n)->()", "same")

    def slogdet(x: Array) -> Any:
        return named(np.linalg.slogdet, blocks(_slogdet, square(x, "slogdet"), "(n,n)->(),()", "same", "real"))

    def eigh(x: Array) -> Any:
        return named(np.linalg.eigh, blocks(_eigh, square(x, "eigh"), "(n,n)->(n),(n,n)", "real", "same"))

    def eigvalsh(x: Array) -> Array:
        return blocks(np.linalg.eigvalsh, square(x, "eigvalsh"), "(n,n)->(n)", "real")

    def eig(x: Array) -> Any:
        return named(np.linalg.eig, blocks(_eig, square(x, "eig"), "(n,n)->(n),(n,n)", "complex", "complex"))

    def svd(x: Array, *, full_matrices: bool = True) -> Any:
        if by_rows(x) and not full_matrices:
            with complex_meta(x):
                return named(np.linalg.svd, da.linalg.svd(x))
        m, n = x.shape[-2:]
        k = min(m, n)
        outputs, sizes = ("(m,m),(k),(n,n)", {"k": k}) if full_matrices else ("(m,k),(k),(k,n)", {"k": k})
        function = partial(_svd, full_matrices=full_matrices)
        return named(np.linalg.svd, blocks(function, x, f"(m,n)->{outputs}", "same", "real", "same", **sizes))

    def svdvals(x: Array) -> Array:
        return blocks(_svdvals, x, "(m,n)->(k)", "real", k=min(x.shape[-2:]))

    def qr(x: Array, *, mode: str = "reduced") -> Any:
        if by_rows(x) and mode == "reduced":
            with complex_meta(x):
                return named(np.linalg.qr, da.linalg.qr(x))
        k = min(x.shape[-2:])
        outputs, sizes = ("(m,k),(k,n)", {"k": k}) if mode == "reduced" else ("(m,m),(m,n)", {})
        return named(np.linalg.qr, blocks(partial(_qr, mode=mode), x, f"(m,n)->{outputs}", "same", "same", **sizes))

    def pinv(x: Array, *, rtol: Any = None) -> Array:
        return blocks(partial(np.linalg.pinv, rtol=rtol), x, "(m,n)->(n,m)", "same")

    def matrix_rank(x: Array, *, rtol: Any = None) -> Array:
        return blocks(partial(np.linalg.matrix_rank, rtol=rtol), x, "(m,n)->()", "index")

    functions = [cholesky, det, slogdet, eigh, eigvalsh, eig, svd, svdvals, qr, pinv, matrix_rank]
    return {f"linalg.{function.__name__}": function for function in functions}


# Dask takes plain tuples only.


def _slogdet(x: Any) -> tuple[Any, ...]:
    import numpy as np

    return tuple(np.linalg.slogdet(x))


def _eigh(x: Any) -> tuple[Any, ...]:
    import numpy as np

    return tuple(np.linalg.eigh(x))


def _eig(x: Any) -> tuple[Any, ...]:
    import numpy as np

    # Real matrices whose eigenvalues are real give real ones.
    kind = np.result_type(x.dtype, np.complex64)
    return tuple(part.astype(kind) for part in np.linalg.eig(x))


def _svd(x: Any, *, full_matrices: bool) -> tuple[Any, ...]:
    import numpy as np

    return tuple(np.linalg.svd(x, full_matrices=full_matrices))


def _svdvals(x: Any) -> Any:
    import numpy as np

    return np.linalg.svd(x, compute_uv=False)


def _qr(x: Any, *, mode: Any) -> tuple[Any, ...]:
    import numpy as np

    return tuple(np.linalg.qr(x, mode=mode))
