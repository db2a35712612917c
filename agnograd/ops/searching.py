"""Searching functions."""

from __future__ import annotations

from agnograd.core import batched_indexing
from agnograd.core.batching import UnknownShape, reduced, searched
from agnograd.core.formulas import edge
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import elementwise, nondifferentiable

_MATRIX = Uniform(shape=(2, 3))
_ARGUMENT = [Sample((_MATRIX,)), Sample((_MATRIX,), {"axis": 1}), Sample((_MATRIX,), {"axis": 0, "keepdims": True})]
_CONDITION = [[True], [False]]

where: Op = elementwise(
    "where(condition, x1, x2, /)",
    # The mask acts on the cotangent: what the branch not taken computes never gets through.
    x1=lambda xp, g, condition: xp.where(condition, g, 0),
    x2=lambda xp, g, condition: xp.where(condition, 0, g),
    samples=[
        Sample(([True, False, True], Uniform(), Uniform())),
        Sample((_CONDITION, Uniform(), Uniform(shape=(2, 3)))),
        Sample((_CONDITION, Uniform(), Uniform(shape=()))),
        Sample(([True, False, True], Uniform(), 0.5)),
        Sample(([True, False, True], 0.5, Uniform(kind="complex"))),
        Sample(([True, False, True], Uniform(kind="complex"), Uniform())),
        edge([True, False], [1.0, 2.0], [float("nan"), 4.0], gradient=(None, [1.0, 0.0], [0.0, 1.0])),
    ],
)
argmax: Op = nondifferentiable("argmax(x, /, *, axis=None, keepdims=False)", samples=_ARGUMENT, batch=searched)
argmin: Op = nondifferentiable("argmin(x, /, *, axis=None, keepdims=False)", samples=_ARGUMENT, batch=searched)
count_nonzero: Op = nondifferentiable(
    "count_nonzero(x, /, *, axis=None, keepdims=False)",
    batch=reduced,
    samples=[edge([[0.0, 1.0], [2.0, 0.0]]), edge([[0, 1], [2, 0]], axis=0), edge([0j, 1j])],
)
searchsorted: Op = nondifferentiable(
    "searchsorted(x1, x2, /, *, side='left', sorter=None)",
    batch=batched_indexing.searchsorted,
    batch_statics=batched_indexing.searchsorted,
    samples=[edge([1.0, 2.0, 3.0], [0.5, 2.0, 9.0]), edge([1.0, 2.0, 3.0], [2.0], side="right")],
)
nonzero: Op = nondifferentiable(
    "nonzero(x, /)",
    batch=UnknownShape("nonzero"),
    samples=[
        edge([0.0, 1.0, 2.0]),
        edge([[0.0, 1.0], [2.0, 0.0]]),
        edge([[0, 1], [2, 0]]),
        edge([True, False]),
        Sample((Uniform(kind="complex"),)),
        Sample((Uniform(shape=(0, 3)),)),
    ],
)
