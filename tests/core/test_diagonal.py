"""Diagonals stand for batches of multiples of unit vectors: they give what the members in full give."""

from __future__ import annotations

import numpy as np
import pytest

import agnograd as ag
from agnograd.core.batch import Batched
from agnograd.core.diagonal import DIAGONALS, Diagonal, Identity, elements_of
from agnograd.core.level import new_level
from agnograd.core.table import OPS

POINT = np.linspace(0.3, 0.9, 4)
WEIGHTS = np.linspace(-1.0, 1.0, 12).reshape(3, 4)
FUNCTIONS = {
    "elementwise": lambda x: ag.exp(-x * x) * x - ag.sin(x) / 2,
    "broadcast": lambda x: ag.sin(x)[:, None] * ag.asarray(POINT[:3]),
    "to one element": lambda x: ag.exp(x[:1]) * x,
    "product": lambda x: ag.tanh(ag.asarray(WEIGHTS) @ x),
    "product on the right": lambda x: ag.exp(x) @ ag.asarray(WEIGHTS.T) * 2,
    "both ways": lambda x: ag.exp(-x * x) * x + ag.asarray(WEIGHTS.T @ WEIGHTS) @ ag.sin(x),
    "stacked": lambda x: ag.asarray(np.stack([WEIGHTS, WEIGHTS + 1])) @ ag.sin(x),
    "itself": lambda x: x,
    "reduced": lambda x: ag.cumulative_sum(x * x),
    "astype": lambda x: ag.astype(ag.sin(x), ag.float32),
    "matrix": lambda x: ag.sin(ag.reshape(x, (2, 2))) @ ag.asarray(WEIGHTS[:2, :2]),
}


def by_columns(f, x):
    """The Jacobian from directions one by one, which no batch takes part in."""
    columns = [np.asarray(ag.jvp(f, (x,), (e,))[1]) for e in np.eye(x.size).reshape(x.size, *x.shape)]
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *x.shape)


@pytest.mark.parametrize("jacobian", [ag.jacfwd, ag.jacrev])
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_jacobians(name, jacobian):
    f = FUNCTIONS[name]
    tolerance = 1e-6 if name == "astype" else 1e-12
    np.testing.assert_allclose(jacobian(f)(POINT), by_columns(f, POINT), atol=tolerance)


@pytest.mark.parametrize("outer", [ag.jacfwd, ag.jacrev])
@pytest.mark.parametrize("inner", [ag.jacfwd, ag.jacrev])
@pytest.mark.parametrize("name", ["elementwise", "both ways", "matrix"])
def test_jacobians_of_jacobians(name, inner, outer):
    f = FUNCTIONS[name]
    expected = by_columns(lambda x: ag.stack([ag.jvp(f, (x,), (e,))[1] for e in np.eye(4)], axis=-1), POINT)
    np.testing.assert_allclose(outer(inner(f))(POINT), expected, atol=1e-12)


@pytest.mark.parametrize("jacobian", [ag.jacfwd, ag.jacrev])
def test_arrays_of_several_axes(jacobian):
    x = np.linspace(0.1, 1.0, 6).reshape(2, 3)
    np.testing.assert_allclose(jacobian(lambda x: x * ag.sin(x))(x), by_columns(lambda x: x * ag.sin(x), x))


@pytest.mark.parametrize("jacobian", [ag.jacfwd, ag.jacrev])
def test_complex_numbers(jacobian):
    x, w = POINT + 1j * POINT[::-1], WEIGHTS * (1 + 2j)
    found = jacobian(lambda x: ag.exp(ag.asarray(w) @ (x * x)), holomorphic=True)(x)
    np.testing.assert_allclose(found, np.exp(w @ (x * x))[:, None] * w * 2 * x)


@pytest.mark.parametrize("jacobian", [ag.jacfwd, ag.jacrev])
def test_under_vmap_and_grad(jacobian):
    points = np.stack([POINT, POINT + 1])
    f = FUNCTIONS["both ways"]
    np.testing.assert_allclose(ag.vmap(jacobian(f))(points), np.stack([by_columns(f, x) for x in points]))
    slope = ag.grad(lambda x: ag.sum(jacobian(f)(x) ** 2))(POINT)
    step = 1e-6 * np.eye(4)
    square = [[np.sum(by_columns(f, x) ** 2) for x in (POINT + e, POINT - e)] for e in step]
    np.testing.assert_allclose(slope, [(a - b) / 2e-6 for a, b in square], rtol=1e-6)


@pytest.mark.parametrize("jacobian", [ag.jacfwd, ag.jacrev])
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_other_elements_of_an_infinite_derivative_are_zero(jacobian):
    np.testing.assert_array_equal(jacobian(ag.sqrt)(np.array([0.0, 1.0])), [[np.inf, 0.0], [0.0, 0.5]])


def test_a_result_is_no_view_of_a_constant():
    weights = WEIGHTS.copy()
    for jacobian in (ag.jacfwd, ag.jacrev):
        jacobian(lambda x: ag.asarray(weights) @ x)(POINT)[...] = 0
    np.testing.assert_array_equal(weights, WEIGHTS)


def test_who_reads_the_values_finds_an_ordinary_batch():
    with new_level("vmap") as level:
        for made, expected in ((Diagonal(POINT, level), np.diag(POINT)), (Identity(POINT, level), np.eye(4))):
            assert made.shape == (4,)
            assert (made.ndim, made.size, made.dtype) == (1, 4, POINT.dtype)
            assert type(made) in DIAGONALS
            np.testing.assert_array_equal(made._array, expected)
            assert type(made) is Batched
            assert made.shape == (4,)


def test_sums_of_diagonals_are_diagonals():
    add = OPS["add"].call
    with new_level("vmap") as level, new_level("vmap") as other:
        found = add(Diagonal(POINT, level), Diagonal(POINT, level))
        assert type(found) is Diagonal
        np.testing.assert_array_equal(elements_of(found), 2 * POINT)
        found = add(Diagonal(POINT, level), Batched(np.ones((4, 4)), level))
        np.testing.assert_array_equal(found._array, 1 + np.diag(POINT))
        found = add(Diagonal(POINT, level), Diagonal(POINT, other))
        assert found.level is other
        np.testing.assert_array_equal(found._array._array, np.diag(POINT)[:, None] + np.diag(POINT)[None, :])


def test_a_diagonal_that_is_written_to_is_an_ordinary_batch():
    def f(x):
        y = ag.sin(x)
        y[0] = 0.0
        return y

    for jacobian in (ag.jacfwd, ag.jacrev):
        np.testing.assert_allclose(jacobian(f)(POINT), np.diag(np.cos(POINT) * [0, 1, 1, 1]))
