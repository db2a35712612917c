"""The tests of the table one after another, without pytest: what `python -m agnograd check` shows.

A failure is an outcome here, not the end, and what the table of capabilities names is known.
"""

from __future__ import annotations

import importlib.util
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from agnograd.testing import capabilities
from agnograd.testing.matrix import Row
from agnograd.testing.runs import Run, runs
from agnograd.testing.samples import cases

Test = Callable[..., Any]

# What an outcome may be. A surprise is a known limit that does not show here.
PASSED, FAILED, KNOWN, SURPRISE = VERDICTS = ("passed", "failed", "known", "surprise")

# Warnings about how a library is called in its next release: they concern agnograd's developers, on any machine.
_ABOUT_LATER = (DeprecationWarning, FutureWarning, ImportWarning, PendingDeprecationWarning, ResourceWarning)


@dataclass(frozen=True)
class Check:
    """One test of one operation that is going to run.

    Attributes
    ----------
    test : callable
    run : Run
        What it is given.
    """

    test: Test
    run: Run

    @property
    def id(self) -> str:
        """Its name, as pytest would show it."""
        return f"{self.test.__name__}[{self.run.id}]"


@dataclass(frozen=True)
class Outcome:
    """What became of a check.

    Attributes
    ----------
    check : Check
    verdict : str
        One of `VERDICTS`.
    seconds : float
    reason : str
        Of a known limit, or of a surprise.
    error : Exception or None
    """

    check: Check
    verdict: str
    seconds: float
    reason: str = ""
    error: Exception | None = None

    @property
    def text(self) -> str:
        """The error in one line; of an assertion that says nothing, its source."""
        if self.error is None:
            return ""
        said = " ".join(str(self.error).split())
        if not said:
            frame = traceback.extract_tb(self.error.__traceback__)[-1]
            said = f"{frame.line} ({Path(frame.filename).name}:{frame.lineno})"
        return f"{type(self.error).__name__}: {said}"

    @property
    def trace(self) -> str:
        """The whole traceback, with paths below the package instead of the machine's."""
        if self.error is None:
            return ""
        text = "".join(traceback.format_exception(self.error))
        return text.replace(str(Path(__file__).parents[2]), "...")


def planned(rows: Sequence[Row], pattern: str = "*", samples: str = "few") -> list[Check]:
    """All checks of some operations on some rows of the matrix.

    Parameters
    ----------
    rows : sequence of Row
    pattern : str
        Which operations, as in a shell; several separated by commas.
    samples : str
        ``"few"`` of each operation, or ``"all"`` of them, exhaustive runs included.

    Returns
    -------
    list of Check
        Row by row and operation by operation.

    Examples
    --------
    >>> from agnograd.testing import rows
    >>> from agnograd.testing.outcomes import outcome, planned
    >>> {outcome(check).verdict for check in planned(rows(["numpy"]), "tanh")}
    {'passed'}
    """
    from agnograd.testing import conformance

    tests = [test for name, test in vars(conformance).items() if name.startswith("test_")]
    if importlib.util.find_spec("array_api_strict") is None:
        tests.remove(conformance.test_names)  # which names there are is what array-api-strict tells it
    # Few samples, but in each precision: single precision is what GPUs are used for.
    few = None if samples == "all" else {case.key for case in cases(pattern, few=True)}
    checks = [
        Check(test, run)
        for test in tests
        for run in runs(test, rows, pattern, "all")
        if few is None or run.case.key in few
    ]
    places = {row.name: i for i, row in enumerate(rows)}
    return sorted(checks, key=lambda check: (places[check.run.row.name], check.run.case.op.name))


def outcome(check: Check) -> Outcome:
    """Run a check."""
    run = check.run
    reason = capabilities.reason(run.row.name, run.row.backend, run.case.op.name, check.test.__name__, run.case.id)
    start = perf_counter()
    error = failure(check.test, run, lenient=True)
    seconds = perf_counter() - start
    if error is not None:
        return Outcome(check, FAILED if reason is None else KNOWN, seconds, reason or "", error)
    return Outcome(check, PASSED if reason is None else SURPRISE, seconds, reason or "")


def outcomes(checks: Sequence[Check]) -> Iterator[Outcome]:
    """Run checks one after another."""
    return map(outcome, checks)


def failure(test: Test, run: Run, *, lenient: bool = False) -> Exception | None:
    """What a test raises; a warning is a failure, as it is in the tests of agnograd.

    Parameters
    ----------
    test : callable
    run : Run
    lenient : bool
        Pass over warnings about what a library will do in its next release.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if lenient:
            for category in _ABOUT_LATER:
                warnings.simplefilter("ignore", category)
        try:
            test(agnograd_row=run.row, agnograd_case=run.case, agnograd_precision=run.precision)
        except Exception as error:
            return error
    return None
