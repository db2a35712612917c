"""What JAX cannot do: the only place where a test of the matrix is expected to fail, and strictly so.

A key is ``(operation, test, sample)``, where an empty sample stands for all of them.
"""

from __future__ import annotations

_CUT = (
    "JAX loses the sign of a zero, or not, as it compiles: on a branch cut of this function a value or a derivative is "
    "that of the other side"
)
_BATCHED = ("test_batched", "test_batched_derivatives", "test_batched_twice")

GAPS: dict[tuple[str, str, str], str] = {
    **{
        (op, test, sample): _CUT
        for op, sample in (("asin", "[(2+0j),(2-0j)]"), ("acos", "[(2+0j),(2-0j)]"), ("asinh", "[2j,(-0+2j)]"))
        for test in ("test_value", "test_edge", *_BATCHED)
    },
    **{("acosh", test, "[(-2+0j),(-2-0j)]"): _CUT for test in ("test_value", "test_batched", "test_batched_twice")},
}


def reason(op: str, test: str, sample: str) -> str | None:
    """Why a test is expected to fail; None if it is not."""
    return GAPS.get((op, test, sample)) or GAPS.get((op, test, ""))
