"""The linear algebra extension, ``xp.linalg``."""

from agnograd.ops.linalg.determinants import cofactors, det, slogdet
from agnograd.ops.linalg.factorisations import cholesky, cholesky_pullback, matrix_rank, pinv, qr
from agnograd.ops.linalg.norms import matrix_norm, vector_norm
from agnograd.ops.linalg.products import cross, diagonal, diagonal_matrix, outer, trace
from agnograd.ops.linalg.spectra import eig, eigh, eigvals, eigvalsh, svd, svdvals
from agnograd.ops.linalg.systems import inv, matrix_power, solve, solve_triangular

__all__ = [
    "cholesky",
    "cholesky_pullback",
    "cofactors",
    "cross",
    "det",
    "diagonal",
    "diagonal_matrix",
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
    "solve_triangular",
    "svd",
    "svdvals",
    "trace",
    "vector_norm",
]
