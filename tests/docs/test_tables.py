"""The pages for those who come from elsewhere: each row of their tables gives the same on both sides.

The other library's side runs where that library is installed, ours always.
"""

from __future__ import annotations

import doctest
import importlib.util
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import agnograd as ag

FOLDER = Path(__file__).parents[2] / "docs" / "howto"
PEERS = {"pytorch.md": "torch", "jax.md": "jax", "hips_autograd.md": "autograd", "mygrad.md": "mygrad"}
ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \|$", re.MULTILINE)


class Row(NamedTuple):
    page: str
    theirs: str
    ours: str


def setups(page):
    """The names that a page sets up for the other library, and those for agnograd."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    theirs = re.search(r"^```py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
    ours = re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
    return theirs, "\n".join(e.source for e in doctest.DocTestParser().get_examples(ours))


def rows():
    for page in PEERS:
        for theirs, ours in ROW.findall((FOLDER / page).read_text(encoding="utf-8")):
            if "(" in ours or "." in ours:
                yield Row(page, theirs, ours)


def value(code, setup, cache={}):  # noqa: B006 - a library is set up once
    if setup not in cache:
        cache[setup] = {}
        exec(setup, cache[setup])
    found = eval(code, cache[setup])
    found = found.detach() if hasattr(found, "detach") else found
    return np.asarray(found.array if isinstance(found, ag.Tensor) else found)


def installed(package):
    spec = importlib.util.find_spec(package)
    # A folder of the same name, tests/autograd for one, is a package without an origin.
    return spec is not None and spec.origin is not None


COMPARED = [row for row in rows() if re.search(r"\b(x|w|v|2\.0)\b", row.ours)]


def test_there_is_something_to_compare():
    assert {row.page for row in COMPARED} == set(PEERS)
    assert len(COMPARED) > 35


@pytest.mark.parametrize("row", COMPARED, ids=lambda row: f"{row.page}: {row.ours}")
def test_a_row_gives_the_same_on_both_sides(row):
    theirs, ours = setups(row.page)
    found = value(row.ours, ours)
    assert found.dtype.kind == "f"
    if not installed(PEERS[row.page]):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how others get on with their dependencies
        expected = value(row.theirs, theirs)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
