"""agnograd.interop: registrations, on every backend, and all kinds of cosine and sine transforms."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import autoray
import einops
import numpy as np
import opt_einsum
import pytest
import scipy.fft

import agnograd as ag
from agnograd import interop, plugins
from agnograd.interop import scipy_fft
from agnograd.testing import gradcheck

BACKENDS = [name for name in ("numpy", "strict", "dask") if not plugins.manager.unavailable(name)]
X = np.random.default_rng(0).normal(size=(3, 5))
TRANSFORMS = ("dct", "idct", "dst", "idst")


@pytest.fixture(params=BACKENDS)
def x(request):
    return ag.namespace(request.param).asarray(X).requires_grad_()


def host(x):
    return np.asarray(ag.to_backend(x.detach(), "numpy"))


def test_nothing_is_imported_before_it_is_asked_for():
    code = "import sys, agnograd; print([m for m in ('einops', 'autoray', 'opt_einsum', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_bridge_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        getattr(interop, "nothing")  # noqa: B009 - no statement of its own otherwise


def test_registering_twice_changes_nothing():
    assert interop.einops.register() is interop.einops.register()
    interop.autoray.register()
    interop.autoray.register()


def test_einops(x):
    interop.einops.register()
    y = einops.rearrange(x, "a b -> b a")
    assert host(y).tolist() == X.T.tolist()
    einops.reduce(y**2, "b a -> a", "sum").__array_namespace__().sum(y**2).backward()
    np.testing.assert_allclose(host(x.grad), 2 * X)
    assert einops.repeat(x, "a b -> a b c", c=2).shape == (3, 5, 2)
    assert einops.parse_shape(x, "a b") == {"a": 3, "b": 5}


def test_opt_einsum(x):
    y = opt_einsum.contract("ij,kj,kl->il", x, x, x)
    np.testing.assert_allclose(host(y), X @ X.T @ X)
    assert y.requires_grad


def test_autoray(x):
    interop.autoray.register()
    assert autoray.infer_backend(x) == "agnograd"
    np.testing.assert_allclose(host(autoray.do("cumsum", x, axis=0)), np.cumsum(X, axis=0))
    np.testing.assert_allclose(host(autoray.do("transpose", x)), X.T)


@pytest.mark.parametrize(("name", "kind", "norm"), [*product(TRANSFORMS, (1, 2, 3, 4), (None, "ortho", "forward"))])
def test_transforms_are_those_of_scipy(name, kind, norm):
    for orthogonalize, options in product((None, True, False), ({}, {"axis": 0}, {"n": 4}, {"n": 7})):
        options = {"type": kind, "norm": norm, "orthogonalize": orthogonalize, **options}
        expected = getattr(scipy.fft, name)(X, **options)
        with scipy.fft.set_backend(scipy_fft):
            found = getattr(scipy.fft, name)(ag.tensor(X), **options)
        np.testing.assert_allclose(np.asarray(found), expected, atol=1e-12)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("options", [{}, {"axes": (0,)}, {"axes": 1}, {"s": (4, 3)}, {"s": (2, -1), "axes": (1, 0)}])
def test_transforms_of_several_axes_are_those_of_scipy(name, options):
    expected = getattr(scipy.fft, f"{name}n")(X, **options)
    with scipy.fft.set_backend(scipy_fft):
        found = getattr(scipy.fft, f"{name}n")(ag.tensor(X), **options)
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-12)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_on_each_backend(name, x):
    with scipy.fft.set_backend(scipy_fft):
        y = getattr(scipy.fft, name)(x)
    np.testing.assert_allclose(host(y), getattr(scipy.fft, name)(X), atol=1e-12)
    assert y.requires_grad


@pytest.mark.parametrize(("name", "kind"), [*product(TRANSFORMS, (1, 2, 3, 4))])
def test_transforms_have_derivatives(name, kind):
    with scipy.fft.set_backend(scipy_fft):
        gradcheck(lambda x: getattr(scipy.fft, name)(x, kind, norm="ortho"), (X[0],))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_of_complex_integer_and_single_precision_numbers(name):
    for x in (X + 1j * X[::-1], np.arange(6), X.astype(np.float32)):
        with scipy.fft.set_backend(scipy_fft):
            found = np.asarray(getattr(scipy.fft, name)(ag.asarray(x)))
        expected = getattr(scipy.fft, name)(x)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_other_arrays_and_transforms_are_left_to_scipy():
    with scipy.fft.set_backend(scipy_fft):
        assert type(scipy.fft.dct(X)) is np.ndarray
        assert scipy.fft.fft(ag.tensor(X, requires_grad=True)).requires_grad


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"type": 5}, "types 1 to 4"),
        ({"norm": "other"}, "norms"),
        ({"type": 1, "n": 1}, "two elements"),
        ({"n": 0}, "one element"),
    ],
)
def test_wrong_parameters(options, what):
    with scipy.fft.set_backend(scipy_fft), pytest.raises(ValueError, match=what):
        scipy.fft.dct(ag.tensor(X[0]), **options)


def test_registered_for_good():
    code = (
        "import scipy.fft, agnograd as ag\nag.interop.scipy_fft.register()\n"
        "x = ag.tensor([1.0, 2.0], requires_grad=True)\nprint(scipy.fft.dct(x).requires_grad)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "True"
