"""What is measured. The letters are those that the project's plans use.

A workload is written once for all engines, in names that NumPy, PyTorch and the Array API share, and once by hand: the
shortest NumPy code that computes the same gradient, against which every engine is checked before it is timed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = Any


class Workload:
    """A scalar function of some arrays.

    Attributes
    ----------
    title : str
        What it is, for the table.
    operations : int
        Number of recorded operations, by which times are divided.
    leaves : list of ndarray
        The arrays that need a gradient: the first arguments of `function`.
    constants : list
        Its other arguments, arrays or Python scalars.
    transform : str or None
        The transformation that is measured, see `benchmarks.transforms`; None for a gradient that is taken back.
    vectors : list of ndarray
        What a Hessian is multiplied by, where that is measured: one for each of `leaves`.
    """

    title: str
    operations: int
    leaves: list[Array]
    constants: list[Any]
    transform: str | None = None
    vectors: list[Array]

    def function(self, xp: Any, *arrays: Any) -> Any:
        """The scalar, in the names of `xp`."""
        raise NotImplementedError

    def jax_function(self, jax: Any, *arrays: Any) -> Any:
        """The scalar as users of JAX write it, where that is not `function`."""
        return self.function(jax.numpy, *arrays)

    def forward(self) -> tuple[Any, Any]:
        """The scalar by hand, and whatever `backward` needs."""
        raise NotImplementedError

    def backward(self, saved: Any) -> list[Array]:
        """The gradients of `leaves` by hand."""
        raise NotImplementedError

    def derivative(self) -> list[Array]:
        """What `transform` gives, by hand."""
        raise NotImplementedError


class Chain(Workload):
    """Steps ``sin(x * c + b)`` on few elements: what is measured is the engine.

    Parameters
    ----------
    steps : int
        Each is three operations.
    scalars : bool
        Whether c and b are Python scalars.
    differentiate : bool
        Whether c and b need gradients too.
    neutral : bool
        Take ``c = 1, b = 0``, for which the gradient of a long chain does not vanish.
    """

    def __init__(
        self,
        steps: int = 334,
        elements: int = 10,
        *,
        scalars: bool = False,
        differentiate: bool = False,
        neutral: bool = False,
    ) -> None:
        what = "scalars" if scalars else "arrays that need gradients" if differentiate else "constant arrays"
        self.title = f"{3 * steps} operations sin(x*c+b) on {elements} elements, c and b {what}"
        self.operations = 3 * steps
        self.steps = steps
        self.differentiate = differentiate
        x = np.linspace(0.1, 1.0, elements)
        factors: list[Any] = [1.001, 0.0001]
        if not scalars:
            factors = [np.linspace(0.999, 1.001, elements), np.linspace(0.0, 0.0001, elements)]
        if neutral:
            factors = [np.ones(elements), np.zeros(elements)]
        self.leaves = [x, *factors] if differentiate else [x]
        self.constants = [] if differentiate else factors

    def function(self, xp: Any, *arrays: Any) -> Any:
        x, c, b = arrays
        for _ in range(self.steps):
            x = xp.sin(x * c + b)
        return xp.sum(x)

    def forward(self) -> tuple[Any, Any]:
        x, c, b = self.leaves + self.constants
        saved = []
        for _ in range(self.steps):
            u = x * c + b
            saved.append((x, u))
            x = np.sin(u)
        return x.sum(), saved

    def backward(self, saved: Any) -> list[Array]:
        x, c, _ = self.leaves + self.constants
        g = np.ones_like(x)
        if not self.differentiate:
            for _, u in reversed(saved):
                g = g * np.cos(u) * c
            return [g]
        gb = np.zeros_like(x)
        gc = np.zeros_like(x)
        for x, u in reversed(saved):
            g = g * np.cos(u)
            gb += g
            gc += g * x
            g = g * c
        return [g, gc, gb]


class Perceptron(Workload):
    """A step of a small network: matrix products, broadcast biases, a mean of squares."""

    def __init__(self, batch: int = 32, inputs: int = 16, hidden: int = 64, outputs: int = 8) -> None:
        self.title = f"network {inputs}-{hidden}-{outputs} on {batch} samples, mean squared error"
        self.operations = 8
        draw = np.random.default_rng(0)
        self.leaves = [
            draw.normal(size=(inputs, hidden)) / inputs**0.5,
            draw.normal(size=hidden),
            draw.normal(size=(hidden, outputs)) / hidden**0.5,
            draw.normal(size=outputs),
        ]
        self.constants = [draw.normal(size=(batch, inputs)), draw.normal(size=(batch, outputs))]

    def function(self, xp: Any, *arrays: Any) -> Any:
        w1, b1, w2, b2, x, y = arrays
        difference = xp.tanh(x @ w1 + b1) @ w2 + b2 - y
        return xp.mean(difference * difference)

    def forward(self) -> tuple[Any, Any]:
        w1, b1, w2, b2, x, y = self.leaves + self.constants
        h = np.tanh(x @ w1 + b1)
        difference = h @ w2 + b2 - y
        return (difference * difference).mean(), (h, difference)

    def backward(self, saved: Any) -> list[Array]:
        _, _, w2, _, x, _ = self.leaves + self.constants
        h, difference = saved
        g = difference * (2 / difference.size)
        gh = g @ w2.T
        gh -= gh * h * h
        return [x.T @ gh, gh.sum(axis=0), h.T @ g, g.sum(axis=0)]


class Layers(Workload):
    """Layers ``tanh(x * w)`` of large arrays: what is measured is the peak of memory."""

    def __init__(self, layers: int = 50, elements: int = 1_000_000) -> None:
        self.title = f"{layers} layers tanh(x*w) of {elements * 8 / 1e6:g} MB"
        self.operations = 2 * layers
        self.layers = layers
        self.leaves = [np.linspace(-1.0, 1.0, elements)]
        self.constants = [np.linspace(0.9, 1.1, elements)]

    def function(self, xp: Any, *arrays: Any) -> Any:
        x, w = arrays
        for _ in range(self.layers):
            x = xp.tanh(x * w)
        return xp.sum(x)

    def forward(self) -> tuple[Any, Any]:
        x, w = self.leaves + self.constants
        saved = []
        for _ in range(self.layers):
            x = np.tanh(x * w)
            saved.append(x)
        return x.sum(), saved

    def backward(self, saved: Any) -> list[Array]:
        (w,) = self.constants
        g = np.ones_like(w)
        while saved:
            x = saved.pop()
            g = (g - g * x * x) * w
        return [g]


class Slices(Workload):
    """Sums of squares of disjoint slices: what is measured is whether a slice costs more than what it touches.

    Parameters
    ----------
    elements : int
        Of the array.
    width : int
        Elements of a slice.
    slices : int
    """

    def __init__(self, elements: int, width: int, slices: int = 200) -> None:
        self.title = f"{slices} slices of {width} elements from {elements}, sums of squares"
        self.operations = 4 * slices
        step = elements // slices
        self.places = [slice(i * step, i * step + width) for i in range(slices)]
        self.leaves = [np.linspace(0.1, 1.0, elements)]
        self.constants = []

    def function(self, xp: Any, *arrays: Any) -> Any:
        (x,) = arrays
        total = 0.0
        for place in self.places:
            piece = x[place]
            total = total + xp.sum(piece * piece)
        return total

    def forward(self) -> tuple[Any, Any]:
        (x,) = self.leaves
        pieces = [x[place] for place in self.places]
        total = 0.0
        for piece in pieces:
            total = total + np.sum(piece * piece)
        return total, pieces

    def backward(self, saved: Any) -> list[Array]:
        g = np.zeros_like(self.leaves[0])
        for place, piece in zip(self.places, saved, strict=True):
            g[place] += piece + piece
        return [g]


class Common(Workload):
    """One function that is in every program, and a sum where it gives no scalar.

    Parameters
    ----------
    name : str
        One of `COMMON`.
    elements : int
        Of each argument; of matrices about as many.
    """

    def __init__(self, name: str, elements: int) -> None:
        self.title = f"{name} of {elements} elements"
        self.operations = 1 if name == "sum" else 2
        self.name = name
        self.elements = elements
        x = np.linspace(0.1, 1.0, elements)
        side = math.isqrt(elements)
        matrix = np.linspace(0.1, 1.0, side * side).reshape(side, side)
        self.leaves = [matrix, matrix + 1] if name == "matmul" else [x]
        self.constants = []

    def function(self, xp: Any, *arrays: Any) -> Any:
        out = self._call(xp, *arrays)
        return out if self.name == "sum" else xp.sum(out)

    def _call(self, xp: Any, *arrays: Any) -> Any:
        x, *_ = arrays
        if self.name == "getitem":
            return x[self._place]
        if self.name == "reshape":
            return xp.reshape(x, (-1, 2))
        return getattr(xp, self.name)(*arrays)

    @property
    def _place(self) -> slice:
        return slice(self.elements // 5, self.elements // 2)

    def forward(self) -> tuple[Any, Any]:
        out = self._call(np, *self.leaves)
        return np.sum(out), out

    def backward(self, saved: Any) -> list[Array]:
        x, *_ = self.leaves
        if self.name == "exp":
            return [saved]
        if self.name == "matmul":
            _, other = self.leaves
            ones = np.ones_like(saved)
            return [ones @ other.T, x.T @ ones]
        if self.name == "getitem":
            g = np.zeros_like(x)
            g[self._place] = 1.0
            return [g]
        return [np.ones_like(x)]


COMMON: Sequence[str] = ("sum", "matmul", "exp", "getitem", "reshape")
SIZES: Sequence[int] = (10, 1_000_000)


def common(name: str, elements: int) -> str:
    """The name of the workload of a common function."""
    return f"{name}-{elements}"


def _common(name: str, elements: int) -> tuple[Callable[[], Workload], Callable[[], Workload]]:
    return (lambda: Common(name, elements)), (lambda: Common(name, 10))


# Name to the workload in full size, and to one that is small enough to warm up with and for a test.
_MAKERS: dict[str, tuple[Callable[[], Workload], Callable[[], Workload]]] = {
    "chain": (Chain, lambda: Chain(steps=5)),
    "chain-scalars": (lambda: Chain(scalars=True), lambda: Chain(steps=5, scalars=True)),
    "chain-gradients": (lambda: Chain(differentiate=True), lambda: Chain(steps=5, differentiate=True)),
    "b": (Perceptron, lambda: Perceptron(3, 4, 5, 2)),
    "deep": (lambda: Chain(steps=333_334, neutral=True), lambda: Chain(steps=20, neutral=True)),
    "l": (Layers, lambda: Layers(layers=3, elements=10)),
    # All of an array, and the same few elements of a large and of a smaller one.
    "slices": (lambda: Slices(1_000_000, 5_000), lambda: Slices(100, 5, 20)),
    "slices-few": (lambda: Slices(1_000_000, 50), lambda: Slices(100, 2, 20)),
    "slices-smaller": (lambda: Slices(100_000, 50), lambda: Slices(40, 2, 20)),
    **{common(name, elements): _common(name, elements) for name in COMMON for elements in SIZES},
}

TIMED: Sequence[str] = (
    *("chain", "chain-scalars", "chain-gradients", "b", "slices", "slices-few", "slices-smaller"),
    *(common(name, elements) for name in COMMON for elements in SIZES),
)
NAMES: Sequence[str] = tuple(_MAKERS)


def make(name: str, *, small: bool = False) -> Workload:
    """The workload of that name, one of `NAMES`."""
    return _MAKERS[name][small]()
