"""What the samples of sort, repeat, diff, take_along_axis and the set functions cannot say."""

import numpy as np
import pytest

import agnograd as ag
from agnograd.testing import gradcheck

X = np.asarray([[1.0, 4.0, 9.0], [2.0, -3.0, 5.0]])
ENDS = np.asarray([[7.0], [-1.0]])


def test_equal_values_are_sorted_in_order():
    x = ag.tensor([2.0, 1.0, 2.0, 0.0], requires_grad=True)
    (ag.sort(x) * ag.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    assert x.grad.tolist() == [100.0, 10.0, 1000.0, 1.0]


@pytest.mark.parametrize("descending", [False, True])
def test_sorting_equal_values_agrees_in_both_modes(descending):
    x, t = np.asarray([1.0, 0.0, 1.0, 1.0, 0.0]), np.arange(5.0)
    value, pullback = ag.vjp(lambda x: ag.sort(x, descending=descending), x)
    _, tangent = ag.jvp(lambda x: ag.sort(x, descending=descending), (x,), (t,))
    g = np.asarray([3.0, 1.0, 4.0, 1.0, 5.0])
    assert value.tolist() == sorted(x.tolist(), reverse=descending)
    assert np.sum(pullback(g)[0] * t) == np.sum(g * tangent)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_differences_with_ends(n):
    def f(x, before, after):
        return ag.diff(x, n=n, prepend=before, append=after) ** 2

    np.testing.assert_allclose(f(X, ENDS, 2 * ENDS), np.diff(X, n=n, prepend=ENDS, append=2 * ENDS) ** 2)
    if n:
        gradcheck(f, [X, ENDS, 2 * ENDS])


def test_differences_of_an_array_after_a_tensor():
    before = ag.tensor(ENDS, requires_grad=True)
    y = ag.diff(X, prepend=before)
    assert y.tolist() == np.diff(X, prepend=ENDS).tolist()
    y.sum().backward()
    assert before.grad.tolist() == [[-1.0], [-1.0]]


def test_no_differences_are_an_array_of_their_own():
    x = ag.tensor(X)
    y = ag.diff(x, n=0)
    y += 1
    assert x.tolist() == X.tolist()


@pytest.mark.parametrize(("x", "options"), [(X, {"axis": 2}), (X, {"n": -1}), (np.asarray(1.0), {})])
def test_differences_that_there_are_not(x, options):
    with pytest.raises(ValueError, match="diff takes differences"):
        ag.diff(ag.tensor(x), **options)


def test_small_indices_of_large_arrays():
    # Positions among all elements do not fit the dtype of the indices.
    x = ag.ones(50, 20, requires_grad=True)
    indices = ag.tensor(np.full((50, 2), 19, dtype=np.int8))
    y = ag.take_along_axis(x, indices)
    y.sum().backward()
    expected = np.zeros((50, 20))
    expected[:, 19] = 2
    assert x.grad.tolist() == expected.tolist()


@pytest.mark.parametrize("repeats", [2, np.int64(2), np.asarray(2), ag.tensor(2), ag.tensor([2]), ag.tensor([2, 2, 2])])
def test_repeats_of_any_type(repeats):
    x = ag.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = ag.repeat(x, repeats)
    assert y.tolist() == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    (y * ag.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).sum().backward()
    assert x.grad.tolist() == [3.0, 7.0, 11.0]


def test_numpy_number_of_repeats_on_another_backend():
    xp = ag.namespace("strict")
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    xp.sum(xp.repeat(x, np.int64(3))).backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_unique_values_keep_their_names():
    seen = []

    def f(x):
        seen.append(ag.unique_all(x))
        return x

    x = np.asarray([2.0, 1.0, 2.0])
    f(ag.tensor(x, requires_grad=True))
    ag.jvp(f, (x,), (x,))
    ag.vjp(f, x)
    for found in seen:
        assert found._fields == ("values", "indices", "inverse_indices", "counts")
        assert found.counts.tolist() == [1, 2]
        assert not found.counts.requires_grad


UNIQUE = {
    "unique_all": lambda x: ag.unique_all(x).values,
    "unique_counts": lambda x: ag.unique_counts(x).values,
    "unique_inverse": lambda x: ag.unique_inverse(x).values,
    "unique_values": ag.unique_values,
}


@pytest.mark.parametrize("function", UNIQUE.values(), ids=UNIQUE)
def test_unique_values_have_the_gradient_of_their_first_occurrence(function):
    x = ag.tensor([[3.0, 1.0], [3.0, 2.0]], requires_grad=True)
    values = function(x)
    (values**2).sum().backward()
    assert sorted(values.tolist()) == [1.0, 2.0, 3.0]
    assert x.grad.tolist() == [[6.0, 2.0], [0.0, 4.0]]
    _, t = ag.jvp(function, (x.array,), (np.asarray([[1.0, 10.0], [100.0, 1000.0]]),))
    assert sorted(t.tolist()) == [1.0, 10.0, 1000.0]


@pytest.mark.parametrize("function", UNIQUE.values(), ids=UNIQUE)
def test_unique_values_of_integers_are_plain(function):
    x = ag.tensor([3, 1, 3])
    assert sorted(function(x).tolist()) == [1, 3]


def test_membership_of_real_numbers():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    y = ag.isin(x, ag.tensor([2.0, 3.0]))
    assert y.tolist() == [False, True]
    assert not y.requires_grad
