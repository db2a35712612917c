"""Set functions: no gradient passes through the question which values there are."""

from __future__ import annotations

from agnograd.core.formulas import edge
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import nondifferentiable

_SAMPLES: list[Sample] = [
    Sample((Uniform(),)),
    edge([2.0, 1.0, 2.0, 1.0, 3.0]),
    edge([[2.0, 1.0], [1.0, 2.0]]),
    edge([[2, 1], [1, 2]]),
    Sample((Uniform(shape=()),)),
    Sample((Uniform(shape=(0,)),)),
]

isin = nondifferentiable(
    "isin(x1, x2, /, *, invert=False)",
    # The standard has it for integers; most libraries take every dtype.
    samples=[
        edge([[1, 2], [3, 2]], [2, 5]),
        edge([1, 2, 3], [[2, 5], [1, 1]], invert=True),
        edge([1, 2, 3], 2),
        edge(2, [1, 2, 3]),
    ],
)
unique_all = nondifferentiable("unique_all(x, /)", samples=_SAMPLES)
unique_counts = nondifferentiable("unique_counts(x, /)", samples=_SAMPLES)
unique_inverse = nondifferentiable("unique_inverse(x, /)", samples=_SAMPLES)
unique_values = nondifferentiable("unique_values(x, /)", samples=_SAMPLES)
