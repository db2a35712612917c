"""Indexing is NumPy's: negative steps, integers beside arrays, masks; read, written and differentiated."""

import agnograd as ag
import numpy as np
import pytest
import torch

SHAPE = (3, 4, 5)
X = np.arange(60.0).reshape(SHAPE)
ROWS = np.asarray([2, 0, 2])
COLUMNS = np.asarray([1, 3, 1])
MASK = X[:, :, 0] % 3 > 0

KEYS = {
    "integer": 1,
    "slice": slice(1, None),
    "backwards": slice(None, None, -1),
    "every second backwards": (slice(None), slice(None, None, -2)),
    "backwards within bounds": (slice(2, 0, -1), ..., slice(-2, -5, -2)),
    "backwards, nothing": slice(0, 2, -1),
    "new axes": (None, slice(None, None, -1), None, ..., None),
    "backwards beside an integer": (1, slice(None, None, -1)),
    "array": ROWS,
    "two arrays": (ROWS, COLUMNS),
    "array after a slice": (slice(None), COLUMNS),
    "arrays on both sides of a slice": (ROWS, slice(None), COLUMNS),
    "integer and array": (1, COLUMNS),
    "integer and array on both sides of a slice": (0, slice(None), COLUMNS),
    "array and integer": (ROWS, ..., -1),
    "array beside backwards": (ROWS, slice(None, None, -1), slice(-1, 0, -2)),
    "0-d array and array": (np.asarray(1), slice(None), COLUMNS),
    "mask": X > 30,
    "mask of leading axes": MASK,
    "mask and slice": (MASK, slice(1, 3)),
    "mask and integer": (MASK, 1),
}


def key_of(key, convert=torch.asarray):
    if isinstance(key, tuple):
        return tuple(key_of(k, convert) for k in key)
    return convert(key) if isinstance(key, np.ndarray) else key


@pytest.mark.parametrize("name", KEYS)
def test_reading(name):
    found = ag.asarray(torch.asarray(X))[key_of(KEYS[name])]
    np.testing.assert_array_equal(found.array.numpy(), X[KEYS[name]])


@pytest.mark.parametrize("name", KEYS)
def test_the_gradient_of_reading(name):
    weights = np.cos(np.arange(X[KEYS[name]].size)).reshape(X[KEYS[name]].shape)
    expected = np.zeros(SHAPE)
    np.add.at(expected, KEYS[name], weights)
    found = ag.grad(lambda x: ag.sum(x[key_of(KEYS[name])] * torch.asarray(weights)))(torch.asarray(X))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-15)


@pytest.mark.parametrize("name", KEYS)
def test_writing(name):
    key = KEYS[name]
    values = -1.0 - np.arange(X[key].size).reshape(X[key].shape)
    if any(isinstance(k, np.ndarray) and k.dtype.kind == "i" for k in (key if isinstance(key, tuple) else (key,))):
        values = np.full_like(values, -7.0)  # where an index is repeated, it is open which write is the last
    expected = X.copy()
    expected[key] = values
    x = ag.tensor(torch.asarray(X))
    x[key_of(key)] = torch.asarray(values)
    np.testing.assert_array_equal(x.array.numpy(), expected)


@pytest.mark.parametrize(("key", "axis", "size"), [(3, 0, 3), ((0, -5), 1, 4), ((ROWS, 9), 1, 4)])
def test_out_of_bounds(key, axis, size):
    with pytest.raises(IndexError, match=f"out of bounds for (axis|dimension) {axis}.*{size}"):
        ag.asarray(torch.asarray(X))[key_of(key)]


def test_too_many():
    with pytest.raises(IndexError):
        ag.asarray(torch.asarray(X))[0, 0, 0, ::-1]
