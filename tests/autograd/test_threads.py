"""Threads: modes of their own, and exact gradients whatever they share."""

from __future__ import annotations

import asyncio
import sys
import threading

import numpy as np
import pytest
from made_tensors import host, same

import agnograd as ag
from agnograd.autograd import graph
from agnograd.core import anomaly, reverse
from agnograd.errors import GraphFreedError

THREADS = 8


@pytest.fixture(autouse=True)
def _switch_often():
    """Threads take turns every ten microseconds, some hundred times as often as they usually do."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def together(function, count=THREADS):
    """Run a function in several threads at once, which start together; what they returned, or raised."""
    barrier = threading.Barrier(count)
    results = [None] * count

    def run(i):
        barrier.wait()
        try:
            results[i] = function(i)
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def counts(backend, numpy, others):
    return numpy if backend == "numpy" else others


def test_grad_mode(x):
    def run(i):
        before = ag.is_grad_enabled()
        if i % 2:
            ag.set_grad_enabled(False)
        return before, [(x * 2).requires_grad for _ in range(50)]

    with ag.no_grad():
        found = together(run)
    assert found == [(True, [i % 2 == 0] * 50) for i in range(THREADS)]


def test_saved_tensors_hooks(x):
    def run(i):
        packed = []
        with graph.saved_tensors_hooks(lambda t: packed.append(1) or t, lambda t: t):
            for _ in range(i):
                ag.exp(x)
        ag.exp(x)
        return len(packed)

    assert together(run) == list(range(THREADS))


def test_anomaly_mode(leaf):
    """It belongs to a thread, too (PyTorch's is the whole process's)."""
    zero = leaf([0.0])

    def run(i):
        with np.errstate(all="ignore"):
            if i % 2:
                with ag.autograd.detect_anomaly():
                    ag.autograd.grad((ag.sqrt(zero) * 0).sum(), zero)
            return np.isnan(host(ag.autograd.grad((ag.sqrt(zero) * 0).sum(), zero)[0])).all()

    found = together(run)
    assert all(isinstance(r, FloatingPointError) if i % 2 else r for i, r in enumerate(found))
    assert not anomaly.enabled()


def test_tasks(x):
    """Tasks are to modes what threads are."""

    async def off():
        with ag.no_grad():
            await asyncio.sleep(0.001)
            return (x * 2).requires_grad

    async def main():
        task = asyncio.create_task(off())
        await asyncio.sleep(0)
        here = (x * 2).requires_grad
        return here, await task

    assert asyncio.run(main()) == (True, False)


def test_graphs_that_share_leaves(leaf, agnograd_backend):
    """Each pass is added to ``grad``, none is lost."""
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    times = counts(agnograd_backend, 100, 10)

    def run(i):
        for _ in range(times):
            (a * b).sum().backward()

    together(run)
    same(a.grad, np.array([3.0, 4.0]) * THREADS * times)
    same(b.grad, np.array([1.0, 2.0]) * THREADS * times)


def test_graphs_that_share_leaves_with_hooks(leaf, agnograd_backend):
    a = leaf([1.0, 2.0])
    seen = []
    a.register_hook(lambda g: g * 2)
    a.register_post_accumulate_grad_hook(lambda p: seen.append(1))
    times = counts(agnograd_backend, 50, 5)

    def run(i):
        for _ in range(times):
            y = a * 3
            y.register_hook(lambda g: g * (i + 1))
            y.sum().backward()

    together(run)
    same(a.grad, [6.0 * times * sum(range(1, THREADS + 1))] * 2)
    assert len(seen) == THREADS * times


def test_hooks_are_registered_by_several_threads(leaf):
    a = leaf([1.0])
    y = a * 2

    def run(i):
        y.register_hook(lambda g: g + 1)
        a.register_hook(lambda g: g + 1)

    together(run)
    y.sum().backward()
    same(a.grad, [2.0 * (1 + THREADS) + THREADS])


@pytest.mark.parametrize("depth", [0, 30])
def test_a_shared_graph_lets_one_pass_through_and_tells_the_others(leaf, depth, agnograd_backend):
    # Large enough for NumPy to let other threads run meanwhile.
    x = leaf(np.linspace(0.5, 1.5, 20_000 if depth == 0 else 3))
    for _ in range(counts(agnograd_backend, 40, 4)):
        x.grad = None
        y = x
        for _ in range(depth):
            y = ag.sin(y)
        loss = (y * y).sum()
        v = host(x)
        slope = np.ones(v.shape)
        for _ in range(depth):
            slope, v = slope * np.cos(v), np.sin(v)
        found = together(lambda i, loss=loss: loss.backward())
        errors = [r for r in found if r is not None]
        assert len(errors) == THREADS - 1
        for error in errors:
            assert isinstance(error, GraphFreedError)
            assert "second time" in str(error)
        np.testing.assert_allclose(host(x.grad), 2 * v * slope)
    assert not reverse._claims


def test_a_shared_graph_that_is_retained_lets_all_through(x, agnograd_backend):
    loss = ag.exp(x * x).sum()
    times = counts(agnograd_backend, 20, 3)

    def run(i):
        for _ in range(times):
            loss.backward(retain_graph=True)

    assert together(run) == [None] * THREADS
    np.testing.assert_allclose(host(x.grad), THREADS * times * 2 * host(x) * np.exp(host(x) ** 2))


def test_a_shared_graph_without_saved_values_lets_all_through(x):
    loss = (x + 1).sum()
    assert together(lambda i: loss.backward()) == [None] * THREADS
    same(x.grad, [THREADS] * 3)


def test_graphs_that_share_their_beginning(x, agnograd_backend):
    """Each pass is exact or raises: none goes on with what another one freed."""
    for _ in range(counts(agnograd_backend, 30, 3)):
        trunk = ag.exp(ag.sin(x))
        heads = [(trunk * float(i + 1)).sum() for i in range(THREADS)]

        def run(i, heads=heads):
            return host(ag.autograd.grad(heads[i], x)[0])

        found = together(run)
        v = host(x)
        right = 0
        for i, r in enumerate(found):
            if isinstance(r, Exception):
                assert isinstance(r, GraphFreedError)
                continue
            right += 1
            np.testing.assert_allclose(r, (i + 1) * np.exp(np.sin(v)) * np.cos(v))
        assert right >= 1


def second_order(x):
    """d/dx of x * d/dy (x y^3) at y = x: 3 x^4, 12 x^3."""
    return ag.grad(lambda x: x * ag.grad(lambda y: x * y**3)(x))(x)


def nested(i, constant, times):
    wrong = 0
    for k in range(times):
        value = 1.0 + (i * 31 + k) % 7
        x = constant(value)
        wrong += abs(float(host(second_order(x))) - 12 * value**3) > 1e-9 * value**3
        # Forward over reverse, and PyTorch's way.
        wrong += abs(float(host(ag.jvp(ag.grad(lambda t: t**3), (x,), (x,))[1])) - 6 * value**2) > 1e-9 * value**2
    return wrong


def test_nested_second_order_gradients(constant, agnograd_backend):
    times = counts(agnograd_backend, 200, 15)
    assert together(lambda i: nested(i, constant, times)) == [0] * THREADS


@pytest.mark.slow
def test_ten_thousand_nested_second_order_gradients(constant, agnograd_backend):
    times = counts(agnograd_backend, 10_000, 500)
    assert together(lambda i: nested(i, constant, times)) == [0] * THREADS


def test_second_order_through_shared_leaves(x, agnograd_backend):
    times = counts(agnograd_backend, 50, 5)

    def run(i):
        for _ in range(times):
            (dx,) = ag.autograd.grad((x**3).sum(), x, create_graph=True)
            dx.sum().backward()

    assert together(run) == [None] * THREADS
    same(x.grad, 6 * host(x) * THREADS * times)


def test_levels_are_never_mixed_up(constant):
    """A value of one thread's transformation is a constant to another's."""
    shared = constant(3.0)

    def run(i):
        scale = float(i + 1)
        return [float(host(ag.grad(lambda x: (x * shared * scale) ** 2)(constant(2.0)))) for _ in range(20)]

    assert together(run) == [[2 * 2.0 * 9.0 * (i + 1) ** 2] * 20 for i in range(THREADS)]
