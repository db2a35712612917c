"""Against HIPS/autograd: every function of its `autograd.scipy` that has a derivative has the same one here.

Rows of docs/autograd_scipy.md. Where it gives none for an argument, or a wrong one, differences decide in the matrix.
"""

import agnograd as ag
import autograd.numpy as anp
import autograd.scipy.integrate
import autograd.scipy.linalg
import autograd.scipy.signal
import autograd.scipy.special
import autograd.scipy.stats
import numpy as np
import pytest
from autograd import grad
from autograd.builtins import tuple as packed
from autograd.core import primitive_vjps

from agnograd_scipy.integrate import odeint

HIPS = autograd.scipy
RNG = np.random.default_rng(0)
M = RNG.normal(size=(3, 3)) + 3 * np.eye(3)
SPD = M @ M.T
X = RNG.normal(size=(3, 2))
BANDS = RNG.normal(size=(3, 5)) + np.asarray([0, 4, 0])[:, None]
VECTOR = RNG.normal(size=5)
P, Q, R = RNG.uniform(0.2, 0.8, size=4), RNG.uniform(1.0, 3.0, size=4), RNG.uniform(1.0, 3.0, size=4)
Y = RNG.normal(size=4)
DIRICHLET = np.asarray([0.2, 0.5, 0.3])

# Name, arguments, those with a derivative in HIPS/autograd, and static parameters.
ROWS = [
    ("linalg.sqrtm", (SPD,), (0,), {}),
    ("linalg.solve_sylvester", (M, SPD[:2, :2], X), (0, 1, 2), {}),
    *(
        ("linalg.solve_triangular", (M, X), (0, 1), {"lower": lower, "trans": trans})
        for lower in (False, True)
        for trans in ("N", "T")
    ),
    ("stats.norm.pdf", (Y, P, Q), (0, 1, 2), {}),
    ("stats.norm.cdf", (Y, P, Q), (0, 1, 2), {}),
    ("stats.norm.sf", (Y, P, Q), (0, 1, 2), {}),
    ("stats.norm.logpdf", (Y, P, Q), (0, 1, 2), {}),
    ("stats.norm.logcdf", (Y, P, Q), (0, 1, 2), {}),
    ("stats.norm.logsf", (Y, P, Q), (0, 1, 2), {}),
    ("stats.t.pdf", (Y, R, P, Q), (0, 1, 2, 3), {}),
    ("stats.t.logpdf", (Y, R, P, Q), (0, 1, 2, 3), {}),
    ("stats.t.cdf", (Y, R, P, Q), (0, 2), {}),
    ("stats.t.logcdf", (Y, R, P, Q), (0, 2), {}),
    ("stats.gamma.pdf", (Q, R), (0, 1), {}),
    ("stats.gamma.logpdf", (Q, R), (0, 1), {}),
    ("stats.gamma.cdf", (Q, R), (0,), {}),
    ("stats.beta.pdf", (P, Q, R), (0, 1, 2), {}),
    ("stats.beta.logpdf", (P, Q, R), (0, 1, 2), {}),
    ("stats.beta.cdf", (P, Q, R), (0,), {}),
    ("stats.chi2.pdf", (Q, np.asarray([2.0, 3.0, 4.0, 5.0])), (0,), {}),
    ("stats.chi2.logpdf", (Q, np.asarray([2.0, 3.0, 4.0, 5.0])), (0,), {}),
    ("stats.chi2.cdf", (Q, np.asarray([2.0, 3.0, 4.0, 5.0])), (0,), {}),
    ("stats.poisson.pmf", (np.arange(4), Q), (1,), {}),
    ("stats.poisson.logpmf", (np.arange(4), Q), (1,), {}),
    ("stats.poisson.cdf", (np.arange(4), Q), (1,), {}),
    ("stats.dirichlet.pdf", (DIRICHLET, Q[:3]), (0, 1), {}),
    ("stats.dirichlet.logpdf", (DIRICHLET, Q[:3]), (0, 1), {}),
    ("stats.multivariate_normal.pdf", (X[:, 0], X[:, 1], SPD), (0, 1, 2), {}),
    ("stats.multivariate_normal.logpdf", (X[:, 0], X[:, 1], SPD), (0, 1, 2), {}),
    ("stats.multivariate_normal.entropy", (X[:, 0], SPD), (1,), {}),
    *(
        ("signal.convolve", (RNG.normal(size=a), RNG.normal(size=b)), (0, 1), {"mode": mode})
        for mode in ("full", "same", "valid")
        for a, b in (((6,), (3,)), ((4, 5), (2, 3)))
    ),
    (
        "signal.convolve",
        (RNG.normal(size=(2, 3, 6)), RNG.normal(size=(3, 4, 3))),
        (0, 1),
        {"mode": "valid", "axes": ([2], [2]), "dot_axes": ([1], [0])},
    ),
    (
        "signal.convolve",
        (RNG.normal(size=(2, 6, 3)), RNG.normal(size=(4, 3))),
        (0, 1),
        {"axes": ([1], [0]), "dot_axes": ([2], [1])},
    ),
]


def reached(start, name):
    for part in name.split("."):
        start = getattr(start, part)
    return start


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: "-".join([row[0], *(str(np.ndim(x)) for x in row[1]), *map(str, row[3].values())])
)
def test_row(row):
    name, arguments, differentiable, params = row
    ours, theirs = reached(ag.scipy, name), reached(HIPS, name)
    expected = theirs(*arguments, **params)
    weights = RNG.normal(size=np.shape(expected))
    given = [ag.asarray(x) if isinstance(x, np.ndarray) else x for x in arguments]
    found = ours(*given, **params)
    np.testing.assert_allclose(found.array, expected, rtol=1e-9, atol=1e-12)
    for i in differentiable:

        def f(x, i=i):
            return ag.sum(ours(*given[:i], x, *given[i + 1 :], **params) * ag.asarray(weights))

        wanted = grad(lambda *args: anp.sum(theirs(*args, **params) * weights), i)(*arguments)
        np.testing.assert_allclose(ag.grad(f)(given[i]).array, wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("argument", [1, 2])
def test_solve_banded(argument):
    theirs = grad(lambda *args: anp.sum(anp.sin(HIPS.linalg.solve_banded(*args))), argument)((1, 1), BANDS, VECTOR)
    ours = ag.grad(lambda ab, b: ag.sum(ag.sin(ag.scipy.linalg.solve_banded(ab, b, (1, 1)))), argnums=argument - 1)
    np.testing.assert_allclose(ours(ag.asarray(BANDS), ag.asarray(VECTOR)).array, theirs, rtol=1e-9, atol=1e-12)


def test_odeint():
    y0, t = np.asarray([0.5, -0.2]), np.asarray([0.0, 0.3, 0.9])
    tight = {"rtol": 1e-10, "atol": 1e-10}

    def theirs(y0, t, a):
        f = HIPS.integrate.odeint(
            lambda y, t, a: anp.stack([y[1], -a * anp.sin(y[0]) * t]), y0, t, packed((a,)), **tight
        )
        return anp.sum(f**2)

    def ours(y0, t, a):
        return ag.sum(odeint(lambda y, t, a: ag.stack([y[1], -a * ag.sin(y[0]) * t]), y0, t, a, **tight) ** 2)

    for i in range(3):
        wanted = grad(theirs, i)(y0, t, 0.8)
        found = ag.grad(ours, argnums=i)(ag.asarray(y0), ag.asarray(t), ag.asarray(np.asarray(0.8)))
        np.testing.assert_allclose(found.array, wanted, rtol=1e-5, atol=1e-7)


def test_every_function_that_has_a_derivative_there_has_a_row_here_or_is_in_agnograd_special():
    here = {row[0] for row in ROWS} | {"linalg.solve_banded", "integrate.odeint"}
    modules = {"linalg": HIPS.linalg, "signal": HIPS.signal, "integrate": HIPS.integrate}
    modules |= {f"stats.{name}": getattr(HIPS.stats, name) for name in dir(HIPS.stats) if not name.startswith("_")}
    there = {
        f"{prefix}.{name}"
        for prefix, module in modules.items()
        for name, f in vars(module).items()
        if callable(f) and f in primitive_vjps and not hasattr(HIPS.special, name)
    }
    assert there == here
    special = {name for name, f in vars(HIPS.special).items() if callable(f) and f in primitive_vjps}
    assert len(special) >= 30
    assert special <= set(dir(ag.special))
