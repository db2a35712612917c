"""Who provides what: all that claim a name, and the conflict where several do."""

from __future__ import annotations

from typing import Any

from agnograd.core.table import OPS
from agnograd.errors import ConflictError
from agnograd.plugins.contract import KINDS, OPERATIONS
from agnograd.plugins.record import Record


class Claims:
    """Hook and name to all who provide it and what they provide, in the order in which they came."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str], list[tuple[Record, Any]]] = {}

    def add(self, record: Record, hook: str, item: Any) -> None:
        """Note that a plugin provides something."""
        self._claims.setdefault((hook, item.name), []).append((record, item))

    def release(self, record: Record) -> list[tuple[str, str]]:
        """Strike out all that a plugin provides; return hook and name of each."""
        released = []
        for key, claims in list(self._claims.items()):
            kept = [claim for claim in claims if claim[0] is not record]
            if len(kept) < len(claims):
                released.append(key)
                self._claims[key] = kept
                if not kept:
                    del self._claims[key]
        return released

    def owners(self, hook: str, name: str) -> list[Record]:
        """The plugins that claim a name."""
        return [record for record, _ in self._claims.get((hook, name), ())]

    def named(self, hook: str, name: str) -> list[Any]:
        """What they provide under that name."""
        return [item for _, item in self._claims.get((hook, name), ())]

    def items(self, hook: str, record: Record | None = None) -> list[Any]:
        """All that is provided through a hook, or what one plugin provides."""
        return [
            item
            for (kind, _), claims in list(self._claims.items())
            if kind == hook
            for owner, item in claims
            if record is None or owner is record
        ]

    def is_built_in(self, hook: str, name: str) -> bool:
        """Whether a name is agnograd's own; its operations come from no plugin."""
        owners = self.owners(hook, name)
        return any(r.built_in for r in owners) or (hook == OPERATIONS and not owners and name in OPS)

    def conflicts(self) -> list[ConflictError]:
        """The errors of all names that several plugins claim."""
        return [self.conflict(hook, name) for (hook, name), claims in self._claims.items() if len(claims) > 1]

    def conflict(self, hook: str, name: str) -> ConflictError:
        """The error that the use of a contested name raises."""
        owners = self.owners(hook, name)
        listed = "".join(f"\n  - {r.label}" for r in owners)
        return ConflictError(
            f"{KINDS[hook]} {name!r} is provided by {len(owners)} plugins:{listed}\n"
            f"Uninstall one, or set AGNOGRAD_DISABLE_PLUGINS={owners[-1].name}."
        )

    def check(self, hook: str, name: str) -> None:
        """Raise the error of a name if it is contested.

        Raises
        ------
        ConflictError
        """
        if len(self.owners(hook, name)) > 1:
            raise self.conflict(hook, name)
