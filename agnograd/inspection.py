"""Limits of dtypes, as the standard describes them: plain Python numbers, whatever a library's own objects hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["FloatLimits", "IntegerLimits"]


@dataclass(frozen=True, slots=True)
class FloatLimits:
    """What ``finfo`` tells of a floating-point dtype; of a complex one, what it tells of its components.

    Attributes
    ----------
    bits : int
        Size of a number.
    eps : float
        Distance from 1 to the next larger number.
    max, min : float
        Largest and smallest finite number.
    smallest_normal : float
        Smallest positive number of full precision.
    dtype : dtype
        The real dtype.

    Examples
    --------
    >>> import agnograd as ag
    >>> xp = ag.namespace("numpy")
    >>> xp.finfo(xp.float32).eps == 2.0**-23
    True
    """

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any

    @classmethod
    def of(cls, limits: Any, dtype: Any) -> FloatLimits:
        """The same of a library's own object."""
        eps, largest, smallest, normal = (
            float(getattr(limits, name)) for name in ("eps", "max", "min", "smallest_normal")
        )
        return cls(int(limits.bits), eps, largest, smallest, normal, dtype)


@dataclass(frozen=True, slots=True)
class IntegerLimits:
    """What ``iinfo`` tells of an integer dtype.

    Attributes
    ----------
    bits : int
        Size of a number.
    max, min : int
        Largest and smallest number.
    dtype : dtype

    Examples
    --------
    >>> import agnograd as ag
    >>> xp = ag.namespace("numpy")
    >>> xp.iinfo(xp.int8).min
    -128
    """

    bits: int
    max: int
    min: int
    dtype: Any

    @classmethod
    def of(cls, limits: Any, dtype: Any) -> IntegerLimits:
        """The same of a library's own object."""
        return cls(int(limits.bits), int(limits.max), int(limits.min), dtype)
