import numpy as np
import pytest

import agnograd as ag
from agnograd.core.sample import Sample, Uniform
from agnograd.core.table import register, unregister
from agnograd.core.tiers import general
from agnograd.testing import GradcheckError, gradcheck


@pytest.fixture
def x():
    return np.array([0.3, -0.7, 1.1])


@pytest.fixture
def z():
    return np.array([0.3 + 0.2j, -0.7j, 1.1])


def test_right_derivatives_pass(x, z):
    gradcheck(lambda x: ag.sum(ag.exp(x) * x), [x])
    gradcheck(lambda z: ag.exp(z) * ag.conj(z), [z])
    gradcheck(lambda x, z: (ag.sin(x) * z, ag.abs(z)), [x, z])


def test_arguments_may_be_tensors_and_constants(x):
    gradcheck(lambda x, n, i, c: ag.take(x * n, i, axis=0) * c, [ag.tensor(x), ag.tensor(x), np.array([0, 0, 2]), 2.0])


def test_tree_of_results(x):
    gradcheck(lambda x: {"a": x * x, "b": [ag.sum(x)]}, [x])


def test_every_backend(agnograd_xp):
    gradcheck(lambda x: agnograd_xp.sum(agnograd_xp.tanh(x) / x), [agnograd_xp.asarray([0.3, -0.7, 1.1])])


def test_wrong_gradient_is_found(x):
    with pytest.raises(GradcheckError, match=r"reverse mode: .* finite differences: .* differ by"):
        gradcheck(lambda x: x * ag.stop_gradient(x), [x])


def test_order_is_chosen(x):
    # d(x^3) = 3 x^2 dx, where that factor is held constant: right in first order only.
    op = register(
        general(
            "half.cube(x, /)",
            body=lambda xp, x: x * x * x,
            vjp={"x": lambda xp, g, x: 3 * ag.stop_gradient(x) ** 2 * g},
            jvp={"x": lambda xp, t, x: 3 * ag.stop_gradient(x) ** 2 * t},
            samples=[Sample((Uniform(),))],
        )
    )
    try:
        gradcheck(op.call, [x], order=1)
        with pytest.raises(GradcheckError, match="forward over reverse mode"):
            gradcheck(op.call, [x])
    finally:
        unregister(op.name)


def test_result_without_gradient(x):
    with pytest.raises(GradcheckError, match="finite differences"):
        gradcheck(ag.stop_gradient, [x])
