"""Parts of a graph that repeat: the steps of a loop, the layers of a network.

Operations stand in the order in which they ran. A stretch of them repeats with a period where each is the operation one
period later, with values from the same place: one period later too, or the same vertex, or a leaf of the same shape.
The first part may take from outside what others take from the part before them.
"""

from __future__ import annotations

from collections.abc import Sequence

from agnograd.viz.graph import LEAF, OPERATION, REST, Fold, Graph, Vertex

# Longest part that is looked for, and how often it has to be there.
PERIODS = 64
FEWEST = 3


def folded(graph: Graph) -> Graph:
    """The same graph with repeated parts shown once."""
    found = _Operations(graph)
    operations, leaves = found.vertices, found.leaves
    folds: list[Fold] = []
    # Vertex that is not shown to the one that stands for it.
    stands: dict[int, int] = {}
    i = 0
    number = len(graph.vertices)
    while i < len(operations):
        period, count = found.repeated(i)
        if not count:
            i += 1
            continue
        block = operations[i : i + period]
        for k in range(1, count):
            for j, shown in enumerate(block):
                hidden = operations[i + k * period + j]
                stands[hidden.number] = shown.number
                shown.nodes += hidden.nodes
                for (a, _), (b, _) in zip(shown.inputs, hidden.inputs, strict=True):
                    if b in leaves and b != a:
                        stands[b] = a
        for shown in block:
            shown.fold = number
        folds.append(Fold(number, count, tuple(vertex.number for vertex in block)))
        number += 1
        i += period * count
    if not folds:
        return graph
    kept = [vertex for vertex in graph.vertices if vertex.number not in stands]
    folds = _take_in_leaves(folds, kept, stands)
    for vertex in kept:
        moved = [(_standing(source, stands), text) for source, text in vertex.inputs]
        # What an operation takes from the copy before it would be an arrow back.
        vertex.inputs = [(source, text) for source, text in moved if source < vertex.number]
    return Graph(kept, folds)


def _take_in_leaves(folds: Sequence[Fold], kept: Sequence[Vertex], stands: dict[int, int]) -> list[Fold]:
    """Folds with the leaves of which each part has one of its own: the weights of layers that are alike."""
    leaves = {vertex.number: vertex for vertex in kept if vertex.kind == LEAF}
    counts: dict[int, int] = {}
    for hidden in stands:
        found = _standing(hidden, stands)
        if found in leaves:
            counts[found] = counts.get(found, 1) + 1
    users: dict[int, set[int | None]] = {number: set() for number in counts}
    for vertex in kept:
        for source, _ in vertex.inputs:
            if (found := _standing(source, stands)) in users:
                users[found].add(vertex.fold)
    inside: dict[int, list[int]] = {}
    for number, around in users.items():
        fold = next(iter(around))
        if len(around) == 1 and fold is not None:
            leaves[number].fold = fold
            inside.setdefault(fold, []).append(number)
        else:
            leaves[number].details.append(f"and {counts[number] - 1} alike")
    return [Fold(fold.number, fold.count, (*inside.get(fold.number, ()), *fold.members)) for fold in folds]


def _standing(number: int, stands: dict[int, int]) -> int:
    while number in stands:
        number = stands[number]
    return number


class _Operations:
    """Operations in order, ready to be compared many times."""

    def __init__(self, graph: Graph) -> None:
        self.vertices = [vertex for vertex in graph.vertices if vertex.kind == OPERATION]
        self.place = {vertex.number: i for i, vertex in enumerate(self.vertices)}
        self.leaves = {vertex.number: vertex for vertex in graph.vertices if vertex.kind == LEAF}
        # What tells most of them apart, in one number.
        codes: dict[tuple[str, str, int], int] = {}
        self.codes = [codes.setdefault((v.label, v.shape, len(v.inputs)), len(codes)) for v in self.vertices]

    def repeated(self, start: int) -> tuple[int, int]:
        """The period of what repeats from `start` on, and how often it is there; zero if it does not."""
        best = 0, 0
        codes, size = self.codes, len(self.codes)
        for period in range(1, min(PERIODS, (size - start) // FEWEST) + 1):
            if codes[start] != codes[start + period] or (best[0] and period % best[0] == 0):
                continue  # the latter would be the same stretch again
            i = start
            while i + period < size and self._alike(i, i + period, start if i < start + period else None):
                i += 1
            count = (i - start) // period + 1
            if count >= FEWEST and period * count > best[0] * best[1]:
                best = period, count
        return best

    def _alike(self, i: int, j: int, start: int | None) -> bool:
        if self.codes[i] != self.codes[j]:
            return False
        place, leaves = self.place, self.leaves
        for (x, _), (y, _) in zip(self.vertices[i].inputs, self.vertices[j].inputs, strict=True):
            if x == y:
                continue
            if x in leaves and y in leaves:
                if leaves[x].shape != leaves[y].shape:
                    return False
            elif y not in place:
                return False
            else:
                same = x in place and place[y] - place[x] == j - i
                # The first part takes from before it what the second one takes from the first.
                enters = start is not None and place.get(x, -1) < start <= place[y] < start + j - i
                if not (same or enters):
                    return False
        return True


def shortened(graph: Graph, limit: int) -> Graph:
    """At most so many vertices, the last ones, with a vertex for the rest."""
    left_out = len(graph.vertices) - limit
    if left_out <= 0:
        return graph
    kept = graph.vertices[left_out:]
    shown = {vertex.number for vertex in kept}
    rest = Vertex(-1, REST, f"… {left_out} more")
    for vertex in kept:
        vertex.inputs = list(dict.fromkeys((source if source in shown else -1, text) for source, text in vertex.inputs))
    folds = [
        Fold(fold.number, fold.count, members)
        for fold in graph.folds
        if (members := tuple(n for n in fold.members if n in shown))
    ]
    return Graph([rest, *kept], folds)
