"""Compiled programs on dask: tasks that run many steps on a block, with the values and chunks of eager runs."""

import pickle

import numpy as np
import pytest

da = pytest.importorskip("dask.array")

import dask  # noqa: E402
from dask.callbacks import Callback  # noqa: E402

import agnograd as ag  # noqa: E402
from agnograd.compiler.on_dask import Block, Part, Place  # noqa: E402

X, Y = np.linspace(0.1, 1.0, 64).reshape(8, 8), np.linspace(-1.0, 1.0, 64).reshape(8, 8)


def gelu(x, y):
    return ag.sum(0.5 * x * (1 + ag.tanh(0.8 * (x + 0.04 * x**3))) * y)


def rows(x, y):
    z = ag.exp(x * y[0]) + ag.where(x > 0.5, y, 0.1)
    return ag.mean(z / (1 + z))


def chain(x, y):
    for _ in range(20):
        x = ag.sin(x * y)
    return ag.sum(x)


class Computed(Callback):
    """Counts computations."""

    def __init__(self):
        self.count = 0
        super().__init__(start=self._started)

    def _started(self, _):
        self.count += 1


def tasks(found):
    graph = {}
    for x in ag.tree.leaves(found):
        graph.update(dict(x.__dask_graph__()))
    return len(graph)


def check(f, *args):
    """Eager and compiled results, which agree in bits and chunks."""
    compiled = ag.compile(f)
    with Computed() as computed:
        expected = f(*args)
        compiled(*args)
        found = compiled(*args)
    assert computed.count == 0
    for a, b in zip(ag.tree.leaves(found), ag.tree.leaves(expected), strict=True):
        assert (a.chunks, a.dtype) == (b.chunks, b.dtype)
        assert a._meta.dtype == a.dtype
        x, y = dask.compute(a, b)
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()
    return expected, found


@pytest.mark.parametrize(("f", "share"), [(gelu, 0.5), (rows, 0.6), (chain, 0.4)])
def test_fewer_tasks(f, share):
    arrays = da.from_array(X, chunks=(2, 4)), da.from_array(Y, chunks=(2, 4))
    expected, found = check(ag.value_and_grad(f, (0, 1)), *arrays)
    assert tasks(found) < share * tasks(expected)


@pytest.mark.parametrize("chunks", [(4, 1), (8, 8), (3, 5)])
def test_other_chunks_in_one_program(chunks):
    step = ag.value_and_grad(gelu, (0, 1))
    check(step, da.from_array(X, chunks=(2, 4)), da.from_array(Y, chunks=chunks))


def test_broadcasting_and_dtypes():
    def f(x, y, k):
        u = x * y + k
        return ag.astype(u, ag.float32) * 0.1, (u > 0) & (k == 2), k + 1 - k * 2, ag.sin(y) * ag.cos(y)

    x, y = da.from_array(X, chunks=(3, 4)), da.from_array(Y[:1], chunks=(1, 4))
    check(f, x, y, da.from_array(np.arange(8, dtype="int32"), chunks=4))
    check(f, x, da.from_array(np.asarray(0.5)), da.from_array(np.arange(8, dtype="int32"), chunks=(4,)))


def test_derivatives_of_a_compiled_call():
    x, y = da.from_array(X, chunks=(2, 4)), da.from_array(Y, chunks=(2, 4))
    compiled = ag.compile(gelu)
    for f, g in (
        (ag.grad(compiled), ag.grad(gelu)),
        (lambda *a: ag.hvp(compiled, a, a), lambda *a: ag.hvp(gelu, a, a)),
    ):
        for a, b in zip(ag.tree.leaves(f(x, y)), ag.tree.leaves(g(x, y)), strict=True):
            np.testing.assert_allclose(*dask.compute(a, b), rtol=1e-13, atol=1e-14)


def test_tasks_can_be_pickled():
    block = Block((("multiply", (Place(0), 2.0)), ("sin", (Place(1),))), (1, 2))
    again = pickle.loads(pickle.dumps(block))
    assert again == block
    np.testing.assert_array_equal(Part(1)(again(X)), np.sin(X * 2.0))


def test_source_shows_the_steps():
    f = ag.compile(lambda x: ag.sin(x) * x)
    f(da.from_array(X, chunks=4))
    assert "# blocks0, on each block:\n#     v1 = sin(v0)" in f.source
    assert "2 elementwise steps on (8, 8) in one task a block" in repr(ag.explain(f, da.from_array(X, chunks=4)))
