"""A network of two layers on data on disk: one task for each chunk and step, from a graph that is built once.

    python examples/dask/network.py --rows 5_000_000 --chunk 100_000 --steps 100

`agnograd.dask.value_and_grad` runs the whole forward pass and the way back within a task, on chunks in memory.
`agnograd.dask.training_step` keeps the graph of a step, and fills in other parameters each time.
"""

from __future__ import annotations

import disk
import numpy as np

import agnograd as ag

HIDDEN = 16


def loss(p, x, y):
    """The squared error of a chunk of rows."""
    h = ag.tanh(x @ p["w1"] + p["b1"])
    return ag.sum((h @ p["w2"] + p["b2"] - y) ** 2)


def draw(columns):
    """A smooth function of two of the columns."""

    def rows(rng, n):
        x = rng.uniform(-1, 1, (n, columns))
        return x, np.sin(2 * x[:, 0]) * x[:, 1]

    return rows


def start(columns):
    """Small random weights."""
    rng = np.random.default_rng(1)
    return {
        "w1": rng.standard_normal((columns, HIDDEN)) / columns**0.5,
        "b1": np.zeros(HIDDEN),
        "w2": rng.standard_normal(HIDDEN) / HIDDEN**0.5,
        "b2": np.zeros(()),
    }


def update(state, x, y, *, rate=0.1, decay=0.9):
    """A step of gradient descent with momentum."""
    p, momentum = state
    value, g = ag.dask.value_and_grad(loss)(p, x, y)
    n = x.shape[0]
    momentum = {k: decay * momentum[k] + g[k] / n for k in p}
    return ({k: p[k] - rate * momentum[k] for k in p}, momentum), value / n


def trained(x, y, *, steps):
    """Parameters after full batches, and the loss of each."""
    p = start(x.shape[1])
    state = p, {k: np.zeros_like(v) for k, v in p.items()}
    step = ag.dask.training_step(update)
    values = []
    for _ in range(steps):
        state, value = step(state, x, y)
        values.append(float(value))
    return state[0], values


def main(arguments=None):
    """Run the example; the loss of each step."""
    given = disk.options(__doc__, rows=10_000, columns=4, chunk=1_000, steps=60).parse_args(arguments)
    with disk.folder(given.folder) as path:
        x, y = disk.written(path, given.rows, given.chunk, draw(given.columns))
        _, values = trained(x, y, steps=given.steps)
    print(f"mean squared error {values[0]:.4f} at first, {values[-1]:.4f} after {given.steps} passes")
    return values


if __name__ == "__main__":
    main()
