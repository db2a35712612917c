"""Sparse matrices: values, derivatives in what is stored and in what is dense, and that nothing becomes dense."""

import pickle

import agnograd as ag
import numpy as np
import pytest
import scipy.sparse
from agnograd.testing import forbid_compute, gradcheck

from agnograd_scipy.sparse import Pattern, SparseMatrix, from_scipy, matmul, spsolve

RNG = np.random.default_rng(0)
DENSE = np.where(RNG.uniform(size=(5, 5)) < 0.3, RNG.normal(size=(5, 5)), 0) + 3 * np.eye(5)
X = RNG.normal(size=(5, 2))


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "dia", "lil"])
def test_any_format_of_scipy(form):
    for made in (scipy.sparse.coo_array, scipy.sparse.coo_matrix):
        a = made(DENSE).asformat(form)
        for backend in ("numpy", "strict", "dask"):
            x = ag.namespace(backend).asarray(X)
            np.testing.assert_allclose(ag.to_backend(matmul(a, x), "numpy").array, DENSE @ X)
            np.testing.assert_allclose(ag.to_backend(matmul(a.T, x), "numpy").array, DENSE.T @ X)
            np.testing.assert_allclose(ag.to_backend(spsolve(a, x), "numpy").array, np.linalg.solve(DENSE, X))
            np.testing.assert_allclose(
                ag.to_backend(spsolve(a, x[:, 0]), "numpy").array, np.linalg.solve(DENSE, X[:, 0])
            )


@pytest.mark.parametrize("backend", ["numpy", "strict"])
def test_derivatives(backend):
    pattern = from_scipy(scipy.sparse.coo_array(DENSE)).pattern
    values = DENSE[pattern.rows, pattern.columns]

    def f(values, x):
        a, x = SparseMatrix(values, pattern), ag.asarray(x)
        return a @ x + a.T @ x + a.solve(x) + ag.matrix_transpose(ag.matrix_transpose(x) @ a)

    gradcheck(f, [ag.namespace(backend).asarray(v) for v in (values, X)], order=2)


def test_gradients_are_the_stored_elements_of_dense_ones():
    a = from_scipy(scipy.sparse.csr_array(DENSE))
    values = a.values.detach().requires_grad_()
    SparseMatrix(values, a.pattern).solve(ag.asarray(X)).sum().backward()
    dense = ag.tensor(DENSE, requires_grad=True)
    ag.linalg.solve(dense, ag.asarray(X)).sum().backward()
    np.testing.assert_allclose(values.grad.array, dense.grad.array[a.pattern.rows, a.pattern.columns])


def test_rows_of_a_vector():
    a = from_scipy(scipy.sparse.csr_array(DENSE))
    np.testing.assert_allclose((ag.asarray(X[:, 0]) @ a).array, X[:, 0] @ DENSE)
    np.testing.assert_allclose((X.T @ a), X.T @ DENSE)


def test_large_matrices_stay_sparse():
    n = 200_000
    a = scipy.sparse.diags_array([np.full(n - 1, -1.0), np.full(n, 2.5), np.full(n - 1, -1.0)], offsets=[-1, 0, 1])
    made = from_scipy(a)
    values = made.values.detach().requires_grad_()
    x = ag.ones(n).requires_grad_()
    out = SparseMatrix(values, made.pattern).solve(SparseMatrix(values, made.pattern) @ x)
    np.testing.assert_allclose(out.array, np.ones(n))
    out.sum().backward()
    np.testing.assert_allclose(x.grad.array, np.ones(n))
    np.testing.assert_allclose(values.grad.array, 0, atol=1e-12)


def test_dask_stays_lazy_and_can_be_sent():
    xp = ag.namespace("dask")
    a = from_scipy(scipy.sparse.csr_array(DENSE))
    x = xp.asarray(X).requires_grad_()
    with forbid_compute():
        y = ag.scipy.sparse.product(xp.asarray(a.values.array), x, pattern=a.pattern)
        y.sum().backward()
    np.testing.assert_allclose(ag.to_backend(x.grad, "numpy").array, DENSE.T @ np.ones((5, 2)))
    assert pickle.loads(pickle.dumps(a.pattern)).shape == (5, 5)
    again = ag.scipy.sparse.product(xp.asarray(a.values.array), xp.asarray(X), pattern=a.pattern).array
    np.testing.assert_allclose(pickle.loads(pickle.dumps(again)).compute(), DENSE @ X)


def test_refusals():
    with pytest.raises(ValueError, match="one index below 2"):
        Pattern([0, 2], [0, 1], (2, 2))
    with pytest.raises(ValueError, match="needs as many values"):
        SparseMatrix(ag.ones(3), Pattern([0, 1], [0, 1], (2, 2)))
    with pytest.raises(ValueError, match="are no system"):
        spsolve(scipy.sparse.eye_array(3), ag.ones(2))
    with pytest.raises(ValueError, match="sizes do not match"):
        matmul(scipy.sparse.eye_array(3), ag.ones(2))
    assert repr(from_scipy(scipy.sparse.eye_array(3))) == "SparseMatrix(shape=(3, 3), stored=3, dtype=float64)"


def test_integers_and_elements_in_one_place():
    a = scipy.sparse.coo_array(([2, 3, 1], ([0, 0, 1], [0, 0, 1])), shape=(2, 2))
    x = ag.asarray(np.asarray([10.0, 3.0], dtype=np.float32))
    assert matmul(a, x).dtype == spsolve(a, x).dtype == np.float32
    np.testing.assert_allclose(matmul(a, x).array, [50.0, 3.0])
    np.testing.assert_allclose(spsolve(a, x).array, [2.0, 3.0])
