"""The linear algebra extension, ``xp.linalg``."""

from agnograd.ops.linalg.determinants import cofactors, det, slogdet
from agnograd.ops.linalg.factorisations import cholesky, matrix_rank, pinv, qr
from agnograd.ops.linalg.norms import matrix_norm, vector_norm
from agnograd.ops.linalg.products import cross, diagonal, outer, trace
from agnograd.ops.linalg.spectra import eig, eigh, eigvals, eigvalsh, svd, svdvals
from agnograd.ops.linalg.systems import inv, matrix_power, solve

__all__ = [
    "cholesky",
    "cofactors",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "trace",
    "vector_norm",
]
