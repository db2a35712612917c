"""Utility functions."""

from __future__ import annotations

from typing import Any

from agnograd.core.apply import call
from agnograd.core.batching import reduced, repeated
from agnograd.core.formulas import edge
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, linear, nondifferentiable

Array = Any

_SAMPLES: list[Sample] = [
    edge([[True, False], [True, True]]),
    edge([[True, False], [True, True]], axis=1),
    edge([0.0, 1.0]),
    edge([0j, 1j]),
]

all: Op = nondifferentiable("all(x, /, *, axis=None, keepdims=False)", samples=_SAMPLES, batch=reduced)
any: Op = nondifferentiable("any(x, /, *, axis=None, keepdims=False)", samples=_SAMPLES, batch=reduced)


def _all_defined(run: Any, arrays: Any, mapped: Any, **params: Any) -> Array:
    """One condition for all members: it asks for every element of every one."""
    x, condition = arrays
    return run(x if mapped[0] else repeated(x, condition.shape[0]), condition, **params)


defined_where: Op = linear(
    "defined_where(x, condition, /, *, reason='')",
    batch=_all_defined,
    # Backends whose values are there raise; on others nothing may wait for a value, and none is worse than a wrong one.
    body=lambda xp, x, condition, *, reason="": xp.where(xp.all(condition), x, float("nan")),
    x=lambda xp, g: g,
    doc="x, which is meaningless unless a condition holds",
    samples=[
        Sample((Uniform(), [True, True])),
        Sample((Uniform(shape=(2, 2), kind="complex"), [True])),
        Sample((Uniform(shape=()), [True])),
        Sample((Uniform(shape=(0,)), [True])),
    ],
)


def _diff(
    xp: Any, x: Array, /, *, axis: int = -1, n: int = 1, prepend: Array | None = None, append: Array | None = None
) -> Array:
    ndim = len(x.shape)
    if not -ndim <= axis < ndim:
        msg = f"diff takes differences along an axis of its array, which has {ndim}: there is no axis {axis}"
        raise ValueError(msg)
    if n < 0:
        msg = f"diff takes differences n times, and n is {n}: it must not be negative"
        raise ValueError(msg)
    if n == 0:
        return xp.positive(x)
    parts = [part for part in (prepend, x, append) if part is not None]
    # Either of the three may be a tensor.
    x = x if len(parts) == 1 else call("concat", parts, axis=axis)
    lead = (slice(None),) * (axis % ndim)
    for _ in range(n):
        if x.shape[axis] == 0:
            return +x
        x = x[(*lead, slice(1, None), ...)] - x[(*lead, slice(None, -1), ...)]
    return x


diff: Op = composite(
    "diff(x, /, *, axis=-1, n=1, prepend=None, append=None)",
    body=_diff,
    samples=[
        Sample((Uniform(shape=(4,)),)),
        Sample((Uniform(shape=(2, 4)),)),
        Sample((Uniform(shape=(3, 2)),), {"axis": 0}),
        Sample((Uniform(shape=(2, 4)),), {"axis": -1, "n": 2}),
        Sample((Uniform(shape=(4, 2)),), {"axis": -2, "n": 3}),
        Sample((Uniform(shape=(2, 3)),), {"n": 0}),
        Sample((Uniform(shape=(2, 1)),)),
        Sample((Uniform(shape=(0,)),)),
        Sample((Uniform(shape=(0, 3)),), {"axis": 1}),
        Sample((Uniform(shape=(2, 4), kind="complex"),), {"axis": 1, "n": 2}),
    ],
)
