"""Keeps pytest from importing, in search of doctests, what is not a test of this folder."""

from pathlib import Path

collect_ignore = [
    path.name for path in Path(__file__).parent.iterdir() if not path.name.startswith("test_")
]
