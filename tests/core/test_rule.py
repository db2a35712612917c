"""Rules as their authors write them, and the functions that the engine makes of them."""

import numpy as np
from made_plugins import Plugin

import agnograd as ag
from agnograd import plugins
from agnograd.core.cotangent import Spec
from agnograd.core.rule import joined, written
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import elementwise


def test_parameters_may_have_the_names_of_what_the_engine_uses():
    samples = [Sample((Uniform(), Uniform()), {"fit": 2.0, "rule0": 3.0, "spec": 5.0})]
    scaled = elementwise(
        "test.scaled(x1, x2, /, *, fit, rule0=1.0, spec=1.0)",
        body=lambda xp, x1, x2, fit, rule0=1.0, spec=1.0: fit * rule0 * spec * x1 * x2,
        x1=lambda xp, g, x2, fit, rule0, spec: g * (fit * rule0 * spec) * x2,
        x2=lambda xp, g, x1, spec, rule0, fit: g * (fit * rule0 * spec) * x1,
        samples=samples,
    )
    x1, x2 = ag.tensor(2.0, requires_grad=True), ag.tensor([1.0, 4.0], requires_grad=True)
    with plugins.isolated() as manager:
        manager.register(Plugin(ops=[scaled]), "mine")
        ag.sum(scaled.call(x1, x2, fit=3.0, spec=7.0)).backward()
    assert x1.grad.item() == 21 * 5
    np.testing.assert_array_equal(x2.grad, [42, 42])


def test_functions_that_are_the_same_are_compiled_once():
    def both(factor):
        return [(lambda xp, g, x: g * factor, ("x",), None), (lambda xp, g, x: g + factor, ("x",), "x_spec")]

    first = joined(both(2.0), ("x", "x_spec"))
    compiled = written.cache_info().misses
    second = joined(both(3.0), ("x", "x_spec"))
    assert written.cache_info().misses == compiled
    g, spec = np.ones(2), Spec((2,), np.dtype("float64"), "cpu")
    np.testing.assert_array_equal(first(np, g, None, spec), [[2, 2], [3, 3]])
    np.testing.assert_array_equal(second(np, g, None, spec), [[3, 3], [4, 4]])
