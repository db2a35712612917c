"""What SciPy files under special functions and agnograd has in its main namespace: sums of exponentials."""

from __future__ import annotations

from typing import Any

from agnograd.hookspecs import Sample, Uniform, composite

Array = Any

_AXES: list[dict[str, Any]] = [{}, {"axis": 1}, {"axis": (0, 1)}]
_MATRIX = Uniform(-2.0, 2.0, (2, 3))


def _logsumexp(xp: Any, x: Array, /, axis: Any = None, b: Any = None, keepdims: bool = False) -> Array:
    if b is None:
        return xp.logsumexp(x, axis=axis, keepdims=keepdims)
    # log(sum(b exp(x))): the largest x is taken out, whatever the sign of b.
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0)
    total = xp.sum(b * xp.exp(x - top), axis=axis, keepdims=True)
    out = xp.log(total) + top
    return out if keepdims else xp.sum(out, axis=axis)


logsumexp = composite(
    "special.logsumexp(x, /, axis=None, b=None, keepdims=False)",
    body=_logsumexp,
    samples=[
        *(Sample((_MATRIX,), params) for params in _AXES),
        Sample((_MATRIX,), {"axis": 0, "keepdims": True}),
        Sample((_MATRIX,), {"axis": 1, "b": 0.5}),
    ],
)
softmax = composite(
    "special.softmax(x, /, axis=None)",
    body=lambda xp, x, /, axis=None: xp.softmax(x, axis=axis),
    samples=[Sample((_MATRIX,), params) for params in _AXES],
)
log_softmax = composite(
    "special.log_softmax(x, /, axis=None)",
    body=lambda xp, x, /, axis=None: xp.log_softmax(x, axis=axis),
    samples=[Sample((_MATRIX,), params) for params in _AXES],
)
