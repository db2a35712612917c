"""These tests need torch, an extra of its own: without it they are not collected, and tests/conftest.py says so."""

import importlib.util

if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = ["*.py"]
elif importlib.util.find_spec("agnograd_special") is None:
    # The functions of that plugin, where it is installed.
    collect_ignore = ["test_special.py"]
