"""Random programs: what they compute does not depend on where what their graphs save is kept."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_tensors import constant, host, leaf

import agnograd as ag
from agnograd.autograd import Function
from agnograd.autograd.graph import save_on_host, saved_tensors_hooks, spill

X, W, V = [0.4, 0.7, 0.2], [0.6, 1.1, 0.9], [1.0, -0.5, 0.3]


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g

    @staticmethod
    def jvp(ctx, t):
        (x,) = ctx.saved_tensors
        return 2 * x * t


def with_element(x, w):
    x = x * 1
    x[0] = ag.sin(x[1]) * w[0]
    return x


def through_view(x, w):
    x = x * 1
    view = x[1:]
    view *= x[:-1]
    view += w[1:]
    return x


def with_constant(x, w):
    with ag.no_grad():
        c = ag.sin(x * w)
    return x * c + x.detach() * x


STEPS: list[Callable[[Any, Any], Any]] = [
    lambda x, w: ag.sin(x),
    lambda x, w: ag.exp(-x * x) * w,
    lambda x, w: ag.tanh(x) + x * x * 0.5,
    lambda x, w: ag.concat([x[1:], x[:1] * w[:1]]),
    lambda x, w: ag.where(x > 0.4, x * w, ag.sin(x)),
    lambda x, w: 0.3 * ag.sum(x[:, None] * w[None, :], axis=1) * x,
    lambda x, w: Square.apply(x) * 0.3,
    with_element,
    through_view,
    with_constant,
]


def within(block: Any) -> Callable[[Any, Any, Any], Any]:
    def way(program, x, w):
        with block():
            return program(x, w)

    return way


WAYS: list[Callable[[Any, Any, Any], Any]] = [
    ag.checkpoint,
    lambda program, x, w: ag.checkpoint(program, x, w, save={"sin", "multiply"}),
    lambda program, x, w: ag.checkpoint(program, x, w, early_stop=False),
    lambda program, x, w: ag.checkpoint(lambda tree: [program(tree["x"], w)], {"x": x})[0],
    within(lambda: spill(min_bytes=0)),
    within(lambda: save_on_host(min_bytes=0)),
    within(lambda: saved_tensors_hooks(lambda t: [t], lambda kept: kept[0])),
]

# Derivatives within the program, and derivatives of it.
WITHIN: list[Callable[[Any, Any, Any], Any]] = [
    lambda program, x, w: ag.grad(lambda x: ag.sum(program(x, w)))(x),
    lambda program, x, w: ag.jvp(lambda x: program(x, w), (x,), (ag.cos(x),))[1],
]


def program(choices: random.Random, kept: bool, depth: int = 0) -> Callable[[Any, Any], Any]:
    """A composition of steps and smaller programs, these in other ways of keeping values if `kept` is set."""
    parts: list[Callable[[Any, Any], Any]] = []
    for _ in range(choices.randint(2, 4)):
        kind = choices.randint(0, 3) if depth < 2 else 0
        if kind == 0:
            parts.append(choices.choice(STEPS))
            continue
        way = choices.choice(WITHIN if kind == 3 else WAYS)
        inner = program(choices, kept, depth + 1)
        plain = not kept and way in WAYS
        parts.append(inner if plain else lambda x, w, way=way, inner=inner: way(inner, x, w))

    def run(x, w):
        for part in parts:
            x = part(x, w)
        # Bounded, however deep programs nest.
        return ag.tanh(x)

    return run


def backward(f, make):
    x, w = make(leaf, X), make(leaf, W)
    first = ag.autograd.grad(ag.sum(f(x, w)), (x, w), create_graph=True, materialize_grads=True)
    total = sum(ag.sum(g * g) for g in first)
    return *first, *ag.autograd.grad(total, (x, w), materialize_grads=True)


def transformed(f, make):
    x, w, v = make(constant, X), make(constant, W), make(constant, V)

    def loss(x):
        return ag.sum(f(x, w) * v)

    return (
        *ag.hvp(loss, (x,), (v,)),
        ag.grad(lambda x: ag.sum(ag.sin(ag.grad(loss)(x))))(x),
        ag.grad(lambda x: ag.jvp(loss, (x,), (v,))[1])(x),
    )


def both(f, make):
    x, w = make(constant, X), make(leaf, W)
    g = ag.grad(lambda x: ag.sum(f(x, w)))(x)
    return g, *ag.autograd.grad(ag.sum(g * g) + 0 * ag.sum(w), w)


@pytest.mark.parametrize("derivatives", [backward, transformed, both])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("backend", ["numpy", "strict"])
def test_where_values_are_kept_does_not_matter(backend, seed, derivatives):
    def make(kind, values):
        return kind(backend, values)

    found, expected = (derivatives(program(random.Random(seed), kept), make) for kept in (True, False))
    assert any(np.any(host(g)) for g in expected)
    for g, h in zip(found, expected, strict=True):
        np.testing.assert_allclose(host(g), host(h), rtol=1e-9, atol=1e-12)
