"""Interpolation, differentiable in points, knots and values: piecewise linear, and by cubic splines.

A point that coincides with a knot has the derivative of the interval to its right, which for a cubic spline is that of
the one to its left, too.
"""

from __future__ import annotations

import math
from typing import Any

from agnograd.hookspecs import Sample, Uniform, composite

Array = Any


def _checked(name: str, x: Array, knots: Array, values: Array) -> int:
    """The number of knots, if there are enough."""
    if len(knots.shape) != 1 or len(values.shape) < 1 or knots.shape[0] != values.shape[0] or knots.shape[0] < 2:
        msg = (
            f"{name} needs two knots or more in one axis and a value for each along the first axis of values, got the "
            f"shapes {tuple(knots.shape)} and {tuple(values.shape)}"
        )
        raise ValueError(msg)
    return int(knots.shape[0])


def _intervals(xp: Any, x: Array, knots: Array, n: int) -> Array:
    """For each point, flat, the number of its interval; those outside are in the first or the last."""
    flat = xp.reshape(x, (-1,))
    found = xp.searchsorted(knots, flat, side="right") - 1
    return xp.maximum(xp.minimum(found, n - 2), 0)


def _spread(x: Array, like: Array) -> Array:
    """Axes of size one for those that values have beyond the first."""
    return x[(slice(None), *(None,) * (len(like.shape) - 1))]


def _interp(xp: Any, x: Array, knots: Array, values: Array, left: Any = None, right: Any = None) -> Array:
    n = _checked("interp", x, knots, values)
    i = _intervals(xp, x, knots, n)
    flat = xp.reshape(x, (-1,))
    x0, x1 = xp.take(knots, i, axis=0), xp.take(knots, i + 1, axis=0)
    y0, y1 = xp.take(values, i, axis=0), xp.take(values, i + 1, axis=0)
    out = y0 + _spread((flat - x0) / (x1 - x0), values) * (y1 - y0)
    out = xp.where(_spread(flat < knots[0], values), values[0, ...] if left is None else left, out)
    out = xp.where(_spread(flat > knots[-1], values), values[-1, ...] if right is None else right, out)
    return xp.reshape(out, (*x.shape, *values.shape[1:]))


_KNOTS = [0.0, 0.7, 1.6, 2.0, 3.1]
_INSIDE = Uniform(0.1, 3.0, (4,))

interp = composite(
    "scipy.interpolate.interp(x, knots, values, left=None, right=None)",
    arrays=["x", "knots", "values"],
    body=_interp,
    doc="numpy.interp: linear between knots that increase, and constant outside, or left and right there",
    samples=[
        Sample((_INSIDE, _KNOTS, Uniform(shape=(5,)))),
        Sample((Uniform(-1.0, 4.0, (2, 3)), _KNOTS, Uniform(shape=(5,)))),
        Sample((Uniform(-1.0, 4.0, (5,)), _KNOTS, Uniform(shape=(5,))), {"left": 0.5, "right": -0.5}),
        Sample((_INSIDE, _KNOTS, Uniform(shape=(5, 2)))),
        Sample((_INSIDE, _KNOTS, Uniform(shape=(5,), kind="complex"))),
        Sample((Uniform(0.1, 0.9, ()), [0.0, 1.0], Uniform(shape=(2,)))),
    ],
)


# -- cubic splines -----------------------------------------------------------------------------------------------------


def _slopes(xp: Any, h: Array, slope: Array, n: int, bc_type: str) -> Array:
    """The spline's derivatives at the knots, from a tridiagonal system.

    C. de Boor, *A Practical Guide to Splines* (1978), chapter IV.
    """
    if n == 2 and bc_type == "not-a-knot":
        return xp.concat([slope, slope], axis=0)
    w = _spread(h, slope)
    one = xp.ones_like(h[:1])
    none = xp.zeros_like(one)
    if bc_type == "clamped":
        ends = (one, none, xp.zeros_like(slope[:1, ...])), (one, none, xp.zeros_like(slope[:1, ...]))
    elif bc_type == "natural":
        ends = (2 * one, one, 3 * slope[:1, ...]), (2 * one, one, 3 * slope[-1:, ...])
    elif n == 3:
        # Both conditions are one: a parabola through three points.
        ends = (one, one, 2 * slope[:1, ...]), (one, one, 2 * slope[-1:, ...])
    else:
        first, last = h[:1] + h[1:2], h[-1:] + h[-2:-1]
        d, e = _spread(first, slope), _spread(last, slope)
        w0, w1, v0, v1 = w[:1, ...], w[1:2, ...], w[-1:, ...], w[-2:-1, ...]
        ends = (
            (h[1:2], first, ((w0 + 2 * d) * w1 * slope[:1, ...] + w0 * w0 * slope[1:2, ...]) / d),
            (h[-2:-1], last, ((v0 + 2 * e) * v1 * slope[-1:, ...] + v0 * v0 * slope[-2:-1, ...]) / e),
        )
    (main0, upper0, b0), (main1, lower1, b1) = ends
    inner = 3 * (w[1:, ...] * slope[:-1, ...] + w[:-1, ...] * slope[1:, ...])
    upper = xp.concat([none, upper0, h[:-1]])
    main = xp.concat([main0, 2 * (h[:-1] + h[1:]), main1])
    lower = xp.concat([h[1:], lower1, none])
    right = xp.concat([b0, inner, b1], axis=0)
    flat = xp.reshape(right, (n, math.prod(right.shape[1:])))
    found = xp.scipy.linalg.solve_banded(xp.stack([upper, main, lower]), flat, l_and_u=(1, 1))
    return xp.reshape(found, right.shape)


_CONDITIONS = ("not-a-knot", "natural", "clamped")


def _cubic_spline(
    xp: Any,
    x: Array,
    knots: Array,
    values: Array,
    bc_type: str = "not-a-knot",
    nu: int = 0,
    extrapolate: bool = True,
) -> Array:
    n = _checked("cubic_spline", x, knots, values)
    if bc_type not in _CONDITIONS or nu not in range(4):
        msg = f"bc_type is one of {_CONDITIONS} and nu a derivative from 0 to 3, got {bc_type!r} and {nu!r}"
        raise ValueError(msg)
    h = knots[1:] - knots[:-1]
    slope = (values[1:, ...] - values[:-1, ...]) / _spread(h, values)
    s = _slopes(xp, h, slope, n, bc_type)
    i = _intervals(xp, x, knots, n)
    flat = xp.reshape(x, (-1,))
    t = _spread(flat - xp.take(knots, i, axis=0), values)
    step, d = _spread(xp.take(h, i, axis=0), values), xp.take(slope, i, axis=0)
    s0, s1 = xp.take(s, i, axis=0), xp.take(s, i + 1, axis=0)
    c2, c3 = (3 * d - 2 * s0 - s1) / step, (s0 + s1 - 2 * d) / (step * step)
    if nu == 0:
        out = xp.take(values, i, axis=0) + t * (s0 + t * (c2 + t * c3))
    elif nu == 1:
        out = s0 + t * (2 * c2 + t * (3 * c3))
    else:
        out = 2 * c2 + t * (6 * c3) if nu == 2 else 6 * c3 + 0 * t
    if not extrapolate:
        outside = _spread((flat < knots[0]) | (flat > knots[-1]), values)
        out = xp.where(outside, math.nan, out)
    return xp.reshape(out, (*x.shape, *values.shape[1:]))


cubic_spline = composite(
    "scipy.interpolate.cubic_spline(x, knots, values, bc_type='not-a-knot', nu=0, extrapolate=True)",
    arrays=["x", "knots", "values"],
    body=_cubic_spline,
    doc="scipy.interpolate.CubicSpline(knots, values, bc_type=bc_type)(x, nu): twice differentiable through all values",
    samples=[
        Sample((_INSIDE, _KNOTS, Uniform(shape=(5,)))),
        Sample((_INSIDE, _KNOTS, Uniform(shape=(5,))), {"bc_type": "natural"}),
        Sample((Uniform(-1.0, 4.0, (2, 3)), _KNOTS, Uniform(shape=(5,))), {"bc_type": "clamped"}),
        Sample((_INSIDE, _KNOTS, Uniform(shape=(5, 2))), {"bc_type": "not-a-knot", "nu": 1}),
        Sample((_INSIDE, _KNOTS, Uniform(shape=(5,))), {"bc_type": "natural", "nu": 2}),
        Sample((_INSIDE, _KNOTS, Uniform(shape=(5,))), {"bc_type": "clamped", "nu": 3}),
        Sample((_INSIDE, _KNOTS, Uniform(shape=(5,), kind="complex"))),
        Sample((Uniform(0.1, 0.9, ()), [0.0, 1.0], Uniform(shape=(2,)))),
        Sample((Uniform(0.1, 1.9, (3,)), [0.0, 0.8, 2.0], Uniform(shape=(3,)))),
        Sample((Uniform(0.1, 0.9, (3,)), [0.0, 1.0], Uniform(shape=(2,))), {"bc_type": "natural"}),
    ],
)
