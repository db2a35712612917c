"""Levels of transformations: derivatives of derivatives are not confused, writes cross levels, nothing is left."""

from __future__ import annotations

import numpy as np
import pytest

import agnograd as ag
from agnograd.core.level import recording
from agnograd.errors import EscapedError

POINT = np.array([0.3, -0.2, 0.7])
ONES = np.ones(3)


def f(x):
    return ag.sum(ag.sin(x) * ag.exp(x * 2.0))


def df(x):
    return np.exp(2 * x) * (np.cos(x) + 2 * np.sin(x))


def ddf(x):
    return np.exp(2 * x) * (-np.sin(x) + 2 * np.cos(x)) + 2 * df(x)


def dddf(x):
    return np.exp(2 * x) * (-np.cos(x) - 2 * np.sin(x)) + 2 * np.exp(2 * x) * (-np.sin(x) + 2 * np.cos(x)) + 2 * ddf(x)


def along(function):
    """Forward mode as a gradient of a separable function: its derivative along the ones, elementwise."""
    return lambda x: ag.jvp(function, (x,), (ag.ones_like(x) if isinstance(x, ag.Tensor) else np.ones_like(x),))[1]


def test_first_order():
    np.testing.assert_allclose(ag.grad(f)(POINT), df(POINT))
    np.testing.assert_allclose(ag.jvp(f, (POINT,), (ONES,))[1], df(POINT).sum())


@pytest.mark.parametrize(
    "second",
    [
        lambda x: ag.grad(lambda z: ag.sum(ag.grad(f)(z)))(x),
        lambda x: ag.jvp(ag.grad(f), (x,), (ONES,))[1],
        lambda x: ag.grad(lambda z: ag.jvp(f, (z,), (ONES,))[1])(x),
        lambda x: ag.hvp(f, (x,), (ONES,)),
    ],
    ids=["reverse-reverse", "forward-reverse", "reverse-forward", "hvp"],
)
def test_second_order(second):
    np.testing.assert_allclose(second(POINT), ddf(POINT))


def test_forward_over_forward():
    inner = lambda z: ag.jvp(f, (z,), (ONES,))[1]
    np.testing.assert_allclose(ag.jvp(inner, (POINT,), (ONES,))[1], ddf(POINT).sum())


def test_third_order_in_mixed_modes():
    second = lambda z: ag.sum(ag.jvp(ag.grad(f), (z,), (ONES,))[1])
    np.testing.assert_allclose(ag.grad(second)(POINT), dddf(POINT))
    np.testing.assert_allclose(ag.jvp(second, (POINT,), (ONES,))[1], dddf(POINT).sum())


def test_no_perturbation_confusion():
    one = np.ones(1)
    inner = lambda a: ag.sum(a * ag.grad(lambda b: ag.sum(a + b))(one))
    np.testing.assert_allclose(ag.grad(inner)(one), [1.0])
    forward = lambda a: ag.sum(a * ag.jvp(lambda b: ag.sum(a + b), (one,), (one,))[1])
    np.testing.assert_allclose(ag.jvp(forward, (one,), (one,))[1], 1.0)
    mixed = lambda a: ag.sum(a * ag.jvp(lambda b: ag.sum(a + b), (one,), (one,))[1])
    np.testing.assert_allclose(ag.grad(mixed)(one), [1.0])


def test_the_graph_of_a_closed_over_leaf_survives_a_transformation():
    w = ag.tensor(POINT, requires_grad=True)
    g = ag.grad(lambda x: ag.sum(x * x * w * w))(POINT)
    assert isinstance(g, ag.Tensor)
    g.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 4 * POINT * POINT)


def test_the_root_graph_goes_through_forward_mode():
    w = ag.tensor(POINT, requires_grad=True)
    value, tangent = ag.jvp(lambda x: ag.sum(x * w * w), (POINT,), (ONES,))
    tangent.backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * POINT)
    assert value.requires_grad


def filled(x):
    xp = x.__array_namespace__()
    out = xp.zeros(3)
    out[0] = x[0] * 2
    row = out[1:]
    row[0] = out[0] * x[1]
    out += 1.0
    return xp.sum(out * out)


def filled_directly(x):
    a = x[0] * 2
    b = a * x[1]
    return (a + 1) ** 2 + (b + 1) ** 2 + 1


@pytest.mark.parametrize(
    "derive",
    [
        ag.grad,
        along,
        lambda g: along(ag.grad(g)),
        lambda g: ag.grad(along(g)),
        lambda g: along(along(g)),
        lambda g: ag.grad(lambda z: ag.sum(ag.grad(g)(z))),
    ],
    ids=["reverse", "forward", "forward-reverse", "reverse-forward", "forward-forward", "reverse-reverse"],
)
def test_writes_across_levels(derive):
    np.testing.assert_allclose(derive(filled)(POINT), derive(filled_directly)(POINT))


def test_a_dual_written_to_with_a_value_of_an_inner_level():
    def outer(x):
        def inner(y):
            z = x * 1.0
            z[0] = y * y * x[1]
            return ag.sum(z)

        return ag.jvp(inner, (2.0,), (1.0,))[1]

    # d/dy (y^2 x1) = 2 y x1 = 4 x1
    np.testing.assert_allclose(ag.jvp(outer, (POINT,), (np.array([0.0, 1.0, 0.0]),)), (4 * POINT[1], 4.0))
    np.testing.assert_allclose(ag.grad(outer)(POINT), [0.0, 4.0, 0.0])


def test_the_users_mode_is_obeyed_inside_and_not_around_a_transformation():
    with ag.no_grad():
        np.testing.assert_allclose(ag.grad(f)(POINT), df(POINT))

    def half(x):
        with ag.no_grad():
            constant = ag.sum(x * x)
        return constant + ag.sum(x)

    np.testing.assert_allclose(ag.grad(half)(POINT), ONES)
    assert recording() is True


def test_stop_gradient_and_detach_cut_every_level():
    cut = lambda x: ag.sum(x * ag.stop_gradient(x))
    np.testing.assert_allclose(ag.grad(cut)(POINT), POINT)
    np.testing.assert_allclose(ag.jvp(cut, (POINT,), (ONES,))[1], POINT.sum())


def test_an_error_inside_leaves_no_trace():
    def broken(x):
        ag.grad(lambda y: ag.sum(x + y))(POINT)
        raise KeyError("mine")

    for derive in (ag.grad(broken), lambda x: ag.jvp(broken, (x,), (ONES,))):
        with pytest.raises(KeyError, match="mine"):
            derive(POINT)
        assert recording() is True
    np.testing.assert_allclose(ag.grad(f)(POINT), df(POINT))


def test_backward_inside_a_transformation_names_it():
    with pytest.raises(EscapedError, match="'grad'"):
        ag.grad(lambda x: ag.sum(x).backward())(POINT)


def test_an_escaped_tangent_is_named():
    kept = []
    ag.jvp(lambda x: kept.append(x * 2) or ag.sum(x), (POINT,), (ONES,))
    with pytest.raises(EscapedError, match="'jvp'"):
        kept[0] + 1


# -- the cases that JAX's tests have of one perturbation taken for another -------------------------------------------


def slope(f):
    """The derivative of a function of one number, forwards."""
    return lambda x: ag.jvp(f, (x,), (1.0,))[1]


MODES = {"reverse": ag.grad, "forward": slope, "linearize": lambda f: lambda x: ag.linearize(f, x)[1](1.0)}


@pytest.mark.parametrize("outer", MODES.values(), ids=MODES)
@pytest.mark.parametrize("inner", MODES.values(), ids=MODES)
def test_perturbations_are_told_apart(inner, outer):
    # d/dx (x d/dy (x + y)) = 1
    assert outer(lambda x: x * inner(lambda y: x + y)(2.0))(1.0) == 1.0
    # d/dx (x d/dy (x y)) = 2 x
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6.0
    # The inner one at the point of the outer one: d/dx (x d/dy (y x) at x) = 2 x
    assert outer(lambda x: x * inner(lambda y: y * x)(x))(3.0) == 6.0
    # A constant of the inner one that the outer one differentiates, and nothing else.
    assert outer(lambda x: inner(lambda y: x * x)(1.0) + x)(3.0) == 1.0
    # Siblings.
    assert outer(lambda x: inner(lambda y: x * y)(1.0) * inner(lambda y: x * y * y)(1.0))(3.0) == 12.0


@pytest.mark.parametrize("first", MODES.values(), ids=MODES)
@pytest.mark.parametrize("second", MODES.values(), ids=MODES)
@pytest.mark.parametrize("third", MODES.values(), ids=MODES)
def test_third_order_in_all_modes(first, second, third):
    found = third(second(first(lambda x: ag.sin(2 * x))))(0.3)
    np.testing.assert_allclose(found, -8 * np.cos(0.6))
