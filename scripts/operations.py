"""Write docs/operations.md: which operation is tested on which backend, in which mode, and why not where it is not.

The page is made of what pytest collects: a test of `agnograd.testing.conformance` for a sample of the table, and the
rows of tests/capabilities.py where it is expected to fail. ``--check`` writes nothing and exits with 1 if the page is
out of date.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agnograd.core.batching import UnknownShape
from agnograd.core.op import Op
from agnograd.ops import FAMILIES
from agnograd.testing import conformance
from agnograd.testing.matrix import SEVERAL, Row
from agnograd.testing.runs import runs

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "operations.md"
sys.path.insert(0, str(ROOT / "tests"))

import capabilities  # noqa: E402
from oracle.deviations import DEVIATIONS  # noqa: E402

BACKENDS = ("numpy", "dask", "strict", "cupy")


class Mode(NamedTuple):
    """What is tested of an operation, and the tests that do it; of complex numbers alone if so."""

    letter: str
    tests: tuple[str, ...]
    of_complex: bool = False
    derivative: bool = True


MODES = (
    Mode("V", ("test_value",), derivative=False),
    Mode("R", ("test_first_order", "test_edge", "test_backward", "test_single_precision")),
    Mode("F", ("test_first_order", "test_edge", "test_single_precision")),
    Mode("2", ("test_second_order",)),
    Mode("B", ("test_batched", "test_batched_derivatives", "test_batched_twice"), derivative=False),
    Mode("C", ("test_value", "test_first_order", "test_second_order"), of_complex=True, derivative=False),
)

# -- why there is no test ----------------------------------------------------------------------------------------------

_TRUTH = "a truth value has no derivative"
_INDEX = "a position has no derivative"
_BITS = "bits have no derivative"
_CONSTANT = "only shape and dtype of the argument count"

NO_DERIVATIVE = {
    **dict.fromkeys(("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), _TRUTH),
    **dict.fromkeys(("isclose", "isfinite", "isinf", "isnan", "signbit", "all", "any", "isin"), _TRUTH),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor", "logical_not"), _TRUTH),
    **dict.fromkeys((f"bitwise_{n}" for n in ("and", "or", "xor", "invert", "left_shift", "right_shift")), _BITS),
    **dict.fromkeys(("argmax", "argmin", "argsort", "searchsorted", "nonzero"), _INDEX),
    **dict.fromkeys(("zeros_like", "ones_like", "full_like"), _CONSTANT),
    **dict.fromkeys(("count_nonzero", "linalg.matrix_rank"), "a count has no derivative"),
}

_UNIQUE = ("unique_all", "unique_counts", "unique_inverse", "unique_values")
NO_DERIVATIVE |= dict.fromkeys(
    _UNIQUE, "which values there are has none; the values are taken, with the derivative of take"
)

_REAL = "the standard defines it for real numbers only"
_ORDER = "complex numbers have no order"

NOT_COMPLEX = {
    **dict.fromkeys(("atan2", "ceil", "copysign", "floor", "floor_divide", "hypot", "logaddexp", "nextafter"), _REAL),
    **dict.fromkeys(("remainder", "signbit", "std", "trunc", "var"), _REAL),
    **dict.fromkeys(("less", "less_equal", "greater", "greater_equal", "maximum", "minimum"), _ORDER),
    **dict.fromkeys(("bounded", "clip"), _ORDER),
    **dict.fromkeys(("max", "min", "argmax", "argmin", "sort", "argsort", "searchsorted"), _ORDER),
    **dict.fromkeys(_UNIQUE, "complex numbers have no order, in which libraries return values"),
    **dict.fromkeys(("fft.rfft", "fft.rfftn", "fft.ihfft"), "a real transform takes real numbers"),
    **dict.fromkeys(("logsumexp", "softmax", "log_softmax"), "they are logarithms and shares of real numbers"),
    **dict.fromkeys((n for n in NO_DERIVATIVE if n.startswith("bitwise")), "bits are those of integers"),
    **dict.fromkeys((n for n in NO_DERIVATIVE if n.startswith("logical")), "it combines truth values"),
    "isin": "the standard defines it for integers only",
}

# Functions of the standard that are no operations of the table.
OTHERS = {
    "Made of operations, and differentiable by theirs": ("asarray", "from_dlpack", "meshgrid"),
    "Make arrays of numbers alone, or of a shape": (
        *("arange", "empty", "empty_like", "eye", "full", "linspace", "ones", "zeros", "fft.fftfreq", "fft.rfftfreq"),
    ),
    "Tell about dtypes and shapes": (
        *("__array_namespace_info__", "broadcast_shapes", "can_cast", "finfo", "iinfo", "isdtype", "result_type"),
    ),
    "The same function as in the main namespace": (
        *("linalg.matmul", "linalg.matrix_transpose", "linalg.tensordot", "linalg.vecdot"),
    ),
}

# -- the cells ---------------------------------------------------------------------------------------------------------


class Cell(NamedTuple):
    """One mode of an operation on a backend: how many tests there are, and reason to samples of those that fail."""

    count: int
    failing: dict[str, list[str]]

    @property
    def failures(self) -> int:
        """How many tests are expected to fail."""
        return sum(map(len, self.failing.values()))


def operations() -> Iterator[tuple[str, list[Op]]]:
    """The title of each family, and its operations."""
    for family in FAMILIES:
        title = re.split(r"[.:,] ?", (family.__doc__ or "").splitlines()[0])[0]
        yield title, sorted((op for op in vars(family).values() if isinstance(op, Op)), key=lambda op: op.name)


@functools.cache
def tests(backend: str) -> dict[tuple[str, str], list[tuple[Row, Any]]]:
    """Test and operation to the rows and cases that pytest runs by default."""
    rows = [row for row in SEVERAL.get(backend, (Row(backend, backend),)) if backend != "cupy" or row.device is None]
    found: dict[tuple[str, str], list[tuple[Row, Any]]] = {}
    for name in {name for mode in MODES for name in mode.tests}:
        for run in runs(getattr(conformance, name), rows):
            found.setdefault((name, run.case.op.name), []).append((run.row, run.case))
    return found


def cell(op: Op, mode: Mode, found: dict[tuple[str, str], list[tuple[Row, Any]]]) -> Cell:
    """Count the tests of a mode, and those that the table of capabilities expects to fail."""
    count, failing = 0, {}
    for test in mode.tests:
        for row, case in found.get((test, op.name), ()):
            if mode.of_complex and not case.is_complex:
                continue
            count += 1
            why = capabilities.reason(row.name, row.backend, op.name, test, case.id)
            if why is not None:
                failing.setdefault(why, []).append(case.id)
    return Cell(count, failing)


def is_zero(op: Op) -> bool:
    """Whether the gradient is zero in all arguments, by decision."""
    return bool(op.partials) and all(partial == 0 for partial in op.partials.values())


def letter(op: Op, mode: Mode, tested: Cell) -> str:
    """A mode in a cell of the table."""
    if not tested.count:
        return "·"
    if tested.failures == tested.count:
        return "-"
    shown = "0" if mode.derivative and is_zero(op) else mode.letter
    return shown + "*" * bool(tested.failures)


def holes(op: Op, cells: dict[str, list[Cell]]) -> list[str]:
    """What is not tested for no reason that is written down, and reasons for what is not missing."""
    found = []
    for mode, *tested in zip(MODES, *cells.values(), strict=True):
        reasons = reasons_for(mode)
        where = [backend for backend, cell in zip(cells, tested, strict=True) if not cell.count]
        if where and op.name not in reasons:
            found.append(f"{op.name} is not tested in mode {mode.letter} on {', '.join(where)}")
        if op.name in reasons and len(where) < len(cells):
            found.append(f"{op.name} is tested in mode {mode.letter}, and there is a reason why it is not")
    return found


def reasons_for(mode: Mode) -> dict[str, str]:
    """Operation to why it has no such mode."""
    return NOT_COMPLEX if mode.of_complex else NO_DERIVATIVE if mode.derivative else {}


def remarks(op: Op, cells: dict[str, list[Cell]]) -> list[str]:
    """Why modes are missing, and what fails."""
    said = [reasons[op.name] for reasons in map(reasons_for, MODES) if op.name in reasons]
    if op.tier != "none":
        zero = [name for name, partial in op.partials.items() if partial == 0]
        if zero:
            said.append(f"zero by decision in {', '.join(zero)}")
        constant = [name for name in op.arrays if name not in op.differentiable]
        if constant:
            said.append(f"no derivative in {', '.join(constant)}")
    if isinstance(op.batch, UnknownShape):
        names = ", ".join(op.arrays[i] for i in op.batch.arguments)
        said.append(f"refused under `vmap` for a batch of {names}: members would differ in shape")
    for backend, found in cells.items():
        failing: dict[str, set[str]] = {}
        for tested in found:
            for why, samples in tested.failing.items():
                failing.setdefault(why, set()).update(samples)
        said += [f"{backend}: {why} ({', '.join(f'`{s}`' for s in sorted(ids))})" for why, ids in failing.items()]
    return list(dict.fromkeys(said))


# -- the page ----------------------------------------------------------------------------------------------------------

INTRODUCTION = """\
# Operations

What agnograd differentiates, and where. Written by `python scripts/operations.py` from the table of operations, the
tests that run for each of them, and the table of what backends cannot do; do not edit.

Each cell says what is tested of an operation on a backend:

| | |
| --- | --- |
| `V` | values, dtypes, shapes and devices, against NumPy |
| `R` | reverse mode, against finite differences, in double and single precision |
| `F` | forward mode, against reverse mode |
| `2` | second derivatives: both modes over both modes |
| `B` | batches under `vmap`, and derivatives in and of it, against a loop |
| `C` | complex numbers, in all of these |
| `0` | a derivative that is zero by decision, and tested to be |
| `·` | there is nothing to test: the remarks say why |
| `*` | but for what the remarks say, with the samples that show it |
| `-` | known to fail, see the remarks |

On CuPy one real and one complex sample of each operation run, and those at edges; elsewhere all do. What an operation
does is told by `python -m agnograd ops`, and by the namespace itself:

```python
>>> import agnograd as ag
>>> xp = ag.namespace("numpy")
>>> x = xp.asarray([3.0, 4.0]).requires_grad_()
>>> xp.linalg.vector_norm(x).backward()
>>> x.grad
tensor([0.6000, 0.8000])

```
"""

DIFFERENCES = """\
## Where a gradient is not PyTorch's

Values and gradients of all these operations are held against PyTorch's in double precision, at the samples of the table
and at edges: ties, zeros, infinities, both sides of branch cuts, singular matrices (`tests/oracle`). They agree but for
the following, where the gradient of the sum is another on purpose.
"""


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines) + "\n"


def page() -> str:
    """The whole page.

    Raises
    ------
    LookupError
        If there is a hole in the table for which no reason is given.
    """
    found = {backend: tests(backend) for backend in BACKENDS}
    parts = [INTRODUCTION]
    unexplained = []
    for title, ops in operations():
        rows = []
        for op in ops:
            cells = {backend: [cell(op, mode, found[backend]) for mode in MODES] for backend in BACKENDS}
            unexplained += holes(op, cells)
            letters = [
                " ".join(letter(op, mode, tested) for mode, tested in zip(MODES, cells[backend], strict=True))
                for backend in BACKENDS
            ]
            rows.append((f"`{op.name}`", *(f"`{cell}`" for cell in letters), "; ".join(remarks(op, cells))))
        parts.append(f"## {title}\n\n{table(('operation', *BACKENDS, 'remarks'), rows)}")
    if unexplained:
        raise LookupError("\n".join(unexplained))
    others = "\n".join(f"- {why}: {', '.join(f'`{name}`' for name in names)}." for why, names in OTHERS.items())
    parts.append(f"## Functions of the standard that are no operations\n\n{others}\n")
    differences = [
        (f"`{name}`", f"`{sample}`", "; ".join(f"`{written(g)}`" for g in deviation.gradients), deviation.reason)
        for (name, sample), deviation in sorted(DEVIATIONS.items())
    ]
    parts.append(DIFFERENCES + "\n" + table(("operation", "arguments", "gradient", "why"), differences))
    return "\n".join(parts)


def written(values: Any) -> str:
    """Numbers in nested lists, with four digits."""
    if isinstance(values, list):
        return f"[{', '.join(map(written, values))}]"
    return f"{values:.4g}"


def main() -> int:
    """Write the page, or compare it."""
    new = page()
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text(encoding="utf-8") != new)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
