"""``python -m agnograd check`` on CuPy: what a user with a GPU runs."""

from __future__ import annotations

import json

from agnograd.cli import main


def test_check_passes_and_names_the_device(capsys):
    assert main(["check", "--backend", "cupy", "--ops", "tanh,sum", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["failures"] == []
    assert all(row["passed"] > 20 for row in found["rows"])
    assert "CUDA" in found["environment"]["devices"]["cupy"][0]
