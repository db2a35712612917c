"""Functions that dask.array lacks or gets wrong, made of what it has."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from agnograd.backends import (
    dask_devices,
    dask_indexing,
    dask_matrices,
    dask_missing,
    dask_sizes,
    dask_writing,
    repairs,
)
from agnograd.backends.dask_blocks import gather
from agnograd.backends.dask_devices import beside, with_meta

Array = Any


def kernels() -> dict[str, Callable[..., Any]]:
    """All of them, those of the other modules too."""
    import array_api_compat.dask.array as xp
    import dask.array as da
    import numpy as np

    from agnograd.backends import dask_cotangents, dask_embedding, dask_sums

    def searchsorted(x1: Array, x2: Array, *, side: str = "left", sorter: Array | None = None) -> Array:
        if sorter is not None:
            x1 = da.take(x1, getattr(sorter, "array", sorter))
        if not hasattr(x2, "dask"):
            return da.searchsorted(x1, da.asarray([x2]), side=side)[0]
        return da.searchsorted(x1, x2, side=side)

    def where(condition: Array, x1: Any, x2: Any) -> Array:
        return da.where(condition, x1, x2)

    def triangle(x: Array, keep: Callable[[Array, Array], Array]) -> Array:
        # da.tril makes the indices of a complex matrix complex.
        rows, columns = (beside(x, da.arange(n, chunks=(c,))) for n, c in zip(x.shape[-2:], x.chunks[-2:], strict=True))
        return da.where(keep(rows[:, None], columns[None, :]), x, x.dtype.type(0))

    def tril(x: Array, *, k: int = 0) -> Array:
        return triangle(x, lambda i, j: j - i <= k)

    def triu(x: Array, *, k: int = 0) -> Array:
        return triangle(x, lambda i, j: j - i >= k)

    def extremum(name: str) -> Callable[..., Array]:
        function, whole = getattr(xp, name), getattr(np, name)
        of_elements = name in ("max", "min")

        def run(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
            if 0 in x.shape:
                # Dask looks into each chunk first, where nothing is; nor is there anything to wait for.
                return da.asarray(whole(np.empty(x.shape, x.dtype), axis=axis, keepdims=keepdims))
            if name in {"max", "min"} and dask_sizes.is_unknown(x.shape):
                return dask_missing.extremum_of_unknown(x, name, axis, keepdims)
            axes = dask_sums.reduced_axes(axis, x.ndim)
            if of_elements and axes and all(x.numblocks[a] == 1 for a in axes):
                return dask_sums.one_chunk(_extremum_block, x, axes, x.dtype, keepdims, of=name)
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

    def arranged(name: str) -> Callable[..., Array]:
        def run(x: Array, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
            # As array-api-compat has it, whose tasks hold functions that plain pickle cannot find again.
            cut = x.ndim > 0 and x.numblocks[axis] > 1
            whole = gather(x, (axis,), name, split=True) if cut else x
            dtype = x.dtype if name == "sort" else np.dtype(np.intp)
            meta = whole._meta.astype(dtype)
            return whole.map_blocks(_arrange_block, name, axis, descending, stable, dtype=dtype, meta=meta)

        return run

    def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
        return da.from_array(np.from_dlpack(x, device=device, copy=copy))

    bodies = {
        "searchsorted": searchsorted,
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
        **{name: arranged(name) for name in ("sort", "argsort")},
        "pow": operator.pow,
        **dask_indexing.kernels(),
        **dask_sums.kernels(),
        **dask_embedding.kernels(),
        **_fourier(),
        **dask_matrices.kernels(),
        **dask_writing.kernels(),
        **dask_missing.kernels(),
    }
    bodies |= dask_devices.kernels(bodies)
    return bodies | dask_cotangents.aware(bodies, xp)


def _fourier() -> dict[str, Callable[..., Any]]:
    """Transforms over axes that are in several chunks, which dask refuses: those axes are put into one."""
    import array_api_compat.dask.array.fft as transforms

    def one_axis(name: str) -> Callable[..., Array]:
        transform = getattr(transforms, name)

        def run(x: Array, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
            return with_meta(x, transform(gather(x, (axis,), name, split=True), n=n, axis=axis, norm=norm))

        return run

    def several_axes(name: str) -> Callable[..., Array]:
        transform = getattr(transforms, name)

        def run(x: Array, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Array:
            axes = range(0 if s is None else x.ndim - len(s), x.ndim) if axes is None else axes
            return with_meta(x, transform(gather(x, tuple(axes), name, split=True), s=s, axes=tuple(axes), norm=norm))

        return run

    singles = {f"fft.{name}": one_axis(name) for name in ("fft", "ifft", "rfft", "irfft")}
    return singles | {f"fft.{name}": several_axes(name) for name in ("fftn", "ifftn", "rfftn", "irfftn")}


def _arrange_block(x: Any, name: str, axis: int, descending: bool, stable: bool) -> Any:
    from array_api_compat import array_namespace

    return getattr(array_namespace(x), name)(x, axis=axis, descending=descending, stable=stable)


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


def _extremum_block(x: Any, *, axes: tuple[int, ...], keepdims: bool, of: str) -> Any:
    from agnograd.backends.dask_sums import only_block

    return getattr(only_block(x), of)(axis=axes, keepdims=keepdims)
