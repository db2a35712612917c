"""Incomplete gamma and beta functions, DLMF chapter 8, and the distributions that are made of them.

The derivative in the argument is a density, that of an inverse one over it. Those in shapes and degrees of freedom are
integrals, see `agnograd_special.parameters`; that of an inverse is what keeps the probability as it is. Numbers of
events and trials are counts, and have no derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.hookspecs import Op, Sample, Uniform, elementwise

from agnograd_special.formulas import floating, several
from agnograd_special.parameters import beta_slope, gamma_slope

Array = Any


def _gamma_density(xp: Any, a: Any, x: Array) -> Array:
    # x^(a-1) e^-x / gamma(a), DLMF 8.8.13
    a = floating(xp, a, x)
    infinite = xp.isinf(x)
    x = xp.where(infinite, 1, x)
    return xp.where(infinite, 0, xp.exp(xp.special.xlogy(a - 1, x) - x - xp.special.gammaln(a)))


def _beta_density(xp: Any, a: Any, b: Any, x: Array) -> Array:
    # x^(a-1) (1-x)^(b-1) / beta(a, b), DLMF 8.17.1
    a, b = floating(xp, a, x), floating(xp, b, x)
    return xp.exp(xp.special.xlogy(a - 1, x) + xp.special.xlog1py(b - 1, -x) - xp.special.betaln(a, b))


# -- incomplete gamma --------------------------------------------------------------------------------------------------

_GAMMA = several((0.6, 3.0), (0.5, 4.0))
_GAMMA_LEVEL = several((0.6, 3.0), (0.1, 0.9))


def _gamma_slope(xp: Any, a: Any, x: Any, like: Array) -> Array:
    return gamma_slope(xp, floating(xp, a, like), floating(xp, x, like))


gammainc = elementwise(
    "special.gammainc(a, x, /)",
    a=lambda xp, g, a, x: g * _gamma_slope(xp, a, x, g),
    x=lambda xp, g, a, x: g * _gamma_density(xp, a, x),
    samples=[
        *_GAMMA,
        Sample((1.0, [0.0]), gradient=(None, [1.0])),
        Sample(([2.0, 1.0], [0.0, 0.0]), gradient=([0.0, 0.0], [0.0, 1.0])),
    ],
)
gammaincc = elementwise(
    "special.gammaincc(a, x, /)",
    a=lambda xp, g, a, x: -g * _gamma_slope(xp, a, x, g),
    x=lambda xp, g, a, x: -g * _gamma_density(xp, a, x),
    samples=_GAMMA,
)


def _gamma_quantile(xp: Any, g: Array, a: Any, ans: Array) -> Array:
    return -g * (_gamma_slope(xp, a, ans, g) / _gamma_density(xp, a, ans))


gammaincinv = elementwise(
    "special.gammaincinv(a, y, /)",
    a=_gamma_quantile,
    y=lambda xp, g, a, ans: g / _gamma_density(xp, a, ans),
    samples=_GAMMA_LEVEL,
)
gammainccinv = elementwise(
    "special.gammainccinv(a, y, /)",
    a=_gamma_quantile,
    y=lambda xp, g, a, ans: -g / _gamma_density(xp, a, ans),
    samples=_GAMMA_LEVEL,
)
# Chi squared with v degrees of freedom: P(v/2, x/2).
chdtr = elementwise(
    "special.chdtr(v, x, /)",
    v=lambda xp, g, v, x: g * (_gamma_slope(xp, v / 2, x / 2, g) / 2),
    x=lambda xp, g, v, x: g * (_gamma_density(xp, v / 2, floating(xp, x / 2, g)) / 2),
    samples=several((1.2, 6.0), (0.5, 4.0)),
)
chdtrc = elementwise(
    "special.chdtrc(v, x, /)",
    v=lambda xp, g, v, x: -g * (_gamma_slope(xp, v / 2, x / 2, g) / 2),
    x=lambda xp, g, v, x: -g * (_gamma_density(xp, v / 2, floating(xp, x / 2, g)) / 2),
    samples=several((1.2, 6.0), (0.5, 4.0)),
)
chdtri = elementwise(
    "special.chdtri(v, p, /)",
    v=lambda xp, g, v, ans: _gamma_quantile(xp, g, v / 2, ans / 2),
    p=lambda xp, g, v, ans: -g / (_gamma_density(xp, v / 2, ans / 2) / 2),
    samples=several((1.2, 6.0), (0.1, 0.9)),
)


def _gdtr(name: str, sign: int) -> Op:
    # P(b, a x) and Q(b, a x)
    return elementwise(
        f"special.{name}(a, b, x, /)",
        a=lambda xp, g, a, b, x: g * (sign * x * _gamma_density(xp, b, floating(xp, a * x, g))),
        b=lambda xp, g, a, b, x: g * (sign * _gamma_slope(xp, b, a * x, g)),
        x=lambda xp, g, a, b, x: g * (sign * a * _gamma_density(xp, b, floating(xp, a * x, g))),
        samples=several((0.5, 2.0), (0.6, 3.0), (0.5, 3.0)),
    )


gdtr, gdtrc = _gdtr("gdtr", 1), _gdtr("gdtrc", -1)


def _poisson(xp: Any, k: Any, m: Array) -> Array:
    # d/dm Q(k + 1, m) = -m^k e^-m / k!; k is rounded down.
    return -_gamma_density(xp, xp.floor(floating(xp, k, m)) + 1, m)


_COUNTS = [0, 2, [0, 1, 4]]

pdtr = elementwise(
    "special.pdtr(k, m, /)",
    m=lambda xp, g, k, m: g * _poisson(xp, k, m),
    samples=[Sample((k, Uniform(0.5, 4.0))) for k in _COUNTS],
)
pdtrc = elementwise(
    "special.pdtrc(k, m, /)",
    m=lambda xp, g, k, m: -g * _poisson(xp, k, m),
    samples=[Sample((k, Uniform(0.5, 4.0))) for k in _COUNTS],
)
pdtri = elementwise(
    "special.pdtri(k, y, /)",
    y=lambda xp, g, k, ans: g / _poisson(xp, k, ans),
    samples=[Sample((k, Uniform(0.1, 0.9))) for k in _COUNTS],
)

# -- incomplete beta ---------------------------------------------------------------------------------------------------

_BETA = several((0.6, 3.0), (0.6, 3.0), (0.1, 0.9))


def _beta_slopes(xp: Any, a: Any, b: Any, x: Any, like: Array) -> tuple[Callable[[], Array], Callable[[], Array]]:
    """What gives the derivatives of I_x(a, b) in a and in b; that in b is that of 1 - I_y(b, a)."""
    a, b, x = (floating(xp, z, like) for z in (a, b, x))
    y = 1 - x
    front = xp.exp(xp.special.xlogy(a, x) + xp.special.xlog1py(b, -x) - xp.special.betaln(a, b))
    return lambda: beta_slope(xp, a, b, x, y, front), lambda: -beta_slope(xp, b, a, y, x, front)


def _beta_a(xp: Any, g: Array, a: Any, b: Any, x: Any) -> Array:
    return g * _beta_slopes(xp, a, b, x, g)[0]()


def _beta_b(xp: Any, g: Array, a: Any, b: Any, x: Any) -> Array:
    return g * _beta_slopes(xp, a, b, x, g)[1]()


betainc = elementwise(
    "special.betainc(a, b, x, /)",
    a=_beta_a,
    b=_beta_b,
    x=lambda xp, g, a, b, x: g * _beta_density(xp, a, b, x),
    samples=[
        *_BETA,
        Sample(([1.0, 1.0], [1.0, 1.0], [0.0, 1.0]), gradient=([0.0, 0.0], [0.0, 0.0], [1.0, 1.0])),
    ],
)
betaincc = elementwise(
    "special.betaincc(a, b, x, /)",
    body=lambda xp, a, b, x: xp.special.betainc(b, a, 1 - x),
    a=lambda xp, g, a, b, x: -_beta_a(xp, g, a, b, x),
    b=lambda xp, g, a, b, x: -_beta_b(xp, g, a, b, x),
    x=lambda xp, g, a, b, x: -g * _beta_density(xp, a, b, x),
    samples=_BETA,
)
betaincinv = elementwise(
    "special.betaincinv(a, b, y, /)",
    a=lambda xp, g, a, b, ans: -_beta_a(xp, g, a, b, ans) / _beta_density(xp, a, b, ans),
    b=lambda xp, g, a, b, ans: -_beta_b(xp, g, a, b, ans) / _beta_density(xp, a, b, ans),
    y=lambda xp, g, a, b, ans: g / _beta_density(xp, a, b, ans),
    samples=_BETA,
)
betainccinv = elementwise(
    "special.betainccinv(a, b, y, /)",
    body=lambda xp, a, b, y: 1 - xp.special.betaincinv(b, a, y),
    a=lambda xp, g, a, b, ans: -_beta_a(xp, g, a, b, ans) / _beta_density(xp, a, b, ans),
    b=lambda xp, g, a, b, ans: -_beta_b(xp, g, a, b, ans) / _beta_density(xp, a, b, ans),
    y=lambda xp, g, a, b, ans: -g / _beta_density(xp, a, b, ans),
    samples=_BETA,
)

# -- Student's t: I_z(df/2, 1/2)/2 left of 0, with z = df/(df + t^2) ---------------------------------------------------


def _student(xp: Any, df: Any, t: Array) -> Array:
    # (1 + t^2/df)^(-(df+1)/2) / (sqrt(df) B(df/2, 1/2))
    df = floating(xp, df, t)
    return xp.exp(-(df + 1) / 2 * xp.log1p(t * t / df) - xp.special.betaln(df / 2, 0.5)) / xp.sqrt(df)


def _student_df(xp: Any, df: Any, t: Any, like: Array) -> Array:
    df, t = floating(xp, df, like), floating(xp, t, like)
    infinite = xp.isinf(t)
    t = xp.where(infinite, 0, t)
    total = df + t * t
    # z^(df/2) (1-z)^(1/2) / B with the sign of t, so that nothing has a kink at t = 0.
    front = t / xp.sqrt(total) * xp.exp(-df / 2 * xp.log1p(t * t / df) - xp.special.betaln(df / 2, 0.5))
    half = xp.full_like(total, 0.5)
    slope = beta_slope(xp, df / 2, half, df / total, t * t / total, front)
    return xp.where(infinite, 0, -(slope / 2 + front / df) / 2)


def _stdtr(xp: Any, df: Any, t: Array) -> Array:
    t = t if hasattr(t, "dtype") else floating(xp, t, df)
    tail = xp.special.betainc(df / 2, 0.5, df / (t * t + df)) / 2
    return xp.where(t < 0, tail, 1 - tail)


stdtr = elementwise(
    "special.stdtr(df, t, /)",
    body=_stdtr,
    df=lambda xp, g, df, t: g * _student_df(xp, df, t, g),
    t=lambda xp, g, df, t: g * _student(xp, df, floating(xp, t, g)),
    samples=[*several((1.0, 6.0), (0.2, 2.0)), *several((1.0, 6.0), (-2.0, -0.2))],
)


def _stdtrit(xp: Any, df: Any, p: Array) -> Array:
    # t^2/df = y/(1 - y); y or 1 - y is found, whichever is small.
    p = p if hasattr(p, "dtype") else floating(xp, p, df)
    central, tail = xp.abs(2 * p - 1), 2 * xp.where(p < 0.5, p, 1 - p)
    near, far = xp.special.betaincinv(0.5, df / 2, central), xp.special.betaincinv(df / 2, 0.5, tail)
    t = xp.sqrt(df * xp.where(central < 0.5, near / (1 - near), (1 - far) / far))
    return xp.where(p < 0.5, -t, t)


stdtrit = elementwise(
    "special.stdtrit(df, p, /)",
    body=_stdtrit,
    df=lambda xp, g, df, ans: -g * (_student_df(xp, df, ans, g) / _student(xp, df, ans)),
    p=lambda xp, g, df, ans: g / _student(xp, df, ans),
    samples=several((1.0, 6.0), (0.1, 0.9)),
)

# -- Fisher's F: I_y(dfn/2, dfd/2) with y = dfn x / (dfn x + dfd) ------------------------------------------------------


def _f_parts(xp: Any, dfn: Any, dfd: Any, x: Any, like: Array) -> tuple[Array, ...]:
    """Shapes, y and 1 - y, and the front y^a (1-y)^b / B(a, b)."""
    dfn, dfd, x = (floating(xp, z, like) for z in (dfn, dfd, x))
    total = dfn * x + dfd
    a, b, y, rest = dfn / 2, dfd / 2, dfn * x / total, dfd / total
    return a, b, y, rest, xp.exp(xp.special.xlogy(a, y) + xp.special.xlogy(b, rest) - xp.special.betaln(a, b))


def _f_density(xp: Any, dfn: Any, dfd: Any, x: Array) -> Array:
    # a b / (b + a x)^2 times the density of y
    a, b, y, rest, _ = _f_parts(xp, dfn, dfd, x, x)
    logarithm = xp.special.xlogy(a - 1, y) + xp.special.xlogy(b - 1, rest) - xp.special.betaln(a, b)
    return xp.exp(logarithm) * (a * b / (a * x + b) ** 2)


def _f_dfn(xp: Any, dfn: Any, dfd: Any, x: Any, like: Array) -> Array:
    # Half the derivative in a, and the density times dy/d(dfn)
    a, b, y, rest, front = _f_parts(xp, dfn, dfd, x, like)
    return (beta_slope(xp, a, b, y, rest, front) + front / a) / 2


def _f_dfd(xp: Any, dfn: Any, dfd: Any, x: Any, like: Array) -> Array:
    a, b, y, rest, front = _f_parts(xp, dfn, dfd, x, like)
    return -(beta_slope(xp, b, a, rest, y, front) + front / b) / 2


_F = ((1.5, 6.0), (1.5, 6.0))

fdtr = elementwise(
    "special.fdtr(dfn, dfd, x, /)",
    dfn=lambda xp, g, dfn, dfd, x: g * _f_dfn(xp, dfn, dfd, x, g),
    dfd=lambda xp, g, dfn, dfd, x: g * _f_dfd(xp, dfn, dfd, x, g),
    x=lambda xp, g, dfn, dfd, x: g * _f_density(xp, dfn, dfd, floating(xp, x, g)),
    samples=several(*_F, (0.5, 3.0)),
)
fdtrc = elementwise(
    "special.fdtrc(dfn, dfd, x, /)",
    dfn=lambda xp, g, dfn, dfd, x: -g * _f_dfn(xp, dfn, dfd, x, g),
    dfd=lambda xp, g, dfn, dfd, x: -g * _f_dfd(xp, dfn, dfd, x, g),
    x=lambda xp, g, dfn, dfd, x: -g * _f_density(xp, dfn, dfd, floating(xp, x, g)),
    samples=several(*_F, (0.5, 3.0)),
)
fdtri = elementwise(
    "special.fdtri(dfn, dfd, p, /)",
    dfn=lambda xp, g, dfn, dfd, ans: -g * (_f_dfn(xp, dfn, dfd, ans, g) / _f_density(xp, dfn, dfd, ans)),
    dfd=lambda xp, g, dfn, dfd, ans: -g * (_f_dfd(xp, dfn, dfd, ans, g) / _f_density(xp, dfn, dfd, ans)),
    p=lambda xp, g, dfn, dfd, ans: g / _f_density(xp, dfn, dfd, ans),
    samples=several(*_F, (0.1, 0.9)),
)

# -- counts ------------------------------------------------------------------------------------------------------------


def _binomial(xp: Any, k: Any, n: Any, p: Array) -> Array:
    # d/dp I(n - k, k + 1, 1 - p); k is rounded down.
    k, n = xp.floor(floating(xp, k, p)), floating(xp, n, p)
    return -_beta_density(xp, k + 1, n - k, p)


def _negative_binomial(xp: Any, k: Any, n: Any, p: Array) -> Array:
    # d/dp I(n, k + 1, p)
    return _beta_density(xp, floating(xp, n, p), floating(xp, k, p) + 1, p)


def _counts(name: str, parameters: str, slope: Callable[..., Array], inverse: bool = False) -> Op:
    """A distribution of counts, whose first two parameters are integers."""
    samples = [Sample((k, n, Uniform(0.1, 0.9))) for k, n in ((1, 4), ([0, 1, 2], 4), ([1, 2, 2], [3, 4, 5]))]
    if inverse:
        return elementwise(
            f"special.{name}({parameters})",
            y=lambda xp, g, k, n, ans: g / slope(xp, k, n, ans),
            samples=samples,
        )
    return elementwise(
        f"special.{name}({parameters})", p=lambda xp, g, k, n, p: g * slope(xp, k, n, p), samples=samples
    )


bdtr = _counts("bdtr", "k, n, p, /", _binomial)
bdtrc = _counts("bdtrc", "k, n, p, /", lambda xp, k, n, p: -_binomial(xp, k, n, p))
bdtri = _counts("bdtri", "k, n, y, /", _binomial, inverse=True)
nbdtr = _counts("nbdtr", "k, n, p, /", _negative_binomial)
nbdtrc = _counts("nbdtrc", "k, n, p, /", lambda xp, k, n, p: -_negative_binomial(xp, k, n, p))
nbdtri = _counts("nbdtri", "k, n, y, /", _negative_binomial, inverse=True)
