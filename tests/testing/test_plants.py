"""Mistakes planted in rules, and the tests of conformance that notice them."""

from typing import NamedTuple

import pytest

import agnograd as ag
from agnograd.core.sample import Sample, Uniform
from agnograd.core.table import register, unregister
from agnograd.core.tiers import elementwise, general, linear
from agnograd.testing import cases, conformance
from agnograd.testing.matrix import rows
from agnograd.testing.pytest_plugin import chosen_backends

REAL = [Sample((Uniform(),))]
COMPLEX = [Sample((Uniform(kind="complex"),))]
PAIR = [Sample((Uniform(shape=(2, 1)), Uniform()))]
EVERYWHERE = ("numpy", "dask", "strict", "strict-device1", "cupy", "cupy-device1")


class Plant(NamedTuple):
    op: object
    test: str
    rows: tuple[str, ...]
    says: str


def square(rule, samples=REAL, name="plant.square"):
    return elementwise(f"{name}(x, /)", body=lambda xp, x: x * x, x=rule, samples=samples)


def waits(xp, g, x):
    return 2 * x * g if xp.any(x > 0) else g + x


def masks(xp, g, x):
    return 2 * x * g + 0 * xp.sum(g[x > 0])


def overwrites(xp, g, x):
    g *= 2 * x
    return g


PLANTS = {
    "factor": Plant(square(lambda xp, g, x: 3 * x * g), "first_order", EVERYWHERE, "finite differences"),
    "sign of one mode": Plant(
        general(
            "plant.sin(x, /)",
            body=lambda xp, x: xp.sin(x),
            vjp={"x": lambda xp, g, x: g * xp.cos(x)},
            jvp={"x": lambda xp, t, x: -t * xp.cos(x)},
            samples=REAL,
        ),
        "first_order",
        EVERYWHERE,
        "forward mode",
    ),
    "no conjugate": Plant(
        general(
            "plant.csquare(x, /)",
            body=lambda xp, x: x * x,
            vjp={"x": lambda xp, g, x: 2 * x * g},
            jvp={"x": lambda xp, t, x: 2 * x * t},
            samples=COMPLEX,
        ),
        "first_order",
        EVERYWHERE,
        "finite differences",
    ),
    "constant in the rule": Plant(
        square(lambda xp, g, x: 2 * ag.stop_gradient(x) * g), "second_order", EVERYWHERE, "finite differences"
    ),
    "shape": Plant(
        general(
            "plant.product(x1, x2, /)",
            body=lambda xp, x1, x2: x1 * x2,
            vjp={"x1": lambda xp, g, x2: g * x2, "x2": lambda xp, g, x1: g * x1},
            jvp={"x1": lambda xp, t, x2: t * x2, "x2": lambda xp, t, x1: t * x1},
            samples=PAIR,
        ),
        "first_order",
        EVERYWHERE,
        "shape, dtype, device",
    ),
    "default dtype": Plant(
        square(lambda xp, g, x: 2 * x * g * xp.full(x.shape, 1.0)),
        "single_precision",
        ("numpy", "strict", "cupy"),
        "float64",
    ),
    "default device": Plant(
        square(lambda xp, g, x: 2 * x * g * xp.ones(x.shape)), "first_order", ("strict-device1",), "device"
    ),
    "branch on values": Plant(square(waits), "first_order", ("dask", "cupy"), "made to compute|ynchronization"),
    "mask as index": Plant(square(masks), "first_order", ("strict", "cupy"), "boolean_indexing|ynchronization"),
    "writes into the cotangent": Plant(square(overwrites), "first_order", ("numpy",), "read-only"),
    "not in the standard": Plant(
        square(lambda xp, g, x: g * xp.ldexp(x, 1)), "names", ("numpy",), "not in the standard"
    ),
    "name that synchronises": Plant(square(lambda xp, g, x: 2 * g * xp.clip(x, -9, 9)), "names", ("numpy",), "clip"),
    "value": Plant(
        linear("plant.twice(x, /)", body=lambda xp, x: x + 1 - 1, x=lambda xp, g: 2 * g, samples=REAL),
        "first_order",
        EVERYWHERE,
        "finite differences",
    ),
    "edge": Plant(
        elementwise(
            "plant.abs(x, /)",
            body=lambda xp, x: xp.abs(x),
            x=lambda xp, g, x: g * xp.where(x < 0, -1.0, xp.ones_like(x)),
            samples=[Sample(([0.0, 1.0],), {}, ([0.0, 1.0],))],
        ),
        "edge",
        EVERYWHERE,
        "Not equal",
    ),
}


def pytest_generate_tests(metafunc):
    if "plant" in metafunc.fixturenames:
        chosen = rows(chosen_backends(metafunc.config))
        found = [(name, row) for name, plant in PLANTS.items() for row in chosen if row.name in plant.rows]
        metafunc.parametrize(("plant", "row"), found, ids=[f"{name}-{row.name}" for name, row in found])


def test_plant_is_noticed(plant, row):
    op, test, _, says = PLANTS[plant]
    register(op)
    try:
        (case,) = cases(op.name)
        precision = "float32" if test == "single_precision" else "float64"
        with pytest.raises(Exception, match=says):
            getattr(conformance, f"test_{test}")(row, case, precision)
    finally:
        unregister(op.name)


def test_good_rule_is_left_alone(agnograd_row):
    op = register(square(lambda xp, g, x: 2 * x * g))
    try:
        (case,) = cases(op.name)
        precision = agnograd_row.precisions[0]
        conformance.test_value(agnograd_row, case, precision)
        if precision == "float64":
            conformance.test_first_order(agnograd_row, case, precision)
            conformance.test_second_order(agnograd_row, case, precision)
            conformance.test_backward(agnograd_row, case, precision)
    finally:
        unregister(op.name)
