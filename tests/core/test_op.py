"""Declaring operations: what a rule may ask for, and what is saved."""

from __future__ import annotations

import numpy as np
import pytest

import agnograd as ag
from agnograd.core import table
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import elementwise, general, linear
from agnograd.errors import MissingRuleError, RuleError, UnknownOperationError

SAMPLES = [Sample((Uniform(),))]
PAIRS = [Sample((Uniform(), Uniform()))]


@pytest.fixture
def registered():
    """Register operations for one test."""
    names = []

    def register(op):
        names.append(op.name)
        return table.register(op).call

    yield register
    for name in names:
        table.unregister(name)


def saved_by(tensor):
    return dict(zip(tensor._node.variant.names, tensor._node.saved, strict=True))


def test_an_operation_without_samples_is_refused():
    with pytest.raises(RuleError, match="samples"):
        elementwise("mine.f(x, /)", x=1, samples=[])


def test_a_parameter_that_names_nothing_is_refused():
    with pytest.raises(RuleError, match="'y'"):
        elementwise("mine.f(x, /)", x=lambda xp, y: y, samples=SAMPLES)
    with pytest.raises(RuleError, match="'t'"):
        linear("mine.f(x, /)", x=lambda xp, g, t: t, samples=SAMPLES)


def test_a_rule_for_no_argument_is_refused():
    with pytest.raises(RuleError, match="'z'"):
        elementwise("mine.f(x, /)", z=1, samples=SAMPLES)


def test_general_rules_come_in_both_modes():
    with pytest.raises(RuleError, match="both"):
        general("mine.f(x, /)", vjp={"x": lambda xp, g: g}, jvp={}, samples=SAMPLES)


def test_a_taken_name_is_refused():
    with pytest.raises(RuleError, match="mypackage"):
        table.register(elementwise("sin(x, /)", x=1, samples=SAMPLES))


def test_an_unknown_name_gets_a_hint():
    with pytest.raises(UnknownOperationError, match="multiply"):
        table.find("mutliply")


def test_the_names_of_a_rule_say_what_is_saved(registered):
    f = registered(
        general(
            "mine.f(x1, x2, /, *, power=2)",
            body=lambda xp, x1, x2, *, power=2: x1**power * x2,
            vjp={
                "x1": lambda xp, g, x1, x2, power: g * power * x1 ** (power - 1) * x2,
                "x2": lambda xp, g, x1, x2_spec, power: g * x1**power,
            },
            jvp={
                "x1": lambda xp, t, x1, x2, power: t * power * x1 ** (power - 1) * x2,
                "x2": lambda xp, t, x1, power: t * x1**power,
            },
            samples=PAIRS,
        )
    )
    x = ag.tensor([2.0], requires_grad=True)
    c = ag.tensor([3.0])
    y = f(x, c, power=3)
    assert set(saved_by(y)) == {"x1", "x2", "power"}
    assert saved_by(y)["power"] == 3
    y.sum().backward()
    assert x.grad.tolist() == [36.0]
    swapped = f(c, x)
    assert set(saved_by(swapped)) == {"x1", "x2_spec", "power"}
    assert saved_by(swapped)["x2_spec"].shape == (1,)
    assert saved_by(swapped)["power"] == 2
    np.testing.assert_allclose(ag.jvp(lambda z: f(z, z), (np.array([2.0]),), (np.ones(1),))[1], [12.0])


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda x: ag.exp(x), ["ans"]),
        (lambda x: ag.sin(x), ["x"]),
        (lambda x: x + 1.0, []),
        (lambda x: x * 2.0, ["x2"]),
        (lambda x: x * x, ["x1", "x2"]),
        (lambda x: x.reshape(1, 2), ["x_spec"]),
        (lambda x: x.sum(), ["axis", "x_spec"]),
    ],
    ids=["exp", "sin", "add", "scale", "square", "reshape", "sum"],
)
def test_operations_keep_what_their_rules_read(make, names):
    y = make(ag.ones(2, requires_grad=True))
    assert sorted(saved_by(y)) == names


def test_rules_take_their_parameters_in_any_order(registered):
    f = registered(
        elementwise(
            "mine.ratio(x1, x2, /)",
            body=lambda xp, x1, x2: x1 / x2,
            x1=lambda x2: 1 / x2,
            x2=lambda ans, x2, xp, g: -(ans / x2) * g,
            samples=PAIRS,
        )
    )
    a, b = (ag.tensor([v], requires_grad=True) for v in (3.0, 2.0))
    f(a, b).sum().backward()
    assert a.grad.tolist() == [0.5]
    assert b.grad.tolist() == [-0.75]


def test_a_missing_rule_names_the_argument(registered):
    f = registered(elementwise("mine.g(x1, x2, /)", body=lambda xp, x1, x2: x1 + x2, x1=1, samples=PAIRS))
    constant = ag.ones(2)
    x = ag.ones(2, requires_grad=True)
    assert f(x, constant).requires_grad
    with pytest.raises(MissingRuleError, match="'x2'"):
        f(constant, x)
    with pytest.raises(MissingRuleError, match="'x2'"):
        ag.jvp(lambda z: f(np.ones(2), z), (np.ones(2),), (np.ones(2),))


def test_an_operation_of_ones_own_appears_everywhere(registered):
    registered(
        elementwise("cube_for_test(x, /)", body=lambda xp, x: x * x * x, x=lambda xp, x: 3 * x * x, samples=SAMPLES)
    )
    x = ag.tensor([2.0], requires_grad=True)
    assert ag.cube_for_test(x).tolist() == [8.0]
    assert ag.namespace("numpy").cube_for_test(x).tolist() == [8.0]
    np.testing.assert_allclose(ag.hvp(lambda z: ag.cube_for_test(z).sum(), (np.array([2.0]),), (np.ones(1),)), [12.0])


def test_signatures_are_the_standards():
    import inspect

    assert str(inspect.signature(ag.sum)) == "(x, /, *, axis=None, dtype=None, keepdims=False)"
    with pytest.raises(TypeError, match="positional"):
        ag.sum(ag.ones(2), 0)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x2'"):
        ag.matmul(ag.ones(2, 2))
    with pytest.raises(TypeError, match="needs 2 arrays"):
        ag.tensordot(ag.ones(2, 2))


def test_an_operation_with_rules_returns_one_array(registered):
    f = registered(
        linear("mine.copies(x, /, *, n=2)", body=lambda xp, x, *, n=2: (x,) * n, x=lambda xp, g: g, samples=SAMPLES)
    )
    assert len(f(ag.ones(2))) == 2
    with pytest.raises(MissingRuleError, match="returns 2 arrays"):
        f(ag.ones(2, requires_grad=True))
    with pytest.raises(MissingRuleError, match="returns 3 arrays"):
        ag.jvp(lambda z: f(z, n=3)[0], (np.ones(2),), (np.ones(2),))
