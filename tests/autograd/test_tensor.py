"""Attributes and methods of tensors that concern gradients, one test for each of PyTorch's.

Where agnograd does something else on purpose, the test asserts that and says why.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import math
import pickle
import warnings
import weakref

import numpy as np
import pytest
from made_tensors import host, raw, same

import agnograd as ag
from agnograd.core import conversions
from agnograd.errors import (
    CotangentError,
    GradientError,
    GradientLostError,
    GradientLostWarning,
    HookError,
    InplaceError,
    NoGraphError,
    NotDifferentiableError,
)


@pytest.fixture(autouse=True)
def _warn_again(monkeypatch):
    monkeypatch.setattr(conversions, "_warned_sites", set())


def test_requires_grad(x, constant, agnograd_backend):
    c = constant([1.0, 2.0, 3.0])
    assert c.requires_grad is False
    assert (c * 2).requires_grad is False
    assert (x * c).requires_grad is True
    assert (x > 1).requires_grad is False
    with ag.no_grad():
        assert (x * c).requires_grad is False
    c.requires_grad = True
    assert (c * 2).requires_grad is True
    c.requires_grad = False
    assert c.is_leaf
    integers = ag.tensor(raw(agnograd_backend, np.array([1, 2])))
    for make in (
        lambda: setattr(integers, "requires_grad", True),
        lambda: integers.requires_grad_(),
        lambda: ag.tensor(raw(agnograd_backend, np.array([1, 2])), requires_grad=True),
        lambda: ag.tensor(raw(agnograd_backend, np.array([True])), requires_grad=True),
    ):
        with pytest.raises(NotDifferentiableError, match="only tensors of floating point and complex dtype"):
            make()
    complex_ = ag.tensor(raw(agnograd_backend, np.array([1j])), requires_grad=True)
    assert complex_.requires_grad
    with pytest.raises(RuntimeError, match=r"only change requires_grad flags of leaf variables.*x\.detach\(\)"):
        (x * 2).requires_grad = False
    with pytest.raises(TypeError, match="requires_grad must be a bool"):
        x.requires_grad = 1


def test_requires_grad_(x, constant):
    c = constant([1.0])
    assert c.requires_grad_() is c
    assert c.requires_grad
    assert c.requires_grad_(False) is c
    assert not c.requires_grad
    y = x * 2
    node = y.grad_fn
    assert y.requires_grad_(True) is y
    assert y.grad_fn is node
    with pytest.raises(RuntimeError, match="leaf"):
        y.requires_grad_(False)


def test_is_leaf(x, constant):
    assert x.is_leaf
    assert constant([1.0]).is_leaf
    assert (constant([1.0]) * 2).is_leaf
    assert not (x * 2).is_leaf
    assert (x * 2).detach().is_leaf
    assert ag.argmax(x).is_leaf
    with ag.no_grad():
        assert (x * 2).is_leaf
    with pytest.raises(AttributeError):
        x.is_leaf = False


def test_grad(x, constant, agnograd_backend):
    assert x.grad is None
    (x * x).sum().backward()
    assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
    assert not x.grad.requires_grad
    same(x.grad, [3.0, -1.0, 4.0])
    with pytest.warns(UserWarning, match="not a leaf"):
        assert (x * 2).grad is None
    x.grad = constant([1.0, 1.0, 1.0])
    same(x.grad, [1, 1, 1])
    x.grad = None
    assert x.grad is None
    x.grad = constant([1.0, 1.0, 1.0])
    del x.grad
    assert x.grad is None
    c = constant([1.0])
    c.grad = constant([5.0])
    same(c.grad, [5.0])
    with pytest.raises(TypeError, match="assigned grad expected to be a Tensor or None but got int"):
        x.grad = 3
    with pytest.raises(CotangentError, match=r"shape \(2,\)"):
        x.grad = constant([1.0, 2.0])
    with pytest.raises(CotangentError, match="float32"):
        x.grad = ag.tensor(raw(agnograd_backend, np.ones(3, np.float32)))
    with pytest.raises(RuntimeError, match="own grad"):
        x.grad = x


def test_grad_of_another_device_is_refused():
    import array_api_strict as strict

    x = ag.tensor(strict.asarray([1.0]), requires_grad=True)
    with pytest.raises(CotangentError, match="device1"):
        x.grad = ag.tensor(strict.asarray([1.0], device=strict.Device("device1")))


def test_grad_fn(x):
    assert x.grad_fn is None
    y = x * 2
    assert y.grad_fn is y.grad_fn
    assert y.grad_fn.name() == "MulBackward0"
    for change in (lambda: setattr(y, "grad_fn", None), lambda: delattr(y, "grad_fn")):
        with pytest.raises(AttributeError):
            change()


def test_output_nr(leaf):
    assert leaf([1.0]).output_nr == 0
    q, r = ag.linalg.qr(leaf([[2.0, 1.0], [1.0, 3.0]]))
    assert (q.output_nr, r.output_nr) == (0, 1)
    assert q.grad_fn is r.grad_fn
    assert (q * 1).output_nr == 0


def test__version(x):
    """A counter of writes, shared by views and aliases, and good for looking at: nothing is checked against it.

    PyTorch's `data` counts for itself, which is how it loses writes; here an alias is an alias.
    """
    y = x * 1
    view, alias, other = y[:2], y.detach(), y.data
    assert y._version == 0
    y += 1
    assert (y._version, view._version, alias._version, other._version) == (1, 1, 1, 1)
    view[0] = 5.0
    alias[1] = 2.0
    assert (y._version, view._version, alias._version, other._version) == (3, 3, 3, 3)
    y[2] = 1.0
    y[2] = 2.0
    assert view._version == 5
    assert (y * 1)._version == 0
    with ag.no_grad():
        x += 1
    assert x._version == 1
    with pytest.raises(AttributeError):
        x._version = 3


def test_retain_grad_and_retains_grad(x):
    y = x * 2
    assert not y.retains_grad
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad
    # What is kept is what all hooks made of it, whichever came first.
    y.register_hook(lambda g: g * 10)
    loss = (y * y).sum()
    loss.backward(retain_graph=True)
    same(y.grad, 10 * 2 * 2 * host(x))
    loss.backward()
    same(y.grad, 20 * 2 * 2 * host(x))
    x.retain_grad()
    assert not x.retains_grad
    with pytest.raises(NoGraphError, match="can't retain_grad on a tensor that has requires_grad=False"):
        x.detach().retain_grad()


def test_register_hook(x, leaf, constant, agnograd_backend):
    seen = []
    y = x * 2
    y.register_hook(lambda g: seen.append(host(g)))
    y.register_hook(lambda g: g * 10)
    (y * 3).sum().backward()
    np.testing.assert_allclose(seen, [[3, 3, 3]])
    same(x.grad, [60, 60, 60])

    # At a leaf, also when the graph is there already.
    w = leaf([1.0, 1.0])
    loss = (w * 2).sum()
    handle = w.register_hook(lambda g: -g)
    loss.backward(retain_graph=True)
    same(w.grad, [-2, -2])
    handle.remove()
    handle.remove()
    loss.backward(retain_graph=True)
    same(w.grad, [0, 0])
    with w.register_hook(lambda g: g * 5):
        loss.backward(retain_graph=True)
    loss.backward()
    same(w.grad, [12, 12])

    class Nameless:
        def __call__(self, g):
            return g * 2

    z = leaf([1.0])
    z.register_hook(Nameless())
    (z * 1).sum().backward()
    same(z.grad, [2.0])

    with pytest.raises(NoGraphError, match="cannot register a hook on a tensor that doesn't require gradient"):
        constant([1.0]).register_hook(print)

    for found, error, message in (
        (lambda g: 3, HookError, "expected a tensor or None, but hook returned 'int'"),
        (lambda g: g[:1], CotangentError, r"has changed the size of value \(was \(2,\) got \(1,\)\)"),
        (lambda g: ag.astype(g, raw(agnograd_backend, np.ones(1, np.float32)).dtype), CotangentError, "type of value"),
        (lambda g: 1 / 0, ZeroDivisionError, "division"),
    ):
        z = leaf([1.0, 2.0])
        z.register_hook(found)
        with pytest.raises(error, match=message):
            (z * 1).sum().backward()


def test_hooks_outlive_a_change_of_requires_grad(x):
    handle = x.register_hook(lambda g: g * 2)
    x.requires_grad_(False)
    assert not (x * 1).requires_grad
    x.requires_grad_(True)
    (x * 1).sum().backward()
    same(x.grad, [2, 2, 2])
    x.data = x.data * 2
    (x * 1).sum().backward()
    same(x.grad, [4, 4, 4])
    handle.remove()
    (x * 1).sum().backward()
    same(x.grad, [5, 5, 5])


def test_a_hook_that_returns_an_array_of_another_backend_is_refused(x, agnograd_backend):
    """PyTorch has one backend only."""
    other = "strict" if agnograd_backend == "numpy" else "numpy"
    y = x * 1
    y.register_hook(lambda g: ag.to_backend(g, other))
    with pytest.raises(CotangentError, match="has changed the backend of value"):
        y.sum().backward()


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value):RuntimeWarning")
def test_a_hook_leaves_the_rule_as_it_is(leaf):
    """Where a NaN comes of it as well as within zero_safe."""
    for safe in (False, True):
        found = []
        for hooked in (False, True):
            z = leaf([0.0, 4.0])
            y = z**0.5
            if hooked:
                y.register_hook(lambda g: None)
            with ag.zero_safe() if safe else contextlib.nullcontext():
                (y * 0).sum().backward()
            found.append(host(z.grad))
        np.testing.assert_array_equal(*found)
        assert np.isnan(found[0][0]) == (not safe)


def test_what_a_hook_returns_is_a_constant_of_the_pass(leaf):
    """A tensor with a graph may come out of it; only a pass that is recorded goes on with that."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    x.register_hook(lambda g: w)
    (x * 1).sum().backward()
    assert x.grad is not w
    assert not x.grad.requires_grad
    same(x.grad, [3, 4])

    x = leaf([1.0, 2.0])
    y = ag.sin(x)
    # Several contributions, so that they are added up to what the hook gave.
    z = ag.exp(ag.cos(y)) + y * 2 + y * 3
    z.register_hook(lambda g: w * 1)
    z.sum().backward()
    s = np.sin([1.0, 2.0])
    same(x.grad, np.cos([1.0, 2.0]) * [3, 4] * (5 - np.exp(np.cos(s)) * np.sin(s)))
    assert not x.grad.requires_grad

    x = leaf([1.0, 2.0])
    y = x * x
    y.register_hook(lambda g: g * w)
    y.sum().backward(create_graph=True)
    x.grad.sum().backward()
    same(w.grad, [2, 4])


@pytest.mark.parametrize("kind", ["tensor", "before", "after"])
def test_hooks_that_bring_a_transformation_in(kind, leaf, constant):
    """What is differentiated may reach a pass of the user's own through a hook only."""

    def f(s):
        x = leaf([1.0, 2.0])
        (x * x).sum().backward()
        y = ag.sin(x)
        z = ag.exp(y[:1])
        if kind == "tensor":
            z.register_hook(lambda g: g * s * s)
        elif kind == "before":
            z.grad_fn.register_prehook(lambda gs: (gs[0] * s * s,))
        else:
            z.grad_fn.register_hook(lambda gi, go: (gi[0] * s * s,))
        out = z.sum() + (y * 2 + y * 3 + ag.cos(y)).sum()
        out.backward(retain_graph=True)
        out.backward()
        return x.grad.sum()

    s = constant(3.0)
    slope = 2 * np.cos(1.0) * np.exp(np.sin(1.0))
    same(ag.grad(f)(s), slope * 6)
    same(ag.jvp(f, (s,), (constant(1.0),))[1], slope * 6)
    same(ag.grad(ag.grad(f))(s), slope * 2)


def test_register_post_accumulate_grad_hook(x):
    seen = []

    def step(p):
        assert p is x
        seen.append(host(p.grad))
        p.grad = None

    handle = x.register_post_accumulate_grad_hook(step)
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    np.testing.assert_allclose(seen, [[2, 2, 2], [3, 3, 3]])
    assert x.grad is None
    # It belongs to accumulation: a gradient that is only returned is not accumulated.
    ag.autograd.grad((x * 2).sum(), x)
    assert len(seen) == 2
    handle.remove()
    with pytest.raises(GradientError, match="not leaves"):
        (x * 2).register_post_accumulate_grad_hook(step)
    x.register_post_accumulate_grad_hook(lambda p: 3)
    with pytest.raises(HookError, match="must return None"):
        (x * 2).sum().backward()


def test_no_hook_is_called_for_a_leaf_that_is_gone(x, leaf):
    """A graph does not hold the tensor, whose gradient nobody could see."""
    seen = []
    w = leaf([1.0, 2.0, 3.0])
    w.register_post_accumulate_grad_hook(seen.append)
    loss = (x * w).sum()
    del w
    loss.backward()
    assert not seen
    same(x.grad, [1, 2, 3])


def test_an_optimizer_in_hooks_holds_one_gradient_at_a_time(leaf, constant):
    """A leaf's gradient is written as soon as it is complete, so that a step in a hook may let it go."""
    weights = [leaf([0.5, 0.25]) for _ in range(5)]
    alive, most = set(), []

    def step(p):
        # Those that are complete and were not let go yet.
        alive.add(id(p))
        most.append(sum(w.grad is not None for w in weights))
        with ag.no_grad():
            p -= 0.1 * p.grad
        p.grad = None

    order = []
    for i, w in enumerate(weights):
        w.register_post_accumulate_grad_hook(step)
        w.register_post_accumulate_grad_hook(lambda p, i=i: order.append(i))
    h = constant([1.0, 2.0])
    reached = []
    for i, w in enumerate(weights):
        h = h * w
        h.register_hook(lambda g, i=i: reached.append((i, len(order))))
    h.sum().backward()
    assert order == [4, 3, 2, 1, 0]
    assert most == [1] * 5
    # When the pass comes to the product i, the weights of all later ones are done.
    assert reached == [(4, 0), (3, 1), (2, 2), (1, 3), (0, 4)]


def test_the_order_of_hooks(x):
    """Of the tensor, before the node, the node, after it; at a leaf accumulation stands in the node's place."""
    order = []
    y = x * 2
    y.grad_fn.register_hook(lambda *gs: order.append("after"))
    y.grad_fn.register_prehook(lambda gs: order.append("before"))
    y.register_hook(lambda g: order.append("first"))
    y.register_hook(lambda g: order.append("second"))
    sink = y.grad_fn.next_functions[0][0]
    sink.register_hook(lambda *gs: order.append("leaf, after"))
    x.register_post_accumulate_grad_hook(lambda p: order.append(f"accumulated {p.grad is not None}"))
    sink.register_prehook(lambda gs: order.append("leaf, before"))
    x.register_hook(lambda g: order.append(f"leaf {x.grad is None}"))
    y.sum().backward()
    assert order == [
        "first",
        "second",
        "before",
        "after",
        "leaf True",
        "leaf, before",
        "accumulated True",
        "leaf, after",
    ]


def test_detach(x, leaf):
    y = x * 2
    d = y.detach()
    assert not d.requires_grad
    assert d.is_leaf
    assert d.grad_fn is None
    # It shares the value, both ways.
    d[0] = 7.0
    assert host(y)[0] == 7.0
    y[1] = 8.0
    assert host(d)[1] == 8.0
    _, t = ag.jvp(lambda v: v.detach() * v, (leaf([3.0], False),), (leaf([1.0], False),))
    same(t, [3.0])


def test_detach_(x):
    y = x * 2
    assert y.detach_() is y
    assert y.is_leaf
    assert not y.requires_grad
    assert y.grad_fn is None
    y.requires_grad_()
    (y * 3).sum().backward()
    assert x.grad is None
    same(y.grad, [3, 3, 3])
    with pytest.raises(InplaceError, match="view"):
        (x * 2)[:2].detach_()
    c = x.detach()
    assert c.detach_() is c


def test_data(x, constant, agnograd_backend):
    """An alias without a graph, which can be set.

    What the graph saved is not what `data` aliases: PyTorch's backward pass would silently use what was written.
    """
    loss = (x * x).sum()
    assert not x.data.requires_grad
    x.data[0] = 100.0
    assert host(x)[0] == 100.0
    loss.backward()
    same(x.grad, [3.0, -1.0, 4.0])
    x.data -= 0.5
    assert host(x)[0] == 99.5
    x.data = constant([[1.0, 2.0]])
    assert x.shape == (1, 2)
    assert x.requires_grad
    x.data = raw(agnograd_backend, [3.0])
    same(x, [3.0])
    with pytest.raises(TypeError):
        x.data = None
    with pytest.raises(NotDifferentiableError, match="must be floating point or complex"):
        x.data = ag.tensor(raw(agnograd_backend, np.array([1, 2])))
    with pytest.raises((AttributeError, RuntimeError)):
        del x.data
    same(x, [3.0])


def test_data_shares_what_it_is_set_to(leaf, constant):
    """Parameters may lie in one array: the idiom of optimizers that update all of them at once."""
    flat = constant([1.0, 2.0, 3.0])
    x, w = leaf([0.0, 0.0]), leaf([0.0])
    x.data, w.data = flat[:2], flat[2:]
    (x * w).sum().backward()
    same(x.grad, [3, 3])
    with ag.no_grad():
        x -= x.grad
    same(flat, [-2, -1, 3])
    flat *= 10
    same(x, [-20, -10])
    same(w, [30])
    assert x.is_leaf
    assert x.requires_grad
    x.grad = None
    (x * w).sum().backward()
    same(x.grad, [30, 30])
    x.data -= 1
    x.data = x.data
    same(flat, [-21, -11, 30])


def test_views_keep_the_value_when_data_is_set(x, constant):
    base = constant([1.0, 2.0, 3.0])
    view, other = base[:2], base[1:]
    base.data = constant([7.0, 8.0, 9.0])
    base[0] = 0.0
    view[1] = 50.0
    same(base, [0, 8, 9])
    same(view, [1, 50])
    same(other, [50, 3])
    # Set at a view, it takes leave of its base.
    inner = view[:1]
    view.data = constant([5.0, 6.0])
    other *= 2
    inner += 1
    same(view, [5, 6])
    same(inner, [2])
    alias = x.detach()
    x.data = constant([4.0, 4.0, 4.0])
    alias[0] = 100.0
    same(x, [4, 4, 4])


def test_backward(x):
    (x * x).sum().backward()
    same(x.grad, [3.0, -1.0, 4.0])


def test_numpy_and_asarray(x, agnograd_backend):
    for take in (np.asarray, lambda t: t.numpy(), lambda t: t.__dlpack__()):
        with pytest.raises(GradientLostError, match=r"detach\(\)"):
            take(x)
    np.testing.assert_array_equal(x.numpy(force=True), [1.5, -0.5, 2.0])
    if agnograd_backend == "cupy":
        # CuPy copies nothing from a device implicitly.
        np.testing.assert_array_equal(x.detach().numpy(force=True), [1.5, -0.5, 2.0])
        return
    np.testing.assert_array_equal(x.detach().numpy(), [1.5, -0.5, 2.0])
    with ag.no_grad():
        np.testing.assert_array_equal(np.asarray(x), [1.5, -0.5, 2.0])
        np.testing.assert_array_equal(x.numpy(), [1.5, -0.5, 2.0])


def test_item_tolist_float_int_bool(x):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert x[0].item() == 1.5
        assert x.tolist() == [1.5, -0.5, 2.0]
        assert bool(x[0] > 1)
    # Once for each line.
    with pytest.warns(GradientLostWarning, match="leaves the graph"):
        assert float(x[2]) == 2.0
    with pytest.warns(GradientLostWarning, match="leaves the graph"):
        assert int(x[2]) == 2
    with pytest.warns(GradientLostWarning, match="leaves the graph"):
        assert math.sqrt(x[2]) == math.sqrt(2.0)
    with pytest.raises(ValueError, match=r"truth value of an array of shape \(3,\)"):
        bool(x)


def test_clone(x):
    y = x.clone()
    assert not y.is_leaf
    y += 1
    (y * y).sum().backward()
    same(x.grad, 2 * (np.array([1.5, -0.5, 2.0]) + 1))
    same(x, [1.5, -0.5, 2.0])


def test_deepcopy(x):
    """A leaf gives a leaf with the same flag. A computed tensor gives its clone, on the graph.

    PyTorch refuses that; libraries that hold arrays copy what they are given.
    """
    twin = copy.deepcopy(x)
    assert twin.is_leaf
    assert twin.requires_grad
    same(twin, host(x))
    with ag.no_grad():
        twin += 1
    assert host(x)[0] == 1.5
    assert not copy.deepcopy(x.detach()).requires_grad
    copy.deepcopy(x * 2).sum().backward()
    same(x.grad, [2, 2, 2])
    twin = copy.deepcopy(x)
    twin.grad[0] = 5.0
    same(twin.grad, [5, 2, 2])
    same(x.grad, [2, 2, 2])


def test_pickle(x):
    (x * 2).sum().backward()
    back = pickle.loads(pickle.dumps(x))
    assert back.requires_grad
    assert back.is_leaf
    assert back.grad is None
    assert back.__array_namespace__() is x.__array_namespace__()
    same(back, host(x))
    computed = pickle.loads(pickle.dumps(x * 2))
    assert computed.is_leaf
    assert computed.requires_grad
    assert not pickle.loads(pickle.dumps(x.detach())).requires_grad


def test_hash_and_equality(x):
    y = x * 1
    assert len({x, y, x}) == 2
    assert {x: "x", y: "y"}[x] == "x"
    assert hash(x) == hash(x)
    equal = x == y
    assert equal.shape == (3,)
    assert not equal.requires_grad
    assert host(equal).all()


def test_iteration_len_in(x):
    """Elements are views, each with a node of its own (in PyTorch they share one)."""
    assert len(x) == 3
    a, b, _ = x
    (a * b).backward()
    same(x.grad, [-0.5, 1.5, 0])
    assert 2.0 in x.detach()
    assert 7.0 not in x.detach()
    y = x * 1
    first, *_ = y
    first += 1
    assert host(y)[0] == 2.5
    scalar = x.sum()
    for use in (len, iter):
        with pytest.raises(TypeError, match="0-d"):
            use(scalar)


def test_asarray(x):
    assert ag.asarray(x) is x
    y = x * 2
    assert ag.asarray(y) is y
    assert x.__array_namespace__().asarray(y) is y


def test_a_leaf_goes_with_the_graph_of_its_gradient(x):
    """PyTorch warns of a cycle here; agnograd's graph holds none, so that nothing has to be collected."""
    x = x * 1
    x = x.detach().requires_grad_()
    gc.collect()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (x**3).sum().backward(create_graph=True)
        assert x.grad.requires_grad
        gone = weakref.ref(x)
        del x
        assert gone() is None
    finally:
        gc.enable()
