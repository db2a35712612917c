"""The hook, and what agnograd asks of a storage. PyTorch is imported when one of its tensors is used, not before."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from agnograd.hookspecs import Backend, hookimpl

Array = Any


def to_host(x: Array) -> Any:
    """The values as an ndarray; those in the memory of the host are shared."""
    from agnograd_torch.graphs import refuse_graphs

    refuse_graphs(x)
    if str(x.dtype) == "torch.bfloat16":  # NumPy has none; float32 holds its values
        x = x.float()
    # What is conjugated or negated lazily has no values that NumPy could read.
    return x.resolve_conj().resolve_neg().cpu().numpy()


def from_host(x: Any) -> Array:
    """A tensor on PyTorch's default device."""
    from agnograd_torch import namespace

    return namespace.asarray(x)


def copy(x: Array) -> Array:
    """An independent tensor on the same device."""
    from agnograd_torch.graphs import refuse_graphs

    refuse_graphs(x)
    return x.clone()


# The device that holds a tensor: a function of C, since it is asked in every operation that has parameters.
device: Callable[[Array], Any] = operator.attrgetter("device")


def to_device(x: Array, device: Any, stream: Any) -> Array:  # noqa: ARG001 - the hook's signature
    """The tensor on another device, named by a string or by a ``torch.device``."""
    return x.to(device)


def _drawn(draw: str) -> Callable[..., Array]:
    def random(shape: tuple[int, ...], *, dtype: Any, device: Any, seed: int) -> Array:
        import torch

        place = torch.get_default_device() if device is None else torch.device(device)
        generator = torch.Generator("cpu" if place.type == "meta" else place).manual_seed(seed)
        return getattr(torch, draw)(shape, dtype=dtype, device=place, generator=generator)

    return random


def synchronise() -> None:
    """Wait for the accelerator, where there is one."""
    import torch

    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def describe(x: Array) -> str | None:
    """The text of a tensor that has no values, in PyTorch's words."""
    return f"..., device=meta, size={tuple(x.shape)}" if x.is_meta else None


def kernels() -> dict[str, Callable[..., Any]]:
    """Bodies of what the standard leaves out."""
    from agnograd_torch import indexing

    return indexing.kernels()


@hookimpl
def agnograd_backends() -> Iterator[Backend]:
    """PyTorch's description."""
    yield Backend(
        name="torch",
        namespace="agnograd_torch.namespace",
        array_types=("torch:Tensor",),
        requires=("torch",),
        extra="torch",
        to_host=to_host,
        from_host=from_host,
        copy=copy,
        device=device,
        to_device=to_device,
        kernels=kernels,
        synchronise=synchronise,
        describe=describe,
        randn=_drawn("randn"),
        rand=_drawn("rand"),
        doc="PyTorch tensors on any of its devices, with agnograd's derivatives in the place of PyTorch's",
        url="https://docs.pytorch.org",
    )
