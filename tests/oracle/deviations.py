"""Where the gradient differs from torch's on purpose: what it is instead, and why.

A key is an operation and a sample, as test ids show them. The test holds the gradient against what stands here, and
fails where torch has come to agree.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

INF, NAN = math.inf, math.nan


class Deviation(NamedTuple):
    """Gradients of the sum of the output, one for each differentiable argument; and its values, where they differ."""

    gradients: tuple[Any, ...]
    reason: str
    values: tuple[Any, ...] | None = None


_CUT = (
    "torch takes the derivative on one side of the branch cut for both; here the sign of zero says on which side a "
    "number is, as it does for the value"
)
_DET = "the cofactors, which singular matrices have too; torch multiplies the determinant, which is 0, by an inverse"
_HYPOT = "the subgradient 0, as for abs and norm at 0; torch divides 0 by 0"
_LOGADDEXP = "the limit along equal arguments; torch subtracts an infinity from itself"
_LOGSUMEXP = "the limit: infinite elements share evenly, others get nothing; torch subtracts an infinity from itself"
_R3, _R43 = 3**-0.5, 0.75**-0.5

DEVIATIONS: dict[tuple[str, str], Deviation] = {
    ("acos", "[(2+0j),(2-0j)]"): Deviation(([_R3 * 1j, -_R3 * 1j],), _CUT),
    ("acos", "[(2+0j),(2-0j),(-2+0j),(-2-0j)]"): Deviation(([_R3 * 1j, -_R3 * 1j, -_R3 * 1j, _R3 * 1j],), _CUT),
    ("acosh", "[(-2+0j),(-2-0j),(0.5+0j),(0.5-0j)]"): Deviation(([-_R3, -_R3, _R43 * 1j, -_R43 * 1j],), _CUT),
    ("asin", "[(2+0j),(2-0j)]"): Deviation(([-_R3 * 1j, _R3 * 1j],), _CUT),
    ("asin", "[(2+0j),(2-0j),(-2+0j),(-2-0j)]"): Deviation(([-_R3 * 1j, _R3 * 1j, _R3 * 1j, -_R3 * 1j],), _CUT),
    ("asinh", "[2j,(-0+2j)]"): Deviation(([_R3 * 1j, -_R3 * 1j],), _CUT),
    ("asinh", "[2j,(-0+2j),-2j,(-0-2j)]"): Deviation(([_R3 * 1j, -_R3 * 1j, -_R3 * 1j, _R3 * 1j],), _CUT),
    ("atan2", "[1e+200,1e-200],[1e+200,1e-200]"): Deviation(
        ([5e-201, 5e199], [-5e-201, -5e199]), "torch squares the arguments, which overflow or vanish"
    ),
    ("clip", "[1.0,nan]-min=0.0-max=1.0"): Deviation(
        ([1.0, 1.0],), "a NaN compares with no bound and passes through: so does the gradient, as in maximum"
    ),
    ("hypot", "[0.0,3.0],[0.0,4.0]"): Deviation(([0.0, 0.6], [0.0, 0.8]), _HYPOT),
    ("hypot", "[0.0,0.0,-3.0],[0.0,-4.0,0.0]"): Deviation(([0.0, 0.0, -1.0], [0.0, -1.0, 0.0]), _HYPOT),
    ("linalg.det", "[[1.0,2.0],[2.0,4.0]]"): Deviation(([[4.0, -2.0], [-2.0, 1.0]],), _DET),
    ("linalg.det", "[3x3]-2"): Deviation(([[2.0, 0.0, -4.0], [-1.0, 0.0, 2.0], [0.0, 0.0, 0.0]],), _DET),
    ("log_softmax", "[[-inf,-inf],[inf,1.0]]-axis=1"): Deviation(
        ([[NAN, NAN], [NAN, 1.0]],),
        "a finite element beside an infinite one has the logarithm -inf, as in SciPy; torch makes the whole row NaN",
        ([[NAN, NAN], [NAN, -INF]],),
    ),
    ("logaddexp", "[-inf,inf,inf],[-inf,inf,1.0]"): Deviation(([0.5, 0.5, 1.0], [0.5, 0.5, 0.0]), _LOGADDEXP),
    ("logaddexp", "[-inf,inf,inf,1.0],[-inf,inf,1.0,-inf]"): Deviation(
        ([0.5, 0.5, 1.0, 1.0], [0.5, 0.5, 0.0, 0.0]), _LOGADDEXP
    ),
    ("logsumexp", "[[-inf,-inf],[-inf,1.0]]-axis=1"): Deviation(([[0.5, 0.5], [0.0, 1.0]],), _LOGSUMEXP),
    ("logsumexp", "[[inf,1.0,inf],[inf,1000.0,-inf]]-axis=1"): Deviation(
        ([[0.5, 0.0, 0.5], [1.0, 0.0, 0.0]],), _LOGSUMEXP
    ),
    ("nextafter", "[1.0,1.0],[2.0,1.0]"): Deviation(
        ([1.0, 1.0], [0.0, 0.0]), "all of it to the first argument, whatever its value; torch changes over at a tie"
    ),
    ("pow", "[0j,0j],[(2+0j),(1+0j)]"): Deviation(
        ([0j, 1 + 0j], [0j, 0j]), "d z^1 / dz is 1 at 0 too; torch takes the power 0 of a complex 0 for NaN"
    ),
    ("prod", "[inf,2.0]"): Deviation(([2.0, INF],), "the product of the others; torch divides the product by each"),
    ("var", "[1.0,3.0]-correction=3.0"): Deviation(
        ([-INF, INF],), "the value is infinite, so is its gradient; torch's is finite and turned round"
    ),
}

# Samples at which torch's second derivative is finite and wrong.
SECOND: dict[tuple[str, str], str] = {
    ("pow", "[2.0,0.5],[0.0,1.0]"): "d/dn of n x^(n-1) is 1/x at n = 0; torch takes the whole for constant there",
}
