"""The ledger: what each feature costs an operation, whether or not it is used.

A feature that nobody uses must cost nothing measurable. So the function under test is compiled a second time with one
test or call taken out of its source, and the two are run in turn within one process: what lies between them is the cost
of the feature. Where the source no longer has what a row takes out, the row fails: the ledger is kept with the code.
"""

from __future__ import annotations

import ast
import inspect
import operator
import random
import statistics
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

import agnograd as ag
from agnograd.core import recorders, reverse
from agnograd.core.table import OPS
from benchmarks.results import surroundings

PATH = Path(__file__).with_name("LEDGER.md")

# Each row is measured this often, so that one sees how far a figure can be trusted.
BLOCKS = 7

# Runs a number of operations, and returns the CPU seconds that they took.
Run = Callable[[int], float]


class Program(NamedTuple):
    """Something to time with two versions of one function of the engine.

    Attributes
    ----------
    title : str
    function : callable
        The function whose source is changed.
    prepare : callable
        Takes a version of it to a `Run`.
    """

    title: str
    function: Callable[..., Any]
    prepare: Callable[[Callable[..., Any]], Run]


class Row(NamedTuple):
    """A feature, and what to take out of a function so that it is gone.

    Attributes
    ----------
    feature : str
    program : Program
    changes : mapping
        Source text to what replaces it, as `ast.unparse` writes it: layout and comments do not matter.
    names : mapping
        Further globals for the replacement.
    """

    feature: str
    program: Program
    changes: Mapping[str, str]
    names: Mapping[str, Any] = {}


class Spread(NamedTuple):
    """Least, median and greatest of the differences that the blocks of rounds gave."""

    low: float
    median: float
    high: float


class Entry(NamedTuple):
    """What was measured for a row.

    Attributes
    ----------
    nanoseconds : Spread
    whole : float
        Nanoseconds of the whole operation.
    """

    feature: str
    title: str
    nanoseconds: Spread
    whole: float


def without(row: Row) -> Callable[..., Any]:
    """The function of a row's program, compiled without what the row takes out.

    Raises
    ------
    LookupError
        If its source does not have that: the row is out of date.
    """
    function = row.program.function
    source = ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))
    for old, new in row.changes.items():
        if old not in source:
            where = f"{function.__module__}.{function.__qualname__}"
            msg = f"{where} has no {old!r}: bring the ledger's row {row.feature!r} up to date"
            raise LookupError(msg)
        source = source.replace(old, new)
    namespace = vars(sys.modules[function.__module__]) | dict(row.names)
    exec(compile(source, f"<{row.feature}>", "exec"), namespace)
    return namespace[function.__name__]  # type: ignore[no-any-return]


# -- programs --------------------------------------------------------------------------------------------------------

_VALUES = np.linspace(0.1, 1.0, 10)


def _leaf() -> ag.Tensor:
    return ag.tensor(_VALUES, requires_grad=True)


def _timed(call: Callable[..., Any], *args: Any, **params: Any) -> Run:
    def run(count: int) -> float:
        start = time.process_time()
        for _ in range(count):
            call(*args, **params)
        return time.process_time() - start

    return run


def _multiply(make: Callable[..., Any]) -> Run:
    return _timed(make(OPS["multiply"], True), _leaf(), _leaf())


def _sine(make: Callable[..., Any]) -> Run:
    return _timed(make(OPS["sin"]), _leaf())


def _view(name: str, **params: Any) -> Callable[[Callable[..., Any]], Run]:
    return lambda make: _timed(make(OPS[name]), _leaf(), **params)


def _walk(walk: Callable[..., Any]) -> Run:
    c, b = ag.asarray(_VALUES), ag.asarray(_VALUES)

    def run(count: int) -> float:
        x = _leaf()
        for _ in range(-(-count // 3)):
            x = ag.sin(x * c + b)
        roots = [(x._node, np.ones(10))]
        start = time.process_time()
        walk(roots, True, set(), None, {})
        return time.process_time() - start

    return run


MULTIPLY = Program("multiply two tensors", recorders.binary, _multiply)
SINE = Program("sine of a tensor", recorders.unary, _sine)
GETITEM = Program("x[2:5]", recorders.parametrised, _view("getitem", key=slice(2, 5)))
RESHAPE = Program("reshape", recorders.parametrised, _view("reshape", shape=(5, 2)))
WALK = Program("way back of a chain sin(x*c+b)", reverse._walk_raw, _walk)

ROWS = [
    Row("nothing: the error of this method", MULTIPLY, {}),
    Row("grad mode", MULTIPLY, {"recording() is True": "True"}),
    Row("grad mode", SINE, {"recording() is True": "True"}),
    Row("levels of transformations", MULTIPLY, {"node1.level is not node2.level": "False"}),
    Row("several backends: mixing is noticed", MULTIPLY, {"type(data2) is not kind": "False"}),
    Row("several backends: function by type", MULTIPLY, {"bodies[kind]": "body"}, {"body": np.multiply}),
    Row("casting: dtypes are compared", MULTIPLY, {"data1.dtype is not data2.dtype": "False"}),
    Row("broadcasting: shapes are compared", MULTIPLY, {"data1.shape == data2.shape": "True"}),
    Row("casting: dtypes are compared", SINE, {"ans.dtype is not data.dtype": "False"}),
    Row("views: a slice is known to its base", GETITEM, {"if view:": "if False:"}),
    Row("views: a reshaped array is known to its base", RESHAPE, {"if view:": "if False:"}),
    Row("nothing: the error of this method", WALK, {}),
    Row("several backends: namespace by type", WALK, {"type(g) is not kind": "xp is None"}),
    Row("complex numbers: rule by dtype", WALK, {"dtype = g.dtype": "dtype = None", "dtype is real": "dtype is None"}),
    Row("devices: a guard around the rule", WALK, {"run is not None": "False"}),
    Row("partial cotangents of indexing", WALK, {"type(g) is Partial": "False"}),
    Row("gradients of other tensors than leaves", WALK, {"path is None or": "True or"}),
    Row("saved arrays are freed at once", WALK, {"release and type(saved) is not Static": "False"}),
]

# What is planned and would be paid here: a row is added with the feature.
ABSENT = ["observers"]


def measure(*, rounds: int, operations: int = 150) -> list[Entry]:
    """Measure every row, and before them what an operation costs in all.

    Parameters
    ----------
    rounds : int
        How often the two versions of each row run in turn, in each of the blocks.
    operations : int
        In each of these runs.
    """
    multiply, x, constant = OPS["multiply"].call, _leaf(), ag.asarray(_VALUES)
    nothing = _timed(operator.is_, 1, 1)
    numpy_alone = _timed(np.multiply, _VALUES, _VALUES)
    plain = _timed(multiply, constant, constant)
    recorded = _timed(multiply, x, x)
    entries = [
        _difference("NumPy's own call", "multiply two arrays", numpy_alone, nothing, rounds, operations),
        _difference("a tensor around the result", "multiply two constants", plain, numpy_alone, rounds, operations),
        _difference("recording", MULTIPLY.title, recorded, plain, rounds, operations),
    ]
    for row in ROWS:
        full = row.program.prepare(without(row._replace(changes={})))
        stripped = row.program.prepare(without(row))
        entries.append(_difference(row.feature, row.program.title, full, stripped, rounds, operations))
    return entries


def _difference(feature: str, title: str, full: Run, stripped: Run, rounds: int, operations: int) -> Entry:
    shuffled = random.Random(0)
    wholes, differences = [], []
    for _ in range(BLOCKS):
        times: dict[Run, list[float]] = {full: [], stripped: []}
        for _ in range(rounds):
            for run in shuffled.sample([full, stripped], 2):
                times[run].append(run(operations) * 1e9 / operations)
        # The fastest of many short runs: other work on the machine only ever adds, and to short runs not always.
        wholes.append(min(times[full]))
        differences.append(wholes[-1] - min(times[stripped]))
    nanoseconds = Spread(min(differences), statistics.median(differences), max(differences))
    return Entry(feature, title, nanoseconds, statistics.median(wholes))


# -- tables ----------------------------------------------------------------------------------------------------------

_COLUMNS = ("feature", "operation", "ns", "from-to", "of it")


def _cells(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    cells = [
        (
            entry.feature,
            entry.title,
            f"{entry.nanoseconds.median:.0f}",
            f"{entry.nanoseconds.low:.0f} to {entry.nanoseconds.high:.0f}",
            f"{entry.nanoseconds.median / entry.whole:.1%}",
        )
        for entry in entries
    ]
    return cells + [(feature, "absent", "0", "", "") for feature in ABSENT]


def table(entries: Sequence[Entry]) -> Table:
    """The ledger for a terminal."""
    made = Table(title="What features cost an operation", title_justify="left")
    for i, column in enumerate(_COLUMNS):
        made.add_column(column, justify="right" if i > 1 else "left")
    for cells in _cells(entries):
        made.add_row(*cells)
    return made


def markdown(entries: Sequence[Entry]) -> str:
    """The ledger as a page."""
    facts = surroundings(["hand", "agnograd"])
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    rows = [_COLUMNS, ("---", "---", "---:", "---:", "---:"), *_cells(entries)]
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"""# What features cost an operation

Written by `python -m benchmarks ledger`; do not edit. {facts["date"]}, {facts["cpu"]}, {facts["python"]}, {versions};
one thread, CPU time, arrays of 10 float64 elements. "of it" is the share of the whole operation with everything in it,
which can be compared between machines; nanoseconds cannot. A difference within the rows "nothing" is none.

{lines}

The first three rows add up to the operation; each other one is the same function with one test or call less. A tensor's
states (views that went stale, owned buffers, values of a higher level) are classes, and cost nothing beside the test
for a tensor that is made anyway; errors are explained by a second run of what failed, so `try` alone is paid for, which
CPython does not charge.
"""
