"""What the commands tell, as plain data: numbers, strings, lists and dicts that JSON can hold."""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import importlib.metadata
import platform
import re
from collections.abc import Iterator
from typing import Any

import agnograd
from agnograd import plugins as _plugins
from agnograd.core.op import Op
from agnograd.errors import AgnogradError
from agnograd.hookspecs import API_VERSION, Backend

# The extras that bring something to work with, in distinction to those for developers.
_EXTRAS = ("dask", "cuda12", "cuda13", "strict", "tour")


def info() -> dict[str, Any]:
    """All that there is here: versions, backends with their devices, plugins, and what does not work."""
    found, loaded = backends(), plugins()
    return {**versions(), "backends": found, **loaded, "problems": list(_problems(found, loaded))}


def _problems(found: list[dict[str, Any]], loaded: dict[str, Any]) -> Iterator[str]:
    """What does not work, and how to mend it."""
    for plugin in loaded["plugins"]:
        if plugin["error"]:
            yield (
                f"plugin {plugin['name']} ({plugin['distribution']} {plugin['version']}): {plugin['error']}. Update or "
                f"uninstall it, or set AGNOGRAD_DISABLE_PLUGINS={plugin['name']}."
            )
    yield from loaded["conflicts"]
    yield from (backend["reason"] for backend in found if not backend["available"])


def versions() -> dict[str, Any]:
    """Versions, and the backend that creation functions use."""
    name = agnograd.default_backend()
    return {
        "agnograd": agnograd.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "default_backend": name,
        "default_backend_error": unavailable(name),
        "hook_api": ".".join(map(str, API_VERSION)),
        "array_api": agnograd.Namespace.__array_api_version__,
        "dependencies": _dependencies(),
    }


def _dependencies() -> dict[str, str | None]:
    """Distribution name to installed version: what is required first, then what is optional."""
    required, optional = [], []
    for line in importlib.metadata.requires("agnograd") or ():
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        extra = re.search(r"""extra == ['"]([\w-]+)""", line)
        if extra is None:
            required.append(name)
        elif extra[1] in _EXTRAS:
            optional.append(name)
    return {name: _version(name) for name in (*sorted(required), *sorted(optional))}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def unavailable(name: str) -> str | None:
    """Why a backend cannot be used, whatever the reason: unknown, claimed twice, not installed, not working."""
    try:
        return _plugins.manager.unavailable(name)
    except AgnogradError as error:
        return str(error)


def backends() -> list[dict[str, Any]]:
    """All backends that are described, built in or by plugins."""
    return [_backend(backend) for backend in _plugins.manager.backends().values()]


def _backend(backend: Backend) -> dict[str, Any]:
    reason = unavailable(backend.name)
    return {
        "name": backend.name,
        "available": reason is None,
        "reason": reason,
        "install": _plugins.install_command(backend),
        "default": backend.name == agnograd.default_backend(),
        "devices": _devices(backend.name) if reason is None else [],
        "lazy": backend.lazy,
        "namespace": backend.namespace,
        "array_types": list(backend.array_types),
        "provider": _provider("agnograd_backends", backend.name),
        "doc": backend.doc,
        "url": backend.url,
    }


def _devices(name: str) -> list[str]:
    return [
        str(device) for device in agnograd.namespace(name).__array_namespace_info__().devices() if device is not None
    ]


def _provider(hook: str, name: str) -> str:
    return ", ".join(r.label for r in _plugins.manager.records if name in r.provides.get(hook, ()))


def plugins() -> dict[str, Any]:
    """What became of each plugin, and what several of them claim."""
    _plugins.manager.load()
    return {
        "plugins": [
            {
                "name": record.name,
                "distribution": record.distribution,
                "version": record.version or (agnograd.__version__ if record.distribution == "agnograd" else ""),
                "status": record.status,
                "provides": {hook: names for hook, names in record.provides.items() if names},
                "error": record.error,
            }
            for record in _plugins.manager.records
        ],
        "conflicts": _plugins.manager.conflicts(),
    }


def ops(pattern: str = "*") -> list[dict[str, Any]]:
    """The operations whose name matches a pattern of the shell."""
    found = _plugins.manager.operations()
    return [_op(op) for name, op in sorted(found.items()) if fnmatch.fnmatchcase(name, pattern)]


def _op(op: Op) -> dict[str, Any]:
    return {
        "name": op.name,
        "signature": str(op.signature),
        "tier": op.tier,
        # A composite has the derivatives of its parts.
        "differentiable": list(op.arrays if op.tier == "composite" else op.differentiable),
        "provider": _plugins.manager.provider(op.name),
        "view": op.view is not None,
        "standard": _is_standard(op),
        "doc": op.doc,
    }


def _is_standard(op: Op) -> bool:
    """Whether the standard has it, as a function or as an operator of its array."""
    if op.body is None:
        return True  # it runs on every backend by the standard's name
    xp = importlib.import_module("array_api_compat.numpy")
    return hasattr(xp, op.name) or hasattr(xp.ndarray, f"__{op.name}__")


def similar_ops(pattern: str) -> str:
    """A sentence that proposes names like `pattern`; empty if there are none."""
    close = difflib.get_close_matches(pattern, _plugins.manager.operations(), n=3)
    return f" Did you mean {' or '.join(close)}?" if close else " `python -m agnograd ops` lists all."
