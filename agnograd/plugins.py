"""The plugin manager: finds, validates and attributes what plugins provide, and fills the tables of the core.

Built-in backends are registered directly. Third parties come through the entry-point group ``agnograd``, which is read
once, at first need: at an unknown array type, an unknown backend or operation, or when plugins are listed. pluggy's own
loader stops at the first broken entry point, drops a second one of the same name and accepts misspelt hooks; this one
isolates each plugin and says what it skipped.

A plugin that breaks the contract is skipped as a whole. What is built in cannot be replaced, and where two plugins
claim one name neither is chosen: using that name raises, and names both.

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
import importlib.metadata
import inspect
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

import pluggy

from agnograd import hookspecs
from agnograd.backends import cupy, dask, numpy, strict
from agnograd.backends.storage import distance, install_command, is_own_type, make_space
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
    UnknownPluginError,
)
from agnograd.hookspecs import Backend, Kernel, ObserverSpec

__all__ = ["Manager", "Record", "install_command", "isolated", "manager"]

GROUP = "agnograd"
_BUILT_IN = {"numpy": numpy, "dask": dask, "strict": strict, "cupy": cupy}
_BACKENDS, _OPS, _KERNELS, _OBSERVERS = _HOOKS = (
    "agnograd_backends",
    "agnograd_ops",
    "agnograd_kernels",
    "agnograd_observers",
)
_RETURNS: dict[str, type] = dict(zip(_HOOKS, (Backend, Op, Kernel, ObserverSpec), strict=True))
_KINDS = dict(zip(_HOOKS, ("backend", "operation", "kernel", "observer"), strict=True))


@dataclass(eq=False)
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
        Why it failed, or what of it cannot be used.
    provides : dict
        Hook name to the names of what it returned.
    built_in : bool
        Whether it is agnograd's own.
    """

    name: str
    distribution: str = ""
    version: str = ""
    status: str = "loaded"
    error: str = ""
    provides: dict[str, list[str]] = field(default_factory=dict)
    built_in: bool = False

    @property
    def label(self) -> str:
        """Name, distribution and version, for messages."""
        origin = f"{self.distribution} {self.version}".strip()
        return f"{self.name} ({origin})" if origin else self.name


class Manager:
    """The plugins of this process.

    There is one at a time, `agnograd.plugins.manager`, since it fills the tables of the process; `isolated` gives a
    test one of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pluggy = pluggy.PluginManager(GROUP)
        self._pluggy.add_hookspecs(hookspecs)
        self.records: list[Record] = []
        self._scanned = False
        # (hook, name) to all who provide it, and what they provide.
        self._claims: dict[tuple[str, str], list[tuple[Record, Any]]] = {}
        self._backends: dict[str, Backend] = {}
        self._spaces: dict[str, Space] = {}
        for name, module in _BUILT_IN.items():
            record = Record(name, "agnograd", built_in=True)
            self._add(module, record)
            self.records.append(record)

    # -- loading -----------------------------------------------------------------------------------------------------

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
            points = importlib.metadata.entry_points(group=GROUP)
            for point in sorted(points, key=lambda p: (p.name, p.dist.name if p.dist else "")):
                distribution, version = (point.dist.name, point.dist.version) if point.dist else ("", "")
                record = Record(point.name, distribution, version)
                self.records.append(record)
                if _disabled(record):
                    record.status = "disabled"
                    continue
                try:
                    self._add(point.load(), record)
                except (Exception, SystemExit) as error:
                    record.status = "failed"
                    record.error = _reason(error)
                    problems.append((record, error))
            problems += [(record, PluginError(record.error)) for record in self._mark_idle_kernels()]
        _report(problems)

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
                for kernel in self._items(_KERNELS, record):
                    problem = self._idle(kernel)
                    if problem:
                        raise PluginError(problem)
            except Exception as error:
                self._release(record)
                msg = f"plugin {name!r} cannot be registered: {_reason(error)}"
                raise PluginError(msg) from error
            self.records.append(record)
        return record

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
        _check_hooks(plugin)
        try:
            self._pluggy.register(plugin, name=key)
            provided = {hook: self._call(hook, plugin) for hook in _HOOKS}
            for hook, items in provided.items():
                self._check(hook, items)
            for hook, items in provided.items():
                record.provides[hook] = [item.name for item in items]
                for item in items:
                    self._claims.setdefault((hook, item.name), []).append((record, item))
                    self._settle(hook, item.name)
        except BaseException:
            self._release(record)
            raise

    def _release(self, record: Record) -> None:
        """Let go of all that a plugin provides."""
        if self._pluggy.has_plugin(_key(record)):
            self._pluggy.unregister(name=_key(record))
        for (hook, name), claims in list(self._claims.items()):
            kept = [claim for claim in claims if claim[0] is not record]
            if len(kept) < len(claims):
                self._claims[hook, name] = kept
                self._settle(hook, name)

    def _call(self, hook: str, plugin: object) -> list[Any]:
        others = [p for p in self._pluggy.get_plugins() if p is not plugin]
        expected = _RETURNS[hook]
        out: list[Any] = []
        for result in self._pluggy.subset_hook_caller(hook, others)():
            if result is None:
                continue
            if not isinstance(result, Iterable) or isinstance(result, (str, bytes)):
                msg = f"{hook} must return an iterable of {expected.__name__} objects, got {type(result).__name__}"
                raise PluginError(msg)
            for item in result:
                if not isinstance(item, expected):
                    msg = f"{hook} must return {expected.__name__} objects, got {type(item).__name__}"
                    raise PluginError(msg)
                out.append(item)
        return out

    def _check(self, hook: str, items: list[Any]) -> None:
        """Refuse what no plugin may provide; what another plugin provides too is not refused, but not used either."""
        names = set()
        for item in items:
            name = item.name
            if name in names:
                msg = f"{hook} returns two of the name {name!r}"
                raise PluginError(msg)
            names.add(name)
            claims = self._claims.get((hook, name), [])
            built_in = any(r.built_in for r, _ in claims) or (hook == _OPS and not claims and name in OPS)
            if built_in:
                hint = " Give a Kernel to make it faster on one backend." if hook == _OPS else ""
                msg = f"{_KINDS[hook]} {name!r} is built in and cannot be replaced. Choose another name.{hint}"
                raise PluginError(msg)
            if isinstance(item, Kernel) and item.op in OPS and OPS[item.op].tier == "composite":
                msg = (
                    f"operation {item.op!r} is made of other operations: give kernels for those, it has no body itself"
                )
                raise PluginError(msg)

    # -- what is claimed, and what of it is in use -------------------------------------------------------------------

    def _items(self, hook: str, record: Record | None = None) -> list[Any]:
        return [
            item
            for (kind, _), claims in self._claims.items()
            if kind == hook
            for owner, item in claims
            if record is None or owner is record
        ]

    def _settle(self, hook: str, name: str) -> None:
        """Bring the tables in line with who claims a name now."""
        claims = self._claims[hook, name]
        if not claims:
            del self._claims[hook, name]
        if hook == _BACKENDS:
            self._settle_backend(name, [item for _, item in claims])
        elif hook == _KERNELS:
            self._settle_kernels(name.rpartition("@")[2])
        elif hook == _OPS:
            table.unregister(name)
            table.contested.pop(name, None)
            if len(claims) == 1:
                table.register(claims[0][1])
            elif claims:
                # Which of them is meant cannot be told: neither runs.
                table.contested[name] = partial(self._conflict, hook, name)

    def _settle_backend(self, name: str, descriptions: list[Backend]) -> None:
        if descriptions:
            self._backends[name] = descriptions[0]
        else:
            self._backends.pop(name, None)
        former = self._spaces.pop(name, None)
        known = list(spaces.items())
        stale = [t for t, s in known if s is former or any(distance(d, t) is not None for d in descriptions)]
        for type_ in stale:
            del spaces[type_]
        if stale:
            table.forget_bodies()

    def _settle_kernels(self, backend: str) -> None:
        space = self._spaces.get(backend)
        if space is not None:
            space.kernels.clear()
            space.kernels.update(space.backend.own_kernels)
            space.kernels.update(self._given_kernels(backend))
            table.forget_bodies()

    def _given_kernels(self, backend: str) -> dict[str, Callable[..., Any]]:
        """Operation name to the kernel of a plugin; where two give one, to a function that says so."""
        found = {}
        for (hook, name), claims in self._claims.items():
            if hook == _KERNELS and claims and claims[0][1].backend == backend:
                kernel = claims[0][1]
                found[kernel.op] = kernel.body if len(claims) == 1 else _raising(partial(self._conflict, hook, name))
        return found

    def _mark_idle_kernels(self) -> list[Record]:
        """Note which plugins give kernels for what is not there, after all were loaded."""
        marked = []
        for record in self.records:
            problems = [problem for kernel in self._items(_KERNELS, record) if (problem := self._idle(kernel))]
            if problems:
                record.error = "; ".join(problems)
                marked.append(record)
        return marked

    def _idle(self, kernel: Kernel) -> str:
        """Why a kernel is never used; empty if it is."""
        for kind, name, known in (("operation", kernel.op, OPS), ("backend", kernel.backend, self._backends)):
            if name not in known and name not in table.contested:
                return f"kernel {kernel.name!r} is for an unknown {kind}{_similar(name, known)}"
        return ""

    def conflicts(self) -> list[str]:
        """What several plugins claim, each in the words of the error that its use raises."""
        self.load()
        return [str(self._conflict(hook, name)) for (hook, name), claims in self._claims.items() if len(claims) > 1]

    def _conflict(self, hook: str, name: str) -> ConflictError:
        owners = [record for record, _ in self._claims[hook, name]]
        listed = "".join(f"\n  - {r.label}" for r in owners)
        return ConflictError(
            f"{_KINDS[hook]} {name!r} is provided by {len(owners)} plugins:{listed}\n"
            f"Uninstall one, or set AGNOGRAD_DISABLE_PLUGINS={owners[-1].name}."
        )

    def _check_conflict(self, hook: str, name: str) -> None:
        if len(self._claims.get((hook, name), ())) > 1:
            raise self._conflict(hook, name)

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
        self._check_conflict(_BACKENDS, name)
        if name not in self._backends:
            origin = (
                " (from the environment variable AGNOGRAD_BACKEND)"
                if os.environ.get("AGNOGRAD_BACKEND") == name
                else ""
            )
            msg = (
                f"no backend named {name!r}{origin}{_similar(name, self._backends)} "
                f"Known: {', '.join(sorted(self._backends))}.{self._failures()}"
            )
            raise UnknownBackendError(msg)
        return self._backends[name]

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
        found = self._spaces.get(name)
        if found is None:
            backend = self.find_backend(name)
            with self._lock:
                found = self._spaces.get(name)
                if found is None:
                    found = self._spaces[name] = make_space(backend, self._given_kernels(name))
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
        found = [(d, b) for b in self._items(_BACKENDS) if (d := distance(b, type_)) is not None]
        return [b for d, b in found if d == min(found, key=itemgetter(0))[0]]

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
        self._check_conflict(_OBSERVERS, name)
        known = {item.name: item for item in self._items(_OBSERVERS)}
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            msg = f"no observer named {name!r}{_similar(name, known)} Known: {names}.{self._failures()}"
            raise UnknownPluginError(msg)
        found: ObserverSpec = known[name]
        return found

    def provider(self, op: str) -> str:
        """Who provides an operation."""
        claims = self._claims.get((_OPS, op))
        return claims[0][0].label if claims else "agnograd"

    def _failures(self) -> str:
        failed = [r.label for r in self.records if r.status == "failed"]
        return f" Plugins that failed to load and may provide it: {', '.join(failed)}." if failed else ""


def _key(record: Record) -> str:
    # pluggy drops a second plugin of the same name without a word.
    return f"{record.name}@{record.distribution}"


def _check_hooks(plugin: object) -> None:
    """Refuse hooks that no specification knows, which pluggy would ignore, and a plugin that has none."""
    hooks = 0
    for name in dir(plugin):
        # Without running properties, or what a package imports lazily.
        options = getattr(inspect.getattr_static(plugin, name, None), "agnograd_impl", None)
        if not isinstance(options, dict):
            continue
        hooks += 1
        meant = options.get("specname") or name
        if meant not in _HOOKS and not options.get("optionalhook"):
            msg = f"unknown hook {meant!r}{_similar(meant, _HOOKS)} This agnograd knows {', '.join(_HOOKS)}."
            raise PluginError(msg)
    if not hooks:
        msg = f"it has no hooks. Mark functions named {', '.join(_HOOKS)} with @agnograd.hookimpl."
        raise PluginError(msg)


def _similar(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), list(known), n=2)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else "."


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"


def _raising(error: Callable[[], Exception]) -> Callable[..., Any]:
    def raising(*_: Any, **__: Any) -> Any:
        raise error()

    return raising


def _report(problems: list[tuple[Record, BaseException]]) -> None:
    """Tell of broken plugins as the user wants it: warn, raise, or say nothing."""
    policy = os.environ.get("AGNOGRAD_PLUGIN_ERRORS", "warn")
    if policy == "ignore" or not problems:
        return
    messages = []
    for record, _ in problems:
        origin = f" from {record.distribution} {record.version}" if record.distribution else ""
        fate = "was skipped" if record.status == "failed" else "is used in part"
        reason = record.error if record.error.endswith((".", "?")) else f"{record.error}."
        messages.append(
            f"agnograd plugin {record.name!r}{origin} {fate}: {reason} "
            f"Update or uninstall it, or set AGNOGRAD_DISABLE_PLUGINS={record.name}."
        )
    if policy == "raise":
        error = PluginError(messages[0])
        for other in messages[1:]:
            error.add_note(other)
        raise error from problems[0][1]
    for msg in messages:
        warnings.warn(msg, PluginLoadWarning, stacklevel=3)


def _disabled(record: Record) -> bool:
    allowed = _listed("AGNOGRAD_LOAD_PLUGINS")
    if allowed is not None and _normal(record.distribution) not in allowed:
        return True
    denied = _listed("AGNOGRAD_DISABLE_PLUGINS") or set()
    return not denied.isdisjoint({"*", _normal(record.name), _normal(record.distribution)})


def _listed(variable: str) -> set[str] | None:
    value = os.environ.get(variable)
    return None if value is None else {_normal(part) for part in value.split(",") if part.strip()}


def _normal(name: str) -> str:
    """A name as package indexes compare them: ``My_Plugin`` is ``my-plugin``."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


manager = Manager()


def _install(chosen: Manager) -> None:
    spaces.resolve = chosen.resolve
    spaces.named = chosen.space
    spaces.load = chosen.load


_install(manager)


@contextmanager
def isolated(*, installed: bool = False) -> Iterator[Manager]:
    """A manager of its own for a test; the process's own comes back afterwards, with all its tables.

    Parameters
    ----------
    installed : bool
        Whether it reads the entry points, as the process's own does. By default it has the built-in plugins only.

    Examples
    --------
    >>> from agnograd import plugins
    >>> with plugins.isolated() as manager:
    ...     sorted(manager.backends())
    ['cupy', 'dask', 'numpy', 'strict']
    """
    global manager  # noqa: PLW0603 - one manager a process is the point
    tables: tuple[dict[Any, Any], ...] = (spaces, OPS, table.contested)
    outer, kept = manager, [dict(content) for content in tables]
    for operation in outer._items(_OPS):
        OPS.pop(operation.name, None)
    spaces.clear()
    table.contested.clear()
    table.forget_bodies()
    manager = Manager()
    manager._scanned = not installed
    _install(manager)
    try:
        yield manager
    finally:
        manager = outer
        _install(outer)
        for content, former in zip(tables, kept, strict=True):
            content.clear()
            content.update(former)
        table.forget_bodies()
