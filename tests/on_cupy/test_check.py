"""``python -m agnograd check`` on CuPy: what a user with a GPU runs."""

from __future__ import annotations

import json
import warnings

from agnograd.cli import main
from agnograd.testing.matrix import _no_synchronisation


def test_check_passes_and_names_the_device(capsys):
    assert main(["check", "--backend", "cupy", "--ops", "tanh,sum", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["failures"] == []
    assert all(row["passed"] > 20 for row in found["rows"])
    assert "CUDA" in found["environment"]["devices"]["cupy"][0]


def test_the_guard_that_users_have_says_nothing():
    with warnings.catch_warnings():  # CuPy has deprecated what it is made of, and check takes a warning for a failure
        warnings.simplefilter("error")
        with _no_synchronisation():
            pass
