"""Writes in place and aliasing views."""

from __future__ import annotations

import numpy as np
import pytest

import agnograd as ag
from agnograd.core.table import spaces
from agnograd.errors import InplaceError


def values(t):
    return t.tolist()


def test_a_view_sees_a_write_to_its_base():
    x = ag.zeros(2, 3)
    row = x[1]
    x[1, 0] = 5.0
    assert values(row) == [5.0, 0.0, 0.0]


VIEWS = {
    "index": (lambda x: x[1], 2, (1, 2)),
    "slice": (lambda x: x[:, 1:], (0, 0), (0, 1)),
    "reversed": (lambda x: x[::-1], (0, 0), (1, 0)),
    "reshape": (lambda x: x.reshape(6), 4, (1, 1)),
    "T": (lambda x: x.T, (2, 0), (0, 2)),
    "mT": (lambda x: x.mT, (2, 0), (0, 2)),
    "expand_dims": (lambda x: ag.expand_dims(x, axis=0), (0, 1, 1), (1, 1)),
    "squeeze": (lambda x: ag.squeeze(ag.expand_dims(x, axis=0), axis=0), (1, 1), (1, 1)),
    "permute_dims": (lambda x: ag.permute_dims(x, (1, 0)), (0, 1), (1, 0)),
    "moveaxis": (lambda x: ag.moveaxis(x, 0, 1), (0, 1), (1, 0)),
    "unstack": (lambda x: ag.unstack(x)[1], 2, (1, 2)),
    "detach": (lambda x: x.detach(), (1, 1), (1, 1)),
    "data": (lambda x: x.data, (1, 1), (1, 1)),
    "chain": (lambda x: x[1].reshape(1, 3)[0], 2, (1, 2)),
    "integer of NumPy": (lambda x: x[np.int64(1)], 2, (1, 2)),
}


@pytest.mark.parametrize(("make", "key", "place"), list(VIEWS.values()), ids=list(VIEWS))
def test_a_write_through_a_view_reaches_its_base_and_its_siblings(make, key, place):
    x = ag.zeros(2, 3)
    sibling = x[:, :]
    view = make(x)
    view[key] = 7.0
    expected = np.zeros((2, 3))
    expected[place] = 7.0
    assert values(x) == expected.tolist()
    assert values(sibling) == expected.tolist()
    assert view[key].item() == 7.0


COPIES = {
    "broadcast_to": lambda x: ag.broadcast_to(x, (2, 3)),
    "flip": ag.flip,
    "clone": lambda x: x.clone(),
    "add": lambda x: x + 0,
    "mask": lambda x: x[x == 0],
    "integers": lambda x: x[ag.asarray([0, 2])],
    "list": lambda x: x[[0, 2]],
    "mask among others": lambda x: x[None, np.asarray([True, True, False])],
    "reshape": lambda x: ag.reshape(x, (3, 1), copy=True),
}


@pytest.mark.parametrize("make", list(COPIES.values()), ids=list(COPIES))
def test_a_copy_does_not_alias(make):
    x = ag.zeros(3)
    copy = make(x)
    x[0] = 1.0
    assert not np.any(copy.numpy())


def test_the_gradient_flows_through_a_write_to_both_sides():
    x = ag.ones(3, requires_grad=True)
    v = ag.tensor(2.0, requires_grad=True)
    y = x * 2
    y[1] = v * 5
    (y * ag.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert values(x.grad) == [2.0, 0.0, 200.0]
    assert v.grad.item() == 50.0


def test_the_gradient_flows_through_a_write_to_a_view():
    w = ag.ones(2, requires_grad=True)
    x = ag.zeros(2, 2)
    row = x[0]
    row += w * 3
    assert x.requires_grad
    assert row.requires_grad
    (x.sum() + row.sum()).backward()
    assert values(w.grad) == [6.0, 6.0]


def test_what_the_graph_saved_is_not_corrupted_by_a_write():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    z = y * y
    y[0] = 100.0
    z.sum().backward()
    assert values(x.grad) == [2.0, 4.0]


def test_operators_in_place_keep_the_object():
    x = ag.ones(2, requires_grad=True)
    y = x * 2
    same = y
    y += 1
    y *= y
    assert same is y
    y.sum().backward()
    assert values(x.grad) == [12.0, 12.0]


def test_an_operator_in_place_cannot_change_shape_or_kind():
    x = ag.zeros(2)
    with pytest.raises(ValueError, match=r"shape \(3, 2\)"):
        x += ag.zeros(3, 2)
    i = ag.tensor([1, 2])
    with pytest.raises(TypeError, match="dtype"):
        i += 0.5
    assert values(x) == [0.0, 0.0]
    assert values(i) == [1, 2]


def test_a_leaf_is_written_to_under_no_grad_only():
    x = ag.ones(3, requires_grad=True)
    with pytest.raises(InplaceError, match=r"shape \(3,\)"):
        x[0] = 2.0
    with pytest.raises(InplaceError, match="leaf"):
        x += 1
    view = x[1:]
    with pytest.raises(InplaceError, match="view of a leaf"):
        view[0] = 2.0
    with ag.no_grad():
        x -= 0.5
        x[0] = 9.0
    assert values(x) == [9.0, 0.5, 0.5]
    assert x.is_leaf
    assert values(view) == [0.5, 0.5]
    (view * view).sum().backward()
    assert values(x.grad) == [0.0, 1.0, 1.0]


def test_a_step_through_data_is_unseen_by_autograd():
    x = ag.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    x.data -= 0.1 * x.grad.data
    assert x.is_leaf
    assert x.requires_grad
    assert values(x) == pytest.approx([0.7, 0.7])


def test_a_write_under_no_grad_leaves_the_node_of_a_computed_tensor():
    x = ag.ones(2, requires_grad=True)
    y = x * 3
    with ag.no_grad():
        y[0] = 50.0
    assert values(y) == [50.0, 3.0]
    y.sum().backward()
    assert values(x.grad) == [3.0, 3.0]


def test_a_loop_of_writes_copies_once(monkeypatch):
    copies = []
    monkeypatch.setattr(spaces.named("numpy"), "copy", lambda a: copies.append(a) or np.array(a))
    x = ag.zeros(1000)
    for i in range(100):
        x[i] = float(i)
    assert len(copies) == 1
    assert x.sum().item() == sum(range(100))


def test_a_loop_of_writes_with_gradients_is_right():
    w = ag.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = ag.zeros(4)
    for i in range(3):
        x[i] = w[i] * w[i]
        x[i + 1] = x[i] * 2
    assert values(x) == [1.0, 4.0, 9.0, 18.0]
    x.sum().backward()
    assert values(w.grad) == [2.0, 4.0, 18.0]


def test_a_view_of_an_array_that_is_being_filled_sees_later_writes():
    x = ag.zeros(3)
    x[0] = 1.0
    head = x[:2]
    x[1] = 2.0
    x[0] = 3.0
    assert values(head) == [3.0, 2.0]
    head[1] = 8.0
    assert values(x) == [3.0, 8.0, 0.0]


def test_numpy_memory_of_an_exposed_array_is_never_written_to():
    x = ag.zeros(3)
    x[0] = 1.0
    seen = x.array
    x[1] = 2.0
    assert seen.tolist() == [1.0, 0.0, 0.0]
    assert not seen.flags.writeable


def test_a_stale_view_keeps_its_graph_whatever_the_mode_at_reading():
    x = ag.ones(2, requires_grad=True)
    y = x * 2
    v = y[0]
    y[1] = 5.0
    with ag.no_grad():
        assert v.item() == 2.0
    v.backward()
    assert values(x.grad) == [2.0, 0.0]


def test_many_dead_views_are_forgotten():
    x = ag.zeros(4)
    for _ in range(10_000):
        x[1]
    assert len(x._views) < 100


def test_an_alias_takes_over_the_graph_of_what_is_written_to_it():
    x = ag.ones(2)
    w = ag.tensor(3.0, requires_grad=True)
    alias = x.detach()
    alias[0] = w * 2
    assert values(x) == [6.0, 1.0]
    assert not x.requires_grad
    alias.sum().backward()
    assert w.grad.item() == 2.0


def test_an_alias_that_was_made_a_leaf_keeps_its_graph():
    x = ag.ones(2)
    leaf = x.detach().requires_grad_()
    x[0] = 5.0
    assert leaf.is_leaf
    assert values(leaf) == [5.0, 1.0]
    (leaf * leaf).sum().backward()
    assert values(leaf.grad) == [10.0, 2.0]
