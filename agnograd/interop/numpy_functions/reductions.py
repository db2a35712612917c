"""Sums, extrema and other reductions, of all elements or of those that are not NaN."""

from __future__ import annotations

import builtins
import math
from typing import Any

from agnograd.core.array import Array
from agnograd.interop.numpy_functions.registry import Function, as_array, flat, given, masked, named


def _count(xp: Any, a: Any, where: Any, axis: Any, keepdims: bool) -> Any:
    there = xp.broadcast_to(as_array(xp, where), a.shape)
    return xp.sum(xp.astype(there, a.dtype), axis=axis, keepdims=keepdims)


@named("sum")
def _sum(
    xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None,
    where: Any = None,
) -> Any:  # fmt: skip
    total = xp.sum(masked(xp, a, where, 0), axis=axis, keepdims=keepdims, **given(dtype=dtype))
    return total if initial is None else total + initial


@named("prod")
def _prod(
    xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None,
    where: Any = None,
) -> Any:  # fmt: skip
    total = xp.prod(masked(xp, a, where, 1), axis=axis, keepdims=keepdims, **given(dtype=dtype))
    return total if initial is None else total * initial


def _extremum(name: str, two: str) -> Function:
    def extremum(
        xp: Any, a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None,
        where: Any = None,
    ) -> Any:  # fmt: skip
        if initial is None and where is not None and where is not True:
            msg = f"reduction operation {name} with where= needs initial=, the value of no elements"
            raise ValueError(msg)
        found = getattr(xp, name)(masked(xp, a, where, initial), axis=axis, keepdims=keepdims)
        return found if initial is None else getattr(xp, two)(found, initial)

    return extremum


_max = named("max", "amax")(_extremum("max", "maximum"))
_min = named("min", "amin")(_extremum("min", "minimum"))


@named("mean")
def _mean(
    xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = None
) -> Any:
    a = as_array(xp, a) if dtype is None else xp.astype(as_array(xp, a), dtype)
    if where is None or where is True:
        return xp.mean(a, axis=axis, keepdims=keepdims)
    return _sum(xp, a, axis, keepdims=keepdims, where=where) / _count(xp, a, where, axis, keepdims)


def _spread(name: str) -> Function:
    def spread(
        xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False,
        *, correction: Any = None,
    ) -> Any:  # fmt: skip
        a = as_array(xp, a) if dtype is None else xp.astype(as_array(xp, a), dtype)
        ddof = ddof if correction is None else correction
        return getattr(xp, name)(a, axis=axis, correction=ddof, keepdims=keepdims)

    return spread


_var, _std = (named(name)(_spread(name)) for name in ("var", "std"))


@named("ptp")
def _ptp(xp: Any, a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    return _max(xp, a, axis, keepdims=keepdims) - _min(xp, a, axis, keepdims=keepdims)


@named("average")
def _average(
    xp: Any, a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False
) -> Any:
    a = as_array(xp, a)
    if weights is None:
        weights = xp.ones_like(a)
    w = as_array(xp, weights)
    if w.shape != a.shape:
        if not isinstance(axis, int) or w.shape != (a.shape[axis],):
            msg = f"weights of shape {w.shape} for an array of shape {a.shape} need the one axis that they belong to"
            raise TypeError(msg)
        w = xp.reshape(w, tuple(n if i == axis % a.ndim else 1 for i, n in enumerate(a.shape)))
        w = xp.broadcast_to(w, a.shape)
    total = xp.sum(w, axis=axis, keepdims=keepdims)
    mean = xp.sum(a * w, axis=axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


@named("median")
def _median(
    xp: Any, a: Any, axis: int | None = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    a = as_array(xp, a)
    x = flat(xp, a) if axis is None else xp.moveaxis(a, axis, -1)
    n = x.shape[-1]
    ordered = xp.sort(x, axis=-1)
    middle = (ordered[..., (n - 1) // 2] + ordered[..., n // 2]) / 2
    middle = xp.where(xp.any(xp.isnan(x), axis=-1), math.nan, middle)
    if not keepdims:
        return middle
    return xp.reshape(middle, (1,) * a.ndim) if axis is None else xp.expand_dims(middle, axis=axis)


@named("cumsum")
def _cumsum(xp: Any, a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    x = flat(xp, a) if axis is None else as_array(xp, a)
    return xp.cumulative_sum(x, axis=axis or 0, **given(dtype=dtype))


@named("cumprod")
def _cumprod(xp: Any, a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    x = flat(xp, a) if axis is None else as_array(xp, a)
    return xp.cumulative_prod(x, axis=axis or 0, **given(dtype=dtype))


def _cumulative(name: str) -> Function:
    def cumulative(
        xp: Any, x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None,
        include_initial: bool = False,
    ) -> Any:  # fmt: skip
        return getattr(xp, name)(as_array(xp, x), include_initial=include_initial, **given(axis=axis, dtype=dtype))

    return cumulative


for _name in ("cumulative_sum", "cumulative_prod"):
    named(_name)(_cumulative(_name))


def _without_nan(base: Function, neutral: Any) -> Function:
    """A reduction of what is not NaN, for reductions to which `neutral` adds nothing."""

    def reduction(xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        a = as_array(xp, a)
        return base(xp, xp.where(xp.isnan(a), neutral, a), axis, dtype, **options)

    return reduction


for _name, _base, _neutral in (("sum", _sum, 0), ("prod", _prod, 1), ("cumsum", _cumsum, 0), ("cumprod", _cumprod, 1)):
    named(f"nan{_name}")(_without_nan(_base, _neutral))


def _nan_extremum(base: Function, neutral: float) -> Function:
    def extremum(xp: Any, a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        a = as_array(xp, a)
        found = base(xp, xp.where(xp.isnan(a), neutral, a), axis, keepdims=keepdims)
        return xp.where(xp.all(xp.isnan(a), axis=axis, keepdims=keepdims), math.nan, found)

    return extremum


named("nanmax")(_nan_extremum(_max, -math.inf))
named("nanmin")(_nan_extremum(_min, math.inf))


@named("nanmean")
def _nanmean(xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    a = as_array(xp, a)
    return _mean(xp, xp.where(xp.isnan(a), 0, a), axis, dtype, None, keepdims, where=~xp.isnan(a))


@named("nanvar")
def _nanvar(
    xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False
) -> Any:
    a = as_array(xp, a)
    missing = xp.isnan(a)
    distance = xp.abs(xp.where(missing, 0, a - _nanmean(xp, a, axis, dtype, keepdims=True)))
    n = _count(xp, distance, ~missing, axis, keepdims)
    return xp.sum(distance * distance, axis=axis, keepdims=keepdims) / (n - ddof)


@named("nanstd")
def _nanstd(
    xp: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False
) -> Any:
    return xp.sqrt(_nanvar(xp, a, axis, dtype, None, ddof, keepdims))


@named("quantile")
def _quantile(
    xp: Any, a: Any, q: Any, axis: int | None = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: bool = False,
) -> Any:  # fmt: skip
    if method != "linear" or isinstance(q, Array):
        raise NotImplementedError
    a = as_array(xp, a)
    x = flat(xp, a) if axis is None else xp.moveaxis(a, axis, -1)
    last = x.shape[-1] - 1
    ordered = xp.sort(x, axis=-1)
    missing = xp.any(xp.isnan(x), axis=-1)

    def at(q: Any) -> Any:
        if hasattr(q, "__len__"):
            return xp.stack([at(one) for one in q])
        if not 0 <= q <= 1:
            msg = f"quantiles must be in the range [0, 1], got {q}"
            raise ValueError(msg)
        place = float(q) * last
        i = math.floor(place)
        low, high = ordered[..., i], ordered[..., builtins.min(i + 1, last)]
        value = xp.where(missing, math.nan, low + (high - low) * (place - i))
        if not keepdims:
            return value
        return xp.reshape(value, (1,) * a.ndim) if axis is None else xp.expand_dims(value, axis=axis)

    return at(q.tolist() if hasattr(q, "tolist") else q)


@named("percentile")
def _percentile(xp: Any, a: Any, q: Any, *args: Any, **options: Any) -> Any:
    def hundredth(q: Any) -> Any:
        return [hundredth(one) for one in q] if hasattr(q, "__len__") else q / 100

    return _quantile(xp, a, hundredth(q.tolist() if hasattr(q, "tolist") else q), *args, **options)


@named("cov")
def _cov(xp: Any, m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: float | None = None) -> Any:
    rows = []
    for x in (m, y):
        if x is not None:
            x = as_array(xp, x)
            x = xp.reshape(x, (1, -1)) if x.ndim < 2 else x
            rows.append(x if rowvar or x.shape[0] == 1 else xp.matrix_transpose(x))
    x = rows[0] if y is None else xp.concat(rows, axis=0)
    n = x.shape[1]
    x = x - xp.mean(x, axis=1, keepdims=True)
    c = xp.matmul(x, xp.conj(xp.matrix_transpose(x))) / (n - ((0 if bias else 1) if ddof is None else ddof))
    return c[0, 0] if c.shape == (1, 1) else c


@named("corrcoef")
def _corrcoef(xp: Any, x: Any, y: Any = None, rowvar: bool = True) -> Any:
    c = _cov(xp, x, y, rowvar)
    if not c.ndim:
        return c / c
    deviation = xp.sqrt(xp.real(xp.linalg.diagonal(c)))
    return c / deviation[:, None] / deviation[None, :]
