"""Checkpoints: what PyTorch's non-reentrant ones do, on every backend."""

from __future__ import annotations

import gc
import threading
import types
import weakref

import numpy as np
import pytest
from made_tensors import host, raw, same

import agnograd as ag
from agnograd.autograd import graph
from agnograd.core.level import recording
from agnograd.core.table import OPS
from agnograd.errors import CheckpointError, EscapedError, GraphFreedError, UnknownOperationError
from agnograd.rematerialisation import _Frame

checkpoint = ag.checkpoint


class Counted:
    """A function that counts its calls."""

    def __init__(self, f):
        self.f = f
        self.calls = 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.f(*args, **kwargs)


def chain(x):
    return ag.sin(ag.exp(x * 0.5) * x)


def slope(x):
    """The gradient of the sum of `chain`, by hand."""
    v = host(x)
    e = np.exp(0.5 * v)
    return np.cos(e * v) * e * (1 + 0.5 * v)


def test_checkpoint(x):
    f = Counted(chain)
    y = checkpoint(f, x)
    same(y, host(chain(x)))
    assert f.calls == 1
    y.sum().backward()
    assert f.calls == 2
    np.testing.assert_allclose(host(x.grad), slope(x))
    assert recording() is True


def test_use_reentrant(x):
    checkpoint(chain, x, use_reentrant=False).sum().backward()
    np.testing.assert_allclose(host(x.grad), slope(x))
    with pytest.raises(ValueError, match="no reentrant form"):
        checkpoint(chain, x, use_reentrant=True)


def test_it_keeps_no_value(leaf):
    """Only the arguments, while the graph lives."""
    kept = []

    def f(x):
        y = ag.exp(x)
        z = ag.sin(y)
        kept.extend([weakref.ref(y), weakref.ref(z)])
        return z * 2

    x = leaf(np.ones(3))
    gc.collect()
    out = checkpoint(f, x)
    assert [r() for r in kept] == [None, None]
    assert out.requires_grad


def test_grad_kwargs_and_structures(x, leaf):
    w = leaf([1.0, 2.0, 3.0])

    def f(pair, *, scale, names):
        return {"out": pair["x"] * pair["w"][0] * scale, "name": names, "n": 3}

    found = checkpoint(f, {"x": x, "w": [w]}, scale=2.0, names=("a", None))
    assert found["name"] == ("a", None)
    dx, dw = ag.autograd.grad(found["out"].sum(), [x, w])
    same(dx, 2 * host(w))
    same(dw, 2 * host(x))


def test_tensors_that_are_no_arguments(x, leaf):
    w = leaf([1.0, 2.0, 3.0])
    checkpoint(lambda v: ag.exp(v * w), x).sum().backward()
    np.testing.assert_allclose(host(w.grad), host(x) * np.exp(host(x) * host(w)))


def test_nesting(x):
    inner, outer = Counted(ag.exp), Counted(lambda v: ag.sin(checkpoint(inner, v * v)) * v)
    y = checkpoint(outer, x)
    y.sum().backward()
    v = host(x)
    e = np.exp(v * v)
    np.testing.assert_allclose(host(x.grad), np.cos(e) * e * 2 * v * v + np.sin(e))
    # Each once again for itself, the inner one once more within the outer one.
    assert outer.calls == 2
    assert inner.calls in (3, 4)


def test_early_stop(x):
    reached = []

    def f(v):
        y = ag.exp(v)
        reached.append("after what is needed")
        return y + 1

    checkpoint(f, x).sum().backward()
    assert len(reached) == 1
    checkpoint(f, x, early_stop=False).sum().backward()
    assert len(reached) == 3


def test_mismatch(x):
    def changing(first, second, **options):
        functions = iter([first, second])
        return checkpoint(lambda v: next(functions)(v), x, **options).sum()

    twice = lambda v: ag.exp(ag.exp(v))
    with pytest.raises(CheckpointError, match="saved 2 values when it was called, and fewer when it was run again"):
        changing(twice, ag.exp).backward()
    with pytest.raises(CheckpointError, match=r"shape \(3,\) .* one of shape \(2,\)"):
        changing(ag.exp, lambda v: ag.exp(v[:2])).backward()
    with pytest.raises(CheckpointError, match="saved 1 values when it was called, and more when it was run again"):
        changing(ag.exp, twice, early_stop=False).backward()
    assert recording() is True
    (x * 2).sum().backward()


def test_early_stop_is_nothing_that_a_function_can_catch(x):
    def f(v):
        try:
            return ag.exp(v) * 2
        except Exception as error:
            raise LookupError("spoilt") from error

    checkpoint(f, x).sum().backward()
    np.testing.assert_allclose(host(x.grad), 2 * np.exp(host(x)))


def test_an_exception_in_the_second_run(x):
    runs = []

    def f(v):
        runs.append(1)
        if len(runs) > 1:
            raise LookupError("mine")
        return ag.exp(v)

    y = checkpoint(f, x)
    with pytest.raises(LookupError, match="mine"):
        y.sum().backward()
    assert x.grad is None
    assert recording() is True


def test_retain_graph_and_second_passes(x):
    f = Counted(chain)
    y = checkpoint(f, x).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(host(x.grad), 2 * slope(x))
    assert f.calls == 3
    with pytest.raises(GraphFreedError):
        y.backward()


def test_higher_orders(x, constant):
    (dx,) = ag.autograd.grad(checkpoint(lambda v: v**3, x).sum(), x, create_graph=True)
    (ddx,) = ag.autograd.grad(dx.sum(), x, create_graph=True)
    same(ddx, 6 * host(x))
    v = constant(2.0)
    same(ag.grad(lambda z: checkpoint(lambda t: t**3, z))(v), 12)
    same(ag.grad(ag.grad(lambda z: checkpoint(lambda t: t**3, z)))(v), 12)
    same(ag.jvp(ag.grad(lambda z: checkpoint(lambda t: t**3, z)), (v,), (constant(1.0),))[1], 12)
    same(ag.jvp(lambda z: checkpoint(lambda t: t**3, z), (v,), (constant(1.0),))[1], 12)
    same(ag.grad(lambda z: checkpoint(lambda t: ag.grad(lambda s: s**3)(t), z))(v), 12)
    same(ag.grad(ag.grad(lambda z: checkpoint(lambda t: ag.grad(lambda s: s**3)(t), z)))(v), 6)
    same(ag.grad(lambda z: checkpoint(lambda t: ag.grad(lambda s: s**3 * z)(t), v))(v), 12)
    # A pass within the function asks for values in the middle of the first run.
    w = constant(3.0)
    inner = lambda t: ag.grad(lambda s: ag.sin(s) * w)(t)
    for options in ({}, {"early_stop": False}, {"save": {"sin", "cos"}}):
        same(ag.grad(ag.grad(lambda z: checkpoint(inner, z, **options)))(v), -3 * np.cos(2.0))  # noqa: B023
    x.grad = None
    checkpoint(lambda t: ag.autograd.grad((t**3).sum(), t, create_graph=True)[0], x).sum().backward()
    same(x.grad, 6 * host(x))
    x.grad = None
    checkpoint(lambda t: ag.autograd.grad((t**3).sum(), t, create_graph=True)[0], x * 1).sum().backward()
    same(x.grad, 6 * host(x))


def test_policies_by_the_name_of_an_operation(leaf):
    """What operations of these names compute is kept, and not computed again."""
    a = leaf([[1.0, 2.0], [3.0, 4.0]])
    products = Counted(ag.matmul)

    def f(a):
        p = a @ a
        products.calls += 1
        return ag.exp(p * 0.1) @ a

    def gradient(**options):
        a.grad = None
        checkpoint(f, a, **options).sum().backward()
        return host(a.grad)

    plain = gradient()
    np.testing.assert_allclose(gradient(save={"matmul"}), plain, rtol=1e-12)
    np.testing.assert_allclose(gradient(save=["matmul", "exp"]), plain, rtol=1e-12)
    np.testing.assert_allclose(gradient(save={"matmul"}, early_stop=False), plain, rtol=1e-12)


def test_names_of_operations_that_there_are_not(x):
    with pytest.raises(UnknownOperationError, match=r"no operation named 'matmull'. Did you mean .*matmul"):
        checkpoint(chain, x, save={"matmull"})
    checkpoint(chain, x, save="exp").sum().backward()
    np.testing.assert_allclose(host(x.grad), slope(x))


def test_an_inner_second_run_is_not_kept(x):
    """Each pass would add to what the policy of the outer one keeps."""
    y = checkpoint(lambda v: ag.cos(checkpoint(ag.exp, v) * v), x, save="exp").sum()
    frames = [o for o in gc.get_objects() if type(o) is _Frame and o.save]
    for _ in range(3):
        (dx,) = ag.autograd.grad(y, x, retain_graph=True)
        assert [len(frame.kept) for frame in frames] == [1]
    v = host(x)
    np.testing.assert_allclose(host(dx), -np.sin(np.exp(v) * v) * np.exp(v) * (1 + v))


def test_what_a_policy_keeps_is_not_computed_again(monkeypatch, leaf):
    a = leaf([[1.0, 2.0], [3.0, 4.0]])
    counted = []
    op = OPS["matmul"]
    kind = type(a._array)
    body = op.bodies[kind]
    monkeypatch.setitem(op.bodies, kind, lambda *xs: counted.append("again") or body(*xs))

    def f(a):
        return ag.exp(a @ a)

    counted.clear()
    y = checkpoint(f, a, save={"matmul"}).sum()
    assert counted == ["again"]
    # Saved nowhere else: the pass itself multiplies twice, raw.
    saved = y.grad_fn.next_functions[0][0]
    same(saved._saved_ans, np.exp(host(a) @ host(a)))
    assert counted == ["again"]
    y = checkpoint(f, a).sum()
    y.grad_fn.next_functions[0][0]._saved_ans  # noqa: B018 - the second run is wanted
    assert counted == ["again"] * 3


def test_no_grad(x):
    f = Counted(chain)
    with ag.no_grad():
        y = checkpoint(f, x)
    assert not y.requires_grad
    assert f.calls == 1
    assert not checkpoint(f, x.detach()).requires_grad


def test_modes_are_those_of_the_first_run(x, agnograd_backend):
    """Whatever the modes are where the pass runs."""

    def f(v):
        with ag.no_grad():
            c = ag.ones(3)
            c = ag.exp(v) if ag.default_backend() == agnograd_backend else c[:2]
        return ag.exp(v * c)

    with ag.use_backend(agnograd_backend):
        y = checkpoint(f, x).sum()
    other = "strict" if agnograd_backend == "numpy" else "numpy"
    with ag.use_backend(other), ag.no_grad():
        y.backward()
    v = host(x)
    np.testing.assert_allclose(host(x.grad), np.exp(v * np.exp(v)) * np.exp(v))


def test_with_hooks(x, agnograd_backend):
    """Hooks of tensors within run once, in the pass; hooks on what is saved see what the outside saves."""
    seen = []

    def f(v):
        y = ag.exp(v)
        if y.requires_grad:
            y.register_hook(lambda g: seen.append("inside") or g * 2)
        return ag.sin(y)

    y = checkpoint(f, x)
    y.register_hook(lambda g: seen.append("outside") or g * 5)
    x.register_post_accumulate_grad_hook(lambda p: seen.append("leaf"))
    y.sum().backward()
    assert seen == ["outside", "inside", "leaf"]
    np.testing.assert_allclose(host(x.grad), 10 * np.cos(np.exp(host(x))) * np.exp(host(x)))

    packed = []
    with graph.saved_tensors_hooks(lambda t: packed.append(t.shape) or t, lambda t: t):
        z = checkpoint(lambda v: ag.exp(ag.exp(v)), x)
    assert packed == [(3,)]
    x.grad = None
    z.sum().backward()
    e = np.exp(host(x))
    np.testing.assert_allclose(host(x.grad), np.exp(e) * e)


def test_saved_tensors_hooks_within(x, agnograd_backend):
    packed, unpacked = [], []

    def pack(t):
        packed.append(1)
        return host(t).copy()

    def unpack(values):
        unpacked.append(1)
        return ag.tensor(raw(agnograd_backend, values))

    def f(v):
        y = ag.sin(v)
        with graph.saved_tensors_hooks(pack, unpack):
            y = ag.exp(y)
        return ag.sin(y)

    checkpoint(f, x).sum().backward()
    e = np.exp(np.sin(host(x)))
    np.testing.assert_allclose(host(x.grad), np.cos(e) * e * np.cos(host(x)))
    assert unpacked


def test_writes_within(x):
    """In-place writes to what the function made itself; its arguments are as they were when it is run again."""

    def f(v):
        y = v * 2
        y[0] = ag.exp(v[1])
        y += v
        view = y[1:]
        view *= v[1:]
        return ag.sin(y)

    plain = f(x).sum()
    plain.backward()
    wanted = host(x.grad)
    x.grad = None
    y = checkpoint(f, x).sum()
    y.backward()
    np.testing.assert_allclose(host(x.grad), wanted)
    x.grad = None
    z = x * 1
    y = checkpoint(f, z).sum()
    z += 100
    y.backward()
    np.testing.assert_allclose(host(x.grad), wanted)


def test_writes_to_an_argument(x):
    """Seen by the caller as without the checkpoint; the second run starts from the value that came in."""

    def f(v):
        v *= 2
        return ag.exp(v)

    z = x * 1
    y = checkpoint(f, z)
    same(z, 2 * host(x))
    y.sum().backward()
    np.testing.assert_allclose(host(x.grad), 2 * np.exp(2 * host(x)))


def test_writes_to_an_argument_that_another_one_shares(x):
    """A second run, whose arguments are no longer one, would not see them."""

    def f(a, b):
        a *= 2
        return ag.exp(b)

    z = x * 1
    for pair in ((z, z), (z, z[1:]), (z[1:], z), (z, z.detach())):
        with pytest.raises(CheckpointError, match=r"wrote to an argument that another .* pass a clone\(\)"):
            checkpoint(f, *pair)
    assert recording() is True
    y = checkpoint(f, x * 1, x[1:]) + checkpoint(lambda a, b: ag.exp(a * b).sum(), z, z[1:2])
    assert y.requires_grad


def test_writes_to_a_leaf_that_is_no_argument(x, leaf):
    """Between the call and the backward pass, as an optimizer does."""
    model = types.SimpleNamespace(w=leaf([1.0, 2.0, 3.0]))

    def f(v):
        return ag.exp(v * (model.w * 1)[:])

    y = checkpoint(f, x).sum()
    with ag.no_grad():
        model.w *= 3
    with pytest.raises(CheckpointError, match=r"taking it as an argument \(shape \(3,\).* was written to since"):
        y.backward()
    y = checkpoint(f, x).sum()
    model.w.data = model.w.data + 1
    with pytest.raises(CheckpointError, match="was written to since"):
        y.backward()
    # What was written before does not matter, nor what is written once the pass is over.
    y = checkpoint(f, x).sum()
    model.w = leaf([3.0, 2.0, 1.0])
    with pytest.raises(CheckpointError, match="without taking it as an argument was replaced since"):
        y.backward()
    checkpoint(f, x).sum().backward()
    np.testing.assert_allclose(host(model.w.grad), host(x) * np.exp(host(x) * host(model.w)))


def test_writes_to_a_leaf_that_is_an_argument(x, leaf):
    w = leaf([1.0, 2.0, 3.0])
    values = host(w).copy()
    y = checkpoint(lambda v, w: ag.exp(v * w), x, w).sum()
    with ag.no_grad():
        w *= 3
    y.backward()
    np.testing.assert_allclose(host(w.grad), host(x) * np.exp(host(x) * values))


def test_custom_functions_within(x):
    class Cube(ag.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * g * x * x

    checkpoint(lambda v: Cube.apply(ag.exp(v)), x).sum().backward()
    np.testing.assert_allclose(host(x.grad), 3 * np.exp(3 * host(x)))


def test_several_threads_go_back_through_one(x):
    y = checkpoint(chain, x).sum()
    found, failed = [], []

    def run():
        try:
            found.extend(host(ag.autograd.grad(y, x, retain_graph=True)[0]) for _ in range(10))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    assert len(found) == 40
    for g in found:
        np.testing.assert_allclose(g, slope(x))


def test_a_value_that_escaped_its_transformation_is_still_refused(constant):
    escaped = []
    ag.grad(lambda z: escaped.append(z) or z * z)(constant(2.0))
    with pytest.raises(EscapedError):
        checkpoint(ag.exp, escaped[0])


def test_it_goes_with_the_graph(x):
    gc.collect()
    gc.disable()
    try:

        class Held:
            pass

        held = Held()
        gone = weakref.ref(held)
        y = checkpoint(lambda v, h=held: ag.exp(v), x).sum()
        del held
        assert gone() is not None
        y.backward()
        del y
        assert gone() is None
    finally:
        gc.enable()
