"""Writes in place and views: PyTorch's expectations where they make sense, on every backend.

Values are immutable underneath: a write gives a tensor a new value and a new node, and views see it. No write can
corrupt what a graph saved, so that PyTorch's errors about versions, and about views of operations with several outputs,
have no counterpart.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest
from made_tensors import host, same

import agnograd as ag
from agnograd.errors import InplaceError


def test_a_leaf_refuses(x):
    for write in (
        lambda: x.__setitem__(0, 1.0),
        lambda: x.__iadd__(1),
        lambda: x[:2].__imul__(2),
        lambda: ag.reshape(x, (3, 1)).__setitem__((0, 0), 1.0),
        lambda: x[1:][1:].__isub__(1),
    ):
        with pytest.raises(InplaceError, match=r"leaf that requires grad is being written to in place"):
            write()
    with pytest.raises(InplaceError, match="a view of a leaf"):
        x[:2][0] = 1.0
    same(x, [1.5, -0.5, 2.0])


def test_a_leaf_may_be_written_to_under_no_grad(x):
    """As optimizers do. What was recorded before goes on from the old value."""
    loss = (x * x).sum()
    with ag.no_grad():
        x -= 0.5
        x[0] = 7.0
        x[1:] *= 2
    same(x, [7.0, -2.0, 3.0])
    assert x.is_leaf
    assert x.requires_grad
    loss.backward()
    same(x.grad, [3.0, -1.0, 4.0])
    x.grad = None
    (x * x).sum().backward()
    same(x.grad, [14.0, -4.0, 6.0])


def test_setitem(x, leaf):
    v = leaf(5.0)
    y = x * 2
    y[0] = v * 3
    assert y.grad_fn.name() == "CopySlicesBackward0"
    (y * y).sum().backward()
    same(x.grad, [0, 8 * -0.5, 8 * 2.0])
    same(v.grad, 2 * 15 * 3)


def test_a_tensor_that_required_no_gradient_takes_over_that_of_what_is_written(x, constant):
    y = constant([0.0, 0.0, 0.0])
    assert not y.requires_grad
    y[1] = x[0] * 2
    assert y.requires_grad
    assert not y.is_leaf
    y += x
    (y * constant([1.0, 10.0, 100.0])).sum().backward()
    same(x.grad, [21.0, 10.0, 100.0])


def test_operators(x):
    y = x * 1
    for change in (
        lambda t: t.__iadd__(x),
        lambda t: t.__imul__(x),
        lambda t: t.__isub__(1.0),
        lambda t: t.__itruediv__(2.0),
        lambda t: t.__ipow__(2),
    ):
        change(y)
    y.sum().backward()
    v = host(x)
    np.testing.assert_allclose(host(y), ((2 * v * v - 1) / 2) ** 2)
    np.testing.assert_allclose(host(x.grad), 2 * (2 * v * v - 1) / 2 * 2 * v)


def test_no_write_corrupts_what_is_saved(x):
    """PyTorch raises where a value that a rule needs was written to. Here the rule has the value that it saved."""
    y = x * 1
    z = ag.exp(y)
    loss = (z * y).sum()
    z *= 0
    y[:] = 100.0
    loss.backward()
    np.testing.assert_allclose(host(x.grad), np.exp(host(x)) * (1 + host(x)))


VIEWS = {
    "index": lambda t: t[1],
    "slice": lambda t: t[:, 1:],
    "reshape": lambda t: ag.reshape(t, (6,)),
    "transpose": lambda t: t.T,
    "permute": lambda t: ag.permute_dims(t, (1, 0)),
    "expand": lambda t: ag.expand_dims(t, axis=0),
    "squeeze": lambda t: ag.squeeze(ag.expand_dims(t, axis=0), axis=0),
    "moveaxis": lambda t: ag.moveaxis(t, 0, 1),
    "unstack": lambda t: ag.unstack(t)[1],
    "view of a view": lambda t: t.T[1:][:, 0],
    "view of a view of a view": lambda t: ag.reshape(ag.expand_dims(t[0], axis=1), (3,))[1:],
}
MATRIX = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


@pytest.mark.parametrize("name", VIEWS)
def test_a_write_through_a_view_reaches_its_base(name, leaf):
    view = VIEWS[name]
    x = leaf(MATRIX)
    base = x * 1
    part = view(base)
    other = base[1:]
    part *= 10
    # The same elements, told by a view of their numbers.
    numbers = ag.asarray(np.arange(6.0).reshape(2, 3))
    chosen = {int(n) for n in np.ravel(host(view(numbers)))}
    factor = np.array([10.0 if i in chosen else 1.0 for i in range(6)]).reshape(2, 3)
    same(base, MATRIX * factor)
    same(other, (MATRIX * factor)[1:])
    (base * base).sum().backward()
    same(x.grad, 2 * MATRIX * factor**2)


@pytest.mark.parametrize("name", VIEWS)
def test_a_write_to_a_base_is_seen_by_its_views(name, leaf):
    view = VIEWS[name]
    x = leaf(MATRIX)
    base = x * 1
    part = view(base)
    base += x
    same(part, host(view(ag.asarray(2 * MATRIX))))
    part.sum().backward()
    chosen = np.zeros(6)
    chosen[np.ravel(host(view(ag.asarray(np.arange(6).reshape(2, 3)))))] = 2.0
    same(x.grad, chosen.reshape(2, 3))


def test_siblings_see_each_other(leaf):
    x = leaf(MATRIX)
    base = x * 1
    row, column, flat = base[0], base[:, 0], ag.reshape(base, (6,))
    row[0] = 100.0
    assert host(column)[0] == 100.0
    column *= 2
    assert host(flat)[0] == 200.0
    flat[5] = x[0, 1] * 7
    assert host(base)[1, 2] == 14.0
    (base * 1).sum().backward()
    same(x.grad, [[0, 8, 1], [2, 1, 0]])


def test_views_of_a_write_within_a_longer_chain(x):
    y = x * 1
    a = y[:2]
    z = a * 3
    a += 1
    b = a[0:1]
    b *= 5
    (z.sum() + (y * y).sum()).backward()
    v = host(x)
    same(x.grad, [3 + 2 * 5 * (v[0] + 1) * 5, 3 + 2 * (v[1] + 1), 2 * v[2]])


def test_outputs_of_one_operation(x):
    """PyTorch refuses writes to what unbind and split return."""
    y = x * 1
    a, b, _ = ag.unstack(y)
    a *= 10
    b += 1
    same(y, [15.0, 0.5, 2.0])
    y.sum().backward()
    same(x.grad, [10, 1, 1])


def test_copies_do_not_alias(x):
    y = x * 1
    for copy in (y.clone(), ag.broadcast_to(y, (2, 3)), ag.flip(y), ag.asarray(y, copy=True), ag.concat([y])):
        before = host(copy).copy()
        y += 1
        same(copy, before)
        copy *= 0
    same(y, host(x) + 5)


def test_hooks_stay_with_the_value_that_they_were_registered_at(x):
    seen = []
    y = x * 1
    y.register_hook(lambda g: seen.append(("before", host(g).tolist())))
    y *= 3
    y.register_hook(lambda g: seen.append(("after", host(g).tolist())))
    (y * 2).sum().backward()
    assert seen == [("after", [2, 2, 2]), ("before", [6, 6, 6])]
    same(x.grad, [6, 6, 6])


def test_retain_grad_and_a_write(x):
    """The gradient that is kept is that of the newest value, as in PyTorch."""
    y = x * 1
    y.retain_grad()
    y *= 3
    assert y.retains_grad
    (y * 2).sum().backward()
    same(y.grad, [2, 2, 2])
    same(x.grad, [6, 6, 6])
    y = x * 1
    y.retain_grad()
    y[0] = 5.0
    y[1] = 6.0
    view = y[2:]
    view *= 4
    (y * 2).sum().backward()
    same(y.grad, [2, 2, 2])
    same(x.grad, [6, 6, 14])


def test_hooks_of_views(x):
    seen = []
    y = x * 1
    view = y[:2]
    view.register_hook(lambda g: seen.append(host(g).tolist()))
    (view * 2).sum().backward(retain_graph=True)
    assert seen == [[2, 2]]
    view += 1
    (y * 5).sum().backward()
    same(x.grad, [7, 7, 5])


def test_under_checkpoint(x):
    def f(v):
        out = ag.zeros_like(v)
        rows = ag.reshape(out, (3, 1))
        for i in range(3):
            rows[i] = ag.exp(v[i])
        view = out[1:][:1]
        view *= v[0]
        return out * out

    f(x).sum().backward()
    wanted = host(x.grad)
    x.grad = None
    ag.checkpoint(f, x).sum().backward()
    np.testing.assert_allclose(host(x.grad), wanted)


def test_in_threads(leaf):
    """A write is one thread's business: those that write to tensors of their own do not disturb each other."""
    x = leaf([1.0, 2.0, 3.0])
    found, failed = [], []

    def run():
        try:
            for _ in range(20):
                y = x * 1
                view = y[1:]
                view *= x[:2]
                y[0] = x[2] * 2
                found.append(host(ag.autograd.grad(y.sum(), x)[0]))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    assert len(found) == 120
    for g in found:
        np.testing.assert_allclose(g, [2.0, 1.0 + 3.0, 2.0 + 2.0])


def test_an_alias_with_a_graph_of_its_own(x, constant):
    """What is written into a detached alias reaches its base as a constant; its graph makes the two part."""
    base = constant([1.0, 2.0, 3.0])
    alias = base.detach()
    alias[0] = x[1]
    same(base, [-0.5, 2, 3])
    assert not base.requires_grad
    base[1] = 7.0
    base *= 2
    same(base, [-1, 14, 6])
    same(alias, [-0.5, 2, 3])
    (alias * alias).sum().backward()
    same(x.grad, [0, -1, 0])


def test_a_leaf_stays_one_where_a_hook_writes_to_it(x):
    """As optimizers in hooks do, without no_grad: nothing is recorded there."""

    def step(t):
        t -= t.grad
        t.grad = None

    x.register_post_accumulate_grad_hook(step)
    for _ in range(2):
        (x * x).sum().backward()
    assert x.is_leaf
    assert x.requires_grad
    same(x, [1.5, -0.5, 2])


def test_within_transformations(constant):
    def f(v):
        out = ag.zeros_like(v)
        out[0] = v[0] * v[1]
        view = out[1:]
        view += v[1:] ** 3
        return (out * out).sum()

    v = constant([2.0, 3.0])
    a, b = 2.0, 3.0
    same(ag.grad(f)(v), [2 * a * b * b, 2 * a * a * b + 6 * b**5])
    hessian = [[2 * b * b, 4 * a * b], [4 * a * b, 2 * a * a + 30 * b**4]]
    for i, row in enumerate(hessian):
        same(ag.grad(lambda u, i=i: ag.grad(f)(u)[i])(v), row)
        same(ag.jvp(ag.grad(f), (v,), (constant(np.eye(2)[i]),))[1], row)


def test_a_write_cannot_change_shape_or_dtype(x, constant):
    y = x * 1
    with pytest.raises(ValueError, match="cannot change a shape"):
        y += constant(np.ones((2, 3)))
    with pytest.raises(TypeError, match="cannot change a dtype"):
        y *= 1j
    y.sum().backward()
    same(x.grad, [1, 1, 1])
