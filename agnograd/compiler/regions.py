"""Regions of elementwise steps on large arrays, to be evaluated in blocks that stay in the cache.

A region is a set of steps on arrays of one shape which, together, wait for nothing but what was there before the first
of them. Sums over all elements belong to it, too: blocks are the leaves of the tree in which NumPy adds up an array,
and their sums are added along it, so that not a bit is different.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agnograd.compiler.program import Program, Step, Var, name_of

# Elements from which on an array is worth it.
LARGE = 100_000


@dataclass
class Region:
    """Steps that are evaluated block by block.

    Attributes
    ----------
    shape : tuple of int
        That of all arrays in it.
    steps : list of Step
    arrays, scalars : list of Var
        What it reads, arrays of `shape` and single numbers.
    outs : list of Var
        Arrays that others need.
    sums : list of Var
        Sums over all elements.
    """

    shape: tuple[int, ...]
    steps: list[Step]
    arrays: list[Var]
    scalars: list[Var]
    outs: list[Var]
    sums: list[Var]

    @property
    def size(self) -> int:
        """Elements of each array."""
        return self.steps[0].reads[0].size if not self.outs else self.outs[0].size


class _Open:
    """A region that still grows, with what stands before and behind it."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] | None = None
        self.steps: list[Step] = []
        self.before: list[Step] = []
        self.behind: list[Step] = []
        self.inside: set[Var] = set()
        self.sums: set[Var] = set()
        self.tainted: set[Var] = set()


def blocked(program: Program, fits: Callable[[Step], bool]) -> tuple[Program, dict[int, Region]]:
    """A program in which each region is one step, and the regions by the identities of these steps.

    Parameters
    ----------
    fits : callable
        Whether a step can write its result into a part of an array.
    """
    if not any(v.size >= LARGE for step in program.steps for v in step.outs):
        return program, {}
    current = _Open()
    done: list[Step] = []
    regions: dict[int, Region] = {}

    def close() -> None:
        nonlocal current
        done.extend(current.before)
        if len(current.steps) > 1:
            region = _region(program, current)
            step = Step("region", [*region.arrays, *region.scalars], {}, [*region.outs, *region.sums], several=True)
            regions[id(step)] = region
            done.append(step)
        else:
            done.extend(current.steps)
        done.extend(current.behind)
        current = _Open()

    for step in program.steps:
        if _kind(step, fits) and not _joins(current, step):
            close()
        if _kind(step, fits) and _joins(current, step):
            if _kind(step, fits) == "sum":
                current.sums.add(step.out)
                current.tainted.add(step.out)
            else:
                current.shape = step.out.shape
                current.inside.add(step.out)
            current.steps.append(step)
        elif any(v in current.inside or v in current.tainted for v in step.reads):
            current.behind.append(step)
            current.tainted.update(step.outs)
        else:
            current.before.append(step)
    close()
    return replace(program, steps=done), regions


def _kind(step: Step, fits: Callable[[Step], bool]) -> str:
    if step.several:
        return ""
    out = step.out
    if out.size >= LARGE:
        same = all(v.shape in (out.shape, ()) for v in step.reads)
        spread = step.name == "broadcast_to" and step.reads and step.reads[0].shape == ()
        return "elementwise" if same and (fits(step) or spread) else ""
    if step.name == "sum" and step.reads[0].size >= LARGE and out.shape == () and is_plain_sum(step):
        return "sum"
    return ""


def is_plain_sum(step: Step) -> bool:
    """Whether a step adds up all elements of a floating-point array in its own precision."""
    x = step.reads[0]
    return step.params.get("dtype") is None and name_of(x.dtype) in ("float64", "float32") and len(step.args) == 1


def _joins(current: _Open, step: Step) -> bool:
    shape = step.out.shape or step.reads[0].shape
    if current.shape is not None and shape != current.shape:
        return False
    if step.name == "sum" and step.out.shape == ():
        return step.reads[0] in current.inside
    return not any(v in current.tainted for v in step.reads)


def _region(program: Program, current: _Open) -> Region:
    assert current.shape is not None
    own = {id(step) for step in current.steps}
    needed = {*program.results, *(v for step in program.steps if id(step) not in own for v in step.reads)}
    read = dict.fromkeys(v for step in current.steps for v in step.reads if v not in current.inside)
    made = [step.out for step in current.steps]
    return Region(
        current.shape,
        current.steps,
        [v for v in read if v.shape != ()],
        [v for v in read if v.shape == ()],
        [v for v in made if v in needed and v not in current.sums],
        [v for v in made if v in current.sums],
    )


def leaves(n: int, most: int) -> list[tuple[int, int]]:
    """Bounds of blocks of at most `most` elements: the nodes of NumPy's pairwise summation of `n` elements."""
    blocks: list[tuple[int, int]] = []

    def split(start: int, size: int) -> None:
        if size <= most:
            blocks.append((start, start + size))
            return
        half = size // 2
        half -= half % 8
        split(start, half)
        split(start + half, size - half)

    split(0, n)
    return blocks


def total(sums: Sequence[float], n: int, most: int) -> float:
    """The sums of blocks added up along the same tree."""
    found = iter(sums)

    def add(size: int) -> float:
        if size <= most:
            return next(found)
        half = size // 2
        half -= half % 8
        left = add(half)
        return left + add(size - half)

    return add(n)
