"""What operations and workloads cost on CuPy is what tests/cupy_budgets.json says.

Counting all workloads compiles hundreds of kernels on the emulator the first time:
``python -m pytest -m slow tests/on_cupy/test_budgets.py --agnograd-backends=cupy``.
"""

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

MODELS, EVERY = cupy_workloads.MODELS, cupy_workloads.EVERY
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


@pytest.mark.parametrize(
    "name", [*cupy_workloads.WORKLOADS, *[pytest.param(m, marks=pytest.mark.slow) for m in MODELS]]
)
def test_workloads(name, known):
    found = cupy_budgets.of_workloads(cupy_cpu.counting, {name: EVERY[name]})
    same(found, {key: budget for key, budget in known["workloads"].items() if key.startswith(f"{name}: ")}, known)


def test_workloads_wait_for_nothing(known):
    assert all(budget["synchronisations"] == 0 for budget in known["workloads"].values())


@pytest.mark.parametrize("name", EVERY)
def test_the_engine_launches_little_more_than_hand_written_code(name, known):
    eager, compiled, hand = (known["workloads"][f"{name}: {how}"] for how in ("agnograd", "compiled", "by hand"))
    assert eager["launches"] <= 1.15 * hand["launches"]
    if name == "process":
        # A matrix is factorised for each system, and a factorisation copies it: 7 calls of cuSOLVER and copies more.
        assert compiled["launches"] <= 0.7 * hand["launches"]
        assert eager["library_calls"] <= 2 * hand["library_calls"]
    else:
        assert compiled["launches"] <= 0.5 * hand["launches"]
        assert eager["library_calls"] <= hand["library_calls"]
    # By hand the gates of a recurrence are one array, and written by operation they are four.
    assert eager["peak_bytes"] <= {"recurrence": 2, "pendulums": 1.65}.get(name, 1.6) * hand["peak_bytes"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_models_agree(name):
    workload = MODELS[name]
    expected = [x.get() for x in cupy_workloads.by_hand(workload, 0)()]
    for make in (cupy_workloads.with_agnograd, cupy_workloads.compiled):
        step = make(workload, cp.asarray, 0)
        for _ in range(5):
            with cupy_cpu.forbid_synchronisation():
                found = step()
            for x, y in zip(found, expected, strict=True):
                np.testing.assert_allclose(x.get(), y, rtol=1e-9, atol=1e-12)


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
