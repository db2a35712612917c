"""What is measured of transformations of functions: Jacobians, Hessians, gradients for each sample, directions.

As in `benchmarks.workloads`, a function is written once for all engines, and what is asked of it once by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import models, workloads
from benchmarks.engines import ENGINES
from benchmarks.workloads import Array, Layers, Perceptron, Workload


class Layer(Workload):
    """A vector in, a vector out: ``exp(-h * h) * x + w2 @ h`` with ``h = tanh(w1 @ x + b)``.

    Parameters
    ----------
    transform : str
        ``"jacfwd"`` or ``"jacrev"``.
    size : int
        Of either vector.
    """

    operations = 1

    def __init__(self, transform: str, size: int = 100) -> None:
        mode = {"jacfwd": "forward", "jacrev": "reverse"}[transform]
        self.title = f"Jacobian of exp(-h*h)*x + w2@h, h = tanh(w1@x+b), {size} in, {size} out, {mode} mode"
        self.transform = transform
        draw = np.random.default_rng(0)
        w1, w2 = draw.normal(size=(2, size, size)) / size**0.5
        self.leaves = [draw.normal(size=size)]
        self.constants = [w1, w2, draw.normal(size=size)]

    def function(self, xp: Any, *arrays: Any) -> Any:
        x, w1, w2, b = arrays
        h = xp.tanh(w1 @ x + b)
        return xp.exp(-h * h) * x + w2 @ h

    def derivative(self) -> list[Array]:
        x, w1, w2, b = self.leaves + self.constants
        h = np.tanh(w1 @ x + b)
        dh = (1 - h * h)[:, None] * w1
        e = np.exp(-h * h)
        return [np.diag(e) + (-2 * h * e * x)[:, None] * dh + w2 @ dh]


class Products(Workload):
    """The Jacobian of ``tanh(w @ x)``: what it costs to ask for all rows at once."""

    operations = 1
    transform = "jacrev"

    def __init__(self, size: int = 100) -> None:
        self.title = f"Jacobian of tanh(w @ x), {size} in, {size} out"
        draw = np.random.default_rng(0)
        self.leaves = [draw.normal(size=size)]
        self.constants = [draw.normal(size=(size, size)) / size**0.5]

    def function(self, xp: Any, *arrays: Any) -> Any:
        x, w = arrays
        return xp.tanh(w @ x)

    def derivative(self) -> list[Array]:
        x, w = self.leaves + self.constants
        h = np.tanh(w @ x)
        return [(1 - h * h)[:, None] * w]


class Curvature(Perceptron):
    """The Hessian of workload b times a vector."""

    operations = 1
    transform = "hvp"

    def __init__(self, batch: int = 32, inputs: int = 16, hidden: int = 64, outputs: int = 8) -> None:
        super().__init__(batch, inputs, hidden, outputs)
        self.title = f"Hessian times a vector: {self.title}"
        self.operations = 1
        draw = np.random.default_rng(1)
        self.vectors = [draw.normal(size=leaf.shape) for leaf in self.leaves]

    def derivative(self) -> list[Array]:
        _, _, w2, _, x, _ = self.leaves + self.constants
        v1, c1, v2, c2 = self.vectors
        h, difference = self.forward()[1]
        scale = 2 / difference.size
        slope = 1 - h * h
        # Each quantity of the gradient, and its derivative along the vectors.
        th = slope * (x @ v1 + c1)
        g, tg = scale * difference, scale * (th @ w2 + h @ v2 + c2)
        gh = g @ w2.T
        tgz = (tg @ w2.T + g @ v2.T) * slope - 2 * gh * h * th
        return [x.T @ tgz, tgz.sum(axis=0), th.T @ g + h.T @ tg, tg.sum(axis=0)]


class Network(Workload):
    """The Hessian of a likelihood in all parameters of a small network, which stand in one vector.

    They are the weights and biases of two layers and the logarithm of the noise: ``inputs * hidden + 2 * hidden + 2``.
    """

    operations = 1
    transform = "hessian"

    def __init__(self, samples: int = 32, inputs: int = 6, hidden: int = 6) -> None:
        self.inputs, self.hidden, self.samples = inputs, hidden, samples
        size = (inputs + 2) * hidden + 2
        self.title = f"Hessian in {size} parameters: network {inputs}-{hidden}-1 and its noise, {samples} samples"
        draw = np.random.default_rng(0)
        self.leaves = [draw.normal(size=size) / inputs**0.5]
        self.constants = [draw.normal(size=(samples, inputs)), draw.normal(size=samples)]

    def _parts(self, p: Any, reshape: Callable[..., Any]) -> tuple[Any, ...]:
        n, m = self.inputs, self.hidden
        return (
            reshape(p[: n * m], (n, m)),
            p[n * m : (n + 1) * m],
            p[(n + 1) * m : (n + 2) * m],
            p[(n + 2) * m],
            p[(n + 2) * m + 1],
        )

    def function(self, xp: Any, *arrays: Any) -> Any:
        p, x, y = arrays
        w, b, v, c, s = self._parts(p, xp.reshape)
        r = xp.tanh(x @ w + b) @ v + c - y
        return 0.5 * xp.exp(-2.0 * s) * xp.sum(r * r) + self.samples * s

    def derivative(self) -> list[Array]:
        p, x, y = self.leaves + self.constants
        w, b, v, c, s = self._parts(p, np.reshape)
        h = np.tanh(x @ w + b)
        r = h @ v + c - y
        dh, ddh = 1 - h * h, -2 * h * (1 - h * h)
        ones = np.ones((len(x), 1))
        # The rows of x with a one, which go with w and b; the Jacobian of the residuals, and what curves them.
        inner = np.concatenate([x, ones], axis=1)
        jacobian = np.concatenate(
            [(inner[:, :, None] * (dh * v)[:, None, :]).reshape(len(x), -1), h, ones, 0 * ones], axis=1
        )
        out = jacobian.T @ jacobian
        m, k = self.hidden, inner.shape[1]
        for j in range(m):
            own = np.arange(k) * m + j
            out[np.ix_(own, own)] += inner.T @ (inner * (r * ddh[:, j] * v[j])[:, None])
            mixed = inner.T @ (r * dh[:, j])
            out[own, k * m + j] += mixed
            out[k * m + j, own] += mixed
        out[-1, :] = out[:, -1] = -2 * jacobian.T @ r
        out[-1, -1] = 2 * r @ r
        return [np.exp(-2 * s) * out]


class Logistic(Workload):
    """The Hessian of a logistic regression with a penalty: ten operations, of which none is large."""

    operations = 1
    transform = "hessian"

    def __init__(self, samples: int = 100, size: int = 50) -> None:
        self.title = f"Hessian in {size} parameters: logistic regression, {samples} samples"
        draw = np.random.default_rng(0)
        self.leaves = [draw.normal(size=size) / size**0.5]
        self.constants = [draw.normal(size=(samples, size)), np.sign(draw.normal(size=samples))]

    def function(self, xp: Any, *arrays: Any) -> Any:
        w, x, y = arrays
        return xp.sum(xp.log(1 + xp.exp(-y * (x @ w)))) + 0.5 * xp.sum(w * w)

    def derivative(self) -> list[Array]:
        w, x, y = self.leaves + self.constants
        p = 1 / (1 + np.exp(y * (x @ w)))
        return [x.T @ (x * (p * (1 - p))[:, None]) + np.eye(len(w))]


class Samples(Perceptron):
    """The gradients of a network's loss, for a batch or for each of its samples; the network is that of workload b."""

    operations = 1

    def __init__(self, transform: str, batch: int = 256, inputs: int = 16, hidden: int = 64, outputs: int = 8) -> None:
        super().__init__(batch, inputs, hidden, outputs)
        what = {"grad": "gradient of the batch", "samples": "gradients for each sample"}[transform]
        self.title = f"network {inputs}-{hidden}-{outputs} on {batch} samples, mean squared error: {what}"
        self.operations = 1
        self.transform = transform

    def derivative(self) -> list[Array]:
        if self.transform == "grad":
            return self.backward(self.forward()[1])
        _, _, w2, _, x, y = self.leaves + self.constants
        h, difference = self.forward()[1]
        g = difference * (2 / y.shape[1])
        gh = g @ w2.T
        gh -= gh * h * h
        return [x[:, :, None] * gh[:, None, :], gh, h[:, :, None] * g[:, None, :], g]


class Direction(Layers):
    """The derivative of a chain of operations along a direction: what is measured is the peak of memory."""

    transform = "jvp"

    def __init__(self, operations: int, elements: int = 250_000) -> None:
        super().__init__(operations // 2, elements)
        self.title = f"derivative along a direction of {operations} operations on {elements * 8 / 1e6:g} MB"

    def function(self, xp: Any, *arrays: Any) -> Any:
        x, w = arrays
        for _ in range(self.layers):
            x = xp.tanh(x * w)
        return x

    def derivative(self) -> list[Array]:
        x, w = self.leaves + self.constants
        t = np.ones_like(x)
        for _ in range(self.layers):
            x = np.tanh(x * w)
            t = t * w
            t -= t * x * x
        return [t]


_MAKERS: dict[str, tuple[Callable[[], Workload], Callable[[], Workload]]] = {
    "jacfwd": (lambda: Layer("jacfwd"), lambda: Layer("jacfwd", 4)),
    "jacrev": (lambda: Layer("jacrev"), lambda: Layer("jacrev", 4)),
    "h": (Curvature, lambda: Curvature(3, 4, 5, 2)),
    "i": (Products, lambda: Products(4)),
    "hessian": (Network, lambda: Network(4, 2, 3)),
    "hessian-logistic": (Logistic, lambda: Logistic(5, 3)),
    "gradient": (lambda: Samples("grad"), lambda: Samples("grad", 3, 4, 5, 2)),
    "gradients-of-samples": (lambda: Samples("samples"), lambda: Samples("samples", 3, 4, 5, 2)),
    "direction-short": (lambda: Direction(10), lambda: Direction(4, 10)),
    "direction": (lambda: Direction(1000), lambda: Direction(20, 10)),
}

NAMES: Sequence[str] = tuple(_MAKERS)
# Whole programs, from tiny operations to large matrices.
LETTERS: Sequence[str] = tuple("abcdefghijk")
TIMED: Sequence[str] = tuple(name for name in NAMES if not name.startswith("direction") and name not in LETTERS)


def make(name: str, *, small: bool = False) -> Workload:
    """The workload of that name, one of `NAMES` or of those of `benchmarks.models` and `benchmarks.workloads`."""
    makers = _MAKERS | models.MAKERS
    return makers[name][small]() if name in makers else workloads.make(name, small=small)


def able(name: str, engines: Sequence[str]) -> list[str]:
    """The engines that have what a workload asks for."""
    transform = make(name, small=True).transform
    return [
        engine
        for engine in engines
        if (transform is None or transform in ENGINES[engine].transforms) and name not in ENGINES[engine].lacks
    ]
