"""Names that nobody knows, backends that are not there, and the tree of exceptions."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import pickle
import sys

import numpy as np
import pytest
from bad_input import BUILTINS, OPERANDS, A, check

import agnograd as ag
from agnograd import errors, plugins
from agnograd.errors import (
    AgnogradError,
    BackendUnavailableError,
    CotangentError,
    GradientError,
    UnknownBackendError,
    UnknownOperationError,
)


def use_backend(name):
    with ag.use_backend(name):
        raise AssertionError("entered")


def to_backend(name):
    return ag.to_backend(np.ones(2), name)


USES = [ag.namespace, ag.set_default_backend, use_backend, to_backend]


@pytest.mark.parametrize("use", USES)
def test_an_unknown_backend(use):
    words = ("no backend named 'numpi'; did you mean 'numpy'", "Known: cupy, dask, ", "numpy, strict")
    check((UnknownBackendError, functools.partial(use, "numpi"), *words))
    assert ag.default_backend() == "numpy"


def test_an_unknown_backend_in_the_environment(monkeypatch):
    monkeypatch.setenv("AGNOGRAD_BACKEND", "nunpy")
    words = ("no backend named 'nunpy' (from the environment variable AGNOGRAD_BACKEND); did you mean 'numpy'",)
    for make in (lambda: ag.ones(2), lambda: ag.tensor([A]), lambda: ag.float64, lambda: ag.sin(A)):
        check((UnknownBackendError, make, *words))
    assert ag.namespace("numpy").ones(2).shape == (2,)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("cupy", "cupy", "cuda12"), ("dask", "dask", "dask"), ("strict", "array_api_strict", "strict")],
)
def test_a_backend_that_is_not_installed(monkeypatch, name, module, extra):
    find = importlib.util.find_spec
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *rest: None if n == module else find(n, *rest))
    command = f"Install it with: pip install 'agnograd[{extra}]'"
    with plugins.isolated() as manager:
        for use in USES:
            words = (f"backend {name!r} needs {module!r}, which is not installed", command)
            check((BackendUnavailableError, functools.partial(use, name), *words))
        assert manager.unavailable(name).endswith(command)


def test_an_unknown_operation():
    with pytest.raises(UnknownOperationError, match=r"no operation named 'sinn'\. Did you mean sin"):
        plugins.manager.find_op("sinn")
    xp = ag.namespace("numpy")
    for owner, what in ((ag, "module 'agnograd'"), (xp, "namespace 'agnograd.namespaces.numpy'")):
        for inner, suffix in ((owner, ""), (owner.linalg, ".linalg")):
            with pytest.raises(AttributeError, match="has no attribute 'sinn'") as caught:
                inner.sinn  # noqa: B018 - the look-up is what fails
            assert caught.value.name == "sinn"
            assert suffix or what in str(caught.value)


def test_every_exception_has_its_builtin_and_is_in_the_documented_tree():
    for name, class_ in vars(errors).items():
        if inspect.isclass(class_) and issubclass(class_, AgnogradError) and class_ is not AgnogradError:
            builtin = BUILTINS[GradientError if issubclass(class_, GradientError) else class_]
            for each in builtin if isinstance(builtin, tuple) else (builtin,):
                assert issubclass(class_, each)
            assert class_.__doc__
            assert f" {name}" in errors.__doc__


def test_errors_travel_between_processes():
    with pytest.raises(CotangentError) as caught:
        (OPERANDS["leaf"]() * 2).backward(ag.ones(2))
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is CotangentError
    assert str(again) == str(caught.value)
