"""Residuals of a compiled step in one array: gradients are those without `compile`, whatever happens in between."""

import numpy as np
import pytest

import agnograd as ag
from agnograd.compiler import packing

X = np.linspace(0.1, 0.9, 6)


def step(q, p, s):
    for _ in range(3):
        q, p = q + 0.1 * p, p - ag.sin(q) * s + ag.exp(-q * p)
    return q, p


def loop(advance, s):
    q, p = ag.asarray(X), ag.asarray(X[::-1].copy())
    for _ in range(5):
        q, p = advance(q, p, s)
    return ag.sum(q * p)


@pytest.fixture
def unpacked(monkeypatch):
    """What a function of compiled ones returns where residuals stay apart: the pass back adds up in the same order."""

    def run(f, *args):
        with monkeypatch.context() as patch:
            patch.setattr(packing, "_LEAST", 10**9)
            patch.setenv("AGNOGRAD_CACHE", "0")
            return f(*args)

    return run


def residuals(compiled):
    return max(
        made.residuals
        for bindings in compiled._bindings.values()
        for binding in bindings
        for programs in binding.operation.programs.values()
        for made in programs
        if hasattr(made, "residuals")
    )


def test_a_loop_around_a_compiled_step(unpacked):
    compiled, other = ag.compile(step), ag.compile(step)
    expected = unpacked(ag.grad(lambda s: loop(other, s)), X)
    assert residuals(other) > 4
    for _ in range(3):
        np.testing.assert_array_equal(ag.grad(lambda s: loop(compiled, s))(X), expected)
    assert residuals(compiled) == 1
    assert "_all.copy()" in compiled.source


def test_each_call_has_residuals_of_its_own(unpacked):
    compiled, other = ag.compile(step), ag.compile(step)
    tensors = [ag.tensor(X + i, requires_grad=True) for i in range(3)]
    ends = [compiled(x, x, x)[0] for x in tensors]
    for x, end in zip(reversed(tensors), reversed(ends), strict=True):
        for _ in range(2):
            (g,) = ag.autograd.grad(ag.sum(end), [x], retain_graph=True)
            expected = unpacked(ag.grad(lambda x: ag.sum(other(x, x, x)[0])), x.detach().numpy())
            np.testing.assert_array_equal(g.numpy(), expected)


@pytest.mark.parametrize("dtypes", [("float64", "float32"), ("float32", "float64")])
def test_residuals_of_several_kinds(dtypes, unpacked):
    def f(x, y):
        for _ in range(4):
            x, y = ag.sin(x) * ag.mean(y), ag.tanh(y) + ag.reshape(ag.astype(x, y.dtype), (6,))
        return ag.sum(ag.stack([x[0], ag.astype(y, x.dtype)])), ag.permute_dims(x, (1, 0))

    def total(f):
        return lambda x, y: sum(ag.sum(out * out) for out in f(x, y))

    x, y = X.reshape(1, 6).astype(dtypes[0]), X.astype(dtypes[1])
    compiled, other = ag.compile(f), ag.compile(f)
    expected = unpacked(ag.grad(total(other), (0, 1)), x, y)
    for _ in range(2):
        for a, b in zip(ag.grad(total(compiled), (0, 1))(x, y), expected, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype


def test_parts_of_residuals_in_results(unpacked):
    def f(x, w):
        parts = [ag.sin(x * i) for i in range(1, 6)]
        return ag.concat([p * w for p in parts]), parts[0][1:], ag.sum(ag.stack(parts), axis=0)

    def total(f):
        return lambda x, w: sum(ag.sum(out * out) for out in f(x, w))

    compiled, other = ag.compile(f), ag.compile(f)
    expected = unpacked(ag.grad(total(other), (0, 1)), X, X)
    for _ in range(2):
        for a, b in zip(ag.grad(total(compiled), (0, 1))(X, X), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_kinds_of_arguments_in_turns():
    compiled = ag.compile(step)
    x = ag.tensor(X, requires_grad=True)

    def turn():
        compiled(X, X, X)
        compiled(ag.tensor(X), X, x)
        compiled(x, x, x)
        compiled(x.detach(), x, x)

    for _ in range(3):
        turn()
    made = compiled._remembered
    for _ in range(5):
        turn()
    assert compiled._remembered == made
