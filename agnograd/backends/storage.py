"""From the description of a backend to the namespace of its raw arrays, and from a type to who may know it."""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

from agnograd.backends import numpy, text
from agnograd.core.table import Space
from agnograd.errors import BackendUnavailableError
from agnograd.hookspecs import Backend

Array = Any

_CPU = 1  # as DLPack counts devices
_MANY = 1000  # elements that are shown without a gap
_EDGE = 4


def make_space(backend: Backend, given: Mapping[str, Callable[..., Any]]) -> Space:
    """The namespace of a backend's raw arrays; its library is imported here.

    Parameters
    ----------
    backend : Backend
    given : mapping
        Operation name to a kernel that is used instead of the backend's own.

    Raises
    ------
    BackendUnavailableError
        If the library is not installed, or does not work on this machine.
    """
    for required in backend.requires:
        if required not in sys.modules and not _importable(required):
            msg = (
                f"backend {backend.name!r} needs {required!r}, which is not installed. "
                f"Install it with: {install_command(backend)}"
            )
            raise BackendUnavailableError(msg)
    try:
        if backend.probe is not None:
            backend.probe()
        module = importlib.import_module(backend.namespace)
        filled = Filled(backend, module)
        space = Space(
            backend.name,
            module,
            kernels={**filled.own_kernels, **given},
            device=backend.device or _compat_device,
            copy=filled.copy,
            writeable=backend.writeable,
            guard=backend.guard() if backend.guard is not None else None,
            is_scalar=backend.is_scalar,
            backend=filled,
        )
        if backend.deferral:
            name, _, function = backend.deferral.partition(":")
            space.deferral = getattr(importlib.import_module(name), function)(space)
    except Exception as error:
        msg = (
            f"backend {backend.name!r} is installed but does not work on this machine: "
            f"{type(error).__name__}: {error}. `python -m agnograd backends` lists those that do."
        )
        raise BackendUnavailableError(msg) from error
    return space


class Filled:
    """A backend's description with its defaults filled in from array-api-compat.

    Attributes
    ----------
    own_kernels : dict
        The kernels that the backend brings along, without those of plugins, which come and go.
    copy : callable
        ``copy(x)``, an independent array.
    """

    def __init__(self, backend: Backend, module: Any) -> None:
        self._backend = backend
        self._module = module
        own = backend.kernels() if backend.kernels is not None else {}
        self.own_kernels: dict[str, Callable[..., Array]] = {"searchsorted": _searchsorted(module), **own}
        self.copy: Callable[[Array], Array] = backend.copy or _copier(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def to_host(self, x: Array) -> Any:
        """The values as a NumPy array."""
        return self._backend.to_host(x)

    def from_host(self, x: Any, device: Any = None) -> Array:
        """An array of the backend with the values of a NumPy array."""
        if self._backend.from_host is not None:
            return self._backend.from_host(x)
        return self._module.asarray(x, device=device)

    def to_device(self, x: Array, device: Any, stream: Any = None) -> Array:
        """The array on another device."""
        if self._backend.to_device is not None:
            return self._backend.to_device(x, device, stream)
        from array_api_compat import to_device

        return to_device(x, device, stream=stream)

    def to_array(self, x: Array, dtype: Any, copy: bool | None) -> Any:
        """What ``numpy.asarray`` of a tensor gives."""
        return numpy.to_array(self._backend.to_host(x), dtype, copy)

    def to_dlpack(self, x: Array, *, dl_device: Any = None, copy: bool | None = None, **options: Any) -> Any:
        """A capsule as `dl_device` may ask for it; what a library cannot export itself is exported from the host."""
        given = {"dl_device": dl_device, "copy": copy, **options}
        own = self.dlpack_device(x)
        if not hasattr(x, "__dlpack__"):
            x = self._backend.to_host(x)
        elif dl_device is not None and int(dl_device[0]) == _CPU != int(own[0]):
            if copy is False:
                msg = "memory of another device cannot be exported to the CPU without a copy, and copy=False was given"
                raise BufferError(msg)
            x = self._backend.to_host(x)
            given |= {"copy": None, "stream": None}
        elif copy and int(own[0]) != _CPU:
            # CuPy copies to the CPU only.
            x = self.copy(x)
            given["copy"] = None
        return x.__dlpack__(**{k: v for k, v in given.items() if v is not None})

    def dlpack_device(self, x: Array) -> tuple[Any, int]:
        """Device type and number, as DLPack counts them; the CPU where a library does not tell."""
        return x.__dlpack_device__() if hasattr(x, "__dlpack_device__") else (_CPU, 0)

    def to_scalar(self, x: Array) -> Any:
        """The only value as a Python scalar."""
        return self._backend.to_host(x).reshape(-1)[0].item()

    def describe(self, x: Array) -> str:
        """The part of a tensor's text that stands for the values."""
        own = self._backend.describe(x) if self._backend.describe is not None else None
        if own is not None:
            return own
        if self._backend.lazy:
            return f"shape={tuple(x.shape)}, dtype={x.dtype}"
        edges = _edges(self._module, x) if math.prod(x.shape) > _MANY else None
        return text.describe(self._backend.to_host(x if edges is None else edges), abridged=edges is not None)


def _edges(xp: Any, x: Array) -> Array:
    """The outermost elements along each axis, one more than a text shows, so that it shows the gap; the rest stays."""
    for axis, n in enumerate(x.shape):
        if n > 2 * _EDGE:
            lead = (slice(None),) * axis
            x = xp.concat([x[(*lead, part, ...)] for part in (slice(0, _EDGE), slice(n - _EDGE, n))], axis=axis)
    return x


def _compat_device(x: Array) -> Any:
    from array_api_compat import device

    return device(x)


def _copier(module: Any) -> Callable[[Array], Array]:
    def copy(x: Array) -> Array:
        return module.asarray(x, copy=True)

    return copy


def _searchsorted(module: Any) -> Callable[..., Array]:
    # The order is a parameter, which nothing has opened; NumPy would ask a wrapper there to do its work.
    def searchsorted(x1: Array, x2: Any, *, side: str = "left", sorter: Any = None) -> Array:
        if sorter is not None:
            x1 = module.take(x1, getattr(sorter, "array", sorter))
        return module.searchsorted(x1, x2, side=side)

    return searchsorted


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def install_command(backend: Backend) -> str:
    """What a user types to install the library of a backend."""
    own = backend.extra in {"dask", "strict", "cuda12", "cuda13"}
    return f"pip install '{f'agnograd[{backend.extra}]' if own else backend.extra or backend.name}'"


def distance(backend: Backend, type_: type) -> int | None:
    """How far up among the bases of a type the backend's array type is; None if it is not there.

    Whose array something is is found by importing nothing: a type exists only where its module is loaded.
    """
    bases = type_.__mro__
    found = []
    for described in backend.array_types:
        module, _, name = described.partition(":")
        claimed = getattr(sys.modules.get(module), name, None)
        if isinstance(claimed, type) and issubclass(type_, claimed):
            found.append(bases.index(claimed) if claimed in bases else len(bases))
    return min(found, default=None)


def is_own_type(backend: Backend, type_: type) -> bool:
    """Whether a type belongs to the library of a backend, and not to one that derives its arrays from it."""
    return any(type_.__module__.split(".")[0] == t.split(":")[0].split(".")[0] for t in backend.array_types)
