"""The backward pass: `agnograd.autograd.backward` and `grad`, one test for each row of what PyTorch's do."""

from __future__ import annotations

import traceback
import warnings

import numpy as np
import pytest
from made_tensors import host, raw, same

import agnograd as ag
from agnograd.autograd import graph
from agnograd.errors import (
    CotangentError,
    ForeignArrayError,
    GradientError,
    GraphFreedError,
    NoGraphError,
    NonScalarError,
    UnusedInputError,
)


def test_backward(x, constant, agnograd_backend):
    y = x * 2
    # Roots may depend on each other, and count twice where they come twice.
    ag.autograd.backward([y.sum(), (y * y).sum()], retain_graph=True)
    same(x.grad, 2 + 8 * host(x))
    x.grad = None
    loss = x.sum()
    ag.autograd.backward([loss, loss])
    same(x.grad, [2, 2, 2])
    x.grad = None
    with ag.no_grad():
        (x.detach().requires_grad_() * 2).detach()
        ag.autograd.backward(y, constant([1.0, 2.0, 3.0]))
    same(x.grad, [2, 4, 6])

    single = ag.tensor(raw(agnograd_backend, np.ones(2, np.float32)), requires_grad=True)
    (single * 2).backward(raw(agnograd_backend, np.array([1, 2])))
    (single * 2).backward(constant([1.0, 2.0]))
    assert single.grad.dtype == single.dtype
    same(single.grad, [4, 8])

    # One element, of any rank.
    w = x[:1].detach().requires_grad_()
    ag.reshape(w * 3, (1, 1)).backward()
    same(w.grad, [3])

    for call, error, message in (
        (lambda: ag.autograd.backward([x.sum(), constant([1.0])]), NoGraphError, "element 1 of tensors does not requ"),
        (lambda: (x * 2).backward(), NonScalarError, "grad can be implicitly created only for scalar outputs"),
        (lambda: (x * 1j).sum().backward(), NonScalarError, "only for real scalar outputs but got complex128"),
        (lambda: (x * 2).backward(constant([1.0])), CotangentError, r"Mismatch in shape: grad_output\[0\] has a shape"),
        (lambda: (x * 2).backward(constant([1.0, 1.0, 1.0]) * 1j), CotangentError, "is complex"),
        (lambda: (x * 2).backward([1.0, 1.0, 1.0]), ForeignArrayError, "gradients can be either tensors, arrays or N"),
        (lambda: ag.autograd.backward([x.sum(), x.sum()], [constant(1.0)]), CotangentError, "got 2 tensors and 1"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_inputs(x, leaf, constant):
    w, unused = leaf([1.0, 2.0, 3.0]), leaf([1.0])
    y = x * w
    (y * y).sum().backward(inputs=[w, y, unused])
    same(w.grad, 2 * host(x) ** 2 * host(w))
    same(y.grad, 2 * host(x) * host(w))
    assert y.retains_grad
    assert x.grad is None
    assert unused.grad is None
    (x * w).sum().backward(inputs={"x": x})
    same(x.grad, host(w))
    (x * x).sum().backward(inputs=x)
    same(x.grad, host(w) + 2 * host(x))
    with pytest.raises(GradientError, match=r"`inputs` argument to `backward\(\)` cannot be empty"):
        x.sum().backward(inputs=[])
    with pytest.raises(NoGraphError, match="does not require grad"):
        x.sum().backward(inputs=[constant([1.0])])


def test_retain_graph(x):
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    same(x.grad, 4 * host(x))
    for call in (loss.backward, lambda: ag.autograd.grad(loss, x), lambda: (loss * 2).backward()):
        with pytest.raises(GraphFreedError, match=r"graph a second time.*retain_graph=True"):
            call()
    # The default follows create_graph.
    loss = (x * x).sum()
    ag.autograd.grad(loss, x, create_graph=True)
    ag.autograd.grad(loss, x)
    # What saves nothing may run again.
    total = (x + 1).sum()
    total.backward()
    total.backward()


def test_create_graph(x):
    """Gradients carry their history. There is no cycle to warn of, see test_tensor.py."""
    loss = (x**3).sum()
    (dx,) = ag.autograd.grad(loss, x, create_graph=True)
    (ddx,) = ag.autograd.grad(dx.sum(), x, create_graph=True)
    (dddx,) = ag.autograd.grad(ddx.sum(), x)
    same(ddx, 6 * host(x))
    same(dddx, [6, 6, 6])
    assert not dddx.requires_grad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    (dx,) = ag.autograd.grad(x.grad.sum(), x)
    same(dx, 6 * host(x))


def test_create_graph_within_no_grad(x):
    """A pass that is asked for its graph is recorded in whatever mode."""
    y, z = (x * x * x).sum(), (x * x).sum()
    with ag.no_grad():
        (g,) = ag.autograd.grad(y, x, create_graph=True)
        for _ in range(2):
            z.backward(create_graph=True)
    same(ag.autograd.grad(g.sum(), x)[0], 6 * host(x))
    same(ag.autograd.grad(x.grad.sum(), x)[0], [4, 4, 4])


def test_accumulation(x, leaf, constant):
    x.grad = constant([1.0, 1.0, 1.0])
    kept = x.grad
    (x * 2).sum().backward()
    assert x.grad is kept
    same(kept, [3, 3, 3])
    (x * 2).sum().backward(create_graph=True)
    assert x.grad is not kept
    same(kept, [3, 3, 3])
    same(x.grad, [5, 5, 5])

    # Two leaves that are given one cotangent, and whoever gave it, share nothing.
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    seed = constant([1.0, 1.0])
    (a + b).backward(seed)
    a.grad[0] = 50.0
    seed[1] = 70.0
    same(b.grad, [1, 1])
    same(a.grad, [50, 1])
    (a + b).backward(constant([1.0, 1.0]))
    same(a.grad, [51, 2])
    same(b.grad, [2, 2])


def test_a_seed_may_be_written_to_afterwards(agnograd_backend, leaf):
    a = leaf([1.0, 2.0])
    seed = raw(agnograd_backend, [1.0, 1.0])
    (a + 1).backward(seed)
    seed[0] = 9.0
    same(a.grad, [1, 1])


def test_gradients_of_a_recorded_pass_are_objects_of_their_own(leaf, constant):
    """One cotangent may belong to several tensors and to the user; a later pass adds to each by itself."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    seed = constant([1.0, 1.0])
    y = x + w
    y.retain_grad()
    y.backward(seed, create_graph=True)
    (x * w).sum().backward()
    same(x.grad, [4, 5])
    same(w.grad, [2, 3])
    same(y.grad, [1, 1])
    same(seed, [1, 1])


def test_dtype(agnograd_backend):
    single = ag.tensor(raw(agnograd_backend, np.ones(3, np.float32)), requires_grad=True)
    double = ag.tensor(raw(agnograd_backend, np.ones(3)), requires_grad=True)
    number = ag.tensor(raw(agnograd_backend, np.ones(3) * 1j), requires_grad=True)
    ag.real(single * double * number * 1j).sum().backward()
    for t in (single, double, number):
        assert t.grad.dtype == t.dtype
        assert t.grad.shape == t.shape
        assert t.grad.device == t.device
    same(single.grad, [-1, -1, -1])


def test_grad(x, leaf, constant):
    w = leaf([1.0, 2.0, 3.0])
    y = x * w
    loss = (y * y).sum()
    dx, dy, again = ag.autograd.grad(loss, [x, y, x], retain_graph=True)
    same(dx, 2 * host(x) * host(w) ** 2)
    same(dy, 2 * host(y))
    same(again, host(dx))
    assert x.grad is None
    assert w.grad is None
    found = ag.autograd.grad(loss, {"x": x, "w": w}, retain_graph=True)
    assert list(found) == ["x", "w"]
    same(found["w"], 2 * host(x) ** 2 * host(w))
    (one,) = ag.autograd.grad(loss, loss, retain_graph=True)
    same(one, 1.0)
    (dx,) = ag.autograd.grad([y, loss], x, [constant([1.0, 0.0, 0.0]), None])
    same(dx, 2 * host(x) * host(w) ** 2 + [1.0, 0, 0])
    # Hooks of the inputs run, accumulation does not.
    x.register_hook(lambda g: g * 10)
    x.register_post_accumulate_grad_hook(lambda p: pytest.fail("accumulated"))
    (dx,) = ag.autograd.grad((x * 2).sum(), x)
    same(dx, [20, 20, 20])
    with pytest.raises(NoGraphError, match="one of the differentiated tensors does not require grad: input 1"):
        ag.autograd.grad(x.sum(), [x, constant([1.0])])
    with pytest.raises(GradientError, match=r"`inputs` argument to `grad\(\)` cannot be empty"):
        ag.autograd.grad(x.sum(), [])


def test_allow_unused(x, leaf):
    unused = leaf([1.0])
    dx, none = ag.autograd.grad(x.sum(), [x, unused], allow_unused=True)
    same(dx, [1, 1, 1])
    assert none is None
    with pytest.raises(UnusedInputError, match=r"tensor at index 1 .*allow_unused=True"):
        ag.autograd.grad(x.sum(), [x, unused])


def test_materialize_grads(x, leaf):
    unused = leaf([1.0])
    _, zero = ag.autograd.grad(x.sum(), [x, unused], materialize_grads=True)
    same(zero, [0.0])
    assert not zero.requires_grad
    _, zero = ag.autograd.grad(x.sum(), [x, unused], materialize_grads=True, create_graph=True)
    assert zero.requires_grad
    with pytest.raises(ValueError, match="allow_unused=False"):
        ag.autograd.grad(x.sum(), [x], materialize_grads=True, allow_unused=False)


def test_is_grads_batched(x, leaf, constant):
    y = x * x
    (rows,) = ag.autograd.grad(y, x, constant(np.eye(3)), is_grads_batched=True)
    same(rows, np.diag(2 * host(x)))
    (again,) = ag.autograd.grad((x**3), x, constant(np.eye(3)), is_grads_batched=True, create_graph=True)
    again.sum().backward()
    same(x.grad, 6 * host(x))
    _, none = ag.autograd.grad(x * x, [x, leaf([1.0])], constant(np.eye(3)), is_grads_batched=True, allow_unused=True)
    assert none is None
    with pytest.raises(CotangentError, match="If `is_grads_batched=True`, we interpret the first dimension"):
        ag.autograd.grad([x * x, x * 2], x, [constant(np.eye(3)), constant(np.ones((2, 3)))], is_grads_batched=True)
    with pytest.raises(CotangentError, match="Mismatch in shape"):
        ag.autograd.grad(x * x, x, constant(np.ones((2, 2))), is_grads_batched=True)


def test_pruning(x, leaf):
    """Nodes that lead to no input do not run, so that they cannot fail either."""
    w = leaf([1.0, 2.0, 3.0])
    ran = []
    left, right = x * 2, w * 3
    left.register_hook(lambda g: ran.append("left"))
    right.register_hook(lambda g: ran.append("right"))
    loss = (left * right).sum()
    ag.autograd.grad(loss, w, retain_graph=True)
    assert ran == ["right"]
    loss.backward(inputs=[x], retain_graph=True)
    assert ran == ["right", "left"]
    left.register_hook(lambda g: 1 / 0)
    ag.autograd.grad(loss, w, retain_graph=True)
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    # Nothing behind an input runs.
    ran.clear()
    a = x * 2
    b = a * 3
    a.grad_fn.register_hook(lambda *gs: ran.append("node"))
    ag.autograd.grad(b.sum(), a)
    assert not ran


def test_order(x):
    """The newest node that waits runs first."""
    order = []
    a = x * 2
    b = x * 3
    c = b * 4
    total = (c + a).sum()
    for name, t in (("a", a), ("b", b), ("c", c), ("total", total)):
        t.grad_fn.register_hook(lambda *gs, name=name: order.append(name))
    total.backward()
    assert order == ["total", "c", "b", "a"]


def test_reentrant_backward(leaf):
    """A pass within a hook or function of another, to any depth."""
    x = leaf([1.0])
    z = leaf([1.0])

    def inner(g):
        with ag.enable_grad():
            (z * z).sum().backward()
        return g * host(z.grad)[0]

    y = x * 3
    y.register_hook(inner)
    y.sum().backward()
    same(x.grad, [6.0])
    same(z.grad, [2.0])

    depth = 0

    class Deep(ag.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            nonlocal depth
            depth += 1
            if depth < 300:
                with ag.enable_grad():
                    again = g.detach().requires_grad_()
                    Deep.apply(again).sum().backward()
                    return again.grad * 1
            return g

    x.grad = None
    Deep.apply(x).sum().backward()
    assert depth == 300
    same(x.grad, [1.0])


@pytest.mark.slow
def test_a_pass_within_a_pass_two_thousand_deep(leaf):
    depth = 0
    x = leaf([1.0])

    def hook(g):
        nonlocal depth
        depth += 1
        if depth < 2000:
            with ag.enable_grad():
                y = x * 1
                y.register_hook(hook)
                y.sum().backward(inputs=[x])

    y = x * 1
    y.register_hook(hook)
    y.sum().backward()
    assert depth == 2000


def test_exceptions(x):
    class OwnError(Exception):
        pass

    def fails(g):
        raise OwnError("mine")

    y = x * 2
    handle = y.register_hook(fails)
    with pytest.raises(OwnError, match="mine") as caught:
        y.sum().backward()
    assert any(frame.name == "fails" for frame in traceback.extract_tb(caught.value.__traceback__))
    # Nothing was accumulated, and the mode is what it was.
    assert x.grad is None
    assert ag.is_grad_enabled()
    handle.remove()
    (x * 2).sum().backward()
    same(x.grad, [2, 2, 2])


def test_gradient_edge(x, leaf, constant):
    y = x * x
    edge = graph.get_gradient_edge(y)
    assert edge.node is y.grad_fn
    assert edge.output_nr == 0
    (dy,) = ag.autograd.grad((y * 3).sum(), edge, retain_graph=True)
    same(dy, [3, 3, 3])
    # As an output: the value itself is not needed any more.
    del y
    (dx,) = ag.autograd.grad(edge, x, constant([1.0, 1.0, 1.0]), retain_graph=True)
    same(dx, 2 * host(x))
    ag.autograd.backward(edge, constant([2.0, 2.0, 2.0]))
    same(x.grad, 4 * host(x))
    _, r = ag.linalg.qr(leaf([[2.0, 1.0], [1.0, 3.0]]))
    assert graph.get_gradient_edge(r).output_nr == 1
    (dr,) = ag.autograd.grad((r * r).sum(), graph.get_gradient_edge(r))
    same(dr, 2 * host(r))
    sink = graph.get_gradient_edge(x)
    assert sink.node.variable is x
    (dx,) = ag.autograd.grad((x * 2).sum(), sink)
    same(dx, [2, 2, 2])
    with pytest.raises(NoGraphError):
        graph.get_gradient_edge(constant([1.0]))


def test_edges_of_one_place_are_equal(x, leaf):
    q, r = ag.linalg.qr(leaf([[2.0, 1.0], [1.0, 3.0]]))
    assert len({graph.get_gradient_edge(t) for t in (q, r, r, x, x)}) == 3
    assert graph.get_gradient_edge(r) != (r.grad_fn, 1)


def test_zeros_for_an_edge(x):
    unused = graph.get_gradient_edge(x[:2])
    _, zero = ag.autograd.grad((x * x).sum(), [x, unused], materialize_grads=True)
    same(zero, [0, 0])
    assert (zero.dtype, zero.device) == (x.dtype, x.device)
    with pytest.raises(UnusedInputError, match=r"index 0 \(shape \(2,\)"):
        ag.autograd.grad((x * x).sum(), unused)


def test_inputs_that_are_no_tensors(x):
    with pytest.raises(ForeignArrayError, match=r"input 1 of grad\(\) is an object of type float"):
        ag.autograd.grad(x.sum(), [x, 3.0])
    with pytest.raises(ForeignArrayError, match=r"input 0 of backward\(\) is an object of type str"):
        x.sum().backward(inputs=["x"])


def test_names_of_pytorch_that_are_others_here():
    with pytest.raises(AttributeError, match=r"no attribute 'save_on_cpu': save_on_host\(\) keeps"):
        graph.save_on_cpu  # noqa: B018
    with pytest.raises(AttributeError, match=r"'nonsense'$"):
        graph.nonsense  # noqa: B018
