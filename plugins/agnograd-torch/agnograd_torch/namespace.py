"""PyTorch in the names of the array API standard: array-api-compat's functions, and in place of some those of `mended`.

Every function refuses tensors that require grad in PyTorch (see `agnograd_torch.graphs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.torch as compat
import array_api_compat.torch.fft as compat_fft
import array_api_compat.torch.linalg as compat_linalg

from agnograd_torch import mended
from agnograd_torch.fast import faster
from agnograd_torch.graphs import checked


class _Names:
    """A namespace or an extension, whose functions refuse PyTorch's graphs."""

    def __init__(self, plain: Any, own: Mapping[str, Callable[..., Any]]) -> None:
        self._plain = plain
        self._own = own

    def __getattr__(self, name: str) -> Any:
        found = self._own[name] if name in self._own else getattr(self._plain, name)
        if callable(found) and not name.startswith("_") and not isinstance(found, type):
            found = faster(name, found) or checked(found)
        setattr(self, name, found)
        return found


_main = _Names(compat, mended.FUNCTIONS)
linalg = _Names(compat_linalg, mended.DECOMPOSITIONS)
fft = _Names(compat_fft, mended.TRANSFORMS)


def __getattr__(name: str) -> Any:
    return getattr(_main, name)


__all__ = ["fft", "linalg"]
