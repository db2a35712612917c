"""Sorting functions."""

from __future__ import annotations

from typing import Any

from agnograd.core.batching import along
from agnograd.core.formulas import edge
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import general, nondifferentiable

Array = Any

_MATRIX = Uniform(shape=(2, 3))

argsort: Op = nondifferentiable(
    "argsort(x, /, *, axis=-1, descending=False, stable=True)",
    batch=along(),
    samples=[Sample((_MATRIX,)), Sample((_MATRIX,), {"axis": 0}), Sample((_MATRIX,), {"descending": True})],
)


def _sort_vjp(xp: Any, g: Array, x: Array, axis: int, descending: bool) -> Array:
    # The inverse of a permutation is the order that sorts it.
    order = xp.argsort(x, axis=axis, descending=descending, stable=True)
    return xp.take_along_axis(g, xp.argsort(order, axis=axis, stable=True), axis=axis)


def _sort_jvp(xp: Any, t: Array, x: Array, axis: int, descending: bool) -> Array:
    order = xp.argsort(x, axis=axis, descending=descending, stable=True)
    return xp.take_along_axis(t, order, axis=axis)


sort: Op = general(
    "sort(x, /, *, axis=-1, descending=False, stable=True)",
    batch=along(),
    # Equal values are told apart by a stable order, whatever the backend's own sort does with them.
    vjp={"x": _sort_vjp},
    jvp={"x": _sort_jvp},
    samples=[
        Sample((Uniform(shape=(4,)),)),
        Sample((Uniform(shape=(3, 4)),)),
        Sample((Uniform(shape=(3, 4)),), {"axis": 0}),
        Sample((Uniform(shape=(2, 3, 2)),), {"axis": -2, "descending": True}),
        Sample((_MATRIX,), {"descending": True, "stable": False}),
        Sample((Uniform(shape=(0,)),)),
        Sample((Uniform(shape=(0, 3)),), {"axis": 1}),
        edge([2.0, 1.0, 2.0, 0.0], gradient=([1.0, 1.0, 1.0, 1.0],)),
    ],
)
