"""Gradients as large as the data go to files while the loss is computed: in one pass, in bounded memory."""

import subprocess
import sys
import textwrap
import threading

import dask.array as da
import numpy as np
import pytest
from dask_counts import Source

import agnograd as ag
from agnograd.dask import map_blocks, store, value_and_grad
from agnograd.errors import BlocksError, EscapedError, ForeignArrayError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(13, 4))


def softmax(x):
    e = ag.exp(x - ag.max(x, axis=1, keepdims=True))
    return e / ag.sum(e, axis=1, keepdims=True)


def loss(x):
    return ag.sum(softmax(x) ** 2)


def per_row(x):
    return ag.sum(softmax(x) ** 2, axis=1, keepdims=True)


FORMS = {"operations": loss, "blocks": lambda x: ag.sum(map_blocks(per_row, x))}


@pytest.mark.parametrize("form", FORMS)
def test_a_gradient_is_stored_and_the_loss_computed_in_one_pass(form):
    source = Source(X)
    x = ag.asarray(source.lazy(chunks=(5, 4))).requires_grad_()
    value = FORMS[form](x)
    value.backward()
    assert source.reads == 0
    target = np.zeros_like(X)
    found = store({x.grad: target}, value)
    assert source.reads == 3
    assert isinstance(found, ag.Tensor)
    assert type(found.array) is np.ndarray
    np.testing.assert_allclose(found.numpy(), loss(X))
    np.testing.assert_allclose(target, ag.grad(loss)(X))


def test_several_targets_and_trees_of_values():
    x, y = da.from_array(X, chunks=(5, 2)), da.from_array(X[0], chunks=3)
    total, number = np.zeros_like(X), np.zeros(())
    found = store([(x + y, total), (da.sum(x), number)], {"a": da.sum(y), "b": 3}, ag.asarray(da.max(x)))
    np.testing.assert_allclose(total, X + X[0])
    np.testing.assert_allclose(number, X.sum())
    assert isinstance(found, tuple)
    np.testing.assert_allclose(found[0]["a"], X[0].sum())
    assert found[0]["b"] == 3
    assert found[1].item() == X.max()
    assert store([(x, total)]) is None
    np.testing.assert_allclose(total, X)


def test_fused_gradients_of_data_are_stored_beside_those_of_parameters():
    source, w = Source(X), RNG.normal(size=4)
    f = lambda w, x: ag.sum(ag.tanh(x @ w))
    value, (gw, gx) = value_and_grad(f, (0, 1))(w, source.lazy(chunks=(5, 4)))
    target = np.zeros_like(X)
    found = store([(gx, target)], value, gw)
    assert source.reads == 3
    expected = ag.value_and_grad(f, (0, 1))(w, X)
    for a, b in zip((*found, target), (expected[0], *expected[1]), strict=True):
        np.testing.assert_allclose(a, b)


def test_a_path_is_an_array_of_zarr(tmp_path):
    zarr = pytest.importorskip("zarr")
    x = da.from_array(X, chunks=(5, 4))
    store([(x * 2, tmp_path / "twice.zarr")])
    found = zarr.open_array(str(tmp_path / "twice.zarr"))
    assert found.chunks == (5, 4)
    np.testing.assert_allclose(found[:], 2 * X)
    with pytest.raises(BlocksError, match="chunks of one size"):
        store([(x.rechunk(((1, 12), 4)), tmp_path / "other.zarr")])
    with pytest.raises(Exception, match="contains data"):
        store([(x, tmp_path / "twice.zarr")])


class Chunked(np.ndarray):
    """An array that says which chunks it has, as those of zarr do."""

    chunks = (4, 4)


def test_writes_wait_for_a_lock_unless_none_is_needed():
    x = da.from_array(X, chunks=(5, 4))
    target = np.zeros_like(X).view(Chunked)
    with pytest.raises(BlocksError, match="share chunks"):
        store([(x, target)], lock=False)
    store([(x, target)])
    np.testing.assert_allclose(target, X)
    store([(x.rechunk((8, 4)), target)], lock=False)

    class Counting:
        def __init__(self):
            self.lock, self.count = threading.Lock(), 0

        def __enter__(self):
            self.lock.acquire()
            self.count += 1

        def __exit__(self, *error):
            self.lock.release()

    lock = Counting()
    store([(x, target)], lock=lock)
    assert lock.count == 3


def test_what_cannot_be_stored_says_why():
    x = da.from_array(X, chunks=(5, 4))
    with pytest.raises(BlocksError, match="shape"):
        store([(x, np.zeros((4, 13)))])
    with pytest.raises(BlocksError, match="cannot hold"):
        store([(x * 1j, np.zeros_like(X))])
    with pytest.raises(BlocksError, match="compute_chunk_sizes"):
        store([(x[x[:, 0] > 0], np.zeros_like(X))])
    with pytest.raises(BlocksError, match="list"):
        store([(x, [])])
    with pytest.raises(ForeignArrayError, match="in memory"):
        store([(X, np.zeros_like(X))])
    with pytest.raises(BlocksError, match="memory of this process"):
        store([(x, np.zeros_like(X))], scheduler="processes")
    with pytest.raises(EscapedError, match="within it"):
        ag.grad(lambda x: store([(x, np.zeros_like(X))]))(x)
    read_only = np.zeros_like(X)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        store([(x, read_only)])


PROGRAM = """
    import pathlib, resource, sys
    import dask, dask.array as da, numpy as np
    import agnograd as ag

    class Rows:
        "Rows that come from nowhere, a megabyte a chunk."
        shape, dtype, ndim = (100 * 512, 256), np.dtype("f8"), 2
        def __getitem__(self, key):
            rows, columns = (range(*k.indices(n)) for k, n in zip(key, self.shape))
            return np.arange(rows.start, rows.stop)[:, None] % 7 / 10 + np.arange(len(columns)) % 5 / 10

    dask.config.set(scheduler="threads", num_workers=2)
    x = ag.asarray(da.from_array(Rows(), chunks=(512, 256), name=False)).requires_grad_()
    loss = ag.sum(ag.tanh(x) ** 2)
    loss.backward()
    target = np.memmap(sys.argv[1], dtype="f8", mode="w+", shape=x.shape)
    dask.compute(da.ones(4, chunks=1).sum())  # threads start
    status = pathlib.Path("/proc/self/status").read_text()
    now = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData")) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (now + 32 * 2**20,) * 2)
    value = ag.dask.store({x.grad: target}, loss)
    part = Rows()[3 * 512 : 4 * 512, :]
    np.testing.assert_allclose(target[3 * 512 : 4 * 512], 2 * np.tanh(part) * (1 - np.tanh(part) ** 2))
    assert value.item() > 0
    try:
        x.grad.array.compute()
    except MemoryError:
        print("stored")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is one of Linux")
def test_memory_is_bounded(tmp_path):
    # 100 MB of data and as much of gradient, in 32 MB; the gradient by itself does not fit.
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "gradient")]
    found = subprocess.run(program, capture_output=True, text=True, check=False, timeout=300)
    assert found.stdout == "stored\n", found.stderr[-2000:]
