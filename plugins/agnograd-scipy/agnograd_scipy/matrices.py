"""What rules about matrices have in common: transposes, triangles, bands, vectors among stacks, batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agnograd.hookspecs import Uniform, batching

Array = Any

# Matrices that are well conditioned, a stack of them, and complex ones.
REAL = [[2.0, 0.3, -0.5], [0.4, 1.5, 0.2], [-0.3, 0.6, 2.5]]
STACK = [[[1.7, 0.4], [-0.3, 1.1]], [[2.3, -0.6], [0.2, 1.4]]]
COMPLEX = [[1.5 + 0.4j, 0.3 - 0.2j], [-0.4 + 0.1j, 1.2 - 0.5j]]
EMPTY = Uniform(shape=(0, 2, 2))


def adjoint(xp: Any, x: Array) -> Array:
    """The conjugate transpose."""
    return xp.conj(xp.matrix_transpose(x))


def offsets(xp: Any, like: Array, size: int) -> Array:
    """The column minus the row of each element of a square matrix."""
    index = xp.arange(size, device=xp.device(like))
    return index[None, :] - index[:, None]


def shifted(xp: Any, x: Array, by: int, axis: int) -> Array:
    """``y[j] = x[j + by]`` along an axis, and zero where there is none."""
    size = x.shape[axis]
    if by == 0:
        return x
    if abs(by) >= size:
        return xp.zeros_like(x)
    lead = (slice(None),) * (axis % len(x.shape))
    rest, gone = (slice(by, None), slice(None, by)) if by > 0 else (slice(None, by), slice(by, None))
    parts = [x[(*lead, rest, ...)], xp.zeros_like(x[(*lead, gone, ...)])]
    return xp.concat(parts if by > 0 else parts[::-1], axis=axis)


def columns(x: Array, vector: bool) -> Array:
    """A vector as a matrix of one column."""
    return x[..., None] if vector else x


def single(x: Array, vector: bool) -> Array:
    """A matrix of one column as a vector."""
    return x[..., 0] if vector else x


def stacked_systems(axes: int) -> Callable[..., Array]:
    """The batching rule of what is solved, or multiplied, from a first argument of so many axes.

    The second is a stack of matrices, or a single vector: one of a single axis.
    """

    def rule(run: Callable[..., Array], arrays: Sequence[Array], mapped: Sequence[bool], **params: Any) -> Array:
        n1, n2 = batching.ndims(arrays, mapped)
        x1, x2 = arrays
        vector = n2 == 1
        lead = max(n1 - axes, (1 if vector else n2 - 1) - 1, 0)
        x2 = columns(x2, vector)
        x1 = batching.with_axes(x1, lead + axes) if mapped[0] else x1
        x2 = batching.with_axes(x2, lead + 2) if mapped[1] else x2
        out = run(x1, x2, **params)
        return single(out, vector)

    return rule


def broadcast_stacks(
    run: Callable[..., Array], arrays: Sequence[Array], mapped: Sequence[bool], **params: Any
) -> Array:
    """The batching rule of functions of several matrices whose stacks broadcast."""
    ndim = max(batching.ndims(arrays, mapped))
    return run(*[batching.with_axes(x, ndim) if m else x for x, m in zip(arrays, mapped, strict=True)], **params)
