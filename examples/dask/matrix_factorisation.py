"""A matrix on disk as the product of two thin ones: full batches, and mini-batches of a chunk of rows each.

    python examples/dask/matrix_factorisation.py --rows 2_000_000 --chunk 50_000 --columns 200

One factor has as many rows as the data, and is lazy as they are: each step of full batches computes its blocks, and
forgets how they were made. The other one is small, and a NumPy array.
"""

from __future__ import annotations

import disk
import numpy as np

import agnograd as ag

RANK = 3


def loss(u, v, x):
    """The mean squared error of the product, with a penalty on the size of both factors."""
    return ag.mean((x - u @ v.T) ** 2) + 1e-4 * (ag.mean(u**2) + ag.mean(v**2))


def draw(columns):
    """Rows of rank `RANK`, with noise."""
    v = np.random.default_rng(disk.SEED).standard_normal((columns, RANK), dtype=np.float32)

    def rows(rng, n):
        u = rng.standard_normal((n, RANK), dtype=np.float32)
        return (u @ v.T + 0.1 * rng.standard_normal((n, columns), dtype=np.float32),)

    return rows


def start(x):
    """Factors to start from: of the rows a lazy one in the chunks of the data, of the columns one in memory."""
    import dask.array as da

    rng = np.random.default_rng(1)
    lazy = da.random.default_rng(2).standard_normal((x.shape[0], RANK), chunks=(x.chunks[0], RANK))
    v = rng.standard_normal((x.shape[1], RANK)).astype(np.float32) / 2
    return lazy.astype(np.float32) / 2, v


def update(state, x, rate):
    """A step of gradient descent in both factors.

    The mean is over all elements, and an element of a factor is in one row or column of them: rates grow with sizes.
    """
    u, v = state
    value, (gu, gv) = ag.value_and_grad(loss, (0, 1))(u, v, x)
    rows, columns = x.shape
    return (u - rate * rows * gu, v - rate * columns * gv), value


def full_batches(x, *, steps, rate=0.3):
    """All rows in each step, whose graph is built and optimised once."""
    step = ag.dask.training_step(update)
    state, values = start(x), []
    for _ in range(steps):
        state, value = step(state, x, rate)
        values.append(float(value))
    return state, values


def mini_batches(x, *, epochs, rate=0.3):
    """A chunk of rows in each step: its own rows of the first factor, and all of the second."""
    u, v = start(x)
    blocks = [np.asarray(u.blocks[i]) for i in range(x.numblocks[0])]
    values = []
    for _ in range(epochs):
        for i, own in enumerate(blocks):
            (own, v), value = ag.compute(*update((own, v), x.blocks[i], rate))
            blocks[i] = own
            values.append(float(value))
    return (np.concatenate(blocks), v), values


def main(arguments=None):
    """Run the example; the values of the loss by both methods."""
    given = disk.options(__doc__, rows=4_000, columns=20, chunk=500, steps=40).parse_args(arguments)
    with disk.folder(given.folder) as path:
        (x,) = disk.written(path, given.rows, given.chunk, draw(given.columns))
        (u, _), full = full_batches(x, steps=given.steps)
        print(f"full batches: loss {full[0]:.4f} at first, {full[-1]:.4f} after {given.steps} passes; u is {u!r}")
        _, stochastic = mini_batches(x, epochs=max(1, given.steps // 4))
        print(f"mini-batches: loss {stochastic[0]:.4f} at first, {stochastic[-1]:.4f} at last")
    return full, stochastic


if __name__ == "__main__":
    main()
