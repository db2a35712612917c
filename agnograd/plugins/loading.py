"""Installed plugins: where they are found, which of them are wanted, and how broken ones are told of."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agnograd.errors import PluginError, PluginLoadWarning
from agnograd.plugins.record import Record

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "agnograd"


def installed() -> Iterator[tuple[Record, EntryPoint]]:
    """The entry points of all distributions, in an order that does not depend on the path."""
    # As long to import as all of agnograd, and of use only where there may be plugins.
    from importlib.metadata import entry_points

    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.dist.name if p.dist else "")):
        distribution, version = (point.dist.name, point.dist.version) if point.dist else ("", "")
        yield Record(point.name, distribution, version), point


def is_disabled(record: Record) -> bool:
    """Whether the environment variables rule a plugin out."""
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


def reason(error: BaseException) -> str:
    """Why a plugin failed, in a sentence without its end."""
    return str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"


def report(problems: list[tuple[Record, BaseException]]) -> None:
    """Tell of broken plugins as the user wants it: warn, raise, or say nothing.

    Raises
    ------
    PluginError
        If ``AGNOGRAD_PLUGIN_ERRORS`` is ``raise`` and there are any.
    """
    policy = os.environ.get("AGNOGRAD_PLUGIN_ERRORS", "warn")
    if policy == "ignore" or not problems:
        return
    messages = []
    for record, _ in problems:
        origin = f" from {record.distribution} {record.version}" if record.distribution else ""
        fate = "was skipped" if record.status == "failed" else "is used in part"
        why = record.error if record.error.endswith((".", "?")) else f"{record.error}."
        messages.append(
            f"agnograd plugin {record.name!r}{origin} {fate}: {why} "
            f"Update or uninstall it, or set AGNOGRAD_DISABLE_PLUGINS={record.name}."
        )
    if policy == "raise":
        error = PluginError(messages[0])
        for other in messages[1:]:
            error.add_note(other)
        raise error from problems[0][1]
    for msg in messages:
        warnings.warn(msg, PluginLoadWarning, stacklevel=3)
