"""PyTorch's ``torch.autograd.forward_ad``: tensors that carry a tangent, within a level.

Levels nest, which PyTorch's do not: a dual tensor of an inner level whose parts are dual tensors of an outer one gives
second derivatives. They are local to a thread or an asyncio task. `agnograd.jvp` does the same for a function.

A level lies outside of the user's own graph: passes go back through the values and tangents that `unpack_dual` gives,
but `agnograd.autograd.grad` does not differentiate with respect to a dual tensor, as PyTorch's does, and raises. For
forward over reverse mode use `agnograd.grad` within the level.
"""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any, NamedTuple

from agnograd.core.array import Array, innermost
from agnograd.core.facts import carries, describe, raw_space, short
from agnograd.core.forward import Dual
from agnograd.core.level import Level
from agnograd.core.nodes import Reverse, shown
from agnograd.core.table import OPS, spaces
from agnograd.core.views import settled
from agnograd.errors import CotangentError, LevelError, NotDifferentiableError

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class _DualLevel(Level):
    """A level whose tangents are forgotten when it ends, while its values go on."""

    __slots__ = ("faded",)

    def __init__(self) -> None:
        super().__init__("dual_level")
        self.faded = False


_open: ContextVar[tuple[_DualLevel, ...]] = ContextVar("agnograd_dual_levels", default=())


def enter_dual_level() -> int:
    """Open a level of forward mode, which is the current one until it is left.

    Returns
    -------
    int
        Its number, 0 for the outermost.
    """
    _open.set((*_open.get(), _DualLevel()))
    return len(_open.get()) - 1


def exit_dual_level(*, level: int | None = None) -> None:
    """Leave the current level: its tangents are gone, its values become plain tensors.

    Parameters
    ----------
    level : int, optional
        Its number; only the level that was opened last can be left.

    Raises
    ------
    LevelError
        If no level is open, or it is not the last one.
    """
    levels = _open.get()
    if not levels:
        msg = "Trying to exit a forward AD level but none is open here: enter_dual_level() opens one."
        raise LevelError(msg)
    if level is not None and level != len(levels) - 1:
        msg = (
            f"Trying to exit a forward AD level that was not the last one that was created: level {level} of "
            f"{len(levels)}. Exit them from the inside out."
        )
        raise LevelError(msg)
    *outer, last = levels
    last.closed = last.faded = True
    _open.set(tuple(outer))


class dual_level(ContextDecorator):  # noqa: N801 - PyTorch's name
    """A level of forward mode for the duration of a block or function.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.autograd import forward_ad
    >>> x, t = ag.tensor([1.0, 2.0]), ag.tensor([1.0, 0.0])
    >>> with forward_ad.dual_level():
    ...     y = forward_ad.make_dual(x, t) ** 2
    ...     forward_ad.unpack_dual(y)
    UnpackedDualTensor(primal=tensor([1., 4.]), tangent=tensor([2., 0.]))
    >>> forward_ad.unpack_dual(y).tangent is None
    True
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *error: object) -> None:
        exit_dual_level()


class UnpackedDualTensor(NamedTuple):
    """A value and its tangent; None where it has none."""

    primal: Any
    tangent: Any


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """A tensor with a tangent, which operations on it carry along.

    Parameters
    ----------
    tensor : Tensor or array
        The value. If it requires grad, derivatives of the tangent flow back to it as well.
    tangent : Tensor or array
        Its tangent, of the same shape and backend; a real one is cast to the value's dtype.
    level : int, optional
        Number of an open level; the innermost by default.

    Returns
    -------
    array
        A new one: unlike PyTorch's, it does not see writes to `tensor`, nor `tensor` its own.

    Raises
    ------
    LevelError
        If there is no such level, or `tensor` or `tangent` has a tangent there already.
    NotDifferentiableError
        If the dtype of either carries no derivative.
    CotangentError
        If `tangent` does not fit `tensor`.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     x = forward_ad.make_dual(ag.tensor(3.0), ag.tensor(1.0))
    ...     with forward_ad.dual_level():
    ...         y = forward_ad.make_dual(x, ag.tensor(1.0)) ** 3
    ...         first = forward_ad.unpack_dual(y).tangent
    ...     second = forward_ad.unpack_dual(first).tangent
    >>> second
    tensor(18.)
    """
    there = _level(level)
    if there is None:
        msg = (
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first: "
            "`with dual_level():`."
        )
        raise LevelError(msg)
    x = _differentiable(tensor, "primal")
    t = _fitting(_differentiable(tangent, "tangent"), x)
    for value, name in ((x, "primal"), (t, "tangent")):
        own = value.level if isinstance(value, Array) else None
        if own is not None and own.serial >= there.serial:
            msg = (
                f"The {name} ({describe(value)}) already has a tangent at the same level, or belongs to one further "
                f"inside ({own.name}). Make the dual tensor of the outer level first, or unpack_dual() it."
            )
            raise LevelError(msg)
    return Dual(x, t, there)


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """A value and its tangent.

    Parameters
    ----------
    tensor : Tensor or array
    level : int, optional
        Number of an open level; the innermost by default, or where none is open here, that of `tensor`.

    Returns
    -------
    UnpackedDualTensor
        Both differentiable; the tangent is None where `tensor` does not depend on any `make_dual` of that level.

    Raises
    ------
    LevelError
        If there is no such level, or a transformation further inside hides it.
    """
    x = settled(tensor)
    if not isinstance(x, Array) and spaces.known(type(x)) is None:
        msg = f"unpack_dual takes a tensor, got an object of type {type(x).__name__}"
        raise TypeError(msg)
    there = _level(level)
    if there is None and isinstance(x, Array) and isinstance(x.level, _DualLevel):
        # Open in another thread or task.
        there = x.level
    return UnpackedDualTensor(*map(shown, (x, None) if there is None else _split(x, there)))


def _level(number: int | None) -> _DualLevel | None:
    levels = _open.get()
    if number is None:
        return levels[-1] if levels else None
    if not 0 <= number < len(levels):
        msg = (
            f"Trying to access a forward AD level with an invalid index: level {number} was either not created or has "
            f"ended; {len(levels)} are open here."
        )
        raise LevelError(msg)
    return levels[number]


def _split(x: Any, level: Level) -> tuple[Any, Any]:
    """Value and tangent of `x` at a level; where that lies inside of others, they keep theirs."""
    x = settled(x)
    own = x.level if isinstance(x, Array) else None
    if own is None or own.serial < level.serial:
        return x, None
    if isinstance(x, Reverse):
        msg = (
            f"unpack_dual was given a value of the transformation {own.name!r}, inside of the level ({describe(x)}). "
            f"Unpack what the transformation returns."
        )
        raise LevelError(msg)
    if own is level:
        return x._array, x._tangent
    value, tangent = _split(x._array, level)
    outer_value, outer_tangent = _split(x._tangent, level)
    if tangent is None and outer_tangent is None:
        return x, None
    tangent, outer_tangent = (_or_zeros(t, v) for t, v in ((tangent, value), (outer_tangent, outer_value)))
    return Dual(value, outer_value, own), Dual(tangent, outer_tangent, own)


def _or_zeros(t: Any, like: Any) -> Any:
    if t is not None:
        return t
    return OPS["zeros_like"].call(like) if isinstance(like, Array) else raw_space(like).zeros_like(like)


def _differentiable(x: Any, name: str) -> Any:
    """An array as a level sees it, constants as raw as they can be."""
    x = settled(x)
    if not isinstance(x, Array) and spaces.known(type(x)) is None:
        msg = f"Expected {name} to be a tensor, but got an object of type {type(x).__name__}: agnograd.tensor makes one"
        raise TypeError(msg)
    if not carries(x):
        msg = (
            f"Expected {name} to be floating point or complex, but got: {short(x.dtype)} ({describe(x)}). Convert it "
            f"with astype."
        )
        raise NotDifferentiableError(msg)
    return x._array if isinstance(x, Array) and x.level is None else x


def _fitting(t: Any, x: Any) -> Any:
    space = raw_space(x)
    if raw_space(t) is not space or str(space.device(innermost(t))) != str(space.device(innermost(x))):
        msg = (
            f"The tangent ({describe(t)}) is not where the primal is ({describe(x)}). Convert it with "
            f"agnograd.to_backend or to_device."
        )
        raise CotangentError(msg)
    if tuple(t.shape) != tuple(x.shape):
        msg = (
            f"Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {tuple(x.shape)} while the given forward gradient is of size "
            f"{tuple(t.shape)} ({describe(x)})."
        )
        raise CotangentError(msg)
    if space.isdtype(t.dtype, "complex floating") and not space.isdtype(x.dtype, "complex floating"):
        msg = (
            f"The primal is real ({describe(x)}) but its tangent is complex ({describe(t)}): take the real part of the "
            f"tangent, or make the primal complex."
        )
        raise CotangentError(msg)
    if t.dtype == x.dtype:
        return t
    return OPS["astype"].call(t, x.dtype) if isinstance(t, Array) else space.astype(t, x.dtype)


# -- what duals have in common with tensors ----------------------------------------------------------------------------

# Without a tensor inside there is no graph.
_GRAPH = {"requires_grad": False, "is_leaf": True, "grad_fn": None}


def _of_tensor(self: Dual, name: str) -> Any:
    """A tensor's attributes that a dual lacks: its primal's place in the graph and, after its level, everything."""
    value = self if name.startswith("_") else settled(self)
    if value is not self:
        return getattr(value, name)
    if name in _GRAPH:
        return getattr(self._array, name) if isinstance(self._array, Array) else _GRAPH[name]
    msg = f"a dual tensor has no attribute {name!r}; unpack_dual() gives its primal and its tangent"
    raise AttributeError(msg, name=name, obj=self)


Dual.__getattr__ = _of_tensor  # type: ignore[attr-defined]
