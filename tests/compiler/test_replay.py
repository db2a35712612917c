"""Plain replay, which every backend has: the recorded calls, in their order."""

import numpy as np
import pytest

import agnograd as ag
from agnograd.autograd.hosts import compute
from agnograd.errors import TraceError

X, W = np.linspace(-1, 1, 12).reshape(3, 4), np.linspace(0, 1, 8).reshape(4, 2)


def f(x, w):
    y = ag.tanh(x @ w)
    z = y[0] * 2
    return ag.sum(ag.where(y > 0, y, 0.1)) + ag.sum(z * z) + ag.mean(ag.exp(-y))


def arrays(backend):
    # Not "dask" alone: the folder tests/dask would pass for it.
    pytest.importorskip({"strict": "array_api_strict", "dask": "dask.array"}[backend])
    xp = ag.namespace(backend)
    return xp.asarray(X).array, xp.asarray(W).array


@pytest.mark.parametrize("backend", ["strict", "dask"])
def test_values_and_gradients(backend):
    x, w = arrays(backend)
    value, gradients = ag.value_and_grad(f, (0, 1))(X, W)
    step = ag.compile(ag.value_and_grad(f, (0, 1)))
    node = ag.value_and_grad(ag.compile(f), (0, 1))
    for run in (step, step, node):
        found = run(x, w)
        assert type(found[1][0]) is type(x)
        for a, b in zip(compute(ag.tree.leaves(found)), [value, *gradients], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)


def test_source_names_functions_of_the_namespace():
    g = ag.compile(f)
    g(*arrays("strict"))
    assert "v2 = xp.matmul(v0, v1)" in g.source
    assert "replayed call by call on strict" in repr(ag.explain(g, *arrays("strict")))


def test_unknown_sizes_are_refused():
    x, _ = arrays("dask")
    with pytest.raises(TraceError, match="shapes must be known"):
        ag.compile(lambda x: x * 2)(x[x[:, 0] > 0])


def test_two_backends_are_refused():
    with pytest.raises(TraceError, match="two backends"):
        ag.compile(f)(X, arrays("dask")[1])
