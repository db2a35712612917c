"""Elementary functions that Numba compiles: within 4 units in the last place of NumPy's, special values included."""

import numpy as np
import pytest

import agnograd as ag
from agnograd.compiler.vectors import KERNELS

SPECIAL = [
    0.0,
    -0.0,
    np.inf,
    -np.inf,
    np.nan,
    1.0,
    -1.0,
    5e-324,
    -1e-310,
    1.7e308,
    1e6,
    -1e7,
    709.7,
    710.0,
    -745.1,
    -746.0,
]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions(name):
    draw = np.random.default_rng(0)
    wide = draw.normal(size=20_000) * 10.0 ** draw.uniform(-9, 2.8, 20_000)
    turns = np.arange(-2000, 2000) * np.pi / 2
    ones = 1 + draw.normal(size=5000) * 1e-3
    x = np.concatenate([wide, draw.uniform(-8, 8, 20_000), turns, ones, 10 ** draw.uniform(-320, 308, 5000), SPECIAL])
    x = np.abs(x) if name == "log" else x
    for part in (x, x[np.abs(x) < 1e5]):
        found, expected = np.empty_like(part), getattr(np, name)(part)
        KERNELS[name](part, found)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(found[~finite], expected[~finite])
        found, expected = found[finite], expected[finite]
        # The difference is no number of units where the unit is not: below, at the smallest numbers.
        assert np.max(np.abs(found - expected) / np.spacing(np.abs(expected))) <= 4
        own = part.copy()
        KERNELS[name](own, own)
        np.testing.assert_array_equal(own[finite], found)


def f(x, y):
    u = ag.tanh(x * y + x)
    v = ag.log(u * u + x)
    w = ag.sin(v) * ag.exp(u) + ag.cos(x) * ag.tanh(ag.astype(ag.sum(y), "float64") * 0.001)
    return ag.sum(w * w)


@pytest.mark.parametrize("shape", [(300, 400), (40, 50), (50,), (2, 3)])
def test_in_programs(shape):
    x = np.linspace(0.1, 1.0, np.prod(shape)).reshape(shape)
    y = np.linspace(-1.0, 1.0, np.prod(shape)).reshape(shape)
    gradient = ag.value_and_grad(f, (0, 1))
    # Matrix products are not for the machine.
    both = lambda x, y: (gradient(x, y), x[..., :2].T @ x[..., :2] if x.ndim > 1 else x @ y)
    compiled = ag.compile(both, native=True)
    for given in ((x, y), (x, y[::-1]), (np.asfortranarray(x), y)):
        for _ in range(2):
            found = ag.tree.leaves(compiled(*given))
        for a, b in zip(found, ag.tree.leaves(both(*given)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    assert ("native_tanh" in compiled.source) == (x.size >= 32)


def test_other_dtypes_and_numbers_stay_with_numpy():
    x = np.linspace(0.1, 1.0, 120_000).astype("float32")

    def g(x, s):
        return ag.sum(ag.tanh(x) * ag.exp(ag.broadcast_to(s, x.shape))), ag.tanh(s)

    for args in ((x, np.asarray(0.5, "float32")), (x.astype("float64"), np.asarray(0.5))):
        compiled = ag.compile(ag.jacobian(g, 1), native=True)
        for a, b in zip(ag.tree.leaves(compiled(*args)), ag.tree.leaves(ag.jacobian(g, 1)(*args)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6 if args[0].dtype == "float32" else 1e-13)
