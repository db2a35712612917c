"""The gamma, chi-squared and beta distributions."""

from __future__ import annotations

import math
from typing import Any

from agnograd.hookspecs import Uniform

from agnograd_scipy.stats.family import array, family, log_of, log_of_probability, standardised

Array = Any

# -- gamma -------------------------------------------------------------------------------------------------------------


def _gamma_logpdf(xp: Any, x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    y = standardised(xp, x, loc, scale)
    a = array(xp, a, y)
    inside = y >= 0
    y = xp.where(inside, y, 1)
    out = xp.special.xlogy(a - 1, y) - y - xp.special.gammaln(a) - log_of(xp, scale)
    return xp.where(inside, out, -math.inf)


def _gamma_cdf(xp: Any, x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    y = standardised(xp, x, loc, scale)
    inside = y > 0
    return xp.where(inside, xp.special.gammainc(array(xp, a, y), xp.where(inside, y, 1)), 0)


def _gamma_sf(xp: Any, x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    y = standardised(xp, x, loc, scale)
    inside = y > 0
    return xp.where(inside, xp.special.gammaincc(array(xp, a, y), xp.where(inside, y, 1)), 1)


def _gamma_log(function: Any, rest: Any, outside: float) -> Any:
    def body(xp: Any, x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
        # The logarithm of 0 is taken nowhere: it has no derivative.
        inside = standardised(xp, x, loc, scale) > 0
        p, q = [xp.where(inside, f(xp, x, a, loc, scale), 0.5) for f in (function, rest)]
        return xp.where(inside, log_of_probability(xp, p, q), outside)

    return body


_POSITIVE = Uniform(0.3, 4.0)
_SHAPE = Uniform(0.6, 3.0)
_WITH_PARAMETERS = (Uniform(1.0, 4.0), _SHAPE, Uniform(-0.5, 0.5), Uniform(0.5, 2.0))

GAMMA = family(
    "gamma",
    "x, a, loc=0.0, scale=1.0",
    [(_POSITIVE, _SHAPE), _WITH_PARAMETERS, (Uniform(0.3, 2.0, (2, 2)), 1.7, 0.1, 1.5), (Uniform(0.3, 2.0, ()), 2.0)],
    pdf=lambda xp, *args: xp.exp(_gamma_logpdf(xp, *args)),
    logpdf=_gamma_logpdf,
    cdf=_gamma_cdf,
    sf=_gamma_sf,
    logcdf=_gamma_log(_gamma_cdf, _gamma_sf, -math.inf),
    logsf=_gamma_log(_gamma_sf, _gamma_cdf, 0.0),
)

# -- chi-squared: a gamma distribution ---------------------------------------------------------------------------------


def _chi2(body: Any) -> Any:
    return lambda xp, x, df, loc=0.0, scale=1.0: body(xp, x, df / 2, loc, 2 * scale)


CHI2 = family(
    "chi2",
    "x, df, loc=0.0, scale=1.0",
    [(_POSITIVE, Uniform(1.2, 6.0)), _WITH_PARAMETERS, (Uniform(0.3, 2.0, (2, 2)), 3)],
    pdf=_chi2(lambda xp, *args: xp.exp(_gamma_logpdf(xp, *args))),
    logpdf=_chi2(_gamma_logpdf),
    cdf=_chi2(_gamma_cdf),
    sf=_chi2(_gamma_sf),
)

# -- beta --------------------------------------------------------------------------------------------------------------


def _beta_logpdf(xp: Any, x: Any, a: Any, b: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    y = standardised(xp, x, loc, scale)
    a, b = array(xp, a, y), array(xp, b, y)
    inside = (y >= 0) & (y <= 1)
    y = xp.where(inside, y, 0.5)
    out = xp.special.xlogy(a - 1, y) + xp.special.xlog1py(b - 1, -y) - xp.special.betaln(a, b) - log_of(xp, scale)
    return xp.where(inside, out, -math.inf)


def _beta_cdf(xp: Any, x: Any, a: Any, b: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    y = standardised(xp, x, loc, scale)
    inside = (y > 0) & (y < 1)
    out = xp.special.betainc(array(xp, a, y), array(xp, b, y), xp.where(inside, y, 0.5))
    return xp.where(inside, out, xp.astype(y > 0, y.dtype))


def _beta_sf(xp: Any, x: Any, a: Any, b: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    # The distribution of 1 - y
    y = standardised(xp, x, loc, scale)
    return _beta_cdf(xp, 1 - y, b, a)


_UNIT = Uniform(0.1, 0.9)

BETA = family(
    "beta",
    "x, a, b, loc=0.0, scale=1.0",
    [
        (_UNIT, _SHAPE, _SHAPE),
        (Uniform(0.5, 0.9), _SHAPE, Uniform(0.6, 3.0, (2, 1)), Uniform(0.1, 0.3), Uniform(1.0, 2.0)),
        (Uniform(0.1, 0.9, (2, 2)), 1.7, 2.5),
    ],
    pdf=lambda xp, *args: xp.exp(_beta_logpdf(xp, *args)),
    logpdf=_beta_logpdf,
    cdf=_beta_cdf,
    sf=_beta_sf,
)

OPERATIONS = [*GAMMA, *CHI2, *BETA]
