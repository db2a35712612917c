"""What many rules have in common, in names of the standard only; and the samples that many operations share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from agnograd.core.sample import Sample, Uniform

Array = Any
Axis = int | tuple[int, ...] | None

Complex: Uniform = Uniform(kind="complex")


def is_complex(xp: Any, x: Array) -> bool:
    """Whether the dtype is complex."""
    return x.dtype not in xp.reals


def as_array(xp: Any, x: Any, like: Array) -> Array:
    """A Python scalar as an array of the shape, dtype and device of `like`; an array as it is."""
    return xp.full_like(like, x) if isinstance(x, (int, float, complex)) else x


def nonzero(xp: Any, x: Array) -> Array:
    """`x` with ones in place of zeros: a denominator that is safe where another rule masks the quotient."""
    return xp.where(x == 0, 1, x)


def ratio(xp: Any, x: Array, y: Array) -> Array:
    """``x / y``, and 0 where y is 0: to any order, which a safe denominator alone would not be."""
    if is_complex(xp, x):
        # By an infinity, libraries divide complex numbers in their own ways.
        return xp.where(y == 0, 0, x / nonzero(xp, y))
    return x / xp.where(y == 0, math.inf, y)


def sign(xp: Any, x: Array) -> Array:
    """X / abs(x), and 0 at 0; `xp.sign` synchronises a GPU on some backends."""
    if is_complex(xp, x):
        return ratio(xp, x, xp.abs(x))
    return xp.astype(x > 0, x.dtype) - xp.astype(x < 0, x.dtype)


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes of a reduction, not negative and in order."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(sorted(a % ndim for a in ((axis,) if isinstance(axis, int) else axis)))


def kept(shape: Sequence[int], axis: Axis) -> tuple[int, ...]:
    """The shape of a reduction with ``keepdims=True``."""
    reduced = axes_of(axis, len(shape))
    return tuple(1 if i in reduced else n for i, n in enumerate(shape))


def keepdims_of(xp: Any, g: Array, shape: Sequence[int], axis: Axis) -> Array:
    """A reduction's output with its reduced axes put back, of size one."""
    full = kept(shape, axis)
    return g if g.shape == full else xp.reshape(g, full)


def expand(xp: Any, g: Array, shape: Sequence[int], axis: Axis) -> Array:
    """A reduction's output repeated to the shape of its input."""
    return xp.broadcast_to(keepdims_of(xp, g, shape, axis) if g.shape else g, shape)


def count(shape: Sequence[int | None], axis: Axis) -> float:
    """Number of elements that a reduction combines; NaN where a size is not known."""
    if axis is None and None not in shape:
        return math.prod(shape)  # type: ignore[arg-type]
    total: float = 1
    for a in axes_of(axis, len(shape)):
        n = shape[a]
        total *= math.nan if n is None else n
    return total


def elements(g: Array, shape: Any, axis: Axis) -> Any:
    """The same beside a cotangent; an array where the backend has to count them, which its shapes can."""
    total = count(shape, axis)
    return shape.elements(axes_of(axis, len(shape)), g.dtype) if math.isnan(total) else total


def broadcast_shapes(*shapes: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The shape to which shapes broadcast; None stands for an unknown size."""
    ndim = max((len(s) for s in shapes), default=0)
    out: list[int | None] = [1] * ndim
    for shape in shapes:
        for i, n in enumerate(shape, ndim - len(shape)):
            if out[i] == 1:
                out[i] = n
            elif n not in (1, out[i]):
                if n is None or out[i] is None:
                    out[i] = n if out[i] is None else out[i]
                    continue
                msg = f"shapes {', '.join(map(str, shapes))} do not broadcast: axis {i} has sizes {out[i]} and {n}"
                raise ValueError(msg)
    return tuple(out)


# -- samples ---------------------------------------------------------------------------------------------------------


def unary(low: float = -2.0, high: float = 2.0, *, complex_: bool = True) -> list[Sample]:
    """Real and complex values in an interval; 0-d, empty and two-dimensional arrays."""
    real = [Sample((Uniform(low, high, shape),)) for shape in ((3,), (), (0,), (2, 3))]
    return [*real, Sample((Uniform(low, high, kind="complex"),))] if complex_ else real


def binary(low: float = -2.0, high: float = 2.0, *, complex_: bool = True) -> list[Sample]:
    """Equal shapes, broadcasting both ways, 0-d, empty, Python scalars; real, complex and one of each."""
    shapes = [((3,), (3,)), ((2, 1), (3,)), ((3,), (2, 3)), ((), (3,)), ((), ()), ((0,), ()), ((0, 1), (3,))]
    samples = [Sample((Uniform(low, high, a), Uniform(low, high, b))) for a, b in shapes]
    samples += [Sample((Uniform(low, high), 1.5)), Sample((1.5, Uniform(low, high)))]
    if complex_:
        z = Uniform(low, high, kind="complex")
        samples += [Sample((z, z)), Sample((z, Uniform(low, high))), Sample((Uniform(low, high, (2, 1)), z))]
    return samples


def edge(*arrays: Any, gradient: tuple[Any, ...] | None = None, **params: Any) -> Sample:
    """Values where the derivative is a convention."""
    return Sample(arrays, params, gradient)
