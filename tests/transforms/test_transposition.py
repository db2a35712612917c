"""linear_transpose: transposes of linear functions, and the functions that are none."""

from __future__ import annotations

import numpy as np
import pytest
from made_tensors import constant, host, raw, same

import agnograd as ag
from agnograd.errors import CotangentError, LinearityError, NotDifferentiableError

A = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 2.0]])
C = A + 1j * A[::-1]
X = np.array([0.3, -0.2, 0.7])
Y = np.array([1.0, -3.0])
W = np.array([0.5 + 1.0j, -0.3j])


@pytest.fixture
def zero(agnograd_backend):
    return raw(agnograd_backend, np.zeros(3))


@pytest.fixture
def y(agnograd_backend):
    return raw(agnograd_backend, Y)


def matrix(f, shape):
    """The matrix of a linear function of an array of NumPy."""
    columns = [np.ravel(host(f(e.reshape(shape)))) for e in np.eye(int(np.prod(shape)))]
    return np.stack(columns, axis=1)


def test_the_transpose_of_a_matrix(agnograd_backend, zero, y):
    a = raw(agnograd_backend, A)
    (found,) = ag.linear_transpose(lambda x: ag.matmul(a, x), zero)(y)
    same(found, A.T @ Y)
    assert type(found) is type(y)
    t = constant(agnograd_backend, Y)
    assert isinstance(ag.linear_transpose(lambda x: ag.matmul(a, x), zero)(t)[0], ag.Tensor)


def test_it_is_no_adjoint(agnograd_backend):
    c = raw(agnograd_backend, C)
    w = raw(agnograd_backend, W)
    zero = raw(agnograd_backend, np.zeros(3, dtype=complex))
    same(ag.linear_transpose(lambda x: ag.matmul(c, x), zero)(w)[0], C.T @ W)
    # As in JAX, of functions that are linear in pairs of reals only.
    same(ag.linear_transpose(lambda x: ag.conj(ag.matmul(c, x)), zero)(w)[0], (C.T @ W.conj()))
    same(ag.linear_transpose(ag.real, zero)(raw(agnograd_backend, X))[0], X + 0j)
    same(ag.linear_transpose(ag.imag, zero)(raw(agnograd_backend, X))[0], -1j * X)
    # Real arguments have real cotangents.
    same(ag.linear_transpose(lambda x: x * 1j, raw(agnograd_backend, np.zeros(2)))(w)[0], -W.imag)


LINEAR = {
    "differences": lambda x: x[1:] - x[:-1],
    "sums": lambda x: ag.cumulative_sum(x) + ag.sum(x) - ag.mean(x),
    "a roll": lambda x: ag.roll(x, 1) * 2.0 / 3.0,
    "pieces": lambda x: ag.concat([x, ag.flip(x), 0 * x]),
    "stacked": lambda x: ag.stack([x, -x]),
    "python's sum": lambda x: sum(x[i] for i in range(3)) * X,
    "a constant mask": lambda x: ag.where(X > 0, x, 0.0),
    "products": lambda x: ag.einsum("ij,j->i", ag.asarray(A), x),
    "outer": lambda x: ag.tensordot(x, ag.asarray(A), axes=0),
    "an order": lambda x: ag.take(x, ag.argsort(ag.asarray(X)), axis=0),
    "a solve": lambda x: ag.linalg.solve(np.eye(3) + X[:, None], x),
    "a spectrum": lambda x: ag.real(ag.fft.ifft(ag.fft.fft(x + 0j) * X)),
    "vmap": lambda x: ag.vmap(lambda a: 2 * a)(x),
    "writes": lambda x: written(x),
}


def written(x):
    out = ag.zeros_like(x) if isinstance(x, ag.Tensor) else ag.zeros(3)
    out[1:] = x[:-1] * 2
    out += x
    return out


@pytest.mark.parametrize("f", LINEAR.values(), ids=LINEAR)
def test_linear_functions_of_all_kinds(f):
    m = matrix(f, (3,))
    transpose = ag.linear_transpose(f, np.zeros(3))
    shape = host(f(np.zeros(3))).shape
    np.testing.assert_allclose(matrix(lambda y: transpose(y)[0], shape), m.T, rtol=1e-12, atol=1e-14)


NOT_LINEAR = {
    "a product with itself": (lambda x: x * x, "'multiply'"),
    "a product with its sum": (lambda x: ag.sum(x) * x, "'multiply'"),
    "a quotient": (lambda x: 1.0 / (x + 1), "'divide'"),
    "an exponential": (lambda x: ag.exp(x) - 1, "'exp'"),
    "an absolute value": (ag.abs, "'abs'"),
    "a norm": (ag.linalg.vector_norm, "'linalg.vector_norm'"),
    "a maximum": (ag.max, "'max'"),
    "steps": (ag.floor, "'floor'"),
    "an inverse": (lambda x: ag.linalg.inv(np.eye(3) + x[:, None] * X), "'linalg.inv'"),
    "a constant added": (lambda x: 2 * x + 1, "adds a constant"),
    "a constant": (lambda x: ag.ones(3), "adds a constant"),
    "a remainder": (lambda x: ag.remainder(x, 0.25), "branches on the values"),
    "a mask of its own": (lambda x: ag.where(x > 0, x, 0.0), "branches on the values"),
    "another mask of its own": (lambda x: ag.where(x < 0, x, 2 * x), "branches on the values"),
    "an order of its own": (lambda x: ag.take(x, ag.argsort(x), axis=0) * X, "branches on the values"),
}


@pytest.mark.parametrize(("f", "why"), NOT_LINEAR.values(), ids=NOT_LINEAR)
def test_functions_that_are_not_linear(f, why):
    with pytest.raises(LinearityError, match="linear_transpose takes a linear function") as caught:
        ag.linear_transpose(f, np.zeros(3))
    assert why in str(caught.value)


def test_operations_that_are_not_linear_are_found_on_every_backend(zero):
    for f in (lambda x: x * x, ag.exp):
        with pytest.raises(LinearityError):
            ag.linear_transpose(f, zero)


def test_a_lazy_backend_does_not_compute():
    dask = pytest.importorskip("dask")
    import dask.array as da

    def forbidden(*args, **kwargs):
        raise AssertionError("it was computed")

    with dask.config.set(scheduler=forbidden):
        transpose = ag.linear_transpose(lambda x: ag.cumulative_sum(x) * 2, da.zeros(3, chunks=2))
        (found,) = transpose(da.from_array(X, chunks=2))
    same(found, 2 * np.cumsum(X[::-1])[::-1])


def test_trees_and_several_arguments(agnograd_backend, zero, y):
    a = raw(agnograd_backend, A)
    f = lambda p, x: {"sum": ag.matmul(a, p["w"] + x) * 2, "w": (p["w"], None)}
    x = raw(agnograd_backend, X)
    transpose = ag.linear_transpose(f, {"w": zero, "none": None}, zero)
    gp, gx = transpose({"sum": y, "w": (x, None)})
    same(gx, 2 * A.T @ Y)
    same(gp["w"], 2 * A.T @ Y + X)
    assert gp["none"] is None
    same(transpose({"sum": None, "w": (x, None)})[1], np.zeros(3))


def test_cotangents_that_do_not_fit():
    transpose = ag.linear_transpose(lambda x: {"y": A @ x}, np.zeros(3))
    with pytest.raises(CotangentError, match=r"the cotangent\['y'\] has shape \(3,\)"):
        transpose({"y": X})
    with pytest.raises(CotangentError, match="it has a leaf in the place of a dict"):
        transpose(Y)
    with pytest.raises(NotDifferentiableError, match="linear_transpose differentiates with respect to arrays, got arg"):
        ag.linear_transpose(lambda x: x, "text")


def test_a_transpose_is_differentiable_and_maps(agnograd_backend, zero, y):
    w = raw(agnograd_backend, A)

    def pulled(w, y):
        return ag.linear_transpose(lambda x: ag.matmul(w, x), zero)(y)[0]

    same(ag.grad(lambda w: ag.sum(pulled(w, y)))(w), np.outer(Y, np.ones(3)))
    same(ag.grad(lambda y: ag.sum(pulled(w, y)))(y), A.sum(axis=1))
    same(ag.jvp(lambda w: pulled(w, y), (w,), (w,))[1], A.T @ Y)
    same(ag.vmap(pulled, in_axes=(None, 0))(w, ag.stack([ag.asarray(y), 2 * ag.asarray(y)])), [A.T @ Y, 2 * A.T @ Y])


def test_values_do_not_matter():
    transpose = ag.linear_transpose(lambda x: x * 2, np.array([np.nan, np.inf, 1.0]))
    same(transpose(X)[0], 2 * X)
    assert ag.linear_transpose(lambda x: 2 * x, 5.0)(1.0)[0] == 2.0
