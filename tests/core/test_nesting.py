"""Transformations nest in any order, and writes cross their levels."""

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


def test_plain_arrays_in_plain_arrays_out():
    assert type(ag.grad(f)(POINT)) is np.ndarray
    assert isinstance(ag.grad(f)(ag.tensor(POINT)), ag.Tensor)
    value, pullback = ag.vjp(f, POINT)
    assert type(value) is np.ndarray
    assert type(pullback(1.0)[0]) is np.ndarray


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


def test_trees_and_several_arguments():
    model = {"w": POINT, "b": (np.array(0.5), None)}
    loss = lambda m, x: ag.sum(m["w"] * x) * m["b"][0]
    g, gx = ag.grad(loss, (0, 1))(model, ONES)
    np.testing.assert_allclose(g["w"], 0.5 * ONES)
    np.testing.assert_allclose(g["b"][0], POINT.sum())
    assert g["b"][1] is None
    np.testing.assert_allclose(gx, 0.5 * POINT)


def test_value_and_aux():
    (value, aux), g = ag.value_and_grad(lambda x: (ag.sum(x * x), {"twice": x * 2}), has_aux=True)(POINT)
    np.testing.assert_allclose(value, (POINT**2).sum())
    np.testing.assert_allclose(aux["twice"], 2 * POINT)
    np.testing.assert_allclose(g, 2 * POINT)


def test_an_argument_that_is_not_used_has_a_zero_gradient():
    np.testing.assert_allclose(ag.grad(lambda x, y: ag.sum(x), 1)(POINT, ONES), np.zeros(3))
    np.testing.assert_allclose(ag.grad(lambda x: np.float64(2.0))(POINT), np.zeros(3))


def test_a_pullback_runs_as_often_as_wanted():
    _, pullback = ag.vjp(lambda x: ag.sin(x) * x, POINT)
    first = pullback(ONES)[0]
    np.testing.assert_allclose(pullback(ONES)[0], first)
    np.testing.assert_allclose(first, np.cos(POINT) * POINT + np.sin(POINT))


def test_integers_have_no_cotangent_and_no_tangent():
    counts = np.array([1, 2, 3])
    weigh = lambda x, n: ag.sum(x * ag.astype(n, x.dtype)) if isinstance(n, ag.Tensor) else ag.sum(x * n)
    value, pullback = ag.vjp(weigh, POINT, counts)
    np.testing.assert_allclose(value, (POINT * counts).sum())
    gradient, nothing = pullback(1.0)
    np.testing.assert_allclose(gradient, counts)
    assert nothing is None
    value, tangent = ag.jvp(weigh, (POINT, counts), (ONES, None))
    np.testing.assert_allclose(tangent, counts.sum())


def test_an_argument_that_does_not_change_has_no_direction():
    value, tangent = ag.jvp(lambda x, y: ag.sum(x * y), (POINT, ONES), (None, POINT))
    np.testing.assert_allclose(value, POINT.sum())
    np.testing.assert_allclose(tangent, (POINT**2).sum())
