"""The walk back: any graph, partial cotangents, what is freed, threads."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest

import agnograd as ag
from agnograd.core.nodes import LEAF, Node
from agnograd.errors import GraphFreedError, UnusedInputError


def leaf(*values):
    return ag.tensor(list(values), requires_grad=True)


def test_a_diamond_sums_both_paths():
    x = leaf(2.0)
    a = x * 3
    b = a * a
    c = a + b
    (c * a).sum().backward()
    # (3x + 9x^2) 3x = 9x^2 + 27x^3
    assert x.grad.tolist() == [18 * 2.0 + 81 * 4.0]


def test_a_tensor_used_twice_by_one_operation():
    x = leaf(3.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [6.0]


def random_program(seed, length=40):
    """A random graph over two inputs, as a function."""
    draw = random.Random(seed)
    steps = []
    for n in range(2, length):
        kind = draw.choice(["add", "mul", "sin", "scale", "sub"])
        # Near and far operands, so that both the chain and the heap are exercised.
        pick = lambda: draw.choice([n - 1, draw.randrange(n)])  # noqa: B023
        steps.append((kind, pick(), pick()))

    def program(x, y):
        values = [x, y]
        for kind, i, j in steps:
            a, b = values[i], values[j]
            if kind == "add":
                values.append(a + b)
            elif kind == "sub":
                values.append(a - b)
            elif kind == "mul":
                values.append(ag.tanh(a) * ag.tanh(b))
            elif kind == "sin":
                values.append(ag.sin(a))
            else:
                values.append(a * 0.5)
        return ag.sum(values[-1] * values[length // 2])

    return program


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_agree_with_forward_mode(seed):
    program = random_program(seed)
    rng = np.random.default_rng(seed)
    x, y, dx, dy = rng.normal(size=(4, 3))
    tx, ty = ag.tensor(x, requires_grad=True), ag.tensor(y, requires_grad=True)
    value = program(tx, ty)
    _, tangent = ag.jvp(program, (x, y), (dx, dy))
    zero = np.zeros(3)
    grads = [zero, zero]
    if value.requires_grad:
        value.backward()
        grads = [t.grad.numpy() if t.grad is not None else zero for t in (tx, ty)]
    np.testing.assert_allclose(tangent, grads[0] @ dx + grads[1] @ dy, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_random_graphs_to_second_order(seed):
    program = random_program(seed, 20)
    function = lambda z: program(z, ag.sin(z))
    rng = np.random.default_rng(seed)
    x, dx = rng.normal(size=(2, 3))
    tx = ag.tensor(x, requires_grad=True)
    (first,) = ag.autograd.grad(function(tx), tx, create_graph=True)
    (second,) = ag.autograd.grad((first * ag.tensor(dx)).sum(), tx)
    product = ag.hvp(function, (x,), (dx,))
    np.testing.assert_allclose(second.numpy(), product, rtol=1e-9, atol=1e-10)


def test_several_roots_are_summed_even_where_they_depend_on_each_other():
    x = leaf(1.0, 2.0)
    y = x * x
    z = y * 3
    ag.autograd.backward([y, z, y], [ag.ones(2), ag.ones(2), ag.ones(2)])
    assert x.grad.tolist() == [10.0, 20.0]


def test_gradients_of_computed_tensors():
    x = leaf(1.0, 2.0)
    y = x * 3
    z = (y * y).sum()
    gy, gx = ag.autograd.grad(z, [y, x])
    assert gy.tolist() == [6.0, 12.0]
    assert gx.tolist() == [18.0, 36.0]
    assert x.grad is None


def test_an_unused_input_raises_or_gives_none():
    x, w = leaf(1.0), leaf(2.0)
    with pytest.raises(UnusedInputError, match="index 1"):
        ag.autograd.grad((x * x).sum(), [x, w])
    assert ag.autograd.grad((x * x).sum(), [x, w], allow_unused=True)[1] is None


def test_slices_and_gathers_of_one_array_accumulate():
    x = ag.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = x[0].sum() + 10 * x[:, 1].sum() + 100 * x[1, 2] + 1000 * x[np.array([0, 1, 0]), np.array([0, 0, 0])].sum()
    y.backward()
    assert x.grad.tolist() == [[2001.0, 11.0, 1.0], [1000.0, 10.0, 100.0]]


def test_slices_meet_dense_contributions_in_any_order():
    x = leaf(1.0, 2.0, 3.0)
    (x[0] + (x * x).sum() + x[1:].sum() + x[0] * 3).backward()
    assert x.grad.tolist() == [6.0, 5.0, 7.0]


def test_a_mask_and_a_list_index():
    x = leaf(1.0, -2.0, 3.0)
    (x[x.detach() > 0] * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 2.0]
    x.grad = None
    x[[2, 2]].sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 2.0]


def test_slices_to_second_order():
    x = leaf(1.0, 2.0, 3.0)
    (g,) = ag.autograd.grad((x[1:] ** 3).sum(), x, create_graph=True)
    (g * g).sum().backward()
    # d/dx (3x^2)^2 = 36 x^3
    assert x.grad.tolist() == [0.0, 36 * 8.0, 36 * 27.0]


def test_a_second_pass_needs_retain_graph():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8.0]
    with pytest.raises(GraphFreedError, match="retain_graph=True"):
        y.backward()
    assert x.grad.tolist() == [8.0]


def test_what_saved_no_array_may_be_walked_again():
    x = leaf(2.0, 3.0)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_shared_part_that_was_freed_changes_no_gradient():
    x, w = leaf(2.0), leaf(5.0)
    shared = x * x
    (shared * 2).sum().backward()
    other = (shared + w).sum()
    with pytest.raises(GraphFreedError):
        other.backward()
    assert w.grad is None
    assert x.grad.tolist() == [8.0]


def test_nodes_are_of_one_class_until_somebody_looks():
    x = leaf(1.0)
    y = x * 2
    assert type(y._node) is Node
    assert type(y.grad_fn).__name__ == "MulBackward0"
    assert isinstance(y.grad_fn, Node)
    assert x._node.variant is LEAF


def test_threads_share_leaves():
    x = leaf(1.0)
    barrier = threading.Barrier(8)

    def work():
        y = (x * x * 9).sum()
        barrier.wait()
        y.backward()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert x.grad.tolist() == [8 * 18.0]


def test_backward_under_no_grad():
    x = leaf(3.0)
    y = (x * x).sum()
    with ag.no_grad():
        y.backward()
    assert x.grad.tolist() == [6.0]


def test_a_scalar_of_any_rank_is_a_root():
    x = leaf(3.0)
    (x * x).reshape(1, 1).backward()
    assert x.grad.tolist() == [6.0]


def test_constants_are_not_parents():
    x = leaf(3.0)
    y = x * ag.tensor([2.0])
    assert y._node.parents == (x._node,)
    assert len(y._node.saved) == 1
