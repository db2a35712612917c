"""Values on PyTorch's tensors: ``torch.special``, and SciPy for what it lacks, where the memory is the host's anyway.

A tensor on the CPU and a NumPy array share memory, so that SciPy is one more library there and nothing is moved. On
another device what PyTorch lacks is an error: values would leave the device and come back without being asked to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from agnograd.errors import UnsupportedError

from agnograd_special.libraries import on_numpy

Array = Any
Body = Callable[..., Array]

_NAMES = {
    **{name: f"bessel_{name}" for name in ("j0", "j1", "y0", "y1")},
    **{name: f"modified_bessel_{name}" for name in ("k0", "k1")},
    **{f"{name}e": f"scaled_modified_bessel_{name}" for name in ("k0", "k1")},
}
_COMPLEX = frozenset(("sinc", "exp2", "expit"))
# PyTorch has them to about seven digits, in double precision too.
_SINGLE = frozenset(("j0", "j1", "y0", "y1"))


def in_torch(name: str) -> Body:
    """A function on PyTorch's tensors."""
    return lambda *args: _body(name)(*args)


def _ndtr(x: Array) -> Array:
    # PyTorch's own loses the left tail.
    from torch.special import erfc

    return erfc(x * -math.sqrt(0.5)) / 2


def _polygamma(n: Array, x: Array) -> Array:
    # DLMF 5.15.1 and 25.11.12. PyTorch's own wants a number for the order, and has nine digits for the first.
    import torch
    from torch.special import digamma, gammaln, zeta

    sign = 1 - 2 * ((n + 1) % 2)
    return torch.where(n == 0, digamma(x), sign * gammaln(n + 1).exp() * zeta(n + 1, x))


_MENDED: dict[str, Body] = {"ndtr": _ndtr, "polygamma": _polygamma}


@cache
def _body(name: str) -> Body:
    import torch
    from agnograd_torch.graphs import checked

    native: Any = _MENDED.get(name) or getattr(torch.special, _NAMES.get(name, name), None)

    def has(dtype: Any) -> bool:
        if native is None or (dtype.is_complex and name not in _COMPLEX):
            return False
        return name not in _SINGLE or dtype.itemsize <= 4

    def body(*args: Any) -> Array:
        tensors = [x for x in args if isinstance(x, torch.Tensor)]
        dtype, device = _dtype(torch, tensors), tensors[0].device
        if has(dtype):
            return native(*[torch.as_tensor(x, dtype=dtype, device=device) for x in args])
        if device.type == "meta":
            return torch.empty(torch.broadcast_shapes(*[x.shape for x in tensors]), dtype=dtype, device=device)
        if device.type != "cpu":
            msg = (
                f"PyTorch has no special.{name} of {dtype}, and SciPy, which has it, only in the memory of the host. "
                f"The tensor is on {device}: move it there and back with to_device('cpu')."
            )
            raise UnsupportedError(msg)
        # Of less than single precision NumPy has one kind only, and SciPy none.
        host = dtype if dtype.itemsize >= 4 else torch.float32
        arrays = [_numpy(x, host) if isinstance(x, torch.Tensor) else x for x in args]
        return torch.as_tensor(on_numpy(name)(*arrays), dtype=dtype)

    return checked(body)


def _dtype(torch: Any, tensors: list[Array]) -> Any:
    """What all of the elements promote to, also those of a tensor without axes."""
    floats = [x.dtype for x in tensors if x.dtype.is_floating_point or x.dtype.is_complex]
    out = floats[0] if floats else torch.get_default_dtype()
    for other in floats[1:]:
        out = torch.promote_types(out, other)
    return out


def _numpy(x: Array, dtype: Any) -> Any:
    floating = x.dtype.is_floating_point or x.dtype.is_complex
    return (x.to(dtype) if floating else x).resolve_conj().resolve_neg().numpy()
