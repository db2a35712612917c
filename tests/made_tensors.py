"""What tests on every backend share: tensors of a backend, and their values on the host."""

from __future__ import annotations

import numpy as np

import agnograd as ag
from agnograd.core.array import innermost
from agnograd.core.table import spaces
from agnograd.core.views import settled


def raw(backend, values):
    """An array of a backend; what has no dtype is of float64."""
    values = values if hasattr(values, "dtype") else np.asarray(values, dtype=np.float64)
    return spaces.named(backend).module.asarray(values)


def leaf(backend, values, requires_grad=True):
    """A tensor of a backend that requires grad."""
    return ag.tensor(raw(backend, values), requires_grad=requires_grad)


def constant(backend, values):
    """A tensor of a backend without a graph."""
    return leaf(backend, values, requires_grad=False)


def host(x):
    """The values of a tensor or array, as an array of NumPy."""
    x = innermost(settled(x))
    return np.asarray(spaces[type(x)].backend.to_host(x))


def same(x, values):
    """Compare values up to rounding."""
    np.testing.assert_allclose(host(x), values, rtol=1e-12, atol=1e-14)
