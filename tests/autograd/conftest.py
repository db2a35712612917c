"""Tensors of the backend that a test runs on."""

import functools

import made_tensors
import pytest


@pytest.fixture
def leaf(agnograd_backend):
    """``leaf(values)``: a tensor that requires grad."""
    return functools.partial(made_tensors.leaf, agnograd_backend)


@pytest.fixture
def constant(agnograd_backend):
    """``constant(values)``: a tensor that does not."""
    return functools.partial(made_tensors.constant, agnograd_backend)


@pytest.fixture
def x(leaf):
    """A leaf of three elements."""
    return leaf([1.5, -0.5, 2.0])
