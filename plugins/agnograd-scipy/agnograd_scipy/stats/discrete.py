"""Poisson's distribution. What is counted has no derivative: it is zero."""

from __future__ import annotations

import math
from typing import Any

from agnograd.hookspecs import Uniform

from agnograd_scipy.stats.family import NUMBERS, array, family, standardised

Array = Any


def _counts(xp: Any, k: Any, mu: Any, loc: Any) -> tuple[Array, Array, Array]:
    """What was counted, rounded down and at least 0; whether it was at least 0, and whether it was an integer."""
    if not isinstance(mu, NUMBERS) and not isinstance(k, NUMBERS) and xp.isdtype(k.dtype, "integral"):
        k = array(xp, k, mu)
    k = standardised(xp, k, loc, 1.0)
    whole = xp.floor(k)
    counted = whole >= 0
    return xp.where(counted, whole, 0), counted, whole == k


def _logpmf(xp: Any, k: Any, mu: Any, loc: Any = 0) -> Array:
    k, counted, whole = _counts(xp, k, mu, loc)
    mu = array(xp, mu, k)
    return xp.where(counted & whole, xp.special.xlogy(k, mu) - xp.special.gammaln(k + 1) - mu, -math.inf)


def _cdf(xp: Any, k: Any, mu: Any, loc: Any = 0) -> Array:
    k, counted, _ = _counts(xp, k, mu, loc)
    return xp.where(counted, xp.special.gammaincc(k + 1, array(xp, mu, k)), 0)


def _sf(xp: Any, k: Any, mu: Any, loc: Any = 0) -> Array:
    k, counted, _ = _counts(xp, k, mu, loc)
    return xp.where(counted, xp.special.gammainc(k + 1, array(xp, mu, k)), 1)


OPERATIONS = family(
    "poisson",
    "k, mu, loc=0",
    [
        ([0, 1, 4], Uniform(0.5, 3.0)),
        ([[1], [3]], Uniform(0.5, 3.0), 1),
        (2, Uniform(0.5, 3.0)),
    ],
    pmf=lambda xp, *args: xp.exp(_logpmf(xp, *args)),
    logpmf=_logpmf,
    cdf=_cdf,
    sf=_sf,
)
