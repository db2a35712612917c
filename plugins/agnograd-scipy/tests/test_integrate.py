"""Differential equations: values against exact solutions and SciPy, derivatives against differences."""

import agnograd as ag
import numpy as np
import pytest
import scipy.integrate
from agnograd.errors import FunctionError, UnsupportedError
from agnograd.testing import forbid_compute, gradcheck

from agnograd_scipy.integrate import odeint, rk4

TIGHT = {"rtol": 1e-11, "atol": 1e-11}
T = np.asarray([0.0, 0.4, 1.0])


def pendulum(y, t, damping, drive):
    return ag.stack([y[1], -damping * y[1] - ag.sin(y[0]) + drive * ag.cos(2.0 * t)])


ARGUMENTS = [np.asarray([0.5, -0.2]), T, np.asarray(0.3), np.asarray(0.7)]


def test_values_are_those_of_scipy():
    def f(y, t, damping, drive):
        return np.asarray([y[1], -damping * y[1] - np.sin(y[0]) + drive * np.cos(2.0 * t)])

    y0, t, *args = ARGUMENTS
    expected = scipy.integrate.odeint(f, y0, t, tuple(args), rtol=1e-11, atol=1e-11)
    for backend in ("numpy", "strict"):
        xp = ag.namespace(backend)
        y0, t, *args = map(xp.asarray, ARGUMENTS)
        found = odeint(pendulum, y0, t, *args, **TIGHT)
        assert type(found) is ag.Tensor
        np.testing.assert_allclose(ag.to_backend(found, "numpy").array, expected, rtol=1e-9)
    raw = odeint(pendulum, *ARGUMENTS, **TIGHT)
    assert type(raw) is np.ndarray
    np.testing.assert_allclose(raw, expected, rtol=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "strict"])
def test_first_derivatives(backend):
    arguments = [ag.namespace(backend).asarray(x) for x in ARGUMENTS]
    gradcheck(lambda *args: odeint(pendulum, *args, rtol=1e-9, atol=1e-9), arguments, order=1, rtol=1e-5, atol=1e-6)


def test_second_derivatives():
    def f(y0, t, damping, drive):
        swing = lambda y, t: ag.stack([y[1], damping * -y[1] - ag.sin(y[0]) * drive])
        return odeint(swing, y0, t, rtol=1e-9, atol=1e-9)

    gradcheck(f, [ARGUMENTS[0], np.asarray([0.0, 0.2]), *ARGUMENTS[2:]], order=2, rtol=1e-5, atol=1e-6)


def test_backwards_in_time():
    gradcheck(lambda *args: odeint(pendulum, *args, **TIGHT), [ARGUMENTS[0], -T, *ARGUMENTS[2:]], order=1, rtol=1e-5)


def test_trees_closures_and_stiff_methods():
    rate = ag.tensor(1.5, requires_grad=True)
    y0 = {"a": ag.tensor([1.0, 2.0]), "b": ag.tensor(3.0)}

    def f(y, t, factors):
        return {"a": -rate * y["a"], "b": factors[0] * y["b"]}

    out = odeint(f, y0, ag.asarray(T), [ag.tensor(0.5)], method="Radau", rtol=1e-8, atol=1e-10)
    assert (out["a"].shape, out["b"].shape) == ((3, 2), (3,))
    np.testing.assert_allclose(out["b"].array, 3 * np.exp(0.5 * T), rtol=1e-6)
    out["a"].sum().backward()
    np.testing.assert_allclose(float(rate.grad), np.sum(-T * 3 * np.exp(-1.5 * T)), rtol=1e-5)


def test_vmap_is_a_loop():
    t = ag.asarray(T)

    def end(y0, damping):
        return odeint(pendulum, y0, t, damping, ag.tensor(0.7), rtol=1e-9, atol=1e-9)[-1, ...]

    starts, dampings = np.asarray([[0.5, -0.2], [0.1, 0.9]]), np.asarray([0.3, 0.6])
    found = ag.vmap(end)(starts, dampings)
    gradients = ag.vmap(ag.grad(lambda y0, d: ag.sum(end(y0, d)), argnums=(0, 1)))(starts, dampings)
    for k in range(2):
        one = ag.asarray(starts[k]), ag.asarray(dampings[k])
        np.testing.assert_allclose(np.asarray(found)[k], end(*one).array, rtol=1e-7)
        for got, expected in zip(
            gradients, ag.grad(lambda y0, d: ag.sum(end(y0, d)), argnums=(0, 1))(*one), strict=True
        ):
            np.testing.assert_allclose(np.asarray(got)[k], expected.array, rtol=1e-6)
    with pytest.raises(UnsupportedError, match="same times for all members"):
        ag.vmap(lambda t: odeint(lambda y, t: -y, ag.ones(1), t))(np.stack([T, 2 * T]))


def test_single_precision_stays():
    y0, t = (ag.asarray(x.astype(np.float32)).detach().requires_grad_() for x in (ARGUMENTS[0], T))
    out = odeint(pendulum, y0, t, *ARGUMENTS[2:])
    assert out.dtype == np.float32
    out.sum().backward()
    assert y0.grad.dtype == t.grad.dtype == np.float32
    np.testing.assert_allclose(out.array, odeint(pendulum, *ARGUMENTS), rtol=1e-3, atol=1e-3)


def test_integers_are_not_rounded_to():
    y0 = ag.tensor([1.0], requires_grad=True)
    out = odeint(lambda y, t, n: n * t * y, y0, ag.asarray(np.arange(2)), ag.asarray(np.asarray(3)), **TIGHT)
    np.testing.assert_allclose(out.array[:, 0], [1.0, np.exp(1.5)], rtol=1e-9)
    out.sum().backward()
    np.testing.assert_allclose(y0.grad.array, [1 + np.exp(1.5)], rtol=1e-8)
    np.testing.assert_allclose(odeint(lambda y, t, n: n * t * y, y0, [0, 1], 3, **TIGHT).array, out.array)
    with pytest.raises(UnsupportedError, match="int64"):
        odeint(lambda y, t: y, ag.asarray(np.arange(2)), ag.asarray(T))


GLOBAL = ag.tensor(2.0, requires_grad=True)


def test_refusals():
    one = ag.ones(1)
    with pytest.raises(ValueError, match="must increase, or decrease"):
        odeint(lambda y, t: -y, one, ag.tensor([0.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="times in one axis"):
        odeint(lambda y, t: -y, one, ag.tensor(0.0))
    with pytest.raises(ValueError, match="a derivative for each number of the state: 1, got 2"):
        odeint(lambda y, t: ag.ones(2), one, ag.tensor([0.0, 1.0]))
    with pytest.raises(UnsupportedError, match="complex128"):
        odeint(lambda y, t: -y, one * 1j, ag.tensor([0.0, 1.0]))
    with pytest.raises(UnsupportedError, match=r"lazy backend 'dask'. Take\s+agnograd_scipy.integrate.rk4"):
        odeint(lambda y, t: -y, ag.namespace("dask").ones(1), ag.namespace("dask").asarray(T))
    with pytest.raises(FunctionError, match="a global variable"):
        odeint(lambda y, t: -GLOBAL * y, one, ag.tensor([0.0, 1.0]))
    with pytest.raises(UnsupportedError, match="solve_ivp has failed"):
        odeint(lambda y, t: y * y, ag.tensor([1.0]), ag.tensor([0.0, 2.0]))


# -- fixed steps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", "strict"])
def test_rk4_converges_with_its_order(backend):
    xp = ag.namespace(backend)

    def error(steps):
        found = rk4(lambda y, t: y * xp.cos(t), xp.asarray([1.0, 2.0]), xp.asarray(T), steps=steps)
        exact = np.exp(np.sin(T))[:, None] * [1.0, 2.0]
        return abs(ag.to_backend(found, "numpy").array - exact).max()

    assert error(8) < 1e-6
    assert 12 < error(4) / error(8) < 20


@pytest.mark.parametrize("backend", ["numpy", "strict"])
def test_rk4_has_all_derivatives(backend):
    arguments = [ag.namespace(backend).asarray(x) for x in (ARGUMENTS[0], np.asarray([0.0, 0.4]), *ARGUMENTS[2:])]
    gradcheck(lambda *args: rk4(pendulum, *args, steps=2), arguments, order=2)


def test_rk4_leaves_dask_lazy():
    xp = ag.namespace("dask")
    with forbid_compute():
        y0 = xp.ones(3).requires_grad_()
        out = rk4(lambda y, t: -y * t, y0, xp.asarray(T))
        out.sum().backward()
    expected = ag.ones(3).requires_grad_()
    rk4(lambda y, t: -y * t, expected, ag.asarray(T)).sum().backward()
    np.testing.assert_allclose(ag.to_backend(y0.grad, "numpy").array, expected.grad.array)


def test_both_solvers_agree_on_trees_of_complex_numbers():
    t = ag.asarray(T)
    found = rk4(lambda y, t: {"z": 1j * y["z"]}, {"z": ag.tensor(1.0 + 0j)}, t, steps=20)["z"].array
    pair = odeint(lambda y, t: (-y[1], y[0]), (ag.tensor(1.0), ag.tensor(0.0)), t, **TIGHT)
    np.testing.assert_allclose(found, pair[0].array + 1j * pair[1].array, atol=1e-7)
