"""The values of an array on the host as text, in PyTorch's form.

Four digits after the point, whole numbers as ``1.``, powers of ten where the values span more than three of them, one
width for all, and three items at each edge where there are more than a thousand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from agnograd.errors import UndefinedGradientError

LINE = 80
INDENT = len("tensor(")
_THRESHOLD = 1000
_EDGE = 3
_GAP = "..."


def describe(x: Any, *, abridged: bool | None = None) -> str:
    r"""Values of an ndarray; `abridged` tells whether to show the edges only, by default if there are many.

    Examples
    --------
    >>> import numpy as np
    >>> describe(np.array([[1.0, 2.5], [-3.0, 10.0]]))
    '[[ 1.0000,  2.5000],\n        [-3.0000, 10.0000]]'
    """
    if x.size == 0:
        return "[]"
    cut = x.size > _THRESHOLD if abridged is None else abridged
    nested = _edges(x) if cut else x.tolist()
    kind = x.dtype.kind
    make = _complex if kind == "c" else _real if kind == "f" else _other
    width, write = make([v for v in _flat(nested) if v is not _GAP])
    return _lay_out(nested, width, write, x.ndim, INDENT)


def _edges(x: Any) -> Any:
    """Nested lists of the outermost items, a gap for those in between."""
    if x.ndim == 0:
        return x.item()
    if len(x) <= 2 * _EDGE:
        return [_edges(row) for row in x]
    return [*(_edges(row) for row in x[:_EDGE]), _GAP, *(_edges(row) for row in x[-_EDGE:])]


def _flat(nested: Any) -> list[Any]:
    return [v for row in nested for v in _flat(row)] if isinstance(nested, list) else [nested]


def _other(values: list[Any]) -> tuple[int, Callable[[Any], str]]:
    width = max(len(str(v)) for v in values)
    return width, lambda v: str(v).rjust(width)


def _real(values: list[float]) -> tuple[int, Callable[[float], str]]:
    telling = [v for v in values if v and math.isfinite(v)]
    if not telling:
        return 1, _whole
    sizes = [abs(v) for v in telling]
    whole = all(v.is_integer() for v in telling)
    if max(sizes) > 1000 * min(sizes) or max(sizes) > 1e8 or (min(sizes) < 1e-4 and not whole):
        form: Callable[[float], str] = "{:.4e}".format
    else:
        form = _whole if whole else "{:.4f}".format
    width = max(len(form(v)) for v in telling)
    return width, lambda v: form(v).rjust(width)


def _whole(v: float) -> str:
    return f"{v:.0f}." if math.isfinite(v) else str(v)


def _complex(values: list[complex]) -> tuple[int, Callable[[complex], str]]:
    real_width, real = _real([v.real for v in values])
    imag_width, imag = _real([v.imag for v in values])

    def write(v: complex) -> str:
        tail = imag(v.imag).lstrip()
        return f"{real(v.real)}{'' if tail[0] in '+-' else '+'}{tail}j"

    return real_width + imag_width + 1, write


def _lay_out(nested: Any, width: int, write: Callable[[Any], str], ndim: int, indent: int) -> str:
    if ndim == 0:
        return write(nested)
    if ndim > 1:
        rows = [v if v is _GAP else _lay_out(v, width, write, ndim - 1, indent + 1) for v in nested]
        return "[" + ("," + "\n" * (ndim - 1) + " " * (indent + 1)).join(rows) + "]"
    items = [f" {_GAP}" if v is _GAP else write(v) for v in nested]
    n = max(1, (LINE - indent) // (width + 2))
    lines = [", ".join(items[i : i + n]) for i in range(0, len(items), n)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def undefined_gradient(x: Any, reason: str) -> UndefinedGradientError:
    """The error of a rule whose argument is meaningless."""
    return UndefinedGradientError(
        f"a gradient of shape {tuple(x.shape)} and dtype {x.dtype} does not exist: {reason}. Use what does not depend "
        f"on that choice, or detach it."
    )
