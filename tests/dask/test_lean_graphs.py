"""Gradients on dask against what one writes by hand: tasks, reads, chunks, and what is never made.

What is counted here is timed on data larger than memory by ``python -m benchmarks.dask_out_of_core``.
"""

from __future__ import annotations

import pickle

import dask
import dask.array as da
import numpy as np
import pytest
from dask.order import order

import agnograd as ag
from benchmarks.dask_workloads import RANK, WORKLOADS, Data

CHUNKS, ROWS, COLUMNS = 40, 6, 8
NAMES = [name for name in WORKLOADS if name != "root mean square"]


class Source:
    """An array that counts how often it is read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, array.ndim
        self.reads = 0

    def __getitem__(self, key):
        self.reads += 1
        return self.array[key]


class Scheduled:
    """A scheduler that keeps the graphs that it is given, and runs them."""

    def __init__(self):
        self.graphs = []

    def __call__(self, graph, keys, **options):
        graph = graph.__dask_graph__() if hasattr(graph, "__dask_graph__") else graph
        self.graphs.append(dict(graph))
        return dask.get(graph, keys)


def rows(n, *shape, seed=0):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)


@pytest.fixture
def scheduler():
    made = Scheduled()
    with dask.config.set(scheduler=made):
        yield made


@pytest.fixture
def sources():
    n = CHUNKS * ROWS
    return [Source(rows(n, COLUMNS)), Source(rows(n, seed=1)), Source(rows(n, RANK, seed=2))]


def data(sources):
    return Data(*[lazy(s, (ROWS, *s.shape[1:])) for s in sources])


def lazy(source, chunks):
    return da.from_array(source, chunks=chunks, meta=np.empty((0,) * source.ndim, source.dtype))


def lazily(name, d):
    """Value and gradients by agnograd, one after another."""
    value, gradient = ag.value_and_grad(WORKLOADS[name].loss)(WORKLOADS[name].parameters(COLUMNS), d)
    return [value, *gradient.values()]


def by_hand(name, d):
    return WORKLOADS[name].hand(WORKLOADS[name].parameters(COLUMNS), d)


@pytest.mark.parametrize("name", NAMES)
def test_no_more_tasks_than_by_hand_and_each_chunk_read_once(name, scheduler, sources):
    expected = dask.compute(*by_hand(name, data(sources)))
    read = [s.reads for s in sources]
    for s in sources:
        s.reads = 0
    results = lazily(name, data(sources))
    assert [s.reads for s in sources] == [0, 0, 0]
    assert len(scheduler.graphs) == 1
    found = ag.compute(*results)
    hand, own = scheduler.graphs
    assert len(own) <= 1.05 * len(hand)
    assert [s.reads for s in sources] == [CHUNKS if r else 0 for r in read]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)


def held(graph):
    """The most bytes of results that wait at a time, in the order in which one worker takes the tasks."""
    readers = dict.fromkeys(graph, 0)
    for task in graph.values():
        for need in task.dependencies:
            readers[need] += 1
    values, now, most = {}, 0, 0
    priorities = order(graph)
    for key in sorted(graph, key=priorities.__getitem__):
        needs = graph[key].dependencies
        values[key] = graph[key]({need: values[need] for need in needs})
        now += getattr(values[key], "nbytes", 0)
        most = max(most, now)
        for need in needs:
            readers[need] -= 1
            if not readers[need]:
                now -= getattr(values.pop(need), "nbytes", 0)
    return most


@pytest.mark.parametrize("name", NAMES)
def test_no_more_waits_in_memory_than_by_hand(name, scheduler):
    n, columns = 12 * 200, 64
    arrays = [rows(n, columns), rows(n, seed=1), rows(n, RANK, seed=2)]
    d = Data(*[lazy(Source(a), (200, *a.shape[1:])) for a in arrays])
    workload, parameters = WORKLOADS[name], WORKLOADS[name].parameters(columns)
    dask.compute(*workload.hand(parameters, d))
    value, gradient = ag.value_and_grad(workload.loss)(parameters, d)
    ag.compute(value, gradient)
    hand, own = map(held, scheduler.graphs)
    assert own <= 1.05 * hand


def test_describing_value_and_gradient_takes_less_time_than_the_loss_by_hand():
    from time import process_time

    x = da.ones((10_000, 8), chunks=(1, 8))
    y = da.ones((10_000,), chunks=(1,))
    w = np.ones(8)

    def hand():
        return ((x @ w - y) ** 2).mean()

    def own():
        return ag.value_and_grad(lambda w: ag.mean((ag.asarray(x) @ w - y) ** 2))(w)

    def seconds(f):
        start = process_time()
        f()
        return process_time() - start

    assert min(seconds(own) for _ in range(2)) <= 1.5 * seconds(hand)


def layers(x):
    return x.array.dask.layers


def test_the_seed_is_a_number_and_sums_are_not_repeated():
    x = ag.asarray(da.ones((8, 4), chunks=(2, 4))).requires_grad_()
    (ag.sin(x).sum() * 3.0).backward()
    names = {name.partition("-")[0] for name in layers(x.grad)}
    assert names == {"ones_like", "cos", "mul"} or names <= {"ones_like", "ones", "cos", "mul", "sin"}
    assert not any("full" in name or "spread" in name for name in layers(x.grad))


def test_squares_take_one_product():
    x = ag.asarray(da.ones((8, 4), chunks=(2, 4)))
    for square in (lambda r: r * r, lambda r: r**2, ag.square):
        r = x.detach().requires_grad_()
        ag.sum(square(r)).backward()
        products = [name for name in layers(r.grad) if name.startswith(("mul", "add"))]
        assert len(products) == 1
        assert r.grad.compute().tolist() == [[2.0] * 4] * 8


KEYS = {
    "rows": (slice(1, None),),
    "some": (slice(4, 9),),
    "one": (5,),
    "columns": (slice(None), slice(0, 2)),
    "column": (..., 1),
    "steps": (slice(None, None, -3), slice(1, None, 2)),
    "new axes": (None, slice(2, 11), None, 0),
    "all": (...,),
    "none": (slice(3, 3),),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_slices_go_back_to_their_chunks(key):
    a = rows(17, 5)
    x = ag.asarray(da.from_array(a, chunks=((4, 6, 7), (5,)))).requires_grad_()
    ag.sum(x[key] ** 3).backward()
    expected = np.zeros_like(a)
    expected[key] = 3 * a[key] ** 2
    assert x.grad.chunks == x.chunks
    np.testing.assert_allclose(x.grad.compute().array, expected, rtol=1e-6)
    # A task for each chunk, and as many again for each of the few operations.
    assert len(x.grad.array.__dask_graph__()) <= 12 * 3


def test_chunks_that_nothing_came_from_hang_on_nothing():
    source = Source(rows(40, 3))
    x = ag.asarray(lazy(source, (4, 3))).requires_grad_()
    ag.sum(x[0:8] ** 2).backward()
    source.reads = 0
    assert not x.grad.compute().array[8:].any()
    assert source.reads == 2
    # One task, of no memory, for each of them.
    scheduled = Scheduled()
    ag.compute(x.grad, scheduler=scheduled)
    assert len(scheduled.graphs[0]) <= 10 + 2 * 2


INDICES = {
    "host": np.asarray([3, 0, 3, -1, 8, 3]),
    "sorted": np.asarray([0, 0, 2, 9, 9]),
    "list": [1, 1, 7],
    "empty": np.asarray([], dtype=np.int64),
    "dask": da.from_array(np.asarray([3, 0, 3, -1, 8, 3, 5, 2]), chunks=3),
}


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_gathers_go_back_to_their_chunks(index, axis):
    a = rows(10, 10)
    x = ag.asarray(da.from_array(a, chunks=(4, 3))).requires_grad_()
    host = np.asarray(index, dtype=np.int64)
    weights = np.arange(1.0, 1.0 + host.size, dtype=np.float32)
    picked = x[index] if axis == 0 else x[:, index]
    ag.sum(picked * ag.asarray(da.from_array(weights if axis else weights[:, None]))).backward()
    expected = np.zeros_like(a)
    np.add.at(expected, (*(slice(None),) * axis, host), weights if axis else weights[:, None])
    assert x.grad.chunks == x.chunks
    np.testing.assert_allclose(x.grad.compute().array, expected)


@pytest.mark.parametrize("of_rows", [True, False])
def test_masks_go_back_to_their_chunks(of_rows):
    a = rows(11, 3)
    x = ag.asarray(da.from_array(a, chunks=(4, 2))).requires_grad_()
    mask = (x[:, 0] > 0) if of_rows else x > 0
    ag.sum(x[mask] ** 2).backward()
    assert x.grad.chunks == x.chunks
    chosen = (a[:, :1] > 0) if of_rows else a > 0
    np.testing.assert_allclose(x.grad.compute().array, np.where(chosen, 2 * a, 0), rtol=1e-6)


def test_gradients_have_the_chunks_of_their_arrays():
    a, b = rows(12, 4), rows(12, 4, seed=1)
    x = ag.asarray(da.from_array(a, chunks=(4, 2))).requires_grad_()
    y = ag.asarray(da.from_array(b, chunks=(3, 4))).requires_grad_()
    z = ag.reshape(x * y, (6, 8))
    ag.sum((z @ z.T) ** 2 + ag.mean(x.rechunk((12, 1)))).backward()
    assert (x.grad.chunks, y.grad.chunks) == (x.chunks, y.chunks)
    assert ag.grad(lambda x: ag.sum(ag.reshape(x, (-1,)) ** 2))(x.array).chunks == x.chunks


def test_a_norm_is_multiplied_last():
    x = da.ones((100, 4), chunks=(10, 4))
    w = ag.tensor(da.ones(4)).requires_grad_()
    ag.sqrt(ag.mean((ag.asarray(x) @ w - 0.5) ** 2)).backward()
    graph = dict(w.grad.array.__dask_graph__())
    # All that depends on the norm: the last product, and what makes the factor of it.
    root = next(key for key in graph if key[0].startswith("sqrt"))
    above, found = {root}, True
    while found:
        new = {k for k, t in graph.items() if k not in above and above & set(getattr(t, "dependencies", ()))}
        above, found = above | new, bool(new)
    assert len(above) <= 5
    np.testing.assert_allclose(w.grad.compute().array, 1.0, rtol=1e-6)


def test_graphs_are_picklable():
    x = ag.asarray(da.ones((12, 4), chunks=(4, 2))).requires_grad_()
    ag.sum(x[1:, np.asarray([0, 0, 3])] ** 2 + ag.mean(x, axis=0)[0]).backward()
    assert pickle.loads(pickle.dumps(x.grad.array)).compute(scheduler="sync").shape == (12, 4)
    seed = ag.autograd.grad(ag.sum(x), x)[0]
    assert pickle.loads(pickle.dumps(seed.array)).compute(scheduler="sync").sum() == 48


def test_hooks_and_functions_see_whole_gradients():
    x = ag.asarray(da.ones((6, 2), chunks=(3, 2))).requires_grad_()
    seen = []
    y = x * 2.0
    y.register_hook(lambda g: seen.append(g))
    y.retain_grad()
    ag.mean(y).backward()
    (g,) = seen
    assert g.shape == (6, 2)
    assert type(g.array) is da.Array
    assert g.chunks == x.chunks
    assert (g + 1.0).compute().array[0, 0] == pytest.approx(1 + 1 / 12)
    assert type(y.grad.array) is da.Array
    assert y.grad.compute().tolist() == [[1 / 12] * 2] * 6


def test_a_step_of_training_has_a_graph_of_the_same_size_each_time():
    x = ag.asarray(da.ones((20, 3), chunks=(5, 3)))
    w = ag.tensor(da.zeros(3)).requires_grad_()
    sizes = set()
    for _ in range(20):
        loss = ag.mean((x @ w - 1.0) ** 2)
        loss.backward()
        sizes.add((len(w.grad.array.__dask_graph__()), len(loss.array.__dask_graph__())))
        with dask.config.set(scheduler="sync"):
            w.data = ag.persist(w.detach() - 0.1 * w.grad)
        w.grad = None
    assert len(sizes) <= 2  # the first one starts from data on this machine
    np.testing.assert_allclose(ag.compute(x @ w).array, 1.0, rtol=1e-6)
