"""dask.array: data larger than memory, computed only when asked."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from agnograd.hookspecs import Backend, hookimpl

Array = Any


def to_host(x: Array) -> Array:
    """Compute the values."""
    import numpy as np

    return np.asarray(x.compute())


def copy(x: Array) -> Array:
    """An array of its own over the same graph: writes go to that object alone, nothing is computed or copied."""
    return x.copy()


def device(x: Array) -> str:
    """Dask's chunks live where they are computed; array-api-compat calls that the CPU."""
    return "cpu"


def describe(x: Array) -> str:
    """Shape, dtype and chunks; the values would have to be computed."""
    return f"shape={tuple(x.shape)}, dtype={x.dtype}, chunks={x.chunks}"


def kernels() -> dict[str, Callable[..., Any]]:
    """What dask.array lacks or gets wrong, from what it has."""
    import dask.array as da
    import numpy as np

    def searchsorted(x1: Array, x2: Array, *, side: str = "left", sorter: Array | None = None) -> Array:
        if sorter is not None:
            x1 = x1[sorter]
        if not hasattr(x2, "dask"):
            return da.searchsorted(x1, da.asarray([x2]), side=side)[0]
        return da.searchsorted(x1, x2, side=side)

    def scatter_add(x: Array, indices: Array, value: Array) -> Array:
        # One task: rows of one chunk each. Chunked scatters belong to the plan for data larger than memory.
        x, value = (a.rechunk({0: -1}) for a in (x, value))
        indices = indices.rechunk(-1)
        rest = tuple(range(1, x.ndim))
        value = value.rechunk({a: x.chunks[a] for a in rest})
        return da.blockwise(
            _scatter_block, (0, *rest), x, (0, *rest), indices, (x.ndim,), value, (x.ndim, *rest),
            dtype=x.dtype, concatenate=True, meta=np.empty((0,) * x.ndim, dtype=x.dtype),
        )  # fmt: skip

    def where(condition: Array, x1: Any, x2: Any) -> Array:
        return da.where(condition, x1, x2)

    def take(x: Array, indices: Array, *, axis: int | None = None) -> Array:
        with _complex_meta(x):
            return da.take(x, indices, axis=0 if axis is None else axis)

    def take_along_axis(x: Array, indices: Array, *, axis: int = -1) -> Array:
        # The array is put into one chunk along the axis; the indices keep theirs.
        a = axis % x.ndim
        x = x.rechunk({a: -1})
        out = tuple(range(x.ndim))
        return da.blockwise(
            _along_axis_block, out, x, tuple(x.ndim if i == a else i for i in out), indices, out, a, None,
            dtype=x.dtype, concatenate=True, meta=np.empty((0,) * x.ndim, dtype=x.dtype),
        )  # fmt: skip

    def repeat(x: Array, repeats: Any, *, axis: int | None = None) -> Array:
        if axis is None:
            x, axis = reshape(x, (-1,)), 0
        if 0 in x.shape and isinstance(repeats, int):
            return da.zeros([n * repeats if i == axis % x.ndim else n for i, n in enumerate(x.shape)], dtype=x.dtype)
        return da.repeat(x, repeats, axis=axis)

    def reshape(x: Array, shape: Any, *, copy: bool | None = None) -> Array:
        # Dask refuses most shapes of no elements.
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        known = math.prod(n for n in sizes if n != -1)
        if 0 in x.shape and sizes.count(-1) == (known != 0):
            return da.zeros([0 if n == -1 else n for n in sizes], dtype=x.dtype)
        return da.reshape(x.copy() if copy else x, sizes)

    def getitem(x: Array, key: Any) -> Array:
        with _complex_meta(x):
            return x[key]

    def triangle(x: Array, keep: Callable[[Array, Array], Array]) -> Array:
        # da.tril makes the indices of a complex matrix complex.
        rows = da.arange(x.shape[-2], chunks=(x.chunks[-2],))
        columns = da.arange(x.shape[-1], chunks=(x.chunks[-1],))
        return da.where(keep(rows[:, None], columns[None, :]), x, x.dtype.type(0))

    def tril(x: Array, *, k: int = 0) -> Array:
        return triangle(x, lambda i, j: j - i <= k)

    def triu(x: Array, *, k: int = 0) -> Array:
        return triangle(x, lambda i, j: j - i >= k)

    return {
        "searchsorted": searchsorted,
        "scatter_add": scatter_add,
        "where": where,
        # array-api-compat divides by zero first and repairs the result.
        "sign": da.sign,
        "take": take,
        "take_along_axis": take_along_axis,
        "repeat": repeat,
        "reshape": reshape,
        "getitem": getitem,
        "tril": tril,
        "triu": triu,
        **_fourier(),
        **_matrices(),
    }


def _fourier() -> dict[str, Callable[..., Any]]:
    """Transforms over axes that are in several chunks, which dask refuses: those axes are put into one."""
    import array_api_compat.dask.array.fft as transforms

    def one_axis(name: str) -> Callable[..., Array]:
        transform = getattr(transforms, name)

        def run(x: Array, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
            return transform(x.rechunk({axis % x.ndim: -1}), n=n, axis=axis, norm=norm)

        return run

    def several_axes(name: str) -> Callable[..., Array]:
        transform = getattr(transforms, name)

        def run(x: Array, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Array:
            axes = range(0 if s is None else x.ndim - len(s), x.ndim) if axes is None else axes
            return transform(x.rechunk({a % x.ndim: -1 for a in axes}), s=s, axes=tuple(axes), norm=norm)

        return run

    singles = {f"fft.{name}": one_axis(name) for name in ("fft", "ifft", "rfft", "irfft")}
    return singles | {f"fft.{name}": several_axes(name) for name in ("fftn", "ifftn", "rfftn", "irfftn")}


def _matrices() -> dict[str, Callable[..., Any]]:
    """Functions of matrices in one chunk each: dask has them for single matrices in square chunks, or not at all."""
    import dask.array as da
    import numpy as np

    def whole(x: Array) -> Array:
        return x.rechunk({x.ndim - 2: -1, x.ndim - 1: -1})

    def inv(x: Array) -> Array:
        return whole(x).map_blocks(np.linalg.inv, dtype=x.dtype, meta=np.empty((0,) * x.ndim, dtype=x.dtype))

    def solve(x1: Array, x2: Array) -> Array:
        if x2.ndim == 1:
            return solve(x1, x2[:, None])[..., 0]
        batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        # The columns of x2 keep their chunks.
        x1, x2 = whole(_broadcast(x1, batch)), _broadcast(x2, batch).rechunk({len(batch): -1})
        lead, dtype = tuple(range(len(batch))), np.result_type(x1.dtype, x2.dtype)
        i, j, k = (len(batch) + n for n in range(3))
        return da.blockwise(
            np.linalg.solve, (*lead, i, k), x1, (*lead, i, j), x2, (*lead, j, k),
            dtype=dtype, concatenate=True, meta=np.empty((0,) * x2.ndim, dtype=dtype),
        )  # fmt: skip

    def cross(x1: Array, x2: Array, *, axis: int = -1) -> Array:
        if x1.shape[axis] != 3 or x2.shape[axis] != 3:
            msg = f"cross needs vectors of three elements, got the shapes {x1.shape} and {x2.shape}, axis {axis}"
            raise ValueError(msg)

        if axis >= 0 and x1.ndim != x2.ndim:
            msg = f"cross of arrays of {x1.ndim} and {x2.ndim} axes needs a negative axis, got {axis}"
            raise ValueError(msg)

        def turned(x: Array, by: int) -> Array:
            return da.roll(x, by, axis=axis)

        return turned(x1, -1) * turned(x2, -2) - turned(x1, -2) * turned(x2, -1)

    return {"linalg.inv": inv, "linalg.solve": solve, "linalg.cross": cross}


def _broadcast(x: Array, batch: tuple[int, ...]) -> Array:
    import dask.array as da

    return da.broadcast_to(x, (*batch, *x.shape[-2:]))


@contextlib.contextmanager
def _complex_meta(x: Array) -> Iterator[None]:
    """Indexing a complex array by an array casts an empty one to integers, of which NumPy warns."""
    if x.dtype.kind != "c":
        yield
        return
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        yield


def _along_axis_block(x: Any, indices: Any, axis: int) -> Any:
    import numpy as np

    return np.take_along_axis(x, indices, axis)


def _scatter_block(x: Any, indices: Any, value: Any) -> Any:
    import numpy as np

    out = np.array(x)
    np.add.at(out, indices, value)
    return out


@hookimpl
def agnograd_backends() -> Iterable[Backend]:
    """Dask's description."""
    yield Backend(
        name="dask",
        namespace="array_api_compat.dask.array",
        array_types=("dask.array.core:Array",),
        requires=("dask", "dask.array"),
        extra="dask",
        lazy=True,
        to_host=to_host,
        copy=copy,
        device=device,
        describe=describe,
        kernels=kernels,
        doc="dask arrays: chunked, lazy, larger than memory",
        url="https://docs.dask.org/en/stable/array.html",
    )
