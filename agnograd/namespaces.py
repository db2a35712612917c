"""The Array API namespace of a backend: what tensors answer to ``__array_namespace__``.

There is one for each backend, shared by all wrappers. Its functions are the operations of the table; only what no
array argument decides (creation, dtypes, inspection) is bound to the backend.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from agnograd.core import apply as _apply
from agnograd.core.array import Array, innermost
from agnograd.core.conversions import carries_gradient
from agnograd.core.cotangent import Spec
from agnograd.core.formulas import broadcast_shapes
from agnograd.core.reverse import describe, raw_space
from agnograd.core.table import OPS, Space, is_prefix, lookup, spaces
from agnograd.core.views import settled
from agnograd.errors import ForeignArrayError, GradientLostError, MixedBackendsError
from agnograd.tensors import Tensor

API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float32", "float64", "complex64", "complex128"),
)
CREATION = ("arange", "empty", "eye", "full", "linspace", "ones", "zeros")


class Namespace:
    """The functions, dtypes and constants of the standard on tensors of one backend.

    Get it from `agnograd.namespace` or from an array. Names that the standard does not have: ``embed``,
    ``scatter_add``, ``setitem``, ``clone`` and the operations of plugins.

    Examples
    --------
    >>> import agnograd as ag
    >>> xp = ag.namespace("numpy")
    >>> xp.sum(xp.ones((2, 2)))
    tensor(4.)
    >>> xp.__name__
    'agnograd.namespaces.numpy'
    """

    __array_api_version__ = "2025.12"
    e = math.e
    inf = math.inf
    nan = math.nan
    newaxis = None
    pi = math.pi

    def __init__(self, space: Space) -> None:
        self._space = space
        self.__name__ = f"agnograd.namespaces.{space.name}"
        # Rules ask for these, on wrappers as on raw arrays.
        self.reals = space.reals
        self.floats = space.floats
        self.linalg = Extension(self.__name__, "linalg")
        self.fft = _Fourier(self)
        # Attributes that the table was asked for once: it takes them out again where a plugin is unloaded.
        self.kept: set[str] = set()

    def __repr__(self) -> str:
        return f"<array namespace {self.__name__!r}>"

    def __reduce__(self) -> Any:
        return namespace, (self._space.name,)

    def __getattr__(self, name: str) -> Any:
        if name in DTYPES:
            found = getattr(self._space.module, name)
        elif name in CREATION:
            found = _creator(self._space, name)
        else:
            found = member(self.__name__, name)
            self.kept.add(name)
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        own = [n for n in (*vars(type(self)), *vars(self)) if not n.startswith("_")]
        return sorted({*own, *(n.partition(".")[0] for n in OPS), *DTYPES, *CREATION} - {"kept"})

    # -- creation from data ------------------------------------------------------------------------------------------

    def asarray(self, obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
        """A tensor of `obj`: a tensor itself, an array of the backend (shared), numbers or nested sequences.

        A sequence that holds tensors is stacked, so that their gradients are kept. NumPy's arrays become arrays of
        the backend, and so do tensors around them; what belongs to any other library is refused.

        Raises
        ------
        MixedBackendsError
            If `obj` is an array or a tensor of another backend than NumPy and this one.
        ForeignArrayError
            If nothing numeric can be made of it.
        """
        obj = settled(obj)
        if isinstance(obj, Array):
            out: Any = obj
            space = raw_space(obj)
            if space is not self._space:
                if space.is_scalar is None:
                    raise _mixed(self._space, space, innermost(obj))
                out = OPS["to_backend"].call(obj, self._space.name)
            if dtype is not None and out.dtype != dtype:
                out = OPS["astype"].call(out, dtype)
            elif copy:
                out = OPS["clone"].call(out)
            return out if device is None or device == out.device else OPS["to_device"].call(out, device)
        if isinstance(obj, (list, tuple)):
            like = _first_wrapper(obj)
            if like is not None:
                return self.asarray(_stacked(self, obj, like), dtype=dtype, device=device)
        return Tensor(raw_asarray(self._space, obj, dtype=dtype, device=device, copy=copy), None)

    def empty_like(self, x: Any, /, *, dtype: Any = None, device: Any = None) -> Tensor:
        """A tensor of the shape of `x`, whose values are arbitrary until they are written."""
        options = {k: v for k, v in {"dtype": dtype, "device": device}.items() if v is not None}
        return Tensor(self._space.empty_like(innermost(settled(x)), **options), None)

    def from_dlpack(self, x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
        """A tensor over the memory of any array that exports DLPack; a tensor of the backend keeps its gradient."""
        if isinstance(x, Array) and raw_space(settled(x)) is self._space:
            return self.asarray(x, device=device, copy=copy)
        options = {k: v for k, v in {"device": device, "copy": copy}.items() if v is not None}
        return Tensor(self._space.module.from_dlpack(x, **options), None)

    def meshgrid(self, *arrays: Any, indexing: str = "xy") -> tuple[Any, ...]:
        """Coordinate arrays from one-dimensional ones."""
        n = len(arrays)
        swap = indexing == "xy" and n > 1
        order = [1, 0, *range(2, n)] if swap else list(range(n))
        shaped = [self.reshape(x, tuple(-1 if i == order[k] else 1 for i in range(n))) for k, x in enumerate(arrays)]
        return self.broadcast_arrays(*shaped)  # type: ignore[no-any-return]

    # -- inspection --------------------------------------------------------------------------------------------------

    def __array_namespace_info__(self) -> Any:
        return self._space.module.__array_namespace_info__()

    def isdtype(self, dtype: Any, kind: Any) -> bool:
        """Whether a dtype is of a kind."""
        return self._space.module.isdtype(dtype, kind)  # type: ignore[no-any-return]

    def can_cast(self, from_: Any, to: Any, /) -> bool:
        """Whether a dtype, or that of an array, casts to another without loss of kind."""
        return self._space.module.can_cast(_dtype_of(from_), to)  # type: ignore[no-any-return]

    def finfo(self, type: Any, /) -> Any:
        """Machine limits of a floating-point dtype."""
        return self._space.module.finfo(_dtype_of(type))

    def iinfo(self, type: Any, /) -> Any:
        """Machine limits of an integer dtype."""
        return self._space.module.iinfo(_dtype_of(type))

    def result_type(self, *arrays_and_dtypes: Any) -> Any:
        """The dtype that an operation on these would have."""
        return self._space.module.result_type(*(innermost(x) if isinstance(x, Array) else x for x in arrays_and_dtypes))

    def broadcast_shapes(self, *shapes: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape to which shapes broadcast.

        Raises
        ------
        ValueError
            If they do not.
        """
        return broadcast_shapes(*shapes)

    # -- what rules ask for beyond the standard ----------------------------------------------------------------------

    def device(self, x: Any) -> Any:
        """The device of an array."""
        return x.device

    def partial_cotangent(self, g: Any, key: Any, spec: Spec) -> Any:
        """The cotangent of an array of which only ``x[key]`` was used."""
        return OPS["embed"].call(g, key=key, shape=tuple(spec.shape))


class Extension:
    """The operations whose names share a prefix: ``linalg``, ``fft``, or a plugin's package."""

    def __init__(self, owner: str, prefix: str) -> None:
        self._owner = owner
        self._prefix = prefix
        self.__name__ = f"{owner}.{prefix}"

    def __repr__(self) -> str:
        return f"<array namespace {self.__name__!r}>"

    def __reduce__(self) -> Any:
        return Extension, (self._owner, self._prefix)

    def __getattr__(self, name: str) -> Any:
        if self._prefix == "linalg" and name in _ALSO_IN_LINALG:
            return OPS[name].call
        return member(self._owner, f"{self._prefix}.{name}")

    def __dir__(self) -> list[str]:
        start = f"{self._prefix}."
        own = {n.removeprefix(start).partition(".")[0] for n in OPS if n.startswith(start)}
        return sorted(own | set(_ALSO_IN_LINALG if self._prefix == "linalg" else ()))


class _Fourier(Extension):
    """The ``fft`` extension, with its creation functions."""

    def __init__(self, owner: Namespace) -> None:
        super().__init__(owner.__name__, "fft")
        self._namespace = owner

    def __getattr__(self, name: str) -> Any:
        if name not in _FREQUENCIES:
            return super().__getattr__(name)
        found = _creator(self._namespace._space.fft, name)
        setattr(self, name, found)
        return found

    def __reduce__(self) -> Any:
        return getattr, (self._namespace, "fft")

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *_FREQUENCIES])


_FREQUENCIES = ("fftfreq", "rfftfreq")
_ALSO_IN_LINALG = ("matmul", "matrix_transpose", "tensordot", "vecdot")


def member(owner: str, name: str) -> Any:
    """The function of an operation, or the operations that have a name as their prefix.

    Raises
    ------
    AttributeError
        If the table and all plugins have neither.
    ConflictError
        If two plugins provide the operation.
    """
    if not name.rpartition(".")[2].startswith("_"):
        if name not in OPS and is_prefix(name):
            return Extension(owner, name)
        op = lookup(name)
        if op is not None:
            return op.call
        if is_prefix(name):  # plugins have been loaded meanwhile
            return Extension(owner, name)
    prefix, _, own = name.rpartition(".")
    kind = "module" if owner == "agnograd" and not prefix else "namespace"
    msg = f"{kind} {f'{owner}.{prefix}'.rstrip('.')!r} has no attribute {own!r}"
    raise AttributeError(msg, name=own)


def _dtype_of(x: Any) -> Any:
    return x.dtype if isinstance(x, Array) else x


def _first_wrapper(obj: Any) -> Any:
    found = (x if isinstance(x, Array) else _first_wrapper(x) for x in obj if isinstance(x, (Array, list, tuple)))
    return next((x for x in found if x is not None), None)


def _stacked(xp: Namespace, obj: Any, like: Any) -> Any:
    """A sequence with tensors in it as one; Python numbers take the dtype and device of `like` where it holds them."""

    def item(x: Any) -> Any:
        if isinstance(x, (list, tuple)):
            return _stacked(xp, x, like)
        if type(x) in _HOLD and xp.isdtype(like.dtype, _HOLD[type(x)]):
            return xp.asarray(x, dtype=like.dtype, device=like.device)
        return xp.asarray(x)

    return xp.stack([item(x) for x in obj])


# Kinds of dtype that hold the numbers of a Python type.
_HOLD: dict[type, Any] = {
    bool: "bool",
    int: "numeric",
    float: ("real floating", "complex floating"),
    complex: "complex floating",
}


def raw_asarray(space: Space, obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    """An array of the backend from data; arrays of another library are refused, NumPy's, lists and numbers taken.

    Raises
    ------
    MixedBackendsError
        If `obj` is an array of another backend and neither a NumPy array nor a scalar.
    ForeignArrayError
        If nothing numeric can be made of it.
    """
    options = {k: v for k, v in {"dtype": dtype, "device": device, "copy": copy}.items() if v is not None}
    other = spaces.known(type(obj)) if hasattr(obj, "dtype") else None
    if other is not None and other is not space:
        if other.is_scalar is None:
            raise _mixed(space, other, obj)
        obj = obj.item() if other.is_scalar(obj) else space.backend.from_host(obj)
        options.pop("copy", None)
    out = space.asarray(obj, **options)
    if other is None and not space.module.isdtype(out.dtype, ("bool", "numeric")):
        # NumPy wraps up any object as an array of dtype object.
        kind = f"{type(obj).__module__}.{type(obj).__qualname__}".removeprefix("builtins.")
        msg = (
            f"asarray of backend {space.name!r} cannot make numbers of an object of type {kind}. It takes numbers, "
            f"nested sequences of them and arrays of registered backends (see agnograd.hookspecs)."
        )
        raise ForeignArrayError(msg)
    return out


def _mixed(space: Space, other: Space, x: Any) -> MixedBackendsError:
    return MixedBackendsError(
        f"asarray of backend {space.name!r} got an array of {other.name!r} ({describe(x)}). "
        f"Nothing moves between libraries silently: use agnograd.to_backend(x, {space.name!r})."
    )


def _creator(space: Space, name: str) -> Any:
    function = getattr(space, name)

    def create(*args: Any, **options: Any) -> Any:
        options = {k: v for k, v in options.items() if v is not None}
        if name == "full" and len(args) == 2 and isinstance(args[1], Array):
            # A filled array is its value broadcast: that keeps a gradient.
            out = OPS["broadcast_to"].call(args[1], (args[0],) if isinstance(args[0], int) else tuple(args[0]))
            return _around(space).asarray(out, **options)
        if any(isinstance(x, Array) for x in args):
            args = tuple([_number(x, name) if isinstance(x, Array) else x for x in args])
        return Tensor(function(*args, **options), None)

    create.__name__ = create.__qualname__ = name
    create.__doc__ = f"The standard's ``{name}`` on this backend."
    return create


def _number(x: Array, name: str) -> Any:
    if carries_gradient(settled(x)):
        msg = (
            f"{name} takes plain numbers, and got a tensor that carries a gradient ({describe(x)}), which would be "
            f"lost. Use x.item() if that is meant, or write the result as an expression of x."
        )
        raise GradientLostError(msg)
    return x.item()


# -- which namespace -------------------------------------------------------------------------------------------------

_making = threading.Lock()
_default: ContextVar[str | None] = ContextVar("agnograd_default_backend", default=None)
_process_default: list[str] = []


def namespace(backend: str | None = None) -> Namespace:
    """The Array API namespace of a backend; of the default one if no name is given.

    Parameters
    ----------
    backend : str, optional
        Name of a backend, as ``python -m agnograd backends`` lists them.

    Raises
    ------
    UnknownBackendError
        If there is no such backend.
    BackendUnavailableError
        If its library is not installed or does not work here.

    Examples
    --------
    >>> import agnograd as ag
    >>> xp = ag.namespace("numpy")
    >>> xp is ag.ones(2).__array_namespace__()
    True
    """
    return _around(spaces.named(default_backend() if backend is None else backend))


def _around(space: Space) -> Namespace:
    """The one namespace of a backend."""
    found: Any = space.wrapped
    if found is None:
        with _making:
            found = space.wrapped
            if found is None:
                found = space.wrapped = Namespace(space)
    return found  # type: ignore[no-any-return]


def _namespace_of(space: Space, api_version: str | None) -> Namespace:
    if api_version is not None and api_version not in API_VERSIONS:
        msg = f"api_version {api_version!r} is not known: {', '.join(API_VERSIONS)}"
        raise ValueError(msg)
    return _around(space)


def default_backend() -> str:
    """Name of the backend that serves creation functions now."""
    chosen = _default.get()
    if chosen is not None:
        return chosen
    return _process_default[-1] if _process_default else os.environ.get("AGNOGRAD_BACKEND", "numpy")


def set_default_backend(name: str) -> None:
    """Choose the backend of creation functions for the process.

    Raises
    ------
    UnknownBackendError, BackendUnavailableError
        If it cannot be used; the default stays what it was.
    """
    spaces.named(name)
    _process_default[:] = [name]


@contextmanager
def use_backend(name: str) -> Iterator[Namespace]:
    """Choose the backend of creation functions within a block, in this thread or asyncio task.

    Examples
    --------
    >>> import agnograd as ag
    >>> with ag.use_backend("numpy") as xp:
    ...     xp.zeros(2)
    tensor([0., 0.])
    """
    xp = namespace(name)
    token = _default.set(name)
    try:
        yield xp
    finally:
        _default.reset(token)


def default_float(space: Space) -> Any:
    """The backend's own default dtype for real numbers."""
    return space.module.__array_namespace_info__().default_dtypes(device=None)["real floating"]


def to_backend(x: Any, name: str) -> Any:
    """Convert an array or tensor to another backend, through host memory; the gradient travels back.

    Parameters
    ----------
    x : Tensor or array
    name : str
        The backend to convert to.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.to_backend(ag.ones(2), "numpy")
    tensor([1., 1.])
    """
    target = spaces.named(name)
    x = settled(x)
    if not isinstance(x, Array):
        return target.backend.from_host(spaces[type(x)].backend.to_host(x))
    if spaces[type(innermost(x))] is target:
        return x
    return OPS["to_backend"].call(x, name)


def _default_array(x: Any) -> Any:
    return spaces.named(default_backend()).module.asarray(x)


_apply._default_array[:] = [_default_array]
Array._namespace = staticmethod(_namespace_of)


def shape_of(size: Sequence[Any]) -> tuple[int, ...]:
    """A shape given as one tuple or as separate sizes."""
    if len(size) == 1 and not isinstance(size[0], int):
        return tuple(int(n) for n in size[0])
    return tuple(int(n) for n in size)
