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
