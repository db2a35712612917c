"""Transformations of functions: functions in, functions out, over trees of plain arrays or tensors.

A transformation opens a level, wraps its inputs at it, runs the function and reads the result off the wrappers. Plain
arrays give plain arrays; the result is a tensor if an input was one, or if the user's own graph hangs on it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from agnograd.transforms.constants import stop_gradient
from agnograd.transforms.forward_mode import hvp, jvp
from agnograd.transforms.remat import remat
from agnograd.transforms.reverse_mode import grad, value_and_grad, vjp
from agnograd.transforms.vectorisation import vmap

if TYPE_CHECKING:
    from agnograd.transforms.jacobians import hessian, jacfwd, jacobian, jacrev
    from agnograd.transforms.linearisation import linearize
    from agnograd.transforms.residuals import print_saved_residuals, saved_residuals
    from agnograd.transforms.transposition import linear_transpose

# Imported when they are asked for: `import agnograd` is not to take longer for them.
_LATER = {
    "hessian": "jacobians",
    "jacfwd": "jacobians",
    "jacobian": "jacobians",
    "jacrev": "jacobians",
    "linear_transpose": "transposition",
    "linearize": "linearisation",
    "print_saved_residuals": "residuals",
    "saved_residuals": "residuals",
}

__all__ = [
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linear_transpose",
    "linearize",
    "print_saved_residuals",
    "remat",
    "saved_residuals",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name)
    found = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    return found
