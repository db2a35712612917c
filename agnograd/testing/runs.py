"""Which cases, on which rows and in which precisions, a test of the table runs with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agnograd.testing.matrix import DOUBLE, SINGLE, Row, Selection
from agnograd.testing.samples import Case, cases

_SHORT = {DOUBLE: "f8", SINGLE: "f4"}


@dataclass(frozen=True)
class Run:
    """One run of a test that is decorated by `agnograd.testing.over_cases`.

    Attributes
    ----------
    row, case, precision : Row, Case, str
        What the test is given.
    slow : bool
        Whether it is left out unless exhaustive runs are asked for.

    Examples
    --------
    >>> from agnograd.testing import Run, cases, rows
    >>> Run(rows(["numpy"])[0], cases("tanh")[0], "float32").id
    'numpy-tanh-3-f4'
    """

    row: Row
    case: Case
    precision: str
    slow: bool = False

    @property
    def id(self) -> str:
        """Its name."""
        return f"{self.row.name}-{self.case.op.name}-{self.case.id}-{_SHORT[self.precision]}"


def runs(test: Callable[..., Any], rows: Sequence[Row], pattern: str = "*", amount: str | None = None) -> Iterator[Run]:
    """All runs of a test that is decorated by `agnograd.testing.over_cases`.

    Parameters
    ----------
    test : callable
    rows : sequence of Row
    pattern : str
        Which operations, as in a shell; several separated by commas.
    amount : str or None
        ``"all"`` or ``"few"`` samples of each operation. By default few on CuPy, where each new one compiles kernels.
    """
    selection: Selection = test.agnograd_selection  # type: ignore[attr-defined]
    for row in rows:
        if selection.backends is not None and row.backend not in selection.backends:
            continue
        some = {case.key for case in cases(pattern, few=True)}
        chosen = amount or ("few" if row.backend == "cupy" else "all")
        for case in cases(pattern):
            if not selection.keep(case) or (chosen == "few" and case.key not in some):
                continue
            slow = row.backend in selection.slow_on and case.key not in some
            for precision in selection.precisions:
                if precision in row.precisions and (chosen == "all" or precision == DOUBLE):
                    yield Run(row, case, precision, slow)
