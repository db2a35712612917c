"""Its tests: on each backend, values and gradients."""

import pytest
from smoothing import denoise, roughness, smooth

import agnograd as ag
from agnograd.testing import gradcheck


def test_values(agnograd_xp):
    x = agnograd_xp.asarray([0.0, 4.0, 0.0])
    assert smooth(x).tolist() == [1.0, 2.0, 1.0]


def test_the_gradient_of_roughness_is_a_laplacian(agnograd_xp):
    x = agnograd_xp.asarray([0.0, 4.0, 0.0]).requires_grad_()
    roughness(x).backward()
    assert x.grad.tolist() == [-4.0, 8.0, -4.0]
    assert roughness(smooth(x)) < roughness(x)


def test_derivatives(agnograd_backend, agnograd_xp):
    x = agnograd_xp.asarray([0.5, -1.0, 2.0, 0.25]).requires_grad_()
    gradcheck(lambda x: roughness(smooth(x, weight=0.3)), (x,))
    assert x.__array_namespace__() is ag.namespace(agnograd_backend)


@pytest.mark.skip_backends("strict-no_float64", reason="it has no double precision")
def test_results_stay_on_their_device(agnograd_xp, agnograd_device):
    x = agnograd_xp.asarray([0.0, 4.0, 0.0], dtype=agnograd_xp.float64, device=agnograd_device).requires_grad_()
    y = smooth(x)
    roughness(y).backward()
    assert y.device == x.grad.device == agnograd_device


@pytest.mark.xfail_backends("dask", reason="a shape that depends on values is unknown there", raises=AssertionError)
def test_what_is_left(agnograd_xp):
    assert denoise(agnograd_xp.asarray([0.1, 4.0, -2.0]), threshold=1.0).shape == (2,)
