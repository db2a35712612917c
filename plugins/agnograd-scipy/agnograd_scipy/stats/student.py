"""Student's t distribution."""

from __future__ import annotations

from typing import Any

from agnograd.hookspecs import Uniform

from agnograd_scipy.stats.family import array, family, log_of, log_of_probability, standardised

Array = Any


def _logpdf(xp: Any, x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    # Gamma((df + 1)/2) / (Gamma(df/2) sqrt(pi)) is 1 / B(df/2, 1/2)
    y = standardised(xp, x, loc, scale)
    df = array(xp, df, y)
    half = xp.full_like(df, 0.5)
    body = -(df + 1) / 2 * xp.log1p(y * y / df)
    return body - xp.special.betaln(df / 2, half) - xp.log(df) / 2 - log_of(xp, scale)


def _cdf(xp: Any, x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    y = standardised(xp, x, loc, scale)
    return xp.special.stdtr(array(xp, df, y), y)


def _sf(xp: Any, x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    y = standardised(xp, x, loc, scale)
    return xp.special.stdtr(array(xp, df, y), -y)


OPERATIONS = family(
    "t",
    "x, df, loc=0.0, scale=1.0",
    [
        (Uniform(), Uniform(1.5, 5.0)),
        (Uniform(), Uniform(1.5, 5.0), Uniform(), Uniform(0.5, 2.0)),
        (Uniform(shape=(2, 1)), 3.0, 0.2, 1.5),
    ],
    pdf=lambda xp, *args: xp.exp(_logpdf(xp, *args)),
    logpdf=_logpdf,
    cdf=_cdf,
    sf=_sf,
    logcdf=lambda xp, *args: log_of_probability(xp, _cdf(xp, *args), _sf(xp, *args)),
    logsf=lambda xp, *args: log_of_probability(xp, _sf(xp, *args), _cdf(xp, *args)),
)
