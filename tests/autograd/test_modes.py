"""Grad modes, one test for each row of what PyTorch's do. The decorators have tests of their own in test_grad_mode."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from made_tensors import raw, same

import agnograd as ag


def recorded(x):
    return (x * 2).requires_grad


def test_no_grad(x, agnograd_backend):
    """As in PyTorch, and on coroutine functions, where PyTorch's has no effect."""
    with ag.no_grad():
        assert not recorded(x)
        # Made with requires_grad=True, a leaf is one.
        assert ag.tensor(raw(agnograd_backend, np.ones(2)), requires_grad=True).requires_grad
        with ag.no_grad():
            pass
        assert not recorded(x)
    assert recorded(x)
    with pytest.raises(KeyError), ag.no_grad():
        {}["nothing"]
    assert recorded(x)

    assert not ag.no_grad(recorded)(x)
    assert not ag.no_grad()(recorded)(x)

    @ag.no_grad
    def steps():
        received = yield recorded(x)
        try:
            yield received, recorded(x)
        except ValueError:
            yield recorded(x)

    generator = steps()
    assert next(generator) is False
    assert recorded(x)
    assert generator.send(3) == (3, False)
    assert generator.throw(ValueError) is False
    assert recorded(x)
    generator.close()

    @ag.no_grad
    def factorial(n):
        assert not recorded(x)
        return 1 if n == 0 else n * factorial(n - 1)

    assert factorial(3) == 6
    assert recorded(x)

    found = []
    with ag.no_grad():
        thread = threading.Thread(target=lambda: found.append(recorded(x)))
        thread.start()
        thread.join()
    assert found == [True]

    @ag.no_grad
    async def coroutine():
        await asyncio.sleep(0)
        return recorded(x)

    async def main():
        return await asyncio.gather(coroutine(), asyncio.to_thread(recorded, x))

    assert asyncio.run(main()) == [False, True]
    with pytest.raises(TypeError, match="decorates functions"):
        ag.no_grad(type("Class", (), {}))


def test_enable_grad(x):
    """`inference_mode` is `no_grad` here, so that `enable_grad` has its effect within it, too."""
    with ag.no_grad():
        with ag.enable_grad():
            assert recorded(x)
        assert ag.enable_grad(recorded)(x)
        assert not recorded(x)
    with ag.inference_mode(), ag.enable_grad():
        assert recorded(x)


def test_set_grad_enabled(x):
    ag.set_grad_enabled(False)
    try:
        assert not recorded(x)
    finally:
        ag.set_grad_enabled(True)
    with ag.set_grad_enabled(False) as _:
        assert not recorded(x)
        with ag.set_grad_enabled(True):
            assert recorded(x)
        assert not recorded(x)
    assert recorded(x)
    decorated = ag.set_grad_enabled(False)(recorded)
    assert recorded(x)
    assert not decorated(x)
    assert repr(ag.set_grad_enabled(True)) == "set_grad_enabled(mode=True)"


def test_is_grad_enabled():
    assert ag.is_grad_enabled() is True
    with ag.no_grad():
        assert ag.is_grad_enabled() is False
    assert ag.autograd.is_grad_enabled is ag.is_grad_enabled


def test_inference_mode(x):
    """`no_grad` by another name: values are immutable, so that no tensor has to be barred from anything later."""
    with ag.inference_mode():
        assert not recorded(x)
        inside = x * 2
    with ag.inference_mode(False):
        assert recorded(x)
    assert not ag.inference_mode(recorded)(x)
    (x * inside).sum().backward()
    same(x.grad, [3, -1, 4])
    inside += 1
    assert inside.requires_grad_().requires_grad


def test_blocks_within_the_steps_of_a_generator(x):
    """They outlast a step, and whoever asks for the steps sees nothing of them.

    In PyTorch the block is over after the first step.
    """

    @ag.no_grad()
    def steps():
        with ag.enable_grad():
            yield recorded(x)
            yield recorded(x)
        yield recorded(x)

    assert [(inside, recorded(x)) for inside in steps()] == [(True, True), (True, True), (False, True)]

    @ag.no_grad()
    async def asynchronous():
        with ag.enable_grad():
            yield recorded(x)
            yield recorded(x)
        yield recorded(x)

    async def collected():
        return [(inside, recorded(x)) async for inside in asynchronous()]

    assert asyncio.run(collected()) == [(True, True), (True, True), (False, True)]
    assert recorded(x)


def test_modes_in_a_function(x):
    modes = []

    class Probe(ag.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            modes.append(ag.is_grad_enabled())
            return x * 2

        @staticmethod
        def backward(ctx, g):
            modes.append(ag.is_grad_enabled())
            return g * 2

    Probe.apply(x).sum().backward()
    assert modes == [False, False]
    ag.autograd.grad(Probe.apply(x).sum(), x, create_graph=True)
    assert modes[2:] == [False, True]
