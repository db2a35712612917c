"""The text of tensors: PyTorch 2.13's, to the blank; suffixes; what is printed of a lazy array."""

from __future__ import annotations

import numpy as np
import pytest

import agnograd as ag
from agnograd.plugins import manager

# Written by PyTorch 2.13 with float64 as the default dtype.
PYTORCH = {
    "whole numbers": (
        np.array([[1.0, 2.0], [-30.0, 0.0]]),
        "tensor([[  1.,   2.],\n        [-30.,   0.]])",
    ),
    "fractions": (np.array([0.5, -1.25, 10.0]), "tensor([ 0.5000, -1.2500, 10.0000])"),
    "a scalar": (np.array(2.5), "tensor(2.5000)"),
    "more than three powers of ten": (np.array([1.0, 0.0, -2000.0]), "tensor([ 1.0000e+00,  0.0000e+00, -2.0000e+03])"),
    "small": (np.array([1e-5, -2e-5]), "tensor([ 1.0000e-05, -2.0000e-05])"),
    "large": (np.array([1.5e9, -2e8]), "tensor([ 1.5000e+09, -2.0000e+08])"),
    "not finite": (np.array([np.nan, -np.inf, 1.0]), "tensor([nan, -inf, 1.])"),
    "not finite, fractions": (np.array([np.nan, np.inf, -1.5]), "tensor([    nan,     inf, -1.5000])"),
    "zeros": (np.array([0.0, -0.0]), "tensor([0., -0.])"),
    "integers": (
        np.array([[1, -20], [300, 4]]),
        "tensor([[  1, -20],\n        [300,   4]])",
    ),
    "booleans": (np.array([True, False]), "tensor([ True, False])"),
    "complex": (np.array([1 + 2j, -3.5 - 0.25j]), "tensor([ 1.0000+2.0000j, -3.5000-0.2500j])"),
    "empty": (np.zeros((0, 3)), "tensor([], size=(0, 3))"),
    "no axis is long": (
        np.arange(24.0).reshape(2, 3, 4),
        (
            "tensor([[[ 0.,  1.,  2.,  3.],\n"
            "         [ 4.,  5.,  6.,  7.],\n"
            "         [ 8.,  9., 10., 11.]],\n"
            "\n"
            "        [[12., 13., 14., 15.],\n"
            "         [16., 17., 18., 19.],\n"
            "         [20., 21., 22., 23.]]])"
        ),
    ),
    "abridged": (
        np.arange(2000.0),
        "tensor([0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 1.9970e+03, 1.9980e+03,\n        1.9990e+03])",
    ),
    "abridged both ways": (
        np.arange(1600.0).reshape(40, 40) / 4,
        (
            "tensor([[0.0000e+00, 2.5000e-01, 5.0000e-01,  ..., 9.2500e+00, 9.5000e+00,\n"
            "         9.7500e+00],\n"
            "        [1.0000e+01, 1.0250e+01, 1.0500e+01,  ..., 1.9250e+01, 1.9500e+01,\n"
            "         1.9750e+01],\n"
            "        [2.0000e+01, 2.0250e+01, 2.0500e+01,  ..., 2.9250e+01, 2.9500e+01,\n"
            "         2.9750e+01],\n"
            "        ...,\n"
            "        [3.7000e+02, 3.7025e+02, 3.7050e+02,  ..., 3.7925e+02, 3.7950e+02,\n"
            "         3.7975e+02],\n"
            "        [3.8000e+02, 3.8025e+02, 3.8050e+02,  ..., 3.8925e+02, 3.8950e+02,\n"
            "         3.8975e+02],\n"
            "        [3.9000e+02, 3.9025e+02, 3.9050e+02,  ..., 3.9925e+02, 3.9950e+02,\n"
            "         3.9975e+02]])"
        ),
    ),
    "many lines": (
        np.arange(30) * 1.5,
        (
            "tensor([ 0.0000,  1.5000,  3.0000,  4.5000,  6.0000,  7.5000,  9.0000, 10.5000,\n"
            "        12.0000, 13.5000, 15.0000, 16.5000, 18.0000, 19.5000, 21.0000, 22.5000,\n"
            "        24.0000, 25.5000, 27.0000, 28.5000, 30.0000, 31.5000, 33.0000, 34.5000,\n"
            "        36.0000, 37.5000, 39.0000, 40.5000, 42.0000, 43.5000])"
        ),
    ),
}


@pytest.mark.parametrize("case", PYTORCH)
def test_values_as_pytorch_prints_them(case):
    values, expected = PYTORCH[case]
    assert repr(ag.tensor(values)) == expected


def test_a_dtype_that_is_not_the_default_is_named():
    assert repr(ag.tensor([1.5], dtype=ag.float32)) == "tensor([1.5000], dtype=float32)"
    assert repr(ag.tensor([1, 2], dtype=ag.int8)) == "tensor([1, 2], dtype=int8)"
    assert repr(ag.tensor([], dtype=ag.int64)) == "tensor([], dtype=int64)"


def test_a_suffix_that_does_not_fit_gets_a_line():
    x = ag.tensor(np.arange(8) * 1000.5 + 0.25, requires_grad=True)
    assert repr(x) == (
        "tensor([2.5000e-01, 1.0008e+03, 2.0012e+03, 3.0018e+03, 4.0022e+03, 5.0028e+03,\n"
        "        6.0032e+03, 7.0038e+03], requires_grad=True)"
    )
    assert repr(ag.tensor(np.full(7, 0.5), requires_grad=True)) == (
        "tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000],\n       requires_grad=True)"
    )


def test_a_backend_that_is_not_the_default_is_named():
    with ag.use_backend("strict"):
        x = ag.ones(2)
        assert repr(x) == "tensor([1., 1.])"
    assert repr(x) == "tensor([1., 1.], backend=strict)"


def test_a_device_without_double_precision():
    import array_api_strict as strict

    x = ag.tensor(strict.ones(2, device=strict.Device("no_float64"), dtype=strict.float32))
    with ag.use_backend("strict"):
        assert repr(x) == "tensor([1., 1.], dtype=float32)"


def test_the_level_of_a_transformation_is_told():
    texts = []

    def f(x):
        texts.append(repr(x))
        return x

    ag.grad(f)(ag.tensor(2.0))
    assert texts[0].startswith("tensor(2., level=")
    assert texts[0].endswith(" of grad, requires_grad=True)")


def test_a_lazy_array_is_printed_without_its_values(agnograd_backend):
    def refuse(block):
        raise AssertionError("computed")

    with ag.use_backend(agnograd_backend):
        x = ag.ones(3, 2)
        if manager.find_backend(agnograd_backend).lazy:
            x = ag.asarray(x.array.map_blocks(refuse, dtype=float), requires_grad=True)
            assert repr(x) == "tensor(shape=(3, 2), dtype=float64, chunks=((3,), (2,)), requires_grad=True)"
            with pytest.raises(AssertionError, match="computed"):
                x.tolist()
        else:
            assert repr(x) == "tensor([[1., 1.],\n        [1., 1.],\n        [1., 1.]])"
