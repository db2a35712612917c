"""linearize: the derivative at a point as a linear function, which runs the function once."""

from __future__ import annotations

import gc
import time
import weakref

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


def f(x):
    return ag.sin(x) * ag.exp(2 * x)


def df(x):
    return (np.cos(x) + 2 * np.sin(x)) * np.exp(2 * x)


def ddf(x):
    return (3 * np.sin(x) + 4 * np.cos(x)) * np.exp(2 * x)


def test_products_are_those_of_forward_mode_and_run_the_function_once(x, y):
    calls = []

    def counted(x):
        calls.append(1)
        return f(x)

    value, f_lin = ag.linearize(counted, x)
    same(value, np.sin(X) * np.exp(2 * X))
    for direction in (Y, X, np.zeros(3)):
        same(f_lin(raw_like(x, direction)), df(X) * direction)
    assert len(calls) == 1
    assert type(value) is type(f_lin(y)) is type(x)


def raw_like(x, values):
    return raw(ag.core.facts.raw_space(x).name, values)


@pytest.mark.parametrize(
    "g",
    [
        lambda x: x[1:] * x[:-1],
        lambda x: ag.concat([x, ag.cumulative_sum(x)]) ** 2,
        lambda x: ag.linalg.vector_norm(x) * x,
        lambda x: ag.max(x) * ag.sort(x),
        lambda x: ag.linalg.inv(np.eye(3) + x[:, None] * x[None, :]),
        lambda x: ag.where(x > 0, x**2, ag.sin(x)),
        lambda x: ag.checkpoint(f, x) * 2,
        lambda x: ag.vmap(lambda a: a**3)(x),
        lambda x: ag.grad(lambda x: ag.sum(f(x) ** 2))(x),
    ],
    ids=["slices", "concat", "norm", "sort", "inv", "where", "checkpoint", "vmap", "grad"],
)
def test_functions_of_all_kinds(g):
    value, f_lin = ag.linearize(g, X)
    expected, tangent = ag.jvp(g, (X,), (Y,))
    same(value, expected)
    same(f_lin(Y), tangent)


def test_trees_constants_and_extra_results(x, y):
    n = ag.argsort(ag.asarray(x))

    def g(p, n, s):
        w = ag.take(ag.multiply(p["w"], s), n, axis=0)
        return {"a": w, "b": (p["b"][0] ** 2, None), "n": n}, {"sin": ag.sin(w), "name": "g"}

    p = {"w": x, "b": [y, None]}
    value, f_lin, aux = ag.linearize(g, p, n, 2.0, has_aux=True)
    order = host(n)
    same(value["a"], 2 * X[order])
    same(aux["sin"], np.sin(2 * X[order]))
    assert aux["name"] == "g"
    tangent = f_lin({"w": y, "b": [x, None]}, None, 3.0)
    same(tangent["a"], (2 * Y + 3 * X)[order])
    same(tangent["b"][0], 2 * Y * X)
    assert tangent["b"][1] is None
    assert tangent["n"] is None
    same(f_lin({"w": None, "b": [x, None]}, None, None)["a"], np.zeros(3))
    same(f_lin(None, None, 3.0)["a"], 3 * X[order])


def test_what_does_not_depend_on_the_arguments(x, y):
    _, f_lin = ag.linearize(lambda x, y: (ag.ones_like(x), x * 2), x, y)
    still, moving = f_lin(y, y)
    same(still, np.zeros(3))
    same(moving, 2 * Y)
    same(f_lin(None, y)[1], np.zeros(3))


def test_complex_numbers(agnograd_backend, x, y):
    z = raw(agnograd_backend, Z)
    same(ag.linearize(lambda z: z**3, z)[1](z), 3 * Z**3)
    same(ag.linearize(lambda z: z * ag.conj(z) * 1j, z)[1](z), 2j * np.abs(Z) ** 2)
    same(ag.linearize(lambda x: ag.exp(x * 1j), x)[1](y), 1j * Y * np.exp(1j * X))
    same(ag.linearize(ag.imag, z)[1](z), Z.imag)


def test_single_precision(agnograd_backend):
    x = raw(agnograd_backend, X.astype(np.float32))
    _, f_lin = ag.linearize(f, x)
    assert host(f_lin(x)).dtype == np.float32


def test_a_product_is_differentiable_in_its_direction(x, y):
    _, f_lin = ag.linearize(f, x)
    same(ag.grad(lambda t: ag.sum(f_lin(t) ** 2))(y), 2 * df(X) ** 2 * Y)
    same(ag.jvp(f_lin, (y,), (x,))[1], df(X) * X)
    same(ag.vmap(f_lin)(ag.stack([ag.asarray(x), ag.asarray(y)])), df(X) * np.stack([X, Y]))
    same(ag.linearize(f_lin, y)[1](x), df(X) * X)


def test_the_point_is_that_of_an_outer_transformation(x, y):
    along = lambda x: ag.linearize(f, x)[1](y)
    same(ag.grad(lambda x: ag.sum(along(x)))(x), ddf(X) * Y)
    same(ag.jvp(along, (x,), (x,))[1], ddf(X) * Y * X)
    same(ag.linearize(along, x)[1](x), ddf(X) * Y * X)
    same(ag.vmap(lambda x, t: ag.linearize(f, x)[1](t))(x, y), df(X) * Y)
    same(ag.grad(lambda x: ag.sum(ag.vmap(lambda x, t: ag.linearize(f, x)[1](t))(x, y)))(x), ddf(X) * Y)


def test_the_point_is_fixed_for_what_comes_later(x, y):
    _, f_lin = ag.linearize(f, x)
    same(ag.grad(lambda x: ag.sum(f_lin(x)))(x), df(X))
    same(ag.grad(lambda x: ag.sum(x * f_lin(y)))(x), df(X) * Y)


def test_the_users_own_graph_goes_on(agnograd_backend, x, y):
    w = leaf(agnograd_backend, Y)
    _, f_lin = ag.linearize(lambda x: x * w**2, x)
    f_lin(y).sum().backward(retain_graph=True)
    same(w.grad, 2 * Y * Y)
    t = leaf(agnograd_backend, X)
    f_lin(t).sum().backward()
    same(t.grad, Y**2)
    point = leaf(agnograd_backend, X)
    ag.linearize(f, point)[1](y).sum().backward()
    same(point.grad, ddf(X) * Y)


def test_tensors_give_tensors(agnograd_backend, x, y):
    t = constant(agnograd_backend, X)
    value, f_lin = ag.linearize(f, t)
    assert isinstance(value, ag.Tensor)
    assert isinstance(f_lin(y), ag.Tensor)
    _, f_lin = ag.linearize(f, x)
    assert isinstance(f_lin(t), ag.Tensor)
    assert type(f_lin(y)) is type(x)


@pytest.mark.parametrize(
    ("tangents", "error", "words"),
    [
        ((X[:2], None), CotangentError, "the tangent of argument 0 has shape (2,)"),
        ((X,), CotangentError, "the tangents must have the structure of the primals"),
        (((X,), None), CotangentError, "it has a tuple in the place of a leaf, at [0]"),
        ((X, np.ones(3)), NotDifferentiableError, "linearize requires real- or complex-valued inputs, got argument 1"),
        ((1j, None), CotangentError, "the tangent of argument 0 is a complex number"),
    ],
)
def test_directions_that_do_not_fit(tangents, error, words):
    _, f_lin = ag.linearize(lambda x, n: x * ag.astype(ag.asarray(n), ag.float64), X, np.arange(3))
    with pytest.raises(error) as caught:
        f_lin(*tangents)
    assert words in str(caught.value)


def test_values_that_escape_are_named():
    kept = []
    ag.linearize(lambda x: kept.append(x) or x * 2, X)
    with pytest.raises(EscapedError, match="'linearize' was used after that call had ended"):
        ag.linearize(lambda x: kept[0], X)
    with pytest.raises(TypeError, match=r"linearize takes a function that returns arrays"):
        ag.linearize(lambda x: "text", X)
    with pytest.raises(TypeError, match=r"agnograd.linearize takes a function, got ndarray"):
        ag.linearize(X, X)


def test_the_graph_of_the_function_is_let_go():
    gone = []

    def g(x):
        y = ag.exp(x)
        gone.append(weakref.ref(y))
        return y * 2 + 1

    gc.disable()
    try:
        _, f_lin = ag.linearize(g, X)
        assert gone[0]() is None
        same(f_lin(Y), 2 * np.exp(X) * Y)
    finally:
        gc.enable()


def test_a_product_is_cheaper_than_forward_mode():
    def chain(x):
        for _ in range(100):
            x = ag.sin(x) * 1.01
        return x

    _, f_lin = ag.linearize(chain, X)

    def best(run):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        return min(times)

    # About 3.4 times; 2 leave room for a busy machine.
    assert 2 * best(lambda: f_lin(Y)) < best(lambda: ag.jvp(chain, (X,), (Y,)))
