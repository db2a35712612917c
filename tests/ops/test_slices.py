"""Many slices of one array: their cotangents are put together in one dense array, at every order."""

import numpy as np
import pytest

import agnograd as ag
from agnograd.core.table import spaces
from agnograd.testing import gradcheck

PLACES = [slice(0, 3), slice(2, 5), 4, slice(None, None, 2), (..., slice(1, 2))]


def of_slices(x):
    return sum(ag.sum(x[place] ** 3) for place in PLACES)


@pytest.mark.parametrize(
    "f",
    [
        of_slices,
        lambda x: of_slices(x) + ag.sum(x**2),
        lambda x: of_slices(x * x),
        lambda x: ag.sum(x[1:3]) + 2 * x[0] + ag.sum(x[2:5] ** 3),
    ],
    ids=["alone", "with the whole", "of a result", "constant ones among them"],
)
def test_derivatives_to_second_order(f):
    gradcheck(f, [ag.tensor(np.linspace(0.1, 1.0, 6))])


def test_with_an_array_of_indices_among_them():
    gradcheck(lambda x: ag.sum(x[np.asarray([2, 0, 2])] ** 3) + of_slices(x), [ag.tensor(np.linspace(0.1, 1.0, 6))])


def test_a_differentiable_gradient_is_put_together_in_one_operation():
    x = ag.tensor(np.linspace(0.1, 1.0, 6), requires_grad=True)
    (g,) = ag.autograd.grad(of_slices(x), [x], create_graph=True)
    assert type(g.grad_fn).__name__ == "EmbedAllBackward0"
    assert len(g.grad_fn.next_functions) == len(PLACES)


@pytest.mark.parametrize(
    "transform",
    [
        lambda f, x: ag.grad(f)(x),
        lambda f, x: ag.hvp(f, (x,), (x,)),
        lambda f, x: ag.vjp(ag.grad(f), x)[1](x),
    ],
    ids=["grad", "hvp", "vjp of grad"],
)
def test_few_dense_arrays_are_made(monkeypatch, transform):
    space = spaces.named("numpy")
    zeros, made = space.zeros, []
    monkeypatch.setattr(space, "zeros", lambda shape, **options: made.append(shape) or zeros(shape, **options))
    x = np.linspace(0.1, 1.0, 500)
    transform(lambda x: sum(ag.sum(x[i : i + 10] ** 2) for i in range(0, 500, 10)), x)
    assert made.count((500,)) in {1, 2, 3}
