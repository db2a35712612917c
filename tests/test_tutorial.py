"""PyTorch's autograd tutorial with ``import agnograd as torch``: its numbers on every backend, and its text.

The expected text is PyTorch 2.13's, for float64 as the default dtype. A lazy tensor prints no values; its text is
compared as if they had been computed.
"""

from __future__ import annotations

import re

import pytest

import agnograd as torch
from agnograd.plugins import manager

ONES = "tensor([[1., 1.],\n        [1., 1.]], requires_grad=True)"
THREES = "tensor([[3., 3.],\n        [3., 3.]], grad_fn=<AddBackward0>)"
TWENTY_SEVENS = "tensor([[27., 27.],\n        [27., 27.]], grad_fn=<MulBackward0>)"
GRADIENT = "tensor([[4.5000, 4.5000],\n        [4.5000, 4.5000]])"
NODE = r"<%sBackward0 object at 0x[0-9a-f]+>"


@pytest.fixture(autouse=True)
def backend(agnograd_backend):
    with torch.use_backend(agnograd_backend):
        yield agnograd_backend


def text(x):
    """What ``print`` shows of a tensor; of a lazy one, what it would show of its values."""
    shown = str(x)
    if not manager.find_backend(torch.default_backend()).lazy:
        return shown
    assert shown.startswith(f"tensor(shape={x.shape}, dtype={x.dtype}, chunks=")
    with torch.use_backend("numpy"):
        values = str(torch.to_backend(x.detach(), "numpy"))
    suffix = re.search(r",\s+((?:requires_grad|grad_fn)=\S+)\)$", shown)
    return f"{values[:-1]}, {suffix[1]})" if suffix else values


def test_a_tensor_an_operation_and_its_node():
    x = torch.ones(2, 2, requires_grad=True)
    assert text(x) == ONES
    y = x + 2
    assert text(y) == THREES
    assert x.grad_fn is None
    assert re.fullmatch(NODE % "Add", str(y.grad_fn))


def test_sizes_as_a_tuple():
    assert text(torch.ones((2, 2), requires_grad=True)) == ONES


def test_the_gradient_of_a_scalar():
    x = torch.ones(2, 2, requires_grad=True)
    y = x + 2
    z = y * y * 3
    out = z.mean()
    assert text(z) == TWENTY_SEVENS
    assert text(out) == "tensor(27., grad_fn=<MeanBackward0>)"
    assert out.backward() is None
    assert text(x.grad) == GRADIENT
    assert x.grad.tolist() == [[4.5, 4.5], [4.5, 4.5]]
    assert x.grad.requires_grad is False


def test_an_integer_cotangent():
    x = torch.ones(2, 2, requires_grad=True)
    y = x + 2
    (y * y * 3).mean().backward(torch.tensor(1))
    assert text(x.grad) == GRADIENT


def test_requires_grad_is_set_in_place():
    torch.manual_seed(0)
    a = torch.randn(2, 2)
    a = (a * 3) / (a - 1)
    assert a.requires_grad is False
    assert a.requires_grad_(True) is a
    assert a.requires_grad is True
    b = (a * a).sum()
    assert re.fullmatch(NODE % "Sum", str(b.grad_fn))
    b.backward()
    assert same(a.grad, a.detach() * 2)


def same(x, y):
    return bool((x == y).all())


def test_the_same_random_numbers_on_every_backend(backend):
    torch.manual_seed(0)
    drawn = torch.randn(2, 2).tolist()
    torch.manual_seed(0)
    with torch.use_backend("numpy"):
        assert torch.randn(2, 2).tolist() == drawn


def test_a_vector_jacobian_product():
    x = torch.tensor([0.6772, -1.3979, -1.3614], requires_grad=True)
    y = x * 2
    doublings = 0
    while y.data.norm() < 1000:
        y = y * 2
        doublings += 1
    assert doublings == 8
    assert text(y) == "tensor([ 346.7264, -715.7248, -697.0368], grad_fn=<MulBackward0>)"
    gradients = torch.tensor([0.1, 1.0, 0.0001], dtype=torch.float)
    y.backward(gradients)
    assert text(x.grad) == "tensor([5.1200e+01, 5.1200e+02, 5.1200e-02])"
    assert x.grad.tolist() == pytest.approx([51.2, 512.0, 0.0512], rel=1e-15)


def test_the_condition_of_the_loop_is_a_tensor_without_graph():
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    norm = (x * 2).data.norm()
    assert norm.requires_grad is False
    assert text(norm) == "tensor(10.)"
    assert text(norm < 1000) == "tensor(True)"


def test_nothing_is_recorded_under_no_grad():
    x = torch.tensor([0.5, 1.5], requires_grad=True)
    assert x.requires_grad is True
    assert (x**2).requires_grad is True
    with torch.no_grad():
        y = x**2
    assert y.requires_grad is False
    assert y.grad_fn is None
    assert text(y) == "tensor([0.2500, 2.2500])"


def test_detach_shares_the_values():
    x = torch.tensor([0.5, 1.5], requires_grad=True)
    y = x.detach()
    assert y.requires_grad is False
    assert same(x, y)


def test_second_order():
    x = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(x**4, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    assert (first.item(), second.item()) == (32.0, 48.0)
