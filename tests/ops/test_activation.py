"""Softmax and its logarithms: values are SciPy's, at infinities too, and small numbers are not lost to any order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import agnograd as ag
from agnograd.errors import NotDifferentiableError

INF, NAN = np.inf, np.nan

VALUES = {
    "ordinary": [[0.5, -1.0, 2.0], [3.0, 3.0, -0.25]],
    "large": [[1000.0, 1000.5, -1000.0], [-1e6, -1e6 + 1, 0.0]],
    "far apart": [[0.0, -50.0, -100.0], [0.0, -800.0, 0.0]],
    "minus infinity": [[-INF, 0.0, 1.0], [-INF, -INF, -INF]],
    "plus infinity": [[INF, 0.0, 1000.0], [INF, -INF, INF]],
    "not a number": [[NAN, 0.0, 1.0], [NAN, INF, -INF]],
}
NAMES = ("logsumexp", "softmax", "log_softmax")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("name", NAMES)
def test_values_are_scipys_and_nothing_warns(name, values, axis, dtype):
    x = np.array(VALUES[values], dtype)
    got = getattr(ag, name)(x, axis=axis)
    with np.errstate(all="ignore"):
        double = x.astype(np.float64)
        if name == "log_softmax" and values == "far apart":
            # SciPy's own loses -exp(-50) beside 1.
            expected = double - special.logsumexp(double, axis=axis, keepdims=True)
        else:
            expected = getattr(special, name)(double, axis=axis)
    tolerance = 1e-13 if dtype is np.float64 else 1e-6
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=np.finfo(dtype).tiny)
    assert got.dtype == dtype


def test_what_is_small_beside_one_is_kept():
    x = np.array([0.0, -50.0])
    assert ag.logsumexp(x) == pytest.approx(np.exp(-50.0), rel=1e-14)
    np.testing.assert_allclose(ag.log_softmax(x), [-np.exp(-50.0), -50.0], rtol=1e-14)


def test_derivatives_of_large_numbers_are_those_of_small_ones():
    x, t = np.array([0.3, -0.7, 0.1]), np.array([1.0, 2.0, -0.5])
    weights = np.array([0.2, -1.0, 0.7])
    for name in NAMES:
        for shift in (1e8, -1e8):
            # The shift is a multiple of the spacing of the shifted numbers: nothing is rounded but the input.
            near = (x + shift) - shift

            def f(x, name=name):
                return (getattr(ag, name)(x) * weights).sum()

            np.testing.assert_allclose(ag.grad(f)(x + shift), ag.grad(f)(near), rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(ag.hvp(f, (x + shift,), (t,)), ag.hvp(f, (near,), (t,)), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("values", [[0.0, -800.0], [1000.0, -1000.0]])
def test_second_derivatives_of_saturated_values_are_finite(values):
    x = np.array(values)
    for name in NAMES:
        out = ag.hvp(
            lambda x, name=name: getattr(ag, name)(x)[0] if name != "logsumexp" else ag.logsumexp(x), (x,), (x,)
        )
        np.testing.assert_allclose(out, 0.0, atol=1e-300)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_without_elements(shape, axis):
    x = np.zeros(shape)
    out = ag.logsumexp(x, axis=axis)
    expected = x.sum(axis=axis)
    assert out.shape == expected.shape
    assert (np.asarray(out) == -INF).all()
    assert ag.softmax(x, axis=axis).shape == ag.log_softmax(x, axis=axis).shape == shape
    leaf = ag.tensor(x, requires_grad=True)
    ag.logsumexp(leaf, axis=axis, keepdims=True).sum().backward()
    assert leaf.grad.shape == shape


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("x", [np.array([1, 2]), np.array([1.0 + 1j])], ids=["integers", "complex"])
def test_real_numbers_only(name, x):
    with pytest.raises(NotDifferentiableError, match=f"{name} takes real floating-point numbers.*astype"):
        getattr(ag, name)(x)


def test_methods_have_pytorchs_names():
    x = ag.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    for got, expected in (
        (x.softmax(1), ag.softmax(x, axis=1)),
        (x.softmax(dim=0), ag.softmax(x, axis=0)),
        (x.log_softmax(-1), ag.log_softmax(x, axis=-1)),
        (x.logsumexp(0), ag.logsumexp(x, axis=0)),
        (x.logsumexp((0, 1), keepdim=True), ag.logsumexp(x, axis=(0, 1), keepdims=True)),
        (x.logsumexp(dim=1), ag.logsumexp(x, axis=1)),
    ):
        np.testing.assert_array_equal(got.array, expected.array)
        assert got.grad_fn is not None
    with pytest.raises(TypeError, match="dim"):
        x.softmax()
