"""docs/operations.md is what scripts/operations.py makes of the table, and has no hole without a reason."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import array_api_strict
import capabilities
import pytest

import agnograd as ag
from agnograd.core.table import OPS
from agnograd.testing import cases

SCRIPT = Path(__file__).parent.parent / "scripts" / "operations.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("operations", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(page, name):
    return next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))


def test_the_page_is_current(script):
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), "run `python scripts/operations.py`"


def test_all_operations_stand_on_it(script):
    listed = {op.name for _, ops in script.operations() for op in ops}
    assert listed == {name for name in OPS if ag.plugins.manager.provider(name) == "agnograd"}


@pytest.mark.parametrize("reasons", ["NOT_COMPLEX", "NO_DERIVATIVE"])
def test_a_hole_without_a_reason_is_refused(script, monkeypatch, reasons):
    monkeypatch.delitem(getattr(script, reasons), "less")
    with pytest.raises(LookupError, match=r"less is not tested in mode . on numpy, dask, strict, cupy"):
        script.page()


@pytest.mark.parametrize("reasons", ["NOT_COMPLEX", "NO_DERIVATIVE"])
def test_a_reason_without_a_hole_is_refused(script, monkeypatch, reasons):
    monkeypatch.setitem(getattr(script, reasons), "exp", "a reason")
    with pytest.raises(LookupError, match="exp is tested in mode"):
        script.page()


def test_what_fails_is_marked_with_its_reason(script, monkeypatch):
    found = script.tests("numpy")
    tested = {mode.letter: script.cell(OPS["exp"], mode, found) for mode in script.MODES}
    assert [cell.failures for cell in tested.values()] == [0] * 6
    first = cases("exp")[0].id
    monkeypatch.setitem(capabilities.GAPS, capabilities.Key("numpy", "exp", "test_value", first), "made up")
    monkeypatch.setitem(capabilities.GAPS, capabilities.Key("numpy", "exp", "test_second_order"), "invented")
    line = row(script.page(), "exp")
    assert line.startswith("| `exp` | `V* R F - B C*` | `V R F 2 B C` |")
    assert f"numpy: made up (`{first}`)" in line
    assert "numpy: invented" in line


def functions_of_the_standard():
    with array_api_strict.ArrayAPIStrictFlags(api_version="2025.12"):
        for prefix, module in (
            ("", array_api_strict),
            ("linalg.", array_api_strict.linalg),
            ("fft.", array_api_strict.fft),
        ):
            yield from (f"{prefix}{name}" for name in module.__all__ if callable(getattr(module, name)))


def test_every_function_of_the_standard_stands_on_it(script):
    others = {name for names in script.OTHERS.values() for name in names}
    functions = set(functions_of_the_standard())
    assert len(functions) > 150
    assert functions - set(OPS) <= others | NO_FUNCTIONS
    xp = ag.namespace("numpy")
    for name in others:
        found = xp
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found)
        assert name not in OPS


# What array-api-strict exports beside: dtypes, and what it is steered with.
NO_FUNCTIONS = {"Device", "ArrayAPIStrictFlags", "get_array_api_strict_flags", "reset_array_api_strict_flags"}
NO_FUNCTIONS |= {"set_array_api_strict_flags", *ag.namespaces.DTYPES}
