"""Special functions on PyTorch's tensors: PyTorch's own, SciPy's where memory is shared, and errors elsewhere."""

import agnograd as ag
import numpy as np
import pytest
import torch
from agnograd.errors import GradientLostError, UnsupportedError

special = pytest.importorskip("agnograd_special", reason="agnograd-special is not installed") and ag.special

NATIVE, BY_SCIPY = "gammaln", "gamma"


@pytest.mark.parametrize("name", [NATIVE, BY_SCIPY])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_dtypes_stay(name, dtype):
    x = torch.tensor([0.5, 1.5], dtype=dtype)
    y = getattr(special, name)(x)
    assert isinstance(y, torch.Tensor)
    assert (y.dtype, y.device) == (dtype, x.device)


@pytest.mark.parametrize("name", [NATIVE, BY_SCIPY])
def test_graphs_of_pytorch_are_refused(name):
    with pytest.raises(GradientLostError, match="requires grad in PyTorch"):
        getattr(special, name)(torch.ones(2, requires_grad=True))


def test_elements_promote_whatever_their_axes():
    zero = torch.tensor(2.0, dtype=torch.float64)
    for f in (special.xlogy, special.beta):
        assert f(zero, torch.ones(3)).dtype is torch.float64


@pytest.mark.parametrize("name", [NATIVE, BY_SCIPY])
def test_without_values_there_are_shape_and_dtype(name):
    y = getattr(special, name)(torch.ones(2, 3, device="meta"))
    assert (y.shape, y.dtype, y.device.type) == ((2, 3), torch.float32, "meta")


def test_nothing_leaves_a_device_unasked(monkeypatch):
    # An accelerator is what a tensor of its own type says it is: what is asked for is the device.
    class Elsewhere(torch.Tensor):
        device = torch.device("cuda:0")

    x = torch.ones(3).as_subclass(Elsewhere)
    with pytest.raises(UnsupportedError, match=r"no special.gamma of torch.float32, .* on cuda:0: move it there"):
        special.gamma(x)


def test_values_have_the_digits_of_their_dtype():
    scipy_special = pytest.importorskip("scipy.special")
    x = torch.linspace(5.0, 40.0, 50, dtype=torch.float64)
    for name in ("j0", "j1", "y0", "y1", "erfc", "k0e", "i1e"):
        np.testing.assert_allclose(getattr(special, name)(x), getattr(scipy_special, name)(x.numpy()), 1e-12, 1e-300)
    np.testing.assert_allclose(special.ndtr(-x[:20]), scipy_special.ndtr(-x[:20].numpy()), rtol=1e-12)
    np.testing.assert_allclose(special.polygamma(1, x), scipy_special.polygamma(1, x.numpy()), rtol=1e-12)
    orders = torch.arange(3, dtype=torch.float64)[:, None]
    np.testing.assert_allclose(special.polygamma(orders, x), scipy_special.polygamma(orders.numpy(), x.numpy()))
