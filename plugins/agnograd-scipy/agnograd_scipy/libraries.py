"""SciPy's functions of matrices on NumPy's arrays, and matrix by matrix on dask, where nothing is computed.

Other backends run the bodies that are written in names of the standard. SciPy is imported when a function is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Array = Any
Body = Callable[..., Array]


def over_stacks(function: Body, arrays: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """A function of single matrices on stacks of them, which broadcast; `shape` is that of one result."""
    import numpy as np

    lead = np.broadcast_shapes(*[x.shape[:-2] for x in arrays])
    if not lead:
        return function(*arrays)
    spread = [np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in arrays]
    found = [function(*[x[index] for x in spread]) for index in np.ndindex(*lead)]
    if not found:
        return np.empty((*lead, *shape), np.result_type(*arrays))
    return np.stack(found).reshape((*lead, *shape))


def _of_system(a: Array, b: Array, function: Body) -> Array:
    """What is solved for a stack of right-hand sides, or a vector."""
    if b.ndim == 1:
        return _of_system(a, b[:, None], function)[..., 0]
    return over_stacks(function, (a, b), b.shape[-2:])


def solve_triangular(a: Array, b: Array, **options: Any) -> Array:
    """SciPy's, on stacks."""
    import scipy.linalg

    return _of_system(a, b, lambda a, b: scipy.linalg.solve_triangular(a, b, check_finite=False, **options))


def solve_banded(ab: Array, b: Array, *, l_and_u: tuple[int, int]) -> Array:
    """SciPy's, on stacks."""
    import scipy.linalg

    return _of_system(ab, b, lambda ab, b: scipy.linalg.solve_banded(l_and_u, ab, b, check_finite=False))


def solve_sylvester(a: Array, b: Array, q: Array) -> Array:
    """SciPy's, on stacks and in the precision of the arguments."""
    import numpy as np
    import scipy.linalg

    dtype = np.result_type(a, b, q)
    out = over_stacks(scipy.linalg.solve_sylvester, (a, b, q), q.shape[-2:])
    return out.astype(dtype, copy=False)


def expm(a: Array) -> Array:
    """SciPy's, which takes stacks."""
    import scipy.linalg

    return scipy.linalg.expm(a)


def sqrtm(a: Array) -> Array:
    """SciPy's, on stacks.

    Raises
    ------
    UnsupportedError
        If the root of a real matrix is complex.
    """
    import numpy as np
    import scipy.linalg
    from agnograd.errors import UnsupportedError

    out = over_stacks(scipy.linalg.sqrtm, (a,), a.shape[-2:])
    if a.dtype.kind != "c" and out.dtype.kind == "c":
        if np.any(out.imag):
            msg = (
                f"scipy.linalg.sqrtm of a real matrix ({a.dtype}, shape {a.shape}) whose principal root is complex: it "
                f"has negative eigenvalues. Make it complex first, xp.astype(a, xp.complex128)."
            )
            raise UnsupportedError(msg)
        out = out.real
    return out.astype(a.dtype, copy=False)


# The function on NumPy, and for dask the axes of its arguments and its result.
FUNCTIONS: dict[str, tuple[Body, str]] = {
    "scipy.linalg.solve_triangular": (solve_triangular, "(i,i),(i,k)->(i,k)"),
    "scipy.linalg.solve_banded": (solve_banded, "(r,i),(i,k)->(i,k)"),
    "scipy.linalg.solve_sylvester": (solve_sylvester, "(i,i),(k,k),(i,k)->(i,k)"),
    "scipy.linalg.expm": (expm, "(i,i)->(i,i)"),
    "scipy.linalg.sqrtm": (sqrtm, "(i,i)->(i,i)"),
}


def in_blocks(function: Body, signature: str) -> Body:
    """The same on dask's arrays: every matrix in one chunk, in a task that calls it when something is computed."""

    def body(*arrays: Array, **options: Any) -> Array:
        import dask.array as da
        import numpy as np

        last = arrays[-1]
        if last.ndim == 1:
            return body(*arrays[:-1], last[:, None], **options)[..., 0]
        dtype = np.result_type(*[x.dtype for x in arrays])
        lead = np.broadcast_shapes(*[x.shape[:-2] for x in arrays])
        if 0 in (*lead, *last.shape[-2:]):
            # No elements, so nothing to wait for.
            return da.asarray(np.empty((*lead, *last.shape[-2:]), dtype))
        return da.apply_gufunc(function, signature, *arrays, allow_rechunk=True, meta=np.empty((0,), dtype), **options)

    return body
