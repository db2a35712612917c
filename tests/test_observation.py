"""Observers: what they see, what they cost where there are none, and what comes with agnograd."""

from __future__ import annotations

import contextlib
import threading
import time
import tracemalloc

import numpy as np
import pytest
import rich
from made_plugins import Plugin, cube

import agnograd as ag
from agnograd.core import observing
from agnograd.core.table import OPS, spaces
from agnograd.errors import PluginError, UnknownPluginError


class Seen(list):
    """An observer that writes down what runs."""

    def watch(self, call, run):
        self.append(tuple(call))
        return run()


@pytest.fixture
def seen():
    made = Seen()
    with observing.watching(made.watch):
        yield made


def calls(backend, *pairs):
    return [(op, backend, phase) for pair in pairs for op, phase in [pair.split()]]


# -- what is seen ------------------------------------------------------------------------------------------------------


def test_operations_their_rules_and_sums_of_cotangents(agnograd_backend, agnograd_xp, seen):
    x = agnograd_xp.asarray([0.5, 1.5]).requires_grad_()
    del seen[:]
    y = ag.sin(x) * x
    assert seen == calls(agnograd_backend, "sin forward", "multiply forward")
    y.sum().backward()
    expected = ["sum forward", "sum backward", "multiply backward", "sin backward", "add backward"]
    assert seen[2:] == calls(agnograd_backend, *expected)
    assert x.grad.tolist() == pytest.approx([np.sin(v) + v * np.cos(v) for v in (0.5, 1.5)])
    x.grad = agnograd_xp.asarray([0.0, 0.0])
    del seen[:]
    x.sum().backward()
    # What is added into `grad` is a part of the pass.
    assert seen == calls(agnograd_backend, "sum forward", "sum backward", "add backward")


def test_forward_mode(seen):
    _, tangent = ag.jvp(lambda x: ag.sum(ag.sin(x) * 2.0), (np.ones(2),), (np.ones(2),))
    expected = ["sin forward", "sin tangent", "multiply forward", "multiply tangent", "sum forward", "sum tangent"]
    assert seen == calls("numpy", *expected)
    assert tangent == pytest.approx(4 * np.cos(1.0))


def test_second_order_and_batches(seen):
    x = np.asarray([0.5, 1.5])
    second = ag.grad(lambda x: ag.grad(lambda x: ag.sum(ag.sin(x)))(x).sum())(x)
    np.testing.assert_allclose(second, -np.sin(x))
    # The rule of sine is recorded: the outer pass goes back through what it is made of.
    assert ("sin", "numpy", "backward") in seen
    assert ("cos", "numpy", "backward") in seen
    assert {phase for _, _, phase in seen} == {"forward", "backward"}
    del seen[:]
    ag.vmap(ag.sin)(x)
    assert seen == calls("numpy", "sin forward")


def test_raw_arrays_and_operations_that_are_made_of_others(seen):
    ag.clip(np.ones(2), 0.0, 2.0)
    raw = list(seen)
    del seen[:]
    ag.clip(ag.tensor([1.0, 1.0]), 0.0, 2.0)
    assert raw == seen == calls("numpy", "bounded forward")


def test_several_outputs_custom_functions_and_plugins(seen):
    class Double(ag.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = ag.tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
    s = ag.linalg.svd(x)[1]
    del seen[:]
    s.sum().backward()
    assert seen == calls("numpy", "sum forward", "sum backward", "linalg.svd backward")
    del seen[:]
    Double.apply(x).sum().backward()
    assert ("Double", "numpy", "backward") in seen
    with ag.plugins.isolated() as manager:
        manager.register(Plugin(ops=[cube()]), "cubes")
        del seen[:]
        ag.tests.cube(x).sum().backward()
    assert seen[0] == ("tests.cube", "numpy", "forward")
    assert ("tests.cube", "numpy", "backward") in seen


def test_values_and_gradients_are_the_same_with_an_observer(agnograd_xp):
    def run():
        x = agnograd_xp.asarray([[0.5, 1.5], [2.0, 3.0]]).requires_grad_()
        y = x[0] * ag.exp(x[1]) + (x @ x)[:, 0] / x.sum()
        y.sum().backward()
        return y.tolist(), x.grad.tolist()

    plain = run()
    with observing.watching(lambda call, run: run()):
        assert run() == plain
    assert run() == plain


def test_the_innermost_observer_is_nearest_to_the_call():
    order = []

    def observer(name):
        def watch(call, run):
            order.append(name)
            return run()

        return watch

    with observing.watching(observer("outer")), observing.watching(observer("inner")):
        ag.sin(np.ones(1))
    assert order == ["outer", "inner"]


def test_an_observer_that_runs_operations_does_not_see_them():
    def watch(call, run):
        ag.cos(np.ones(1))
        seen.append(call.op)
        return run()

    seen = []
    with observing.watching(watch):
        ag.sin(np.ones(1))
    assert seen == ["sin"]


def test_a_call_that_fails_raises_its_own_error(seen):
    with pytest.raises(ValueError, match=r"in agnograd\.matmul|matmul"):
        ag.tensor([[1.0, 2.0]], requires_grad=True) @ ag.tensor([1.0, 2.0, 3.0])
    assert ag.sin(np.zeros(1)) == 0
    assert seen[-1] == ("sin", "numpy", "forward")


# -- threads, and nobody who watches -----------------------------------------------------------------------------------


def test_other_threads_are_not_observed(seen):
    thread = threading.Thread(target=lambda: ag.sin(ag.tensor([1.0], requires_grad=True)).sum().backward())
    thread.start()
    thread.join()
    assert seen == []


def test_without_observers_the_tables_hold_the_plain_functions():
    sin, data = OPS["sin"], np.ones(1)
    ag.sin(data)
    plain = sin.bodies[np.ndarray]
    with observing.watching(lambda call, run: run()):
        ag.sin(data)
        assert sin.bodies[np.ndarray] is not plain
        with observing.watching(lambda call, run: run()):
            pass
        assert observing.count == 1
    assert observing.count == 0
    assert "sin" not in spaces.named("numpy").kept
    ag.sin(data)
    assert sin.bodies[np.ndarray] is plain


def test_an_error_within_the_block_ends_the_observation():
    with pytest.raises(KeyError), ag.observe("timing"):
        raise KeyError
    assert observing.count == 0


# -- by name -----------------------------------------------------------------------------------------------------------


def test_observers_of_plugins_are_switched_on_by_name_and_take_options():
    given = []

    @contextlib.contextmanager
    def factory(**options):
        given.append(options)
        yield Seen()

    spec = ag.ObserverSpec(name="seen", factory=factory, options={"depth": 1})
    with ag.plugins.isolated() as manager:
        manager.register(Plugin(observers=[spec]), "watcher")
        with ag.observe("seen") as first, ag.observe("seen", depth=2, other=3):
            ag.sin(np.ones(1))
        assert given == [{"depth": 1}, {"depth": 2, "other": 3}]
        assert first == calls("numpy", "sin forward")
        with pytest.raises(UnknownPluginError, match=r"no observer named 'sean'; did you mean 'seen'\? Known: memory"):
            ag.observe("sean").__enter__()
        with pytest.raises(PluginError, match="observer 'timing' is built in and cannot be replaced"):
            manager.register(Plugin(observers=[ag.ObserverSpec(name="timing", factory=list)]), "other")


def test_an_observer_may_be_any_context_manager():
    # A profiler, say: nothing of agnograd needs to be wrapped for it.
    silent = ag.ObserverSpec(name="silent", factory=lambda: contextlib.nullcontext("given"))
    with ag.plugins.isolated() as manager:
        manager.register(Plugin(observers=[silent]), "watcher")
        with ag.observe("silent") as given:
            assert given == "given"
            assert observing.count == 0


# -- timing and memory -------------------------------------------------------------------------------------------------


def test_timing_counts_calls_and_adds_up_seconds():
    slow = ag.Kernel(op="sin", backend="numpy", body=lambda x: time.sleep(0.01) or np.sin(x))
    with ag.plugins.isolated() as manager:
        manager.register(Plugin(kernels=[slow]), "slow")
        with ag.observe("timing") as timing:
            for _ in range(3):
                ag.cos(ag.sin(np.ones(2)))
    sin = timing.times["sin", "numpy", "forward"]
    assert sin.calls == timing.times["cos", "numpy", "forward"].calls == 3
    assert 0.01 <= sin.longest <= sin.total <= timing.total
    assert sin.total >= 0.03
    lines = str(timing).splitlines()
    assert lines[0] == "Time"
    assert [line.split()[0] for line in lines if " numpy " in line] == ["sin", "cos"]
    assert lines[-1].split()[:3] == ["in", "all", "6"]


@pytest.mark.parametrize(("synchronise", "waits"), [(True, 4), (False, 0)])
def test_timing_waits_for_the_device(synchronise, waits, monkeypatch):
    waited = []
    backend = spaces.named("numpy").backend
    monkeypatch.setattr(backend, "synchronise", lambda: waited.append(1), raising=False)
    with ag.observe("timing", synchronise=synchronise):
        ag.sin(ag.sin(np.ones(1)))
    assert len(waited) == waits


def test_memory_measures_what_stays_and_what_was_needed(agnograd_backend, agnograd_xp):
    backend = agnograd_backend
    x = agnograd_xp.ones((100, 1000))  # 800 kB
    with ag.observe("memory") as memory:
        y = ag.sin(x)
        z = ag.reshape(y, (-1,))
        total = ag.sum(z * z)
    assert float(total) > 0
    if backend == "dask":  # nothing is held before it is computed
        assert {(size.kept, size.peak) for size in memory.sizes.values()} == {(0, 0)}
        return
    sin, view = memory.sizes["sin", backend, "forward"], memory.sizes["reshape", backend, "forward"]
    assert 800_000 <= sin.kept < 810_000
    assert 800_000 <= sin.peak < 1_700_000
    assert view.kept < 10_000
    assert memory.sizes["sum", backend, "forward"].kept < 10_000
    assert not tracemalloc.is_tracing()
    assert "800 kB" in str(memory)


def test_memory_of_a_temporary_shows_in_the_peak_alone():
    def wasteful(x):
        np.ones(1_000_000).sum()
        return np.sin(x)

    with ag.plugins.isolated() as manager:
        manager.register(Plugin(kernels=[ag.Kernel(op="sin", backend="numpy", body=wasteful)]), "wasteful")
        with ag.observe("memory") as memory:
            ag.sin(np.ones(10))
    (sizes,) = memory.sizes.values()
    assert sizes.kept < 10_000
    assert 8_000_000 <= sizes.peak < 8_100_000


def test_memory_of_a_lazy_backend_is_none_and_of_an_untold_one_that_of_results(monkeypatch):
    dask = pytest.importorskip("dask.array")
    with ag.observe("memory") as memory:
        ag.sin(dask.ones(1000))
    assert memory.sizes["sin", "dask", "forward"].kept == 0
    monkeypatch.setattr(spaces.named("numpy").backend, "memory", None, raising=False)
    with ag.observe("memory") as memory:
        ag.sin(np.ones(1000))
        ag.linalg.qr(np.ones((10, 10)))
    assert memory.sizes["sin", "numpy", "forward"].kept == 8000
    assert memory.sizes["linalg.qr", "numpy", "forward"].kept == 1600
    assert "~8 kB" in str(memory)


def test_tracing_that_was_on_stays_on():
    tracemalloc.start()
    try:
        with ag.observe("memory"):
            pass
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_reports_are_printed_by_rich(capsys):
    with ag.observe("timing") as timing, ag.observe("memory") as memory:
        ag.sin(np.ones(2))
    rich.print(timing, memory)
    text = capsys.readouterr().out
    assert text.count("sin") == 2
    assert "longest" in text
    assert "peak" in text
