"""dask.array: data larger than memory, computed only when asked."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable
from typing import Any

from agnograd.backends import dask_indexing, dask_matrices, repairs
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
    import array_api_compat.dask.array as xp
    import dask.array as da
    import numpy as np

    def searchsorted(x1: Array, x2: Array, *, side: str = "left", sorter: Array | None = None) -> Array:
        if sorter is not None:
            x1 = da.take(x1, getattr(sorter, "array", sorter))
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

    def triangle(x: Array, keep: Callable[[Array, Array], Array]) -> Array:
        # da.tril makes the indices of a complex matrix complex.
        rows = da.arange(x.shape[-2], chunks=(x.chunks[-2],))
        columns = da.arange(x.shape[-1], chunks=(x.chunks[-1],))
        return da.where(keep(rows[:, None], columns[None, :]), x, x.dtype.type(0))

    def tril(x: Array, *, k: int = 0) -> Array:
        return triangle(x, lambda i, j: j - i <= k)

    def triu(x: Array, *, k: int = 0) -> Array:
        return triangle(x, lambda i, j: j - i >= k)

    def extremum(name: str) -> Callable[..., Array]:
        function, whole = getattr(xp, name), getattr(np, name)

        def run(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
            if 0 in x.shape:
                # Dask looks into each chunk first, where nothing is; nor is there anything to wait for.
                return da.asarray(whole(np.empty(x.shape, x.dtype), axis=axis, keepdims=keepdims))
            return function(x, axis=axis, keepdims=keepdims)

        return run

    def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Array:
        # Dask's own loses chunks where rows and columns differ in number.
        on_diagonal = da.arange(n_rows)[:, None] + k == da.arange(n_rows if n_cols is None else n_cols)[None, :]
        return on_diagonal.astype(np.float64 if dtype is None else dtype)

    def linspace(
        start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
    ) -> Array:
        # Dask computes each chunk from its own ends, which are rounded, and takes no complex numbers.
        given = np.result_type(np.float64, type(start), type(stop)) if dtype is None else np.dtype(dtype)
        return da.arange(num).map_blocks(
            _linspace_block, start, stop, num, endpoint, given, dtype=given, meta=np.empty((0,), given)
        )

    def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
        return da.from_array(np.from_dlpack(x, device=device, copy=copy))

    def matmul(x1: Array, x2: Array) -> Array:
        # Sums over chunks have the dtype of a sum, which for small integers is a larger one.
        return da.matmul(x1, x2).astype(np.result_type(x1.dtype, x2.dtype))

    def tensordot(x1: Array, x2: Array, *, axes: Any = 2) -> Array:
        return da.tensordot(x1, x2, axes=axes).astype(np.result_type(x1.dtype, x2.dtype))

    def contract(x1: Array, x2: Array, *, labels: tuple[str, str, str]) -> Array:
        # Chunk by chunk, without the reshapes of a matrix product. Any letter is a label here, dask takes 52.
        letters = dict(zip(dict.fromkeys("".join(labels)), string.ascii_letters, strict=False))
        in1, in2, out = ("".join(letters[a] for a in term) for term in labels)
        return da.einsum(f"{in1},{in2}->{out}", x1, x2)

    return {
        "contract": contract,
        "searchsorted": searchsorted,
        "scatter_add": scatter_add,
        "where": where,
        # array-api-compat divides by zero first and repairs the result.
        "sign": da.sign,
        **repairs.kernels(xp),
        "tril": tril,
        "triu": triu,
        **{name: extremum(name) for name in ("max", "min", "argmax", "argmin")},
        "eye": eye,
        "linspace": linspace,
        "from_dlpack": from_dlpack,
        "matmul": matmul,
        "tensordot": tensordot,
        **dask_indexing.kernels(),
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

    return {**dask_matrices.kernels(), "linalg.inv": inv, "linalg.solve": solve, "linalg.cross": cross}


def _broadcast(x: Array, batch: tuple[int, ...]) -> Array:
    import dask.array as da

    return da.broadcast_to(x, (*batch, *x.shape[-2:]))


def _linspace_block(indices: Any, start: Any, stop: Any, num: int, endpoint: bool, dtype: Any) -> Any:
    import numpy as np

    # As NumPy does it: where the step is too small for a float, the fractions are taken first.
    wide = np.result_type(np.float64, type(start), type(stop))
    start, stop, steps = wide.type(start), wide.type(stop), num - 1 if endpoint else num
    with np.errstate(all="ignore"):
        step = (stop - start) / steps if steps else stop - start
        out = indices * step if step != 0 else indices / max(steps, 1) * (stop - start)
        out = out + start
    if endpoint and num > 1:
        out = np.where(indices == num - 1, stop, out)
    return (np.floor(out) if np.issubdtype(dtype, np.integer) else out).astype(dtype)


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
