"""The manager: takes plugins in and out, and answers who provides what."""

from __future__ import annotations

import os
import threading
import warnings
from operator import itemgetter

import pluggy

from agnograd import hookspecs, observers
from agnograd.backends import cupy, dask, numpy, strict
from agnograd.backends.storage import distance, is_own_type
from agnograd.core import table
from agnograd.core.op import Op
from agnograd.core.table import OPS, Space
from agnograd.errors import (
    BackendUnavailableError,
    ConflictError,
    PluginError,
    PluginLoadWarning,
    UnknownBackendError,
    UnknownOperationError,
    UnknownPluginError,
)
from agnograd.hookspecs import Backend, ObserverSpec
from agnograd.plugins import contract, loading
from agnograd.plugins.claims import Claims
from agnograd.plugins.contract import BACKENDS, HOOKS, KERNELS, OBSERVERS, OPERATIONS, similar
from agnograd.plugins.record import Record
from agnograd.plugins.tables import Tables

_BUILT_IN = {"numpy": numpy, "dask": dask, "strict": strict, "cupy": cupy, "observers": observers}


class Manager:
    """The plugins of this process.

    There is one at a time, `agnograd.plugins.manager`, since it fills the tables of the process; `isolated` gives a
    test one of its own.

    Parameters
    ----------
    installed : bool
        Whether it reads the entry points when they are needed. The built-in plugins are there in any case.

    Attributes
    ----------
    records : list of Record
        What became of each plugin.
    """

    def __init__(self, *, installed: bool = True) -> None:
        self._lock = threading.RLock()
        self._pluggy = pluggy.PluginManager(loading.GROUP)
        self._pluggy.add_hookspecs(hookspecs)
        self.records: list[Record] = []
        self._scanned = not installed
        self._claims = Claims()
        self._tables = Tables(self._claims)
        for name, module in _BUILT_IN.items():
            record = Record(name, "agnograd", built_in=True)
            self._add(module, record)
            self.records.append(record)

    # -- plugins come and go -----------------------------------------------------------------------------------------

    def load(self) -> None:
        """Read the entry points, once.

        Raises
        ------
        PluginError
            If a plugin is broken and ``AGNOGRAD_PLUGIN_ERRORS`` is ``raise``. The others are loaded all the same.
        """
        problems: list[tuple[Record, BaseException]] = []
        with self._lock:
            if self._scanned:
                return
            self._scanned = True
            for record, point in loading.installed():
                self.records.append(record)
                if loading.is_disabled(record):
                    record.status = "disabled"
                    continue
                try:
                    self._add(point.load(), record)
                except (Exception, SystemExit) as error:
                    record.status = "failed"
                    record.error = loading.reason(error)
                    problems.append((record, error))
            # Now that all are there, it is known what a kernel can be for.
            for record in self.records:
                idle = self._idle_kernels(record)
                if idle:
                    record.error = "; ".join(idle)
                    problems.append((record, PluginError(record.error)))
        loading.report(problems)

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
            try:
                self._add(plugin, record)
                idle = self._idle_kernels(record)
                if idle:
                    raise PluginError(idle[0])
            except Exception as error:
                self._release(record)
                msg = f"plugin {name!r} cannot be registered: {loading.reason(error)}"
                raise PluginError(msg) from error
            self.records.append(record)
        self._warn_if_late(record)
        return record

    def _warn_if_late(self, record: Record) -> None:
        """Tell of functions that namespaces do not have, because client code has been given theirs."""
        handed_out = [
            s.name for s in self._tables.spaces.values() if s.wrapped is not None and "special" in s.wrapped.kept
        ]
        late = [name for name in record.provides[OPERATIONS] if name.startswith("special.")]
        if handed_out and late:
            msg = (
                f"plugin {record.name!r} adds {', '.join(late)} after `special` was asked for on "
                f"{', '.join(handed_out)}. There it stays as it was, since SciPy remembers what it found. Register "
                f"plugins before."
            )
            warnings.warn(msg, PluginLoadWarning, stacklevel=3)

    def unregister(self, name: str) -> None:
        """Take a plugin out again, with all that it provided.

        Raises
        ------
        UnknownPluginError
            If none of that name is loaded.
        PluginError
            If it is built in.
        """
        with self._lock:
            loaded = {r.name: r for r in self.records if r.status == "loaded"}
            record = loaded.get(name)
            if record is None:
                msg = f"no plugin named {name!r} is loaded. Loaded: {', '.join(loaded)}."
                raise UnknownPluginError(msg)
            if record.built_in:
                msg = f"plugin {name!r} is built in and cannot be taken out"
                raise PluginError(msg)
            self._release(record)
            self.records.remove(record)

    def _add(self, plugin: object, record: Record) -> None:
        """Accept what a plugin provides; if it breaks the contract, raise and keep nothing of it."""
        key = _key(record)
        if self._pluggy.has_plugin(key):
            msg = f"a plugin named {record.name!r} is there already"
            raise PluginError(msg)
        contract.check_hooks(plugin)
        try:
            self._pluggy.register(plugin, name=key)
            others = [p for p in self._pluggy.get_plugins() if p is not plugin]
            provided = {hook: contract.collect(hook, self._pluggy.subset_hook_caller(hook, others)()) for hook in HOOKS}
            for hook, items in provided.items():
                contract.check_items(hook, items, self._claims.is_built_in)
            for hook, items in provided.items():
                record.provides[hook] = [item.name for item in items]
                for item in items:
                    self._claims.add(record, hook, item)
                    self._tables.settle(hook, item.name)
        except BaseException:
            self._release(record)
            raise

    def _release(self, record: Record) -> None:
        """Let go of all that a plugin provides."""
        if self._pluggy.has_plugin(_key(record)):
            self._pluggy.unregister(name=_key(record))
        for hook, name in self._claims.release(record):
            self._tables.settle(hook, name)
        record.provides.clear()

    def _idle_kernels(self, record: Record) -> list[str]:
        """Why kernels of a plugin are never used, those that are not."""
        return [problem for kernel in self._claims.items(KERNELS, record) if (problem := self._tables.idle(kernel))]

    # -- backends ----------------------------------------------------------------------------------------------------

    def backends(self) -> dict[str, Backend]:
        """All backends that are described, by name."""
        self.load()
        return dict(self._tables.backends)

    def find_backend(self, name: str) -> Backend:
        """The description of a backend.

        Raises
        ------
        UnknownBackendError
            If there is none of that name.
        ConflictError
            If two plugins describe it.
        """
        known = self._tables.backends
        if name not in known:
            self.load()
        self._claims.check(BACKENDS, name)
        if name not in known:
            from agnograd.elsewhere import backend_hint

            origin = (
                " (from the environment variable AGNOGRAD_BACKEND)"
                if os.environ.get("AGNOGRAD_BACKEND") == name
                else ""
            )
            msg = (
                f"no backend named {name!r}{origin}{similar(name, known)}{backend_hint(name)} "
                f"Known: {', '.join(sorted(known))}.{self._failures()}"
            )
            raise UnknownBackendError(msg)
        return known[name]

    def unavailable(self, name: str) -> str | None:
        """Why a backend cannot be used here; None if it can."""
        try:
            self.space(name)
        except (BackendUnavailableError, ConflictError) as error:
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
        found = self._tables.spaces.get(name)
        if found is None:
            backend = self.find_backend(name)
            with self._lock:
                found = self._tables.space(backend)
        return found

    def resolve(self, type_: type) -> Space | None:
        """The namespace for a type of array; None if no backend claims it. Imports nothing but the backend found.

        Raises
        ------
        ConflictError
            If two backends claim the type.
        """
        nearest = self._nearest(type_)
        if not nearest or not is_own_type(nearest[0], type_):
            # A plugin may know the type, or know it better: that of a subclass from another library.
            self.load()
            nearest = self._nearest(type_)
        names = sorted({backend.name for backend in nearest})
        if len(names) > 1:
            known = f"{type_.__module__}.{type_.__qualname__}"
            msg = f"arrays of type {known} are claimed by the backends {' and '.join(names)}. Uninstall one."
            raise ConflictError(msg)
        return self.space(names[0]) if names else None

    def _nearest(self, type_: type) -> list[Backend]:
        """The backends whose array type is the nearest among the bases of a type."""
        found = [(d, b) for b in self._claims.items(BACKENDS) if (d := distance(b, type_)) is not None]
        return [b for d, b in found if d == min(found, key=itemgetter(0))[0]]

    # -- operations, observers, and who provides them ----------------------------------------------------------------

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
        try:
            return table.find(name)
        except UnknownOperationError as error:
            failures = self._failures()
            if failures:
                error.add_note(failures.strip())
            raise

    def find_observer(self, name: str) -> ObserverSpec:
        """The observer of that name.

        Raises
        ------
        UnknownPluginError
            If there is none.
        ConflictError
            If two plugins provide it.
        """
        self.load()
        self._claims.check(OBSERVERS, name)
        known = {item.name: item for item in self._claims.items(OBSERVERS)}
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            msg = f"no observer named {name!r}{similar(name, known)} Known: {names}.{self._failures()}"
            raise UnknownPluginError(msg)
        found: ObserverSpec = known[name]
        return found

    def provider(self, op: str) -> str:
        """Who provides an operation."""
        owners = self._claims.owners(OPERATIONS, op)
        return owners[0].label if owners else "agnograd"

    def conflicts(self) -> list[str]:
        """What several plugins claim, each in the words of the error that its use raises."""
        self.load()
        return [str(error) for error in self._claims.conflicts()]

    def _failures(self) -> str:
        failed = [r.label for r in self.records if r.status == "failed"]
        return f" Plugins that failed to load and may provide it: {', '.join(failed)}." if failed else ""


def _key(record: Record) -> str:
    # pluggy drops a second plugin of the same name without a word.
    return f"{record.name}@{record.distribution}"
