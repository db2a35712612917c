"""Set functions. The values that there are, are elements: each has the gradient of the one where it comes first."""

from __future__ import annotations

from typing import Any, NamedTuple

from agnograd.core import batched_indexing
from agnograd.core.array import Array
from agnograd.core.batching import UnknownShape
from agnograd.core.formulas import edge
from agnograd.core.op import Op
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

isin: Op = nondifferentiable(
    "isin(x1, x2, /, *, invert=False)",
    batch=batched_indexing.isin,
    # The standard has it for integers; most libraries take every dtype.
    samples=[
        edge([[1, 2], [3, 2]], [2, 5]),
        edge([1, 2, 3], [[2, 5], [1, 1]], invert=True),
        edge([1, 2, 3], 2),
        edge(2, [1, 2, 3]),
    ],
)


class Counts(NamedTuple):
    """What ``unique_counts`` returns."""

    values: Any
    counts: Any


class Inverse(NamedTuple):
    """What ``unique_inverse`` returns."""

    values: Any
    inverse_indices: Any


def _unique_all(x: Array) -> Any:
    """Which values there are is asked of the data; the values themselves are taken from `x`."""
    xp = x.__array_namespace__()
    found = xp.unique_all(x.detach())
    return found._replace(values=xp.take(xp.reshape(x, (-1,)), found.indices, axis=0))


def _unique_counts(x: Array) -> Counts:
    found = _unique_all(x)
    return Counts(found.values, found.counts)


def _unique_inverse(x: Array) -> Inverse:
    found = _unique_all(x)
    return Inverse(found.values, found.inverse_indices)


unique_all: Op = nondifferentiable(
    "unique_all(x, /)", batch=UnknownShape("unique_all"), samples=_SAMPLES, reconnect=_unique_all
)
unique_counts: Op = nondifferentiable(
    "unique_counts(x, /)", batch=UnknownShape("unique_counts"), samples=_SAMPLES, reconnect=_unique_counts
)
unique_inverse: Op = nondifferentiable(
    "unique_inverse(x, /)", batch=UnknownShape("unique_inverse"), samples=_SAMPLES, reconnect=_unique_inverse
)
unique_values: Op = nondifferentiable(
    "unique_values(x, /)",
    batch=UnknownShape("unique_values"),
    samples=_SAMPLES,
    reconnect=lambda x: _unique_all(x).values,
)
