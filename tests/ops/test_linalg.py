"""What the samples of the linear algebra extension do not show."""

import numpy as np
import pytest

import agnograd as ag

xp = ag.linalg


def test_a_non_negative_axis_is_that_of_each_array():
    # Not in the standard; NumPy takes it so, and broadcasts what is left.
    generator = np.random.default_rng(0)
    a, b, t = generator.normal(size=(3, 4)), generator.normal(size=(3, 3, 4)), generator.normal(size=(3, 4))
    out, pullback = ag.vjp(lambda x: xp.cross(x, b, axis=0), a)
    g = generator.normal(size=out.shape)
    forward = np.sum(g * ag.jvp(lambda x: xp.cross(x, b, axis=0), (a,), (t,))[1])
    np.testing.assert_allclose(np.sum(pullback(g)[0] * t), forward)


def test_the_first_power_is_not_the_matrix_itself():
    x = ag.tensor([[1.0, 2.0], [3.0, 4.0]])
    y = xp.matrix_power(x, 1)
    y[0, 0] = 7.0
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("n", [0, 1, 2, -1])
def test_powers_of_what_is_not_square(n):
    with pytest.raises(ValueError, match=r"square.*\(2, 3\)"):
        xp.matrix_power(ag.ones(2, 3), n)


def test_the_zeroth_power_of_an_infinite_matrix():
    x = ag.tensor([[np.inf, np.nan], [0.0, 1.0]], requires_grad=True)
    y = xp.matrix_power(x, 0)
    assert y.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    y.sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("order", [2, 1, np.inf, -np.inf, 0, 3, 1.5, 0.5, -1])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_norms_at_zero_have_finite_derivatives(order, dtype):
    x, t = np.array([0, 0, 0], dtype=dtype), np.array([1, 2, -1], dtype=dtype)

    def gradient(x):
        return ag.vjp(lambda y: xp.vector_norm(y, ord=order), x)[1](np.float64(1))[0]

    with np.errstate(divide="ignore"):
        assert not np.any(gradient(x))
        assert np.all(np.isfinite(ag.jvp(gradient, (x,), (t,))[1]))


@pytest.mark.parametrize("order", [1, 3, 1.5, 0.5])
def test_norms_with_one_zero(order):
    x = ag.tensor([0.0, 2.0, -1.0], requires_grad=True)
    y = xp.vector_norm(x, ord=order)
    y.backward()
    norm = (2.0**order + 1) ** (1 / order)
    np.testing.assert_allclose(x.grad, [0.0, (2 / norm) ** (order - 1), -((1 / norm) ** (order - 1))])


def test_a_negative_order_with_one_zero():
    # The norm stays 0 while one element is 0.
    x = ag.tensor([0.0, 2.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        xp.vector_norm(x, ord=-1).backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_powers_of_large_and_small_elements_do_not_overflow():
    x = ag.tensor(np.asarray([3e-20, 4e-20], dtype=np.float32), requires_grad=True)
    xp.vector_norm(x * 1e20, ord=20).backward()
    assert x.grad.dtype == np.float32
    assert np.all(np.isfinite(np.asarray(x.grad)))


def test_solving_for_a_stack_of_vectors_is_solving_for_a_matrix():
    # Since 2024.12 only a one-dimensional right-hand side is a vector.
    a = ag.tensor([[[2.0, 0.0], [0.0, 4.0]], [[1.0, 1.0], [0.0, 1.0]]])
    b = ag.ones(2, 2, requires_grad=True)
    y = xp.solve(a, b)
    assert y.shape == (2, 2, 2)
    y.sum().backward()
    assert b.grad.shape == (2, 2)


def test_second_derivatives_do_not_take_the_inverse_for_a_constant():
    x = np.asarray([[2.0]])

    def f(x):
        return xp.inv(x)[0, 0]

    def g(x):
        return xp.solve(x, x)[0, 0] + xp.solve(x, ag.ones(1))[0]

    for function in (f, g):
        second = ag.grad(lambda x, function=function: ag.grad(function)(x)[0, 0])(x)
        np.testing.assert_allclose(second, [[2 / 8.0]])
