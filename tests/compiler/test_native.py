"""Programs on the machine that Numba compiles: the values are NumPy's, up to the last bits of functions."""

import numpy as np
import pytest

import agnograd as ag
from agnograd.compiler.machine import BINARY, CODES, UNARY

X = np.linspace(0.1, 0.9, 6)


def close(g, *args, native=True):
    compiled = ag.compile(g, native=True)
    for _ in range(2):
        found = ag.tree.leaves(compiled(*args))
    for a, b in zip(found, ag.tree.leaves(g(*args)), strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-300)
    assert ("natively" in repr(ag.explain(compiled, *args))) == native


@pytest.mark.parametrize("name", [n for n in UNARY if n != "copy"])
def test_functions_of_one_number(name):
    close(lambda x: getattr(ag, name)(x), X)


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_numbers(name):
    def g(x, y):
        out = getattr(ag, name)(x, y)
        return ag.where(out, x, y) if name in BINARY[-6:] else out

    y = X[::-1].copy()
    y[2] = X[2]
    close(g, X, y)
    close(lambda x: g(x, ag.sum(x)), X)


def test_every_code_is_tested():
    assert set(CODES) == {*UNARY, *BINARY, "where", "sum"}


def test_nan_in_extrema():
    x = np.asarray([np.nan, 1.0, np.nan])
    f = ag.compile(lambda x, y: (ag.maximum(x, y), ag.minimum(y, x)), native=True)
    for out in f(x, x[[1, 0, 2]]):
        assert np.isnan(out).all()


def test_gradients_parts_and_writes():
    def g(x, s):
        out = x * s
        out[1:5:2] = x[:2] * 2
        out[0] += ag.sum(x[3:])
        y = ag.reshape(out, (2, 3))[1] + ag.mean(ag.tanh(x))
        return ag.sum(ag.where(y > 0.5, y * y, ag.sin(y)))

    close(ag.value_and_grad(g, (0, 1)), X, np.asarray(1.5))
    close(lambda x, s: ag.jvp(g, (x, s), (x, s)), X, np.asarray(1.5))


def test_a_loop_of_native_steps():
    def step(q, p):
        return q + 0.01 * p, p - 0.01 * ag.sin(q)

    def end(advance):
        def run(q):
            p = ag.zeros_like(q)
            for _ in range(50):
                q, p = advance(q, p)
            return ag.sum(q * q)

        return run

    np.testing.assert_allclose(ag.grad(end(ag.compile(step, native=True)))(X), ag.grad(end(step))(X), rtol=1e-13)


@pytest.mark.parametrize(
    ("g", "x"),
    [
        (lambda x: x @ x, X),
        (lambda x: x * 2, X.astype("float32")),
        (lambda x: x + np.ones((2, 1)), X),
        (lambda x: x * 2, np.ones(100_000)),
        (lambda x: x > 0.5, X),
    ],
    ids=["product", "float32", "broadcast", "large", "truth"],
)
def test_others_run_as_without_it(g, x):
    close(g, x, native=False)
