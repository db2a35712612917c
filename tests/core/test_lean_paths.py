"""Shortcuts of the hot path: they give what the long way gives."""

from __future__ import annotations

import numpy as np
import pytest

import agnograd as ag


def test_both_arguments_are_one_array():
    x = ag.tensor([1.0, -2.0], requires_grad=True)
    y = x * x
    assert len(y.grad_fn.next_functions) == len(y.grad_fn.saved_tensors) == 2
    seen = []
    y.grad_fn.register_hook(lambda inputs, outputs: seen.extend(inputs))
    (y - x - x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0.0, -6.0])
    np.testing.assert_array_equal([g.numpy() for g in seen], [[1.0, -2.0]] * 2)
    np.testing.assert_array_equal(ag.hessian(lambda x: ag.sum(x * x * x))(np.asarray([1.0, 2.0])), [[6, 0], [0, 12]])


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_numbers_without_axes_stay_what_they_are(dtype):
    x = ag.tensor(np.asarray([2.0, 3.0], dtype), requires_grad=True)
    total = ag.sum(x)
    out = (1 - total * 2.0) / total - (-total)
    assert type(out._array) is np.dtype(dtype).type
    out.backward(ag.ones((), dtype=out.dtype))
    np.testing.assert_allclose(x.grad.numpy(), np.full(2, 1 - 1 / 25, dtype), rtol=1e-6)


def test_a_kernel_of_a_plugin_goes_before_those_of_numbers():
    from agnograd.core.table import spaces

    space = spaces[np.float64]
    assert space.kernel_of(np.float64, "add") is not None
    assert space.kernel_of(np.ndarray, "add") is None
    space.kernels["add"] = np.add
    try:
        assert space.kernel_of(np.float64, "add") is None
    finally:
        del space.kernels["add"]


def test_parts_and_the_whole_of_one_array():
    x = ag.tensor(np.arange(6.0), requires_grad=True)
    (ag.sum(x * 2) + x[1] + ag.sum(x[2:4]) + ag.sum(x[[1, 1]])).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 5, 3, 3, 2, 2])


def test_a_mean_of_one_axis_or_of_none():
    x = np.arange(6.0, dtype="float32").reshape(2, 3)
    for params in ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 1)}):
        found = ag.mean(ag.asarray(x), **params)
        np.testing.assert_array_equal(found.numpy(), np.mean(x, **params))
        assert found.dtype == x.dtype
