"""The hook, and what agnograd asks of a storage. JAX is imported when one of its arrays is used, not before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from agnograd.hookspecs import Backend, hookimpl

Array = Any


def to_host(x: Array) -> Any:
    """The values as an ndarray, which cannot be written to."""
    import numpy as np

    return np.asarray(x)


def from_host(x: Any) -> Array:
    """An array on JAX's default device; JAX warns where it has no such precision."""
    import jax.numpy as jnp

    return jnp.asarray(x, dtype=x.dtype)


def copy(x: Array) -> Array:
    """The array itself, which nobody can change."""
    return x


def device(x: Array) -> Any:
    """The device or sharding that holds the array; None for a value that ``jax.jit`` traces."""
    import jax

    return None if isinstance(x, jax.core.Tracer) else x.device


def to_device(x: Array, device: Any, stream: Any) -> Array:  # noqa: ARG001 - the hook's signature
    """The array on another device, named by a platform (``"cpu"``, ``"gpu:1"``), or a device or sharding of JAX."""
    import jax

    if isinstance(device, str):
        platform, _, number = device.partition(":")
        device = jax.devices(platform)[int(number or 0)]
    return jax.device_put(x, device)


def _drawn(draw: str) -> Callable[..., Array]:
    def random(shape: tuple[int, ...], *, dtype: Any, device: Any, seed: int) -> Array:
        import jax

        drawn = getattr(jax.random, draw)(jax.random.key(seed), shape, dtype)
        return drawn if device is None else to_device(drawn, device, None)

    return random


def synchronise() -> None:
    """Wait for all devices."""
    import jax

    for held in jax.local_devices():
        held.synchronize_all_activity()


def describe(x: Array) -> str | None:
    """The text of a value that is traced, of which there are only shape and dtype."""
    import jax

    return f"traced, shape={tuple(x.shape)}, dtype={x.dtype}" if isinstance(x, jax.core.Tracer) else None


def kernels() -> dict[str, Callable[..., Any]]:
    """Bodies of what the standard leaves out."""
    from agnograd_jax import indexing

    return indexing.kernels()


@hookimpl
def agnograd_backends() -> Iterator[Backend]:
    """JAX's description."""
    yield Backend(
        name="jax",
        namespace="agnograd_jax.namespace",
        array_types=("jax:Array", "jax.core:Tracer"),
        requires=("jax",),
        extra="jax",
        writeable=False,
        to_host=to_host,
        from_host=from_host,
        copy=copy,
        device=device,
        to_device=to_device,
        kernels=kernels,
        synchronise=synchronise,
        describe=describe,
        randn=_drawn("normal"),
        rand=_drawn("uniform"),
        doc="JAX arrays on any of its devices, immutable, and traced by jax.jit",
        url="https://docs.jax.dev",
    )
