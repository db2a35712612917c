"""docs/mistakes.md is what scripts/mistakes.py makes of the mistakes, as far as agnograd is concerned."""

from __future__ import annotations

import builtins
import importlib.util
from pathlib import Path

import pytest

from agnograd import errors

SCRIPT = Path(__file__).parent.parent / "scripts" / "mistakes.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("mistakes_page", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_every_mistake(script):
    assert list(script.written()) == list(script.MISTAKES)
    assert len(script.MISTAKES) >= 20
    text = script.PAGE.read_text(encoding="utf-8")
    for title, code in script.MISTAKES.items():
        assert f"## {title}\n\n```\n{code}```" in text


def test_what_agnograd_says_is_current(script):
    for title, (_, ours) in script.written().items():
        assert script.tidy(script.outcome("agnograd", script.MISTAKES[title])) == ours, "run scripts/mistakes.py"


def test_what_pytorch_raises_is_caught_by_its_class(script):
    compared = 0
    for theirs, ours in script.written().values():
        name = theirs.partition(":")[0]
        if not name.endswith("Error") or not ours.partition(":")[0].endswith("Error"):
            continue
        own = ours.partition(":")[0]
        class_ = getattr(errors, own, None) or getattr(builtins, own)
        assert issubclass(class_, getattr(builtins, name)), f"{own} for {name}"
        compared += 1
    assert compared >= 15


def test_what_a_mistake_gives_is_told(script):
    assert script.outcome("agnograd", "print(1 + 1)") == "2"
    assert script.outcome("agnograd", "x = 1") == "nothing"
    assert script.outcome("agnograd", "1 / 0") == "ZeroDivisionError: division by zero"
    assert script.tidy("  " + "word " * 30).count("\n") == 1
