"""What every wrapper shares: the operators and attributes of an Array API array.

A wrapper holds another array, raw or a wrapper itself, and belongs to a level. The state of a wrapper is its class,
so that the hot path pays one ``type(x) is Tensor`` for all of what follows (a ``__getattr__`` that refills an emptied
slot, as first planned, triples the cost of every attribute read in CPython):

========== =====================================================================================================
class      meaning
========== =====================================================================================================
plain      holds its own value
nested     holds a wrapper of a lower level (`Tensor` only; nothing else has a fast path)
stale      a view whose base was written to: its value is computed again at the next read
handle     was written to with a value of a higher level, and stands for that value since
========== =====================================================================================================
"""

from __future__ import annotations

import math
import types
from typing import TYPE_CHECKING, Any, ClassVar

from agnograd.core.level import Level
from agnograd.core.table import OPS, Space, spaces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # Operators and methods are the operations of the table themselves, set by `install_operators` and from above: a
    # method that only called them would cost a tenth of a small operation.
    from agnograd._signatures import Methods
else:
    Methods = object


class Array(Methods):
    """Base class of the wrappers.

    Attributes
    ----------
    _array : array
        The wrapped array.
    _views : list of weak references or None
        Live views of this array; None, which is quicker to see than a missing attribute, where there never were any.
    _view : tuple
        For a view: base, operation and static parameters.
    _writes : int
        How often it was written to, directly or through a view; missing if never.
    """

    __slots__ = ("__weakref__", "_array", "_view", "_views", "_writes")
    # CuPy defers to the right operand's reflected operator by priority, NumPy by __array_ufunc__ (see Tensor).
    __array_priority__: float = 1000.0
    stale_class: ClassVar[type[Array]]
    handle_class: ClassVar[type[Array]]

    _array: Any
    _views: list[Any] | None
    _view: tuple[Array, Any, dict[str, Any]]
    _writes: int

    # set by agnograd.namespaces: the namespace of a backend
    _namespace: ClassVar[Callable[[Space, str | None], Any]]

    @property
    def level(self) -> Level | None:
        """The level that the wrapper belongs to; None where it takes part in no transformation."""
        return None

    # -- attributes of the standard ----------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis; None where a lazy backend does not know it."""
        inner = self._array
        shape = inner.shape
        if type(inner) in _sized or isinstance(inner, Array):
            return shape  # type: ignore[no-any-return]
        space = spaces.get(type(inner))
        if space is not None and not space.lazy and type(shape) is tuple:
            _sized.add(type(inner))
        for n in shape:
            if n != n:
                # What dask does not know is a NaN.
                return tuple([None if n != n else n for n in shape])  # type: ignore[misc]
        return shape if type(shape) is tuple else tuple(shape)

    @property
    def dtype(self) -> Any:
        """The backend's dtype."""
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._array.shape)

    @property
    def size(self) -> int | None:
        """Number of elements; None where a lazy backend does not know it."""
        total = math.prod(self._array.shape)
        return total if total == total else None  # an unknown size is NaN

    @property
    def device(self) -> Any:
        """The backend's device."""
        inner = innermost(self)
        return spaces[type(inner)].device(inner)

    @property
    def T(self) -> Any:  # noqa: N802
        """Transpose of a matrix."""
        if self.ndim != 2:
            msg = f"T needs two axes, this array has shape {self.shape}. Use mT for stacks of matrices."
            raise ValueError(msg)
        return OPS["matrix_transpose"].call(self)

    @property
    def mT(self) -> Any:  # noqa: N802
        """Transpose of the last two axes."""
        return OPS["matrix_transpose"].call(self)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The namespace of this array's backend, one object for all wrappers."""
        space = spaces.get(type(self._array)) or spaces[type(innermost(self))]
        found = space.wrapped if api_version is None else None
        return type(self)._namespace(space, api_version) if found is None else found

    # Elementwise equality must not cost an array its place in sets and dictionaries: identity it is.
    if TYPE_CHECKING:

        def __hash__(self) -> int: ...

    else:
        __hash__ = object.__hash__

    def __len__(self) -> int:
        if not self.ndim:
            msg = "len() of a 0-d array"
            raise TypeError(msg)
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.ndim:
            msg = "iteration over a 0-d array"
            raise TypeError(msg)
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool(OPS["any"].call(self == value))


# Raw types whose shapes are tuples of known sizes, known once one came up.
_sized: set[type] = set()


def innermost(x: Any) -> Any:
    """The raw array inside all wrappers."""
    while isinstance(x, Array):
        x = x._array
    return x


def is_wrapper(x: Any) -> bool:
    """Whether `x` is a wrapper rather than a raw array or a Python scalar."""
    return isinstance(x, Array)


BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}
COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
UNARY = {"neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert"}


def _reflected(call: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def reflected(self: Any, other: Any) -> Any:
        return call(other, self)

    return reflected


def install_operators(
    operator: Callable[[str], Callable[..., Any]],
    write: Callable[[Any, Any, Callable[..., Any]], Any],
) -> None:
    """Set the operators of `Array`.

    Parameters
    ----------
    operator : callable
        Operation name to a function that returns NotImplemented for operands that it does not know.
    write : callable
        ``write(x, other, operation)`` performs an in-place operator.
    """

    def inplace(call: Callable[..., Any]) -> Callable[[Any, Any], Any]:
        def assign(self: Any, other: Any) -> Any:
            return write(self, other, call)

        return assign

    methods: dict[str, Callable[..., Any]] = {}
    for name, op in BINARY.items():
        call = operator(op)
        methods[f"__{name}__"] = call
        methods[f"__r{name}__"] = _reflected(call)
        methods[f"__i{name}__"] = inplace(call)
    for name, op in {**COMPARISONS, **UNARY}.items():
        methods[f"__{name}__"] = operator(op)
    for name, method in methods.items():
        setattr(Array, name, method)


def shorten_operators(cls: type[Array], direct: Callable[[str], Callable[..., Any] | None]) -> None:
    """Set operators of two arrays again, for wrappers to which the way of the others is a detour.

    Parameters
    ----------
    direct : callable
        Operation name to its shortest way for them; None where there is none.
    """
    for name, op in BINARY.items():
        call = direct(op)
        if call is not None:
            setattr(cls, f"__{name}__", call)
            setattr(cls, f"__r{name}__", _reflected(call))


def new_class(name: str, bases: tuple[type, ...], doc: str, **members: Any) -> Any:
    """A class without slots of its own, to which an instance of its base may change."""
    namespace = {"__slots__": (), "__doc__": doc, **members}
    return types.new_class(name, bases, exec_body=lambda ns: ns.update(namespace))
