"""NumPy's kernels for matrices, which are other algorithms than the bodies in standard names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import agnograd as ag
from agnograd.backends import numpy_matrices
from agnograd.core.table import OPS, spaces

# Less than a block, and several, of which the last is not whole.
SIZES = (3, 65, 130)


def by_body(name: str, *arrays: Any, **params: Any) -> Any:
    body: Any = OPS[name].body
    return body(spaces[np.ndarray], *arrays, **params)


def lower(*shape: int, complex_: bool = False) -> Any:
    """A factor of Cholesky's, and something in its other triangle."""
    draw = np.random.default_rng(0)
    a = draw.normal(size=shape) + (1j * draw.normal(size=shape) if complex_ else 0)
    return np.linalg.cholesky(a @ a.conj().mT + shape[-1] * np.eye(shape[-1]))


def other(x: Any, value: float) -> Any:
    return np.where(np.tri(*x.shape[-2:], -1, dtype=bool).T, value, x)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("complex_", [False, True])
def test_triangular_systems(size: int, complex_: bool) -> None:
    x1 = lower(size, size, complex_=complex_)
    x2 = np.random.default_rng(1).normal(size=(2, size, 3))
    found = numpy_matrices.solve_triangular(other(x1, np.nan), x2)
    assert found.dtype == x1.dtype
    np.testing.assert_allclose(x1 @ found, x2 + 0 * found, rtol=1e-9, atol=1e-12)
    upper = np.asfortranarray(x1.conj().T)
    found = numpy_matrices.solve_triangular(other(upper.T, np.nan).T, x2, upper=True)
    np.testing.assert_allclose(upper @ found, x2 + 0 * found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("complex_", [False, True])
def test_the_way_back_of_cholesky(size: int, complex_: bool) -> None:
    x1, draw = lower(2, size, size, complex_=complex_), np.random.default_rng(1)
    x2 = draw.normal(size=(size, size)) + (1j * draw.normal(size=(size, size)) if complex_ else 0)
    found = numpy_matrices.cholesky_pullback(other(x1, np.nan), other(x2, np.inf))
    np.testing.assert_allclose(found, found.conj().mT, atol=1e-15)
    np.testing.assert_allclose(found, by_body("cholesky_pullback", x1, x2), rtol=1e-9, atol=1e-13)


def test_digits_are_not_lost_where_a_factor_is_ill_conditioned() -> None:
    # An algorithm that goes back through blocks of the factorisation is wrong by more than the result here.
    x = np.linspace(0.0, 10.0, 150)
    a = np.exp(-0.5 * (x[:, None] - x) ** 2) + 1e-11 * np.eye(150)
    factor = np.linalg.cholesky(a)
    found = numpy_matrices.cholesky_pullback(factor, np.diag(1 / np.diagonal(factor)))
    expected = 0.5 * np.linalg.inv(a)
    assert np.max(np.abs(found - expected)) < 1e-3 * np.max(np.abs(expected))
    right = np.sin(x)[:, None]
    found = numpy_matrices.solve_triangular(factor, right)
    np.testing.assert_allclose(found, np.linalg.solve(factor, right), rtol=1e-6, atol=1e-7)


def test_single_precision_stays() -> None:
    x = lower(70, 70).astype(np.float32)
    assert numpy_matrices.solve_triangular(x, x).dtype == np.float32
    found = numpy_matrices.cholesky_pullback(x, x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.eye(70) / 2, atol=1e-5)


def test_a_factor_that_is_singular_is_an_error() -> None:
    x = np.tri(100)
    x[80, 80] = 0.0
    for function in (numpy_matrices.solve_triangular, numpy_matrices.cholesky_pullback):
        with pytest.raises(np.linalg.LinAlgError):
            function(x, np.ones_like(x))


def test_cofactors_of_what_is_nearly_singular_come_from_singular_values() -> None:
    draw = np.random.default_rng(0)
    u, v = (np.linalg.qr(draw.normal(size=(4, 4)))[0] for _ in range(2))
    turn = np.linalg.det(u) * np.linalg.det(v)
    for least in (1.0, 1e-2, 1e-5, 1e-7, 1e-10, 1e-15, 1e-200, 0.0):
        s = np.asarray([2.0, 1.5, 1.0, least])
        exact = turn * (u * [1.5 * least, 2 * least, 3 * least, 3.0]) @ v
        np.testing.assert_allclose(numpy_matrices.cofactors((u * s) @ v), exact, rtol=1e-9, atol=1e-9)


def test_cofactors_where_the_determinant_has_no_digits() -> None:
    # 1e-400 is zero, 1e400 infinite; products without one of the values are neither.
    for scale in (1e-100, 1e100):
        x = np.diag([scale, scale, scale, scale])
        with np.errstate(over="ignore"):
            found = numpy_matrices.cofactors(x) / scale / scale / scale
        np.testing.assert_allclose(found, np.eye(4), rtol=1e-12)
    both = np.stack([np.eye(3), np.ones((3, 3))])
    np.testing.assert_allclose(numpy_matrices.cofactors(both), [np.eye(3), np.zeros((3, 3))], atol=1e-12)


def test_diagonals_of_another_length() -> None:
    with pytest.raises(ValueError, match=r"2 elements for the diagonal of number 0 of matrices of shape \(3, 3\)"):
        ag.diagonal_matrix(ag.ones(2), shape=(3, 3))


def test_a_large_likelihood_has_the_gradient_of_the_formula() -> None:
    x = np.linspace(0.0, 10.0, 70)
    distances, y = (x[:, None] - x) ** 2, np.sin(x)

    def loss(p: Any) -> Any:
        k = p[1] * ag.exp(distances * (-0.5 / (p[0] * p[0]))) + p[2] * ag.eye(70)
        factor = ag.linalg.cholesky(k)
        alpha = ag.solve_triangular(factor, ag.asarray(y[:, None]))
        return 0.5 * ag.sum(alpha * alpha) + ag.sum(ag.log(ag.linalg.diagonal(factor)))

    p = np.asarray([1.5, 1.2, 0.3])
    smooth = np.exp(distances * (-0.5 / p[0] ** 2))
    k = p[1] * smooth + p[2] * np.eye(70)
    inner = 0.5 * (np.linalg.inv(k) - np.outer(*[np.linalg.solve(k, y)] * 2))
    expected = [np.sum(inner * p[1] * smooth * distances) / p[0] ** 3, np.sum(inner * smooth), np.trace(inner)]
    np.testing.assert_allclose(np.asarray(ag.grad(loss)(p)), expected, rtol=1e-9)
    hessian = np.asarray(ag.hessian(loss)(p))
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-8)
    step = np.asarray([0.0, 1e-5, 0.0])
    slope = (np.asarray(ag.grad(loss)(p + step)) - np.asarray(ag.grad(loss)(p - step))) / 2e-5
    np.testing.assert_allclose(hessian[1], slope, rtol=1e-6)
