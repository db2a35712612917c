"""Clusters with soft assignment: a softmax in each row, on data on disk.

    python examples/dask/soft_kmeans.py --rows 5_000_000 --chunk 100_000

The loss is the negative log-likelihood of a mixture of normal distributions of one width. Its gradient with respect to
the centres has the softmax of the distances in it, which nobody has to write; the assignments, as many rows as the data
have, are streamed to disk in the same pass as the last value.
"""

from __future__ import annotations

import dask.array as da
import disk
import numpy as np

import agnograd as ag

CLUSTERS = 3


def scores(centres, x):
    """Minus half the squared distance of each row to each centre."""
    return x @ centres.T - 0.5 * ag.sum(centres**2, axis=1) - 0.5 * ag.sum(x**2, axis=1, keepdims=True)


def loss(centres, x):
    """The mean negative logarithm of the mixture's density, without its constants."""
    s = scores(centres, x)
    top = ag.stop_gradient(ag.max(s, axis=1, keepdims=True))
    return -ag.mean(ag.log(ag.sum(ag.exp(s - top), axis=1)) + top[:, 0])


def assignments(centres, x):
    """How much of each row belongs to each cluster."""
    s = scores(centres, x)
    e = ag.exp(s - ag.max(s, axis=1, keepdims=True))
    return e / ag.sum(e, axis=1, keepdims=True)


def truth(columns):
    """Centres far apart."""
    return 4 * np.eye(CLUSTERS, columns)


def draw(columns):
    """Rows around the centres."""

    def rows(rng, n):
        return (truth(columns)[rng.integers(CLUSTERS, size=n)] + rng.standard_normal((n, columns)),)

    return rows


def fitted(x, *, steps, rate=1.5):
    """Centres after full batches, from the first rows that are far from one another, and the loss of each."""
    rows = np.asarray(x[:50])
    centres = rows[:1]
    while len(centres) < CLUSTERS:
        distances = ((rows[:, None] - centres) ** 2).sum(axis=-1).min(axis=1)
        centres = np.concatenate([centres, rows[[distances.argmax()]]])
    values = []
    for _ in range(steps):
        value, g = ag.compute(*ag.value_and_grad(loss)(centres, x))
        centres = centres - rate * g
        values.append(float(value))
    return centres, values


def main(arguments=None):
    """Run the example; the centres, and the assignments of the first rows."""
    given = disk.options(__doc__, rows=9_000, columns=3, chunk=1_000, steps=12).parse_args(arguments)
    with disk.folder(given.folder) as path:
        (x,) = disk.written(path, given.rows, given.chunk, draw(given.columns))
        centres, values = fitted(x, steps=given.steps)
        print(f"loss {values[0]:.4f} at first, {values[-1]:.4f} after {given.steps} passes")
        weights = ag.asarray(assignments(centres, ag.asarray(x)))
        ag.dask.store({weights: path / "assignments.zarr"})
        first = np.asarray(da.from_zarr(path / "assignments.zarr")[:100])
    print("centres:", np.round(centres, 1).tolist())
    return centres, first


if __name__ == "__main__":
    main()
