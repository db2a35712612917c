"""Programs as tables for the machine: no call of Python's between one operation and the next.

Worth it for many operations on few elements. What a program may consist of: elementwise functions of float64 arrays of
one size and of single numbers, sums of all elements, and what shows arrays in another shape or parts of them at even
distances. Functions come from the C library, and may differ from NumPy's in the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np  # noqa: TID253 - this module is imported where programs are to run natively

from agnograd.compiler.liveness import Liveness
from agnograd.compiler.program import Program, Step, Var, name_of
from agnograd.compiler.source import Code
from agnograd.errors import MissingLibraryError

# Elements of an array above which NumPy's vectorised loops are faster.
_LARGE = 1 << 12
_SHAPED = frozenset(("reshape", "expand_dims", "squeeze", "copy", "positive"))


_BRANCHES = "it branches on values"
_BY_ARRAY = "an index that is an array"
_UNEVEN = "a part whose elements are not at even distances"
_BROADCAST = "a value that is broadcast into a part"


class Place(NamedTuple):
    """Where the elements of an array are: the first one, and how far the next."""

    start: int
    step: int


class UnfitError(Exception):
    """A program is not for the machine; the message says which step."""


def generate(program: Program) -> Code:
    """The code of a program.

    Raises
    ------
    UnfitError
        If a step is not for the machine.
    MissingLibraryError
        If Numba is not installed.
    """
    try:
        from agnograd.compiler import machine
    except ImportError:
        msg = "agnograd.compile(native=True) needs Numba. Install it with: pip install 'agnograd[numba]'"
        raise MissingLibraryError(msg) from None
    return _Table(program, machine).code()


class _Table:
    def __init__(self, program: Program, machine: Any) -> None:
        self.program = program
        self.machine = machine
        self.live = Liveness(program)
        self.rows: list[list[int]] = []
        self.places: dict[Var, Place] = {}
        self.owned: dict[Var, int] = {}
        self.numbers: dict[str, int] = {}
        self.initial: dict[int, Any] = {}
        self.size = 0
        self._free: dict[int, list[int]] = {}
        if program.guards:
            raise UnfitError(_BRANCHES)

    def code(self) -> Code:
        """Write all rows."""
        for v in (*self.program.inputs, *self.program.constants):
            self._check(v)
            self.places[v] = Place(self._new(v.size), _step(v))
        for v, x in self.program.constants.items():
            self.initial[self.places[v].start] = np.ascontiguousarray(x, float).reshape(-1)
        for k, step in enumerate(self.program.steps):
            self._step(step)
            for root in self.live.dying(self.program, k):
                if root in self.owned:
                    self._free.setdefault(root.size, []).append(self.owned.pop(root))
        table = np.asarray(self.rows, np.int64).reshape(-1, self.machine.COLUMNS)
        names = {number: name for name, number in self.machine.CODES.items()}
        source = "\n".join(f"{names[row[0]]:14}" + "".join(f"{n:8}" for n in row[1:]) for row in self.rows)
        return Code(source, self._runner(table), [f"{len(self.rows)} operations run natively"], np.asarray)

    def _check(self, v: Var) -> None:
        if name_of(v.dtype) != "float64" or v.size > _LARGE or not v.size:
            msg = f"an array of shape {v.shape} and dtype {v.dtype}"
            raise UnfitError(msg)

    def _new(self, size: int) -> int:
        start = self.size
        self.size += size
        return start

    def _number(self, x: Any) -> Place:
        key = float(x).hex()
        if key not in self.numbers:
            self.numbers[key] = self._new(1)
            self.initial[self.numbers[key]] = np.asarray([float(x)])
        return Place(self.numbers[key], 0)

    def _operand(self, x: Any, out: Var) -> Place:
        if type(x) is not Var:
            if type(x) not in (int, float, bool):
                msg = f"an operand of type {type(x).__name__}"
                raise UnfitError(msg)
            return self._number(x)
        if x.size not in {out.size, 1}:
            msg = f"arrays of shapes {x.shape} and {out.shape} in one operation"
            raise UnfitError(msg)
        if x.size == out.size and x.shape != out.shape and _squeezed(x.shape) != _squeezed(out.shape):
            msg = f"arrays of shapes {x.shape} and {out.shape} in one operation"
            raise UnfitError(msg)
        place = self.places[x]
        return Place(place.start, 0) if x.size == 1 else place

    def _result(self, out: Var) -> Place:
        if out.size > _LARGE or not out.size:
            msg = f"an array of shape {out.shape}"
            raise UnfitError(msg)
        free = self._free.get(out.size)
        start = free.pop() if free else self._new(out.size)
        self.owned[out] = start
        self.places[out] = Place(start, _step(out))
        return self.places[out]

    def _row(self, name: str, count: int, out: Place, operands: Sequence[Place]) -> None:
        row = [self.machine.CODES[name], count, *out]
        for place in operands:
            row += place
        self.rows.append(row + [0] * (self.machine.COLUMNS - len(row)))

    def _step(self, step: Step) -> None:
        name, machine = step.name, self.machine
        if step.several:
            msg = f"{name}, which returns several arrays"
            raise UnfitError(msg)
        out = step.out
        if name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"):
            if out in self.program.outputs:
                msg = f"a result of {name}"
                raise UnfitError(msg)
        elif name_of(out.dtype) != "float64":
            msg = f"a result of dtype {out.dtype}"
            raise UnfitError(msg)
        if name == "full":
            self._row("copy", out.size, self._result(out), [self._number(step.args[1])])
        elif name in (*machine.UNARY, *machine.BINARY, "where") and not step.params and name != "copy":
            operands = [self._operand(x, out) for x in step.args]
            self._row(name, out.size, self._result(out), operands)
        elif name == "sum" and out.size == 1 and step.params.get("dtype") is None:
            x = step.reads[0]
            place = self.places[x]
            self._row("sum", x.size, self._result(out), [place])
        elif name == "mean" and out.size == 1:
            x = step.reads[0]
            total = self._result(out)
            self._row("sum", x.size, total, [self.places[x]])
            self._row("divide", 1, total, [total, self._number(x.size)])
        elif name in _SHAPED or (name == "broadcast_to" and step.reads[0].size in (1, out.size)):
            x = step.reads[0]
            self._row(
                "copy", out.size, self._result(out), [Place(self.places[x].start, 0) if x.size == 1 else self.places[x]]
            )
        elif name == "getitem":
            x = step.reads[0]
            place = self._part(x, step.params["key"] if "key" in step.params else step.args[1], out)
            self._row("copy", out.size, self._result(out), [place])
        elif name in ("set", "add_into"):
            self._write(step)
        else:
            raise UnfitError(name)

    def _part(self, x: Var, key: Any, part: Var | None) -> Place:
        """Where the elements of a part are, if they are at even distances."""
        if any(type(k) is Var for k in (key if type(key) is tuple else (key,))):
            raise UnfitError(_BY_ARRAY)
        numbers = np.arange(x.size).reshape(x.shape)[key].reshape(-1)
        if part is not None and numbers.size != part.size:
            raise UnfitError(_BY_ARRAY)
        steps = np.unique(np.diff(numbers))
        if steps.size > 1 or not numbers.size:
            raise UnfitError(_UNEVEN)
        place = self.places[x]
        by = int(steps[0]) if steps.size else 1
        return Place(place.start + int(numbers[0]) * place.step, by * place.step)

    def _write(self, step: Step) -> None:
        x, out = step.args[0], step.out
        key, value = (step.args[1], step.args[2]) if step.name == "set" else (step.args[2], step.args[1])
        source = self.places[x]
        self._row("copy", out.size, self._result(out), [source])
        part = self._part(out, key, None)
        count = int(np.arange(out.size).reshape(out.shape)[key].size)
        size = value.size if type(value) is Var else 1
        if size not in (1, count):
            raise UnfitError(_BROADCAST)
        given = self._number(value) if type(value) is not Var else self.places[value]
        given = Place(given.start, 0) if size == 1 else given
        if step.name == "set":
            self._row("copy", count, part, [given])
        else:
            self._row("add", count, part, [part, given])

    def _runner(self, table: Any) -> Callable[..., tuple[Any, ...]]:
        run = self.machine.run
        inputs = [(slice(p.start, p.start + v.size), v.shape) for v in self.program.inputs for p in [self.places[v]]]
        outputs = []
        for v in self.program.outputs:
            start, step = self.places[v]
            outputs.append((slice(start, start + v.size * max(step, 1), max(step, 1)), v.shape))
        size, initial = self.size, self.initial

        def fresh() -> Any:
            memory = np.zeros(size)
            for start, values in initial.items():
                memory[start : start + values.size] = values
            return memory

        idle: list[Any] = []

        def call(*arrays: Any) -> tuple[Any, ...]:
            try:
                memory = idle.pop()
            except IndexError:
                memory = fresh()
            for (place, _), x in zip(inputs, arrays, strict=True):
                memory[place] = x if type(x) is not np.ndarray or x.ndim <= 1 else x.reshape(-1)
            run(table, memory)
            outs = tuple(
                [memory[place].copy().reshape(shape) if shape else memory[place][0] for place, shape in outputs]
            )
            idle.append(memory)
            return outs

        return call


def _step(v: Var) -> int:
    return 0 if v.size == 1 else 1


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([n for n in shape if n != 1])
