"""Assignment on dask to arrays of indices and masks, with gradients, against NumPy."""

import pytest

import agnograd as ag
from agnograd.autograd.hosts import compute
from agnograd.errors import UnsupportedError
from agnograd.testing.matrix import count_computes

da = pytest.importorskip("dask.array")
np = pytest.importorskip("numpy")

generator = np.random.default_rng(0)
X = generator.normal(size=(5, 6, 4))
FIRST, SECOND = np.asarray([0, 4, 0]), np.asarray([1, 5, 2])
ROWS = np.asarray([True, False, True, True, False])
PLANE, ALL = X[:, :, 0] > 0, X > 0.3
EVERY = slice(None)

# A key and the shape of a value.
KEYS = {
    "two arrays": ((FIRST, SECOND), (3, 4)),
    "two arrays, one value": ((FIRST, SECOND), ()),
    "arrays around a slice": ((FIRST, EVERY, SECOND % 4), (3, 6)),
    "arrays behind a slice": ((slice(1, 4), FIRST, SECOND % 4), (3, 3)),
    "arrays that broadcast": ((FIRST[:, None], np.asarray([[1, 2]])), (3, 2, 4)),
    "negative indices": ((-FIRST - 1, SECOND), (4,)),
    "a number and an array": ((2, SECOND), (3, 4)),
    "an array behind an ellipsis": ((..., FIRST % 4), (5, 6, 3)),
    "one array": (FIRST, (3, 6, 4)),
    "one array of two axes": (FIRST[None], (1, 3, 6, 4)),
    "a mask of rows": (ROWS, (3, 6, 4)),
    "a mask of rows, one value": (ROWS, ()),
    "a mask of rows, one row": (ROWS, (6, 4)),
    "a mask of rows and a number": ((ROWS, 0), (3, 4)),
    "a mask of two axes": (PLANE, (int(PLANE.sum()), 4)),
    "a mask of two axes, one row": (PLANE, (1, 4)),
    "a mask of two axes, one column": (PLANE, (int(PLANE.sum()), 1)),
    "a mask of all axes": (ALL, (int(ALL.sum()),)),
}


def chunked(key, chunks):
    if isinstance(key, tuple):
        return tuple(chunked(k, chunks) for k in key)
    return da.from_array(key, chunks=chunks[: key.ndim]) if hasattr(key, "dtype") else key


@pytest.mark.parametrize("name", KEYS)
def test_values_and_gradients(name):
    key, shape = KEYS[name]
    chunks = (2, 3, 4)
    value = generator.normal(size=shape)

    def written(key):
        def f(x, value):
            y = x * 1
            y[key] = value
            return ag.sum(y * y * y)

        return ag.value_and_grad(f, (0, 1))

    arrays = da.from_array(X, chunks=chunks), da.from_array(value, chunks=1)
    with count_computes() as computes:
        found = written(chunked(key, chunks))(*arrays)
    assert computes == [0]
    assert [g.chunks for g in found[1]] == [x.chunks for x in arrays]
    wanted = written(key)(X, value)
    for a, b in zip(compute([found[0], *found[1]]), [wanted[0], *wanted[1]], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ((EVERY, ROWS), "a mask stands alone"),
        ((ROWS, np.asarray([0])), "a mask stands alone"),
        ((None, FIRST, SECOND), "None"),
    ],
)
def test_what_is_refused(key, message):
    x = ag.asarray(da.from_array(X[:, :5], chunks=2)) * 1
    with pytest.raises(UnsupportedError, match=message):
        x[key] = 1.0
