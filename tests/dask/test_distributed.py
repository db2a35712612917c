"""Gradients on `dask.distributed`: graphs that travel, a worker that is lost on the way, nothing that piles up.

The quick tests have their workers in this process, with messages that are serialised all the same. Those with processes
of their own are slow: python -m pytest tests/dask/test_distributed.py -m slow
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

import agnograd as ag
from agnograd.core.array import Array

ROWS, COLUMNS, CHUNK = 240, 3, 20
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, COLUMNS))
Y = RNG.normal(size=ROWS)
P = {"w": RNG.normal(size=(COLUMNS, 4)), "b": RNG.normal(size=4), "v": RNG.normal(size=4), "scale": np.asarray(0.5)}


def loss(p, x, y):
    h = ag.tanh(x @ p["w"] + p["b"])
    return ag.mean((h @ p["v"] - y) ** 2) * p["scale"] ** 2


def chunked(chunk=100):
    return da.from_array(X, chunks=(chunk, COLUMNS)), da.from_array(Y, chunks=chunk)


def assert_same(found, expected):
    for x, y in zip(ag.tree.leaves(found), ag.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, getattr(y, "array", y), rtol=1e-10)


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster) as client:
        yield client


MODES = {
    "value and gradient": lambda x, y: ag.value_and_grad(loss)(P, x, y),
    "Hessian-vector product": lambda x, y: ag.hvp(lambda p: loss(p, x, y), (P,), (P,)),
    "vmapped Jacobian": lambda x, y: ag.vmap(
        ag.jacrev(lambda w, row: ag.tanh(row @ w)), in_axes=(None, 0)
    )(P["w"], ag.asarray(x)),
    "gradient of a slice and a sort": lambda x, y: ag.grad(lambda x: ag.sum(ag.sort(x[3:50:2, 1] ** 2) * y[:24]))(x),
    "fused blocks": lambda x, y: ag.dask.value_and_grad(loss, reduce="mean")(P, x, y),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_the_same_code_runs_on_a_cluster(mode, client):
    assert_same(ag.compute(mode(*chunked())), ag.compute(mode(X, Y)))


class Pickler(pickle.Pickler):
    """Refuses tensors."""

    def reducer_override(self, obj):
        if isinstance(obj, Array):
            raise TypeError("a tensor in a graph")
        return NotImplemented


def pickled(arrays):
    """What the scheduler gets for arrays, in bytes, by plain pickle."""
    import io

    graphs = []

    def get(expression, keys, **options):
        graphs.append(dict(expression.__dask_graph__()))
        return dask.get(graphs[-1], keys)

    ag.compute(arrays, scheduler=get)
    file = io.BytesIO()
    Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(graphs)
    return file.getvalue()


def from_file(p=P, rows=ROWS, chunk=CHUNK):
    """A gradient of data of which the graph says only how to make it."""
    x = da.map_blocks(_rows, chunks=((chunk,) * (rows // chunk), (COLUMNS,)), dtype=float, meta=np.empty((0, 0)))
    return ag.value_and_grad(loss)(p, x, x[:, 0])


def _rows(block_info=None):
    """Rows of a chunk, from its place."""
    (start, stop), _ = block_info[None]["array-location"]
    return np.random.default_rng(start).normal(size=(stop - start, COLUMNS))


def test_graphs_are_pickled_by_plain_pickle_without_tensors_and_run_elsewhere():
    for mode in MODES.values():
        (graph,) = pickle.loads(pickled(mode(*chunked())))
        assert graph


def test_graphs_are_small():
    sizes = {chunks: len(pickled(from_file(rows=chunks * CHUNK))) for chunks in (10, 20)}
    assert (sizes[20] - sizes[10]) / 10 < 6_000  # bytes for each chunk, some ten tasks
    # A parameter is there once, however many chunks and operations it is used in.
    narrow, wide = ({**P, "v": np.zeros((4, n))} for n in (10, 10_000))

    def of_wide(p, x, y):
        h = ag.tanh(x @ p["w"] + p["b"])
        return ag.mean(ag.mean((h @ p["v"]) ** 2, axis=1) - y) + ag.sum(p["v"] ** 2)

    sizes = [len(pickled(ag.value_and_grad(of_wide)(p, *chunked()))) for p in (narrow, wide)]
    more = wide["v"].nbytes - narrow["v"].nbytes
    # (The names of tasks are not always of one length: some bytes.)
    assert 0.99 * more < sizes[1] - sizes[0] < 1.2 * more


def test_nothing_piles_up_over_repeated_gradients(client, cluster):
    def held():
        return len(cluster.scheduler.tasks), *[len(worker.data) for worker in cluster.workers.values()]

    for _ in range(3):
        ag.compute(from_file(rows=2 * CHUNK))
    deadline = time.monotonic() + 20
    while any(held()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert held() == (0, 0, 0)


def _slow_rows(block_info=None):
    time.sleep(0.02)
    return _rows(block_info)


def slow_gradient(chunks):
    x = da.map_blocks(_slow_rows, chunks=((CHUNK,) * chunks, (COLUMNS,)), dtype=float, meta=np.empty((0, 0)))
    return ag.value_and_grad(loss)(P, x, x[:, 0])


class Halfway(threading.Thread):
    """Does something once a part of the tasks is done."""

    def __init__(self, scheduler, what):
        super().__init__(daemon=True)
        self.scheduler, self.what, self.at = scheduler, what, None

    def run(self):
        while self.at is None:
            states = [task.state for task in list(self.scheduler.tasks.values())]
            done = sum(state in ("memory", "released", "forgotten") for state in states)
            if states and states.count("processing") and done > len(states) / 4:
                self.what()
                self.at = done / len(states)
            time.sleep(0.02)


def test_a_worker_that_is_lost_in_the_middle_changes_nothing():
    expected = ag.compute(slow_gradient(8), scheduler="sync")
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
        ) as cluster,
        Client(cluster),
    ):
        first = cluster.workers[0]
        thread = Halfway(cluster.scheduler, lambda: cluster.sync(first.close, nanny=False, executor_wait=False))
        thread.start()
        found = ag.compute(slow_gradient(8))
        thread.join(10)
        assert thread.at is not None
        assert 0 < thread.at < 1
        assert first.address not in cluster.scheduler.workers
    assert_same(found, expected)


# -- with processes of their own ---------------------------------------------------------------------------------------


def processes():
    return LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")


@pytest.mark.slow
def test_a_process_that_is_killed_in_the_middle_changes_nothing():
    expected = ag.compute(slow_gradient(40), scheduler="sync")
    with processes() as cluster, Client(cluster) as client:
        before = client.run(os.getpid)
        thread = Halfway(cluster.scheduler, lambda: os.kill(next(iter(before.values())), signal.SIGKILL))
        thread.start()
        found = ag.compute(slow_gradient(40))
        thread.join(60)
        assert 0 < thread.at < 1
        client.wait_for_workers(2)
        assert len(set(before.values()) & set(client.run(os.getpid).values())) == 1
    assert_same(found, expected)


@pytest.mark.slow
def test_memory_of_workers_does_not_grow_with_repeated_gradients():
    def resident():
        import gc

        import psutil

        gc.collect()
        return psutil.Process().memory_info().rss

    with processes() as cluster, Client(cluster) as client:
        for _ in range(10):
            ag.compute(from_file())
        before = client.run(resident)
        own = resident()
        for _ in range(40):
            ag.compute(from_file())
        after = client.run(resident)
        grown = [after[k] - before[k] for k in before]
        assert max(grown) < 15e6
        assert resident() - own < 30e6
