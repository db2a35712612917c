"""Mistakes planted in rules, and the tests of conformance that notice them.

Most were made once, here or in another library for gradients; the others are what a GPU or a lazy library punishes.
Those that nothing notices yet stand at the end, so that nobody relies on it.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest

import agnograd as ag
from agnograd.core import batching
from agnograd.core.sample import Sample, Uniform
from agnograd.core.table import register, unregister
from agnograd.core.tiers import elementwise, general, linear
from agnograd.testing import cases, conformance
from agnograd.testing.matrix import rows
from pytest_agnograd import chosen_backends

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


def writes_into_saved(xp, g, x):
    x *= 2
    return g * x


def with_numpy(function):
    """A rule that calls NumPy, which rules know nothing of."""
    return lambda xp, g, x: function(np, g, x)


def picks(xp, g, x):
    factors = [2.0, 2.0, 2.0]
    return g * x * factors[xp.argmax(x)]


def by_device(xp, g, x):
    return g * x * {xp.device(x): 2.0}[xp.device(x)]


def takes(x, name="plant.taken", samples=None):
    """``x[indices]`` with a transpose."""
    samples = samples or [Sample((Uniform(), [0, 2, 0]))]
    return general(
        f"{name}(x, indices, /)",
        body=lambda xp, x, indices: xp.take(x, indices, axis=0),
        vjp={"x": x},
        jvp={"x": lambda xp, t, indices: xp.take(t, indices, axis=0)},
        samples=samples,
    )


def assigns(xp, g, x_spec, indices):
    zeros = xp.zeros(x_spec.shape, dtype=g.dtype, device=xp.device(g))
    return xp.set(zeros, indices, g)


def adds_by_differences(xp, g, x_spec, indices):
    order = xp.argsort(indices)
    running = xp.cumulative_sum(xp.take(g, order, axis=0), include_initial=True)
    slots = xp.arange(x_spec.shape[0], dtype=indices.dtype, device=xp.device(g))
    ends, starts = (xp.searchsorted(xp.take(indices, order), slots, side=side) for side in ("right", "left"))
    return xp.take(running, ends) - xp.take(running, starts)


def reduces(rule):
    return general(
        "plant.total(x, /, *, axis=None)",
        body=lambda xp, x, axis=None: xp.sum(x, axis=axis),
        vjp={"x": rule},
        jvp={"x": lambda xp, t, axis: xp.sum(t, axis=axis)},
        samples=[Sample((Uniform(shape=(3, 3)),), {"axis": -1})],
    )


def powers(rule, at):
    return elementwise(
        "plant.power(x, /, *, n)",
        body=lambda xp, x, *, n: x**n,
        x=rule,
        samples=[Sample(([at],), {"n": 0}, ([0.0],))],
    )


def pair(vjp, jvp):
    return general(
        "plant.quotient(x1, x2, /)",
        body=lambda xp, x1, x2: x1 / (x2 + 2),
        vjp=dict(zip(("x1", "x2"), vjp, strict=True)),
        jvp=dict(zip(("x1", "x2"), jvp, strict=True)),
        samples=[Sample((Uniform(), Uniform()))],
    )


QUOTIENT = (lambda xp, g, x2: g / (x2 + 2), lambda xp, g, x1, x2: -g * x1 / (x2 + 2) ** 2)
TANGENTS = (lambda xp, t, x2: t / (x2 + 2), lambda xp, t, x1, x2: -t * x1 / (x2 + 2) ** 2)


def turned(batch):
    return linear(
        "plant.turned(x, /)",
        body=lambda xp, x: xp.flip(x, axis=0),
        x=lambda xp, g: xp.flip(g, axis=0),
        samples=REAL,
        batch=batch,
    )


def looks(run, arrays, mapped):
    (x,) = arrays
    return ag.flip(x, axis=1) if ag.any(x > 9) else run(ag.moveaxis(x, 0, -1)).T


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
    "no batching rule": Plant(turned(None), "batched", EVERYWHERE, "has no batching rule"),
    "axis of the batch": Plant(turned(batching.stacks), "batched", EVERYWHERE, "Not equal"),
    "batching that waits": Plant(turned(looks), "batched", ("dask", "cupy"), "made to compute|ynchronization"),
    "rank in the rule": Plant(
        elementwise(
            "plant.halves(x, /)",
            body=lambda xp, x: x / 2,
            # The rule runs on arrays with the axis of the batch.
            x=lambda xp, g, x: g / 2 + 0 * x if x.ndim == 1 else g,
            samples=REAL,
        ),
        "batched_derivatives",
        EVERYWHERE,
        "Not equal",
    ),
    "arguments swapped": Plant(pair(QUOTIENT[::-1], TANGENTS), "first_order", EVERYWHERE, "finite differences|forward"),
    "one tangent forgotten": Plant(
        pair(QUOTIENT, (TANGENTS[0], lambda xp, t, x1, x2: 0 * t)), "first_order", EVERYWHERE, "forward mode"
    ),
    "sign of one argument": Plant(
        pair((QUOTIENT[0], lambda xp, g, x1, x2: g * x1 / (x2 + 2) ** 2), TANGENTS),
        "first_order",
        EVERYWHERE,
        "finite differences",
    ),
    "axis counted from the end": Plant(
        reduces(lambda xp, g, x_spec, axis: xp.broadcast_to(xp.expand_dims(g, axis=max(axis, 0)), x_spec.shape)),
        "first_order",
        EVERYWHERE,
        "finite differences",
    ),
    "reduced axis left out": Plant(
        reduces(lambda xp, g, x_spec, axis: xp.broadcast_to(g, x_spec.shape)),
        "first_order",
        EVERYWHERE,
        "finite differences",
    ),
    "repeated index assigned": Plant(takes(assigns), "first_order", ("numpy", "cupy", "cupy-device1"), "differences"),
    "zero times infinity": Plant(
        powers(lambda xp, g, x, n: g * n * x ** (n - 1.0), 0.0), "edge", ("strict", "dask", "cupy"), "Not equal|divide"
    ),
    "ties take everything": Plant(
        elementwise(
            "plant.larger(x1, x2, /)",
            body=lambda xp, x1, x2: xp.maximum(x1, x2),
            x1=lambda xp, g, x1, x2: xp.where(x1 >= x2, g, 0.0),
            x2=lambda xp, g, x1, x2: xp.where(x2 >= x1, g, 0.0),
            samples=[Sample(([1.0, 2.0], [2.0, 2.0]), {}, ([0.0, 0.5], [1.0, 0.5]))],
        ),
        "edge",
        EVERYWHERE,
        "Not equal",
    ),
    "side of a branch cut": Plant(
        elementwise(
            "plant.acos(x, /)",
            body=lambda xp, x: xp.acos(x),
            # 1 - x^2 loses the sign of a zero, which says on which side of the cut x is.
            x=lambda xp, g, x: -g / xp.sqrt(1 - x * x),
            samples=[Sample(([complex(2.0, -0.0)],), {}, ([complex(0.0, 1 / math.sqrt(3))],))],
        ),
        "edge",
        ("numpy", "dask", "strict", "cupy"),
        "Not equal",
    ),
    "exponential overflows": Plant(
        general(
            "plant.shares(x, /)",
            body=lambda xp, x: xp.exp(x) / xp.sum(xp.exp(x)),
            vjp={"x": lambda xp, g, ans: ans * (g - xp.sum(g * ans))},
            jvp={"x": lambda xp, t, ans: ans * (t - xp.sum(t * ans))},
            samples=[Sample((Uniform(700.0, 1500.0),))],
        ),
        "first_order",
        ("strict", "dask", "cupy"),
        "overflow|invalid|[Nn]a[Nn]|finite differences",
    ),
    "calls NumPy": Plant(
        square(with_numpy(lambda np, g, x: 2 * g * np.multiply(x, 1.0))),
        "first_order",
        ("strict-device1",),
        "NumPy array",
    ),
    "moves to the host": Plant(
        square(with_numpy(lambda np, g, x: 2 * g * np.asarray(x))),
        "first_order",
        ("strict-device1", "cupy", "cupy-device1"),
        "NumPy array|[Ii]mplicit conversion",
    ),
    "constant of NumPy's": Plant(
        square(with_numpy(lambda np, g, x: x * g * np.full(3, 2.0))),
        "first_order",
        ("strict", "cupy", "cupy-device1"),
        "nsupported|numpy",
    ),
    "scalar of NumPy's": Plant(
        square(with_numpy(lambda np, g, x: x * g * np.float64(2.0))), "single_precision", ("numpy", "cupy"), "float64"
    ),
    "waits for a number": Plant(
        square(lambda xp, g, x: g * x * (2.0 + 0 * float(xp.max(x)))),
        "first_order",
        ("dask", "cupy", "cupy-device1"),
        "made to compute|ynchronization",
    ),
    "value as a list's index": Plant(square(picks), "first_order", ("dask", "cupy"), "made to compute|index|integer"),
    "device as a key": Plant(square(by_device), "first_order", ("cupy", "cupy-device1"), "unhashable"),
    "index array elsewhere": Plant(
        square(lambda xp, g, x: 2 * x * xp.take(g, xp.arange(3), axis=0)), "first_order", ("strict-device1",), "device"
    ),
    "sign, which synchronises": Plant(
        square(lambda xp, g, x: 2 * g * xp.abs(x) * xp.sign(x)), "names", ("numpy",), "sign"
    ),
    "writes into what was saved": Plant(square(writes_into_saved), "first_order", ("numpy",), "read-only"),
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


# What no test of conformance notices, and why.
UNNOTICED = {
    "infinity spreads in differences": (
        takes(adds_by_differences),
        "cotangents are finite: tests of single operations give infinite ones to scatters and extrema",
    ),
    "second derivative at a kink": (
        elementwise(
            "plant.norm(x, /)",
            body=lambda xp, x: xp.sqrt(x * x),
            # Right at 0 once; there its own derivative is that of 1 / 0.
            x=lambda xp, g, x: xp.where(x == 0, 0.0, g * x / xp.sqrt(x * x + xp.astype(x == 0, x.dtype) * 1e-300)),
            samples=[Sample((Uniform(0.5, 2.0),)), Sample(([0.0],), {}, ([0.0],))],
        ),
        "at edges, first derivatives are compared only",
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


def test_number_of_plants():
    assert len(PLANTS) == 38
    assert sum(len(plant.rows) for plant in PLANTS.values()) == 141
    assert len(UNNOTICED) == 2


@pytest.mark.parametrize("name", UNNOTICED)
def test_what_is_not_noticed(name, agnograd_row):
    # Where one is noticed one day, it belongs among the others.
    if "float64" not in agnograd_row.precisions:
        return
    op, why = UNNOTICED[name]
    assert why
    register(op)
    try:
        for case in cases(op.name):
            if case.is_edge:
                conformance.test_edge(agnograd_row, case, "float64")
            else:
                for test in (conformance.test_first_order, conformance.test_second_order, conformance.test_backward):
                    test(agnograd_row, case, "float64")
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
