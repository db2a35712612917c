"""Handwritten digits by softmax regression, with SciPy's solver on chunked data, which come in scikit-learn's wheel.

    python examples/dask/digits.py

1797 images of 8 x 8 pixels (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998). SciPy sees vectors of
NumPy; each of its evaluations is one pass over the chunks.
"""

from __future__ import annotations

import dask.array as da
import numpy as np

import agnograd as ag
from agnograd.optimize import minimize


def logits(p, x):
    """A number for each row and class."""
    return x @ p["w"] + p["b"]


def loss(p, x, y):
    """The mean cross-entropy with a penalty on the weights; `y` has a one in the column of the class."""
    z = logits(p, x)
    top = ag.stop_gradient(ag.max(z, axis=1, keepdims=True))
    entropy = ag.log(ag.sum(ag.exp(z - top), axis=1)) + top[:, 0] - ag.sum(y * z, axis=1)
    return ag.mean(entropy) + 1e-3 * ag.sum(p["w"] ** 2)


def data(chunk):
    """Lazy images and classes, three quarters to learn from and the rest to test."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x = da.from_array(images[order] / 16.0, chunks=(chunk, -1))
    y = da.from_array(np.eye(10)[classes[order]], chunks=(chunk, -1))
    cut = len(images) * 3 // 4
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def accuracy(p, x, y):
    """The part of the rows whose class has the largest number."""
    hits = ag.argmax(logits(p, x), axis=1) == ag.argmax(y, axis=1)
    return float(ag.mean(ag.astype(hits, np.float64)))


def main(chunk=200, steps=40):
    """Run the example; the accuracy on the rows that were held back."""
    (x, y), test = data(chunk)
    start = {"w": np.zeros((64, 10)), "b": np.zeros(10)}
    found = minimize(loss, start, args=(x, y), method="L-BFGS-B", options={"maxiter": steps})
    score = accuracy(found.x, *test)
    print(f"loss {found.fun:.4f} after {found.nfev} passes over {x.numblocks[0]} chunks, accuracy {score:.3f}")
    return score


if __name__ == "__main__":
    main()
