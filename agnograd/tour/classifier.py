"""A classifier of handwritten digits: the model is written once, in names of the standard, and trained on any backend.

The images are those that come inside scikit-learn's wheel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import agnograd as ag
from agnograd import plugins

Array = Any

HIDDEN = 32
RATE = 0.02
CHUNKS = 4

# Lazy and checking storages pay per operation, not per element: they go a part of the way.
STEPS = 100
FEW_STEPS = 25


def predict(params: Array, x: Array) -> Array:
    """Scores of the ten digits."""
    xp = x.__array_namespace__()
    w1, b1, w2, b2 = params
    return xp.tanh(x @ w1 + b1) @ w2 + b2


def loss(params: Array, x: Array, truth: Array) -> Array:
    """Cross entropy."""
    xp = x.__array_namespace__()
    z = predict(params, x)
    z = z - xp.max(z, axis=1, keepdims=True)
    return xp.mean(xp.log(xp.sum(xp.exp(z), axis=1)) - xp.sum(z * truth, axis=1))


def adam(params: Array, means: Array, squares: Array, grads: Array, k: int) -> tuple[Array, Array, Array]:
    """Take the k-th step of Adam."""
    xp = grads[0].__array_namespace__()
    means = [0.9 * m + 0.1 * g for m, g in zip(means, grads, strict=True)]
    squares = [0.99 * s + 0.01 * g**2 for s, g in zip(squares, grads, strict=True)]
    params = [
        p - RATE * m / (1 - 0.9**k) / (xp.sqrt(s / (1 - 0.99**k)) + 1e-8)
        for p, m, s in zip(params, means, squares, strict=True)
    ]
    return params, means, squares


@dataclass
class Data:
    """Images and labels as NumPy arrays, to learn from and held out."""

    x: Array
    y: Array
    x_test: Array
    y_test: Array

    @property
    def text(self) -> str:
        """A line about the data."""
        return (
            f"handwritten digits, 8 x 8 pixels: {len(self.x)} to learn from, {len(self.x_test)} held out "
            f"(scikit-learn's copy of the UCI data)"
        )


def load() -> Data:
    """Read the digits out of scikit-learn's wheel.

    Raises
    ------
    ImportError
        If scikit-learn is not installed; the message says how to install it.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        msg = "the classifier's data come with scikit-learn, which is not installed: pip install 'agnograd[tour]'"
        raise ImportError(msg) from error
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x / 16, y, test_size=0.2, random_state=0, stratify=y)
    return Data(x, y, x_test, y_test)


@dataclass
class Fit:
    """How a training went: the loss at each step, the accuracy on the held-out data, the time."""

    losses: list[float]
    accuracy: float
    seconds: float


def steps_for(backend: str) -> int:
    """How many steps the tour takes on a backend."""
    return FEW_STEPS if backend == "strict" or plugins.manager.find_backend(backend).lazy else STEPS


def fit(data: Data, backend: str, steps: int, *, tell: Callable[[float], object] | None = None) -> Fit:
    """Train the classifier.

    Parameters
    ----------
    data : Data
    backend : str
        Where the arrays live.
    steps : int
        Passes over the data.
    tell : callable, optional
        Is told the loss at each step.

    Examples
    --------
    >>> import numpy as np
    >>> data = Data(np.eye(4), np.arange(4), np.eye(4), np.arange(4))
    >>> fit(data, "numpy", 30).accuracy
    1.0
    """
    started = time.perf_counter()
    with ag.use_backend(backend) as xp:
        ag.manual_seed(0)
        x, truth = _placed(data.x, backend), _one_hot(_placed(data.y, backend))
        n, classes = x.shape[1], truth.shape[1]
        params = [
            ag.randn(n, HIDDEN) / n**0.5,
            ag.zeros(HIDDEN),
            ag.randn(HIDDEN, classes) / HIDDEN**0.5,
            ag.zeros(classes),
        ]
        means = squares = [xp.zeros_like(p) for p in params]
        loss_and_gradient = ag.value_and_grad(loss)

        losses = []
        for k in range(1, steps + 1):
            value, grads = loss_and_gradient(params, x, truth)
            value, *state = _computed([value, *(t for group in adam(params, means, squares, grads, k) for t in group)])
            params, means, squares = state[:4], state[4:8], state[8:]
            losses.append(value.item())
            if tell is not None:
                tell(losses[-1])

        found = xp.argmax(predict(params, _placed(data.x_test, backend)), axis=1)
        accuracy = xp.mean(xp.astype(found == _placed(data.y_test, backend), x.dtype)).item()
    return Fit(losses, accuracy, time.perf_counter() - started)


def _placed(array: Array, backend: str) -> Any:
    """A NumPy array as a tensor of the backend; a chunked one gets several chunks of rows."""
    raw = ag.to_backend(array, backend)
    if hasattr(raw, "rechunk"):
        raw = raw.rechunk((-(-len(array) // CHUNKS), *array.shape[1:]))
    return ag.asarray(raw)


def _one_hot(labels: Any) -> Any:
    xp = labels.__array_namespace__()
    return xp.astype(labels[:, None] == xp.arange(10), ag.float)


def _computed(tensors: list[Any]) -> list[Any]:
    """The same values, computed together where they are dask's: else each step would repeat all that came before."""
    arrays = [t.array for t in tensors]
    if not hasattr(arrays[0], "__dask_graph__"):
        return tensors
    import dask

    return [ag.asarray(a) for a in dask.persist(*arrays)]
