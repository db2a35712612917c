"""jvp and hvp: directions, trees, extra results, and what they give back."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from made_tensors import constant, host, leaf, raw, same

import agnograd as ag
from agnograd.errors import CotangentError, EscapedError, NotDifferentiableError

X = np.array([0.3, -0.2, 0.7])
Y = np.array([1.0, 2.0, -3.0])
Z = np.array([0.5 + 1.0j, -0.3j, 1.0])


@pytest.fixture
def x(agnograd_backend):
    return raw(agnograd_backend, X)


@pytest.fixture
def y(agnograd_backend):
    return raw(agnograd_backend, Y)


@pytest.fixture
def z(agnograd_backend):
    return raw(agnograd_backend, Z)


def test_value_and_tangent(x, y):
    value, tangent = ag.jvp(lambda x, y: ag.sum(ag.sin(x) * y), (x, y), (y, x))
    same(value, np.sin(X) @ Y)
    same(tangent, (np.cos(X) * Y) @ Y + np.sin(X) @ X)
    assert type(value) is type(tangent) is type(x)


def test_trees(x, y):
    f = lambda p, s: {"a": ag.multiply(p["w"], s), "b": (p["b"][0] ** 2, None)}
    p = {"w": x, "b": [y, None]}
    value, tangent = ag.jvp(f, (p, 2.0), ({"w": y, "b": [x, None]}, 3.0))
    same(value["a"], 2 * X)
    same(tangent["a"], 2 * Y + 3 * X)
    same(tangent["b"][0], 2 * Y * X)
    assert tangent["b"][1] is None
    # None is a direction of zero, of a leaf or of a part.
    same(ag.jvp(f, (p, 2.0), ({"w": None, "b": [x, None]}, 3.0))[1]["a"], 3 * X)
    same(ag.jvp(f, [p, 2.0], [None, 3.0])[1]["b"][0], np.zeros(3))
    same(ag.jvp(f, (p, 2.0), (None, None))[1]["a"], np.zeros(3))


def test_extra_results(x, y):
    value, tangent, aux = ag.jvp(lambda x: (x * x, {"sin": ag.sin(x), "name": "f"}), (x,), (y,), has_aux=True)
    same(value, X**2)
    same(tangent, 2 * X * Y)
    same(aux["sin"], np.sin(X))
    assert type(aux["sin"]) is type(x)
    assert aux["name"] == "f"
    with pytest.raises(TypeError, match="with has_aux=True the function must return a pair"):
        ag.jvp(ag.sin, (x,), (y,), has_aux=True)


def test_integers(x, y):
    n = raw(ag.core.facts.raw_space(x).name, np.array([2, 0, 1]))
    _, tangent = ag.jvp(lambda x, n: (ag.take(x, n, axis=0), n), (x, n), (y, None))
    same(tangent[0], Y[host(n)])
    assert tangent[1] is None
    with pytest.raises(NotDifferentiableError, match=r"jvp requires real- or complex-valued inputs, got argument 1 "):
        ag.jvp(lambda x, n: x, (x, n), (y, n))


def test_complex_numbers(x, y, z):
    same(ag.jvp(lambda z: z**3, (z,), (z,))[1], 3 * Z**3)
    same(ag.jvp(lambda x: ag.exp(x * 1j), (x,), (y,))[1], 1j * Y * np.exp(1j * X))
    same(ag.jvp(lambda z: ag.real(z * ag.conj(z)), (z,), (z,))[1], 2 * np.abs(Z) ** 2)


@pytest.mark.parametrize(
    ("tangents", "words"),
    [
        (({"a": X, "b": [X[:2]]},), "the tangent of argument 0['b'][0] has shape (2,), float64"),
        (({"a": X, "b": [X, X]},), "it has 2 items, not 1, at [0]['b']"),
        (({"a": 1j, "b": [X]},), "the tangent of argument 0['a'] is a complex number, the value real"),
        (({"a": "t", "b": [X]},), "the tangent of argument 0['a'] must be an array like the value"),
        ((X, X), "it has 2 items, not 1"),
    ],
)
def test_directions_that_do_not_fit_are_named(tangents, words):
    with pytest.raises(CotangentError) as caught:
        ag.jvp(lambda p: p["a"], ({"a": X, "b": [X]},), tangents)
    assert words in str(caught.value)


def test_tensors_give_tensors(agnograd_backend, x, y):
    t = constant(agnograd_backend, Y)
    for found in (ag.jvp(ag.sin, (x,), (t,)), ag.jvp(ag.sin, (t,), (x,)), ag.jvp(lambda x: (x, t)[1], (t,), (x,))):
        assert all(isinstance(v, ag.Tensor) for v in found)
    # A constant of the user's that is no argument does not make a result one.
    assert all(type(v) is type(x) for v in ag.jvp(lambda x: t, (x,), (y,)))
    assert type(ag.jvp(lambda x: x * t, (x,), (y,))[1]) is type(x)


def test_the_users_own_graph_goes_through(agnograd_backend, x, y):
    w = leaf(agnograd_backend, Y)
    _, tangent = ag.jvp(lambda x: ag.sum(x * w * w), (x,), (y,))
    tangent.backward()
    same(w.grad, 2 * Y * Y)


def test_hessian_vector_products(x, y):
    f = lambda x: ag.sum(x**3)
    same(ag.hvp(f, (x,), (y,)), 6 * X * Y)
    same(ag.hvp(lambda p: f(p["w"]), ({"w": x},), ({"w": y},))["w"], 6 * X * Y)
    # Of several arguments: the whole Hessian.
    hx, hy = ag.hvp(lambda x, y: ag.sum(ag.multiply(x * x, y)), (x, y), (y, x))
    same(hx, 2 * Y * Y + 2 * X * X)
    same(hy, 2 * X * Y)
    same(ag.hvp(lambda x, y: ag.sum(ag.multiply(x * x, y)), (x, y), (None, x))[0], 2 * X * X)
    same(ag.grad(lambda x: ag.sum(ag.hvp(f, (x,), (y,))))(x), 6 * Y)


def test_values_that_escape_are_named():
    kept = []
    ag.jvp(lambda x: kept.append(x * 2) or x, (X,), (Y,))
    with pytest.raises(EscapedError, match="'jvp' was used after that call had ended"):
        ag.jvp(lambda x: kept[0], (X,), (Y,))


def test_memory_does_not_grow_with_the_length_of_a_chain():
    def peak(length):
        def chain(x):
            for _ in range(length):
                x = ag.sin(x)
            return x

        big = np.ones(50_000)
        ag.jvp(chain, (big,), (big,))
        tracemalloc.start()
        ag.jvp(chain, (big,), (big,))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(1000) < 1.2 * peak(20)
