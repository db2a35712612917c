"""Seams in dask graphs: how many operations one task may consist of.

Dask fuses chains of operations on blocks into one task for each block, by a function that calls the next one. A
gradient of several hundred operations in a row is deeper than Python's stack, and long before that the fusion takes
longer than the work. Across a seam nothing is fused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dask.array as da
from dask.blockwise import Blockwise
from dask.highlevelgraph import HighLevelGraph, Layer

Array = Any

# Operations in a row that are fused.
_DEPTH = 100


class Seam(Layer):  # type: ignore[misc]
    """The tasks of another layer, which dask does not recognise as one that may be fused."""

    def __init__(self, layer: Blockwise) -> None:
        super().__init__(annotations=layer.annotations, collection_annotations=layer.collection_annotations)
        self.layer = layer

    def __getitem__(self, key: Any) -> Any:
        return self.layer[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layer)

    def __len__(self) -> int:
        return len(self.layer)

    def is_materialized(self) -> bool:
        """Whether the tasks have been written out."""
        return bool(self.layer.is_materialized())

    def get_output_keys(self) -> set[Any]:
        """All blocks."""
        return set(self.layer.get_output_keys())

    def cull(self, keys: set[Any], all_hlg_keys: Any) -> Any:
        """Only what some blocks need."""
        return self.layer.cull(keys, all_hlg_keys)


def shallow(arrays: Sequence[Array]) -> list[Array]:
    """The same arrays, with seams in their graphs where those are deep."""
    if all(len(x.dask.layers) <= _DEPTH for x in arrays):
        return list(arrays)
    layers: dict[str, Any] = {}
    dependencies: dict[str, Any] = {}
    for x in arrays:
        # A seam that is known stays one.
        layers.update({name: layer for name, layer in x.dask.layers.items() if type(layers.get(name)) is not Seam})
        dependencies.update(x.dask.dependencies)
    depths: dict[str, int] = {}
    found = False
    for name in HighLevelGraph(layers, dependencies)._toposort_layers():
        layer = layers[name]
        if not isinstance(layer, Blockwise):
            depths[name] = 0
            continue
        depths[name] = 1 + max([depths[other] for other in dependencies[name]], default=0)
        if depths[name] > _DEPTH:
            layers[name] = Seam(layer)
            depths[name] = 0
            found = True
    if not found:
        return list(arrays)
    graph = HighLevelGraph(layers, dependencies)
    return [da.Array(graph.cull_layers([x.name]), x.name, x.chunks, meta=x._meta) for x in arrays]
