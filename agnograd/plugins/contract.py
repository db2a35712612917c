"""What a plugin must keep to: hooks that are known, what they return, and names that are free."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from agnograd.core.op import Op
from agnograd.core.table import OPS
from agnograd.errors import PluginError
from agnograd.hookspecs import Backend, Kernel, ObserverSpec

BACKENDS, OPERATIONS, KERNELS, OBSERVERS = HOOKS = (
    "agnograd_backends",
    "agnograd_ops",
    "agnograd_kernels",
    "agnograd_observers",
)
RETURNS: dict[str, type] = dict(zip(HOOKS, (Backend, Op, Kernel, ObserverSpec), strict=True))
KINDS = dict(zip(HOOKS, ("backend", "operation", "kernel", "observer"), strict=True))


def check_hooks(plugin: object) -> None:
    """Refuse hooks that no specification knows, which pluggy would ignore, and a plugin that has none.

    Raises
    ------
    PluginError
        If there is such a hook, or no hook at all.
    """
    hooks = 0
    for name in dir(plugin):
        # Without running properties, or what a package imports lazily.
        options = getattr(inspect.getattr_static(plugin, name, None), "agnograd_impl", None)
        if not isinstance(options, dict):
            continue
        hooks += 1
        meant = options.get("specname") or name
        if meant not in HOOKS and not options.get("optionalhook"):
            msg = f"unknown hook {meant!r}{similar(meant, HOOKS)} This agnograd knows {', '.join(HOOKS)}."
            raise PluginError(msg)
    if not hooks:
        msg = f"it has no hooks. Mark functions named {', '.join(HOOKS)} with @agnograd.hookimpl."
        raise PluginError(msg)


def collect(hook: str, results: Iterable[Any]) -> list[Any]:
    """All that the implementations of a hook returned, in one list.

    Parameters
    ----------
    hook : str
    results : iterable
        What each of them returned. Some may be generators, whose bodies run here.

    Raises
    ------
    PluginError
        If one is no iterable of what the hook asks for, nor None.
    """
    expected = RETURNS[hook]
    out: list[Any] = []
    for result in results:
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


def check_items(hook: str, items: Iterable[Any], is_built_in: Callable[[str, str], bool]) -> None:
    """Refuse what no plugin may provide; what another plugin provides too is not refused, but not used either.

    Parameters
    ----------
    hook : str
    items : iterable
        What a plugin returned from it.
    is_built_in : callable
        ``is_built_in(hook, name)``.

    Raises
    ------
    PluginError
        If two have the same name, if one has the name of something built in, or is a kernel for a composite operation.
    """
    names = set()
    for item in items:
        name = item.name
        if name in names:
            msg = f"{hook} returns two of the name {name!r}"
            raise PluginError(msg)
        names.add(name)
        if is_built_in(hook, name):
            hint = " Give a Kernel to make it faster on one backend." if hook == OPERATIONS else ""
            msg = f"{KINDS[hook]} {name!r} is built in and cannot be replaced. Choose another name.{hint}"
            raise PluginError(msg)
        if isinstance(item, Kernel) and item.op in OPS and OPS[item.op].tier == "composite":
            msg = f"operation {item.op!r} is made of other operations: give kernels for those, it has no body itself"
            raise PluginError(msg)


def similar(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that proposes names like `name`; a full stop if there are none."""
    import difflib  # only for what is misspelt

    close = difflib.get_close_matches(str(name), list(known), n=2)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else "."
