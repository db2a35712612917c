"""Writes in place that would make a gradient wrong, and ways out of the graph that would lose one."""

from __future__ import annotations

import numpy as np
import pytest
from bad_input import OPERANDS, A, check, over, unchanged, write

import agnograd as ag
from agnograd.errors import GradientLostError, InplaceError

LEAF = {
    "item": lambda leaf: write(leaf, 0, 1.0),
    "slice": lambda leaf: write(leaf, slice(None), np.zeros(3)),
    "ellipsis": lambda leaf: write(leaf, ..., 0.0),
    "mask": lambda leaf: write(leaf, leaf > 0, 0.0),
    "+=": lambda leaf: leaf.__iadd__(1.0),
    "*=": lambda leaf: leaf.__imul__(leaf),
    "recording again": lambda leaf: ag.no_grad(ag.enable_grad(lambda: leaf.__itruediv__(2.0)))(),
}
VIEW = {
    "item": lambda leaf: write(leaf[1:], 0, 1.0),
    "+=": lambda leaf: leaf[1:].__iadd__(1.0),
    "view of a view": lambda leaf: write(leaf.reshape(3, 1)[0], 0, 1.0),
}
ADVICE = ("(shape (", "float64, numpy on cpu)", "Write under no_grad(), to x.data, or to a copy (x.clone())")


@pytest.mark.parametrize("name", LEAF)
def test_a_leaf_that_requires_grad_is_not_written_to(name):
    check((InplaceError, LEAF[name], "a leaf that requires grad is being written to in place", *ADVICE))


@pytest.mark.parametrize("name", VIEW)
def test_nor_is_a_view_of_one(name):
    check((InplaceError, VIEW[name], "a view of a leaf that requires grad is being written to in place", *ADVICE))


def test_a_refused_write_leaves_views_and_graph_alone():
    leaf = OPERANDS["leaf"]()
    view, double = leaf[:2], leaf * 2
    with unchanged(leaf, view, double):
        for target in (leaf, view):
            with pytest.raises(InplaceError):
                target[0] = 1.0
    (double.sum() + view.sum()).backward()
    assert leaf.grad.tolist() == [3.0, 3.0, 2.0]


MISFITS = {
    "shape": (
        ValueError,
        lambda constant: constant.__iadd__(ag.ones(2, 3)),
        "an in-place operator cannot change a shape: the result has shape (2, 3), the array (3,). Write x = x op y",
    ),
    "kind": (
        TypeError,
        lambda integers: integers.__imul__(1.5),
        "an in-place operator cannot change a dtype: the result has float64, the array int64. Write x = x op y",
    ),
    "value": (
        ValueError,
        lambda constant: write(constant, slice(None), ag.ones(2)),
        "in agnograd.setitem(x: shape (3,), float64, numpy on cpu; value: shape (2,), float64, numpy on cpu)",
    ),
    "index": (
        IndexError,
        lambda constant: write(constant, 7, 1.0),
        "in agnograd.setitem(x: shape (3,), float64, numpy",
    ),
}


@over(MISFITS)
def test_writes_that_do_not_fit(case):
    check(case)


# -- leaving the graph -------------------------------------------------------------------------------------------------

WAYS_OUT = {
    "asarray": np.asarray,
    "array": np.array,
    "numpy()": lambda x: x.numpy(),
    "computed tensor": lambda x: np.asarray(x * 2),
    "view": lambda x: np.asarray(x[:]),
    "dlpack": np.from_dlpack,
    "function that the table lacks": lambda x: np.partition(x, 1),
    "write to an ndarray": lambda x: write(np.zeros(3), slice(None), x),
}


@pytest.mark.parametrize("name", WAYS_OUT)
def test_a_gradient_is_not_lost_in_silence(name):
    leaf = OPERANDS["leaf"]()
    words = ("an array that carries a gradient cannot be", "(shape (3,), float64, numpy on cpu)", "detach()")
    text = check((GradientLostError, WAYS_OUT[name], *words), leaf)
    assert ("SCIPY_ARRAY_API=1 (SciPy)" in text) == (name != "dlpack")


@pytest.mark.parametrize("name", WAYS_OUT)
def test_where_there_is_none_to_lose_the_values_are_given(name):
    WAYS_OUT[name](OPERANDS["leaf"]().detach())
    with ag.no_grad():
        WAYS_OUT[name](OPERANDS["leaf"]())


def test_other_backends_say_the_same():
    check(
        (GradientLostError, lambda strict_leaf: np.asarray(strict_leaf), "strict on Device('CPU_DEVICE')", "detach()")
    )


def test_creation_takes_no_numbers_that_carry_a_gradient():
    xp = ag.namespace("numpy")
    x = ag.tensor(A, requires_grad=True)
    words = ("arange takes plain numbers, and got a tensor that carries a gradient (shape (), float64", "x.item()")
    check((GradientLostError, lambda x: xp.arange(0.0, x, 0.5), *words), x)
    assert xp.linspace(0.0, x.detach(), 3).shape == (3,)
    assert xp.full((2,), x).requires_grad
