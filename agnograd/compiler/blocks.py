"""Source of a region: a loop over blocks of a few thousand elements, whose intermediate results stay in the cache."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any

import numpy as np  # noqa: TID253 - this module is imported for programs on NumPy only

from agnograd.compiler.program import Step, Var, name_of
from agnograd.compiler.regions import Region, leaves, total
from agnograd.compiler.source import Writer

# Bytes that intermediate results of a block may take: what a core has of its own cache.
_CACHE = 1 << 19
# Functions that take the array for their result by name only; by position it is faster.
BY_NAME = frozenset(("maximum", "minimum"))
_MOST, _LEAST = 1 << 15, 1 << 11


def write_region(
    name: str,
    region: Region,
    writer: Writer,
    ufunc: Callable[[Step], Any],
    operands: Callable[[Step, Callable[[Var], str]], list[str]],
    kernel: Callable[[Step], str | None],
    given: Collection[Var] = (),
) -> tuple[str, list[tuple[str, int, Any]]]:
    """The function of a region, and arrays that it needs: their names, sizes and dtypes.

    Parameters
    ----------
    name : str
        Its name; global names of the source are made with it, and kept by `writer`.
    ufunc : callable
        What calculates a step.
    operands : callable
        ``operands(step, names)``, texts of the operands of a step.
    kernel : callable
        What takes the place of a function on arrays in one piece, as a name of the source.
    given : collection of Var
        Results for which there is an array, which is an argument behind the others.
    """
    slots = _Slots(region)
    n = region.size
    most = _block(slots.count)
    blocks = leaves(n, most)
    scope = writer.scope
    scope[f"{name}_blocks"] = blocks
    scope["empty"] = np.empty
    scope["add_reduce"] = np.add.reduce
    scope["copyto"] = np.copyto
    scope[f"{name}_total"] = functools.partial(total, n=n, most=most)
    inputs = [f"x{i}" for i in range(len(region.arrays))]
    numbers = {v: f"y{i}" for i, v in enumerate(region.scalars)}
    into = [f"o{i}" for i, v in enumerate(region.outs) if v in given]
    lines = [f"def {name}({', '.join([*inputs, *numbers.values(), *into])}):"]
    lines += [f"    {x} = {x}.reshape(-1)" for x in (*inputs, *into)]
    for i, v in enumerate(region.outs):
        if v not in given:
            lines.append(f"    o{i} = empty({v.size}, {writer.refer(v.dtype)})")
    for i in range(len(region.sums)):
        lines.append(f"    parts{i} = []")
    sizes = max(b - a for a, b in blocks)
    kept = [(f"{name}_t{i}", sizes, dtype) for i, dtype in enumerate(slots.dtypes)]
    lines.append("    size = -1")
    lines.append(f"    for a, b in {name}_blocks:")
    if slots.dtypes:
        lines.append("        if b - a != size:")
        lines.append("            size = b - a")
        lines += [f"            u{i} = {t}[:size]" for i, (t, _, _) in enumerate(kept)]
    lines += [f"        p{i} = {x}[a:b]" for i, x in enumerate(inputs)]
    lines += [f"        q{i} = o{i}[a:b]" for i in range(len(region.outs))]
    names: dict[Var, str] = {v: f"p{i}" for i, v in enumerate(region.arrays)} | numbers
    outs = {v: f"q{i}" for i, v in enumerate(region.outs)}
    sums = {v: f"parts{i}" for i, v in enumerate(region.sums)}
    for step in region.steps:
        out = step.out
        if out in sums:
            lines.append(f"        {sums[out]}.append(add_reduce({names[step.reads[0]]}))")
            continue
        target = outs.get(out) or f"u{slots.place[out]}" if out in outs or out in slots.place else ""
        if step.name == "broadcast_to":
            names[out] = names[step.reads[0]]
            if out in outs:
                lines.append(f"        copyto({outs[out]}, {names[out]})")
            continue
        texts = operands(step, names.__getitem__)
        if step.name == "where":
            condition, x, y = texts
            lines.append(f"        copyto({target}, {y})")
            lines.append(f"        copyto({target}, {x}, where={condition})")
            names[out] = target
            continue
        native = None if names[step.reads[0]] in numbers.values() else kernel(step)
        if native is not None:
            lines.append(f"        {native}({texts[0]}, {target})")
        else:
            scope.setdefault(step.name, ufunc(step))
            by_name = "out=" if step.name in BY_NAME else ""
            lines.append(f"        {step.name}({', '.join(texts)}, {by_name}{target})")
        names[out] = target
    results = [f"o{i}.reshape({v.shape!r})" for i, v in enumerate(region.outs)]
    results += [f"{name}_total(parts{i})" for i in range(len(region.sums))]
    lines.append(f"    return ({', '.join(results)},)")
    return "\n".join(lines) + "\n\n", kept


def taken(region: Region, may_take: Callable[[Var], bool]) -> dict[Var, Var]:
    """Results that can be written over what the region reads, block by block, to the arrays that they take."""
    found: dict[Var, Var] = {}
    # These have another name, too.
    named = {x for s in region.steps if s.name == "broadcast_to" for x in s.reads}
    for k, step in enumerate(region.steps):
        v = step.out
        if v not in region.outs or step.name in ("where", "broadcast_to"):
            continue
        later = {x for s in region.steps[k + 1 :] for x in s.reads} | named
        for x in region.arrays:
            alike = (x.shape, x.dtype) == (v.shape, v.dtype) and x not in later and x not in found.values()
            if alike and may_take(x):
                found[v] = x
                break
    return found


def _block(slots: int) -> int:
    """Elements of a block: as many as let all of its intermediate results stay in the cache."""
    return int(min(_MOST, max(_LEAST, _CACHE // (8 * max(slots, 1)))))


class _Slots:
    """Intermediate results of a block to buffers.

    Attributes
    ----------
    place : dict
        Variable to buffer.
    dtypes : list
        Of each buffer.
    """

    def __init__(self, region: Region) -> None:
        self.place: dict[Var, int] = {}
        self.dtypes: list[Any] = []
        last: dict[Var, int] = {}
        alias: dict[Var, Var] = {}
        for k, step in enumerate(region.steps):
            for v in step.reads:
                last[alias.get(v, v)] = k
        outs = {*region.outs, *region.sums}
        free: dict[str, list[int]] = {}
        for k, step in enumerate(region.steps):
            out = step.out
            dying = [v for v in dict.fromkeys(step.reads) if last.get(v) == k and v in self.place]
            early = [v for v in dying if step.name != "where" and name_of(v.dtype) == name_of(out.dtype)]
            for v in early:
                free.setdefault(name_of(v.dtype), []).append(self.place[v])
            if out not in outs and step.name != "broadcast_to":
                kept = free.setdefault(name_of(out.dtype), [])
                if not kept:
                    self.dtypes.append(out.dtype)
                    kept.append(len(self.dtypes) - 1)
                self.place[out] = kept.pop()
                if out not in last:
                    kept.append(self.place[out])
            for v in dying:
                if v not in early:
                    free.setdefault(name_of(v.dtype), []).append(self.place[v])

    @property
    def count(self) -> int:
        """How many buffers there are."""
        return len(self.dtypes)
