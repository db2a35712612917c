"""Where data come from and where results go: no wrapper is needed, nothing is read while a graph is built."""

from __future__ import annotations

import pickle
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import zarr

import agnograd as ag

X = np.random.default_rng(0).normal(size=(10, 3))
W = np.asarray([0.3, -1.0, 2.0])


def loss(w, x):
    return ag.mean(ag.tanh(ag.asarray(x) @ w) ** 2)


def from_zarr(folder):
    zarr.create_array(folder / "x.zarr", shape=X.shape, chunks=(4, 3), dtype=X.dtype)[...] = X
    return da.from_zarr(folder / "x.zarr")


def from_group_of_zarr(folder):
    group = zarr.open_group(folder / "group.zarr", mode="w")
    group.create_array("x", shape=X.shape, chunks=(4, 3), dtype=X.dtype)[...] = X
    return da.from_array(group["x"], chunks=(4, 3))


def from_memmap(folder):
    np.save(folder / "x.npy", X)
    return da.from_array(np.load(folder / "x.npy", mmap_mode="r"), chunks=(4, 3))


def rows_of(path, block_info=None):
    rows, columns = block_info[None]["array-location"]
    return np.array(np.load(path, mmap_mode="r")[slice(*rows), slice(*columns)])


def from_memmap_of_each_task(folder):
    np.save(folder / "x.npy", X)
    return da.map_blocks(
        rows_of, folder / "x.npy", chunks=((4, 4, 2), (3,)), dtype=X.dtype, meta=np.empty((0, 0), X.dtype)
    )


def from_stack(folder):
    da.to_npy_stack(folder / "stack", da.from_array(X, chunks=(4, 3)))
    return da.from_npy_stack(folder / "stack")


def from_delayed(folder):
    parts = [dask.delayed(np.load)(_saved(folder / f"{i}.npy", X[i : i + 4])) for i in range(0, 10, 4)]
    return da.concatenate(
        [da.from_delayed(part, shape=(min(4, 10 - 4 * k), 3), dtype=X.dtype) for k, part in enumerate(parts)]
    )


def _saved(path, x):
    np.save(path, x)
    return path


def from_xarray(folder):
    xarray = pytest.importorskip("xarray", reason="the extra `clients` has it")
    data = xarray.Dataset({"x": (("row", "column"), X)}).chunk(row=4)
    return data["x"].data


SOURCES = [
    from_zarr, from_group_of_zarr, from_memmap, from_memmap_of_each_task, from_stack, from_delayed, from_xarray,
]  # fmt: skip


@pytest.mark.parametrize("source", SOURCES, ids=lambda f: f.__name__)
def test_gradients_of_data_from(source, tmp_path):
    x = source(tmp_path)
    assert x.chunks == ((4, 4, 2), (3,))
    weights = ag.tensor(W, requires_grad=True)
    inputs = ag.asarray(x).requires_grad_()
    assert type(inputs.array) is da.Array
    loss(weights, inputs).backward()
    assert inputs.grad.chunks == x.chunks
    w, expected = ag.tensor(W, requires_grad=True), ag.tensor(X, requires_grad=True)
    loss(w, expected).backward()
    found = ag.compute(weights.grad, inputs.grad, scheduler="sync")
    np.testing.assert_allclose(found[0].array, w.grad.array)
    np.testing.assert_allclose(found[1].array, expected.grad.array)


class Counted:
    """An array on disk that counts what is read of it."""

    shape, dtype, ndim = X.shape, X.dtype, X.ndim

    def __init__(self):
        self.reads = []

    def __getitem__(self, key):
        self.reads.append(key)
        return X[key]


def test_each_chunk_is_read_once_for_value_and_all_gradients():
    source = Counted()
    x = da.from_array(source, chunks=(4, 3), meta=np.empty((0, 0)))
    p = {"w": W, "b": np.asarray(0.1)}
    both = ag.value_and_grad(lambda p: loss(p["w"], x) * p["b"] + ag.mean((x @ p["w"] + p["b"]) ** 2))(p)
    assert source.reads == []
    value, g = ag.compute(*both, scheduler="sync")
    assert len(source.reads) == 3
    expected = ag.value_and_grad(lambda p: loss(p["w"], X) * p["b"] + ag.mean((X @ p["w"] + p["b"]) ** 2))(p)
    np.testing.assert_allclose([value, *g["w"], g["b"]], [expected[0], *expected[1]["w"], expected[1]["b"]])


def test_a_graph_names_files_and_does_not_hold_them(tmp_path):
    big = np.ones((10_000, 3))
    np.save(tmp_path / "x.npy", big)
    zarr.create_array(tmp_path / "x.zarr", shape=big.shape, chunks=(4_000, 3), dtype=big.dtype)[...] = big
    named = (
        da.from_zarr(tmp_path / "x.zarr"),
        da.map_blocks(
            rows_of, tmp_path / "x.npy", chunks=((4_000, 4_000, 2_000), (3,)), dtype=big.dtype, meta=np.empty((0, 0))
        ),
    )
    for x in named:
        assert _graph_size(ag.grad(loss)(W, x)) < 30_000
    # What the page on dask warns of.
    held = da.from_array(np.load(tmp_path / "x.npy", mmap_mode="r"), chunks=(4_000, 3))
    assert _graph_size(ag.grad(loss)(W, held)) > big.nbytes


def _graph_size(x):
    return len(pickle.dumps(dict(ag.dask.optimize(x).dask)))


def test_results_are_streamed_to_zarr_and_to_a_memmap_in_the_pass_of_the_loss(tmp_path):
    source = Counted()
    x = ag.asarray(da.from_array(source, chunks=(4, 3), meta=np.empty((0, 0)))).requires_grad_()
    weights = ag.tensor(W, requires_grad=True)
    value = loss(weights, x)
    value.backward()
    file = np.lib.format.open_memmap(tmp_path / "squares.npy", mode="w+", dtype=X.dtype, shape=X.shape)
    with dask.config.set(scheduler="sync"):
        found, g = ag.dask.store({x.grad: tmp_path / "g.zarr", (x * x).detach(): file}, value.detach(), weights.grad)
    assert len(source.reads) == 3
    expected = ag.tensor(X, requires_grad=True)
    w = ag.tensor(W, requires_grad=True)
    loss(w, expected).backward()
    np.testing.assert_allclose(zarr.open_array(Path(tmp_path / "g.zarr"))[...], expected.grad.array)
    np.testing.assert_allclose(file, X**2)
    np.testing.assert_allclose(found.item(), loss(W, X).array)
    np.testing.assert_allclose(g.array, w.grad.array)
