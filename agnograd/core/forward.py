"""Forward mode: a value with its tangent."""

from __future__ import annotations

from typing import Any

from agnograd.core.array import Array, new_class
from agnograd.core.level import Level


class Dual(Array):
    """The wrapper of forward mode.

    Attributes
    ----------
    _array : array
        The primal value.
    _tangent : array
        Its tangent, of the same shape, dtype and device.
    """

    __slots__ = ("_level", "_tangent")

    def __init__(self, array: Any, tangent: Any, level: Level) -> None:
        self._array = array
        self._tangent = tangent
        self._views = None
        self._level = level

    @property
    def level(self) -> Level:
        """The call of forward mode that the tangent belongs to."""
        return self._level

    @property
    def array(self) -> Any:
        """The primal value."""
        return self._array

    @property
    def tangent(self) -> Any:
        """The tangent; None once its level has faded."""
        return None if self._level.faded else self._tangent

    def __repr__(self) -> str:
        return f"dual(shape={self.shape}, dtype={self.dtype}, level={self._level.serial} of {self._level.name})"


def primal_and_tangent(x: Any, level: Level) -> tuple[Any, Any]:
    """Split a result of the function at `level`; the tangent is None where it does not depend on the inputs."""
    if isinstance(x, Dual) and x.level is level:
        return x._array, x._tangent
    return x, None


Dual.handle_class = new_class("DualHandle", (Dual,), "A dual that was written to with a value of a higher level.")
