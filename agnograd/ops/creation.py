"""Creation functions that take an array. Those that take none belong to a backend's namespace."""

from __future__ import annotations

from typing import Any

from agnograd.core.batching import elements, repeated, stacks, with_axes
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.table import OPS
from agnograd.core.tiers import linear, nondifferentiable

_SQUARE = Uniform(shape=(3, 3))

tril: Op = linear(
    "tril(x, /, *, k=0)",
    batch=stacks,
    x=lambda xp, g, k: xp.tril(g, k=k),
    samples=[Sample((_SQUARE,)), Sample((_SQUARE,), {"k": -1}), Sample((Uniform(shape=(2, 3), kind="complex"),))],
)
triu: Op = linear(
    "triu(x, /, *, k=0)",
    batch=stacks,
    x=lambda xp, g, k: xp.triu(g, k=k),
    samples=[Sample((_SQUARE,)), Sample((_SQUARE,), {"k": 1}), Sample((Uniform(shape=(2, 3), kind="complex"),))],
)
_MADE_LIKE = [Sample((_SQUARE,)), Sample((Uniform(kind="complex"),))]

zeros_like: Op = nondifferentiable("zeros_like(x, /, *, dtype=None, device=None)", samples=_MADE_LIKE, batch=elements)
ones_like: Op = nondifferentiable("ones_like(x, /, *, dtype=None, device=None)", samples=_MADE_LIKE, batch=elements)


def _filled(run: Any, arrays: Any, mapped: Any, fill_value: Any, **params: Any) -> Any:
    """A value for each member."""
    (x,) = arrays
    values = fill_value.array
    ndim = len(x.shape) - mapped[0]
    zeros = OPS["zeros_like"].call(x if mapped[0] else repeated(x, values.shape[0]), **params)
    return with_axes(OPS["astype"].call(values, zeros.dtype), ndim) + zeros


full_like: Op = nondifferentiable(
    "full_like(x, /, fill_value, *, dtype=None, device=None)",
    batch=elements,
    batch_statics=_filled,
    arrays=("x",),
    samples=[Sample(sample.arrays, {"fill_value": 2.0}) for sample in _MADE_LIKE],
)
