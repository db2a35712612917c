"""Programs that people write, each with its gradient by hand: networks, a recurrence, an integrator, a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.workloads import Array, Workload


class Tiny(Workload):
    """Operations on four elements in turn: a product, a sine, a sum, a hyperbolic tangent.

    Parameters
    ----------
    rounds : int
        Of four operations each.
    """

    def __init__(self, rounds: int = 250) -> None:
        self.title = f"{4 * rounds} operations *, sin, +, tanh on 4 elements"
        self.operations = 4 * rounds
        self.rounds = rounds
        self.leaves = [np.linspace(0.1, 1.0, 4)]
        self.constants = [np.linspace(1.2, 1.4, 4), np.linspace(0.1, 0.2, 4)]

    def function(self, xp: Any, *arrays: Any) -> Any:
        x, a, b = arrays
        for _ in range(self.rounds):
            x = xp.tanh(xp.sin(x * a) + b)
        return xp.sum(x)

    def forward(self) -> tuple[Any, Any]:
        x, a, b = self.leaves + self.constants
        saved = []
        for _ in range(self.rounds):
            u = x * a
            x = np.tanh(np.sin(u) + b)
            saved.append((u, x))
        return x.sum(), saved

    def backward(self, saved: Any) -> list[Array]:
        a, _ = self.constants
        g = np.ones_like(a)
        for u, x in reversed(saved):
            g = (g - g * x * x) * np.cos(u) * a
        return [g]


class Classifier(Workload):
    """A network of three layers and its cross entropy: three large matrix products.

    Parameters
    ----------
    batch : int
    sizes : sequence of int
        Inputs, two hidden layers, classes.
    dtype : str
    """

    def __init__(self, batch: int = 128, sizes: Sequence[int] = (784, 512, 512, 10), dtype: str = "float32") -> None:
        self.title = f"network {'-'.join(map(str, sizes))} on {batch} samples in {dtype}, cross entropy"
        self.operations = 14
        draw = np.random.default_rng(0)
        self.leaves = []
        for n, m in pairwise(sizes):
            self.leaves += [(draw.normal(size=(n, m)) / n**0.5).astype(dtype), np.zeros(m, dtype)]
        x = draw.normal(size=(batch, sizes[0])).astype(dtype)
        y = np.eye(sizes[-1], dtype=dtype)[draw.integers(sizes[-1], size=batch)]
        self.constants = [x, y]

    def function(self, xp: Any, *arrays: Any) -> Any:
        w1, b1, w2, b2, w3, b3, x, y = arrays
        z = xp.tanh(xp.tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3
        log_sum = xp.log(xp.sum(xp.exp(z), axis=1, keepdims=True))
        return xp.sum(y * (log_sum - z)) / x.shape[0]

    def forward(self) -> tuple[Any, Any]:
        w1, b1, w2, b2, w3, b3, x, y = self.leaves + self.constants
        h1 = np.tanh(x @ w1 + b1)
        h2 = np.tanh(h1 @ w2 + b2)
        z = h2 @ w3 + b3
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        return (y * (np.log(total) - z)).sum() / len(x), (h1, h2, e / total)

    def backward(self, saved: Any) -> list[Array]:
        _, _, w2, _, w3, _, x, y = self.leaves + self.constants
        h1, h2, p = saved
        g3 = (p - y) / len(x)
        g2 = g3 @ w3.T
        g2 -= g2 * h2 * h2
        g1 = g2 @ w2.T
        g1 -= g1 * h1 * h1
        return [x.T @ g1, g1.sum(axis=0), h1.T @ g2, g2.sum(axis=0), h2.T @ g3, g3.sum(axis=0)]


class Elementwise(Workload):
    """Twelve operations on large arrays, of which none needs its neighbours: memory is what is measured."""

    def __init__(self, elements: int = 4_000_000) -> None:
        self.title = f"12 elementwise operations on two arrays of {elements * 8 / 1e6:g} MB"
        self.operations = 12
        self.leaves = [np.linspace(0.1, 1.0, elements), np.linspace(-1.0, 1.0, elements)]
        self.constants = []

    def function(self, xp: Any, *arrays: Any) -> Any:
        x, y = arrays
        u = xp.tanh(x * y + x)
        v = xp.log(u * u + x)
        w = (v - y) * u + v * x
        return xp.sum(w * w)

    def forward(self) -> tuple[Any, Any]:
        x, y = self.leaves
        u = np.tanh(x * y + x)
        s = u * u + x
        v = np.log(s)
        w = (v - y) * u + v * x
        return (w * w).sum(), (u, s, v, w)

    def backward(self, saved: Any) -> list[Array]:
        x, y = self.leaves
        u, s, v, w = saved
        gw = w + w
        gs = gw * (u + x) / s
        gu = gw * (v - y) + gs * (u + u)
        gt = gu - gu * u * u
        return [gw * v + gs + gt * y + gt, gt * x - gw * u]


class Recurrent(Workload):
    """A long short-term memory over a sequence, whose outputs are summed in squares.

    Parameters
    ----------
    steps, batch, inputs, hidden : int
    """

    def __init__(self, steps: int = 100, batch: int = 16, inputs: int = 16, hidden: int = 32) -> None:
        self.title = f"LSTM of {steps} steps, {inputs}-{hidden}, {batch} sequences"
        self.operations = 22 * steps
        self.steps, self.hidden = steps, hidden
        draw = np.random.default_rng(0)
        self.leaves = [
            draw.normal(size=(inputs, 4 * hidden)) / inputs**0.5,
            draw.normal(size=(hidden, 4 * hidden)) / hidden**0.5,
            draw.normal(size=4 * hidden),
        ]
        self.constants = [draw.normal(size=(steps, batch, inputs)), np.zeros((batch, hidden))]

    def function(self, xp: Any, *arrays: Any) -> Any:
        wx, wh, b, xs, zero = arrays
        n = self.hidden
        h = c = zero
        total = 0.0
        for t in range(self.steps):
            z = xs[t] @ wx + h @ wh + b
            i, f, o = (1 / (1 + xp.exp(-z[:, k * n : (k + 1) * n])) for k in range(3))
            c = f * c + i * xp.tanh(z[:, 3 * n :])
            h = o * xp.tanh(c)
            total = total + xp.sum(h * h)
        return total

    def forward(self) -> tuple[Any, Any]:
        wx, wh, b, xs, zero = self.leaves + self.constants
        n = self.hidden
        h = c = zero
        total = 0.0
        saved = []
        for t in range(self.steps):
            z = xs[t] @ wx + h @ wh + b
            gates = 1 / (1 + np.exp(-z[:, : 3 * n]))
            i, f, o = gates[:, :n], gates[:, n : 2 * n], gates[:, 2 * n :]
            u = np.tanh(z[:, 3 * n :])
            before = h, c
            c = f * c + i * u
            r = np.tanh(c)
            h = o * r
            total = total + (h * h).sum()
            saved.append((*before, gates, u, r, h))
        return total, saved

    def backward(self, saved: Any) -> list[Array]:
        wx, wh, b, xs, zero = self.leaves + self.constants
        n = self.hidden
        gwx, gwh, gb = np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(b)
        gh, gc = np.zeros_like(zero), np.zeros_like(zero)
        g = np.empty((len(zero), 4 * n))
        for t, (h0, c0, gates, u, r, h) in zip(reversed(range(self.steps)), reversed(saved), strict=True):
            i, f, o = gates[:, :n], gates[:, n : 2 * n], gates[:, 2 * n :]
            gh = gh + h + h
            gc = gc + gh * o * (1 - r * r)
            g[:, :n], g[:, n : 2 * n], g[:, 2 * n : 3 * n] = gc * u, gc * c0, gh * r
            g[:, : 3 * n] *= gates - gates * gates
            g[:, 3 * n :] = gc * i * (1 - u * u)
            gwx += xs[t].T @ g
            gwh += h0.T @ g
            gb += g.sum(axis=0)
            gh = g @ wh.T
            gc = gc * f
        return [gwx, gwh, gb]


class Regression(Workload):
    """A logistic regression on many samples: two products of a large matrix with a vector."""

    def __init__(self, samples: int = 200_000, size: int = 100) -> None:
        self.title = f"logistic regression on {samples} samples of {size}"
        self.operations = 6
        draw = np.random.default_rng(0)
        self.leaves = [draw.normal(size=size) / size**0.5]
        self.constants = [draw.normal(size=(samples, size)), np.sign(draw.normal(size=samples))]

    def function(self, xp: Any, *arrays: Any) -> Any:
        w, x, y = arrays
        return xp.sum(xp.log(1 + xp.exp(-y * (x @ w)))) / x.shape[0]

    def forward(self) -> tuple[Any, Any]:
        w, x, y = self.leaves + self.constants
        e = np.exp(-y * (x @ w))
        return np.log(1 + e).sum() / len(x), e

    def backward(self, saved: Any) -> list[Array]:
        x, y = self.constants
        return [(y * (saved / (1 + saved)) / -len(x)) @ x]


class Pieces(Workload):
    """Slices and gathers of one array: what an index costs on either way.

    Parameters
    ----------
    elements, slices, takes : int
    """

    def __init__(self, elements: int = 10_000, slices: int = 200, takes: int = 50) -> None:
        self.title = f"{slices} slices and {takes} takes of {elements} elements"
        self.operations = 3 * (slices + takes)
        step = elements // slices
        self.places = [slice(k * step, (k + 1) * step) for k in range(slices)]
        draw = np.random.default_rng(0)
        self.leaves = [np.linspace(0.1, 1.0, elements)]
        self.constants = [draw.integers(elements, size=step) for _ in range(takes)]

    def function(self, xp: Any, *arrays: Any) -> Any:
        x, *indices = arrays
        total = 0.0
        for place in [*self.places, *indices]:
            piece = x[place]
            total = total + xp.sum(piece * piece)
        return total

    def forward(self) -> tuple[Any, Any]:
        (x,) = self.leaves
        pieces = [x[place] for place in [*self.places, *self.constants]]
        return sum((piece * piece).sum() for piece in pieces), pieces

    def backward(self, saved: Any) -> list[Array]:
        g = np.zeros_like(self.leaves[0])
        for place, piece in zip(self.places, saved, strict=False):
            g[place] += piece + piece
        for indices, piece in zip(self.constants, saved[len(self.places) :], strict=True):
            np.add.at(g, indices, piece + piece)
        return [g]


class Pendulums(Workload):
    """Damped pendulums, integrated by the classical method of Runge and Kutta, and where they end up.

    Parameters
    ----------
    steps : int
    count : int
        Pendulums.
    step : float
        In time.
    """

    def __init__(self, steps: int = 500, count: int = 4, step: float = 0.01) -> None:
        self.title = f"{steps} steps of Runge and Kutta for {count} pendulums"
        self.operations = 38 * steps
        self.steps, self.step = steps, step
        self.leaves = [np.linspace(0.9, 1.1, count), np.linspace(0.1, 0.2, count)]
        self.constants = [np.linspace(0.5, 1.5, count), np.zeros(count)]

    @staticmethod
    def _force(xp: Any, q: Any, p: Any, stiffness: Any, damping: Any) -> Any:
        return -stiffness * xp.sin(q) - damping * p

    def _advance(self, xp: Any, state: Any, stiffness: Any, damping: Any) -> Any:
        (q, p), dt = state, self.step
        k1, l1 = p, self._force(xp, q, p, stiffness, damping)
        k2 = p + (dt / 2) * l1
        l2 = self._force(xp, q + (dt / 2) * k1, k2, stiffness, damping)
        k3 = p + (dt / 2) * l2
        l3 = self._force(xp, q + (dt / 2) * k2, k3, stiffness, damping)
        k4 = p + dt * l3
        l4 = self._force(xp, q + dt * k3, k4, stiffness, damping)
        return q + (dt / 6) * (k1 + 2 * k2 + 2 * k3 + k4), p + (dt / 6) * (l1 + 2 * l2 + 2 * l3 + l4)

    def function(self, xp: Any, *arrays: Any) -> Any:
        stiffness, damping, *state = arrays
        for _ in range(self.steps):
            state = self._advance(xp, state, stiffness, damping)
        return xp.sum(state[0] * state[0])

    def jax_function(self, jax: Any, *arrays: Any) -> Any:
        """With a loop of JAX's own: unrolled, it compiles for minutes."""
        stiffness, damping, *state = arrays

        def advance(state: Any, _: Any) -> Any:
            return self._advance(jax.numpy, state, stiffness, damping), None

        (q, _), _ = jax.lax.scan(advance, tuple(state), length=self.steps)
        return jax.numpy.sum(q * q)

    def forward(self) -> tuple[Any, Any]:
        stiffness, damping, q, p = self.leaves + self.constants
        dt = self.step
        saved = []
        for _ in range(self.steps):
            q1, k1 = q, p
            l1 = self._force(np, q1, k1, stiffness, damping)
            q2, k2 = q + (dt / 2) * k1, p + (dt / 2) * l1
            l2 = self._force(np, q2, k2, stiffness, damping)
            q3, k3 = q + (dt / 2) * k2, p + (dt / 2) * l2
            l3 = self._force(np, q3, k3, stiffness, damping)
            q4, k4 = q + dt * k3, p + dt * l3
            l4 = self._force(np, q4, k4, stiffness, damping)
            saved.append((q1, k1, q2, k2, q3, k3, q4, k4))
            q = q + (dt / 6) * (k1 + 2 * k2 + 2 * k3 + k4)
            p = p + (dt / 6) * (l1 + 2 * l2 + 2 * l3 + l4)
        return (q * q).sum(), (saved, q)

    def backward(self, saved: Any) -> list[Array]:
        stiffness, damping = self.leaves
        dt = self.step
        stages, q = saved
        gq, gp = q + q, np.zeros_like(q)
        gs, gd = np.zeros_like(q), np.zeros_like(q)

        def pulled(gk: Array, gl: Array, q: Array, p: Array) -> tuple[Array, Array]:
            gs.__isub__(np.sin(q) * gl)
            gd.__isub__(p * gl)
            return -stiffness * np.cos(q) * gl, gk - damping * gl

        for q1, k1, q2, k2, q3, k3, q4, k4 in reversed(stages):
            outer, inner = ((dt / 6) * gq, (dt / 6) * gp), ((dt / 3) * gq, (dt / 3) * gp)
            a4, b4 = pulled(*outer, q4, k4)
            a3, b3 = pulled(inner[0] + dt * a4, inner[1] + dt * b4, q3, k3)
            a2, b2 = pulled(inner[0] + (dt / 2) * a3, inner[1] + (dt / 2) * b3, q2, k2)
            a1, b1 = pulled(outer[0] + (dt / 2) * a2, outer[1] + (dt / 2) * b2, q1, k1)
            gq, gp = gq + a1 + a2 + a3 + a4, gp + b1 + b2 + b3 + b4
        return [gs, gd]


class Process(Workload):
    """The likelihood of a Gaussian process, differentiated in the logarithms of its three parameters.

    The gradient by hand is that of Rasmussen and Williams, Gaussian Processes for Machine Learning, equation 5.9.
    """

    def __init__(self, points: int = 500) -> None:
        self.title = f"likelihood of a Gaussian process on {points} points"
        self.operations = 18
        draw = np.random.default_rng(0)
        x = np.linspace(0.0, 10.0, points)
        self.leaves = [np.log(np.asarray([1.5, 1.2, 0.3]))]
        self.constants = [(x[:, None] - x) ** 2, np.sin(x) + 0.3 * draw.normal(size=points), np.eye(points)]

    def function(self, xp: Any, *arrays: Any) -> Any:
        p, distances, y, eye = arrays
        p = xp.exp(p)
        k = p[1] * xp.exp(distances * (-0.5 / (p[0] * p[0]))) + p[2] * eye
        factor = xp.linalg.cholesky(k)
        return 0.5 * xp.sum(y * xp.linalg.solve(k, y)) + xp.sum(xp.log(xp.sum(factor * eye, axis=1)))

    def forward(self) -> tuple[Any, Any]:
        p, distances, y, eye = self.leaves + self.constants
        p = np.exp(p)
        smooth = p[1] * np.exp(distances * (-0.5 / (p[0] * p[0])))
        k = smooth + p[2] * eye
        factor = np.linalg.cholesky(k)
        alpha = np.linalg.solve(k, y)
        return 0.5 * y @ alpha + np.log(np.diagonal(factor)).sum(), (p, smooth, k, alpha)

    def backward(self, saved: Any) -> list[Array]:
        _, distances, *_ = self.leaves + self.constants
        p, smooth, k, alpha = saved
        inner = 0.5 * (np.linalg.inv(k) - alpha[:, None] * alpha)
        weighted = inner * smooth
        return [np.stack([(weighted * distances).sum() / p[0] ** 2, weighted.sum(), p[2] * np.trace(inner)])]


# Name to the workload in full size, and to one that is small enough to warm up with and for a test.
MAKERS: dict[str, tuple[Callable[[], Workload], Callable[[], Workload]]] = {
    "a": (Tiny, lambda: Tiny(3)),
    "c": (Classifier, lambda: Classifier(3, (4, 5, 6, 2), "float64")),
    "d": (Elementwise, lambda: Elementwise(10)),
    "e": (Recurrent, lambda: Recurrent(3, 2, 3, 2)),
    "f": (Regression, lambda: Regression(5, 3)),
    "g": (Pieces, lambda: Pieces(40, 4, 3)),
    "j": (Pendulums, lambda: Pendulums(3, 2, 0.2)),
    "k": (Process, lambda: Process(5)),
}
