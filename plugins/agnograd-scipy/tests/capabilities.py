"""What backends cannot do: the only place where a test of the matrix is expected to fail, and strictly so.

A key is ``(backend, operation, test, sample)``, where an empty test or sample stands for all of them.
"""

from __future__ import annotations

GAPS: dict[tuple[str, str, str, str], str] = {}


def reason(backend: str, op: str, test: str, sample: str) -> str | None:
    """Why a test is expected to fail; None if it is not."""
    for detail in ((test, sample), (test, ""), ("", sample), ("", "")):
        found = GAPS.get((backend, op, *detail))
        if found is not None:
            return found
    return None
