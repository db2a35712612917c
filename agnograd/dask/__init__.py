"""Arrays of dask beyond one operation at a time: derivatives block by block, one pass over the data, training steps.

Nothing here imports dask before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agnograd.dask.barriers import bounded, saved
    from agnograd.dask.blocks import map_blocks
    from agnograd.dask.computing import compute, optimize, persist
    from agnograd.dask.gradients import value_and_grad
    from agnograd.dask.steps import settle, training_step
    from agnograd.dask.storing import store

# Name to the module that has it.
_LATER = {
    "bounded": "barriers",
    "compute": "computing",
    "map_blocks": "blocks",
    "optimize": "computing",
    "persist": "computing",
    "saved": "barriers",
    "settle": "steps",
    "store": "storing",
    "training_step": "steps",
    "value_and_grad": "gradients",
}

__all__ = [
    "bounded",
    "compute",
    "map_blocks",
    "optimize",
    "persist",
    "saved",
    "settle",
    "store",
    "training_step",
    "value_and_grad",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name)
    found = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
