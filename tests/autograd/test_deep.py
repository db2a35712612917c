"""A million operations deep: recorded, walked, copied, pickled, printed and deleted without recursion."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref

import numpy as np
import pytest

import agnograd as ag
from agnograd.autograd import graph

DEPTHS = [pytest.param(1_000_000, marks=pytest.mark.slow), 100_000]


@pytest.fixture(scope="module", autouse=True)
def _no_collector():
    """Reference counting alone, and no time for collections of a million nodes."""
    assert sys.getrecursionlimit() < 10_000
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def deep(x, depth):
    y = x
    for _ in range(depth // 2):
        y = y * 1.0 + x
    return y


@pytest.mark.parametrize("depth", DEPTHS)
def test_backward_printing_pickling_and_deletion(depth):
    x = ag.tensor(np.array([1.0]), requires_grad=True)
    y = deep(x, depth)
    value = depth / 2 + 1
    last = weakref.ref(y._node)
    assert repr(y) == f"tensor([{value:.0f}.], grad_fn=<AddBackward0>)"
    assert repr(y.grad_fn).startswith("<AddBackward0")
    assert pickle.loads(pickle.dumps(y)).is_leaf
    twin = copy.deepcopy(y)
    y.backward(np.ones(1), retain_graph=True)
    assert x.grad.tolist() == [value]
    assert pickle.loads(pickle.dumps(x)).requires_grad
    # To an input alone, which needs what leads to it; from an edge, which needs no value.
    (dx,) = ag.autograd.grad(y, x, np.ones(1), retain_graph=True)
    assert dx.tolist() == [value]
    edge = graph.get_gradient_edge(y)
    del y, twin
    assert last() is not None
    ag.autograd.backward(edge, np.ones(1))
    assert x.grad.tolist() == [2 * value]
    del edge
    assert last() is None


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_graph_that_was_not_walked_is_deleted(depth):
    x = ag.tensor(np.array([1.0]), requires_grad=True)
    y = deep(x, depth)
    last = weakref.ref(y._node)
    del y
    assert last() is None


def test_with_hooks_and_custom_functions():
    x = ag.tensor(np.array([1.0]), requires_grad=True)
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    seen = []
    y = deep(x, 20_000)
    y.register_hook(lambda g: g * 2)
    y.backward(np.ones(1))
    assert seen == [[20_002.0]]
    with ag.autograd.detect_anomaly():
        deep(x, 20_000).backward(np.ones(1))
    assert seen[1] == [20_002.0 + 10_001.0]


def test_recorded_passes():
    x = ag.tensor(np.array([0.5]), requires_grad=True)
    y = x
    for _ in range(5_000):
        y = ag.sin(y)
    (dx,) = ag.autograd.grad(y, x, np.ones(1), create_graph=True)
    dx.backward(np.ones(1))
    assert np.isfinite(x.grad.tolist()[0])
