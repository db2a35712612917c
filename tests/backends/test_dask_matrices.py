"""Linear algebra on dask: by blocks where matrices are larger than what one chunk may be, or an error that says so."""

import pytest

import agnograd as ag
from agnograd.autograd.hosts import compute
from agnograd.errors import UnsupportedError
from agnograd.testing.matrix import count_computes

da = pytest.importorskip("dask.array")
np = pytest.importorskip("numpy")

from agnograd.backends.dask_blocks import LIMIT  # noqa: E402

N = 12
generator = np.random.default_rng(0)
REAL = generator.normal(size=(N, N))
COMPLEX = REAL + 1j * generator.normal(size=(N, N))
# Pivots that are zero within a block, which an elimination by blocks would stumble over.
PERMUTED = np.roll(np.eye(N), N // 2, axis=0) + np.triu(REAL, k=1) * 0.1
CHUNKS = [(4, 4), *(pytest.param(c, marks=pytest.mark.slow) for c in [(N, 5), (3, N), ((1, N - 1), (8, 4))]), (5, 3)]


def definite(x):
    return x @ x.conj().T + np.eye(N)


@pytest.fixture
def small_chunks():
    """What is larger than 5 x 5 numbers does not go into one chunk."""
    import dask

    with dask.config.set({LIMIT: "200B"}):
        yield


def chunked(x, chunks):
    return da.from_array(x, chunks=chunks)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("chunks", CHUNKS)
def test_factors_by_blocks(chunks):
    xp = ag.namespace("dask").linalg
    for x in (REAL, COMPLEX):
        q, r = compute(list(xp.qr(chunked(x, chunks))))
        np.testing.assert_allclose(q @ r, x, atol=1e-12)
        np.testing.assert_allclose(q.conj().T @ q, np.eye(N), atol=1e-13)
        np.testing.assert_array_equal(np.tril(r, -1), 0)
        a = definite(x)
        np.testing.assert_allclose(xp.cholesky(chunked(a, chunks)).compute(), np.linalg.cholesky(a), atol=1e-12)
        upper = xp.cholesky(chunked(a, chunks), upper=True).compute()
        np.testing.assert_allclose(upper, np.linalg.cholesky(a).conj().T, atol=1e-12)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("x", [REAL, COMPLEX, PERMUTED], ids=["real", "complex", "zero pivots"])
def test_systems_by_blocks(x):
    xp = ag.namespace("dask").linalg
    b = generator.normal(size=(N, 3))
    a = chunked(x, 4)
    for right in (b, b[:, 0]):
        found = xp.solve(a, chunked(right, 5)).compute()
        np.testing.assert_allclose(found, np.linalg.solve(x, right), atol=1e-11)
    np.testing.assert_allclose(xp.inv(a).compute(), np.linalg.inv(x), atol=1e-11)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(
    "shape", [(3, 30), (30, 9), *(pytest.param(s, marks=pytest.mark.slow) for s in [(30, 3), (9, 30)])]
)
@pytest.mark.parametrize(
    "chunks", [(7, 2), *(pytest.param(c, marks=pytest.mark.slow) for c in [(3, 3), (30, 2), (2, 30)])]
)
def test_matrices_that_are_not_square(shape, chunks):
    xp = ag.namespace("dask").linalg
    x = generator.normal(size=shape)
    q, r = compute(list(xp.qr(chunked(x, chunks))))
    np.testing.assert_allclose(q @ r, x, atol=1e-12)
    np.testing.assert_allclose(q.T @ q, np.eye(min(shape)), atol=1e-13)
    if min(shape) == 3:
        u, s, vh = compute(list(xp.svd(chunked(x, chunks), full_matrices=False)))
        np.testing.assert_allclose((u * s) @ vh, x, atol=1e-12)
        np.testing.assert_allclose(xp.svdvals(chunked(x, chunks)).compute(), s, atol=1e-12)
        np.testing.assert_allclose(xp.pinv(chunked(x, chunks)).compute(), np.linalg.pinv(x), atol=1e-12)
        assert xp.matrix_rank(chunked(x, chunks)).compute() == 3


FUNCTIONS = {
    "cholesky": lambda x: ag.sum(ag.linalg.cholesky(x @ x.T) ** 4),
    "inverse": lambda x: ag.sum(ag.linalg.inv(x) ** 2),
    "qr": lambda x: ag.sum(ag.linalg.qr(x)[1] ** 4),
    "solve": lambda x: ag.sum(ag.linalg.solve(x, x[:, :2] ** 2) ** 2),
    "singular values": lambda x: ag.sum(ag.linalg.svdvals(x[:, :3]) ** 3),
}


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_by_blocks(name):
    x = chunked(PERMUTED, 4)
    with count_computes() as computes:
        value, gradient = ag.value_and_grad(FUNCTIONS[name])(x)
    assert computes == [0]
    assert gradient.chunks == x.chunks
    wanted, expected = ag.value_and_grad(FUNCTIONS[name])(PERMUTED)
    found, got = compute([value, gradient])
    np.testing.assert_allclose(found, wanted, rtol=1e-10)
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-8 * abs(expected).max())


@pytest.mark.usefixtures("small_chunks")
def test_no_chunk_is_larger_than_it_may_be():
    x = chunked(definite(REAL), 4)
    xp = ag.namespace("dask").linalg
    for made in (xp.cholesky(x), xp.inv(x), xp.solve(x, x), *xp.qr(x)):
        assert max(made.chunksize) <= 4


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("name", ["det", "slogdet", "eigh", "eigvalsh", "eig", "svd", "svdvals", "pinv", "matrix_rank"])
def test_what_needs_one_chunk_says_how_to_rechunk(name):
    with pytest.raises(UnsupportedError, match=r"more than the limit.*rechunk\(\{0: -1, 1: -1\}\).*gather-limit"):
        getattr(ag.namespace("dask").linalg, name)(chunked(REAL, 4))
    whole = getattr(ag.namespace("dask").linalg, name)(chunked(REAL, 4).rechunk(-1))
    assert compute(whole) is not None


@pytest.mark.usefixtures("small_chunks")
def test_other_functions_split_other_axes_or_say_how_to_rechunk():
    xp = ag.namespace("dask")
    x = chunked(REAL, 4)
    for made, wanted in (
        (xp.sort(x, axis=0), np.sort(REAL, axis=0)),
        (xp.fft.fft(x, axis=1), np.fft.fft(REAL, axis=1)),
        (xp.reshape(x, (6, 24)), REAL.reshape(6, 24)),
    ):
        assert max(np.prod(c) for c in np.broadcast(*np.ix_(*made.chunks))) <= 30
        np.testing.assert_allclose(made.compute(), wanted, atol=1e-12)
    with pytest.raises(UnsupportedError, match="an index of several arrays needs the axes 0, 1"):
        xp.asarray(x)[np.arange(3), np.arange(3)]


def test_stacks_keep_their_chunks():
    stack = definite(REAL) + np.arange(1, 5)[:, None, None] * np.eye(N)
    x = da.from_array(stack, chunks=(2, 5, 5))
    xp = ag.namespace("dask").linalg
    for name in ("cholesky", "det", "inv", "eigvalsh", "svdvals"):
        made = getattr(xp, name)(x)
        assert made.chunks[0] == (2, 2)
        np.testing.assert_allclose(made.compute(), getattr(np.linalg, name)(stack), rtol=1e-9, atol=1e-9)


def test_a_new_axis_meets_several_chunks():
    xp = ag.namespace("dask")
    x, y = chunked(np.arange(4.0), 2), chunked(np.ones((4, 4)), 2)
    for made in (xp.expand_dims(x, axis=1) * y, xp.asarray(x)[:, None] * y, xp.reshape(x, (4, 1)) * y):
        np.testing.assert_array_equal(compute(made), np.arange(4.0)[:, None] * np.ones((4, 4)))
