"""What became of one plugin."""

from __future__ import annotations

from dataclasses import dataclass, field


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
