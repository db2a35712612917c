"""docs/numpy.md is what scripts/numpy_page.py makes of the tables. What it says is tested in tests/interop."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from agnograd.interop.numpy_dispatch import status

SCRIPT = Path(__file__).parent.parent / "scripts" / "numpy_page.py"
SECTIONS = {"Which keep the gradient": "kept", "Which have no derivative": "none", "Which raise": "raises"}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("numpy_page", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(script):
    page = script.PAGE.read_text(encoding="utf-8")
    written_with = re.search(r"with NumPy ([\d.]+)\.", page)[1]
    # Another NumPy has other functions: what the two have in common is compared below.
    if np.__version__.startswith(f"{written_with}."):
        assert page == script.page(), "run `python scripts/numpy_page.py`"


def test_each_function_of_this_numpy_stands_in_its_section(script):
    parts = re.split(r"^## (.*)$", script.PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    listed = {
        SECTIONS[title]: set(re.findall(r"`([\w.]+)`", text))
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    known = set().union(*listed.values())
    functions = [(name, False) for module in (np, np.linalg, np.fft) for name in script.dispatched(module)]
    found = [*functions, *((name, True) for name in script.ufuncs())]
    compared = [(name, ufunc) for name, ufunc in found if name in known]
    assert len(compared) > 300
    for name, ufunc in compared:
        assert name in listed[status(name, ufunc=ufunc)], name
