"""`agnograd.saved_residuals`: what a function keeps for its gradient."""

from __future__ import annotations

import re

from made_tensors import raw

import agnograd as ag


def f(w, x):
    hidden = ag.tanh(w * x)
    return ag.sum(ag.exp(hidden))


def test_every_value_once(agnograd_backend):
    found = ag.saved_residuals(f, raw(agnograd_backend, [1.0, 2.0, 3.0]), raw(agnograd_backend, [4.0, 5.0, 6.0]))
    assert [(r.operation, r.name, r.argument) for r in found] == [
        ("exp", "ans", False),
        ("tanh", "ans", False),
        ("multiply", "x2", True),
        ("multiply", "x1", True),
    ]
    assert all((r.shape, r.dtype, r.size) == ((3,), "float64", 24) for r in found)


def test_the_place_is_the_users_line(agnograd_backend):
    x = raw(agnograd_backend, [1.0, 2.0])
    first = f.__code__.co_firstlineno
    places = [r.place for r in ag.saved_residuals(f, x, x)]
    assert places[:2] == [f"{__file__}:{first + 2}", f"{__file__}:{first + 1}"]


def test_what_is_computed_again_is_not_kept(agnograd_backend):
    x = raw(agnograd_backend, [1.0, 2.0])
    found = ag.saved_residuals(ag.remat(f), x, x)
    assert found == []


def test_text(agnograd_backend, capsys):
    x = raw(agnograd_backend, [1.0, 2.0])
    ag.print_saved_residuals(lambda x: ag.sum(ag.square(x)), x)
    first, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"float64\[2\], 16 bytes: argument at .*test_residuals\.py:\d+", first)
    assert last == "in all 16 bytes, 16 of them arguments"


def test_notes_end_with_the_call(agnograd_backend):
    from agnograd.core import anomaly

    ag.saved_residuals(f, raw(agnograd_backend, [1.0]), raw(agnograd_backend, [1.0]))
    assert not anomaly.enabled()
