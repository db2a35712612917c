"""What is counted on CuPy and timed on a GPU: each step with agnograd, by hand in CuPy, in PyTorch and in JAX.

A workload makes its arrays as NumPy's; each of its four functions takes them in its own library and returns the loss
and the new parameters or gradients. The one by hand is what a user of CuPy would write without a library for gradients.
`MODELS` are workloads that are timed on NumPy, too: their code by hand is the same there and here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from benchmarks import models
from benchmarks.workloads import Perceptron
from benchmarks.workloads import Workload as Model

Array = Any
Step = Callable[..., Any]

RATE = 0.1


@dataclass(frozen=True)
class Workload:
    """One step of a computation.

    Attributes
    ----------
    name : str
    make : callable
        ``make(size)``: parameters and constants.
    small, large : int
        Sizes for counting and for timing.
    loss : callable
        ``loss(xp, parameters, *constants)`` in names of the Array API standard.
    by_hand : callable
        ``by_hand(cp, parameters, *constants)``, loss and gradients, in place where that can be.
    descends : bool
        Whether the step ends in new parameters.
    """

    name: str
    make: Callable[[int], tuple[list[Array], list[Array]]]
    small: int
    large: int
    loss: Step
    by_hand: Step
    descends: bool = False


def _finish(workload: Workload, value: Any, parameters: Sequence[Any], gradients: Sequence[Any]) -> tuple[Any, ...]:
    if workload.descends:
        gradients = [p - RATE * g for p, g in zip(parameters, gradients, strict=True)]
    return (value, *gradients)


# -- a network ---------------------------------------------------------------------------------------------------------


def _network(size: int) -> tuple[list[Array], list[Array]]:
    draw = np.random.default_rng(0)
    inputs, hidden, outputs = size, size, max(size // 8, 2)
    parameters = [
        draw.normal(size=(inputs, hidden)) / inputs**0.5,
        draw.normal(size=hidden),
        draw.normal(size=(hidden, outputs)) / hidden**0.5,
        draw.normal(size=outputs),
    ]
    return parameters, [draw.normal(size=(2 * size, inputs)), draw.normal(size=(2 * size, outputs))]


def _network_loss(xp: Any, parameters: Sequence[Any], x: Any, y: Any) -> Any:
    w1, b1, w2, b2 = parameters
    h = xp.tanh(xp.matmul(x, w1) + b1)
    return xp.mean((xp.matmul(h, w2) + b2 - y) ** 2)


def _network_by_hand(cp: Any, parameters: Sequence[Any], x: Any, y: Any) -> Any:
    w1, b1, w2, b2 = parameters
    h = x @ w1
    h += b1
    cp.tanh(h, out=h)
    difference = h @ w2
    difference += b2
    difference -= y
    value = cp.mean(difference * difference)
    difference *= 2 / difference.size
    gh = difference @ w2.T
    h_t = h.T
    gw2 = h_t @ difference
    h *= h
    cp.subtract(1.0, h, out=h)
    gh *= h
    return value, [x.T @ gh, gh.sum(axis=0), gw2, difference.sum(axis=0)]


# -- a chain of elementwise operations ---------------------------------------------------------------------------------

STEPS = 50


def _chain(size: int) -> tuple[list[Array], list[Array]]:
    return [np.linspace(-1.0, 1.0, size)], [np.linspace(0.9, 1.1, size)]


def _chain_loss(xp: Any, parameters: Sequence[Any], c: Any) -> Any:
    (x,) = parameters
    for _ in range(STEPS):
        x = xp.sin(x * c)
    return xp.sum(x)


def _chain_by_hand(cp: Any, parameters: Sequence[Any], c: Any) -> Any:
    (x,) = parameters
    saved = []
    for _ in range(STEPS):
        u = x * c
        saved.append(u)
        x = cp.sin(u)
    g = cp.ones_like(x)
    for u in reversed(saved):
        cp.cos(u, out=u)
        g *= u
        g *= c
    return cp.sum(x), [g]


# -- a classifier ------------------------------------------------------------------------------------------------------

CLASSES = 10


def _classifier(size: int) -> tuple[list[Array], list[Array]]:
    draw = np.random.default_rng(1)
    parameters = [draw.normal(size=(size, CLASSES)), draw.normal(size=CLASSES)]
    return parameters, [draw.normal(size=(4 * size, size)), draw.integers(0, CLASSES, size=(4 * size, 1))]


def _classifier_loss(xp: Any, parameters: Sequence[Any], x: Any, labels: Any) -> Any:
    w, b = parameters
    return -xp.mean(xp.take_along_axis(xp.log_softmax(xp.matmul(x, w) + b, axis=-1), labels, axis=-1))


def _classifier_by_hand(cp: Any, parameters: Sequence[Any], x: Any, labels: Any) -> Any:
    w, b = parameters
    z = x @ w
    z += b
    z -= z.max(axis=-1, keepdims=True)
    e = cp.exp(z)
    total = e.sum(axis=-1, keepdims=True)
    z -= cp.log(total)
    value = -cp.take_along_axis(z, labels, axis=-1).mean()
    e /= total
    rows = cp.arange(len(x))
    e[rows, labels[:, 0]] -= 1.0
    e /= len(x)
    return value, [x.T @ e, e.sum(axis=0)]


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("network", _network, 16, 1024, _network_loss, _network_by_hand, descends=True),
        Workload("chain", _chain, 256, 1 << 22, _chain_loss, _chain_by_hand),
        Workload("classifier", _classifier, 16, 512, _classifier_loss, _classifier_by_hand),
    )
}


# -- programs that are timed on NumPy, too -----------------------------------------------------------------------------


def _as_on_cupy(method: Callable[..., Any], cp: Any) -> Callable[..., Any]:
    """Code by hand with CuPy's functions in the place of NumPy's, which have the same names."""
    scope = {**method.__globals__, "np": cp}
    return FunctionType(method.__code__, scope, method.__name__, method.__defaults__, method.__closure__)


def _model(name: str, model: Model) -> Workload:
    """The workload of a model, of the one size that it has: it is counted, and not timed."""
    kind = type(model)

    def with_arrays(parameters: Sequence[Any], constants: Sequence[Any]) -> Model:
        found = copy(model)
        found.leaves, found.constants = list(parameters), list(constants)
        return found

    def by_hand(cp: Any, parameters: Sequence[Any], *constants: Any) -> Any:
        found = with_arrays(parameters, constants)
        value, saved = _as_on_cupy(kind.forward, cp)(found)
        return value, _as_on_cupy(kind.backward, cp)(found, saved)

    return Workload(
        name,
        lambda _: (model.leaves, model.constants),
        0,
        0,
        lambda xp, parameters, *constants: model.function(xp, *parameters, *constants),
        by_hand,
    )


MODELS = {
    workload.name: workload
    for workload in (
        _model("tiny operations", models.Tiny(25)),
        _model("perceptron", Perceptron(8, 4, 6, 3)),
        _model("large network", models.Classifier(16, (24, 16, 16, 10), "float64")),
        _model("elementwise", models.Elementwise(256)),
        _model("recurrence", models.Recurrent(20, 4, 4, 8)),
        _model("regression", models.Regression(200, 10)),
        _model("pieces", models.Pieces(400, 40, 10)),
        _model("pendulums", models.Pendulums(10)),
        _model("process", models.Process(20)),
    )
}


EVERY = {**WORKLOADS, **MODELS}


# -- in each library ---------------------------------------------------------------------------------------------------


def with_agnograd(workload: Workload, arrays: Callable[[Array], Any], size: int) -> Callable[[], Any]:
    """The step with agnograd, on arrays that `arrays` makes of NumPy's."""
    import agnograd as ag

    parameters, constants = ([arrays(x) for x in xs] for xs in workload.make(size))
    derivative = ag.value_and_grad(lambda p: workload.loss(ag, p, *constants))

    def step() -> Any:
        value, gradients = derivative(parameters)
        return _finish(workload, value, parameters, gradients)

    return step


def compiled(workload: Workload, arrays: Callable[[Array], Any], size: int) -> Callable[[], Any]:
    """The step with agnograd, compiled as a whole."""
    import agnograd as ag

    parameters, constants = ([arrays(x) for x in xs] for xs in workload.make(size))

    @ag.compile
    def step(p: Any, *rest: Any) -> Any:
        value, gradients = ag.value_and_grad(lambda p: workload.loss(ag, p, *rest))(p)
        return _finish(workload, value, p, gradients)

    return lambda: step(parameters, *constants)


def curvature(workload: Workload, arrays: Callable[[Array], Any], size: int) -> Callable[[], Any]:
    """The product of the Hessian with the parameters themselves, by agnograd: second derivatives."""
    import agnograd as ag

    parameters, constants = ([arrays(x) for x in xs] for xs in workload.make(size))
    return lambda: ag.hvp(lambda p: workload.loss(ag, p, *constants), (parameters,), (parameters,))


def by_hand(workload: Workload, size: int) -> Callable[[], Any]:
    """The step by hand, in CuPy."""
    import cupy as cp

    parameters, constants = ([cp.asarray(x) for x in xs] for xs in workload.make(size))

    def step() -> Any:
        value, gradients = workload.by_hand(cp, parameters, *constants)
        return _finish(workload, value, parameters, gradients)

    return step


def with_torch(workload: Workload, size: int) -> Callable[[], Any]:
    """The step in PyTorch, on its GPU where it has one."""
    import torch

    class Names:
        tanh, matmul, mean, sum, sin = torch.tanh, torch.matmul, torch.mean, torch.sum, torch.sin
        take_along_axis = staticmethod(lambda x, index, axis: torch.take_along_dim(x, index, dim=axis))
        log_softmax = staticmethod(lambda x, axis: torch.log_softmax(x, dim=axis))

    place = "cuda" if torch.cuda.is_available() else "cpu"
    parameters, constants = ([torch.as_tensor(x, device=place) for x in xs] for xs in workload.make(size))
    parameters = [p.requires_grad_() for p in parameters]

    def step() -> Any:
        value = workload.loss(Names, parameters, *constants)
        gradients = torch.autograd.grad(value, parameters)
        with torch.no_grad():
            return _finish(workload, value, parameters, gradients)

    return step


def with_jax(workload: Workload, size: int) -> Callable[[], Any]:
    """The step in JAX, compiled."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    class Names:
        tanh, matmul, mean, sum, sin = jnp.tanh, jnp.matmul, jnp.mean, jnp.sum, jnp.sin
        take_along_axis = staticmethod(jnp.take_along_axis)
        log_softmax = staticmethod(jax.nn.log_softmax)

    parameters, constants = ([jnp.asarray(x) for x in xs] for xs in workload.make(size))

    @jax.jit
    def step(p: Any, *rest: Any) -> Any:
        value, gradients = jax.value_and_grad(lambda p: workload.loss(Names, p, *rest))(p)
        return _finish(workload, value, p, gradients)

    return lambda: step(parameters, *constants)
