import numpy as np
import pytest

import agnograd as ag
from agnograd.autograd import Function
from agnograd.testing import GradcheckError, check_grads


@pytest.fixture
def x():
    return ag.tensor([0.3, -0.7, 1.1])


def cube(backward=lambda x: 3 * x**2, forward=lambda x: 3 * x**2):
    """A custom function whose rules may be wrong."""

    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * backward(x)

        @staticmethod
        def jvp(ctx, t):
            (x,) = ctx.saved_tensors
            return t * forward(x)

    return Cube.apply


@pytest.mark.parametrize("order", [1, 2, 3])
def test_right_derivatives_pass(x, order):
    check_grads(lambda x: ag.sum(ag.exp(x) * x), (x,), order)


def test_numbers_of_all_kinds(x):
    check_grads(lambda z: z * z * ag.conj(z), (ag.tensor([0.3 + 0.2j, -0.7j]),), 2)
    check_grads(lambda x: x * (1 + 2j) * x, (x,), 2)
    check_grads(lambda z: ag.abs(z) * 2, (ag.tensor([0.3 + 0.2j]),), 2)
    check_grads(lambda x: x * x, (2.0,), 2)
    check_grads(lambda x, z: x * z, (2, 1j), 2)
    check_grads(lambda x: ag.sin(x) * x, (ag.astype(x, ag.float32),), 2)


def test_trees_constants_and_several_outputs(x):
    def f(p, n, i):
        y = ag.take(p["a"], i, axis=0) * p["b"][0] ** n
        return {"y": y, "where": (ag.argmax(y),)}

    args = ({"a": x, "b": [ag.tensor(2.0)]}, np.array([1, 2]), np.array([0, 2]))
    check_grads(f, args, 2)
    check_grads(lambda x, none: {"y": x * x, "none": none}, (x, None), 2)


def test_every_backend(agnograd_xp):
    check_grads(lambda x: agnograd_xp.tanh(x) / x, (agnograd_xp.asarray([0.3, -0.7, 1.1]),), 2)
    check_grads(lambda x: agnograd_xp.tanh(x).sum(), (ag.asarray(agnograd_xp.asarray([0.3, -0.7])),), 1)


def test_wrong_derivatives_are_found(x):
    check_grads(cube(), (x,), 3)
    found = "the derivative along a direction of output 0 is not that of finite differences"
    one = {"atol": 1e-6, "rtol": 1e-6}
    with pytest.raises(GradcheckError, match=f"^rev: {found}: 1 of 1 entries"):
        check_grads(cube(backward=lambda x: 2 * x**2), (x,), 1, **one)
    with pytest.raises(GradcheckError, match=f"^fwd: {found}: 3 of 3 entries"):
        check_grads(cube(forward=lambda x: 2 * x**2), (x,), 1, **one)
    # Of one mode, the other is not asked for.
    check_grads(cube(backward=lambda x: 2 * x**2), (x,), 2, modes=("fwd",))
    check_grads(cube(forward=lambda x: 2 * x**2), (x,), 2, modes=("rev",))
    # The first order is right.
    lost = cube(backward=lambda x: 3 * x.detach() ** 2)
    check_grads(lost, (x,), 1)
    with pytest.raises(GradcheckError, match=f"^rev of rev: {found}"):
        check_grads(lost, (x,), 2, modes=("rev",))
    with pytest.raises(GradcheckError, match=f"^fwd of rev: {found}"):
        check_grads(lost, (x,), 2)


def test_tolerances_and_steps(x):
    near = cube(backward=lambda x: 3 * x**2 * (1 + 1e-4))
    with pytest.raises(GradcheckError, match="rev"):
        check_grads(near, (x,), 1)
    check_grads(near, (x,), 1, rtol=1e-3)
    with pytest.raises(GradcheckError, match=r"atol 1e-12, rtol 1e-12"):
        check_grads(lambda x: ag.exp(5 * x), (x,), 1, atol=1e-12, rtol=1e-12)
    with pytest.raises(GradcheckError, match="fwd"):
        check_grads(lambda x: ag.exp(5 * x), (x,), 1, eps=0.5)


def test_no_message_shows_values():
    with pytest.raises(GradcheckError) as caught:
        check_grads(lambda x: x * ag.stop_gradient(x), (ag.tensor([1234.5678]),), 1)
    assert not any(part in str(caught.value) for part in ("1234", "array(", "tensor("))


def test_wrong_arguments(x):
    for modes in (("fwd", "back"), "fwd"):
        with pytest.raises(ValueError, match="modes are a sequence of 'fwd' and 'rev'"):
            check_grads(ag.exp, (x,), 1, modes=modes)
    with pytest.raises(ValueError, match="an argument of real or complex numbers"):
        check_grads(ag.exp, (np.array([1, 2]),), 1)
