"""Backends that cannot be used say why, and how to get them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny_arrays
from made_plugins import TINY, Plugin

import agnograd as ag
from agnograd.errors import BackendUnavailableError


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ({"extra": "nosuchlib>=2"}, "pip install 'nosuchlib>=2'"),
        ({"extra": "dask"}, r"pip install 'agnograd\[dask\]'"),
        ({}, "pip install 'missing'"),
    ],
    ids=["a requirement", "an extra of agnograd", "nothing given"],
)
def test_a_backend_whose_library_is_missing_says_how_to_get_it(manager, options, command):
    missing = ag.Backend(
        name="missing", namespace="nosuchlib.api", array_types=("nosuchlib:Array",), requires=("nosuchlib",), **options
    )
    manager.register(Plugin(backends=[missing]), "missing")
    text = f"backend 'missing' needs 'nosuchlib', which is not installed. Install it with: {command}$"
    for use in (ag.namespace, ag.set_default_backend, lambda name: ag.to_backend(np.ones(2), name)):
        with pytest.raises(BackendUnavailableError, match=text):
            use("missing")
    assert "pip install" in manager.unavailable("missing")
    assert ag.default_backend() == "numpy"


def _no_device():
    raise RuntimeError("no device found")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"probe": _no_device}, "RuntimeError: no device found"),
        ({"kernels": _no_device}, "RuntimeError: no device found"),
        ({"guard": _no_device}, "RuntimeError: no device found"),
        ({"namespace": "tiny_arrays.nowhere"}, "ModuleNotFoundError: No module named 'tiny_arrays.nowhere'"),
    ],
    ids=["probe", "kernels", "guard", "namespace"],
)
def test_a_backend_that_does_not_work_says_why(manager, options, reason):
    broken = {"name": "broken", "namespace": "tiny_arrays", "array_types": ("tiny_arrays:Tiny",), **options}
    manager.register(Plugin(backends=[ag.Backend(**broken)]), "broken")
    text = f"backend 'broken' is installed but does not work on this machine: {reason}"
    with pytest.raises(BackendUnavailableError, match=text):
        ag.namespace("broken")
    with pytest.raises(BackendUnavailableError, match=text):
        ag.sin(tiny_arrays.Tiny([1.0]))


def test_a_backend_may_leave_the_text_of_a_tensor_to_agnograd(manager):
    some = dataclasses.replace(TINY, describe=lambda x: "none to be seen" if x.ndim else None)
    manager.register(Plugin(backends=[some]), "tiny")
    assert repr(ag.asarray(tiny_arrays.Tiny([1.0]))).startswith("tensor(none to be seen")
    assert repr(ag.asarray(tiny_arrays.Tiny(1.5))).startswith("tensor(1.5000")


# -- random numbers ----------------------------------------------------------------------------------------------------


def test_random_numbers_of_a_backend_are_its_own(manager):
    def draw(shape, *, dtype, device, seed):
        asked.append((shape, dtype, device, seed))
        return tiny_arrays.Tiny(np.full(shape, 0.5))

    asked = []
    manager.register(Plugin(backends=[dataclasses.replace(TINY, randn=draw, rand=draw)]), "tiny")
    with ag.use_backend("tiny"):
        for _ in range(2):
            ag.manual_seed(0)
            assert isinstance(ag.randn(2, 3).array, tiny_arrays.Tiny)
            assert ag.rand((4,), requires_grad=True).requires_grad
    assert [call[0] for call in asked] == [(2, 3), (4,)] * 2
    seeds = [call[3] for call in asked]
    assert seeds[:2] == seeds[2:]
    assert len({*seeds}) == 2
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_random_numbers_of_dask_are_drawn_when_they_are_computed():
    with ag.use_backend("dask"):
        ag.manual_seed(0)
        large = ag.randn(10**5, 10**5).array
        assert large.npartitions > 100
        even = ag.rand(1000, dtype="float32").array
    assert large[:2, :2].compute().std() > 0
    assert even.dtype == np.float32
    assert 0 <= even.min().compute() < 0.1
    assert 0.9 < even.max().compute() < 1


@pytest.mark.parametrize("rows", [3, 10**5], ids=["one chunk", "several"])
def test_random_numbers_of_dask_are_on_the_device_that_was_asked_for(rows):
    with ag.use_backend("dask"):
        assert ag.randn(rows, 10**4, device="cpu").device == "cpu"
        with pytest.raises(ValueError, match="'nonsense'"):
            ag.randn(rows, 10**4, device="nonsense")


# -- words -------------------------------------------------------------------------------------------------------------


def test_a_device_without_a_name_is_told_by_its_type(manager):
    class Place:
        pass

    place = Place()
    manager.register(Plugin(backends=[dataclasses.replace(TINY, device=lambda x: place)]), "tiny")
    with pytest.raises(ag.errors.MixedBackendsError, match="shape \\(1,\\), float64, tiny on Place; "):
        ag.add(tiny_arrays.Tiny([1.0]), np.ones(1))
