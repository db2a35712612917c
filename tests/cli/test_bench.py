"""``python -m agnograd bench``."""

from __future__ import annotations

import json

from agnograd.cli import bench, main


def test_it_measures_functions_and_gradients(capsys, monkeypatch):
    small = bench.Workload("small", (10,), lambda xp, x: xp.sum(xp.exp(x)))
    eager = bench.Workload("eager", (10,), lambda xp, x: xp.sum(xp.exp(x)), lazy=False)
    monkeypatch.setattr(bench, "WORKLOADS", (small, eager))
    monkeypatch.setattr(bench, "_peers", lambda work: ())  # importing some of them takes longer than this test
    assert main(["bench", "--backend", "numpy", "dask", "--rounds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rounds"] == 1
    assert [(r["workload"], r["on"]) for r in found["results"]] == [
        ("small", "numpy"),
        ("small", "dask"),
        ("eager", "numpy"),
    ]
    assert all(r["ratio"] == r["gradient_ms"] / r["function_ms"] > 0 for r in found["results"])


def test_the_table(capsys):
    result = {"workload": "w", "on": "numpy", "function_ms": 1.0, "gradient_ms": 2.5, "ratio": 2.5}
    bench.show({"rounds": 1, "results": [result]})
    out = capsys.readouterr().out
    assert "value and gradient, ms" in out
    assert "2.5" in out
