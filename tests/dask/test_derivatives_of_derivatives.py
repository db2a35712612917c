"""Hessian-vector products, Jacobians and gradients for each row on chunked data, against NumPy."""

import pytest

import agnograd as ag
from agnograd.autograd.hosts import compute
from agnograd.testing.matrix import count_computes

da = pytest.importorskip("dask.array")
np = pytest.importorskip("numpy")

generator = np.random.default_rng(0)
X, Y = generator.normal(size=(20, 5)), generator.normal(size=(20,))
W, T = generator.normal(size=(5,)), generator.normal(size=(5,))


def logistic(w, x, y):
    return ag.mean(ag.logaddexp(0.0, -y * (x @ w))) + 0.1 * ag.sum(w * w)


def attention(w, x, y):
    return ag.sum(ag.softmax(x * w, axis=1)[:, 0] * y)


def forward_over_reverse(f, w, x, y, t):
    return ag.jvp(lambda w: ag.grad(f)(w, x, y), (w,), (t,))[1]


def reverse_over_reverse(f, w, x, y, t):
    return ag.grad(lambda w: ag.sum(ag.grad(f)(w, x, y) * t))(w)


def hvp(f, w, x, y, t):
    return ag.hvp(lambda w: f(w, x, y), (w,), (t,))


def backward_twice(f, w, x, y, t):
    w = ag.tensor(w, requires_grad=True)
    (g,) = ag.autograd.grad(f(w, x, y), [w], create_graph=True)
    (h,) = ag.autograd.grad(ag.sum(g * t), [w])
    return h


@pytest.mark.parametrize("f", [logistic, attention])
@pytest.mark.parametrize("product", [forward_over_reverse, reverse_over_reverse, hvp, backward_twice])
def test_hessian_vector_products(product, f):
    arrays = [da.from_array(x, chunks=c) for x, c in ((W, 2), (X, (6, 2)), (Y, 6), (T, 2))]
    with count_computes() as computes:
        found = product(f, *arrays)
    assert computes == [0]
    assert found.chunks == arrays[0].chunks
    np.testing.assert_allclose(compute(found), compute(product(f, W, X, Y, T)), rtol=1e-10, atol=1e-12)


JACOBIANS = {
    "jacrev": lambda w, x, y: ag.jacrev(lambda w: ag.tanh(x @ w) * y)(w),
    "jacfwd": lambda w, x, y: ag.jacfwd(lambda w: ag.tanh(x @ w) * y)(w),
    "hessian": lambda w, x, y: ag.hessian(lambda w: logistic(w, x, y))(w),
    "jacrev for each row": lambda w, x, y: ag.vmap(ag.jacrev(lambda row: ag.tanh(row * w)))(x),
    "gradient for each row": lambda w, x, y: ag.vmap(
        lambda row, label: ag.grad(lambda w: ag.logaddexp(0.0, -label * (row @ w)))(w)
    )(x, y),
}


@pytest.mark.parametrize("name", JACOBIANS)
def test_jacobians(name):
    w, x, y = (da.from_array(a, chunks=c) for a, c in ((W, 2), (X, (6, 2)), (Y, 6)))
    with count_computes() as computes:
        found = JACOBIANS[name](w, x, y)
    assert computes == [0]
    np.testing.assert_allclose(compute(found), JACOBIANS[name](W, X, Y), rtol=1e-10, atol=1e-12)


def test_gradients_for_each_row_keep_the_chunks_of_rows():
    w, x, y = (da.from_array(a, chunks=c) for a, c in ((W, 5), (X, (6, 5)), (Y, 6)))
    assert JACOBIANS["gradient for each row"](w, x, y).chunks == ((6, 6, 6, 2), (5,))
