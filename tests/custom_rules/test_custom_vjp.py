"""custom_vjp and custom_gradient: arguments, trees, several outputs, and rules that return what does not fit."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from made_tensors import leaf, raw, same

import agnograd as ag
from agnograd.errors import CotangentError, FunctionError

X = np.array([0.3, -0.2, 0.7])
Y = np.array([1.0, 2.0, -3.0])


@pytest.fixture
def x(agnograd_backend):
    return raw(agnograd_backend, X)


@pytest.fixture
def y(agnograd_backend):
    return raw(agnograd_backend, Y)


def ruled(function, bwd, **options):
    """A function of whose arguments all are residuals."""
    f = ag.custom_vjp(function, **options)
    f.defvjp(lambda *args: (function(*args), args), bwd)
    return f


# -- arguments ---------------------------------------------------------------------------------------------------------


def power(x, n, scale=1.0):
    return scale * x**n


def power_back(n, kept, g):
    x, _, scale = kept
    return 10 * g * scale * n * x ** (n - 1), None


@pytest.mark.parametrize(
    "option",
    [{"nondiff_argnums": 1}, {"nondiff_argnums": (-2,)}, {"nondiff_argnums": "n"}, {"nondiff_argnames": ["n"]}],
    ids=str,
)
def test_arguments_that_take_no_part(x, option):
    f = ruled(power, power_back, **option)
    same(f(x, 3), X**3)
    same(ag.grad(lambda x: ag.sum(f(x, 3)))(x), 30 * X**2)
    same(ag.grad(lambda x: ag.sum(f(n=2, x=x)))(x), 20 * X)
    same(ag.grad(lambda x: ag.sum(f(x, 2, scale=3.0)))(x), 60 * X)
    same(ag.vmap(ag.grad(lambda x: f(x, 2)))(x), 20 * X)


def test_several_arguments_that_take_no_part_come_in_order(x):
    def apply(x, f, y, g):
        return f(x) * g(y)

    def back(f, g, kept, ct):
        assert (f, g) == (ag.sin, ag.cos)
        x, _, y, _ = kept
        return ct * ag.cos(x) * g(y), -ct * f(x) * ag.sin(y)

    called = ruled(apply, back, nondiff_argnums=("g", 1))
    gx, gy = ag.grad(lambda x, y: ag.sum(called(x, ag.sin, y, ag.cos)), (0, 1))(x, x)
    same(gx, np.cos(X) ** 2)
    same(gy, -(np.sin(X) ** 2))


def test_an_argument_that_takes_no_part_and_is_differentiated(x):
    f = ruled(lambda x, w: x * w, lambda w, kept, g: (g * w,), nondiff_argnums=1)
    same(ag.grad(lambda x: ag.sum(f(x, x.dtype and 2.0)))(x), np.full(3, 2.0))
    message = "argument 1 of <lambda> is in nondiff_argnums and belongs to '{}'"
    with pytest.raises(FunctionError, match=message.format("grad")):
        ag.grad(lambda x: ag.sum(f(x, x)))(x)
    with pytest.raises(FunctionError, match=message.format("vmap")):
        ag.vmap(f)(x, x)
    with pytest.raises(FunctionError, match=message.format("backward")):
        f(x, leaf(ag.core.facts.raw_space(x).name, X))


def test_decorators():
    @functools.partial(ag.custom_vjp, nondiff_argnums=(1,))
    def f(x, n):
        """A power."""
        return x**n

    f.defvjp(lambda x, n: (x**n, x), lambda n, x, g: (-g * n * x ** (n - 1),))
    assert ag.grad(f)(3.0, 2) == -6.0
    assert f.__name__ == "f"
    assert f.__doc__ == "A power."
    assert repr(f) == "<custom_vjp function f>"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ag.custom_vjp(power, nondiff_argnums="m"), "power has no argument 'm', which nondiff_argnums names"),
        (lambda: ruled(power, power_back, nondiff_argnums=1)(X), "missing a required argument: 'n'"),
        (lambda: ruled(lambda x, *, n: x, power_back)(X, n=2), "n can be given by name only"),
        (lambda: ag.custom_vjp(power).defvjp(power, None), "agnograd.custom_vjp.defvjp takes a function, got NoneType"),
    ],
)
def test_calls_that_do_not_fit(call, words):
    with pytest.raises(TypeError) as caught:
        call()
    assert words in str(caught.value)


def test_any_number_of_arguments(x, y):
    f = ruled(lambda *xs: functools.reduce(ag.multiply, xs), lambda kept, g: tuple(2 * g for _ in kept))
    gx, gy = ag.grad(lambda x, y: ag.sum(f(x, y, 3.0)), (0, 1))(x, y)
    same(gx, np.full(3, 2.0))
    same(gy, np.full(3, 2.0))


# -- trees and outputs -------------------------------------------------------------------------------------------------


def model(p, x):
    w, (b, _) = p["w"], p["b"]
    return {"sum": ag.sum(w * x), "both": (b * x, ag.argsort(ag.asarray(x)))}


def model_back(kept, g):
    p, x = kept
    assert g["both"][1] is None
    w, (b, _) = p["w"], p["b"]
    gx = g["sum"] * w + g["both"][0] * b
    return {"w": 10 * g["sum"] * x, "b": (ag.sum(g["both"][0] * x), None)}, gx


def test_trees_in_and_out(agnograd_backend, x, y):
    f = ruled(model, model_back)
    b = raw(agnograd_backend, np.asarray(2.0))
    p = {"w": ag.asarray(y), "b": (ag.asarray(b), None)}
    x = ag.asarray(x)
    value, pullback = ag.vjp(f, p, x)
    same(value["sum"], X @ Y)
    same(value["both"][0], 2 * X)
    same(value["both"][1], np.argsort(X))
    gp, gx = pullback({"sum": 3.0, "both": (y, None)})
    same(gp["w"], 30 * X)
    same(gp["b"][0], X @ Y)
    assert gp["b"][1] is None
    same(gx, 3 * Y + 2 * Y)
    # What nothing depends on has a cotangent of zero.
    gp, gx = pullback({"sum": None, "both": (y, None)})
    same(gp["w"], np.zeros(3))
    same(gx, 2 * Y)
    # Parts of the batch are shared.
    found = ag.grad(lambda p, x: ag.sum(ag.vmap(f, in_axes=(None, 0))(p, x)["sum"]))(p, ag.stack([x, x]))
    same(found["w"], 20 * X)


def test_none_is_a_cotangent_of_zero(x, y):
    f = ruled(lambda p, x: ag.sum(p["w"][0] * p["v"] * x), lambda kept, g: ({"w": None, "v": g * kept[1]}, None))
    p = {"w": [ag.asarray(y)], "v": ag.asarray(y)}
    gp, gx = ag.grad(f, (0, 1))(p, x)
    same(gp["w"][0], np.zeros(3))
    same(gp["v"], X)
    same(gx, np.zeros(3))


def test_integers_and_numbers(agnograd_backend, x):
    n = raw(agnograd_backend, np.array([2, 0, 1]))
    f = ruled(lambda x, n, s: ag.take(x, n, axis=0) * s, lambda kept, g: (3 * g, None, 5.0))
    same(ag.grad(lambda x: ag.sum(f(x, n, 2.0)))(x), np.full(3, 3.0))
    # The cotangent of a number is of no use to anybody.
    same(ag.grad(lambda x: ag.sum(f(x, n, 2)))(x), np.full(3, 3.0))
    bad = ruled(lambda x, n: ag.take(x, n, axis=0), lambda kept, g: (g, g))
    with pytest.raises(FunctionError, match="returned for argument 1 must be None: it has no derivative"):
        ag.grad(lambda x: ag.sum(bad(x, n)))(x)


def test_an_output_that_is_an_argument(x):
    f = ruled(lambda x: (x, x * 2), lambda kept, g: (g[0] + 10 * g[1],))
    same(ag.grad(lambda x: ag.sum(f(x)[0]))(x), np.ones(3))
    same(ag.grad(lambda x: ag.sum(f(x)[0] + f(x)[1]))(x), np.full(3, 11.0))


def test_complex_numbers(agnograd_backend):
    z = raw(agnograd_backend, X + 1j * Y)
    f = ruled(lambda z: z * z, lambda kept, g: (g * 2 * ag.conj(kept[0]),))
    same(ag.grad(lambda z: ag.real(ag.sum(f(z))))(z), 2 * (X - 1j * Y))
    same(ag.grad(lambda z: ag.sum(f(z)), holomorphic=True)(z), 2 * (X + 1j * Y))


def test_only_arguments_that_need_a_cotangent_get_one(x, y):
    f = ruled(lambda x, y: ag.multiply(x, y), lambda kept, g: (2 * g * kept[1], 3 * g * kept[0]))
    same(ag.grad(lambda x: ag.sum(f(x, y)))(x), 2 * Y)
    same(ag.grad(lambda y: ag.sum(f(x, y)))(y), 3 * X)
    same(ag.hvp(lambda x, y: ag.sum(f(x, y)), (x, y), (y, x))[0], 2 * X)
    same(ag.grad(lambda x: ag.sum(ag.vmap(f)(x, y)))(x), 2 * Y)
    same(ag.grad(lambda s, y: ag.sum(ag.vmap(f, in_axes=(None, 0))(s, y)))(2.0, y), 2 * Y.sum())


def test_a_residual_that_is_detached_is_a_constant(agnograd_backend, x):
    f = ag.custom_vjp(lambda x: x**3)
    f.defvjp(lambda x: (x**3, ag.stop_gradient(x)), lambda x, g: (3 * x * x * g,))
    same(ag.grad(lambda x: ag.sum(ag.grad(lambda x: ag.sum(f(x)))(x)))(x), np.zeros(3))
    t = leaf(agnograd_backend, X)
    (first,) = ag.autograd.grad(f(t).sum(), t, create_graph=True)
    same(first, 3 * X**2)
    (first * t).sum().backward()
    same(t.grad, 3 * X**2)


def test_what_all_members_share_is_kept_once(agnograd_backend, x):
    w = leaf(agnograd_backend, Y)
    rows = ag.stack([ag.asarray(x)] * 5)
    f = ruled(lambda w, x: ag.sum(w * x), lambda kept, g: (g * kept[1], 10 * g * kept[0]))
    z = ag.vmap(f, in_axes=(None, 0))(w, rows)
    # Residuals and arguments, which are the same arrays.
    assert sorted(s.shape for s in z.grad_fn.saved_tensors) == [(3,), (3,), (5, 3), (5, 3)]
    z.sum().backward()
    same(w.grad, 5 * X)
    same(
        ag.grad(lambda rows: ag.sum(ag.vmap(f, in_axes=(None, 0))(ag.asarray(Y), rows)))(np.stack([X, X])), [10 * Y] * 2
    )


# -- what does not fit -------------------------------------------------------------------------------------------------


WRONG = {
    "no tuple": (lambda g: g, FunctionError, "must return a tuple with a cotangent for each of the 2 arguments"),
    "too few": (lambda g: (g,), FunctionError, "got 1 items"),
    "too many": (lambda g: ({"a": g}, g, g), FunctionError, "got 3 items"),
    "another structure": (
        lambda g: (g, g),
        CotangentError,
        "bwd of f returned for argument 0 must have the structure of the argument, PyTreeSpec({'a': *}), got PyTree",
    ),
    "another key": (lambda g: ({"b": g}, g), CotangentError, "it has the items ['b'], not ['a']"),
    "another shape": (
        lambda g: ({"a": ag.sum(g)}, g),
        CotangentError,
        "the cotangent that the bwd of f returned for argument 0['a'] has shape (), float64",
    ),
    "another dtype": (
        lambda g: ({"a": g}, ag.astype(g, ag.float32)),
        CotangentError,
        "the cotangent that the bwd of f returned for argument 1 has shape (3,), float32",
    ),
    "complex": (lambda g: ({"a": g * 1j}, g), CotangentError, "argument 0['a'] has shape (3,), complex128"),
    "no array": (lambda g: ({"a": "g"}, g), CotangentError, "argument 0['a'] must be an array like the value"),
}


@pytest.mark.parametrize(("returned", "error", "words"), WRONG.values(), ids=WRONG)
def test_ways_back_that_return_what_does_not_fit(returned, error, words):
    @ag.custom_vjp
    def f(p, x):
        return p["a"] * x

    f.defvjp(lambda p, x: (p["a"] * x, None), lambda _, g: returned(g))

    @ag.custom_gradient
    def h(p, x):
        return p["a"] * x, lambda g: returned(g)

    for function, name in ((f, "f"), (h, "h")):
        _, pullback = ag.vjp(function, {"a": X}, Y)
        with pytest.raises(error) as caught:
            pullback(X)
        assert words.replace("bwd of f", f"bwd of {name}") in str(caught.value)


@pytest.mark.parametrize("returned", [X, (X,), (X, X, X), None], ids=["array", "one", "three", "none"])
def test_forward_parts_that_return_no_pair(returned):
    f = ag.custom_vjp(lambda x: x)
    f.defvjp(lambda x: returned, lambda _, g: (g,))
    with pytest.raises(FunctionError, match=r"the fwd of <lambda> must return a pair \(value, residuals\), got"):
        ag.grad(lambda x: ag.sum(f(x)))(X)
    h = ag.custom_gradient(lambda x: returned)
    with pytest.raises(FunctionError, match=r"the custom_gradient function <lambda> must return a pair \(value, bwd\)"):
        ag.grad(lambda x: ag.sum(h(x)))(X)


def test_a_gradient_of_one_argument_without_a_tuple(x):
    plain, tuple_of_one = (
        ag.custom_gradient(lambda x: (x, lambda g: 2 * g)),
        ag.custom_gradient(lambda x: (x, lambda g: (2 * g,))),
    )
    same(ag.grad(lambda x: ag.sum(plain(x)))(x), np.full(3, 2.0))
    same(ag.grad(lambda x: ag.sum(tuple_of_one(x)))(x), np.full(3, 2.0))


def test_an_error_in_a_way_back_is_the_users_own(x):
    f = ruled(lambda x: x * 2, lambda kept, g: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        ag.grad(lambda x: ag.sum(f(x)))(x)
    same(ag.grad(lambda x: ag.sum(x * x))(x), 2 * X)
