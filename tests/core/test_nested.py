"""The short ways of operations on duals and tensors around them: they give what the long way gives."""

from __future__ import annotations

import numpy as np
import pytest

import agnograd as ag
from agnograd.core.apply import apply
from agnograd.core.forward import Dual
from agnograd.core.level import new_level, recording_in, zero_safety
from agnograd.core.nodes import classes
from agnograd.core.table import OPS
from agnograd.errors import MixedBackendsError
from agnograd.transforms.arguments import lift

X, T = np.linspace(0.2, 1.0, 6).reshape(2, 3), np.linspace(-1.0, 1.0, 6).reshape(2, 3)
ROW = np.array([0.3, 0.5, 0.9])
CALLS = {
    "multiply": lambda x: (x, ag.asarray(ROW)),
    "subtract": lambda x: (ROW, x),
    "pow": lambda x: (x, 2),
    "matmul": lambda x: (x, ag.asarray(ROW)),
    "tanh": lambda x: (x,),
    "mean": lambda x: (x,),
}


def parts(x):
    return [np.asarray(y) for y in (x._array, x._tangent)]


@pytest.mark.parametrize("name", list(CALLS))
def test_duals(name):
    op = OPS[name]
    with new_level("jvp") as level:
        operands = CALLS[name](Dual(X, T, level))
        found, expected = op.path(*operands, {}), apply(op, operands, {})
        assert type(found) is type(expected) is Dual
        for a, b in zip(parts(found), parts(expected), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", list(CALLS))
def test_tensors_around_duals(name):
    op = OPS[name]
    with new_level("jvp") as level, new_level("grad") as inner:
        operands = CALLS[name](lift(Dual(X, T, level), inner))
        found, expected = op.path(*operands, {}), apply(op, operands, {})
        assert type(found) is type(expected) is classes.nested
        assert found._node.variant is expected._node.variant
        assert found._node.parents == expected._node.parents
        assert inner.nested
        for a, b in zip(parts(found._array), parts(expected._array), strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_not_plain_is_left_to_the_long_way():
    multiply = OPS["multiply"].path
    with new_level("jvp") as level, new_level("grad") as inner:
        x = Dual(X, T, level)
        lifted = lift(x, inner)
        token = zero_safety.set(True)
        assert multiply(x, x, {}) is None
        zero_safety.reset(token)
        with recording_in(False):
            assert multiply(lifted, 2.0, {}) is None
        assert multiply(x, "two", {}) is None
    assert multiply(x, x, {}) is None
    assert multiply(lifted, lifted, {}) is None


def test_backends_are_not_mixed_below_a_level():
    strict = pytest.importorskip("array_api_strict")
    other = strict.asarray(ROW)
    with pytest.raises(MixedBackendsError):
        ag.hvp(lambda x: ag.sum(x * other), (ROW,), (ROW,))


def test_an_array_lifted_within_nested_transformations_keeps_its_gradient_in_its_own_backend():
    da = pytest.importorskip("dask.array")
    weights = da.from_array(ROW, chunks=2)
    found = ag.hvp(lambda x: ag.sum(x * x * x * weights), (X[0],), (T[0],))
    np.testing.assert_allclose(found, 6 * X[0] * ROW * T[0])
