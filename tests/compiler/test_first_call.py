"""What a first call does besides tracing: no search for garbage, no plugins loaded in vain, no large stand-ins."""

import gc
import weakref

import numpy as np
import pytest

import agnograd as ag
from agnograd.compiler import shapes
from agnograd.compiler.garbage import uncollected
from agnograd.core.table import spaces
from agnograd.errors import AgnogradError


def test_the_collector_is_as_it_was():
    seen = []

    def f(x):
        seen.append(gc.isenabled())
        # One within another.
        return ag.compile(lambda y: ag.sum(y * y))(x)

    ag.compile(f)(np.ones(3))
    assert seen == [False]
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        ag.compile(lambda x: x / (1 // 0))(np.ones(3))
    assert gc.isenabled()
    gc.disable()
    try:
        ag.compile(f)(np.ones(4))
        assert not gc.isenabled()
    finally:
        gc.enable()
    with uncollected(), uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_dtypes_and_ellipses_are_not_looked_up_as_arrays(monkeypatch):
    monkeypatch.setattr(spaces, "foreign", weakref.WeakSet())
    x = np.ones((2, 3))
    ag.compile(lambda x: ag.astype(ag.zeros(3, dtype=np.dtype("float32")) + x[..., 1:2], ag.float64))(x)
    assert not set(spaces.foreign) & {type(np.dtype("float32")), type(np.dtype("float64")), type(...), type(np.float64)}


LARGE = np.eye(80) * 2.0 + 0.01


@pytest.mark.parametrize(
    "f",
    [
        ag.linalg.inv,
        ag.linalg.cholesky,
        lambda x: ag.linalg.cholesky(ag.stack([x, x])),
        lambda x: ag.linalg.solve(x, x[0]),
        lambda x: ag.linalg.solve(x, x[:, :3]),
        lambda x: ag.linalg.solve(ag.stack([x, x]), x[:, :3]),
        lambda x: ag.linalg.solve(x, ag.stack([x, 2 * x])),
        lambda x: ag.linalg.solve(ag.astype(x, ag.float32), ag.astype(x[0], ag.float32)),
    ],
    ids=["inv", "cholesky", "of a stack", "vector", "columns", "stack and columns", "two stacks", "float32"],
)
def test_factorisations_of_large_matrices(monkeypatch, f):
    def refuse(*args):
        raise AssertionError(args)

    monkeypatch.setattr(shapes, "_stood_in", refuse)
    expected = f(LARGE)
    found = ag.compile(f)(LARGE)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ag.linalg.inv(x[:, :70]),
        lambda x: ag.linalg.cholesky(x[:70]),
        lambda x: ag.linalg.solve(x, x[:70]),
        lambda x: ag.linalg.solve(x[:, :70], x),
    ],
    ids=["inv", "cholesky", "right side", "matrix"],
)
def test_large_matrices_that_do_not_fit(f):
    with pytest.raises((ValueError, AgnogradError, np.linalg.LinAlgError)) as eager:
        f(LARGE)
    with pytest.raises(type(eager.value)):
        ag.compile(f)(LARGE)


def test_calls_alike_have_the_same_dtypes():
    """A number and an array, a flag and a number, dtypes: none is taken for another."""
    x = np.asarray([1, 2, 3])

    def f(x):
        y = ag.astype(x, ag.float32)
        return x * 2, x * 2.0, x * True, y * 2, y * 2.0, x + y, y + y, x + x, x > 1, x * 1, x * 1.0

    for found, expected in zip(ag.compile(f)(x), f(x), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
