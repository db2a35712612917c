"""Zero cotangents that stay zero: in both modes, to second order, on every backend, and only where asked for."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

import agnograd as ag
from agnograd import plugins
from agnograd.core.level import zero_safety
from agnograd.testing.matrix import during_rules, rows

INF = np.inf

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

ROWS = [
    row for name in ("numpy", "strict", "dask") if plugins.manager.unavailable(name) is None for row in rows([name])
]


@pytest.fixture(autouse=True)
def _restored():
    yield
    assert zero_safety.get() is False


def namespace(x):
    return x.__array_namespace__()


def masked(root):
    """A function of a real array that takes `root` of what is positive and 0 elsewhere."""

    def f(x):
        xp = namespace(x)
        return xp.sum(xp.where(x > 0, root(xp, x), 0))

    return f


MASKED = {
    "pow": masked(lambda xp, x: x**0.5),
    "pow of arrays": masked(lambda xp, x: x ** xp.full_like(x, 0.5)),
    "exponent": masked(lambda xp, x: xp.zeros_like(x) ** -x),
    "finite slope, infinite curvature": masked(lambda xp, x: x**1.5),
    "sqrt": masked(lambda xp, x: xp.sqrt(x)),
    "log": masked(lambda xp, x: xp.log(x)),
    "divide": masked(lambda xp, x: x / x),
    "denominator": masked(lambda xp, x: 1 / x),
    "multiply": masked(lambda xp, x: x * (1 / xp.abs(x))),
    "broadcast": masked(lambda xp, x: x[:1] / x),
    "reciprocal": masked(lambda xp, x: xp.reciprocal(x)),
    "partial": masked(lambda xp, x: xp.atan2(x, x) + xp.logaddexp(x, 1 / x)),
}


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_masked_has_gradient_zero(row, name):
    dtype = row.dtype_name("float64")
    x = row.asarray(np.array([4.0, 0.0, 1.0], dtype))
    f = MASKED[name]
    with ag.zero_safe(), during_rules(row.backend):
        got = [ag.grad(f)(x), ag.hvp(f, (x,), (row.space.ones_like(x),))]
        twice = ag.grad(lambda x: namespace(x).sum(ag.grad(f)(x)))(x)
    host = np.array([4.0, 0.0, 1.0])
    # What is masked may as well not be there.
    expected = [np.zeros(3), np.zeros(3)]
    keep = host > 0
    expected[0][keep] = ag.grad(f)(host[keep])
    expected[1][keep] = ag.hvp(f, (host[keep],), (np.ones(2),))
    to_host = row.space.backend.to_host
    for a, b in zip([*got, twice], [*expected, expected[1]], strict=True):
        np.testing.assert_allclose(to_host(a), b, rtol=1e-6 if dtype == "float32" else 1e-12, atol=1e-6)


@pytest.mark.parametrize("name", ["pow", "divide", "log"])
def test_complex_cotangents(name):
    x = np.array([4.0 + 1j, 0.0])

    def f(x):
        root = {"pow": lambda x: x**0.5, "divide": lambda x: 1 / x, "log": ag.log}[name]
        return ag.sum(ag.real(ag.where(ag.abs(x) > 0, root(x), 0) * 1j))

    with ag.zero_safe():
        got = ag.grad(f)(x)
    np.testing.assert_allclose(got[1], 0)
    np.testing.assert_allclose(got[0], ag.grad(f)(x[:1])[0])


def test_outside_the_rule_is_what_it_was():
    x = np.array([4.0, 0.0])
    f = MASKED["pow"]
    np.testing.assert_array_equal(ag.grad(f)(x), [0.25, np.nan])
    with ag.zero_safe():
        np.testing.assert_array_equal(ag.grad(f)(x), [0.25, 0.0])
    np.testing.assert_array_equal(ag.grad(f)(x), [0.25, np.nan])


def test_an_infinite_gradient_that_counts_stays():
    with ag.zero_safe():
        np.testing.assert_array_equal(ag.grad(lambda x: ag.sum(x**0.5))(np.array([0.0, 1.0])), [INF, 0.5])
        assert np.isnan(ag.grad(lambda x: ag.sum(x * np.nan))(np.array([1.0])))


def test_a_derivative_of_zero_takes_an_infinity_out_in_both_modes():
    # sqrt(x^2) at 0, where the infinite slope of the root comes after the zero of the square, or before it.
    x, one = np.zeros(1), np.ones(1)
    with ag.zero_safe():
        np.testing.assert_array_equal(ag.grad(lambda x: ag.sum(ag.sqrt(x * x)))(x), 0.0)
        np.testing.assert_array_equal(ag.jvp(lambda x: ag.sqrt(x * x), (x,), (one,))[1], 0.0)


def test_zero_tangents_stay_zero():
    x, t = np.array([0.0, 4.0]), np.array([0.0, 1.0])
    np.testing.assert_array_equal(ag.jvp(lambda x: x**0.5, (x,), (t,))[1], [np.nan, 0.25])
    with ag.zero_safe():
        np.testing.assert_array_equal(ag.jvp(lambda x: x**0.5, (x,), (t,))[1], [0.0, 0.25])
        np.testing.assert_array_equal(ag.jvp(lambda x: x**0.5, (x,), (t + 1,))[1], [INF, 0.5])


def test_second_derivatives_where_a_cotangent_is_zero_by_chance():
    # The cotangent of x y is 2 x y = 0, and yet the second derivative is 2 y^2: a zero that is finite is no mask.
    y = np.array([3.0])
    f = lambda x: ag.sum((x * y) ** 2)
    zero = np.zeros(1)
    with ag.zero_safe():
        np.testing.assert_array_equal(ag.hvp(f, (zero,), (np.ones(1),)), [18.0])
        np.testing.assert_array_equal(ag.grad(lambda x: ag.sum(ag.grad(f)(x)))(zero), [18.0])
        np.testing.assert_array_equal(ag.grad(lambda x: ag.jvp(f, (x,), (np.ones(1),))[1])(zero), [18.0])


def test_a_standard_scaler_with_a_constant_column():
    # As scikit-learn has it: 0/0 first, overwritten afterwards.
    x = ag.tensor([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]], requires_grad=True)
    scale = ag.std(x, axis=0)
    z = (x - ag.mean(x, axis=0)) / scale
    z[:, 1] = 0.0
    with ag.zero_safe():
        (z[0, :] * 2).sum().backward()
    assert np.isfinite(x.grad.array).all()
    np.testing.assert_array_equal(x.grad.array[:, 1], 0.0)


def test_slices_and_shared_leaves_accumulate_and_the_graph_is_freed():
    x = ag.tensor(np.arange(4.0), requires_grad=True)
    y = sum(ag.where(x[i] > 0, x[i] ** 0.5, 0) for i in range(4)) + (x * x).sum()
    with ag.zero_safe():
        y.backward()
        np.testing.assert_allclose(
            x.grad.array, [0.0, *(0.5 / np.sqrt([1.0, 2.0, 3.0]) + 2 * np.array([1.0, 2.0, 3.0]))]
        )
        with pytest.raises(ag.errors.GraphFreedError):
            y.backward()


def test_a_graph_that_is_retained():
    x = ag.tensor([0.0, 1.0], requires_grad=True)
    y = ag.where(x > 0, x**0.5, 0).sum()
    with ag.zero_safe():
        y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_array_equal(x.grad.array, [np.nan, 1.0])


@pytest.mark.parametrize("decorate", [ag.zero_safe, ag.zero_safe()], ids=["without parentheses", "with"])
def test_a_decorator(decorate):
    @decorate
    def gradient(x):
        """Named."""
        return ag.grad(MASKED["pow"])(x)

    assert gradient.__doc__ == "Named."
    np.testing.assert_array_equal(gradient(np.zeros(1)), [0.0])


def test_generators_coroutines_and_threads_have_modes_of_their_own():
    @ag.zero_safe()
    def steps():
        yield zero_safety.get()
        yield zero_safety.get()

    @ag.zero_safe()
    async def later():
        await asyncio.sleep(0)
        return zero_safety.get()

    @ag.zero_safe()
    async def numbers():
        yield zero_safety.get()

    async def all_of_them():
        async def plain():
            await asyncio.sleep(0)
            return zero_safety.get()

        return [*await asyncio.gather(later(), plain()), *[x async for x in numbers()]]

    seen = []
    for x in steps():
        seen += [x, zero_safety.get()]
    assert seen == [True, False, True, False]
    assert asyncio.run(all_of_them()) == [True, False, True]
    elsewhere = []
    with ag.zero_safe():
        thread = threading.Thread(target=lambda: elsewhere.append(zero_safety.get()))
        thread.start()
        thread.join()
    assert elsewhere == [False]


def test_it_nests_with_the_grad_modes():
    x = ag.ones(1, requires_grad=True)
    with ag.zero_safe():
        with ag.no_grad():
            assert not (x * 2).requires_grad
            assert zero_safety.get()
            with ag.zero_safe():
                assert zero_safety.get()
        assert zero_safety.get()
        assert ag.is_grad_enabled()
