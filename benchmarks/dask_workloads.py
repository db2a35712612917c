"""Losses over data on disk, with the gradient that one would write by hand for dask.

Each is a function of parameters, which are NumPy arrays, and of chunked `Data`. By hand they are the natural formulas,
value and gradients in one graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import agnograd as ag

Array = Any


class Data(NamedTuple):
    """Arrays whose rows belong together: ``x`` of (rows, columns), ``y`` of (rows,) and ``u`` of (rows, 16)."""

    x: Array
    y: Array
    u: Array


HIDDEN, RANK, COMPONENTS = 64, 16, 16


@dataclass(frozen=True)
class Workload:
    """A loss and its gradients by hand, which are in the order of the parameters."""

    shapes: Callable[[int], Mapping[str, tuple[int, ...]]]
    loss: Callable[..., Array]
    hand: Callable[..., list[Array]]

    def parameters(self, columns: int) -> dict[str, Array]:
        """Values to start from."""
        rng = np.random.default_rng(1)
        shapes = self.shapes(columns).items()
        return {k: (rng.standard_normal(s, dtype=np.float32) / columns**0.5).astype(np.float32) for k, s in shapes}


# -- losses: as they would be written for NumPy ------------------------------------------------------------------------


def logistic(p: Any, d: Data) -> Array:
    z = d.x @ p["w"]
    return ag.mean(ag.logaddexp(z, 0.0) - d.y * z)


def least_squares(p: Any, d: Data) -> Array:
    return ag.mean((d.x @ p["w"] - d.y) ** 2)


def network(p: Any, d: Data) -> Array:
    h = ag.tanh(d.x @ p["w1"] + p["b1"])
    return ag.mean((h @ p["w2"] + p["b2"] - d.y) ** 2)


def pca(p: Any, d: Data) -> Array:
    return ag.sum((d.x - (d.x @ p["v"]) @ p["v"].T) ** 2)


def factors(p: Any, d: Data) -> Array:
    return ag.sum((d.u @ p["v"].T - d.x) ** 2)


def logsumexp(p: Any, d: Data) -> Array:
    z = d.x * p["s"]
    m = ag.stop_gradient(ag.max(z, axis=1, keepdims=True))
    return ag.mean(ag.log(ag.sum(ag.exp(z - m), axis=1)) + m[:, 0])


def root_mean_square(p: Any, d: Data) -> Array:
    return ag.sqrt(ag.mean((d.x @ p["w"] - d.y) ** 2))


# -- value and gradients by hand ---------------------------------------------------------------------------------------


def logistic_by_hand(p: Any, d: Data) -> list[Array]:
    import dask.array as da

    z = d.x @ p["w"]
    g = (1 / (1 + da.exp(-z)) - d.y) / d.x.shape[0]
    return [(da.logaddexp(z, 0) - d.y * z).mean(), d.x.T @ g]


def least_squares_by_hand(p: Any, d: Data) -> list[Array]:
    r = d.x @ p["w"] - d.y
    return [(r**2).mean(), d.x.T @ (r * (2 / d.x.shape[0]))]


def network_by_hand(p: Any, d: Data) -> list[Array]:
    import dask.array as da

    h = da.tanh(d.x @ p["w1"] + p["b1"])
    r = h @ p["w2"] + p["b2"] - d.y
    g = r * (2 / d.x.shape[0])
    gz = g[:, None] * p["w2"] * (1 - h * h)
    return [(r**2).mean(), d.x.T @ gz, gz.sum(axis=0), h.T @ g, g.sum()]


def pca_by_hand(p: Any, d: Data) -> list[Array]:
    v = p["v"]
    s = d.x @ v
    r = d.x - s @ v.T
    return [(r**2).sum(), -2 * (r.T @ s + d.x.T @ (r @ v))]


def factors_by_hand(p: Any, d: Data) -> list[Array]:
    r = d.u @ p["v"].T - d.x
    return [(r**2).sum(), 2 * (r.T @ d.u)]


def logsumexp_by_hand(p: Any, d: Data) -> list[Array]:
    import dask.array as da

    z = d.x * p["s"]
    m = z.max(axis=1, keepdims=True)
    e = da.exp(z - m)
    total = e.sum(axis=1, keepdims=True)
    return [(da.log(total) + m).mean(), (d.x * (e / total)).sum(axis=0) / d.x.shape[0]]


def root_mean_square_by_hand(p: Any, d: Data) -> list[Array]:
    import dask.array as da

    # The root is taken of the sum, and the gradient of the sum divided by it: one pass over the data.
    r = d.x @ p["w"] - d.y
    value = da.sqrt((r**2).mean())
    return [value, d.x.T @ r / d.x.shape[0] / value]


def _vector(name: str) -> Callable[[int], dict[str, tuple[int, ...]]]:
    return lambda columns: {name: (columns,)}


def _matrix(rank: int) -> Callable[[int], dict[str, tuple[int, ...]]]:
    return lambda columns: {"v": (columns, rank)}


WORKLOADS = {
    "logistic regression": Workload(_vector("w"), logistic, logistic_by_hand),
    "least squares": Workload(_vector("w"), least_squares, least_squares_by_hand),
    "two-layer network": Workload(
        lambda n: {"w1": (n, HIDDEN), "b1": (HIDDEN,), "w2": (HIDDEN,), "b2": ()}, network, network_by_hand
    ),
    "PCA": Workload(_matrix(COMPONENTS), pca, pca_by_hand),
    "matrix factorisation": Workload(_matrix(RANK), factors, factors_by_hand),
    "row logsumexp": Workload(_vector("s"), logsumexp, logsumexp_by_hand),
    "root mean square": Workload(_vector("w"), root_mean_square, root_mean_square_by_hand),
}


# -- data --------------------------------------------------------------------------------------------------------------


def write_data(folder: Path, rows: int, columns: int, chunk: int) -> None:
    """Data on disk, uncompressed, a chunk of rows at a time; the same for the same seed, which is fixed."""
    import zarr

    shapes = {"x": (rows, columns), "y": (rows,), "u": (rows, RANK)}
    stores = {
        name: zarr.create_array(
            folder / f"{name}.zarr", shape=s, chunks=(chunk, *s[1:]), dtype="float32", compressors=None, overwrite=True
        )
        for name, s in shapes.items()
    }
    for i, start in enumerate(range(0, rows, chunk)):
        rng = np.random.default_rng([7, i])
        part = slice(start, min(start + chunk, rows))
        x = rng.standard_normal((part.stop - start, columns), dtype=np.float32)
        stores["x"][part] = x
        stores["y"][part] = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.float32)
        stores["u"][part] = rng.standard_normal((part.stop - start, RANK), dtype=np.float32)


def read_data(folder: Path) -> Data:
    """Lazy arrays over the data, in the chunks of the disk."""
    import dask.array as da

    return Data(*(da.from_zarr(folder / f"{name}.zarr") for name in Data._fields))
