"""Tables on terminals of any width."""

from __future__ import annotations

import pytest

from agnograd.cli import main


@pytest.mark.parametrize("width", [20, 40, 200])
def test_words_are_whole_on_any_terminal(width, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["ops", "tanh"]) == 0
    shown = capsys.readouterr().out
    assert "elementwise" in shown
    assert ("tier: " in shown) == (width < 100)
