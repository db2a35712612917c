"""Batches of multiples of unit vectors: what Jacobians start from, and all that is left of them elementwise.

A derivative rule of an elementwise operation takes a multiple of a unit vector to another one. So a pass keeps the
factors alone, as many as the array has elements, until it meets an operation of another kind: a product with a matrix
scales its rows then, and anything else asks for the members in full.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from agnograd.core.array import Array
from agnograd.core.batch import Batched
from agnograd.core.kept import kept
from agnograd.core.level import Level
from agnograd.core.nodes import classes
from agnograd.core.op import Op
from agnograd.core.table import internal, spaces

# Where a wrapper holds its value.
_slot: Any = Array._array


class Diagonal(Batched):
    """A batch whose member of number i is zero but for its element i, all of them counted in a row.

    It holds the elements that are not zero, in the shape of a member. The first to read its values makes it an ordinary
    batch: code that knows nothing of this class is right about it.
    """

    __slots__ = ()

    def __init__(self, elements: Any, level: Level) -> None:
        _slot.__set__(self, elements)
        self._views = None
        self._level = level

    @property
    def _array(self) -> Any:
        whole = self._filled(_slot.__get__(self))
        self.__class__ = Batched  # type: ignore[assignment]
        _slot.__set__(self, whole)
        return whole

    def _filled(self, elements: Any) -> Any:
        """The values of all members."""
        return _shaped(spaces[type(elements)].unit_multiples(elements), elements)

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis of one member."""
        return tuple(_slot.__get__(self).shape)

    @property
    def ndim(self) -> int:
        """Number of axes of one member."""
        return len(_slot.__get__(self).shape)

    @property
    def size(self) -> int:
        """Number of elements of one member."""
        return math.prod(_slot.__get__(self).shape)

    @property
    def dtype(self) -> Any:
        """The backend's dtype."""
        return _slot.__get__(self).dtype

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return type(self)._namespace(spaces[type(_slot.__get__(self))], api_version)


class Identity(Diagonal):
    """The unit vectors themselves."""

    __slots__ = ()

    def _filled(self, elements: Any) -> Any:
        space = spaces[type(elements)]
        count = math.prod(elements.shape)
        return _shaped(space.eye(count, dtype=elements.dtype, device=space.device(elements)), elements)


def _unit_multiples(xp: Any, x: Any) -> Any:
    """The matrix with the elements of an array on its diagonal: where one is no number, zeros are zeros still."""
    count = math.prod(x.shape)
    return xp.where(xp.eye(count, dtype=xp.bool, device=xp.device(x)), xp.reshape(x, (count,)), 0)


internal("unit_multiples", _unit_multiples)

# The classes that this module is about.
DIAGONALS: frozenset[type] = frozenset((Diagonal, Identity))


def _shaped(whole: Any, elements: Any) -> Any:
    shape = elements.shape
    return whole if len(shape) == 1 else spaces[type(whole)].reshape(whole, (math.prod(shape), *shape))


def elements_of(x: Diagonal) -> Any:
    """What a diagonal holds."""
    return _slot.__get__(x)


def identity(like: Any, shape: tuple[int, ...], level: Level) -> Batched | None:
    """The unit vectors of a space of arrays, in order; None where a lazy backend would rather see them all.

    Parameters
    ----------
    like : array
        Raw, of the dtype and on the device.
    shape : tuple of int
        That of the arrays.
    """
    space = spaces[type(like)]
    if space.lazy or not shape:
        return None
    return Identity(space.ones(shape, dtype=like.dtype, device=space.device(like)), level)


def filled(x: Any) -> Any:
    """The same value; a diagonal is an ordinary batch from now on."""
    if type(x) in DIAGONALS:
        x._array  # noqa: B018 - to read it is enough
    return x


def raw_beside(x: Diagonal, values: Sequence[Any]) -> list[Any] | None:
    """Constants that a diagonal's elements meet as raw arrays and numbers; None where there are others."""
    if x._level.closed or kept() is not None:
        return None
    kind = type(_slot.__get__(x))
    found = []
    for y in values:
        if type(y) is classes.plain and y._node is None:
            y = y._array
        if type(y) is not kind and type(y) is not float and type(y) is not int:
            return None
        found.append(y)
    return found


def rule_of(op: Op) -> Callable[[Any, Any], Batched | None]:
    """What an operation of two operands makes of diagonals: ``rule(x1, x2)``, None where it wants their members."""
    return _RULES.get(op.name, _none)


def _none(x1: Any, x2: Any) -> None:
    return None


def _add(x1: Any, x2: Any) -> Batched | None:
    if type(x1) not in DIAGONALS or type(x2) not in DIAGONALS or x1._level is not x2._level:
        return None
    other = raw_beside(x1, [_slot.__get__(x2)])
    return None if other is None or x1.shape != x2.shape else Diagonal(_slot.__get__(x1) + other[0], x1._level)


def _matmul(x1: Any, x2: Any) -> Batched | None:
    """Rows of a matrix, or its columns, each times an element."""
    on_left = type(x1) in DIAGONALS
    x, other = (x1, x2) if on_left else (x2, x1)
    found = raw_beside(x, [other]) if type(x) in DIAGONALS else None
    if found is None or len(x.shape) != 1:
        return None
    (matrix,) = found
    elements = _slot.__get__(x)
    if type(matrix) is not type(elements) or len(matrix.shape) != 2:
        return None
    space = spaces[type(elements)]
    rows = matrix if on_left else space.matrix_transpose(matrix)
    if rows.shape[0] != elements.shape[0]:
        return None
    return Batched(space.multiply(space.reshape(elements, (-1, 1)), rows), x._level)


_RULES: dict[str, Callable[[Any, Any], Batched | None]] = {"add": _add, "matmul": _matmul}
