"""Functions of elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from agnograd.interop.numpy_functions.registry import as_array, named


@named("clip")
def _clip(
    xp: Any, a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None, max: Any = None
) -> Any:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    a = as_array(xp, a)
    if low is not None:
        a = xp.where(a < low, low, a)
    return a if high is None else xp.where(a > high, high, a)


@named("where")
def _where(xp: Any, condition: Any, x: Any = None, y: Any = None, /) -> Any:
    condition = as_array(xp, condition)
    if x is None and y is None:
        return xp.nonzero(condition)
    if not xp.isdtype(condition.dtype, "bool"):
        condition = condition != 0
    return xp.where(condition, *(v if isinstance(v, (int, float, complex)) else as_array(xp, v) for v in (x, y)))


@named("select")
def _select(xp: Any, condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    chosen = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        chosen = _where(xp, condition, choice, chosen)
    return chosen


@named("round", "around")
def _round(xp: Any, a: Any, decimals: int = 0, out: Any = None) -> Any:
    a = as_array(xp, a)
    return xp.round(a) if not decimals else xp.round(a * 10.0**decimals) / 10.0**decimals


@named("fix")
def _fix(xp: Any, x: Any, out: Any = None) -> Any:
    return xp.trunc(as_array(xp, x))


@named("real")
def _real(xp: Any, val: Any) -> Any:
    return xp.real(as_array(xp, val))


@named("imag")
def _imag(xp: Any, val: Any) -> Any:
    val = as_array(xp, val)
    return xp.imag(val) if xp.isdtype(val.dtype, "complex floating") else xp.zeros_like(val)


@named("angle")
def _angle(xp: Any, z: Any, deg: bool = False) -> Any:
    phase = xp.atan2(_imag(xp, z), _real(xp, z))
    return phase * (180 / math.pi) if deg else phase


@named("nan_to_num")
def _nan_to_num(
    xp: Any, x: Any, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    if not copy:  # it would write into `x`
        raise NotImplementedError
    x = as_array(xp, x)
    if xp.isdtype(x.dtype, "complex floating"):
        parts = [_nan_to_num(xp, part(x), copy, nan, posinf, neginf) for part in (xp.real, xp.imag)]
        return parts[0] + 1j * parts[1]
    most = xp.finfo(x.dtype).max
    x = xp.where(xp.isnan(x), nan, x)
    x = xp.where(x == math.inf, most if posinf is None else posinf, x)
    return xp.where(x == -math.inf, -most if neginf is None else neginf, x)


@named("interp")
def _interp(xp: Any, x: Any, points: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """Piecewise linear; between two points the derivative is the slope, at a point that of the interval above it."""
    x, points, fp = (as_array(xp, v) for v in (x, points, fp))
    last = points.shape[0] - 1
    above = xp.searchsorted(points, x, side="right")
    i = xp.clip(above - 1, 0, max(last - 1, 0))
    j = xp.clip(i + 1, 0, last)

    def at(values: Any, index: Any) -> Any:
        return xp.reshape(xp.take(values, xp.reshape(index, (-1,)), axis=0), index.shape)

    x0, y0, x1, y1 = (at(values, index) for values, index in ((points, i), (fp, i), (points, j), (fp, j)))
    width = xp.where(x1 == x0, 1, x1 - x0)
    out = y0 + (y1 - y0) * ((x - x0) / width)
    out = xp.where(x < points[0], fp[0] if left is None else left, out)
    return xp.where(x > points[last], fp[last] if right is None else right, xp.where(x == points[last], fp[last], out))


@named("polyval")
def _polyval(xp: Any, p: Any, x: Any) -> Any:
    p, x = as_array(xp, p), as_array(xp, x)
    value = xp.zeros_like(x)
    for i in range(p.shape[0]):
        value = value * x + p[i]
    return value


@named("vander")
def _vander(xp: Any, x: Any, N: int | None = None, increasing: bool = False) -> Any:  # noqa: N803 - NumPy's name
    x = as_array(xp, x)
    powers = range(x.shape[0] if N is None else N)
    return xp.stack([x**k for k in (powers if increasing else reversed(powers))], axis=-1)


@named("unwrap")
def _unwrap(xp: Any, p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
    # What is added is constant in steps: the derivative is that of the phase itself.
    p = as_array(xp, p)
    if not xp.isdtype(p.dtype, "real floating"):
        raise NotImplementedError
    step = xp.diff(p, axis=axis)
    wrapped = xp.remainder(step + period / 2, period) - period / 2
    wrapped = xp.where((wrapped == -period / 2) & (step > 0), period / 2, wrapped)
    most = period / 2 if discont is None else discont
    added = xp.where(xp.abs(step) < most, 0, wrapped - step)
    return p + xp.cumulative_sum(added, axis=axis, include_initial=True)
