"""Traced: an array that stands for a value and has none, for functions that are compiled.

It is a storage, the innermost array of all wrappers: the engine runs on it as on any other, and what it is asked to
do is written down by a *trace* (`agnograd.compiler.tracing`). It knows its shape, dtype and device. Every backend has
a class of traced arrays of its own, since a storage is found by the type of its arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from agnograd.core.array import BINARY, COMPARISONS, UNARY, Array, innermost
from agnograd.core.table import OPS, Space, _internal, is_prefix, spaces
from agnograd.errors import TraceError, UnsupportedError


class Trace(Protocol):
    """What records: one run of a function on traced arrays."""

    def emit(self, name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record an operation, and return the arrays that stand for its results."""

    def outcome(self, x: Traced, convert: Callable[[Any], Any]) -> Any:
        """The value of an array of one element, on which the program depends from then on."""

    def lifted(self, data: Sequence[Any]) -> tuple[Any, ...]:
        """Operands of which some are traced, arrays of the backend made traced ones, too."""


# The trace that is being recorded, for functions that make arrays from none.
current: ContextVar[Trace | None] = ContextVar("agnograd_trace", default=None)


class Traced:
    """An array of a program that is being recorded.

    Attributes
    ----------
    shape, dtype, device
        Those of the value that it stands for.
    trace : Trace
        What it belongs to.
    variable
        Its name in the program.
    """

    __slots__ = ("__weakref__", "device", "dtype", "shape", "trace", "variable")

    # NumPy's and CuPy's arrays leave operators to it.
    __array_ufunc__ = None
    __array_priority__: float = 900.0

    def __init__(self, trace: Trace, variable: Any, shape: tuple[int, ...], dtype: Any, device: Any) -> None:
        self.trace: Trace = trace
        self.variable: Any = variable
        self.shape: tuple[int, ...] = shape
        self.dtype: Any = dtype
        self.device: Any = device

    def __repr__(self) -> str:
        return f"<traced array, shape {self.shape}, {self.dtype}>"

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def T(self) -> Any:  # noqa: N802
        """Transpose of a matrix."""
        return self.trace.emit("matrix_transpose", (self,), {})

    mT = T  # noqa: N815 - the standard's name

    def __getitem__(self, key: Any) -> Any:
        return self.trace.emit("getitem", (self,), {"key": key})

    def __len__(self) -> int:
        if not self.shape:
            msg = "len() of a 0-d array"
            raise TypeError(msg)
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    if TYPE_CHECKING:

        def __hash__(self) -> int: ...

    else:
        __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self.trace.outcome(self, bool))

    def __int__(self) -> int:
        return int(self.trace.outcome(self, int))

    def __float__(self) -> float:
        return float(self.trace.outcome(self, float))

    def __complex__(self) -> complex:
        return complex(self.trace.outcome(self, complex))

    def __index__(self) -> int:
        return int(self.trace.outcome(self, int))

    def item(self) -> Any:
        """The value of an array of one element as a Python scalar, on which the program depends from then on."""
        return self.trace.outcome(self, _item)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise _no_values(_PLAIN)


def _item(x: Any) -> Any:
    return spaces[type(x)].backend.to_scalar(x)


_PLAIN, _EXPORT, _MOVE = "a plain array", "an export through DLPack", "a move to another device"


def _no_values(what: str) -> TraceError:
    return TraceError(
        f"{what} needs the values of an array, and there are none while a function is compiled. Do this outside of the "
        f"function, write it with functions of agnograd, or let agnograd.compile(f, fallback=True) run it as it is."
    )


def _operator(name: str) -> Callable[[Traced, Any], Any]:
    def operate(x1: Traced, x2: Any) -> Any:
        return NotImplemented if isinstance(x2, Array) else x1.trace.emit(name, (x1, x2), {})

    return operate


def _reflected(name: str) -> Callable[[Traced, Any], Any]:
    def operate(x2: Traced, x1: Any) -> Any:
        return NotImplemented if isinstance(x1, Array) else x2.trace.emit(name, (x1, x2), {})

    return operate


def _unary(name: str) -> Callable[[Traced], Any]:
    return lambda x: x.trace.emit(name, (x,), {})


for _name, _op in BINARY.items():
    setattr(Traced, f"__{_name}__", _operator(_op))
    setattr(Traced, f"__r{_name}__", _reflected(_op))
for _name, _op in COMPARISONS.items():
    setattr(Traced, f"__{_name}__", _operator(_op))
for _name, _op in UNARY.items():
    setattr(Traced, f"__{_name}__", _unary(_op))


class TracedSpace(Space):
    """The namespace of traced arrays: every function of the backend's own is recorded in the place of being called.

    Operations that the backend has no function for are run in terms of those that it has, as they are eagerly: the
    program makes the same calls.
    """

    def __init__(self, origin: Space) -> None:
        self._space = origin
        super().__init__(
            origin.name,
            origin.module,
            kernels=origin.kernels,
            device=lambda x: x.device,
            copy=lambda x: x,
            writeable=False,
            backend=_Described(origin.backend),
            prefix=origin.prefix,
        )
        self.origin = origin
        self.module: _Module = _Module(origin)

    @property
    def wrapped(self) -> Any:
        """The namespace of tensors around traced arrays: that of the backend."""
        return Array._namespace(self.origin, None)

    @wrapped.setter
    def wrapped(self, value: Any) -> None:
        """Nothing: it has none of its own."""

    def _extension(self, name: str) -> Space:
        part = TracedSpace(getattr(self._space, name))
        part.main = self.main
        return part

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full = self.prefix + name
        op = OPS.get(full)
        found: Any
        if full in self.kernels or full in _WRITES:
            found = _recorder(self.origin, full)
        elif op is not None and op.body is not None:
            found = partial(op.body, self.main)
        elif full in _internal:
            found = partial(_internal[full], self)
        elif op is None and is_prefix(full):
            found = self._extension(name)
        else:
            found = getattr(self.module, name, None)
        if found is None:
            msg = f"backend {self.name!r} has no {full!r}, and no other operation of the table expresses it"
            raise UnsupportedError(msg)
        setattr(self, name, found)
        self.kept.add(name)
        return found


# What writes into an array that the caller owns; a traced array is never written to, these return another one.
_WRITES = frozenset(("set", "add_into"))

# What only looks at dtypes and shapes.
_ABOUT_DTYPES = frozenset(("isdtype", "finfo", "iinfo", "broadcast_shapes"))


class _Module:
    """The backend's module, of which functions are recorded."""

    def __init__(self, origin: Space) -> None:
        self.origin = origin

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.origin.module, name, None)
        if name.startswith("_") or name in _ABOUT_DTYPES or not callable(found) or isinstance(found, type):
            return found
        if name in ("result_type", "can_cast"):
            return lambda *args: found(*[x.dtype if isinstance(x, Traced) else x for x in args])
        if name in ("asarray", "astype"):
            return _converter(self.origin, name)
        return _recorder(self.origin, self.origin.prefix + name)


def _recorder(origin: Space, name: str) -> Callable[..., Any]:
    def record(*args: Any, **params: Any) -> Any:
        trace = _trace_of(args) or _trace_of(params.values()) or current.get()
        if trace is None:
            function: Any = origin.main
            for part in name.split("."):
                function = getattr(function, part)
            return function(*args, **params)
        return trace.emit(name, args, params)

    return record


def _converter(origin: Space, name: str) -> Callable[..., Any]:
    """``asarray`` and ``astype`` of a traced array: itself, where it is as it should be."""
    record = _recorder(origin, "astype")

    def convert(x: Any, *given: Any, **options: Any) -> Any:
        if not isinstance(x, Traced):
            return getattr(origin.module, name)(x, *given, **options)
        dtype = given[0] if given else options.get("dtype")
        if dtype is None or x.dtype == dtype:
            return x
        return record(x, dtype)

    return convert


def _trace_of(values: Any) -> Trace | None:
    for x in values:
        if isinstance(x, Traced):
            return x.trace
        if type(x) in (tuple, list):
            found = _trace_of(x)
            if found is not None:
                return found
    return None


def constant(x: Any) -> Any:
    """An array of values as a constant of the program that is being recorded."""
    trace = current.get()
    return x if trace is None or isinstance(x, Traced) else trace.lifted((x,))[0]


def traced_like(x: Any, like: Any) -> Any:
    """An array of values as a constant of the program that `like` is of, where it is of one."""
    raw = innermost(like)
    if not isinstance(raw, Traced) or isinstance(x, (Traced, Array)):
        return x
    return raw.trace.lifted((x,))[0]


class _Described:
    """A backend's description, for arrays that have no values."""

    # What a lazy backend does for its arrays between operations: here there are none.
    lazy = False
    shape = seed = finish = kernels_of = None

    def __init__(self, origin: Any) -> None:
        self._origin = origin
        # The form in which users get a gradient, its chunks say, is theirs in a program, too.
        self.settle = None if getattr(origin, "settle", None) is None else self._settled

    def __getattr__(self, name: str) -> Any:
        return getattr(self._origin, name)

    def _settled(self, g: Any, like: Any) -> Any:
        trace = _trace_of((g, like))
        return self._origin.settle(g, like) if trace is None else trace.emit("settle", (g, like), {})

    def to_scalar(self, x: Traced) -> Any:
        """The value as a Python scalar, on which the program depends from then on."""
        return x.item()

    def to_host(self, _: Traced) -> Any:
        """Refuse."""
        raise _no_values(_PLAIN)

    def to_array(self, *_: Any) -> Any:
        """Refuse."""
        raise _no_values(_PLAIN)

    def to_dlpack(self, _: Traced, **_options: Any) -> Any:
        """Refuse."""
        raise _no_values(_EXPORT)

    def to_device(self, x: Traced, device: Any, _stream: Any = None) -> Any:
        """Nothing, where it is there already."""
        if device != x.device:
            raise _no_values(_MOVE)
        return x

    def expose(self, x: Traced) -> Traced:
        """The array itself."""
        return x

    def describe(self, x: Traced) -> str:
        """The part of a tensor's text that stands for the values."""
        return f"traced, shape={x.shape}, dtype={x.dtype}"


_types: dict[Space, tuple[type[Traced], TracedSpace]] = {}


def traced_type(space: Space) -> type[Traced]:
    """The class of traced arrays of a backend, known to the engine as a storage."""
    if space not in _types:
        made = type("Traced", (Traced,), {"__slots__": (), "__doc__": f"A traced array of {space.name}."})
        _types[space] = made, TracedSpace(space)
    found, traced = _types[space]
    spaces[found] = traced
    return found
