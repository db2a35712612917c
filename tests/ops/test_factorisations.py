"""Factorisations where they are not smooth, not unique, or not of full rank."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import agnograd as ag
from agnograd.errors import UndefinedGradientError
from agnograd.testing import gradcheck

GENERATOR = np.random.default_rng(0)


def drawn(*shape: int, complex_: bool = False) -> Any:
    x = GENERATOR.normal(size=shape)
    return x + 1j * GENERATOR.normal(size=shape) if complex_ else x


def h(xp: Any, x: Any) -> Any:
    return xp.conj(xp.matrix_transpose(x))


def gradient(f: Any, x: Any) -> Any:
    return np.asarray(ag.grad(f)(np.asarray(x)))


# -- choices that a library makes --------------------------------------------------------------------------------------


def test_a_function_of_the_phase_of_an_eigenvector_has_no_gradient() -> None:
    a = drawn(3, 3, complex_=True)
    a = a + a.conj().T

    def phase(x: Any) -> Any:
        return ag.sum(ag.real(ag.linalg.eigh(x)[1]))

    with pytest.raises(UndefinedGradientError, match=r"shape \(3, 3\) and dtype complex128 does not exist"):
        gradient(phase, a)

    def projector(x: Any) -> Any:
        v = ag.linalg.eigh(x)[1][:, 0]
        return ag.sum(ag.abs(v) ** 4)

    assert np.isfinite(gradient(projector, a)).all()


@pytest.mark.parametrize("name", ["eig", "svd"])
def test_so_it_is_for_other_vectors(name: str) -> None:
    a = drawn(3, 3, complex_=True)
    with pytest.raises(UndefinedGradientError, match="only up to a phase"):
        gradient(lambda x: ag.sum(ag.imag(getattr(ag.linalg, name)(x)[0 if name == "svd" else 1])), a)


def test_a_backend_that_must_not_wait_gives_no_numbers(agnograd_backend: str) -> None:
    a = drawn(2, 2, complex_=True)
    x = ag.to_backend(ag.tensor(a + a.conj().T), agnograd_backend).requires_grad_()
    phase = ag.sum(ag.real(ag.linalg.eigh(x)[1]))
    if agnograd_backend in ("numpy", "strict"):
        with pytest.raises(UndefinedGradientError):
            phase.backward()
    else:
        phase.backward()
        assert x.grad is not None
        assert np.isnan(np.asarray(ag.to_backend(x.grad, "numpy"))).all()


@pytest.mark.parametrize("shape", [(4, 2), (2, 4)])
@pytest.mark.parametrize("complex_", [False, True])
def test_columns_that_a_full_decomposition_adds_turn_with_their_space(shape: tuple[int, int], complex_: bool) -> None:
    a = drawn(*shape, complex_=complex_)
    weights = drawn(4, 4)
    index = 0 if shape[0] > shape[1] else 2

    def space(x: Any) -> Any:
        vectors = ag.linalg.svd(x)[index]
        rest = vectors[:, 2:] if index == 0 else h(ag, vectors)[:, 2:]
        return ag.sum(ag.real(rest @ h(ag, rest)) * ag.asarray(weights))

    gradcheck(space, [a])
    with pytest.raises(UndefinedGradientError, match="rotation"):
        gradient(lambda x: ag.sum(ag.real(ag.linalg.svd(x)[index][2:, 2:])), a)


def test_so_do_those_of_a_complete_qr() -> None:
    a, weights = drawn(4, 2), drawn(4, 4)

    def space(x: Any) -> Any:
        rest = ag.linalg.qr(x, mode="complete").Q[:, 2:]
        return ag.sum(rest @ ag.matrix_transpose(rest) * ag.asarray(weights))

    gradcheck(space, [a])
    with pytest.raises(UndefinedGradientError, match="mode='complete'"):
        gradient(lambda x: ag.sum(ag.linalg.qr(x, mode="complete")[0]), a)


def test_a_cotangent_of_the_leading_columns_alone_is_that_of_the_reduced_form() -> None:
    a = drawn(5, 3)

    def loss(full: bool) -> Any:
        def f(x: Any) -> Any:
            u, s, vh = ag.linalg.svd(x, full_matrices=full)
            return ag.sum(u[:, :3] * s) + ag.sum(vh**3)

        return f

    np.testing.assert_allclose(gradient(loss(True), a), gradient(loss(False), a), rtol=1e-12)


# -- equal and vanishing values ----------------------------------------------------------------------------------------


def test_values_alone_have_gradients_where_they_are_equal() -> None:
    unit = np.eye(3)
    weights = np.asarray([1.0, 1.0, 1.0])
    np.testing.assert_allclose(gradient(lambda x: ag.sum(ag.linalg.eigvalsh(x) * weights), unit), unit, atol=1e-15)
    np.testing.assert_allclose(gradient(lambda x: ag.sum(ag.linalg.svdvals(x) * weights), unit), unit, atol=1e-15)
    np.testing.assert_allclose(gradient(lambda x: ag.sum(ag.linalg.eigh(x)[0]), unit), unit, atol=1e-15)
    np.testing.assert_allclose(gradient(lambda x: ag.sum(ag.linalg.svd(x)[1]), unit), unit, atol=1e-15)


def test_vectors_have_none() -> None:
    unit = np.eye(2)
    with np.errstate(all="ignore"):
        assert not np.isfinite(gradient(lambda x: ag.linalg.eigh(x)[1][0, 1], unit)).all()
        assert not np.isfinite(gradient(lambda x: ag.linalg.svd(x)[0][0, 1], unit)).all()


def test_eigenvalues_of_what_is_not_symmetric_have_a_symmetric_gradient() -> None:
    found = gradient(lambda x: ag.sum(ag.linalg.eigvalsh(x) ** 2), drawn(3, 3))
    np.testing.assert_allclose(found, found.T)


def test_singular_values_of_a_matrix_of_rank_one() -> None:
    a = np.outer([1.0, 2.0], [0.5, -1.0])
    found = gradient(lambda x: ag.linalg.matrix_norm(x, ord="nuc"), a)
    u, _, vh = np.linalg.svd(a)
    np.testing.assert_allclose(np.linalg.norm(found, 2), 1.0)
    np.testing.assert_allclose(u[:, :1].T @ found @ vh[:1].T, [[1.0]])


# -- determinants ------------------------------------------------------------------------------------------------------


def adjugate(a: Any) -> Any:
    n = len(a)
    minors = [[np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)] for i in range(n)]
    return np.asarray([[(-1) ** (i + j) * minors[i][j] for j in range(n)] for i in range(n)])


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_the_gradient_of_a_determinant_is_the_matrix_of_cofactors(rank: int) -> None:
    a = drawn(4, rank) @ drawn(rank, 4)
    np.testing.assert_allclose(gradient(ag.linalg.det, a), adjugate(a), atol=1e-12)
    tangent = drawn(4, 4)
    slope = np.asarray(ag.hvp(ag.linalg.det, (a,), (tangent,)))
    step = 1e-5
    difference = (adjugate(a + step * tangent) - adjugate(a - step * tangent)) / (2 * step)
    np.testing.assert_allclose(slope, difference, atol=1e-8)


def test_a_determinant_that_is_large_has_no_digits_cancelled() -> None:
    a = np.diag([1e100, 1e-100, 1.0]) @ np.linalg.qr(drawn(3, 3))[0]
    np.testing.assert_allclose(gradient(ag.linalg.det, a), np.linalg.det(a) * np.linalg.inv(a).T, rtol=1e-12)


def test_the_sign_of_a_complex_determinant_has_a_gradient() -> None:
    gradcheck(lambda x: ag.linalg.slogdet(x)[0], [drawn(3, 3, complex_=True)])
    x = ag.tensor(drawn(3, 3), requires_grad=True)
    ag.linalg.slogdet(x)[0].backward()
    np.testing.assert_array_equal(np.asarray(x.grad), np.zeros((3, 3)))


# -- deficient rank ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("complex_", [False, True])
def test_a_pseudo_inverse_where_the_rank_stays_deficient(complex_: bool) -> None:
    left, right = drawn(4, 2, complex_=complex_), drawn(2, 3, complex_=complex_)
    gradcheck(lambda a, b: ag.linalg.pinv(a @ b), [left, right])


def test_wide_and_square_pseudo_inverses_solve() -> None:
    a, b = drawn(3, 3), drawn(3)
    found = gradient(lambda x: ag.sum(ag.linalg.pinv(x) @ ag.asarray(b)), a)
    np.testing.assert_allclose(found, gradient(lambda x: ag.sum(ag.linalg.solve(x, ag.asarray(b))), a), rtol=1e-9)


def test_one_system_is_solved_for_both_arguments() -> None:
    a, b = drawn(3, 3), drawn(3, 2)
    together = [np.asarray(g) for g in ag.grad(lambda a, b: ag.sum(ag.linalg.solve(a, b) ** 2), (0, 1))(a, b)]
    alone = [np.asarray(ag.grad(lambda a, b: ag.sum(ag.linalg.solve(a, b) ** 2), i)(a, b)) for i in (0, 1)]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


# -- sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_factors_put_together_again_have_the_gradient_of_the_identity(size: int) -> None:
    a, weights = drawn(size, size), drawn(size, size)

    def close(f: Any) -> None:
        np.testing.assert_allclose(gradient(lambda x: ag.sum(f(x) * ag.asarray(weights)), a), weights, atol=1e-6)

    close(lambda x: ag.matmul(*ag.linalg.qr(x)))

    def recomposed(x: Any) -> Any:
        u, s, vh = ag.linalg.svd(x)
        return (u * s) @ vh

    close(recomposed)
    close(lambda x: ag.linalg.inv(ag.linalg.inv(x)))


def test_matrices_of_no_rows() -> None:
    empty = np.empty((0, 0))
    for f in (ag.linalg.det, lambda x: ag.sum(ag.linalg.svd(x)[0]), lambda x: ag.sum(ag.linalg.eigh(x)[1])):
        assert gradient(f, empty).shape == (0, 0)


def test_orders_that_a_matrix_norm_does_not_have() -> None:
    with pytest.raises(ValueError, match="matrix_norm has the orders"):
        ag.linalg.matrix_norm(ag.tensor([[1.0]]), ord=3)
