"""Pictures: graphs to look at, tensors in notebooks, and where time and memory go.

`agnograd.draw` shows the graph behind a tensor as Mermaid, DOT or SVG, none of which needs a program. `plot_memory` and
`plot_operations` show what an observer saw; they need matplotlib. Nothing here computes a lazy array, waits for a
device or is imported before it is asked for.
"""

from __future__ import annotations

from agnograd.viz.drawing import Drawing, draw
from agnograd.viz.page import tensor_html
from agnograd.viz.plots import plot_memory, plot_operations

__all__ = ["Drawing", "draw", "plot_memory", "plot_operations", "tensor_html"]
