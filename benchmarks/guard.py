"""A check against regressions that any machine can make: ratios to a calibration workload, never absolute times.

The calibration workload is the same gradient by hand, run in turn by a process of its own: it makes the calls of NumPy
that the engine makes, so that the ratio says what the engine adds. It depends little on the machine and on the version
of Python; the limits leave room for that, and for the noise of shared machines.
"""

from __future__ import annotations

from benchmarks import compare
from benchmarks.bars import Verdict

# About 1.3 times what was measured when they were set.
LIMITS = {"chain": 3.3, "chain-gradients": 3.3, "b": 3.5, "slices-few": 5.8}


def measure(*, rounds: int) -> list[Verdict]:
    """Time the workloads of `LIMITS`, and compare."""
    verdicts = []
    for timing in compare.timings(list(LIMITS), ["hand", "agnograd"], rounds=rounds):
        # The lower quartile: other work on the machine only ever adds.
        value = timing.ratio("agnograd", "hand").low
        limit = LIMITS[timing.workload]
        verdicts.append(Verdict(f"{timing.workload}: {timing.title}", limit, "x", value, value <= limit))
    return verdicts
