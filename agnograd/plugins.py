"""The plugin manager: finds, validates and attributes what plugins provide, and fills the tables of the core.

Built-in backends are registered directly. Third parties come through the entry-point group ``agnograd``, which is read
once, at first need: at an unknown array type, an unknown backend or operation, or when plugins are listed. pluggy's own
loader stops at the first broken entry point, drops a second one of the same name and accepts misspelt hooks; this one
isolates each plugin and says what it skipped.

Environment variables
---------------------
AGNOGRAD_DISABLE_PLUGINS
    Names of plugins or distributions, separated by commas, or ``*``.
AGNOGRAD_LOAD_PLUGINS
    If set, only these distributions are considered.
AGNOGRAD_PLUGIN_ERRORS
    ``warn`` (default), ``raise`` or ``ignore``.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pluggy

from agnograd import hookspecs
from agnograd.backends import cupy, dask, numpy, strict
from agnograd.core import table
from agnograd.core.op import Op
from agnograd.core.table import OPS, Space, spaces
from agnograd.errors import (
    BackendUnavailableError,
    ConflictError,
    PluginError,
    PluginLoadWarning,
    UnknownBackendError,
    UnknownOperationError,
)
from agnograd.hookspecs import Backend, Kernel, ObserverSpec

GROUP = "agnograd"
_BUILT_IN = {"numpy": numpy, "dask": dask, "strict": strict, "cupy": cupy}
_RETURNS: dict[str, type] = {
    "agnograd_backends": Backend,
    "agnograd_ops": Op,
    "agnograd_kernels": Kernel,
    "agnograd_observers": ObserverSpec,
}
# Of several kernels for one operation the last wins; of these things there can be but one.
_KINDS = {"agnograd_backends": "backend", "agnograd_ops": "operation", "agnograd_observers": "observer"}


@dataclass
class Record:
    """What became of one plugin.

    Attributes
    ----------
    name : str
        Name of the entry point.
    distribution, version : str
        Who provides it.
    status : str
        ``loaded``, ``disabled`` or ``failed``.
    error : str
        Why it failed.
    provides : dict
        Hook name to the names of what it returned.
    """

    name: str
    distribution: str = ""
    version: str = ""
    status: str = "loaded"
    error: str = ""
    provides: dict[str, list[str]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name, distribution and version, for messages."""
        origin = f"{self.distribution} {self.version}".strip()
        return f"{self.name} ({origin})" if origin else self.name


class Manager:
    """The plugins of this process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pluggy = pluggy.PluginManager(GROUP)
        self._pluggy.add_hookspecs(hookspecs)
        self.records: list[Record] = []
        self._scanned = False
        self._owners: dict[tuple[str, str], list[Record]] = {}
        self._backends: dict[str, Backend] = {}
        self._spaces: dict[str, Space] = {}
        self._ops: dict[str, Op] = {}
        self._kernels: dict[str, list[Kernel]] = {}
        self._observers: dict[str, ObserverSpec] = {}
        for name, module in _BUILT_IN.items():
            self._add(module, Record(name, "agnograd"), built_in=True)

    # -- loading -----------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Read the entry points, once."""
        with self._lock:
            if self._scanned:
                return
            self._scanned = True
            points = importlib.metadata.entry_points(group=GROUP)
            for point in sorted(points, key=lambda p: (p.name, p.dist.name if p.dist else "")):
                distribution, version = (point.dist.name, point.dist.version) if point.dist else ("", "")
                record = Record(point.name, distribution, version)
                if _disabled(record):
                    record.status = "disabled"
                    self.records.append(record)
                    continue
                try:
                    plugin = point.load()
                except Exception as error:
                    self._fail(record, error)
                    continue
                self._add(plugin, record)

    def register(self, plugin: object, name: str) -> Record:
        """Add a plugin for this process, without an entry point.

        Parameters
        ----------
        plugin : module or object
            What carries the hooks.
        name : str
            Its name in listings and messages.

        Raises
        ------
        PluginError
            If the plugin breaks the contract; nothing of it is kept.
        """
        record = Record(name)
        with self._lock:
            self._add(plugin, record, strict=True)
        return record

    def unregister(self, name: str) -> None:
        """Take a plugin out again, with all that it provided."""
        with self._lock:
            record = next(r for r in self.records if r.name == name and r.status == "loaded")
            self._pluggy.unregister(name=_key(record))
            self.records.remove(record)
            for kind, names in record.provides.items():
                for item in names:
                    self._withdraw(kind, item, record)

    def _add(self, plugin: object, record: Record, *, built_in: bool = False, strict: bool = False) -> None:
        self.records.append(record)
        try:
            _check_hooks(plugin)
            self._pluggy.register(plugin, name=_key(record))
            provided = {hook: self._call(hook, plugin) for hook in _RETURNS}
        except Exception as error:
            if self._pluggy.has_plugin(_key(record)):
                self._pluggy.unregister(name=_key(record))
            if strict or built_in:
                self.records.remove(record)
                if isinstance(error, PluginError):
                    raise
                msg = f"plugin {record.name!r} cannot be registered: {type(error).__name__}: {error}"
                raise PluginError(msg) from error
            self._fail(record, error)
            return
        for hook, items in provided.items():
            record.provides[hook] = [_name_of(item) for item in items]
            for item in items:
                self._accept(hook, item, record)

    def _call(self, hook: str, plugin: object) -> list[Any]:
        others = [p for p in self._pluggy.get_plugins() if p is not plugin]
        expected = _RETURNS[hook]
        out: list[Any] = []
        for result in self._pluggy.subset_hook_caller(hook, others)():
            for item in result or ():
                if not isinstance(item, expected):
                    msg = f"{hook} must return {expected.__name__} objects, got {type(item).__name__}"
                    raise PluginError(msg)
                out.append(item)
        return out

    def _fail(self, record: Record, error: Exception) -> None:
        record.status = "failed"
        record.error = f"{type(error).__name__}: {error}"
        if record not in self.records:
            self.records.append(record)
        policy = os.environ.get("AGNOGRAD_PLUGIN_ERRORS", "warn")
        origin = f" from {record.distribution} {record.version}" if record.distribution else ""
        msg = f"agnograd plugin {record.name!r}{origin} was skipped: {record.error}"
        if policy == "raise":
            raise PluginError(msg) from error
        if policy == "warn":
            warnings.warn(msg, PluginLoadWarning, stacklevel=2)

    # -- what plugins provide ----------------------------------------------------------------------------------------

    def _accept(self, hook: str, item: Any, record: Record) -> None:
        owners = self._owners.setdefault((hook, _name_of(item)), [])
        owners.append(record)
        if hook == "agnograd_kernels":
            self._kernels.setdefault(item.backend, []).append(item)
            self._install_kernel(item)
        elif len(owners) > 1:
            if hook == "agnograd_ops":
                # Which of them is meant cannot be told: neither runs.
                OPS.pop(item.name, None)
        elif hook == "agnograd_backends":
            self._backends[item.name] = item
        elif hook == "agnograd_observers":
            self._observers[item.name] = item
        elif item.name in OPS:
            owners.insert(0, Record("built-in operations", "agnograd"))
            record.error = (
                f"operation {item.name!r} is built in and cannot be replaced; give a Kernel for a faster body"
            )
        else:
            self._ops[item.name] = table.register(item)

    def _withdraw(self, hook: str, name: str, record: Record) -> None:
        owners = self._owners.get((hook, name), [])
        if record in owners:
            owners.remove(record)
        if hook == "agnograd_backends" and not owners:
            self._backends.pop(name, None)
            self._spaces.pop(name, None)
            for type_ in [t for t, s in spaces.items() if s.name == name]:
                del spaces[type_]
        elif hook == "agnograd_ops" and self._ops.pop(name, None) is not None:
            table.unregister(name)
        elif hook == "agnograd_observers":
            self._observers.pop(name, None)
        elif hook == "agnograd_kernels":
            op, _, backend = name.rpartition("@")
            self._kernels[backend] = [k for k in self._kernels[backend] if k.op != op]
            self._spaces.pop(backend, None)
            for type_ in [t for t, s in spaces.items() if s.name == backend]:
                del spaces[type_]
            table.forget_bodies()

    def conflicts(self) -> list[str]:
        """What several plugins claim, each in the words of the error that its use raises."""
        self.load()
        found = [self._conflict(hook, _KINDS[hook], name) for hook, name in self._owners if hook in _KINDS]
        return [text for text in found if text]

    def _check_conflict(self, hook: str, kind: str, name: str) -> None:
        msg = self._conflict(hook, kind, name)
        if msg:
            raise ConflictError(msg)

    def _conflict(self, hook: str, kind: str, name: str) -> str:
        owners = self._owners.get((hook, name), [])
        if len(owners) < 2:
            return ""
        listed = "".join(f"\n  - {r.label}" for r in owners)
        return (
            f"{kind} {name!r} is provided by {len(owners)} plugins:{listed}\n"
            f"Uninstall one, or set AGNOGRAD_DISABLE_PLUGINS={owners[-1].name}."
        )

    def _install_kernel(self, kernel: Kernel) -> None:
        space = self._spaces.get(kernel.backend)
        if space is not None:
            space.kernels[kernel.op] = kernel.body
            table.forget_bodies()

    # -- backends ----------------------------------------------------------------------------------------------------

    def backends(self) -> dict[str, Backend]:
        """All backends that are described, by name."""
        self.load()
        return dict(self._backends)

    def find_backend(self, name: str) -> Backend:
        """The description of a backend.

        Raises
        ------
        UnknownBackendError
            If there is none of that name.
        ConflictError
            If two plugins describe it.
        """
        if name not in self._backends:
            self.load()
        self._check_conflict("agnograd_backends", "backend", name)
        try:
            return self._backends[name]
        except KeyError:
            close = difflib.get_close_matches(str(name), self._backends, n=2)
            hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
            msg = f"no backend named {name!r}.{hint} Known: {', '.join(sorted(self._backends))}.{self._failures()}"
            raise UnknownBackendError(msg) from None

    def unavailable(self, name: str) -> str | None:
        """Why a backend cannot be used here; None if it can."""
        try:
            self.space(name)
        except BackendUnavailableError as error:
            return str(error)
        return None

    def space(self, name: str) -> Space:
        """The namespace of a backend's raw arrays; its library is imported here.

        Raises
        ------
        UnknownBackendError, ConflictError
            As `find_backend`.
        BackendUnavailableError
            If the library is not installed, or does not work on this machine.
        """
        backend = self.find_backend(name)
        with self._lock:
            found = self._spaces.get(name)
            if found is None:
                found = self._spaces[name] = self._make_space(backend)
            return found

    def _make_space(self, backend: Backend) -> Space:
        for module in backend.requires:
            if module not in sys.modules and not _importable(module):
                msg = (
                    f"backend {backend.name!r} needs {module!r}, which is not installed. "
                    f"Install it with: {install_command(backend)}"
                )
                raise BackendUnavailableError(msg)
        try:
            if backend.probe is not None:
                backend.probe()
            module = importlib.import_module(backend.namespace)
            kernels = dict(backend.kernels()) if backend.kernels is not None else {}
            kernels.update({k.op: k.body for k in self._kernels.get(backend.name, ())})
            space = Space(
                backend.name,
                module,
                kernels=kernels,
                device=backend.device or _compat_device,
                copy=backend.copy or _copier(module),
                writeable=backend.writeable,
                guard=backend.guard() if backend.guard is not None else None,
                is_scalar=backend.is_scalar,
                backend=_Filled(backend, module),
            )
        except Exception as error:
            msg = (
                f"backend {backend.name!r} is installed but does not work on this machine: "
                f"{type(error).__name__}: {error}. `python -m agnograd backends` lists those that do."
            )
            raise BackendUnavailableError(msg) from error
        return space

    def resolve(self, type_: type) -> Space | None:
        """The namespace for a type of array; None if no backend claims it. Imports nothing but the backend found."""
        for attempt in range(2):
            for backend in self._backends.values():
                if _claims(backend, type_):
                    return self.space(backend.name)
            if attempt == 0:
                self.load()
        return None

    # -- operations and observers ------------------------------------------------------------------------------------

    def operations(self) -> dict[str, Op]:
        """All operations, by name."""
        self.load()
        return dict(OPS)

    def find_op(self, name: str) -> Op:
        """The operation of that name, from a plugin if need be.

        Raises
        ------
        UnknownOperationError
            If there is none.
        ConflictError
            If two plugins provide it.
        """
        if name not in OPS:
            self.load()
        self._check_conflict("agnograd_ops", "operation", name)
        try:
            return table.find(name)
        except UnknownOperationError as error:
            failures = self._failures()
            if failures:
                error.add_note(failures.strip())
            raise

    def find_observer(self, name: str) -> ObserverSpec:
        """The observer of that name."""
        self.load()
        self._check_conflict("agnograd_observers", "observer", name)
        if name not in self._observers:
            msg = f"no observer named {name!r}. Known: {', '.join(sorted(self._observers)) or 'none'}."
            raise UnknownOperationError(msg)
        return self._observers[name]

    def provider(self, op: str) -> str:
        """Who provides an operation."""
        owners = self._owners.get(("agnograd_ops", op))
        return owners[0].label if owners else "agnograd"

    def _failures(self) -> str:
        failed = [r.label for r in self.records if r.status == "failed"]
        return f" Plugins that failed to load and may provide it: {', '.join(failed)}." if failed else ""


class _Filled:
    """A backend's description with its defaults filled in from array-api-compat."""

    def __init__(self, backend: Backend, module: Any) -> None:
        self._backend = backend
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def to_host(self, x: Any) -> Any:
        return self._backend.to_host(x)

    def from_host(self, x: Any, device: Any = None) -> Any:
        if self._backend.from_host is not None:
            return self._backend.from_host(x)
        return self._module.asarray(x, device=device)

    def to_device(self, x: Any, device: Any, stream: Any = None) -> Any:
        if self._backend.to_device is not None:
            return self._backend.to_device(x, device, stream)
        from array_api_compat import to_device

        return to_device(x, device, stream=stream)

    def to_array(self, x: Any, dtype: Any, copy: bool | None) -> Any:
        own = sys.modules["agnograd.backends.numpy"].to_array
        return own(self._backend.to_host(x), dtype, copy)

    def to_scalar(self, x: Any) -> Any:
        host = self._backend.to_host(x)
        return host.reshape(-1)[0].item()

    def describe(self, x: Any) -> str:
        if self._backend.describe is not None:
            return self._backend.describe(x)
        if self._backend.lazy:
            return f"shape={tuple(x.shape)}, dtype={x.dtype}"
        return numpy.describe(self._backend.to_host(x))


def _compat_device(x: Any) -> Any:
    from array_api_compat import device

    return device(x)


def _copier(module: Any) -> Callable[[Any], Any]:
    def copy(x: Any) -> Any:
        return module.asarray(x, copy=True)

    return copy


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def install_command(backend: Backend) -> str:
    """What a user types to install the library of a backend."""
    wanted = f"agnograd[{backend.extra}]" if _is_own_extra(backend.extra) else backend.extra or backend.name
    return f"pip install '{wanted}'"


def _is_own_extra(extra: str) -> bool:
    return extra in {"dask", "strict", "cuda12", "cuda13"}


def _claims(backend: Backend, type_: type) -> bool:
    for described in backend.array_types:
        module, _, name = described.partition(":")
        loaded = sys.modules.get(module)
        claimed = getattr(loaded, name, None) if loaded is not None else None
        if isinstance(claimed, type) and issubclass(type_, claimed):
            return True
    return False


def _key(record: Record) -> str:
    # pluggy drops a second plugin of the same name without a word.
    return f"{record.name}@{record.distribution}"


def _name_of(item: Any) -> str:
    return f"{item.op}@{item.backend}" if isinstance(item, Kernel) else str(item.name)


def _check_hooks(plugin: object) -> None:
    """Refuse hooks that no specification knows: pluggy would ignore them."""
    known = set(_RETURNS)
    for name in dir(plugin):
        member = getattr(type(plugin), name, None) if not hasattr(plugin, "__dict__") else vars(plugin).get(name)
        member = member if member is not None else getattr(type(plugin), name, None)
        options = getattr(member, "agnograd_impl", None)
        if options is None or name in known or options.get("optionalhook") or options.get("specname") in known:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        msg = f"unknown hook {name!r}{hint} This agnograd knows {', '.join(sorted(known))}."
        raise PluginError(msg)


def _disabled(record: Record) -> bool:
    allowed = _listed("AGNOGRAD_LOAD_PLUGINS")
    if allowed and record.distribution not in allowed:
        return True
    denied = _listed("AGNOGRAD_DISABLE_PLUGINS")
    return "*" in denied or record.name in denied or record.distribution in denied


def _listed(variable: str) -> set[str]:
    return {part.strip() for part in os.environ.get(variable, "").split(",") if part.strip()}


manager = Manager()


def _install(chosen: Manager) -> None:
    spaces.resolve = chosen.resolve
    spaces.named = chosen.space


_install(manager)


@contextmanager
def isolated() -> Iterator[Manager]:
    """A manager with the built-in plugins only, for tests; the process's own comes back afterwards."""
    global manager  # noqa: PLW0603 - one manager a process is the point
    outer, kept_spaces, kept_ops = manager, dict(spaces), dict(OPS)
    manager = Manager()
    manager._scanned = True
    spaces.clear()
    _install(manager)
    try:
        yield manager
    finally:
        manager = outer
        spaces.clear()
        spaces.update(kept_spaces)
        _install(outer)
        OPS.clear()
        OPS.update(kept_ops)
        table.forget_bodies()
