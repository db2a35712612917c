"""A custom function under ``vmap``.

Its forward pass is made of operations and runs on batches as on anything else. Where the user's derivative is needed
below the batch, by a level that is further out, the whole batch becomes one custom function of that level: its
derivatives are those of the members, vectorised. They run the forward pass of the members again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from agnograd.core.array import Array
from agnograd.core.batch import Batched
from agnograd.core.custom import is_array
from agnograd.core.facts import carries
from agnograd.core.level import Level
from agnograd.core.table import OPS
from agnograd.errors import FunctionError
from agnograd.function import Function, FunctionCtx
from agnograd.transforms import jvp, vjp, vmap


class VmapInfo(NamedTuple):
    """What the static method ``vmap`` of a custom function is told.

    Attributes
    ----------
    batch_size : int
        Number of members.
    randomness : str
        For users of PyTorch: random numbers are drawn on the host, and are the same for all members.
    """

    batch_size: int
    randomness: str = "same"


def run_own(cls: type[Function], args: Sequence[Any], level: Level) -> Any:
    """The outputs by the class's own ``vmap(info, in_dims, *args)``, which returns them and their batch axes."""
    mapped = [isinstance(x, Batched) and x.level is level for x in args]
    size = next(x._array.shape[0] for x, m in zip(args, mapped, strict=True) if m)
    lower = [x._array if m else x for x, m in zip(args, mapped, strict=True)]
    found = cls.vmap(VmapInfo(size), tuple(0 if m else None for m in mapped), *lower)  # type: ignore[attr-defined]
    if not isinstance(found, tuple) or len(found) != 2:
        msg = f"{cls.__name__}.vmap must return the outputs and a tuple with the batch axis of each, None where none is"
        raise FunctionError(msg)
    outputs, axes = found
    if not isinstance(outputs, tuple):
        return _placed(outputs, axes, level)
    axes = axes if isinstance(axes, tuple) else (axes,) * len(outputs)
    return tuple([_placed(y, a, level) for y, a in zip(outputs, axes, strict=True)])


def _placed(y: Any, axis: int | None, level: Level) -> Any:
    if axis is None:
        return y
    data = OPS["moveaxis"].call(y, axis, 0) if axis else y
    return Batched(data._array if isinstance(data, Array) and data.level is None else data, level)


def run_vectorised(cls: type[Function], args: Sequence[Any], level: Level) -> Any:
    """The outputs where a level further out needs derivatives."""
    mapped = tuple([isinstance(x, Batched) and x.level is level for x in args])
    lower = [x._array if m else x for x, m in zip(args, mapped, strict=True)]
    outputs = _vectorised(cls, mapped).apply(*lower)
    if isinstance(outputs, tuple):
        return tuple([Batched(y, level) if is_array(y) else y for y in outputs])
    return Batched(outputs, level)


def _vectorised(cls: type[Function], mapped: tuple[bool, ...]) -> type[Function]:
    """The function of whole batches, of those arguments that have one; made once, and kept by the class itself."""
    made: dict[tuple[bool, ...], type[Function]] = vars(cls).get("_of_batches") or {}
    if mapped not in made:
        made[mapped] = _make(cls, mapped)
        cls._of_batches = made  # type: ignore[attr-defined]
    return made[mapped]


def _make(cls: type[Function], mapped: tuple[bool, ...]) -> type[Function]:
    axes = tuple(0 if m else None for m in mapped)

    class Vectorised(Function):
        @staticmethod
        def forward(*args: Any) -> Any:
            return vmap(cls.apply, in_axes=axes)(*args)

        @staticmethod
        def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Any) -> None:  # noqa: ARG004
            ctx.save_for_backward(*[x if is_array(x) else None for x in inputs])
            ctx.others = [None if is_array(x) else x for x in inputs]

        @staticmethod
        def backward(ctx: FunctionCtx, *gradients: Any) -> Any:
            args = _arguments(ctx)
            places = [i for i, x in enumerate(args) if ctx.needs_input_grad[i] and carries(x)]

            def one(args: tuple[Any, ...], gradients: tuple[Any, ...]) -> Any:
                value, pullback = vjp(_of(cls, args, places), *[args[i] for i in places])
                return pullback(gradients if isinstance(value, tuple) else gradients[0])

            found = vmap(one, in_axes=(axes, 0))(args, gradients)
            out: list[Any] = [None] * len(args)
            for i, g in zip(places, found, strict=True):
                out[i] = g if mapped[i] else OPS["sum"].call(g, axis=0)
            return tuple(out)

        @staticmethod
        def jvp(ctx: FunctionCtx, *tangents: Any) -> Any:
            args = _arguments(ctx)
            places = [i for i, t in enumerate(tangents) if ctx.needs_input_grad[i] and t is not None]

            def one(args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
                return jvp(_of(cls, args, places), [args[i] for i in places], tangents)[1]

            along = tuple(axes[i] for i in places)
            return vmap(one, in_axes=(axes, along))(args, tuple(tangents[i] for i in places))

    Vectorised.__name__ = Vectorised.__qualname__ = cls.__name__
    return Vectorised


def _arguments(ctx: FunctionCtx) -> tuple[Any, ...]:
    return tuple([y if x is None else x for x, y in zip(ctx.saved_tensors, ctx.others, strict=True)])


def _of(cls: type[Function], args: tuple[Any, ...], places: Sequence[int]) -> Any:
    """The function of the arguments at some places."""

    def f(*primals: Any) -> Any:
        replaced = list(args)
        for i, x in zip(places, primals, strict=True):
            replaced[i] = x
        return cls.apply(*replaced)

    return f
