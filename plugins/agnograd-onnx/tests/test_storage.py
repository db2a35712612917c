"""Tensors around ndonnx's arrays: values that are hidden until they are asked for, text, other libraries, indexing."""

from unittest import mock

import agnograd as ag
import ndonnx as ndx
import numpy as np
import pytest
from agnograd.errors import MixedBackendsError, UnsupportedError

from agnograd_onnx import deferred, elementary

X = np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def lazy(host):
    return ag.to_backend(host, "onnx")


# -- values ------------------------------------------------------------------------------------------------------------


def test_all_of_a_computation_runs_in_one_session():
    with mock.patch("agnograd_onnx.deferred.session", side_effect=deferred.session) as sessions:
        gradient = ag.grad(lambda x: ag.sum(ag.exp(x) * x))(lazy(X))
        assert isinstance(gradient, ndx.Array)
        assert sessions.call_count == 0
        np.testing.assert_allclose(ag.to_backend(gradient, "numpy"), np.exp(X) * (X + 1))
        assert sessions.call_count == 1


def test_constants_of_ndonnx_are_known():
    constant = ndx.asarray(X)
    assert ag.asarray(constant).tolist() == X.tolist()
    with mock.patch("agnograd_onnx.deferred.session", side_effect=AssertionError):
        np.testing.assert_array_equal(deferred.values(ag.grad(ag.sum)(constant)), np.ones_like(X))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
def test_values_there_and_back(dtype, shape):
    host = np.ones(shape, dtype=dtype)
    x = deferred.array(host)
    assert x.shape == shape
    with pytest.raises(ValueError, match="no propagated value"):
        x.unwrap_numpy()
    found = deferred.values(x)
    assert found.dtype == host.dtype
    np.testing.assert_array_equal(found, host)


def test_values_of_an_array_in_another_order():
    np.testing.assert_array_equal(deferred.values(deferred.array(X.T[::-1])), X.T[::-1])


def test_complex_values_are_refused():
    with pytest.raises((TypeError, ValueError), match="complex128"):
        lazy(X * 1j)


# -- tensors -----------------------------------------------------------------------------------------------------------


def test_backward_and_writes():
    t = ag.tensor(deferred.array(X), requires_grad=True)
    out = ag.zeros_like(t)
    out[:, 0] = t[:, 1] * t[:, 2]
    out += t
    (out * out).sum().backward()
    assert isinstance(t.grad.array, ndx.Array)

    def same(x):
        out = ag.zeros_like(x)
        out[:, 0] = x[:, 1] * x[:, 2]
        out += x
        return ag.sum(out * out)

    np.testing.assert_allclose(np.asarray(t.grad), ag.grad(same)(ag.asarray(X)))


def test_the_array_inside_is_not_written_to():
    x = ndx.asarray(X)
    t = ag.tensor(x)
    t[0, 0] = 7.0
    x[0, 0] = 9.0
    assert t[0, 0].item() == 7.0
    assert float(x[0, 0]) == 9.0


def test_text_has_no_values():
    t = lazy(ag.tensor(X, requires_grad=True))
    assert repr(ag.asarray(lazy(X))) == "tensor(shape=(2, 3), dtype=float64, backend=onnx)"
    assert "shape=(2, 3), dtype=float64" in repr(t)


def test_backends_do_not_mix():
    with pytest.raises(MixedBackendsError, match=r"(?s)onnx.*numpy|numpy.*onnx"):
        ag.asarray(lazy(X)) + ag.ones(3)


def test_to_another_backend_and_back_with_the_gradient():
    t = ag.tensor(X, requires_grad=True)
    ag.to_backend(ag.sin(lazy(t)), "numpy").sum().backward()
    np.testing.assert_allclose(t.grad, np.cos(X))


# -- indexing ----------------------------------------------------------------------------------------------------------

CUBE = np.arange(60.0).reshape(3, 4, 5)
ROWS, COLUMNS = np.asarray([2, 0, 2]), np.asarray([1, 3, -1])
KEYS = {
    "integer": 1,
    "negative integer": (-1, ..., -2),
    "slices": (slice(1, None), slice(None, -1), slice(-2, None)),
    "backwards": (slice(None, None, -1), slice(2, 0, -1), slice(-2, -5, -2)),
    "nothing": (slice(2, 1), slice(0, 2, -1)),
    "new axes": (None, slice(None, None, -1), None, 0, None),
    "array": ROWS,
    "two arrays": (ROWS, COLUMNS),
    "array after a slice": (slice(None), COLUMNS),
    "arrays on both sides of a slice": (ROWS, slice(1, None), COLUMNS),
    "arrays in the last axes": (..., COLUMNS, ROWS),
    "arrays that broadcast": (slice(None), COLUMNS[:, None], ROWS),
    "integer and array": (1, COLUMNS),
    "integer and array on both sides of a slice": (0, slice(None), COLUMNS),
    "array beside a new axis": (None, ROWS, slice(None, None, -1)),
    "mask": CUBE % 7 < 3,
    "mask of leading axes": CUBE[:, :, 0] % 3 > 0,
}


def key_of(key):
    if isinstance(key, tuple):
        return tuple(map(key_of, key))
    return deferred.array(key) if isinstance(key, np.ndarray) else key


@pytest.mark.parametrize("name", [name for name in KEYS if "mask" not in name])
def test_reading_and_adding_back(name):
    key = KEYS[name]
    expected = CUBE[key]
    found = ag.asarray(deferred.array(CUBE))[key_of(key)]
    np.testing.assert_array_equal(np.asarray(found), expected)
    weights = np.cos(np.arange(expected.size)).reshape(expected.shape)
    gradient = np.zeros_like(CUBE)
    np.add.at(gradient, key, weights)
    found = ag.grad(lambda x: ag.sum(ag.asarray(x)[key_of(key)] * lazy(weights)))(deferred.array(CUBE))
    np.testing.assert_allclose(deferred.values(found), gradient, atol=1e-15)


@pytest.mark.parametrize("name", [name for name in KEYS if "mask" in name])
def test_reading_at_a_mask_has_no_gradient(name):
    key = KEYS[name]
    x = ag.asarray(deferred.array(CUBE))
    np.testing.assert_array_equal(np.asarray(x[key_of(key)]), CUBE[key])
    with pytest.raises(UnsupportedError, match=r"broadcast_to to a shape that depends.*agnograd\.where"):
        ag.grad(lambda x: ag.sum(ag.asarray(x)[key_of(key)]))(x.array)


def test_a_cotangent_of_what_a_mask_chooses_is_refused():
    out = ag.tensor(deferred.array(CUBE), requires_grad=True)[key_of(KEYS["mask"])]
    with pytest.raises(UnsupportedError, match=r"shape \(3, 4, 5\) at a mask.*agnograd\.where"):
        out.backward(ag.ones_like(out))


@pytest.mark.parametrize("name", KEYS)
def test_writing(name):
    key = KEYS[name]
    expected = CUBE.copy()
    expected[key] = -7.0
    x = ag.tensor(deferred.array(CUBE))
    x[key_of(key)] = -7.0
    np.testing.assert_array_equal(np.asarray(x), expected)


@pytest.mark.parametrize("name", ["slices", "backwards", "new axes", "negative integer", "integer"])
def test_writing_arrays(name):
    key = KEYS[name]
    values = -1.0 - np.arange(CUBE[key].size).reshape(CUBE[key].shape)
    expected = CUBE.copy()
    expected[key] = values
    x = ag.tensor(deferred.array(CUBE))
    x[key_of(key)] = lazy(values)
    np.testing.assert_array_equal(np.asarray(x), expected)


@pytest.mark.parametrize(("key", "axis", "size"), [(3, 0, 3), ((0, -5), 1, 4), ((..., 5), 2, 5)])
def test_out_of_bounds(key, axis, size):
    with pytest.raises(IndexError, match=f"out of bounds for axis {axis} with size {size}"):
        ag.asarray(deferred.array(CUBE))[key]


def test_too_many_and_what_is_not_there():
    x = ag.asarray(deferred.array(CUBE))
    with pytest.raises(IndexError, match="4 axes is too long"):
        x[0, 0, 0, 0]
    with pytest.raises(UnsupportedError, match="mask alone"):
        x[key_of((KEYS["mask of leading axes"], 0))]
    with pytest.raises(UnsupportedError, match="one number at a mask"):
        x[key_of(KEYS["mask"])] = lazy(np.ones(27))


# -- elementary functions ----------------------------------------------------------------------------------------------

GRID = np.concatenate([np.linspace(-30, 30, 61), np.geomspace(1e-12, 1e3, 31), -np.geomspace(1e-12, 1e3, 31)])
INSIDE = np.concatenate([np.linspace(-1, 1, 41), np.geomspace(1e-12, 1, 13), 1 - np.geomspace(1e-12, 1, 13)])
SPECIAL = np.asarray([0.0, np.inf, -np.inf, np.nan])
ARGUMENTS = {
    **dict.fromkeys(("cos", "tan"), GRID),
    **dict.fromkeys(("sinh", "cosh", "asinh", "atan", "expm1"), np.concatenate([GRID, SPECIAL])),
    **dict.fromkeys(("asin", "acos"), np.concatenate([INSIDE, [np.nan, 2.0]])),
    "atanh": np.concatenate([INSIDE, [np.nan, 2.0]]),
    "acosh": np.concatenate([1 + np.geomspace(1e-12, 1e3, 31), [1.0, np.inf, np.nan, 0.5]]),
    "log1p": np.concatenate([-1 + np.geomspace(1e-6, 1, 11), np.geomspace(1e-12, 1e3, 31), [-1.0, np.inf, np.nan]]),
}


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_elementary(name, dtype):
    host = ARGUMENTS[name].astype(dtype)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(host)
    found = deferred.values(getattr(elementary, name)(deferred.array(host)))
    assert found.dtype == expected.dtype
    tolerance = (1e-12 if name == "tan" else 4e-14) if dtype == "float64" else 3e-6
    near_zero = {"tan": 1e-15, "cos": 1e-15}.get(name, 0.0) if dtype == "float64" else 3e-6
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=near_zero)


FIRST = np.asarray([0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan, 1e200])
SECOND = np.asarray([0.0, -0.0, 3.0, -0.5, np.inf, -np.inf, np.nan, 1e200])


@pytest.mark.parametrize("name", ["atan2", "hypot", "copysign"])
def test_pairs(name):
    x1, x2 = np.repeat(FIRST, len(SECOND)), np.tile(SECOND, len(FIRST))
    if name == "copysign":  # the sign of a NaN cannot be seen
        x1, x2 = x1[~np.isnan(x2)], x2[~np.isnan(x2)]
    expected = getattr(np, name)(x1, x2)
    found = deferred.values(getattr(elementary, name)(deferred.array(x1), deferred.array(x2)))
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    np.testing.assert_array_equal(np.signbit(found[~np.isnan(found)]), np.signbit(expected[~np.isnan(expected)]))
