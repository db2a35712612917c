"""Batching rules of products of two arrays, and of what is solved for one factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from agnograd.core.batching import Run, all_axes, ndims, shifted, with_axes
from agnograd.core.table import OPS, internal, spaces

Array = Any
Mask = Sequence[bool]


def matmul(run: Run, arrays: Sequence[Array], mapped: Mask) -> Array:
    """Products of matrices, or of vectors, which are matrices of one row or column here."""
    x1, x2 = arrays
    n1, n2 = ndims(arrays, mapped)
    if not mapped[1] and n2 <= 2 and n1:
        # One matrix for all members: their rows, or they themselves, are the rows of another.
        return _rows_times(run, x1, x2) if n2 == 2 and n1 > 1 else run(x1, x2)
    if not mapped[0] and n1 == 2 and n2 == 1:
        return run(x2, OPS["matrix_transpose"].call(x1))
    if n1 == 1:
        x1 = x1[..., None, :]
    if n2 == 1:
        x2 = x2[..., None]
    ndim = max(n1, n2, 2)
    out = run(*[with_axes(x, ndim) if m else x for x, m in zip((x1, x2), mapped, strict=True)])
    if n2 == 1:
        out = out[..., 0]
    return out[..., 0] if n1 == n2 == 1 else out[..., 0, :] if n1 == 1 else out


def _rows_times(run: Run, x1: Array, x2: Array) -> Array:
    # One large product is faster than many small ones.
    *lead, n = x1.shape
    return OPS["reshape"].call(run(OPS["reshape"].call(x1, (math.prod(lead), n)), x2), (*lead, x2.shape[-1]))


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def contract(run: Run, arrays: Sequence[Array], mapped: Mask, labels: tuple[str, str, str]) -> Array:
    """A sum of products with one label more."""
    in1, in2, out = labels
    new = next(a for a in _LETTERS if a not in in1 + in2 + out)
    in1, in2 = [new + given if m else given for given, m in zip((in1, in2), mapped, strict=True)]
    return run(*arrays, labels=(in1, in2, new + out))


def tensordot(run: Run, arrays: Sequence[Array], mapped: Mask, axes: Any = 2) -> Array:
    """A sum of products over pairs of axes: a contraction."""
    n1, n2 = ndims(arrays, mapped)
    if isinstance(axes, int):
        over1, over2 = tuple(range(n1 - axes, n1)), tuple(range(axes))
    else:
        over1, over2 = [tuple(a % n for a in side) for side, n in zip(axes, (n1, n2), strict=True)]
    in1, rest = _LETTERS[:n1], _LETTERS[n1:]
    in2 = "".join(in1[over1[over2.index(a)]] if a in over2 else rest[a] for a in range(n2))
    free1 = "".join(in1[a] for a in range(n1) if a not in over1)
    free2 = "".join(in2[a] for a in range(n2) if a not in over2)
    return contract(OPS["contract"].call, arrays, mapped, (in1, in2, free1 + free2))


def outer(run: Run, arrays: Sequence[Array], mapped: Mask) -> Array:
    """Every element of a vector times every one of another."""
    x1, x2 = arrays
    space = spaces.get(type(x1))
    if space is not None and type(x1) is type(x2):
        return space.outer_of_stacks(x1, x2)
    return x1[..., :, None] * x2[..., None, :]


internal("outer_of_stacks", lambda xp, x1, x2: x1[..., :, None] * x2[..., None, :])


def cross(run: Run, arrays: Sequence[Array], mapped: Mask, axis: int = -1) -> Array:
    """Cross products along an axis; one that is not negative is meant for each of the two."""
    ndim = max(ndims(arrays, mapped))
    if axis >= 0:
        moved = [OPS["moveaxis"].call(x, axis + m, -1) for x, m in zip(arrays, mapped, strict=True)]
        return OPS["moveaxis"].call(cross(run, moved, mapped), -1, shifted(axis, ndim))
    return run(*[with_axes(x, ndim) if m else x for x, m in zip(arrays, mapped, strict=True)], axis=axis)


def solve(run: Run, arrays: Sequence[Array], mapped: Mask, **params: Any) -> Array:
    """Linear systems; a right-hand side of one axis is a vector."""
    n1, n2 = ndims(arrays, mapped)
    x1, x2 = arrays
    if n2 == 1:
        x2 = x2[..., None]
    ndim = max(n1, n2, 2)
    out = run(*[with_axes(x, ndim) if m else x for x, m in zip((x1, x2), mapped, strict=True)], **params)
    return out[..., 0] if n2 == 1 else out


def norm(run: Run, arrays: Sequence[Array], mapped: Mask) -> Array:
    """The Euclidean norm of all elements of each member."""
    (x,) = arrays
    ndim = len(x.shape) - 1
    vector_norm = OPS["linalg.vector_norm"].call
    return vector_norm(x, axis=all_axes(ndim)) if ndim else vector_norm(x[:, None], axis=1)
