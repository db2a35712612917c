"""Jacobians and Hessians: closed forms on every backend, trees, chunks, sparsity, complex numbers, what is refused."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pytest
from made_tensors import host, leaf, raw, same
from scipy import sparse

import agnograd as ag
from agnograd.core.array import Array
from agnograd.core.table import OPS
from agnograd.errors import GradientLostError, MissingLibraryError, NotDifferentiableError, SparsityError
from agnograd.transforms.sparsity import greedy_colours

MODES = [ag.jacfwd, ag.jacrev, ag.jacobian]
MATRIX = np.array([[0.3, -0.7, 0.2], [0.5, 0.1, -0.4], [-0.6, 0.8, 0.9], [0.2, -0.3, 0.4]])
POINT = np.array([0.3, -0.2, 0.7])
modes = pytest.mark.parametrize("jacobian", MODES, ids=lambda f: f.__name__)


def f(matrix):
    return lambda x: ag.tanh(matrix @ x) * 2


def df(x):
    return 2 * (1 - np.tanh(MATRIX @ x) ** 2)[:, None] * MATRIX


@pytest.fixture
def matrix(agnograd_backend):
    return ag.asarray(raw(agnograd_backend, MATRIX))


@pytest.fixture
def point(agnograd_backend):
    return raw(agnograd_backend, POINT)


# -- closed forms ------------------------------------------------------------------------------------------------------


@modes
def test_of_a_vector(jacobian, matrix, point):
    same(jacobian(f(matrix))(point), df(POINT))


@modes
def test_plain_arrays_in_plain_arrays_out(jacobian, matrix, point):
    plain = jacobian(f(matrix))(point)
    assert type(plain) is type(point)
    assert isinstance(jacobian(f(matrix))(ag.asarray(point)), ag.Tensor)
    assert not isinstance(jacobian(lambda x: ag.sum(x * x))(point), Array)


@modes
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,), (0, 2)])
def test_shapes(jacobian, agnograd_backend, shape):
    x = np.arange(1.0, 1 + np.prod(shape, dtype=int)).reshape(shape)
    found = jacobian(lambda x: ag.stack([x * x, x]))(raw(agnograd_backend, x))
    eye = np.eye(x.size).reshape(shape + shape)
    assert tuple(found.shape) == (2, *shape, *shape)
    same(found, np.stack([2 * x.reshape(shape + (1,) * x.ndim) * eye, eye]))


@modes
def test_functions_of_matrices(jacobian, agnograd_backend):
    found = jacobian(lambda x: x @ x)(raw(agnograd_backend, MATRIX[:3]))
    eye = np.eye(3)
    same(found, np.einsum("ik,lj->ijkl", eye, MATRIX[:3]) + np.einsum("ik,jl->ijkl", MATRIX[:3], eye))


@modes
def test_a_constant_has_zeros(jacobian, point):
    same(jacobian(lambda x: ag.ones(2))(POINT), np.zeros((2, 3)))
    same(jacobian(lambda x: ag.stop_gradient(ag.asarray(x)) * 2)(point), np.zeros((3, 3)))


@modes
def test_dtypes_are_kept(jacobian, agnograd_backend):
    found = jacobian(lambda x: x * 2.0)(raw(agnograd_backend, POINT.astype(np.float32)))
    assert "float32" in str(found.dtype)


def test_hessian(matrix, point):
    t = np.tanh(MATRIX @ POINT)
    expected = np.einsum("k,ki,kj->ij", -4 * t * (1 - t * t), MATRIX, MATRIX)
    same(ag.hessian(lambda x: ag.sum(f(matrix)(x)))(point), expected)
    same(ag.hessian(f(matrix))(point), np.einsum("k,ki,kj->kij", -4 * t * (1 - t * t), MATRIX, MATRIX))


def test_hessian_of_several_arguments(agnograd_backend):
    x, y = raw(agnograd_backend, POINT), raw(agnograd_backend, 2.0)
    found = ag.hessian(lambda x, y: ag.sum(x * x) * y, argnums=("x", "y"))(x, y)
    same(found[0][0], 4 * np.eye(3))
    same(found[0][1], 2 * POINT)
    same(found[1][0], 2 * POINT)
    same(found[1][1], 0.0)


# -- arguments and trees -----------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    first: object
    second: object


@modes
def test_trees(jacobian, agnograd_backend):
    x = {"a": raw(agnograd_backend, POINT), "b": Pair(raw(agnograd_backend, MATRIX[:2]), None)}
    found = jacobian(lambda x: {"sum": ag.sum(x["a"]), "rest": (x["b"].first @ x["a"], None)})(x)
    same(found["sum"]["a"], np.ones(3))
    same(found["sum"]["b"].first, np.zeros((2, 3)))
    same(found["rest"][0]["a"], MATRIX[:2])
    same(found["rest"][0]["b"].first, np.einsum("ik,l->ikl", np.eye(2), POINT))
    assert found["rest"][1] is None
    assert type(found["sum"]["b"]) is Pair


@modes
@pytest.mark.parametrize(
    ("argnums", "tree"), [(0, 0), (-1, 1), ("y", 1), ((1, 0), (1, 0)), (["x"], (0,)), ((), ()), ("scale", 2)]
)
def test_argnums(jacobian, agnograd_backend, argnums, tree):
    x, y, scale = (raw(agnograd_backend, v) for v in (2.0, 3.0, 5.0))
    found = jacobian(lambda x, y, scale: ag.multiply(scale, ag.multiply(x, y * y)), argnums)(x, y, scale=scale)
    partials = (45.0, 60.0, 18.0)
    if isinstance(tree, tuple):
        assert isinstance(found, tuple)
        assert [host(b) for b in found] == [partials[i] for i in tree]
    else:
        same(found, partials[tree])


@modes
def test_extra_results(jacobian, point):
    slope, aux = jacobian(lambda x: (x * x, {"value": x * 3, "name": "cube", "none": None}), has_aux=True)(point)
    same(slope, 2 * np.diag(POINT))
    same(aux["value"], 3 * POINT)
    assert type(aux["value"]) is type(point)
    assert (aux["name"], aux["none"]) == ("cube", None)
    assert isinstance(jacobian(lambda x: (x, x), has_aux=True)(ag.asarray(point))[1], ag.Tensor)


def test_extra_results_of_a_hessian(point):
    second, aux = ag.hessian(lambda x: (ag.sum(x**3), ag.sum(x)), has_aux=True)(point)
    same(second, 6 * np.diag(POINT))
    same(aux, POINT.sum())


# -- passes ------------------------------------------------------------------------------------------------------------


@modes
@pytest.mark.parametrize("chunk_size", [1, 2, 5, 100])
def test_chunks(jacobian, agnograd_backend, chunk_size):
    x, y = raw(agnograd_backend, POINT), raw(agnograd_backend, MATRIX[0])
    found = jacobian(lambda x, y: (ag.linalg.outer(x, y), x * y), (0, 1), chunk_size=chunk_size)(x, y)
    eye = np.eye(3)
    same(found[0][0], np.einsum("ik,j->ijk", eye, MATRIX[0]))
    same(found[0][1], np.einsum("jk,i->ijk", eye, POINT))
    same(found[1][0], np.diag(MATRIX[0]))
    same(found[1][1], np.diag(POINT))


@pytest.fixture
def batches(monkeypatch):
    """The number of rows of each product of two matrices."""
    found = []

    def matmul(x1, x2):
        if x1.ndim == x2.ndim == 2:
            found.append(len(x1))
        return np.matmul(x1, x2)

    monkeypatch.setitem(OPS["matmul"].bodies, np.ndarray, matmul)
    return found


@modes
def test_one_batched_pass_and_no_loop(jacobian, batches):
    jacobian(lambda x: ag.flip(ag.flip(x) @ ag.ones((8, 8))))(np.ones(8))
    assert batches == [8]


@modes
def test_a_product_with_unit_vectors_is_none(jacobian, batches):
    weights = np.arange(16.0).reshape(4, 4)
    # Reverse mode starts from the right.
    found = jacobian(lambda x: 2 * (ag.exp(x) @ ag.asarray(weights)))(np.zeros(4))
    np.testing.assert_array_equal(found, 2 * weights.T)
    assert batches == []


@modes
def test_chunks_bound_the_size_of_a_pass(jacobian, batches):
    jacobian(lambda x: x @ ag.ones((8, 8)), chunk_size=3)(np.ones(8))
    assert batches == [3, 3, 2]


@modes
def test_colours_are_the_size_of_a_pass(jacobian, batches):
    jacobian(lambda x: x @ ag.eye(8), sparsity=np.eye(8))(np.ones(8))
    # One for the diagonal, and one for the check.
    assert batches == [2]


def test_the_mode_is_chosen_by_size():
    runs = []

    def wide(x):
        runs.append(1)
        return ag.concat([x, x * x, x])

    ag.jacobian(wide)(POINT)
    assert len(runs) == 2, "recorded to count outputs, and run again on tangents"
    runs.clear()
    ag.jacobian(lambda x: ag.sum(wide(x)))(POINT)
    assert len(runs) == 1


# -- complex numbers ---------------------------------------------------------------------------------------------------

Z = np.array([0.3 + 0.5j, -0.2 + 0.1j])


@modes
def test_holomorphic(jacobian, agnograd_backend):
    z = raw(agnograd_backend, Z)
    same(jacobian(lambda z: z * z * 1j, holomorphic=True)(z), np.diag(2j * Z))


def test_holomorphic_hessian(agnograd_backend):
    z = raw(agnograd_backend, Z)
    same(ag.hessian(lambda z: ag.sum(z * z * z * 1j), holomorphic=True)(z), np.diag(6j * Z))


@pytest.mark.parametrize("jacobian", [ag.jacrev, ag.jacobian])
def test_rows_of_real_values_are_gradients(jacobian, agnograd_backend):
    z = raw(agnograd_backend, Z)
    found = jacobian(lambda z: ag.real(z * ag.conj(z)))(z)
    # The conjugate Wirtinger derivative, as everywhere: 2 z for |z|^2.
    same(found, np.diag(2 * Z))
    same(found[0, :], host(ag.grad(lambda z: ag.real(z * ag.conj(z))[0])(z)))


@pytest.mark.parametrize("jacobian", [ag.jacfwd, ag.jacobian])
def test_complex_values_of_real_numbers(jacobian, point):
    same(jacobian(lambda x: ag.exp(x * 1j))(point), np.diag(1j * np.exp(1j * POINT)))


# -- other transformations ---------------------------------------------------------------------------------------------


def test_nested(matrix, point):
    laplacian = lambda x: ag.linalg.trace(ag.hessian(lambda x: ag.sum(x**4))(x))
    same(laplacian(point), 12 * (POINT**2).sum())
    same(ag.grad(laplacian)(point), 24 * POINT)
    same(ag.jvp(laplacian, (point,), (point,))[1], 24 * (POINT**2).sum())


@modes
def test_a_batch_of_jacobians(jacobian, agnograd_backend, matrix):
    points = np.stack([POINT, 2 * POINT])
    found = ag.vmap(jacobian(f(matrix)))(raw(agnograd_backend, points))
    same(found, np.stack([df(x) for x in points]))


@modes
def test_the_jacobian_of_a_batch(jacobian, agnograd_backend, matrix):
    points = np.stack([POINT, 2 * POINT])
    found = host(jacobian(ag.vmap(f(matrix)))(raw(agnograd_backend, points)))
    assert found.shape == (2, 4, 2, 3)
    for i in range(2):
        for j in range(2):
            same(found[i, :, j, :], df(points[i]) if i == j else np.zeros((4, 3)))


@modes
def test_the_users_own_graph_goes_through(jacobian, agnograd_backend, point):
    scale = leaf(agnograd_backend, [1.0, 2.0, 3.0])
    found = jacobian(lambda x: scale * x * x)(point)
    same(found, np.diag(2 * np.array([1.0, 2.0, 3.0]) * POINT))
    ag.sum(found).backward()
    same(scale.grad, 2 * POINT)


def test_of_each_other(point):
    cube = lambda x: x**3
    for outer in MODES:
        for inner in MODES:
            found = host(outer(inner(cube))(point))
            same(found, 6 * np.einsum("ij,ik,i->ijk", np.eye(3), np.eye(3), POINT))


# -- sparse ------------------------------------------------------------------------------------------------------------

BIDIAGONAL = sparse.diags_array([np.ones(6), np.ones(5)], offsets=[0, -1])


def chain(x):
    return x * x - ag.concat([0 * x[:1], x[:-1] ** 2])


def dchain(x):
    return np.diag(2 * x) - np.diag(2 * x[:-1], -1)


X = np.linspace(0.2, 1.3, 6)


@modes
@pytest.mark.parametrize("chunk_size", [None, 1, 2])
def test_sparse(jacobian, agnograd_backend, chunk_size):
    found = jacobian(chain, sparsity=BIDIAGONAL, chunk_size=chunk_size)(raw(agnograd_backend, X))
    assert isinstance(found, sparse.csr_array)
    assert found.nnz == 11
    np.testing.assert_allclose(found.toarray(), dchain(X), rtol=1e-13)


@modes
@pytest.mark.parametrize(
    "pattern",
    [BIDIAGONAL.tocsc(), sparse.coo_matrix(BIDIAGONAL), BIDIAGONAL.toarray() != 0, np.ones((6, 6)), dchain(X)],
    ids=["csc", "coo", "booleans", "dense", "numbers"],
)
def test_patterns(jacobian, pattern):
    np.testing.assert_allclose(jacobian(chain, sparsity=pattern)(X).toarray(), dchain(X), rtol=1e-13)


@modes
def test_sparse_of_matrices_in_trees(jacobian):
    x = np.arange(1.0, 7.0).reshape(2, 3)
    found, aux = jacobian(lambda x: ({"y": x.T * x.T}, 1), (0,), has_aux=True, sparsity=np.ones((6, 6)))(x)
    dense = np.zeros((3, 2, 2, 3))
    for i in range(2):
        for j in range(3):
            dense[j, i, i, j] = 2 * x[i, j]
    np.testing.assert_allclose(found["y"][0].toarray(), dense.reshape(6, 6))
    assert aux == 1


@modes
def test_sparse_and_holomorphic(jacobian):
    found = jacobian(lambda z: z * z * 1j, holomorphic=True, sparsity=np.eye(2))(Z)
    np.testing.assert_allclose(found.toarray(), np.diag(2j * Z))


def test_a_sparse_hessian():
    pattern = sparse.diags_array([np.ones(6)] * 3, offsets=[-1, 0, 1], shape=(6, 6))
    energy = lambda x: ag.sum((x[1:] - x[:-1]) ** 2) + ag.sum(x**4)
    found = ag.jacfwd(ag.grad(energy), sparsity=pattern)(X)
    np.testing.assert_allclose(found.toarray(), host(ag.hessian(energy)(X)), rtol=1e-12, atol=1e-12)


@modes
def test_many_elements(jacobian):
    n = 500

    def f(x):
        return x * x - ag.roll(x * x, 1)

    pattern = sparse.diags_array([np.ones(n), np.ones(n - 1), np.ones(1)], offsets=[0, -1, n - 1], shape=(n, n))
    x = np.linspace(1.0, 2.0, n)
    found = jacobian(f, sparsity=pattern)(x)
    expected = sparse.diags_array([2 * x, -2 * x[:-1], [-2 * x[-1]]], offsets=[0, -1, n - 1], shape=(n, n))
    assert abs(found - expected).max() < 1e-12
    assert max(greedy_colours(n, pattern.tocsc().indptr, pattern.tocsc().indices)) <= 2


@modes
def test_an_entry_outside_of_the_pattern_is_noticed(jacobian, agnograd_backend):
    x = raw(agnograd_backend, X)
    with pytest.raises(SparsityError, match=r"outside of the sparsity.*of 6 (rows|columns) 5 have some"):
        jacobian(lambda x: chain(x) + 1e-3 * ag.flip(x), sparsity=BIDIAGONAL)(x)


@modes
def test_scales_that_differ_hide_nothing(jacobian):
    scale = np.array([1e12, 1.0, 1e-6])
    with pytest.raises(SparsityError):
        jacobian(lambda x: scale * x + scale * ag.flip(x), sparsity=np.eye(3))(POINT)
    found = jacobian(lambda x: scale * x, sparsity=np.eye(3))(POINT)
    np.testing.assert_allclose(found.toarray(), np.diag(scale))


@modes
def test_a_row_that_is_not_finite_is_no_entry_outside(jacobian):
    with np.errstate(all="ignore"):
        found = jacobian(ag.log, sparsity=np.eye(3))(np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(found.toarray().diagonal(), [np.inf, 1.0, 0.5])
    with np.errstate(all="ignore"), pytest.raises(SparsityError, match="of element 1 of"):
        jacobian(lambda x: ag.log(x) + ag.stack([0 * x[0], x[2], x[1]]), sparsity=np.eye(3))(np.array([0.0, 1.0, 2.0]))


def test_patterns_and_results_are_copies():
    pattern = sparse.csr_array(BIDIAGONAL)
    jacobian = ag.jacfwd(chain, sparsity=pattern)
    pattern.data[:] = 0
    pattern.eliminate_zeros()
    jacobian(X).indices[:] = 0
    np.testing.assert_allclose(jacobian(X).toarray(), dchain(X), rtol=1e-13)


def test_colours_of_columns_with_a_common_row_differ():
    draw = np.random.default_rng(0)
    pattern = sparse.random_array((40, 60), density=0.05, rng=draw, format="csc")
    colours = np.array(greedy_colours(40, pattern.indptr, pattern.indices))
    dense = pattern.toarray() != 0
    for colour in range(colours.max() + 1):
        assert dense[:, colours == colour].sum(axis=1).max() <= 1


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda j: j(3), TypeError, "takes a function, got int"),
        (lambda j: j(ag.sin, chunk_size=0), ValueError, "chunk_size is the number of products"),
        (lambda j: j(ag.sin)(np.arange(3)), NotDifferentiableError, "real- or complex-valued inputs, got argument 0"),
        (lambda j: j(lambda x: x > 0)(POINT), NotDifferentiableError, "outputs, got value .*has_aux=True"),
        (lambda j: j(lambda x: [x, "name"])(POINT), TypeError, r"it returned value\[1\] of type str"),
        (lambda j: j(ag.sin, 1)(POINT), TypeError, "requires at least 2 positional arguments"),
        (lambda j: j(lambda x: x, has_aux=True)(POINT), TypeError, "a pair"),
        (lambda j: j(ag.sin, holomorphic=True)(POINT), NotDifferentiableError, "requires complex inputs"),
        (lambda j: j(ag.real, holomorphic=True)(Z), NotDifferentiableError, "requires complex outputs"),
        (lambda j: j(ag.sin)(Z), NotDifferentiableError, "holomorphic=True"),
        (lambda j: j(lambda p: p["a"])({"a": "b"}), NotDifferentiableError, r"argument 0\['a'\] of type str"),
        (lambda j: j(chain, sparsity=np.ones((6, 5)))(X), SparsityError, r"a column for each element.*\(6, 5\)"),
        (lambda j: j(chain, sparsity=np.ones((5, 6)))(X), SparsityError, r"a row for each element.*\(5, 6\)"),
        (lambda j: j(chain, sparsity=np.ones(6)), SparsityError, "sparsity"),
        (lambda j: j(chain, sparsity="detect"), SparsityError, "sparsity takes"),
        (lambda j: j(ag.multiply, (0, 1), sparsity=np.ones((6, 12)))(X, X), SparsityError, "2 input arrays"),
        (lambda j: j(lambda x: (x, x), sparsity=np.ones((12, 6)))(X), SparsityError, "2 output arrays"),
        (
            lambda j: ag.grad(lambda x: j(chain, sparsity=BIDIAGONAL)(x).sum())(X),
            GradientLostError,
            "no transformation around it",
        ),
        (
            lambda j: ag.vmap(lambda x: j(chain, sparsity=BIDIAGONAL)(x).sum())(np.stack([X, X])),
            GradientLostError,
            "can go on through that",
        ),
    ],
)
@modes
def test_refused(jacobian, call, error, words):
    with pytest.raises(error, match=words):
        call(jacobian)


def test_scipy_is_asked_for_only_where_it_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    same(ag.jacfwd(chain)(X), dchain(X))
    with pytest.raises(MissingLibraryError, match=r"pip install 'agnograd\[optimize\]'"):
        ag.jacfwd(chain, sparsity=np.ones((6, 6)))


def test_modes_and_complex_numbers():
    with pytest.raises(NotDifferentiableError, match="jacfwd by forward mode requires real inputs"):
        ag.jacfwd(ag.real)(Z)
    with pytest.raises(NotDifferentiableError, match="jacrev by reverse mode requires real outputs"):
        ag.jacrev(lambda x: ag.exp(1j * x))(POINT)


def test_messages_name_shapes_and_no_values():
    with pytest.raises(NotDifferentiableError) as caught:
        ag.hessian(lambda x: ag.sum(x))(np.arange(3))
    assert "shape (3,), int64, numpy on cpu" in str(caught.value)
    assert "hessian requires" in str(caught.value)


def test_unknown_shapes_are_refused():
    da = pytest.importorskip("dask.array")
    x = da.from_array(POINT)
    with pytest.raises(NotDifferentiableError, match="needs shapes that are known, and that of argument 0"):
        ag.jacfwd(ag.sin)(x[x > 0])
