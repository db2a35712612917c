"""Utility functions."""

from __future__ import annotations

from agnograd.core.formulas import edge
from agnograd.core.sample import Sample
from agnograd.core.tiers import nondifferentiable

_SAMPLES: list[Sample] = [
    edge([[True, False], [True, True]]),
    edge([[True, False], [True, True]], axis=1),
    edge([0.0, 1.0]),
]

all = nondifferentiable("all(x, /, *, axis=None, keepdims=False)", samples=_SAMPLES)
any = nondifferentiable("any(x, /, *, axis=None, keepdims=False)", samples=_SAMPLES)
