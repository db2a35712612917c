"""Dirichlet's distribution and the multivariate normal one."""

from __future__ import annotations

import math
from typing import Any

from agnograd.hookspecs import Sample, Uniform, composite

from agnograd_scipy.matrices import offsets
from agnograd_scipy.stats.family import NUMBERS, family

Array = Any

# -- Dirichlet ---------------------------------------------------------------------------------------------------------


def _dirichlet_logpdf(xp: Any, x: Array, alpha: Array) -> Array:
    size = alpha.shape[0]
    if x.shape[0] == size - 1:
        x = xp.concat([x, 1 - xp.sum(x, axis=0, keepdims=True)], axis=0)
    if x.shape[0] != size:
        msg = f"dirichlet needs as many components as parameters, or one less, got {x.shape[0]} and {size}"
        raise ValueError(msg)
    spread = alpha[(slice(None), *(None,) * (len(x.shape) - 1))]
    constant = xp.special.gammaln(xp.sum(alpha)) - xp.sum(xp.special.gammaln(alpha))
    return xp.sum(xp.special.xlogy(spread - 1, x), axis=0) + constant


DIRICHLET = family(
    "dirichlet",
    "x, alpha",
    [
        (Uniform(0.1, 0.6), Uniform(0.6, 3.0)),
        (Uniform(0.1, 0.4, (2,)), Uniform(0.6, 3.0)),
        (Uniform(0.1, 0.6, (3, 2)), Uniform(0.6, 3.0)),
    ],
    pdf=lambda xp, x, alpha: xp.exp(_dirichlet_logpdf(xp, x, alpha)),
    logpdf=_dirichlet_logpdf,
)

# -- the multivariate normal distribution ------------------------------------------------------------------------------


def _covariance(xp: Any, cov: Any, like: Array) -> Array:
    """A covariance matrix: of a number times the identity, of a diagonal, or given; of the symmetric part of that."""
    if isinstance(cov, NUMBERS):
        cov = xp.full((), cov, dtype=like.dtype, device=xp.device(like))
    if len(cov.shape) < 2:
        size = like.shape[-1] if len(like.shape) else 1
        return xp.where(offsets(xp, like, size) == 0, cov, 0)
    return (cov + xp.matrix_transpose(cov)) / 2


def _log_det(xp: Any, factor: Array) -> Array:
    return 2 * xp.sum(xp.log(xp.linalg.diagonal(factor)), axis=-1)


def _mvn_logpdf(xp: Any, x: Any, mean: Any = 0.0, cov: Any = 1.0, allow_singular: bool = False) -> Array:
    centred = x - mean
    size = centred.shape[-1]
    cov = _covariance(xp, cov, centred)
    if allow_singular:
        return _degenerate(xp, centred, cov)
    factor = xp.linalg.cholesky(cov)
    z = xp.scipy.linalg.solve_triangular(factor, centred[..., None], lower=True)[..., 0]
    return -(xp.sum(z * z, axis=-1) + size * math.log(2 * math.pi) + _log_det(xp, factor)) / 2


def _degenerate(xp: Any, centred: Array, cov: Array) -> Array:
    # On the range of the matrix, whose rank is taken for fixed: the pseudo-inverse and the pseudo-determinant, and
    # minus infinity off that range. Which eigenvalues are zero SciPy decides so.
    single = cov.dtype == xp.float32
    values = xp.linalg.eigvalsh(cov)
    largest = xp.max(xp.abs(values))
    relative = (1e3 if single else 1e6) * float(xp.finfo(cov.dtype).eps)
    nonzero = values > relative * largest
    rank = xp.sum(xp.astype(nonzero, cov.dtype))
    log_det = xp.sum(xp.log(xp.where(nonzero, values, 1)))
    inverse = xp.linalg.pinv(cov, rtol=relative)
    z = xp.matmul(inverse, centred[..., None])
    along = xp.matmul(cov, z)[..., 0]
    size = xp.sum(centred[..., None, :] @ z, axis=(-2, -1))
    out = -(size + rank * math.log(2 * math.pi) + log_det) / 2
    distance = xp.linalg.vector_norm(centred - along, axis=-1)
    return xp.where(distance < 1e3 * relative * largest, out, -math.inf)


def _mvn_pdf(xp: Any, x: Any, mean: Any = 0.0, cov: Any = 1.0, allow_singular: bool = False) -> Array:
    return xp.exp(_mvn_logpdf(xp, x, mean, cov, allow_singular))


def _mvn_entropy(xp: Any, mean: Any = 0.0, cov: Any = 1.0) -> Array:
    # Of a matrix the mean says nothing; of a number or a diagonal, how many there are.
    whole = not isinstance(cov, NUMBERS) and len(cov.shape) == 2
    cov = _covariance(xp, cov, cov if whole or isinstance(mean, NUMBERS) else mean)
    return (cov.shape[-1] * (1 + math.log(2 * math.pi)) + _log_det(xp, xp.linalg.cholesky(cov))) / 2


_COVARIANCE = [[2.0, 0.3, -0.2], [0.3, 1.5, 0.4], [-0.2, 0.4, 1.8]]
_SAMPLES = [
    Sample((Uniform(), Uniform(), _COVARIANCE)),
    Sample((Uniform(shape=(2, 3)), Uniform(), _COVARIANCE)),
    Sample((Uniform(), 0.5, 1.5)),
    Sample((Uniform(), Uniform(), Uniform(0.5, 2.0))),
    Sample((Uniform(), Uniform(), _COVARIANCE), {"allow_singular": True}),
]
_ARGUMENTS = "mean=0.0, cov=1.0"

MULTIVARIATE_NORMAL = [
    *(
        composite(
            f"scipy.stats.multivariate_normal.{name}(x, {_ARGUMENTS}, allow_singular=False)",
            arrays=["x", "mean", "cov"],
            body=body,
            doc=doc,
            samples=_SAMPLES,
        )
        for name, body, doc in (
            ("pdf", _mvn_pdf, "density over the last axis of x; the symmetric part of cov counts"),
            ("logpdf", _mvn_logpdf, "its logarithm, by a Cholesky factor, or for a singular cov a pseudo-inverse"),
        )
    ),
    composite(
        f"scipy.stats.multivariate_normal.entropy({_ARGUMENTS})",
        arrays=["mean", "cov"],
        body=_mvn_entropy,
        doc="d/2 (1 + log(2 pi)) + log(det(cov))/2",
        samples=[Sample((0.0, _COVARIANCE)), Sample((0.0, [[1.5]]))],
    ),
]

OPERATIONS = [*DIRICHLET, *MULTIVARIATE_NORMAL]
