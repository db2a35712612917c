"""The Array API namespace of a backend: what tensors answer to ``__array_namespace__``.

There is one for each backend, shared by all wrappers. Its functions are the operations of the table; only what no
array argument decides (creation, dtypes, inspection) is bound to the backend.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from agnograd.core import operands as _operands
from agnograd.core.array import Array, innermost
from agnograd.core.formulas import broadcast_shapes
from agnograd.core.table import OPS, Space, contested, is_prefix, lookup, spaces
from agnograd.core.views import settled
from agnograd.creation import Creation, made
from agnograd.inspection import FloatLimits, IntegerLimits
from agnograd.tensors import Tensor

if TYPE_CHECKING:
    from agnograd._signatures import Fourier, Linalg, Operations
else:
    Operations = object

API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float32", "float64", "complex64", "complex128"),
)


class Namespace(Creation, Operations):
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
    e: float = math.e
    inf: float = math.inf
    nan: float = math.nan
    newaxis = None
    pi: float = math.pi

    def __init__(self, space: Space) -> None:
        self._space = space
        self.__name__: str = f"agnograd.namespaces.{space.name}"
        # Rules ask for these, on wrappers as on raw arrays.
        self.reals: tuple[Any, ...] = space.reals
        self.floats: tuple[Any, ...] = space.floats
        self.linalg: Linalg = Extension(self.__name__, "linalg")  # type: ignore[assignment]
        self.fft: Fourier = _Fourier(self)  # type: ignore[assignment]
        # Attributes that the table was asked for once: it takes them out again where a plugin is unloaded.
        self.kept: set[str] = set()

    def __repr__(self) -> str:
        return f"<array namespace {self.__name__!r}>"

    def __reduce__(self) -> Any:
        return namespace, (self._space.name,)

    def __getattr__(self, name: str) -> Any:
        if name in DTYPES:
            found = getattr(self._space.module, name)
        else:
            found = member(self.__name__, name)
            if name == "special" and isinstance(found, Extension):
                found = _Special(self)
            self.kept.add(name)
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        own = [n for n in object.__dir__(self) if not n.startswith("_")]
        return sorted({*own, *(n.partition(".")[0] for n in OPS), *DTYPES} - {"kept"})

    # -- inspection --------------------------------------------------------------------------------------------------

    def __array_namespace_info__(self) -> Any:
        return self._space.module.__array_namespace_info__()

    def isdtype(self, dtype: Any, kind: Any) -> bool:
        """Whether a dtype is of a kind."""
        return self._space.module.isdtype(dtype, kind)  # type: ignore[no-any-return]

    def can_cast(self, from_: Any, to: Any, /) -> bool:
        """Whether a dtype, or that of an array, casts to another without loss of kind."""
        return self._space.module.can_cast(_dtype_of(from_), to)  # type: ignore[no-any-return]

    def finfo(self, type: Any, /) -> FloatLimits:
        """Machine limits of a floating-point dtype, as an `agnograd.inspection.FloatLimits`."""
        limits = self._space.module.finfo(_dtype_of(type))
        return FloatLimits.of(limits, self._dtype(limits.dtype))

    def iinfo(self, type: Any, /) -> IntegerLimits:
        """Machine limits of an integer dtype, as an `agnograd.inspection.IntegerLimits`."""
        limits = self._space.module.iinfo(_dtype_of(type))
        return IntegerLimits.of(limits, self._dtype(limits.dtype))

    def _dtype(self, given: Any) -> Any:
        # PyTorch names the dtype of such limits only.
        return getattr(self._space.module, given) if isinstance(given, str) else given

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


class Extension:
    """The operations whose names share a prefix: ``linalg``, ``fft``, or a plugin's package."""

    def __init__(self, owner: str, prefix: str) -> None:
        self._owner = owner
        self._prefix = prefix
        self.__name__: str = f"{owner}.{prefix}"

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

    def __reduce__(self) -> Any:
        return getattr, (self._namespace, "fft")

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), "fftfreq", "rfftfreq"])

    def fftfreq(self, n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
        """Frequencies of the terms of a discrete Fourier transform, for samples at distance `d`."""
        return made(self._namespace._space.fft, "fftfreq", n, d=d, dtype=dtype, device=device)

    def rfftfreq(self, n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
        """Frequencies of the terms of a transform of real numbers, for samples at distance `d`."""
        return made(self._namespace._space.fft, "rfftfreq", n, d=d, dtype=dtype, device=device)


_ALSO_IN_LINALG = ("matmul", "matrix_transpose", "tensordot", "vecdot")


class _Special(Extension):
    """The ``special`` extension, complete when it is first asked for and closed from then on.

    SciPy looks once for each function in each namespace, and remembers what it found.
    """

    def __init__(self, owner: Namespace) -> None:
        super().__init__(owner.__name__, "special")
        self._namespace = owner
        lookup(self._prefix)  # loads all plugins, where one was registered by hand
        start = f"{self._prefix}."
        self._names = frozenset(n.removeprefix(start) for n in (*OPS, *contested) if n.startswith(start))

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise _absent(self._owner, f"{self._prefix}.{name}")
        return super().__getattr__(name)

    def __reduce__(self) -> Any:
        return getattr, (self._namespace, "special")

    def __dir__(self) -> list[str]:
        return sorted(self._names)


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
    raise _absent(owner, name)


# Parts of a namespace to the distributions that bring them along.
_PLUGINS = {"scipy": "agnograd-scipy", "special": "agnograd-special"}


def _absent(owner: str, name: str) -> AttributeError:
    prefix, _, own = name.rpartition(".")
    kind = "module" if owner == "agnograd" and not prefix else "namespace"
    if name in _PLUGINS:
        hint = f". It comes with a plugin: pip install {_PLUGINS[name]}"
    else:
        from agnograd import elsewhere  # only for what is not there

        hint = elsewhere.hint(own)
    msg = f"{kind} {f'{owner}.{prefix}'.rstrip('.')!r} has no attribute {own!r}{hint}"
    return AttributeError(msg, name=own)


def _dtype_of(x: Any) -> Any:
    return x.dtype if isinstance(x, Array) else x


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
    """Name of the backend that serves creation functions now.

    Returns
    -------
    str
        That of `use_backend` in this thread or task, else of `set_default_backend`, else of the environment variable
        ``AGNOGRAD_BACKEND``, else ``"numpy"``.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.default_backend()
    'numpy'
    """
    chosen = _default.get()
    if chosen is not None:
        return chosen
    return _process_default[-1] if _process_default else os.environ.get("AGNOGRAD_BACKEND", "numpy")


def set_default_backend(name: str) -> None:
    """Choose the backend of creation functions for the process.

    Parameters
    ----------
    name : str
        Name of the backend.

    Raises
    ------
    UnknownBackendError, BackendUnavailableError
        If it cannot be used; the default stays what it was.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.set_default_backend("numpy")
    """
    spaces.named(name)
    _process_default[:] = [name]


@contextmanager
def use_backend(name: str) -> Iterator[Namespace]:
    """Choose the backend of creation functions within a block, in this thread or asyncio task.

    Parameters
    ----------
    name : str
        Name of the backend.

    Yields
    ------
    Namespace
        Its namespace.

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


def to_backend(x: Any, name: str, *, lifted: bool = False) -> Any:
    """Convert an array or tensor to another backend, through host memory; the gradient travels back.

    Parameters
    ----------
    x : Tensor or array
        What to convert.
    name : str
        The backend to convert to.
    lifted : bool
        Leave the gradient in the other backend: a lazy one would have to compute it on its way back. That is how small
        arrays in memory are taken into a lazy backend where both meet in an operation.

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
    return OPS["to_backend"].call(x, name, lifted=True) if lifted else OPS["to_backend"].call(x, name)


def _default_array(x: Any) -> Any:
    return spaces.named(default_backend()).module.asarray(x)


_operands._default_array[:] = [_default_array]
Array._namespace = staticmethod(_namespace_of)
