"""What graphs save, and hooks on several tensors: one test for each row of what PyTorch has."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from made_tensors import host, raw, same

import agnograd as ag
from agnograd.autograd import graph
from agnograd.core.level import recording
from agnograd.errors import HookError, NoGraphError, SavedError


class Record:
    """Hooks that count, and keep tensors as arrays of NumPy."""

    def __init__(self, backend):
        self.backend = backend
        self.packed, self.unpacked = [], []

    def pack(self, t):
        assert not t.requires_grad
        self.packed.append(t.shape)
        return host(t).copy()

    def unpack(self, values):
        self.unpacked.append(values.shape)
        return ag.tensor(raw(self.backend, values))

    def hooks(self):
        return graph.saved_tensors_hooks(self.pack, self.unpack)


@pytest.fixture
def record(agnograd_backend):
    return Record(agnograd_backend)


def test_saved_tensors_hooks(x, record, leaf, constant):
    with record.hooks():
        y = ag.exp(x * x)
        z = (y * 2.0).sum()
    # Both factors, the exponential; a Python number is not packed, nor is what nothing keeps.
    assert record.packed == [(3,)] * 3
    assert not record.unpacked
    z.backward()
    same(x.grad, 4 * host(x) * np.exp(host(x) ** 2))
    assert len(record.unpacked) == 3
    assert recording() is True
    ag.exp(x)
    assert len(record.packed) == 3

    # At each use.
    with record.hooks():
        loss = ag.exp(x).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    assert len(record.unpacked) == 5

    # The innermost hooks win.
    inner = Record(record.backend)
    count = len(record.packed)
    with record.hooks():
        with inner.hooks():
            a = ag.exp(x)
        b = ag.exp(x)
    assert (len(inner.packed), len(record.packed)) == (1, count + 1)
    (a * b.detach()).sum().backward()

    # Double backward: what the recorded pass saves is packed as well, where hooks are active then.
    w = leaf([2.0])
    with record.hooks():
        y = (w * w * w).sum()
        (dw,) = ag.autograd.grad(y, w, create_graph=True)
        (ddw,) = ag.autograd.grad(dw, w)
    same(dw, [12.0])
    same(ddw, [12.0])

    # Within no_grad nothing is saved, and enable_grad within that saves again.
    count = len(record.packed)
    with record.hooks(), ag.no_grad():
        ag.exp(x)
        with ag.enable_grad():
            y = ag.exp(x)
    assert len(record.packed) == count + 1
    x.grad = None
    y.sum().backward()
    same(x.grad, np.exp(host(x)))

    # A transformation is recorded, too.
    count = len(record.packed)
    with record.hooks():
        same(ag.grad(lambda v: ag.exp(v))(constant(1.0)), np.exp(1.0))
    assert len(record.packed) == count + 1


def test_errors_of_saved_tensors_hooks(x):
    class OwnError(Exception):
        pass

    def fails(t):
        raise OwnError

    with graph.saved_tensors_hooks(fails, fails), pytest.raises(OwnError):
        ag.exp(x)
    with graph.saved_tensors_hooks(lambda t: t, fails):
        y = ag.exp(x).sum()
    with pytest.raises(OwnError):
        y.backward()
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = ag.exp(x).sum()
    with pytest.raises(HookError, match="saved tensor unpack_hook expected to be a Tensor but got result of type int"):
        y.backward()
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t[:2]):
        y = ag.exp(x).sum()
    with pytest.raises(SavedError, match=r"came back with shape \(2,\)"):
        y.backward()
    assert recording() is True
    assert x.grad is None


def test_a_pack_hook_that_writes_changes_a_copy(x):
    """PyTorch refuses it. Here a write gives the tensor that the hook holds a value of its own."""

    def pack(t):
        t += 100
        return t

    with graph.saved_tensors_hooks(pack, lambda t: t - 100):
        y = ag.exp(x)
        z = (y * y).sum()
    same(y, np.exp(host(x)))
    z.backward()
    np.testing.assert_allclose(host(x.grad), 2 * np.exp(host(x)) ** 2)


def test_a_pack_hook_must_not_write_to_what_a_transformation_uses(x):
    def pack(t):
        t *= 2
        return t

    def f(s):
        with graph.saved_tensors_hooks(pack, lambda t: t / 2):
            return (ag.exp(s) * s).sum()

    with pytest.raises(HookError, match="modifying its input in place"):
        ag.grad(lambda s: ag.grad(f)(s).sum())(x.detach())


def test_nothing_is_recorded_in_hooks(x, leaf):
    """A hook that computes with tensors that require grad is not called for what it does itself."""
    w = leaf([2.0, 2.0, 2.0])
    modes = []

    def pack(t):
        modes.append(ag.is_grad_enabled())
        return t * w

    def unpack(t):
        modes.append(ag.is_grad_enabled())
        return t / w

    with graph.saved_tensors_hooks(pack, unpack):
        y = ag.exp(x).sum()
    y.backward()
    assert modes == [False, False]
    same(x.grad, np.exp(host(x)))
    assert w.grad is None


def test_saved_tensors_hooks_and_custom_functions(x, record):
    class Square(ag.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x

    with record.hooks():
        y = Square.apply(x)
    assert record.packed == [(3,)]
    y.sum().backward()
    assert record.unpacked == [(3,)]
    same(x.grad, 2 * host(x))


def test_saved_tensors_hooks_belong_to_a_thread(x, record):
    found = []

    def run():
        ag.exp(x)
        found.append(len(record.packed))

    with record.hooks():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        ag.exp(x)
    assert found == [0]
    assert len(record.packed) == 1


def test_save_on_host(x, agnograd_backend):
    """What PyTorch calls save_on_cpu; on a backend of the host's memory it keeps copies as NumPy arrays."""
    with graph.save_on_host(min_bytes=0):
        y = ag.exp(x * x)
    saved = y.grad_fn._saved_ans
    assert saved.__array_namespace__() is ag.namespace(agnograd_backend)
    assert saved.device == y.device
    y.sum().backward()
    np.testing.assert_allclose(host(x.grad), 2 * host(x) * np.exp(host(x) ** 2))


def test_disable_saved_tensors_hooks(x, record):
    with graph.disable_saved_tensors_hooks("not here"):
        with pytest.raises(SavedError, match="not here"), record.hooks():
            pass
        ag.exp(x)
        with graph.disable_saved_tensors_hooks("nor here"):
            pass
        with pytest.raises(RuntimeError, match="not here"), record.hooks():
            pass
    refused = graph.disable_saved_tensors_hooks("not here")
    with refused, refused:
        pass
    with record.hooks():
        ag.exp(x)
        with pytest.raises(SavedError, match="too late"), graph.disable_saved_tensors_hooks("too late"):
            pass
    assert len(record.packed) == 1


def test_register_multi_grad_hook(leaf, constant):
    a, b, c = leaf([1.0]), leaf([2.0]), leaf([3.0])
    calls = []
    handle = graph.register_multi_grad_hook((a, b, c), lambda gs: calls.append([g and host(g)[0] for g in gs]))
    (a * b).sum().backward()
    assert calls == [[2.0, 1.0, None]]
    (a * b * c).sum().backward()
    assert calls[1:] == [[6.0, 3.0, 2.0]]
    ag.autograd.grad((a * b).sum(), a)
    assert calls[2:] == [[2.0, None, None]]
    handle.remove()
    (a * b).sum().backward()
    assert len(calls) == 3

    first = []
    with graph.register_multi_grad_hook((a, b), lambda g: first.append(host(g)[0]), mode="any"):
        y = a * 3
        (y * b).sum().backward()
        (y.detach() * b).sum().backward()
    assert len(first) == 2

    # One of the tensors is where the pass starts, which PyTorch miscounts.
    calls.clear()
    y = a * b
    graph.register_multi_grad_hook((y, a), lambda gs: calls.append([g and host(g)[0] for g in gs]))
    y.sum().backward(retain_graph=True)
    y.backward()
    assert calls == [[1.0, 2.0], [1.0, 2.0]]

    # A tensor twice.
    calls.clear()
    graph.register_multi_grad_hook((c, c), lambda gs: calls.append([host(g)[0] for g in gs]))
    (c * 2).sum().backward()
    assert calls == [[2.0, 2.0]]
    with pytest.raises(ValueError, match="all"):
        graph.register_multi_grad_hook((a, b), print, mode="some")
    with pytest.raises(NoGraphError):
        graph.register_multi_grad_hook((a, constant([1.0])), print)


def test_multi_grad_hooks_of_passes_within_a_pass(leaf):
    a, b = leaf([1.0]), leaf([2.0])
    calls = []
    graph.register_multi_grad_hook((a, b), lambda gs: calls.append([g and host(g)[0] for g in gs]))
    y = a * 3

    def inner(g):
        with ag.enable_grad():
            inside = (a * b * 10).sum()
        ag.autograd.grad(inside, [a, b])

    y.register_hook(inner)
    (y * b).sum().backward()
    assert calls == [[20.0, 10.0], [6.0, 3.0]]


def test_multi_grad_hooks_of_several_threads(leaf):
    a, b = leaf([1.0]), leaf([2.0])
    calls = []
    graph.register_multi_grad_hook((a, b), lambda gs: calls.append([host(g)[0] for g in gs]))

    def run():
        for _ in range(50):
            ag.autograd.grad((a * b).sum(), [a, b])

    threads = [threading.Thread(target=run) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert calls == [[2.0, 1.0]] * 200


def test_no_version_is_checked(x):
    """PyTorch raises where a saved value was written to since. Here the graph keeps the value that it had."""
    y = x * 1
    z = ag.exp(y)
    w = z * y
    y += 10
    z[0] = 50.0
    w.sum().backward()
    same(x.grad, np.exp(host(x)) * (1 + host(x)))
