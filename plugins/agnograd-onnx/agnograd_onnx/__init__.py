"""ONNX as a storage of agnograd: arrays without values, from which `export` makes models, derivatives included.

Arrays are those of ndonnx, which records what is done with them. Derivatives are agnograd's own, so that a gradient is
recorded as the function itself is, and runs wherever ONNX does: without Python, and without agnograd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agnograd_onnx.exporting import export

__all__ = ["export"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Naming the plugin must not load its libraries.
    if name == "export":
        from agnograd_onnx.exporting import export

        return export
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
