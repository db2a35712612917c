"""What backends cannot do: the only place where a test is expected to fail.

A key is ``(backend or row, operation, detail)``; the detail is empty, the name of a test, or a test and a sample
separated by a space (``" sample"`` for all tests of that sample). The reason says whose limitation it is. Every row
is a strict xfail: what starts to work fails until its row is removed.
"""

from __future__ import annotations

ROWS = ("strict-device1", "strict-device2", "strict-no_float64")

GAPS: dict[tuple[str, str, str], str] = {}


def reason(row: str, backend: str, op: str, test: str, sample: str) -> str | None:
    """Why a test is expected to fail; None if it is not."""
    for place in (row, backend):
        for detail in ("", test, f"{test} {sample}", f" {sample}"):
            found = GAPS.get((place, op, detail))
            if found is not None:
                return found
    return None
