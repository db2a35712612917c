"""Sorting functions."""

from __future__ import annotations

from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import nondifferentiable

_MATRIX = Uniform(shape=(2, 3))

argsort = nondifferentiable(
    "argsort(x, /, *, axis=-1, descending=False, stable=True)",
    samples=[Sample((_MATRIX,)), Sample((_MATRIX,), {"axis": 0}), Sample((_MATRIX,), {"descending": True})],
)
