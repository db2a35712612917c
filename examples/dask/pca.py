"""Principal components by the gradient of the reconstruction error, and by mini-batches (Oja's rule), on data on disk.

    python examples/dask/pca.py --rows 5_000_000 --chunk 100_000 --columns 200

The matrix of components is kept orthonormal by a QR decomposition in memory. Subspace iteration would be the textbook's
way; the gradient serves any other loss just as well.
"""

from __future__ import annotations

import disk
import numpy as np

import agnograd as ag

COMPONENTS = 2


def loss(v, x):
    """The mean squared error where rows are replaced by their projections."""
    return ag.mean((x - (x @ v) @ v.T) ** 2)


def draw(columns):
    """Rows whose variance is largest along two directions."""
    directions = np.linalg.qr(np.random.default_rng(disk.SEED).standard_normal((columns, columns)))[0]
    scales = np.ones(columns)
    scales[:COMPONENTS] = 5.0, 3.0
    return lambda rng, n: ((rng.standard_normal((n, columns)) * scales) @ directions.T,)


def orthonormal(v):
    """The nearest columns to those of a matrix that span the same space."""
    return np.linalg.qr(v)[0]


def step(v, x, rate):
    """Descend, and come back to orthonormal columns; value and gradient are one pass over `x`."""
    value, g = ag.compute(*ag.value_and_grad(loss)(v, x))
    return orthonormal(v - rate * x.shape[1] * g), float(value)


def fitted(blocks, columns, *, rate=0.03):
    """Components after a step for each of some arrays."""
    v = orthonormal(np.random.default_rng(1).standard_normal((columns, COMPONENTS)))
    values = []
    for x in blocks:
        v, value = step(v, x, rate)
        values.append(value)
    return v, values


def main(arguments=None):
    """Run the example; the components by both methods, and by an eigendecomposition of the covariance."""
    given = disk.options(__doc__, rows=10_000, columns=12, chunk=500, steps=20).parse_args(arguments)
    with disk.folder(given.folder) as path:
        (x,) = disk.written(path, given.rows, given.chunk, draw(given.columns))
        full, values = fitted([x] * given.steps, given.columns)
        print(f"full batches: error {values[0]:.3f} at first, {values[-1]:.3f} after {given.steps} passes")
        stochastic, values = fitted([x.blocks[i] for i in range(x.numblocks[0])], given.columns)
        print(f"mini-batches: error {values[0]:.3f} at first, {values[-1]:.3f} after one pass")
        exact = np.linalg.eigh((x.T @ x).compute())[1][:, -COMPONENTS:]
    for name, v in (("full batches", full), ("mini-batches", stochastic)):
        print(f"{name}: cosine of the largest angle to the exact components {smallest_cosine(v, exact):.4f}")
    return full, stochastic, exact


def smallest_cosine(v, w):
    """Of the principal angles between two spaces, the cosine of the largest."""
    return np.linalg.svd(v.T @ w, compute_uv=False).min()


if __name__ == "__main__":
    main()
