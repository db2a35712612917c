"""The normal distribution."""

from __future__ import annotations

import math
from typing import Any

from agnograd.hookspecs import Uniform

from agnograd_scipy.stats.family import family, log_of, standardised

Array = Any

_LOG = math.log(2 * math.pi) / 2


def _logpdf(xp: Any, x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    y = standardised(xp, x, loc, scale)
    return -y * y / 2 - _LOG - log_of(xp, scale)


def _pdf(xp: Any, x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    y = standardised(xp, x, loc, scale)
    return xp.exp(-y * y / 2) / (math.sqrt(2 * math.pi) * scale)


def _quantile(xp: Any, q: Any, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    return loc + scale * xp.special.ndtri(standardised(xp, q, 0.0, 1.0))


_PARAMETERS = "loc=0.0, scale=1.0"
_SCALE = Uniform(0.5, 2.0)

OPERATIONS = [
    *family(
        "norm",
        f"x, {_PARAMETERS}",
        [
            (Uniform(),),
            (Uniform(), Uniform(), _SCALE),
            (Uniform(shape=(2, 1)), Uniform(-1.0, 1.0), 0.7),
            (0.5, Uniform(), 2.0),
            (Uniform(shape=()), 0.3, Uniform(0.5, 2.0, ())),
        ],
        pdf=_pdf,
        logpdf=_logpdf,
        cdf=lambda xp, x, loc=0.0, scale=1.0: xp.special.ndtr(standardised(xp, x, loc, scale)),
        sf=lambda xp, x, loc=0.0, scale=1.0: xp.special.ndtr(-standardised(xp, x, loc, scale)),
        logcdf=lambda xp, x, loc=0.0, scale=1.0: xp.special.log_ndtr(standardised(xp, x, loc, scale)),
        logsf=lambda xp, x, loc=0.0, scale=1.0: xp.special.log_ndtr(-standardised(xp, x, loc, scale)),
    ),
    *family(
        "norm",
        f"q, {_PARAMETERS}",
        [(Uniform(0.1, 0.9),), (Uniform(0.1, 0.9), Uniform(), _SCALE)],
        ppf=_quantile,
        isf=lambda xp, q, loc=0.0, scale=1.0: loc - (_quantile(xp, q, loc, scale) - loc),
    ),
]
