"""Conventions at points where there is no derivative, and errors where no library has it."""

import math

import agnograd as ag
import numpy as np
import pytest
from agnograd.errors import MissingRuleError, UnsupportedError

sp = ag.special
INF = math.inf


def slopes(f, *x):
    with np.errstate(all="ignore"):
        return [float(g) for g in ag.grad(f, argnums=tuple(range(len(x))))(*map(np.asarray, x))]


@pytest.mark.parametrize(
    ("f", "x", "wanted"),
    [
        (sp.xlogy, (0.0, 0.0), [0, 0]),
        (sp.xlogy, (0.0, -1.0), [0, 0]),
        (sp.xlogy, (2.0, 0.0), [-INF, INF]),
        (sp.xlog1py, (0.0, -1.0), [0, 0]),
        (sp.entr, (0.0,), [INF]),
        (sp.entr, (-1.0,), [0]),
        (sp.rel_entr, (0.0, 2.0), [-INF, 0]),
        (sp.rel_entr, (0.0, 0.0), [0, 0]),
        (sp.rel_entr, (1.0, 0.0), [0, 0]),
        (sp.kl_div, (0.0, 2.0), [-INF, 1]),
        (sp.kl_div, (0.0, 0.0), [0, 1]),
        (sp.huber, (1.0, 1.0), [0, 1]),
        (sp.huber, (1.0, -3.0), [2, -1]),
        (sp.pseudo_huber, (0.0, 0.0), [0, 0]),
        (sp.boxcox, (0.0, 2.0), [0, 0.25]),
        (sp.boxcox1p, (-1.0, 2.0), [0, 0.25]),
        (sp.logit, (0.0,), [INF]),
        (sp.logit, (1.0,), [INF]),
        (sp.expit, (-INF,), [0]),
        (sp.expit, (INF,), [0]),
        (sp.erf, (INF,), [0]),
        (sp.erfcx, (INF,), [0]),
        (sp.erfinv, (1.0,), [INF]),
        (sp.log_ndtr, (INF,), [0]),
        (sp.log_ndtr, (-INF,), [INF]),
        (sp.ndtri, (0.0,), [INF]),
        (sp.gamma, (0.0,), [-INF]),
        (sp.rgamma, (-4.0,), [24]),
        (sp.i0e, (0.0,), [0]),
        (sp.cbrt, (0.0,), [INF]),
        (sp.ellipk, (1.0,), [INF]),
        (lambda x: sp.gammainc(0.5, x), (0.0,), [INF]),
        (lambda x: sp.gammainc(1.0, x), (0.0,), [1]),
        (lambda x: sp.gammainc(2.0, x), (0.0,), [0]),
        (lambda x: sp.betainc(1.0, 1.0, x), (1.0,), [1]),
        (lambda x: sp.betainc(0.5, 1.0, x), (0.0,), [INF]),
        (sp.gammainc, (2.0, 0.0), [0, 0]),
        (sp.gammainc, (2.0, INF), [0, 0]),
        (sp.betainc, (2.0, 3.0, 0.0), [0, 0, 0]),
        (sp.betainc, (2.0, 3.0, 1.0), [0, 0, 0]),
        (sp.stdtr, (3.0, 0.0), [0, 2 / (math.sqrt(3) * math.pi)]),
        (sp.stdtr, (3.0, INF), [0, 0]),
        (sp.fdtr, (3.0, 4.0, 0.0), [0, 0, 0]),
    ],
)
def test_conventions(f, x, wanted):
    assert slopes(f, *x) == pytest.approx(wanted, rel=1e-12, abs=1e-300)


def test_what_is_masked_keeps_its_higher_derivatives():
    """d2/dxdy x log(y) = 1/y at x = 0 too, and so for its kin."""

    def mixed(f, x, y):
        inner = ag.grad(f, argnums=1)
        return float(ag.grad(inner)(np.asarray(x), np.asarray(y)))

    assert mixed(sp.xlogy, 0.0, 4.0) == 0.25
    assert mixed(sp.xlog1py, 0.0, 3.0) == 0.25
    assert mixed(sp.rel_entr, 0.0, 4.0) == -0.25
    assert mixed(sp.kl_div, 0.0, 4.0) == -0.25


def test_students_distribution_has_no_kink_at_zero():
    """d2/dt d(df), in either order, is the derivative of the density in the degrees of freedom."""
    first = ag.grad(ag.grad(sp.stdtr, argnums=0), argnums=1)(np.asarray(3.0), np.asarray(0.0))
    second = ag.grad(ag.grad(sp.stdtr, argnums=1), argnums=0)(np.asarray(3.0), np.asarray(0.0))
    assert float(first) == pytest.approx(float(second), rel=1e-12)
    assert abs(float(first)) > 0.005


def test_where_does_not_leak_the_other_branch():
    x = np.asarray([0.0, 2.0])
    with np.errstate(all="ignore"):
        g = ag.grad(lambda x: ag.sum(ag.where(x > 0, sp.xlogy(x, x), 0)))(x)
    assert g == pytest.approx([0, 1 + math.log(2)])


@pytest.mark.parametrize(
    ("name", "arguments", "place"),
    [
        ("pdtr", (1.0, 2.0), 0),
        ("polygamma", (1.0, 2.0), 0),
        ("jv", (1.5, 2.0), 0),
        ("hyp1f1", (1.5, 2.0, 0.5), 1),
        ("zeta", (1.5, 2.0), 0),
        ("zetac", (1.5,), 0),
        ("expn", (1.0, 2.0), 0),
    ],
)
def test_missing_derivatives_raise(name, arguments, place):
    arrays = [ag.tensor(x, requires_grad=i == place) for i, x in enumerate(arguments)]
    function = getattr(sp, name)
    with pytest.raises(MissingRuleError, match=rf"special\.{name}.*argument '.*Detach"):
        function(*arrays)
    with pytest.raises(MissingRuleError):
        ag.jvp(
            lambda x: function(*arguments[:place], x, *arguments[place + 1 :]),
            (np.asarray(arguments[place]),),
            (np.asarray(1.0),),
        )
    # As a constant it is fine, and the others have their derivative.
    arrays = [ag.tensor(x, requires_grad=i != place) for i, x in enumerate(arguments)]
    with ag.no_grad():
        assert not function(*arrays).requires_grad


@pytest.mark.parametrize("backend", ["numpy", "strict", "dask"])
def test_what_a_library_lacks_raises_at_once(backend):
    xp = ag.namespace(backend)
    z = xp.asarray([1.0, 2.0], dtype=xp.complex128)
    with pytest.raises(UnsupportedError, match=r"special\.erfinv of complex128"):
        xp.special.erfinv(z)
    # The value of digamma is there, its derivative is not: that is a trigamma function of complex numbers.
    with pytest.raises(UnsupportedError, match=r"special\.zeta of float, complex128"):
        ag.vjp(sp.digamma, z.array)[1](z.array)
    with pytest.raises(MissingRuleError, match="holomorphic"):
        ag.vjp(lambda z: sp.ive(1, z), z.array)[1](z.array)
