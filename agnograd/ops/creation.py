"""Creation functions that take an array. Those that take none belong to a backend's namespace."""

from __future__ import annotations

from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import linear, nondifferentiable

_SQUARE = Uniform(shape=(3, 3))

tril = linear(
    "tril(x, /, *, k=0)",
    x=lambda xp, g, k: xp.tril(g, k=k),
    samples=[Sample((_SQUARE,)), Sample((_SQUARE,), {"k": -1}), Sample((Uniform(shape=(2, 3), kind="complex"),))],
)
triu = linear(
    "triu(x, /, *, k=0)",
    x=lambda xp, g, k: xp.triu(g, k=k),
    samples=[Sample((_SQUARE,)), Sample((_SQUARE,), {"k": 1}), Sample((Uniform(shape=(2, 3), kind="complex"),))],
)
_MADE_LIKE = [Sample((_SQUARE,)), Sample((Uniform(kind="complex"),))]

zeros_like = nondifferentiable("zeros_like(x, /, *, dtype=None, device=None)", samples=_MADE_LIKE)
ones_like = nondifferentiable("ones_like(x, /, *, dtype=None, device=None)", samples=_MADE_LIKE)
full_like = nondifferentiable(
    "full_like(x, /, fill_value, *, dtype=None, device=None)",
    arrays=("x",),
    samples=[Sample(sample.arrays, {"fill_value": 2.0}) for sample in _MADE_LIKE],
)
