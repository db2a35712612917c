"""Third-party functions on tensors: right values and derivatives, or a refusal that the table of gaps knows.

A third of the cases run always, all of them with ``-m "slow or not slow"``.
"""

from __future__ import annotations

from contextlib import nullcontext
from importlib.util import find_spec

import pytest
from clients.check import RefusedError, check, check_second
from clients.gaps import CLOSED, CONSTANT, FIRST_ORDER, GAPS, gap_of
from clients.page import PAGE, render
from clients.tables import CASES

SPECIAL = find_spec("agnograd_special") is not None


def parameters():
    for i, case in enumerate(CASES):
        yield pytest.param(case, id=f"{case.client}-{case.name}", marks=() if i % 3 == 0 else pytest.mark.slow)


@pytest.mark.parametrize("case", list(parameters()))
def test_the_derivative_is_that_of_finite_differences_or_the_call_refuses(case):
    gap = gap_of(case, SPECIAL)
    if gap is None:
        assert check(case) is ((case.client, case.name) not in CONSTANT)
        return
    with pytest.raises(RefusedError, match=f"^({gap.error}):"):
        check(case)


WORKING = [case for case in CASES if gap_of(case, SPECIAL) is None and (case.client, case.name) not in CONSTANT]


@pytest.mark.slow
@pytest.mark.parametrize("case", WORKING, ids=lambda case: f"{case.client}-{case.name}")
def test_the_second_derivative_is_that_of_differences_of_the_first(case):
    with pytest.raises(AssertionError) if (case.client, case.name) in FIRST_ORDER else nullcontext():
        check_second(case)


def test_scipy_dispatches():
    from scipy._lib._array_api import SCIPY_ARRAY_API

    assert SCIPY_ARRAY_API, "something imported SciPy before tests/conftest.py set the environment"


def test_every_gap_belongs_to_a_case():
    assert not {*GAPS, *CONSTANT, *FIRST_ORDER} - {(case.client, case.name) for case in CASES}
    assert not {*CLOSED} - {*GAPS}


@pytest.mark.parametrize(("client", "least"), [("SciPy", 265), ("scikit-learn", 60), ("array-api-extra", 45)])
def test_the_tables_hold_as_much_as_they_promise(client, least):
    assert sum(case.client == client and gap_of(case) is None for case in CASES) >= least


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == render(), "run python scripts/try_clients.py --write"
