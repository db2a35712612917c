"""Run by test_scipy.py with SCIPY_ARRAY_API=1: functions of scipy.special and scipy.stats on tensors."""

import os

import agnograd as ag
import numpy as np
import pytest
import scipy.special
import scipy.stats
from agnograd.testing import cases, rows
from scipy.special import _support_alternative_backends as dispatch

from agnograd_special.plugin import agnograd_ops

assert os.environ["SCIPY_ARRAY_API"] == "1"

# Functions of scipy.special that ask a namespace for its own.
ASKED = [op for op in agnograd_ops() if op.name.removeprefix("special.") in dispatch.__all__]
BACKENDS = ["numpy", "strict", "dask"]


def test_all_that_scipy_asks_for_is_there():
    assert set(dispatch.__all__) - {op.name.removeprefix("special.") for op in ASKED} == {"lpmv"}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", ASKED, ids=lambda op: op.name)
def test_special(op, backend):
    """The value is SciPy's on NumPy's arrays, the gradient that of the operation."""
    function = getattr(scipy.special, op.name.removeprefix("special."))
    (row,) = [row for row in rows([backend]) if row.device is None]
    case = next(
        case for case in cases(op.name) if all(hasattr(x, "shape") for x in case.sample.arrays) or len(op.arrays) > 1
    )
    made = case.build(row)
    tensors = [ag.namespace(backend).asarray(x) if hasattr(x, "dtype") else x for x in made.arrays]
    for i in made.positions:
        tensors[i] = tensors[i].detach().requires_grad_()
    params = tuple(made.params.values())
    out = function(*tensors, *params)
    assert type(out) is ag.Tensor
    plain = [np.asarray(x) if hasattr(x, "dtype") else x for x in made.host]
    np.testing.assert_allclose(ag.to_backend(out.detach(), "numpy").array, function(*plain, *params), rtol=1e-12)
    if not op.differentiable:
        return
    assert out.requires_grad
    out.sum().backward()
    for i in made.positions:
        step = 1e-6 * (1 + abs(plain[i]))
        up, down = (function(*[x + s * step if j == i else x for j, x in enumerate(plain)], *params) for s in (1, -1))
        assert np.shape(up) == plain[i].shape
        got = ag.to_backend(tensors[i].grad, "numpy").array
        np.testing.assert_allclose(got, (up - down) / (2 * step), rtol=2e-6, atol=1e-6)


def differences(f, x, h=1e-6):
    out = np.zeros_like(x)
    for i in range(x.size):
        step = np.zeros_like(x)
        step.flat[i] = h
        out.flat[i] = (f(x + step) - f(x - step)) / (2 * h)
    return out


RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=9), RNG.normal(size=9) + 0.3
FREQUENCIES = RNG.uniform(5, 9, size=6)

STATISTICS = {
    "entropy": lambda x: scipy.stats.entropy(abs(x)),
    "ttest_1samp": lambda x: scipy.stats.ttest_1samp(x, 0.1).pvalue,
    "ttest_ind": lambda x: scipy.stats.ttest_ind(x[:4], x[4:]).pvalue,
    "ttest_ind, Welch": lambda x: scipy.stats.ttest_ind(x[:4], x[4:], equal_var=False).pvalue,
    "ttest_rel": lambda x: scipy.stats.ttest_rel(x, x[::-1] ** 2).pvalue,
    "pearsonr": lambda x: scipy.stats.pearsonr(x, x**2 + x).pvalue,
    "f_oneway": lambda x: scipy.stats.f_oneway(x[:4], x[4:]).pvalue,
    "skewtest": lambda x: scipy.stats.skewtest(x).pvalue,
    "jarque_bera": lambda x: scipy.stats.jarque_bera(x).pvalue,
    "bartlett": lambda x: scipy.stats.bartlett(x[:4], x[4:]).pvalue,
    "differential_entropy": lambda x: scipy.stats.differential_entropy(x),
}


@pytest.mark.parametrize("backend", ["numpy", "strict"])
@pytest.mark.parametrize("name", STATISTICS)
def test_statistics(name, backend):
    f = STATISTICS[name]
    xp = ag.namespace(backend)
    x = xp.asarray(X).detach().requires_grad_()
    out = f(x)
    np.testing.assert_allclose(float(out.detach()), f(X), rtol=1e-12)
    out.backward()
    np.testing.assert_allclose(ag.to_backend(x.grad, "numpy").array, differences(f, X), rtol=1e-5, atol=1e-7)


def test_chisquare():
    expected = FREQUENCIES[::-1].copy()

    def f(x):
        return scipy.stats.chisquare(x, x.__array_namespace__().asarray(expected), sum_check=False).pvalue

    x = ag.tensor(FREQUENCIES, requires_grad=True)
    f(x).backward()
    np.testing.assert_allclose(x.grad.array, differences(f, FREQUENCIES), rtol=1e-5)
