"""Indexing where one element is met twice."""

import numpy as np

import agnograd as ag


def test_only_the_last_write_to_an_element_counts():
    # The standard leaves assignment by arrays of integers out; NumPy writes in order, and so the last one stays.
    value = ag.tensor([10.0, 20.0, 30.0], requires_grad=True)
    base = ag.ones(3, requires_grad=True)
    y = base * 2
    y[np.array([1, 0, 1])] = value * 2
    assert y.tolist() == [40.0, 60.0, 2.0]
    y.sum().backward()
    assert value.grad.tolist() == [0.0, 2.0, 2.0]
    assert base.grad.tolist() == [0.0, 0.0, 2.0]


def test_rows_that_are_written_twice():
    value = ag.ones(3, 2, requires_grad=True)
    y = ag.zeros(2, 2)
    y[[0, 1, 0]] = value * 3
    (y * ag.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum().backward()
    assert value.grad.tolist() == [[0.0, 0.0], [300.0, 3000.0], [3.0, 30.0]]
    tangent = ag.jvp(_written, (np.ones((3, 2)),), (np.arange(6.0).reshape(3, 2),))[1]
    np.testing.assert_allclose(tangent, [[4.0, 5.0], [2.0, 3.0]])


def _written(value):
    y = ag.zeros(2, 2)
    y[[0, 1, 0]] = value
    return y


def test_infinities_stay_in_their_slots():
    # array-api-strict has no scatter of its own: it runs the body in standard names.
    value = ag.to_backend(ag.tensor([np.inf, 1.0, np.nan, 2.0, -np.inf, 5.0]), "strict")
    index = ag.to_backend(ag.tensor([0, 1, 2, 1, 3, 4]), "strict")
    out = ag.scatter_add(ag.to_backend(ag.zeros(5), "strict"), index, value)
    np.testing.assert_array_equal(out.tolist(), [np.inf, 3.0, np.nan, -np.inf, 5.0])


def test_what_is_taken_from_a_scalar_adds_up():
    x = ag.tensor(2.0, requires_grad=True)
    y, mask = x * 1, np.asarray(True)
    (y[mask].sum() * 2 + y * 3 + y[mask].sum() + y[()] * 5 + y[...]).backward()
    assert x.grad.item() == 12.0
