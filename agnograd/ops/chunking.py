"""How arrays are cut into chunks, on backends that cut them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnograd.core.cotangent import Spec
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import linear

Array = Any


def _of_batch(run: Any, arrays: Sequence[Array], mapped: Sequence[bool], chunks: Any) -> Array:
    """Members are cut as they are told, and the batch stays as it is along its own axis."""
    (x,) = arrays
    ndim = len(x.shape) - 1
    if isinstance(chunks, dict):
        chunks = {a % ndim + 1: n for a, n in chunks.items()}
    elif isinstance(chunks, (tuple, list)):
        chunks = (None, *chunks)
    else:
        chunks = {a + 1: chunks for a in range(ndim)}
    return run(x, chunks=chunks)


def _rechunk_vjp(xp: Any, g: Array, x_spec: Spec) -> Array:
    # Only the shape of a backend with chunks knows them.
    chunks = getattr(x_spec.shape, "chunks", None)
    return g if chunks is None else xp.rechunk(g, chunks=chunks)


rechunk: Op = linear(
    "rechunk(x, /, chunks)",
    body=lambda xp, x, *, chunks: xp.copy(x),
    x=_rechunk_vjp,
    batch=_of_batch,
    doc="x in other chunks, as dask's ``rechunk`` takes them; a copy where arrays have none",
    samples=[
        Sample((Uniform(shape=(4, 3)),), {"chunks": {0: 2}}),
        Sample((Uniform(shape=(4, 3)),), {"chunks": (2, -1)}),
        Sample((Uniform(shape=(4, 3), kind="complex"),), {"chunks": 1}),
    ],
)
