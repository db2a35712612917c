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
# Elements of all memory.
_MOST = 1 << 30
_COMPARISONS = frozenset(("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"))
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


class Layout(NamedTuple):
    """What the machine is given.

    Attributes
    ----------
    table : ndarray
        The operations.
    size : int
        Elements of its memory.
    inputs : list of (int, int)
        Where arrays go, and how many elements each has.
    outputs : list of (int, int, int, tuple)
        Where results begin, how far the next element is, how many there are, and their shape.
    numbers : dict
        Where numbers are.
    constants : dict
        Where arrays are that belong to the program, to the numbers of their variables.
    """

    table: Any
    size: int
    inputs: Sequence[tuple[int, int]]
    outputs: Sequence[tuple[int, int, int, tuple[int, ...]]]
    numbers: dict[int, float]
    constants: dict[int, int]

    def to_data(self) -> dict[str, Any]:
        """What JSON can write."""
        numbers = [[start, x.hex()] for start, x in self.numbers.items()]
        constants = [list(pair) for pair in self.constants.items()]
        own = {"table": self.table.reshape(-1).tolist(), "numbers": numbers, "constants": constants}
        return {"size": self.size, "inputs": self.inputs, "outputs": self.outputs, **own}


def from_data(data: dict[str, Any], found: Callable[[int], Any]) -> Code:
    """The code of a layout that was written down.

    Parameters
    ----------
    found : callable
        Arrays that belong to the program, by the numbers of their variables.

    Raises
    ------
    ValueError
        If the machine would leave its memory, for which it does not look.
    """
    from agnograd.compiler import machine

    rows = np.array(data["table"], np.int64).reshape(-1, machine.COLUMNS)
    size = int(data["size"])
    outputs = [(start, step, count, tuple(shape)) for start, step, count, shape in data["outputs"]]
    numbers = {start: float.fromhex(text) for start, text in data["numbers"]}
    constants = dict(data["constants"])
    layout = Layout(rows, size, data["inputs"], outputs, numbers, constants)
    places = [(start, 1, count) for start, count in layout.inputs]
    places += [(start, max(step, 1), count) for start, step, count, _ in outputs]
    places += [(start, 1, found(number).size) for start, number in constants.items()] + [(k, 1, 1) for k in numbers]
    starts, steps, counts = (np.array(column, np.int64) for column in zip(*places, strict=True))
    fits = 0 < size < _MOST and _inside(starts, steps, counts, size)
    fits = fits and bool(np.all((rows[:, 0] >= 0) & (rows[:, 0] < len(machine.CODES))))
    for k in range(2, machine.COLUMNS, 2):
        fits = fits and _inside(rows[:, k], rows[:, k + 1], rows[:, 1], size)
    if not fits:
        msg = "a table that leaves the memory of its program"
        raise ValueError(msg)
    return _made(machine, layout, found)


def _inside(starts: Any, steps: Any, counts: Any, size: int) -> bool:
    """Whether all elements at even distances are in a memory of some size."""
    small = np.all(np.abs(steps) < _MOST) and np.all((counts > 0) & (counts < _MOST))
    ends = starts + (counts - 1) * steps
    return bool(small and np.all((starts >= 0) & (starts < size) & (ends >= 0) & (ends < size)))


def _made(machine: Any, layout: Layout, found: Callable[[int], Any]) -> Code:
    names = {number: name for name, number in machine.CODES.items()}

    def source() -> str:
        rows = layout.table.tolist()
        return "\n".join([f"{names[row[0]]:14}" + "".join([f"{n:8}" for n in row[1:]]) for row in rows])

    initial = {start: np.asarray([x]) for start, x in layout.numbers.items()}
    for start, number in layout.constants.items():
        initial[start] = np.ascontiguousarray(found(number), float).reshape(-1)
    notes = [f"{len(layout.table)} operations run natively"]
    return Code(source, _runner(machine, layout, initial), notes, np.asarray, layout)


def _runner(machine: Any, layout: Layout, initial: dict[int, Any]) -> Callable[..., tuple[Any, ...]]:
    run, table, size = machine.run, layout.table, layout.size
    inputs = [slice(start, start + count) for start, count in layout.inputs]
    outputs = [
        (slice(start, start + count * max(step, 1), max(step, 1)), shape)
        for start, step, count, shape in layout.outputs
    ]

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
        for place, x in zip(inputs, arrays, strict=True):
            memory[place] = x if type(x) is not np.ndarray or x.ndim <= 1 else x.reshape(-1)
        run(table, memory)
        outs = tuple([memory[place].copy().reshape(shape) if shape else memory[place][0] for place, shape in outputs])
        idle.append(memory)
        return outs

    return call


class _Table:
    def __init__(self, program: Program, machine: Any) -> None:
        self.program = program
        self.machine = machine
        self.live = Liveness(program)
        self.rows: list[int] = []
        self.elementwise = frozenset((*machine.UNARY, *machine.BINARY, "where")) - {"copy"}
        self.places: dict[Var, Place] = {}
        self.owned: dict[Var, int] = {}
        self.numbers: dict[str, int] = {}
        self.size = 0
        self._free: dict[int, list[int]] = {}
        if program.guards:
            raise UnfitError(_BRANCHES)

    def code(self) -> Code:
        """Write all rows."""
        for v in (*self.program.inputs, *self.program.constants):
            self._check(v)
            self.places[v] = Place(self._new(v.size), _step(v))
        for k, step in enumerate(self.program.steps):
            self._step(step)
            for root in self.live.dying(k):
                if root in self.owned:
                    self._free.setdefault(root.size, []).append(self.owned.pop(root))
        arrays = {v.number: x for v, x in self.program.constants.items()}
        return _made(self.machine, self._layout(), arrays.__getitem__)

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
        rows = self.rows
        end = len(rows) + self.machine.COLUMNS
        rows += (self.machine.CODES[name], count, *out)
        for place in operands:
            rows += place
        rows += [0] * (end - len(rows))

    def _step(self, step: Step) -> None:
        name = step.name
        if step.several:
            msg = f"{name}, which returns several arrays"
            raise UnfitError(msg)
        out = step.out
        if name in _COMPARISONS:
            if out in self.program.outputs:
                msg = f"a result of {name}"
                raise UnfitError(msg)
        elif name_of(out.dtype) != "float64":
            msg = f"a result of dtype {out.dtype}"
            raise UnfitError(msg)
        if name == "full":
            self._row("copy", out.size, self._result(out), [self._number(step.args[1])])
        elif name in self.elementwise and not step.params:
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

    def _layout(self) -> Layout:
        table = np.array(self.rows, np.int64).reshape(-1, self.machine.COLUMNS)
        inputs = [(self.places[v].start, v.size) for v in self.program.inputs]
        outputs = [(*self.places[v], v.size, v.shape) for v in self.program.outputs]
        constants = {self.places[v].start: v.number for v in self.program.constants}
        numbers = {start: float.fromhex(text) for text, start in self.numbers.items()}
        return Layout(table, self.size, inputs, outputs, numbers, constants)


def _step(v: Var) -> int:
    return 0 if v.size == 1 else 1


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([n for n in shape if n != 1])
