"""Dask arrays whose sizes depend on data: what needs no size is differentiated, lazily, and the rest says what to do.

Each function is given arrays in chunks of 2 elements, one of which has none of those that a mask takes.
"""

import pytest

import agnograd as ag
from agnograd.autograd.hosts import compute
from agnograd.backends.dask_indexing import known_shapes
from agnograd.errors import UnsupportedError
from agnograd.testing.matrix import count_computes

da = pytest.importorskip("dask.array")
np = pytest.importorskip("numpy")

X = np.random.default_rng(0).normal(size=(7, 3))
V = np.asarray([0.5, 1.5, -0.3, -0.7, 0.4, 0.8, -1.0])
W = np.asarray([0.3, -1.2, 0.7])


def logistic_regression(x, v, w):
    rows, labels = x[v > 0], v[v > 0]
    return ag.mean(ag.logaddexp(0.0, -labels * (rows @ w)))


WORKS = {
    "abs": lambda x, v, w: ag.sum(ag.abs(v[v < 0])),
    "broadcast": lambda x, v, w: ag.sum(v[v > 0][:, None] * w),
    "centred": lambda x, v, w: ag.sum((x[v > 0] - ag.mean(x[v > 0], axis=0)) ** 2),
    "column": lambda x, v, w: ag.sum(x[v > 0][:, 0] ** 2),
    "columns": lambda x, v, w: ag.sum(x[v > 0][:, 2:0:-1] ** 2),
    "concat": lambda x, v, w: ag.sum(ag.concat([v[v > 0], v]) ** 2),
    "dot": lambda x, v, w: v[v > 0] @ v[v > 0],
    "einsum": lambda x, v, w: ag.sum(ag.einsum("ij,j->i", x[v > 0], w) ** 2),
    "elementwise": lambda x, v, w: ag.sum(ag.exp(v[v > 0]) * v[v > 0]),
    "gram": lambda x, v, w: ag.sum((x[v > 0].T @ x[v > 0]) ** 2),
    "indices": lambda x, v, w: ag.sum(v[ag.nonzero(v > 0)[0]] ** 2),
    "logistic regression": logistic_regression,
    "logsumexp": lambda x, v, w: ag.logsumexp(v[v > 0]),
    "mask of a mask": lambda x, v, w: ag.sum(v[v > 0][v[v > 0] > 0.45] ** 2),
    "mask of two axes": lambda x, v, w: ag.sum(x[x > 0] ** 2),
    "max": lambda x, v, w: ag.sum(ag.max(x[v > 0], axis=1) ** 2) + ag.max(v[v > 0]),
    "mean": lambda x, v, w: ag.mean(v[v > 0] ** 2),
    "norm": lambda x, v, w: ag.linalg.vector_norm(v[v > 0]),
    "outer": lambda x, v, w: ag.sum(ag.linalg.outer(v[v > 0], w) ** 2),
    "qr": lambda x, v, w: ag.sum(ag.linalg.qr(x[v > -0.6])[1] ** 4),
    "repeat": lambda x, v, w: ag.sum(ag.repeat(v, ag.astype(v > 0, ag.int64) + 1) ** 2),
    "rows": lambda x, v, w: ag.sum((x[v > 0] @ w) ** 2),
    "softmax": lambda x, v, w: ag.sum(ag.softmax(x[v > 0], axis=1) ** 2),
    "spread": lambda x, v, w: ag.std(v[v > 0]) + ag.var(v[v > 0], correction=1),
    "stack": lambda x, v, w: ag.sum(ag.stack([v[v > 0], v[v > 0] ** 2])),
    "sum": lambda x, v, w: ag.sum(v[v > 0]),
    "sums": lambda x, v, w: ag.sum(ag.sum(x[v > 0], axis=1) ** 2) + ag.sum(ag.sum(x[v > 0], axis=0) ** 2),
    "svdvals": lambda x, v, w: ag.sum(ag.linalg.svdvals(x[v > -0.6])),
    "transpose": lambda x, v, w: ag.sum(x[v > 0].T ** 2),
    "where": lambda x, v, w: ag.sum(ag.where(v[v > 0] > 1, v[v > 0], 0.0) ** 3),
}


def chunked():
    return tuple(da.from_array(x, chunks=2) for x in (X, V, W))


# The rest of them: python -m pytest -m slow tests/dask/test_unknown_chunks.py
SLOW = {
    "abs",
    "broadcast",
    "columns",
    "dot",
    "einsum",
    "gram",
    "logsumexp",
    "mask of two axes",
    "norm",
    "outer",
    "rows",
}
SLOW |= {"stack", "sum", "sums", "transpose", "where"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in WORKS])
def test_derivatives_without_a_size(name):
    f = WORKS[name]
    arrays = chunked()
    with count_computes() as computes:
        value, gradients = ag.value_and_grad(f, (0, 1, 2))(*arrays)
        _, tangent = ag.jvp(f, arrays, arrays)
    assert computes == [0]
    assert [g.chunks for g in gradients] == [x.chunks for x in arrays]
    wanted, expected = ag.value_and_grad(f, (0, 1, 2))(X, V, W)
    _, along = ag.jvp(f, (X, V, W), (X, V, W))
    for a, b in zip(compute([value, *gradients, tangent]), [wanted, *expected, along], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


REFUSED = {
    "cumulative product": lambda v: ag.sum(ag.cumulative_prod(v[v > 0])),
    "difference": lambda v: ag.sum(ag.diff(v[v > 0]) ** 2),
    "flip": lambda v: ag.sum(ag.flip(v[v > 0]) * v[v > 0]),
    "Fourier transform": lambda v: ag.sum(ag.abs(ag.fft.fft(v[v > 0]))),
    "number": lambda v: v[v > 0][0],
    "product": lambda v: ag.prod(v[v > 0]),
    "reshape": lambda v: ag.sum(ag.reshape(v[v > 0], (2, -1))),
    "roll": lambda v: ag.sum(ag.roll(v[v > 0], 1) * v[v > 0]),
    "slice": lambda v: ag.sum(v[v > 0][1:] ** 2),
    "sort": lambda v: ag.sum(ag.sort(v[v > 0]) ** 2),
    "take": lambda v: ag.sum(ag.take(v[v > 0], ag.asarray(da.arange(2)))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_a_size_says_so(name):
    v = chunked()[1]
    with (
        count_computes() as computes,
        pytest.raises((UnsupportedError, ValueError), match="compute_chunk_sizes"),
    ):
        ag.grad(REFUSED[name])(v)
    assert computes == [0]


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_a_size_has_it_where_sizes_are_computed(name):
    with known_shapes():
        found = ag.grad(REFUSED[name])(chunked()[1])
    np.testing.assert_allclose(found.compute(), ag.grad(REFUSED[name])(V), rtol=1e-12, atol=1e-12)


def test_gradient_of_a_mask_is_one_task_for_each_chunk():
    v = da.from_array(np.arange(40.0), chunks=2)
    gradient = ag.grad(lambda v: ag.sum(v[v % 3 > 0] ** 2))(v)
    layers = gradient.dask.layers
    assert gradient.numblocks == v.numblocks
    assert all(len(layer) <= v.numblocks[0] for layer in layers.values())


def test_a_size_that_turns_out_to_be_another_is_an_error():
    v = da.from_array(V, chunks=2)
    made = ag.namespace("dask").reshape(v[v > 0], (3,))
    with pytest.raises(ValueError, match="size depends on data"):
        made.compute()
