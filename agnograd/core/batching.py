"""Batching rules: an operation for all members of a batch at once.

A rule is ``rule(run, arrays, mapped, **params)``: `run` is the operation itself, ``mapped[i]`` says whether
``arrays[i]`` has a batch axis, its first. The result has one too. An elementwise operation needs no rule, others take
one of these or have their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from agnograd.core.table import OPS
from agnograd.errors import BatchedValueError

Array = Any
Run = Callable[..., Any]
Batching = Callable[..., Any]
Axis = int | tuple[int, ...] | None


def with_axes(x: Array, ndim: int) -> Array:
    """A member of `ndim` axes: axes of size one after that of the batch."""
    missing = ndim + 1 - len(x.shape)
    return x[(slice(None), *(None,) * missing, ...)] if missing > 0 else x


def ndims(arrays: Sequence[Array], mapped: Sequence[bool]) -> list[int]:
    """Number of axes of a member of each; none for a Python scalar."""
    return [len(getattr(x, "shape", ())) - m for x, m in zip(arrays, mapped, strict=True)]


def size_of(arrays: Sequence[Array], mapped: Sequence[bool]) -> int:
    """Number of members."""
    return int(next(x.shape[0] for x, m in zip(arrays, mapped, strict=True) if m))


def repeated(x: Array, size: int) -> Array:
    """What all members share, once for each."""
    return OPS["broadcast_to"].call(x, (size, *x.shape))


def shifted(axis: Any, ndim: int) -> Any:
    """An axis of a member, or several, as those of the batch.

    Raises
    ------
    ValueError
        If a member has no such axis.
    """
    if isinstance(axis, (tuple, list)):
        return tuple([shifted(a, ndim) for a in axis])
    if not -ndim <= axis < ndim:
        msg = f"axis {axis} is out of bounds for an array with {ndim} axes"
        raise ValueError(msg)
    return axis % ndim + 1


def all_axes(ndim: int) -> Any:
    """All axes of a member, as those of the batch."""
    return 1 if ndim == 1 else tuple(range(1, ndim + 1))


def flattened(x: Array) -> Array:
    """Members of one axis."""
    return OPS["reshape"].call(x, (x.shape[0], math.prod(x.shape[1:])))


# -- rules -----------------------------------------------------------------------------------------------------------


def elements(run: Run, arrays: Sequence[Array], mapped: Sequence[bool], **params: Any) -> Any:
    """Operands broadcast against each other, without the batch axis."""
    if len(arrays) == 1:
        return run(*arrays, **params)
    ndim = max(ndims(arrays, mapped))
    return run(*[with_axes(x, ndim) if m else x for x, m in zip(arrays, mapped, strict=True)], **params)


def stacks(run: Run, arrays: Sequence[Array], mapped: Sequence[bool], **params: Any) -> Any:
    """One array of matrices, or whatever else the operation finds in its last axes."""
    return run(*arrays, **params)


def reduced(
    run: Run, arrays: Sequence[Array], mapped: Sequence[bool], axis: Axis = None, keepdims: bool = False, **params: Any
) -> Array:
    """A reduction, of all axes where none is given."""
    (x,) = arrays
    ndim = len(x.shape) - 1
    if not ndim:
        return run(x[:, None], axis=1 if axis is None else shifted(axis, 0) or 1, **params)
    return run(x, axis=all_axes(ndim) if axis is None else shifted(axis, ndim), keepdims=keepdims, **params)


def searched(
    run: Run, arrays: Sequence[Array], mapped: Sequence[bool], axis: int | None = None, keepdims: bool = False
) -> Array:
    """A reduction to an index, of the flattened array where no axis is given."""
    (x,) = arrays
    ndim = len(x.shape) - 1
    if axis is not None:
        return run(x, axis=shifted(axis, ndim), keepdims=keepdims)
    out = run(flattened(x), axis=1)
    return with_axes(out, ndim) if keepdims else out


def along(name: str = "axis", default: Axis = -1) -> Batching:
    """An operation along one axis, or some; along all of them where the parameter is None.

    Parameters
    ----------
    name : str
        The parameter that names the axis.
    default : int, tuple of int or None
        Its default.
    """

    def rule(run: Run, arrays: Sequence[Array], mapped: Sequence[bool], **params: Any) -> Array:
        (x,) = arrays
        ndim = len(x.shape) - 1
        axis = params.pop(name, default)
        if axis is None and not ndim:
            return run(x[:, None], **{name: 1}, **params)[:, 0]
        return run(x, **{name: all_axes(ndim) if axis is None else shifted(axis, ndim)}, **params)

    return rule


def aligned_along(run: Run, arrays: Sequence[Array], mapped: Sequence[bool], axis: int = -1, **params: Any) -> Array:
    """An operation along an axis of arrays that broadcast otherwise."""
    ndim = max(ndims(arrays, mapped))
    last = axis if axis < 0 else axis - ndim
    return elements(run, arrays, mapped, axis=last, **params)


class UnknownShape:
    """A rule for an operation whose result has another shape for each member: there is none.

    Parameters
    ----------
    name : str
        The operation.
    arguments : tuple of int
        Positions of the arguments that decide the shape by their values.
    rule : callable, optional
        The rule for where they are the same for all members.
    """

    def __init__(self, name: str, arguments: tuple[int, ...] = (0,), rule: Batching | None = None) -> None:
        self.name = name
        self.arguments = arguments
        self.rule = rule

    def __call__(self, run: Run, arrays: Sequence[Array], mapped: Sequence[bool], **params: Any) -> Any:
        """Run the rule, or refuse to."""
        if self.rule is None or any(mapped[i] for i in self.arguments):
            msg = (
                f"the shape of what {self.name} returns depends on values, which under vmap differ from member to "
                f"member. Leave that argument out of the batch (in_axes=None), or write where() and go on with all "
                f"elements."
            )
            raise BatchedValueError(msg)
        return self.rule(run, arrays, mapped, **params)
