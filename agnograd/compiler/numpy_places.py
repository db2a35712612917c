"""Where the variables of a program on NumPy are: in buffers that it keeps, at fixed places there, or in new arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np  # noqa: TID253 - this module is imported for programs on NumPy only

from agnograd.compiler.liveness import Liveness
from agnograd.compiler.numpy_views import TEXTS
from agnograd.compiler.program import Program, Step, Var, name_of
from agnograd.compiler.source import Writer
from agnograd.compiler.storage import MOST, Buffers

# Bytes from which on memory is given back before a program ends.
_SMALL = 1 << 12
# Writes and views from which on an array is worth a copy, so that its parts are always at the same place.
_MANY = 8


class Places:
    """The places of variables, as they are found while the steps are written.

    Parameters
    ----------
    program : Program

    Attributes
    ----------
    writer : Writer
    live : Liveness
    buffers : Buffers
    static : dict
        Variables that are always at the same place, to its name.
    placed : dict
        Variables to their buffers.
    views : list of (str, str)
        Global names that are made for all that, with their values.
    rows : dict
        Variables that are part of a larger array, to the name of the part.
    fills : dict
        Variables to the one value of all their elements.
    alias : dict
        Variables that are another one, written to.
    outside : set of Var
        Those whose memory a caller gets.
    copied : set of Var
        Those of which a caller gets a copy.
    whole : set of Var
        Arrays in one piece, as which a reshape of them is a view.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.writer = Writer(program)
        self.live = Liveness(program)
        self.buffers = Buffers()
        self.static: dict[Var, str] = {}
        self.placed: dict[Var, int] = {}
        self.views: list[tuple[str, str]] = []
        self.rows: dict[Var, str] = {}
        self.fills: dict[Var, Any] = {}
        self.alias: dict[Var, str] = {}
        self.outside = self.live.beneath(program.outputs)
        self.copied = self._often_written()
        self.outside -= self.copied
        self.foreign = {*program.inputs, *program.constants}
        self.written: set[Var] = {self.live.root.get(s.args[0], s.args[0]) for k, s in self._writes()}
        self.whole: set[Var] = set()
        self._kinds: set[str] = set()
        self._numbers: dict[Any, str] = {}
        # What is packed, with the place that each part is to have.
        self.packs: dict[Var, list[tuple[Var, str]]] = {}
        for step in program.steps:
            if step.name == "pack":
                self.packs[step.out] = self.parts(step.out, step.reads)
                own = [(v, part) for v, part in self.packs[step.out] if v not in self.rows and self.is_own(v)]
                self.rows.update(own)
                self.whole.update(v for v, _ in own)
        for v, x in program.constants.items():
            self.static[v] = self.writer.name(v)
            if isinstance(x, np.ndarray) and x.flags.c_contiguous:
                self.whole.add(v)

    def _often_written(self) -> set[Var]:
        """Outputs that are put together from many parts: that is done in a buffer, and a copy is returned."""
        counts: dict[Var, int] = {}
        for k, step in self._writes():
            if k in self.live.in_place:
                root = self.live.root[step.out]
                counts[root] = counts.get(root, 0) + 1
        found = {v for v, n in counts.items() if n >= _MANY and v in self.outside and v.shape and fits(v)}
        # Those only that are returned whole.
        return {
            v
            for v in found
            if all(v is not self.live.root.get(x, x) or x.shape == v.shape for x in self.program.outputs)
        }

    def often_viewed(self) -> list[Var]:
        """Inputs of which many parts are used: they are copied into a buffer, where each part has a fixed place."""
        counts: dict[Var, int] = {}
        for step in self.program.steps:
            if step.name in TEXTS and not step.several and step.reads[0] in self.program.inputs:
                counts[step.reads[0]] = counts.get(step.reads[0], 0) + 1
        returned = self.live.beneath(self.program.outputs)
        return [
            v for v, n in counts.items() if v.shape and fits(v) and n >= _MANY + v.size // 1000 and v not in returned
        ]

    def _writes(self) -> list[tuple[int, Step]]:
        return [(k, s) for k, s in enumerate(self.program.steps) if s.name in ("set", "add_into")]

    def is_own(self, v: Var) -> bool:
        """Whether a variable's memory is nobody else's, so that its place can be chosen."""
        return self.live.root.get(v, v) is v and v not in self.written and v not in self.outside

    def parts(self, x: Var, parts: Sequence[Var]) -> list[tuple[Var, str]]:
        """An array that is always at the same place, and others, with the parts of it that they are to have."""
        name = f"{self.writer.name(x)}_all"
        self.views.append((name, self.empty(x.shape, x.dtype)))
        found, start = [], 0
        for i, v in enumerate(parts):
            part = f"{name}_{i}"
            self.views.append((part, f"{name}[{start}:{start + v.size}].reshape({v.shape!r})"))
            found.append((v, part))
            start += v.size
        return found

    def text(self, x: Any) -> str:
        """An operand in the source."""
        if type(x) is Var:
            return self.static.get(x) or self.alias.get(x) or self.writer.name(x)
        return self.writer.text(x)

    def number(self, value: Any, dtype: Any) -> str:
        """A number as an array without axes."""
        if type(value) is complex or name_of(dtype) not in ("float64", "float32", "complex128", "complex64"):
            return self.writer.text(value)
        key = (type(value), repr(value), name_of(dtype))
        if key not in self._numbers:
            self._numbers[key] = self.writer.refer(np.array(value, dtype), "k")
        return self._numbers[key]

    def place(self, v: Var, k: int, reuse: tuple[Var, ...] = ()) -> str | None:
        """A buffer for the result of step `k`, as a name in the source; None where it must be allocated."""
        row = self.rows.get(v)
        if row is not None:
            self.static[v] = row
            return row
        root = self.live.root.get(v, v)
        if root in self.outside or v.size == 0 or v.shape == ():
            return None
        for x in reuse:
            if self._dies(x, k) and x.shape == v.shape and x.dtype == v.dtype:
                return self.at(v, self.placed.pop(x))
        buffer = self.buffers.take(v.size * v.dtype.itemsize)
        return None if buffer is None else self.at(v, buffer)

    def _dies(self, x: Var, k: int) -> bool:
        return x in self.placed and self.live.last.get(x, -1) == k and self.live.root.get(x, x) is x

    def at(self, v: Var, buffer: int) -> str:
        """The place of a variable in a buffer."""
        self.placed[v] = buffer
        kind = f"b{buffer}_{name_of(v.dtype)}_{'x'.join(map(str, v.shape))}"
        if kind not in self._kinds:
            self._kinds.add(kind)
            part = f"b{buffer}[:{v.size * v.dtype.itemsize}]"
            self.views.append((kind, f"{part}.view({self.writer.refer(v.dtype)}).reshape({v.shape!r})"))
        self.static[v] = kind
        self.whole.add(v)
        return kind

    def once(self, name: str, text: str, base: str) -> str:
        """A global name for a part of an array that is always at the same place."""
        self.views.append((name, text.format(base)))
        return name

    def empty(self, shape: tuple[int, ...], dtype: Any) -> str:
        """A new array."""
        self.writer.scope["empty"] = np.empty
        return f"empty({shape!r}, {self.writer.refer(dtype)})"

    def copies(self) -> set[Var]:
        """Outputs whose place is not to be given away."""
        return {v for v in self.program.outputs if self.live.root.get(v, v) in self.copied and v in self.static} | {
            v for v in self.program.outputs if v in self.static and (v in self.fills or v in self.program.constants)
        }

    def release(self, k: int) -> None:
        """Give back what was needed for the last time by step `k`."""
        for root in self.live.dying(k):
            buffer = self.placed.get(root)
            if buffer is not None:
                self.buffers.give(buffer)
        names = [self.writer.name(v) for v in self.live.ends.get(k, ()) if self._has_name(v)]
        if names:
            self.writer.write(f"del {', '.join(names)}")

    def _has_name(self, v: Var) -> bool:
        """Whether a name must go for memory to be free."""
        root = self.live.root.get(v, v)
        return not (
            v in self.static
            or v in self.foreign
            or v in self.alias
            or v in self.fills
            or root in self.written
            or root in self.foreign
            or root in self.static
            or v.size * v.dtype.itemsize < _SMALL
        )


def fits(v: Var) -> bool:
    """Whether an array is small enough for a buffer that stays."""
    return bool(v.size * v.dtype.itemsize <= MOST)
