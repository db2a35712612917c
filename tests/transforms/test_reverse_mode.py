"""grad, value_and_grad and vjp: which arguments, extra results, trees, complex numbers, and what they give back."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import pytest
from made_tensors import constant, host, leaf, raw, same

import agnograd as ag
from agnograd.errors import CotangentError, EscapedError, NonScalarError, NotDifferentiableError

X = np.array([0.3, -0.2, 0.7])
Y = np.array([1.0, 2.0, -3.0])
Z = np.array([0.5 + 1.0j, -0.3j])


@pytest.fixture
def x(agnograd_backend):
    return raw(agnograd_backend, X)


@pytest.fixture
def y(agnograd_backend):
    return raw(agnograd_backend, Y)


@pytest.fixture
def z(agnograd_backend):
    return raw(agnograd_backend, Z)


def product(x, y):
    return ag.sum(ag.multiply(x * x, y))


# -- which arguments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 2 * X * Y),
        (1, X**2),
        (-1, X**2),
        (np.int64(-2), 2 * X * Y),
        ("x", 2 * X * Y),
        ("y", X**2),
        ((0,), (2 * X * Y,)),
        ([1, 0], (X**2, 2 * X * Y)),
        ((-1, "x"), (X**2, 2 * X * Y)),
        ((), ()),
    ],
    ids=repr,
)
def test_arguments_by_position_and_by_name(x, y, argnums, expected):
    for gradient in (ag.grad(product, argnums)(x, y), ag.value_and_grad(product, argnums)(x, y)[1]):
        assert isinstance(gradient, tuple) == isinstance(expected, tuple)
        found, wanted = [x if isinstance(x, tuple) else (x,) for x in (gradient, expected)]
        for g, e in zip(found, wanted, strict=True):
            same(g, e)


def test_keyword_arguments(x, y):
    same(ag.grad(product, "y")(x, y=y), X**2)
    first, second = ag.grad(product, (0, "y"))(x, y=y)
    same(first, 2 * X * Y)
    same(second, X**2)
    same(ag.grad(lambda x, /, *, scale: ag.sum(ag.multiply(x, scale)), "scale")(x, scale=y), X)
    # Those that are not named are passed on.
    same(ag.grad(lambda x, *, n: ag.sum(x**n))(x, n=3), 3 * X**2)
    same(ag.grad(functools.partial(product, y=y))(x), 2 * X * Y)


def test_names_are_those_of_a_transformed_function(x, y):
    second = ag.grad(lambda x, y: ag.sum(ag.grad(product)(x, y)), "y")
    same(second(x, y), 2 * X)
    same(ag.grad(lambda x, y: ag.sum(ag.grad(product, "x")(x, y)), "x")(x, y), 2 * Y)
    assert ag.grad(product).__name__ == "product"


@pytest.mark.parametrize(
    ("argnums", "error", "words"),
    [
        ("w", TypeError, "argnums='w' is no argument of this call, which has 1 by position (x, y=)"),
        (1, TypeError, "argnums=1 requires at least 2 positional arguments, got 1"),
        (-2, TypeError, "argnums=-2 requires at least 2 positional arguments, got 1"),
        ((0, -1), ValueError, "argnums names argument 0 twice"),
        (("x", 0), ValueError, "argnums names argument 0 twice"),
        (0.0, TypeError, "got float"),
        ((0, None), TypeError, "got NoneType"),
    ],
)
def test_arguments_that_there_are_not(argnums, error, words):
    with pytest.raises(error) as caught:
        ag.grad(product, argnums)(X, y=Y)
    assert words in str(caught.value)


def test_an_argument_that_is_not_used_has_a_zero_gradient(x, y):
    same(ag.grad(lambda x, y: ag.sum(x), 1)(x, y), np.zeros(3))
    same(ag.grad(lambda x: np.float64(2.0))(x), np.zeros(3))
    same(ag.grad(lambda x: 2.0)(x), np.zeros(3))
    same(ag.vjp(lambda x, y: x, x, y)[1](x)[1], np.zeros(3))


def test_integers_have_no_cotangent(x):
    n = raw(ag.core.facts.raw_space(x).name, np.array([2, 0, 1]))
    value, pullback = ag.vjp(lambda x, n: ag.take(x, n, axis=0), x, n)
    same(value, X[[2, 0, 1]])
    gradient, nothing = pullback(x)
    same(gradient, X[[1, 2, 0]])
    assert nothing is None


# -- trees -------------------------------------------------------------------------------------------------------------


class Layer(NamedTuple):
    weights: object
    bias: object


class Model:
    def __init__(self, layer, frozen):
        self.layer = layer
        self.frozen = frozen


ag.tree.register_pytree_node(Model, lambda m: ((m.layer,), m.frozen), lambda frozen, children: Model(*children, frozen))


def test_gradients_are_trees_like_the_arguments(x, y):
    def loss(model, scale):
        layer = model.layer
        return ag.sum(layer["in"].weights * layer["in"].bias[0]) * scale + model.frozen

    model = Model({"in": Layer(x, [y, None])}, 2.0)
    value, (g, gs) = ag.value_and_grad(loss, (0, 1))(model, 3.0)
    same(value, 3 * X @ Y + 2)
    assert type(g) is Model
    assert g.frozen == 2.0
    assert type(g.layer["in"]) is Layer
    same(g.layer["in"].weights, 3 * Y)
    same(g.layer["in"].bias[0], 3 * X)
    assert g.layer["in"].bias[1] is None
    same(gs, X @ Y)


def test_a_leaf_that_cannot_be_differentiated_is_named(x):
    model = Model({"in": Layer(x, [raw("numpy", np.arange(3))])}, None)
    with pytest.raises(NotDifferentiableError, match=r"argument 0\[<flat index 0>\]\['in'\]\.bias\[0\] \(shape \(3,\)"):
        ag.grad(lambda model: ag.sum(model.layer["in"].weights))(model)
    with pytest.raises(NotDifferentiableError, match=r"argument 'model'.*\['in'\]\.bias\[0\] \(shape \(3,\)"):
        ag.grad(lambda model: ag.sum(model.layer["in"].weights), "model")(model=model)


def test_cotangents_are_trees_like_the_value(x, y):
    value, pullback = ag.vjp(lambda p: {"sum": p[0] + p[1], "more": [p[0] * p[1], None]}, (x, y))
    same(value["more"][0], X * Y)
    ((gx, gy),) = pullback({"sum": y, "more": [x, None]})
    same(gx, Y + X * Y)
    same(gy, Y + X * X)
    # None is a cotangent of zero, of a leaf or of a part.
    ((gx, gy),) = pullback({"sum": y, "more": None})
    same(gx, Y)
    ((gx, gy),) = pullback({"sum": None, "more": [x, None]})
    same(gy, X * X)
    ((gx, gy),) = pullback(None)
    same(gx, np.zeros(3))


@pytest.mark.parametrize(
    ("cotangent", "words"),
    [
        ({"a": X}, "it has the items ['a'], not ['a', 'b']"),
        ({"a": X, "b": [X]}, "it has a list in the place of a tuple, at ['b']"),
        ({"a": X, "b": (X, X)}, "it has 2 items, not 1, at ['b']"),
        ({"a": X, "b": X}, "it has a leaf in the place of a tuple, at ['b']"),
        ({"a": X, "b": (X[:2],)}, "the cotangent['b'][0] has shape (2,), float64"),
        ({"a": X.astype(np.float32), "b": (X,)}, "the cotangent['a'] has shape (3,), float32"),
    ],
)
def test_cotangents_that_do_not_fit_are_named(cotangent, words):
    _, pullback = ag.vjp(lambda x: {"a": x, "b": (x * 2,)}, X)
    with pytest.raises(CotangentError) as caught:
        pullback(cotangent)
    assert words in str(caught.value)


def test_cotangents_of_integers(x):
    (_, order), pullback = ag.vjp(lambda x: (x * 2, ag.argsort(x)), x)
    assert list(host(order)) == [1, 0, 2]
    for given in (None, order):
        same(pullback((x, given))[0], 2 * X)


# -- extra results -----------------------------------------------------------------------------------------------------


def with_aux(x, y):
    return ag.sum(ag.multiply(x, y)), {"twice": x * 2, "name": "w", "sign": ag.sign(x), "level": x}


def test_extra_results(x, y):
    def check(aux):
        same(aux["twice"], 2 * X)
        same(aux["sign"], np.sign(X))
        assert aux["name"] == "w"
        # Plain arrays were given: no tensor is met.
        assert all(type(aux[k]) is type(x) for k in ("twice", "sign", "level"))

    g, aux = ag.grad(with_aux, has_aux=True)(x, y)
    same(g, Y)
    check(aux)
    (value, aux), g = ag.value_and_grad(with_aux, 1, has_aux=True)(x, y)
    same(value, X @ Y)
    same(g, X)
    check(aux)
    value, pullback, aux = ag.vjp(with_aux, x, y, has_aux=True)
    same(value, X @ Y)
    same(pullback(1.0)[1], X)
    check(aux)


def test_extra_results_of_tensors_are_tensors(agnograd_backend):
    t = constant(agnograd_backend, X)
    _, aux = ag.grad(lambda x: with_aux(x, t), has_aux=True)(t)
    assert isinstance(aux["twice"], ag.Tensor)
    assert isinstance(aux["sign"], ag.Tensor)


def test_extra_results_take_part_in_outer_transformations(x):
    def outer(x):
        return ag.sum(ag.grad(lambda x: (ag.sum(x**2), x**3), has_aux=True)(x)[1])

    same(ag.grad(outer)(x), 3 * X**2)


@pytest.mark.parametrize(
    "transform", [ag.grad, ag.value_and_grad, lambda f, has_aux: lambda x: ag.vjp(f, x, has_aux=has_aux)]
)
def test_has_aux_without_a_pair(transform):
    for f in (ag.sum, lambda x: (x, x, x), lambda x: [x, x]):
        with pytest.raises(TypeError, match=r"with has_aux=True the function must return a pair"):
            transform(f, has_aux=True)(X)


# -- complex numbers ---------------------------------------------------------------------------------------------------


def test_gradients_of_real_functions_of_complex_numbers(z):
    # The conjugate Wirtinger derivative: of |z|^2 it is 2 z.
    same(ag.grad(lambda z: ag.sum(ag.real(z * ag.conj(z))))(z), 2 * Z)
    same(ag.grad(lambda z: ag.real(ag.sum(z * z)))(z), 2 * Z.conj())


def test_holomorphic_functions(z):
    f = lambda z: ag.sum(z**3 * (1 + 2j))
    value, g = ag.value_and_grad(f, holomorphic=True)(z)
    same(value, (Z**3 * (1 + 2j)).sum())
    same(g, 3 * Z**2 * (1 + 2j))
    same(ag.grad(lambda z: ag.sum(ag.grad(f, holomorphic=True)(z)), holomorphic=True)(z), 6 * Z * (1 + 2j))
    same(ag.grad(lambda p: f(p["z"]), holomorphic=True)({"z": z})["z"], 3 * Z**2 * (1 + 2j))
    # Forward mode multiplies by the derivative, too.
    same(ag.jvp(ag.grad(f, holomorphic=True), (z,), (z,))[1], 6 * Z * (1 + 2j) * Z)


def test_holomorphic_asks_for_complex_numbers(x, z):
    with pytest.raises(
        NotDifferentiableError, match=r"holomorphic=True requires complex inputs, got argument 0\['a'\]"
    ):
        ag.grad(lambda p: ag.sum(p["a"]), holomorphic=True)({"a": x})
    with pytest.raises(NonScalarError, match="value_and_grad with holomorphic=True requires a complex output"):
        ag.value_and_grad(lambda z: ag.sum(ag.real(z)), holomorphic=True)(z)
    with pytest.raises(NonScalarError, match="holomorphic=True"):
        ag.grad(lambda z: ag.sum(z * z))(z)


# -- what comes back ---------------------------------------------------------------------------------------------------


def test_plain_arrays_give_plain_arrays_and_tensors_give_tensors(agnograd_backend, x, y):
    t = constant(agnograd_backend, X)
    array = type(x)
    assert type(ag.grad(product)(x, y)) is array
    assert type(ag.vjp(product, x, y)[0]) is array
    assert isinstance(ag.grad(product)(t, y), ag.Tensor)
    _, pullback = ag.vjp(ag.sin, x)
    assert type(pullback(x)[0]) is array
    assert isinstance(pullback(t)[0], ag.Tensor)
    # A constant tensor of the user's that is no argument does not make a result one.
    assert type(ag.grad(lambda x: ag.sum(x * t))(x)) is array
    assert type(ag.vjp(lambda x: t, x)[0]) is array


def test_the_users_own_graph_goes_on(agnograd_backend, x):
    w = leaf(agnograd_backend, Y)
    g = ag.grad(lambda x: ag.sum(x * w**2))(x)
    assert isinstance(g, ag.Tensor)
    g.sum().backward()
    same(w.grad, 2 * Y)
    w.grad = None
    _, pullback = ag.vjp(lambda x: x * w**2, x)
    pullback(x)[0].sum().backward()
    same(w.grad, 2 * Y * X)


def test_gradients_have_the_dtype_of_their_argument(agnograd_backend):
    x = raw(agnograd_backend, X.astype(np.float32))
    g = ag.grad(lambda x: ag.sum(x * raw(agnograd_backend, Y)))(x)
    assert host(g).dtype == np.float32


def test_numbers_are_like_the_arrays_beside_them(agnograd_backend, x):
    assert type(ag.grad(product, 1)(x, 2.0)) is type(x)
    assert type(ag.vjp(product, 2.0, x)[1](1.0)[0]) is type(x)
    single = raw(agnograd_backend, X.astype(np.float32))
    gradient = ag.grad(lambda x, y: ag.sum(x * y), (0, 1))(single, 2.0)
    assert [host(g).dtype for g in gradient] == [np.float32, np.float32]
    assert host(ag.grad(lambda x, z: ag.real(ag.sum(z * x)), "z")(x, z=1j)).dtype == np.complex128


def test_numbers_alone_are_arrays_of_the_default_backend():
    g = ag.grad(lambda x: x**3)(2.0)
    assert type(g) is np.ndarray
    assert g == 12.0
    assert ag.grad(lambda z: z**2, holomorphic=True)(2j) == 4j


def test_a_pullback_runs_as_often_as_wanted_and_is_differentiable(x, y):
    _, pullback = ag.vjp(lambda x: ag.sin(x) * x, x)
    slope = np.cos(X) * X + np.sin(X)
    for _ in range(2):
        same(pullback(y)[0], slope * Y)
    same(ag.grad(lambda g: ag.sum(pullback(g)[0]))(y), slope)
    same(ag.jvp(lambda g: pullback(g)[0], (y,), (y,))[1], slope * Y)

    def through(x):
        return ag.sum(ag.vjp(lambda x: x**3, x)[1](y)[0])

    same(ag.grad(through)(x), 6 * X * Y)


def test_a_result_of_a_transformation_that_has_ended_is_named():
    kept = []
    ag.grad(lambda x: kept.append(x) or ag.sum(x))(X)
    for f in (lambda x: kept[0], lambda x: (x, {"a": kept[0]})):
        with pytest.raises(EscapedError, match="'grad' was used after that call had ended"):
            ag.vjp(f, X)
    with pytest.raises(EscapedError, match="'grad'"):
        ag.grad(lambda x: kept[0])(X)
    with pytest.raises(EscapedError, match="'grad'"):
        ag.grad(lambda x: (ag.sum(x), kept[0]), has_aux=True)(X)


def test_a_value_that_is_no_array_is_named():
    with pytest.raises(TypeError, match=r"vjp takes a function that returns arrays.*returned value\['a'\] of type str"):
        ag.vjp(lambda x: {"a": "text", "b": x}, X)
