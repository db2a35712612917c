"""Tools to test derivatives, and the tests that every operation of the table passes.

`gradcheck` checks a function of yours, `check_grads` does so to any order. `agnograd.testing.conformance` holds the
tests of the table, which a plugin's operations and backends enter by being registered::

    pytest --pyargs agnograd.testing.conformance --agnograd-ops='special.*' --agnograd-backends=numpy,dask
"""

from __future__ import annotations

from agnograd.errors import GradcheckError
from agnograd.testing.check_grads import check_grads
from agnograd.testing.gradcheck import check_first_order, check_second_order, gradcheck
from agnograd.testing.matrix import Row, count_computes, forbid_compute, over_cases, rows
from agnograd.testing.samples import Arguments, Case, build, cases

__all__ = [
    "Arguments",
    "Case",
    "GradcheckError",
    "Row",
    "build",
    "cases",
    "check_first_order",
    "check_grads",
    "check_second_order",
    "count_computes",
    "forbid_compute",
    "gradcheck",
    "over_cases",
    "rows",
]
