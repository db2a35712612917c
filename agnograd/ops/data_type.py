"""Data type and device functions."""

from __future__ import annotations

from typing import Any

from agnograd.core.batching import elements
from agnograd.core.cotangent import Spec
from agnograd.core.nodes import as_wrapper
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.table import Space, spaces
from agnograd.core.tiers import linear

Array = Any


def _same(xp: Any, g: Array) -> Array:
    return g


def _to_device_vjp(xp: Any, g: Array, x_spec: Spec) -> Array:
    return xp.to_device(g, device=x_spec.device)


# The engine casts a cotangent to the dtype of its primal: the transpose has nothing left to do.
astype: Op = linear(
    "astype(x, dtype, /, *, copy=True, device=None)",
    batch=elements,
    arrays=("x",),
    x=_same,
    samples=[
        Sample((Uniform(),), {"dtype": "float32"}),
        Sample((Uniform(),), {"dtype": "complex128"}),
        Sample((Uniform(kind="complex"),), {"dtype": "complex64"}),
    ],
)
clone: Op = linear(
    "clone(x, /)",
    batch=elements,
    body=lambda xp, x: xp.copy(x),
    x=_same,
    samples=[Sample((Uniform(),)), Sample((Uniform(kind="complex"),))],
)
to_device: Op = linear(
    "to_device(x, /, device, *, stream=None)",
    batch=elements,
    body=lambda xp, x, device, *, stream=None: xp.backend.to_device(x, device, stream),
    x=_to_device_vjp,
    samples=[Sample((Uniform(),), {"device": "same"}), Sample((Uniform(kind="complex"),), {"device": "same"})],
)


def _to_backend(xp: Any, x: Array, name: str, *, device: Any = None, lifted: bool = False) -> Array:
    target = spaces.named(name).backend
    if lifted and target.lift is not None and xp.name in target.lifts:
        return target.lift(x)
    out = target.from_host(xp.backend.to_host(x))
    return out if device is None else target.to_device(out, device)


def _to_backend_vjp(xp: Any, g: Array, x_spec: Spec, lifted: bool) -> Array:
    # What is lifted is small, what its cotangent depends on may be larger than memory: it comes back when the user asks
    # for it. As a tensor it makes operations of the rest of the pass, which lift what the graph saved on this side.
    if not lifted:
        return xp.to_backend(g, x_spec.backend, device=x_spec.device)
    return as_wrapper(xp.settle(g, None) if isinstance(xp, Space) and xp.settle is not None else g)


# The only operation whose output belongs to another backend than its argument.
to_backend: Op = linear(
    "to_backend(x, /, name, *, device=None, lifted=False)",
    batch=elements,
    body=_to_backend,
    x=_to_backend_vjp,
    samples=[Sample((Uniform(),), {"name": "numpy"}), Sample((Uniform(kind="complex"),), {"name": "numpy"})],
)
to_backend.changes_backend = True
