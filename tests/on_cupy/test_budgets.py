"""What operations and workloads cost on CuPy is what tests/cupy_budgets.json says."""

import importlib.util

import cupy as cp
import cupy_cpu
import numpy as np
import pytest

from agnograd import plugins
from agnograd.backends import cupy_kernels
from agnograd.core.table import OPS, register, unregister
from agnograd.core.tiers import elementwise
from agnograd.testing import cases
from benchmarks import cupy_budgets, cupy_workloads

pytestmark = pytest.mark.skipif(cupy_cpu.real_gpu(), reason="on a GPU, benchmarks.gpu_check counts")

SAY = "if the costs are meant, run `python scripts/cupy_budgets.py --write`"


@pytest.fixture(scope="module")
def known():
    return cupy_budgets.read()


def same(found, expected, known):
    # Another version of CuPy may launch fewer kernels, but is to launch no more.
    exact = known["versions"] == cupy_budgets.versions()
    different = cupy_budgets.differences(found, expected, exact=exact)
    assert not different, "\n".join([*different, SAY])


def test_operations(known):
    with plugins.isolated():
        found = cupy_budgets.of_operations(cupy_budgets.chosen(), cupy_cpu.counting)
    assert len(found) > 200
    same(found, known["operations"], known)


def test_workloads(known):
    same(cupy_budgets.of_workloads(cupy_cpu.counting), known["workloads"], known)


def test_workloads_wait_for_nothing(known):
    assert all(budget["synchronisations"] == 0 for budget in known["workloads"].values())


def test_the_engine_launches_little_more_than_hand_written_code(known):
    for name in cupy_workloads.WORKLOADS:
        engine, hand = (known["workloads"][f"{name}: {how}"] for how in ("agnograd", "by hand"))
        assert engine["launches"] <= 1.2 * hand["launches"]
        assert engine["library_calls"] <= hand["library_calls"]
        assert engine["peak_bytes"] <= 1.6 * hand["peak_bytes"]


@pytest.mark.parametrize("name", cupy_workloads.WORKLOADS)
def test_workloads_agree(name):
    workload = cupy_workloads.WORKLOADS[name]
    expected = [x.get() for x in cupy_workloads.by_hand(workload, workload.small)()]
    steps = [
        cupy_workloads.with_agnograd(workload, cp.asarray, workload.small),
        cupy_workloads.with_agnograd(workload, np.asarray, workload.small),
    ]
    if importlib.util.find_spec("torch") is not None:
        torch = cupy_workloads.with_torch(workload, workload.small)
        steps.append(lambda: [x.detach().cpu().numpy() for x in torch()])
    if importlib.util.find_spec("jax") is not None:
        steps.append(cupy_workloads.with_jax(workload, workload.small))
    for step in steps:
        for x, y in zip(step(), expected, strict=True):
            np.testing.assert_allclose(cp.asnumpy(x), y, rtol=1e-9, atol=1e-12)


# -- what is noticed ---------------------------------------------------------------------------------------------------


def test_another_launch_is_noticed(known, monkeypatch):
    case = next(case for case in cupy_budgets.chosen("softmax"))
    monkeypatch.setitem(OPS["softmax"].bodies, cp.ndarray, lambda x, **params: cupy_kernels.softmax(x + 0.0, **params))
    found = cupy_budgets.of_operations([case], cupy_cpu.counting)
    assert any("launches 4 -> 5" in line for line in cupy_budgets.differences(found, known["operations"]))
    assert cupy_budgets.differences(found, known["operations"], exact=False)


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        (lambda xp, g, x: 2 * x * g, None),
        (lambda xp, g, x: 2 * x * g + 0 * x, "launches"),
        (lambda xp, g, x: 2 * x * g * float(xp.max(xp.ones_like(x))), "synchronisations"),
    ],
)
def test_a_rule_that_costs_more_is_noticed(rule, what):
    def costs(rule):
        op = register(
            elementwise("plant.square(x, /)", body=lambda xp, x: x * x, x=rule, samples=OPS["exp"].samples[:1])
        )
        try:
            return cupy_budgets.of_operations(cases(op.name), cupy_cpu.counting)
        finally:
            unregister(op.name)

    (phases,) = costs(lambda xp, g, x: 2 * x * g).values()
    good = {f"plant.square 3: {phase}": budget for phase, budget in phases.items()}
    different = cupy_budgets.differences(costs(rule), good)
    assert any(what in line for line in different) if what else not different


def test_fewer_and_missing_are_differences_only_where_counts_are_exact():
    budget = dict.fromkeys(cupy_budgets.EXACT, 2) | {"peak_bytes": 1000}
    found = {"op": {"forward": budget | {"launches": 1, "peak_bytes": 950}}}
    expected = {"op: forward": budget, "op: backward": budget}
    assert cupy_budgets.differences(found, expected) == [
        "op: backward: in cupy_budgets.json, and counted no more",
        "op: forward: launches 2 -> 1",
    ]
    assert cupy_budgets.differences(found, expected, exact=False) == []
    assert cupy_budgets.differences({"new": {"forward": budget}}, {}) == ["new: forward: not in cupy_budgets.json"]
