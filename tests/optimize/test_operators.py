"""Derivatives as linear operators, against dense matrices and by SciPy's iterative solvers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse.linalg as sla
from made_tensors import constant, host, raw

import agnograd as ag
from agnograd import tree
from agnograd.errors import NotDifferentiableError
from agnograd.optimize import hessian_operator, jacobian_operator


def f(p):
    flat = ag.matmul(p["m"], p["v"])
    return ag.sin(flat), {"product": p["v"][:2] * flat[0]}


def at(backend, made=raw):
    rng = np.random.default_rng(0)
    return {"m": made(backend, rng.normal(size=(2, 3))), "v": made(backend, rng.normal(size=3))}


def dense_jacobian(f, x):
    """By central differences of the function on vectors."""
    flat, unravel = ag.ravel_tree(tree.map(host, x))
    value = lambda v: ag.ravel_tree(f(unravel(v)))[0]
    h = 1e-6
    return np.stack([(value(flat + h * e) - value(flat - h * e)) / (2 * h) for e in np.eye(flat.size)], axis=1)


@pytest.mark.parametrize("made", [raw, constant], ids=["arrays", "tensors"])
def test_products_with_the_jacobian_and_its_transpose(made, agnograd_backend):
    x = at(agnograd_backend, made)
    operator = jacobian_operator(f, x)
    exact = dense_jacobian(f, x)
    assert operator.shape == exact.shape == (4, 9)
    assert operator.dtype == np.float64
    rng = np.random.default_rng(1)
    v, u, block = rng.normal(size=9), rng.normal(size=4), rng.normal(size=(9, 2))
    np.testing.assert_allclose(operator @ v, exact @ v, rtol=1e-6)
    np.testing.assert_allclose(operator.T @ u, exact.T @ u, rtol=1e-6)
    np.testing.assert_allclose(operator.H @ u, exact.T @ u, rtol=1e-6)
    np.testing.assert_allclose(operator @ block, exact @ block, rtol=1e-6)
    np.testing.assert_allclose(u @ (operator @ v), v @ (operator.T @ u), rtol=1e-12)
    np.testing.assert_allclose(operator @ (v + 1j * v), (1 + 1j) * (exact @ v), rtol=1e-6)


def test_products_with_the_hessian(agnograd_backend):
    x = raw(agnograd_backend, [0.3, -0.7, 1.1])
    operator = hessian_operator(lambda x: ag.sum(ag.sin(x) * ag.sum(x**2)), x)
    matrix = operator @ np.eye(3)
    v = host(x)
    # sum(sin x) sum(x^2): -sin x sum(x^2) on the diagonal, 2 sum(sin x) there too, 2 (cos x_i x_j + x_i cos x_j)
    exact = np.diag(-np.sin(v) * (v @ v)) + 2 * np.sin(v).sum() * np.eye(3)
    exact += 2 * (np.outer(np.cos(v), v) + np.outer(v, np.cos(v)))
    np.testing.assert_allclose(matrix, exact, rtol=1e-10)
    np.testing.assert_allclose(operator.T @ v, exact @ v, rtol=1e-10)


def test_single_precision(agnograd_backend):
    x = raw(agnograd_backend, np.asarray([1.0, 2.0], dtype=np.float32))
    operator = jacobian_operator(lambda x: x**2, x)
    assert operator.dtype == np.float32
    np.testing.assert_allclose(operator @ np.ones(2), [2, 4], rtol=1e-6)
    assert hessian_operator(lambda x: ag.sum(x**2), x).dtype == np.float32


def test_complex_numbers_as_pairs(agnograd_backend):
    """|z|^2 has the derivative (2 Re z, 2 Im z), conj the diagonal (1, -1)."""
    z = raw(agnograd_backend, np.asarray([1.0 + 2.0j]))
    operator = jacobian_operator(lambda z: (ag.abs(z) ** 2, ag.conj(z)), z)
    np.testing.assert_allclose(operator @ np.eye(2), [[2, 4], [1, 0], [0, -1]], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(operator.T @ np.eye(3), [[2, 1, 0], [4, 0, -1]], rtol=1e-12, atol=1e-12)


def test_a_holomorphic_function(agnograd_backend):
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))
    m = raw(agnograd_backend, matrix)
    z = raw(agnograd_backend, np.asarray([1.0 + 2.0j, -1.0 + 0.5j]))
    operator = jacobian_operator(lambda z: ag.matmul(m, z) ** 2, z, holomorphic=True)
    exact = 2 * (matrix @ host(z))[:, None] * matrix
    assert operator.dtype == np.complex128
    v = rng.normal(size=2) + 1j * rng.normal(size=2)
    np.testing.assert_allclose(operator @ v, exact @ v, rtol=1e-12)
    np.testing.assert_allclose(operator.H @ v, exact.conj().T @ v, rtol=1e-12)
    np.testing.assert_allclose(operator.T @ v, exact.T @ v, rtol=1e-12)
    x, info = sla.gmres(operator, exact @ v, rtol=1e-10)
    assert info == 0
    np.testing.assert_allclose(x, v, rtol=1e-6)


def test_holomorphic_is_for_complex_leaves():
    with pytest.raises(NotDifferentiableError, match=r"holomorphic=True is for complex .*float64"):
        jacobian_operator(lambda z: z * 1j, np.ones(2), holomorphic=True)
    with pytest.raises(NotDifferentiableError, match=r"holomorphic=True is for complex .*float64"):
        jacobian_operator(lambda z: ag.abs(z), np.ones(2, complex), holomorphic=True)


def test_the_solvers_of_scipy():
    rng = np.random.default_rng(3)
    half = rng.normal(size=(8, 8))
    weights = half @ half.T / 8 + np.eye(8)

    def energy(x):
        return ag.sum(x * ag.matmul(weights, x)) / 2 + ag.sum(x**4)

    x = {"a": rng.normal(size=3), "b": rng.normal(size=5)}
    flat, _ = ag.ravel_tree(x)
    hessian = hessian_operator(lambda p: energy(ag.ravel_tree(p)[0]), x)
    exact = weights + 12 * np.diag(flat**2)
    b = rng.normal(size=8)
    for solve in (sla.cg, sla.gmres, sla.minres):
        found, info = solve(hessian, b, rtol=1e-10)
        assert info == 0
        np.testing.assert_allclose(found, np.linalg.solve(exact, b), rtol=1e-6)
    values, _ = sla.eigsh(hessian, k=2)
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(exact)[-2:], rtol=1e-8)

    jacobian = jacobian_operator(lambda p: ag.sin(ag.matmul(half[:5], ag.ravel_tree(p)[0])), x)
    matrix = np.cos(half[:5] @ flat)[:, None] * half[:5]
    _, values, _ = sla.svds(jacobian, k=2)
    np.testing.assert_allclose(np.sort(values), np.sort(np.linalg.svd(matrix)[1])[-2:], rtol=1e-8)
    rhs = rng.normal(size=5)
    for solve in (sla.lsmr, sla.lsqr):
        found = solve(jacobian, rhs, atol=1e-12, btol=1e-12)[0]
        np.testing.assert_allclose(found, np.linalg.lstsq(matrix, rhs, rcond=None)[0], rtol=1e-6)


def test_the_function_runs_once_for_many_products():
    calls = []

    def counted(x):
        calls.append(x)
        return ag.sin(x)

    operator = jacobian_operator(counted, np.ones(4))
    before = len(calls)
    operator @ np.ones((4, 7))
    operator.T @ np.ones((4, 7))
    assert before == 1
    assert len(calls) <= 2
