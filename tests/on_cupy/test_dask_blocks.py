"""Functions of blocks of CuPy: what runs in tasks is the library of the chunks, and so are results."""

import cupy
import dask
import dask.array as da
import numpy as np
import pytest

import agnograd as ag
from agnograd.dask import map_blocks, settle, store, training_step, value_and_grad

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(4, 3)), RNG.normal(size=3)


def per_row(x, w):
    return ag.tanh(x @ w)[:, None] * x


def loss(w, x):
    return ag.sum(per_row(x, w) ** 2)


@pytest.fixture
def data():
    with dask.config.set(scheduler="sync"):
        yield da.from_array(cupy.asarray(X), chunks=(2, 3)), cupy.asarray(W)


def check(lazy, expected):
    (found,) = dask.compute(lazy)
    for x, y in zip(ag.tree.leaves(found), ag.tree.leaves(expected), strict=True):
        assert type(x) is cupy.ndarray
        np.testing.assert_allclose(x.get(), y)


def over(run, x):
    return lambda w: ag.sum(run(per_row, x, w) ** 2)


def test_map_blocks(data):
    x, w = data
    y = map_blocks(per_row, x, w)
    assert type(y._meta) is cupy.ndarray
    check(y, per_row(X, W))
    lazy, eager = over(map_blocks, x), over(lambda f, *args: f(*args), X)
    check(ag.grad(lazy)(w), ag.grad(eager)(W))
    check(ag.hvp(lazy, (w,), (w,)), ag.hvp(eager, (W,), (W,)))


def test_value_and_grad(data):
    x, w = data
    value, g = ag.value_and_grad(loss, (0, 1))(W, X)
    check(value_and_grad(loss, (0, 1))(w, x), (value, g))
    check(value_and_grad(loss, reduce="mean")(w, x), (value / 2, g[0] / 2))


def test_steps_and_stores(data):
    x, w = data

    def update(w, x):
        value, g = value_and_grad(loss)(w, x)
        return w - 0.01 * g, value

    step, here = training_step(update), W
    for _ in range(2):
        w, value = step(w, x)
        expected, g = ag.value_and_grad(loss)(here, X)
        here = here - 0.01 * g
        check((w, value), (here, expected))
    on_host, on_device = np.zeros_like(X), cupy.zeros_like(x._meta, shape=X.shape)
    store([(x, on_host), (x, on_device)])
    np.testing.assert_array_equal(on_host, X)
    np.testing.assert_array_equal(on_device.get(), X)
    p = ag.asarray(da.from_array(cupy.asarray(W), chunks=-1)).requires_grad_()
    value = over(map_blocks, x)(p)
    value.backward()
    check(settle([p], value).array, loss(W, X))
    check(p.grad.array, ag.grad(loss)(W, X))
