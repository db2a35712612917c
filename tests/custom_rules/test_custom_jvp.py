"""custom_jvp: arguments, trees, rules in parts, and rules that return what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from made_tensors import leaf, raw, same

import agnograd as ag
from agnograd.errors import CotangentError, FunctionError, LinearityError

X = np.array([0.3, -0.2, 0.7])
Y = np.array([1.0, 2.0, -3.0])


@pytest.fixture
def x(agnograd_backend):
    return raw(agnograd_backend, X)


@pytest.fixture
def y(agnograd_backend):
    return raw(agnograd_backend, Y)


def ruled(function, rule, **options):
    f = ag.custom_jvp(function, **options)
    assert f.defjvp(rule) is rule
    return f


def test_several_arguments(x, y):
    f = ruled(
        lambda x, y: ag.multiply(x, y),
        lambda primals, tangents: (
            ag.multiply(*primals),
            2 * tangents[0] * primals[1] + 3 * tangents[1] * primals[0],
        ),
    )
    # What does not change has a tangent of zero.
    same(ag.jvp(lambda x: f(x, y), (x,), (x,))[1], 2 * X * Y)
    same(ag.jvp(f, (x, y), (None, x))[1], 3 * X * X)
    gx, gy = ag.grad(lambda x, y: ag.sum(f(x, y)), (0, 1))(x, y)
    same(gx, 2 * Y)
    same(gy, 3 * X)
    same(ag.grad(lambda x: ag.sum(f(x, y)))(x), 2 * Y)
    same(ag.grad(lambda s, y: ag.sum(ag.vmap(f, in_axes=(None, 0))(s, y)))(2.0, y), 2 * Y.sum())
    same(ag.jvp(ag.vmap(f, in_axes=(None, 0)), (2.0, y), (1.0, None))[1], 2 * Y)


def test_rules_in_parts(x, y):
    f = ag.custom_jvp(lambda x, y: ag.multiply(x, y))
    f.defjvps(lambda t, ans, x, y: 2 * t * y, lambda t, ans, x, y: 3 * t * ag.divide(ans, y))
    same(ag.jvp(f, (x, y), (y, x))[1], 2 * Y * Y + 3 * X * X)
    gx, gy = ag.grad(lambda x, y: ag.sum(f(x, y)), (0, 1))(x, y)
    same(gx, 2 * Y)
    same(gy, 3 * X)
    f.defjvps(None, lambda t, ans, x, y: 3 * t * x)
    same(ag.jvp(f, (x, y), (y, x))[1], 3 * X * X)
    f.defjvps(None, None)
    same(ag.jvp(f, (x, y), (y, x))[1], np.zeros(3))
    same(ag.grad(lambda x: ag.sum(f(x, y)))(x), np.zeros(3))


def test_rules_in_parts_of_trees(x, y):
    f = ag.custom_jvp(lambda x, y: {"product": ag.multiply(x, y), "sum": ag.add(x, y)})
    part = lambda t, ans, x, y: {"product": t * ag.subtract(ans["sum"], x), "sum": t}
    other = lambda t, ans, x, y: {"product": None, "sum": t}
    f.defjvps(part, lambda t, ans, x, y: {"product": t * x, "sum": t})
    _, tangent = ag.jvp(f, (x, y), (y, x))
    same(tangent["product"], Y * Y + X * X)
    same(tangent["sum"], X + Y)
    f.defjvps(part, other)
    same(ag.jvp(f, (x, y), (y, x))[1]["product"], Y * Y)


@pytest.mark.parametrize(
    "option",
    [{"nondiff_argnums": 1}, {"nondiff_argnums": (-1,)}, {"nondiff_argnums": "n"}, {"nondiff_argnames": "n"}],
    ids=str,
)
def test_arguments_that_take_no_part(x, y, option):
    f = ruled(lambda x, n=2: x**n, lambda n, p, t: (p[0] ** n, 10 * n * p[0] ** (n - 1) * t[0]), **option)
    same(ag.jvp(f, (x,), (y,))[1], 20 * X * Y)
    same(ag.grad(lambda x: ag.sum(f(x, 3)))(x), 30 * X**2)
    same(ag.grad(lambda x: ag.sum(f(n=3, x=x)))(x), 30 * X**2)
    with pytest.raises(FunctionError, match="argument 1 of <lambda> is in nondiff_argnums and belongs to 'jvp'"):
        ag.jvp(f, (x, x), (x, x))
    with pytest.raises(TypeError, match="has nondiff_argnums: give the whole rule, with defjvp"):
        f.defjvps(None)


def test_trees_integers_and_numbers(agnograd_backend, x, y):
    n = raw(agnograd_backend, np.array([2, 0, 1]))

    def function(p, n, s):
        w = ag.take(p["w"], n, axis=0)
        return {"a": w * s, "n": (n, None), "b": p["b"][0] * s}

    def rule(primals, tangents):
        p, n, s = primals
        tp, tn, ts = tangents
        assert tn is None
        ans = function(p, n, s)
        moved = 10 * ag.take(tp["w"], n, axis=0) * s + ag.take(p["w"], n, axis=0) * ts
        return ans, {"a": moved, "n": None, "b": tp["b"][0] * s}

    f = ruled(function, rule)
    p = {"w": ag.asarray(x), "b": [ag.asarray(y), None]}
    value, tangent = ag.jvp(lambda p: f(p, n, 2.0), (p,), ({"w": y, "b": [x, None]},))
    order = [2, 0, 1]
    same(value["a"], 2 * X[order])
    same(value["n"][0], order)
    same(tangent["a"], 20 * Y[order])
    same(tangent["b"], 2 * X)
    assert tangent["n"] == (None, None)
    gradient = ag.grad(lambda p: ag.sum(f(p, n, 2.0)["a"] * ag.asarray(y)))(p)
    same(gradient["w"], 20 * Y[[1, 2, 0]])
    same(gradient["b"][0], np.zeros(3))


def test_complex_numbers(agnograd_backend, x):
    z = raw(agnograd_backend, X + 1j * Y)
    f = ruled(lambda z: z * z, lambda p, t: (p[0] * p[0], 2 * p[0] * t[0]))
    same(ag.jvp(f, (z,), (z,))[1], 2 * (X + 1j * Y) ** 2)
    same(ag.grad(lambda z: ag.real(ag.sum(f(z))))(z), 2 * (X - 1j * Y))
    same(ag.grad(lambda z: ag.sum(f(z)), holomorphic=True)(z), 2 * (X + 1j * Y))


def test_a_rule_that_closes_over_a_tensor_of_the_users(agnograd_backend, x, y):
    w = leaf(agnograd_backend, Y)
    f = ruled(lambda x: x * 2, lambda p, t: (p[0] * 2, t[0] * w))
    g = ag.grad(lambda x: ag.sum(f(x) * f(x)))(x)
    same(g, 8 * X / 2 * Y)
    g.sum().backward()
    same(w.grad, 4 * X)


NOT_LINEAR = {
    "a square": lambda p, t: (p[0], t[0] * t[0]),
    "a maximum": lambda p, t: (p[0], ag.abs(t[0])),
    "steps": lambda p, t: (p[0], ag.floor(t[0])),
}


@pytest.mark.parametrize("rule", NOT_LINEAR.values(), ids=NOT_LINEAR)
def test_rules_that_are_not_linear(rule):
    f = ruled(lambda x: x, rule)
    with pytest.raises(LinearityError, match=r"the JVP rule of <lambda> must be linear in tangents, and '"):
        ag.grad(lambda x: ag.sum(f(x)))(X)


WRONG = {
    "no pair": (lambda p, t: t[0], FunctionError, "the JVP rule of f must return a pair (value, tangent), got"),
    "another structure": (
        lambda p, t: ({"a": p[0]}, t[0]),
        CotangentError,
        "returned must have the structure of the value, PyTreeSpec({'a': *}), got PyTreeSpec(*): it has a leaf in the",
    ),
    "another shape": (
        lambda p, t: ({"a": p[0]}, {"a": ag.sum(t[0])}),
        CotangentError,
        "the tangent that the JVP rule of f returned['a'] has shape (), float64",
    ),
    "another dtype": (
        lambda p, t: ({"a": p[0]}, {"a": ag.astype(t[0], ag.float32)}),
        CotangentError,
        "has shape (3,), float32",
    ),
    "of integers": (
        lambda p, t: ({"a": ag.argsort(p[0])}, {"a": t[0]}),
        FunctionError,
        "must be None: the value has no derivative there",
    ),
}


@pytest.mark.parametrize(("rule", "error", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_rules_that_return_what_does_not_fit(rule, error, words, mode):
    @ag.custom_jvp
    def f(x):
        return {"a": x}

    f.defjvp(rule)
    derive = (lambda: ag.jvp(f, (X,), (X,))) if mode == "forward" else (lambda: ag.vjp(f, X))
    with pytest.raises(error) as caught:
        derive()
    assert words in str(caught.value)


def test_a_value_that_depends_on_the_tangent():
    f = ruled(lambda x: x, lambda p, t: (p[0] + 0 * t[0], t[0]))
    with pytest.raises(FunctionError, match="returned a value that depends on the tangents"):
        ag.grad(lambda x: ag.sum(f(x)))(X)


def test_parts_for_another_number_of_arguments():
    f = ag.custom_jvp(lambda x, y: x)
    f.defjvps(lambda t, ans, x, y: t)
    with pytest.raises(TypeError, match="was called with 2 arguments, and defjvps was given 1 rules"):
        ag.jvp(f, (X, X), (X, X))


def test_an_error_in_a_rule_leaves_nothing_behind(x):
    f = ruled(lambda x: x * 2, lambda p, t: 1 // 0)
    for derive in (lambda: ag.grad(lambda x: ag.sum(f(x)))(x), lambda: ag.jvp(f, (x,), (x,))):
        with pytest.raises(ZeroDivisionError):
            derive()
        assert ag.is_grad_enabled()
    same(ag.grad(lambda x: ag.sum(x * x))(x), 2 * X)
