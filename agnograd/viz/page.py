"""A tensor as HTML: what it is, where it is, what it belongs to. Values are shown where they are at hand.

A lazy array is never computed, and an array on a device is not fetched: it would wait for the device.
"""

from __future__ import annotations

import math
from html import escape
from numbers import Integral
from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.batch import Batched
from agnograd.core.facts import raw_space, short
from agnograd.core.forward import Dual
from agnograd.core.nodes import is_leaf, node_class
from agnograd.core.views import settled
from agnograd.viz.drawing import draw

# Graphs in tables stay small: `agnograd.draw` shows all of them.
_VERTICES = 60
_STYLE = (
    "border-collapse:collapse;text-align:left;font-size:13px;margin:0;width:auto",
    "text-align:left;padding:1px 12px 1px 0;font-weight:600;vertical-align:top",
    "text-align:left;padding:1px 0;font-family:monospace",
    "display:flex;gap:24px;flex-wrap:wrap;align-items:flex-start",
)


def tensor_html(tensor: Array) -> str:
    """A tensor as a notebook shows it: shape, dtype, backend, device, chunks, gradient, and its graph, folded.

    Parameters
    ----------
    tensor : Tensor
        Or another wrapper, inside a transformation.

    Returns
    -------
    str
        HTML; nothing is computed for it.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.viz import tensor_html
    >>> html = tensor_html(ag.ones(2, 3, requires_grad=True))
    >>> "2 × 3" in html, "float64" in html, "numpy" in html
    (True, True, True)
    """
    value = settled(tensor)
    space = raw_space(value)
    raw = innermost(value)
    rows = [
        ("shape", _sizes(value.shape)),
        ("dtype", short(raw.dtype)),
        ("backend", space.name + (", lazy" if space.backend.lazy else "")),
        ("device", str(space.device(raw))),
        ("size", _bytes(raw)),
    ]
    rows += _state(value)
    table = "".join(
        f'<tr><th style="{_STYLE[1]}">{name}</th><td style="{_STYLE[2]}">{escape(text)}</td></tr>'
        for name, text in rows
        if text
    )
    title = type(tensor).__name__.lower()
    return (
        f'<div><strong>{escape(title)}</strong><div style="{_STYLE[3]}">'
        f'<table style="{_STYLE[0]}"><tbody>{table}</tbody></table>{_library(space, raw)}</div>'
        f"{_values(tensor, value, space)}{_graph(value)}</div>"
    )


def _sizes(shape: Any) -> str:
    return " × ".join(str(int(n)) if isinstance(n, Integral) else "?" for n in shape) or "scalar ()"


def _bytes(raw: Any) -> str:
    """The memory that the values take, or would take."""
    if not all(isinstance(n, Integral) for n in raw.shape):
        return ""
    bits = short(raw.dtype).lstrip("abcdefghijklmnopqrstuvwxyz")
    size: float = math.prod(raw.shape) * (int(bits) // 8 if bits else 1)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} TiB"


def _state(value: Any) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if isinstance(value, Array):
        level = value.level
        if level is not None and level.serial:
            rows.append(("level", f"{level.serial} of {level.name}"))
        if isinstance(value, Dual):
            rows.append(("tangent", f"{_sizes(value.tangent.shape)} {short(value.tangent.dtype)}"))
        if isinstance(value, Batched):
            rows.append(("batch", f"{value._array.shape[0]} members"))
    node = getattr(value, "_node", None)
    rows.append(("requires grad", "yes" if node is not None else "no"))
    if node is None:
        return rows
    if not is_leaf(node):
        rows.append(("grad_fn", f"<{node_class(node.variant).__name__}>"))
    grad = getattr(value, "_grad", None)
    if grad is not None:
        rows.append(("grad", f"{_sizes(grad.shape)} {short(innermost(grad).dtype)}"))
    elif is_leaf(node):
        rows.append(("grad", "none yet"))
    return rows


def _library(space: Any, raw: Any) -> str:
    """How a lazy library draws its array: dask draws the chunks. An array with values would print them."""
    shown = getattr(raw, "_repr_html_", None)
    return f"<div>{shown()}</div>" if space.backend.lazy and shown is not None else ""


def _values(tensor: Any, value: Any, space: Any) -> str:
    # Only memory of the host is read: where a backend has to wait for its device, values are left out.
    if space.backend.lazy or space.backend.synchronise is not None or isinstance(value, Batched):
        return ""
    return (
        f'<details><summary>values</summary><pre style="text-align:left;line-height:1.2">{escape(repr(tensor))}</pre>'
        f"</details>"
    )


def _graph(value: Any) -> str:
    node = getattr(value, "_node", None)
    if node is None or is_leaf(node):
        return ""
    return (
        f'<details><summary>graph</summary><div style="overflow:auto;max-height:480px">'
        f"{draw(value, limit=_VERTICES).svg}</div></details>"
    )
