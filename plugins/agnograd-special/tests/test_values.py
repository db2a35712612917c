"""Values and derivatives against mpmath's, which shares no code with SciPy: also far out, where formulas cancel."""

import math

import agnograd as ag
import mpmath as mp
import numpy as np
import pytest

sp = ag.special


def derivatives(f, x, order):
    """The function and its first derivatives at a number, by reverse mode applied to itself."""
    fs = [f]
    for _ in range(order):
        fs.append(ag.grad(fs[-1]))
    with np.errstate(all="ignore"):
        return [complex(h(np.asarray(x))) if np.iscomplexobj(x) else float(h(np.asarray(x))) for h in fs]


# name: (function of mpmath, points, orders of derivatives)
mp.mp.dps = 40
half = mp.mpf(1) / 2


def erfcx(x):
    return mp.exp(x * x) * mp.erfc(x)


def ellipk_series(m):
    return mp.ellipk(m)


UNARY = {
    "erf": (mp.erf, [-3.0, 0.0, 0.5, 4.0]),
    "erfc": (mp.erfc, [-3.0, 0.5, 10.0]),
    "erfcx": (erfcx, [-2.0, 0.5, 10.0, 24.0, 26.0, 300.0]),
    "erfinv": (mp.erfinv, [-0.99, 0.3, 0.999]),
    "erfcinv": (lambda x: mp.erfinv(1 - x), [0.01, 0.5, 1.9]),
    "ndtr": (mp.ncdf, [-10.0, -1.0, 3.0]),
    "log_ndtr": (lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2), [-300.0, -37.0, -5.0, -0.1, 0.1, 3.0, 9.0]),
    "ndtri": (lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1), [0.01, 0.5, 0.9]),
    "gamma": (mp.gamma, [-1.5, 0.3, 1.0, 20.5]),
    "gammaln": (mp.loggamma, [0.3, 1.0, 2.0, 1e4]),
    "loggamma": (mp.loggamma, [0.3, 2.5]),
    "rgamma": (mp.rgamma, [-3.0, -2.5, 0.0, 0.3, 0.7, 4.0]),
    "digamma": (mp.digamma, [-1.5, 0.3, 1.0, 30.0]),
    "psi": (mp.digamma, [0.3]),
    "exp1": (mp.e1, [0.1, 1.0, 20.0]),
    "expi": (mp.ei, [-3.0, 0.1, 1.0, 20.0]),
    "spence": (lambda x: mp.polylog(2, 1 - x), [0.2, 0.95, 1.0, 1.05, 3.0]),
    "ellipk": (mp.ellipk, [-5.0, -1e-9, 0.0, 0.5, 0.95]),
    "ellipkm1": (lambda p: mp.ellipk(1 - p), [1e-3, 0.5, 1.0, 3.0]),
    "ellipe": (mp.ellipe, [-5.0, 0.0, 0.5, 0.95]),
    "j0": (lambda x: mp.besselj(0, x), [-3.0, 0.0, 1e-3, 2.0, 40.0]),
    "j1": (lambda x: mp.besselj(1, x), [-3.0, 0.0, 1e-3, 2.0, 40.0]),
    "y0": (lambda x: mp.bessely(0, x), [0.1, 2.0, 20.0]),
    "y1": (lambda x: mp.bessely(1, x), [0.1, 2.0, 20.0]),
    "i0": (lambda x: mp.besseli(0, x), [-3.0, 0.0, 1e-3, 2.0, 40.0]),
    "i1": (lambda x: mp.besseli(1, x), [-3.0, 0.0, 1e-3, 2.0, 40.0]),
    "i0e": (lambda x: mp.exp(-abs(x)) * mp.besseli(0, x), [-3.0, 2.0, 40.0]),
    "i1e": (lambda x: mp.exp(-abs(x)) * mp.besseli(1, x), [-3.0, 2.0, 40.0]),
    "k0": (lambda x: mp.besselk(0, x), [1e-2, 2.0, 9.0]),
    "k1": (lambda x: mp.besselk(1, x), [1e-2, 2.0, 9.0]),
    "k0e": (lambda x: mp.exp(x) * mp.besselk(0, x), [1e-2, 2.0, 9.0]),
    "k1e": (lambda x: mp.exp(x) * mp.besselk(1, x), [1e-2, 2.0, 9.0]),
    "sinc": (mp.sincpi, [-2.5, 0.0, 1e-8, 0.1, 0.33, 1.0]),
    "exprel": (lambda x: mp.expm1(x) / x if x else mp.mpf(1), [-30.0, -0.9, 0.0, 1e-8, 0.9, 1.1, 20.0]),
    "expit": (lambda x: 1 / (1 + mp.exp(-x)), [-50.0, 0.3, 40.0]),
    "log_expit": (lambda x: -mp.log1p(mp.exp(-x)), [-50.0, 0.3, 40.0]),
    "logit": (lambda x: mp.log(x / (1 - x)), [1e-3, 0.5, 0.9]),
    "entr": (lambda x: -x * mp.log(x), [1e-3, 2.0]),
    "exp2": (lambda x: mp.mpf(2) ** x, [-3.0, 0.5]),
    "exp10": (lambda x: mp.mpf(10) ** x, [-3.0, 0.5]),
    "cbrt": (mp.cbrt, [0.1, 8.0]),
    "cosm1": (lambda x: mp.cos(x) - 1, [1e-3, 2.0]),
    "sindg": (lambda x: mp.sin(x * mp.pi / 180), [30.0, 100.0]),
    "cosdg": (lambda x: mp.cos(x * mp.pi / 180), [30.0, 100.0]),
    "tandg": (lambda x: mp.tan(x * mp.pi / 180), [30.0, 60.0]),
    "cotdg": (lambda x: mp.cot(x * mp.pi / 180), [30.0, 60.0]),
}


@pytest.mark.parametrize(("name", "x"), [(n, x) for n, (_, points) in UNARY.items() for x in points])
def test_one_argument(name, x):
    reference = UNARY[name][0]
    got = derivatives(getattr(sp, name), x, 3)
    wanted = [float(mp.diff(reference, mp.mpf(x), n, h=mp.mpf(10) ** -10)) for n in range(4)]
    size = max(map(abs, wanted))
    for n, (a, b) in enumerate(zip(got, wanted, strict=True)):
        assert a == pytest.approx(b, rel=(1e-11, 1e-10, 1e-8, 1e-6)[n], abs=1e-13 * size), n


def gammainc(a, x):
    return mp.gammainc(a, 0, x, regularized=True)


def betainc(a, b, x):
    return mp.betainc(a, b, 0, x, regularized=True)


def student(df, t):
    return half + mp.sign(t) * (half - betainc(df / 2, half, df / (df + t * t)) / 2)


# name: (function of mpmath, arguments, positions that have a derivative)
SEVERAL = {
    "beta": (mp.beta, [(0.5, 3.0), (10.0, 0.1)], (0, 1)),
    "betaln": (lambda a, b: mp.log(mp.beta(a, b)), [(0.5, 3.0), (100.0, 0.1)], (0, 1)),
    "binom": (mp.binomial, [(5.0, 2.5), (3.0, 1.0), (3.0, 5.0), (2.5, -2.0)], (0, 1)),
    "poch": (mp.rf, [(0.5, 3.0), (2.0, -0.5), (-2.0, 4.0)], (0,)),
    "zeta": (mp.zeta, [(2.0, 0.5), (3.5, 10.0)], (1,)),
    "polygamma": (mp.polygamma, [(1, 0.5), (3, 2.0)], (1,)),
    "xlogy": (lambda x, y: x * mp.log(y), [(0.5, 3.0)], (0, 1)),
    "xlog1py": (lambda x, y: x * mp.log1p(y), [(0.5, 1e-6), (0.0, 1.0)], (0, 1)),
    "rel_entr": (lambda x, y: x * mp.log(x / y), [(0.5, 3.0)], (0, 1)),
    "kl_div": (lambda x, y: x * mp.log(x / y) - x + y, [(0.5, 3.0)], (0, 1)),
    "pseudo_huber": (
        lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1),
        [(2.0, 1e-3), (1e-3, 2.0), (1.0, -1.0)],
        (0, 1),
    ),
    "boxcox": (
        lambda x, y: mp.expm1(y * mp.log(x)) / y if y else mp.log(x),
        [(2.0, 0.0), (0.1, -1.5), (3.0, 1e-9)],
        (0, 1),
    ),
    "boxcox1p": (lambda x, y: mp.expm1(y * mp.log1p(x)) / y if y else mp.log1p(x), [(2.0, 0.0), (1e-3, 2.0)], (0, 1)),
    "inv_boxcox": (
        lambda x, y: mp.exp(mp.log1p(x * y) / y) if y else mp.exp(x),
        [(2.0, 0.0), (0.5, 1e-9), (1.0, 2.0)],
        (0, 1),
    ),
    "inv_boxcox1p": (
        lambda x, y: mp.exp(mp.log1p(x * y) / y) - 1 if y else mp.expm1(x),
        [(2.0, 0.0), (0.5, 1e-9), (1.0, 2.0)],
        (0, 1),
    ),
    "expn": (mp.expint, [(0, 0.5), (1, 2.0), (4, 10.0)], (1,)),
    "jv": (mp.besselj, [(2, 0.0), (2.5, 3.0), (0, 1.0)], (1,)),
    "jn": (mp.besselj, [(3, 2.0)], (1,)),
    "yv": (mp.bessely, [(2.5, 3.0)], (1,)),
    "yn": (mp.bessely, [(2, 3.0), (0, 1.0)], (1,)),
    "iv": (mp.besseli, [(2, 0.0), (2.5, 3.0), (0, 1.0)], (1,)),
    "kv": (mp.besselk, [(2.5, 3.0), (0, 1.0)], (1,)),
    "ive": (lambda v, x: mp.exp(-abs(x)) * mp.besseli(v, x), [(2, -1.0), (2.5, 3.0)], (1,)),
    "kve": (lambda v, x: mp.exp(x) * mp.besselk(v, x), [(2.5, 3.0)], (1,)),
    "hyp1f1": (mp.hyp1f1, [(1.0, 2.0, -3.0), (0.5, 1.5, 2.0)], (2,)),
    "hyp2f1": (mp.hyp2f1, [(0.5, 1.0, 2.5, -3.0), (0.5, 1.5, 2.0, 0.5)], (3,)),
    "gammainc": (gammainc, [(0.5, 0.1), (0.01, 0.005), (3.0, 2.0), (1.0, 1.0), (1.0, 20.0), (200.0, 180.0)], (0, 1)),
    "gammaincc": (lambda a, x: 1 - gammainc(a, x), [(3.0, 2.0)], (0, 1)),
    "chdtr": (lambda v, x: gammainc(v / 2, x / 2), [(3.0, 2.0)], (0, 1)),
    "chdtrc": (lambda v, x: 1 - gammainc(v / 2, x / 2), [(3.0, 2.0)], (0, 1)),
    "gdtr": (lambda a, b, x: gammainc(b, a * x), [(0.5, 2.0, 3.0)], (0, 1, 2)),
    "gdtrc": (lambda a, b, x: 1 - gammainc(b, a * x), [(0.5, 2.0, 3.0)], (0, 1, 2)),
    "pdtr": (lambda k, m: 1 - gammainc(mp.floor(k) + 1, m), [(2, 3.0), (2.7, 3.0)], (1,)),
    "pdtrc": (lambda k, m: gammainc(mp.floor(k) + 1, m), [(2, 3.0)], (1,)),
    "betainc": (
        betainc,
        [(0.5, 2.0, 0.3), (1.0, 1.0, 0.5), (0.1, 50.0, 1e-3), (100.0, 0.5, 0.99), (100.0, 200.0, 0.3)],
        (0, 1, 2),
    ),
    "betaincc": (lambda a, b, x: 1 - betainc(a, b, x), [(0.5, 2.0, 0.3)], (0, 1, 2)),
    "bdtr": (lambda k, n, p: betainc(n - k, k + 1, 1 - p), [(2, 5, 0.3)], (2,)),
    "bdtrc": (lambda k, n, p: 1 - betainc(n - k, k + 1, 1 - p), [(2, 5, 0.3)], (2,)),
    "nbdtr": (lambda k, n, p: betainc(n, k + 1, p), [(2, 5, 0.3)], (2,)),
    "nbdtrc": (lambda k, n, p: 1 - betainc(n, k + 1, p), [(2, 5, 0.3)], (2,)),
    "fdtr": (lambda a, b, x: betainc(a / 2, b / 2, a * x / (a * x + b)), [(3.0, 5.0, 1.5)], (0, 1, 2)),
    "fdtrc": (lambda a, b, x: 1 - betainc(a / 2, b / 2, a * x / (a * x + b)), [(3.0, 5.0, 1.5)], (0, 1, 2)),
    "stdtr": (student, [(3.0, 1.5), (3.0, -4.0), (1e4, 0.5)], (0, 1)),
}


@pytest.mark.parametrize(
    ("name", "arguments", "place"),
    [(n, a, i) for n, (_, points, places) in SEVERAL.items() for a in points for i in places],
)
def test_several_arguments(name, arguments, place):
    function, reference = getattr(sp, name), SEVERAL[name][0]

    def of(x):
        return function(*(x if i == place else y for i, y in enumerate(arguments)))

    def exact(x):
        return reference(*(x if i == place else mp.mpf(y) for i, y in enumerate(arguments)))

    got = derivatives(of, arguments[place], 2)
    wanted = [float(mp.re(mp.diff(exact, mp.mpf(arguments[place]), n, h=mp.mpf(10) ** -10))) for n in range(3)]
    size = max(map(abs, wanted))
    for n, (a, b) in enumerate(zip(got, wanted, strict=True)):
        assert a == pytest.approx(b, rel=(1e-11, 1e-9, 1e-7)[n], abs=1e-12 * size), n


# Inverses: the derivative is one over that of the function, at the level that it was asked for.
INVERSES = {
    "gammaincinv": ("gammainc", (3.0,)),
    "gammainccinv": ("gammaincc", (3.0,)),
    "chdtri": ("chdtrc", (3.0,)),
    "pdtri": ("pdtr", (2,)),
    "betaincinv": ("betainc", (2.0, 3.0)),
    "betainccinv": ("betaincc", (2.0, 3.0)),
    "stdtrit": ("stdtr", (3.0,)),
    "fdtri": ("fdtr", (3.0, 5.0)),
    "bdtri": ("bdtr", (2, 5)),
    "nbdtri": ("nbdtr", (2, 5)),
}


@pytest.mark.parametrize("name", INVERSES)
@pytest.mark.parametrize("level", [0.05, 0.6])
def test_inverses(name, level):
    forward, parameters = INVERSES[name]
    round_trip = derivatives(lambda y: getattr(sp, forward)(*parameters, getattr(sp, name)(*parameters, y)), level, 2)
    assert round_trip == pytest.approx([level, 1.0, 0.0], rel=1e-9, abs=1e-6)


COMPLEX = {
    "erf": mp.erf,
    "erfc": mp.erfc,
    "erfcx": erfcx,
    "ndtr": lambda z: mp.erfc(-z / mp.sqrt(2)) / 2,
    "log_ndtr": lambda z: mp.log(mp.erfc(-z / mp.sqrt(2)) / 2),
    "gamma": mp.gamma,
    "loggamma": mp.loggamma,
    "rgamma": mp.rgamma,
    "exp1": mp.e1,
    "expi": mp.ei,
    "spence": lambda z: mp.polylog(2, 1 - z),
    "sinc": lambda z: mp.sin(mp.pi * z) / (mp.pi * z),
}


@pytest.mark.parametrize("name", COMPLEX)
@pytest.mark.parametrize("z", [0.7 + 0.4j, 1.5 - 0.8j, -0.6 + 0.9j])
def test_complex(name, z):
    """The gradient of a real function of a holomorphic one is the conjugate of its derivative, times that of it."""
    function = getattr(sp, name)
    value = complex(function(np.asarray(z)))
    assert value == pytest.approx(complex(COMPLEX[name](mp.mpc(z))), rel=1e-11)
    slope = complex(mp.diff(COMPLEX[name], mp.mpc(z)))
    for weight in (1, 1j):
        # Re(conj(w) f(z)) has the gradient w conj(f'(z)).
        got = complex(ag.grad(lambda x, w=weight: ag.real(np.conj(w) * function(x)))(np.asarray(z)))
        assert got == pytest.approx(weight * slope.conjugate(), rel=1e-9)


def test_multigammaln():
    def exact(a):
        return mp.log(mp.pi) * 3 / 2 + mp.loggamma(a) + mp.loggamma(a - half) + mp.loggamma(a - 1)

    value, slope = derivatives(lambda a: sp.multigammaln(a, 3), 2.5, 1)
    assert value == pytest.approx(float(exact(mp.mpf(2.5))), rel=1e-13)
    assert slope == pytest.approx(float(mp.diff(exact, mp.mpf(2.5))), rel=1e-11)
    assert math.isnan(sp.multigammaln(np.asarray(0.9), 3))


def test_all_are_compared():
    from agnograd_special.plugin import agnograd_ops

    elsewhere = {"multigammaln", "gammasgn", "zetac", "huber", "radian", "logsumexp", "softmax", "log_softmax"}
    compared = {*UNARY, *SEVERAL, *INVERSES, *COMPLEX, *elsewhere}
    assert {op.name.removeprefix("special.") for op in agnograd_ops()} == compared
