"""The hook, and what agnograd asks of a storage. ndonnx is imported when one of its arrays is used, not before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from agnograd.hookspecs import Backend, hookimpl

Array = Any


def to_host(x: Array) -> Any:
    """The values, for which a model is built and run."""
    from agnograd_onnx import deferred

    return deferred.values(x)


def from_host(x: Any) -> Array:
    """An array that stands for the values, which are looked at when a model runs."""
    from agnograd_onnx import deferred

    return deferred.array(x)


def copy(x: Array) -> Array:
    """An array of its own: a write goes to that object alone, nothing is copied."""
    return x.copy()


def kernels() -> dict[str, Callable[..., Any]]:
    """Bodies of what the standard leaves out, and of what ndonnx lacks."""
    from agnograd_onnx import indexing, missing

    return {**indexing.kernels(), **missing.kernels()}


@hookimpl
def agnograd_backends() -> Iterator[Backend]:
    """ONNX's description."""
    yield Backend(
        name="onnx",
        namespace="agnograd_onnx.namespace",
        array_types=("ndonnx:Array",),
        requires=("ndonnx", "onnxruntime"),
        extra="agnograd-onnx",
        lazy=True,
        writeable=False,
        to_host=to_host,
        from_host=from_host,
        copy=copy,
        device=lambda x: x.device,
        to_device=lambda x, device, stream: x,  # noqa: ARG005 - there is one, and ONNX does not say where it is
        kernels=kernels,
        doc="ndonnx arrays, traced: functions and their derivatives become ONNX models",
        url="https://ndonnx.readthedocs.io",
    )
