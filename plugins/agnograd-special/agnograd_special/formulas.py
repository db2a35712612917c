"""What the rules have in common, and the samples that many operations share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agnograd.hookspecs import Sample, Uniform

Array = Any


def is_complex(xp: Any, x: Array) -> bool:
    """Whether the dtype is complex."""
    return bool(xp.isdtype(x.dtype, "complex floating"))


def real_part(xp: Any, x: Array) -> Array:
    """The real part; a real array is its own."""
    return xp.real(x) if is_complex(xp, x) else x


def floating(xp: Any, x: Any, like: Array) -> Array:
    """A Python number or an array of integers as floating-point numbers of the precision of `like`."""
    if isinstance(x, (int, float, complex)):
        return xp.full_like(like, x)
    return xp.astype(x, like.dtype) if xp.isdtype(x.dtype, "integral") else x


def polynomial(coefficients: Iterable[float], x: Array) -> Array:
    """``c[0] + c[1] x + c[2] x^2 + ...`` by Horner's rule."""
    first, *rest = reversed(list(coefficients))
    out = x * 0 + first
    for c in rest:
        out = out * x + c
    return out


# -- samples -----------------------------------------------------------------------------------------------------------


def unary(low: float, high: float, *, complex_: bool = False) -> list[Sample]:
    """Values in an interval: one axis, none, and no elements; complex ones where SciPy has them."""
    real = [Sample((Uniform(low, high, shape),)) for shape in ((3,), (), (0,))]
    return [*real, Sample((Uniform(low, high, kind="complex"),))] if complex_ else real


def several(*ranges: tuple[float, float], parameters: bool = False) -> list[Sample]:
    """Arguments in an interval each: equal shapes, broadcasting, and each of them a Python number.

    Where all but the last are parameters without a derivative, the last is always an array.
    """
    count = len(ranges)
    drawn = [Sample(tuple(Uniform(*r, (3,) if i else first) for i, r in enumerate(ranges))) for first in ((3,), (2, 1))]
    middle = [(low + high) / 2 for low, high in ranges]
    numbers = [
        Sample(tuple(middle[i] if i == k else Uniform(*r) for i, r in enumerate(ranges)))
        for k in range(count - parameters)
    ]
    return [*drawn, *numbers]


def order(orders: Sequence[Any], low: float, high: float) -> list[Sample]:
    """An order that is a Python number, or an array of them, and an argument in an interval."""
    return [Sample((n, Uniform(low, high))) for n in orders]
