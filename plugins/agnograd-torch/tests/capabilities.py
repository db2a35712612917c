"""What PyTorch cannot do: the only place where a test of the matrix is expected to fail, and strictly so.

A key is ``(operation, test, sample)``, where an empty sample stands for all of them.
"""

from __future__ import annotations

_SIDE_OF_A_CUT = (
    "PyTorch takes a number from a complex one by a product of complex numbers, which loses the sign of a zero: on a "
    "branch cut, the derivative is that of the other side"
)

GAPS: dict[tuple[str, str, str], str] = {
    ("asin", "test_edge", "[(2+0j),(2-0j)]"): _SIDE_OF_A_CUT,
    ("asin", "test_batched_derivatives", "[(2+0j),(2-0j)]"): _SIDE_OF_A_CUT,
    ("acos", "test_edge", "[(2+0j),(2-0j)]"): _SIDE_OF_A_CUT,
    ("acos", "test_batched_derivatives", "[(2+0j),(2-0j)]"): _SIDE_OF_A_CUT,
    ("acosh", "test_edge", "[(-2+0j),(-2-0j)]"): _SIDE_OF_A_CUT,
    ("acosh", "test_batched_derivatives", "[(-2+0j),(-2-0j)]"): _SIDE_OF_A_CUT,
}


def reason(op: str, test: str, sample: str) -> str | None:
    """Why a test is expected to fail; None if it is not."""
    return GAPS.get((op, test, sample)) or GAPS.get((op, test, ""))
