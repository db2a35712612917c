"""remat: a function that keeps less for its gradient, under every transformation."""

from __future__ import annotations

import numpy as np
import pytest
from made_tensors import leaf, raw, same

import agnograd as ag
from agnograd.errors import UnknownOperationError

X = np.array([0.3, -0.2, 0.7])
Y = np.array([1.0, 2.0, -3.0])


@pytest.fixture
def x(agnograd_backend):
    return raw(agnograd_backend, X)


@pytest.fixture
def y(agnograd_backend):
    return raw(agnograd_backend, Y)


@ag.remat
def f(x):
    """Of a sine and an exponential."""
    return ag.sin(x) * ag.exp(2 * x)


def df(x):
    return (np.cos(x) + 2 * np.sin(x)) * np.exp(2 * x)


def ddf(x):
    return (3 * np.sin(x) + 4 * np.cos(x)) * np.exp(2 * x)


def test_values_and_derivatives_are_the_same(agnograd_backend, x, y):
    s = lambda x: ag.sum(f(x))
    same(f(x), np.sin(X) * np.exp(2 * X))
    assert type(f(x)) is type(x)
    same(ag.grad(s)(x), df(X))
    same(ag.jvp(f, (x,), (y,))[1], df(X) * Y)
    same(ag.vmap(f)(x), np.sin(X) * np.exp(2 * X))
    same(ag.vmap(ag.grad(f))(x), df(X))
    same(ag.grad(lambda x: ag.sum(ag.vmap(f)(x)))(x), df(X))
    same(ag.linearize(f, x)[1](y), df(X) * Y)
    same(ag.hvp(s, (x,), (y,)), ddf(X) * Y)
    same(ag.grad(lambda x: ag.sum(ag.grad(s)(x)))(x), ddf(X))
    same(ag.grad(lambda x: ag.sum(ag.jvp(f, (x,), (y,))[1]))(x), ddf(X) * Y)
    t = leaf(agnograd_backend, X)
    s(t).backward()
    same(t.grad, df(X))
    assert f.__doc__ == "Of a sine and an exponential."


def test_the_function_runs_again(x):
    calls = []

    @ag.remat
    def counted(x):
        calls.append(1)
        return ag.exp(ag.sin(x))

    ag.grad(lambda x: ag.sum(counted(x)))(x)
    assert len(calls) == 2
    ag.jvp(counted, (x,), (x,))
    assert len(calls) == 3


def test_what_is_saved(x):
    @ag.remat(save="exp")
    def g(x):
        return ag.sin(ag.exp(x))

    same(ag.grad(lambda x: ag.sum(g(x)))(x), np.cos(np.exp(X)) * np.exp(X))
    with pytest.raises(UnknownOperationError, match="'exqp'"):
        ag.remat(g, save={"exqp"})(X)


def test_keyword_arguments_and_trees(x, y):
    # One of them with the name of an option of `checkpoint`.
    g = ag.remat(lambda p, *, save, early_stop: ag.sum(p["w"] * save * early_stop))
    found = ag.grad(g, ("save", 0))({"w": x}, save=2.0, early_stop=y)
    same(found[0], X @ Y)
    same(found[1]["w"], 2 * Y)


def test_it_takes_a_function():
    with pytest.raises(TypeError, match=r"agnograd.remat takes a function, got ndarray"):
        ag.remat(X)
