"""Logistic regression on data that stay on disk: full batches as in PyTorch, then mini-batches of a chunk each.

    python examples/dask/logistic_regression.py --rows 10_000_000 --chunk 200_000 --columns 100

The weights are a NumPy array. Where they meet the data they are lifted into dask, and so their gradient is lazy: value
and gradient are computed together, in one pass over the data.
"""

from __future__ import annotations

import disk
import numpy as np

import agnograd as ag


def loss(w, x, y):
    """The mean negative log-likelihood of labels 0 and 1."""
    z = x @ w
    return ag.mean(ag.logaddexp(z, 0.0) - y * z)


def draw(columns):
    """Labels that follow the model, with weights 1, -1, 1, ..."""
    truth = np.resize([1.0, -1.0], columns).astype(np.float32)

    def rows(rng, n):
        x = rng.standard_normal((n, columns), dtype=np.float32)
        y = rng.random(n, dtype=np.float32) < 1 / (1 + np.exp(-(x @ truth)))
        return x, y.astype(np.float32)

    return rows


def full_batches(x, y, *, steps, rate=6.0):
    """Gradient descent; each step is one pass."""
    w = ag.asarray(np.zeros(x.shape[1], np.float32), requires_grad=True)
    values = []
    for _ in range(steps):
        value = loss(w, x, y)
        value.backward()
        # Loss and gradient at once; the gradient is in memory then.
        values.append(ag.dask.settle([w], value.detach()).item())
        with ag.no_grad():
            w -= rate * w.grad
        w.grad = None
    return w.detach().numpy(), values


def mini_batches(x, y, *, rate=2.0):
    """Stochastic gradient descent, one step for each chunk of rows, once through the data."""
    w = np.zeros(x.shape[1], np.float32)
    values = []
    for i in range(x.numblocks[0]):
        value, g = ag.compute(*ag.value_and_grad(loss)(w, x.blocks[i], y.blocks[i]))
        w = w - np.float32(rate / (1 + i / 10)) * g
        values.append(float(value))
    return w, values


def main(arguments=None):
    """Run the example; the weights by both methods."""
    given = disk.options(__doc__, rows=20_000, columns=8, chunk=1_000, steps=15).parse_args(arguments)
    with disk.folder(given.folder) as path:
        x, y = disk.written(path, given.rows, given.chunk, draw(given.columns))
        full, values = full_batches(x, y, steps=given.steps)
        print(f"full batches: loss {values[0]:.4f} at first, {values[-1]:.4f} after {given.steps} passes")
        stochastic, values = mini_batches(x, y)
        print(f"mini-batches: loss {values[0]:.4f} at first, {values[-1]:.4f} after one pass")
    print("weights, which are 1, -1, 1, ... in truth:", np.round(full[:4], 2), np.round(stochastic[:4], 2))
    return full, stochastic


if __name__ == "__main__":
    main()
