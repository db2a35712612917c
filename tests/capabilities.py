"""The table of what backends cannot do, which comes with the package: agnograd/testing/capabilities.py."""

from agnograd.testing.capabilities import CALLS, GAPS, PLUGINS, Key, reason

__all__ = ["CALLS", "GAPS", "PLUGINS", "Key", "reason"]
