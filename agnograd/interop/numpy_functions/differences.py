"""Differences, finite derivatives and integrals of sampled functions."""

from __future__ import annotations

from typing import Any

from agnograd.interop.numpy_functions.registry import as_array, flat, given, named


@named("trapezoid")
def _trapezoid(xp: Any, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = xp.moveaxis(as_array(xp, y), axis, -1)
    if x is not None:
        x = as_array(xp, x)
        dx = xp.diff(x if x.ndim == 1 else xp.moveaxis(x, axis, -1), axis=-1)
    return xp.sum(dx * (y[..., 1:] + y[..., :-1]) / 2, axis=-1)


@named("diff")
def _diff(xp: Any, a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    a = as_array(xp, a)
    thin = tuple(1 if i == axis % a.ndim else size for i, size in enumerate(a.shape))

    def edge(x: Any) -> Any:
        x = as_array(xp, x)
        return x if x.ndim else xp.broadcast_to(x, thin)

    ends = {name: edge(x) for name, x in given(prepend=prepend, append=append).items()}
    return xp.diff(a, axis=axis, n=n, **ends)


@named("ediff1d")
def _ediff1d(xp: Any, ary: Any) -> Any:
    return xp.diff(flat(xp, ary))


@named("gradient")
def _gradient(xp: Any, f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = as_array(xp, f)
    axes = range(f.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    steps = [1.0] * len(axes) if not varargs else list(varargs) * len(axes) if len(varargs) == 1 else varargs
    if edge_order != 1 or not all(isinstance(h, (int, float)) for h in steps) or len(steps) != len(axes):
        raise NotImplementedError
    out = tuple(_slope(xp, f, a % f.ndim, h) for a, h in zip(axes, steps, strict=True))
    return out[0] if len(out) == 1 else out


def _slope(xp: Any, f: Any, axis: int, step: float) -> Any:
    """Central differences, one-sided at both ends."""
    lead = (slice(None),) * axis

    def between(high: slice, low: slice, h: float) -> Any:
        return (f[(*lead, high, ...)] - f[(*lead, low, ...)]) / h

    first = between(slice(1, 2), slice(0, 1), step)
    last = between(slice(-1, None), slice(-2, -1), step)
    return xp.concat([first, between(slice(2, None), slice(None, -2), 2 * step), last], axis=axis)
