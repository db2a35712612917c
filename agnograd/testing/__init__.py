"""Tools to test derivatives, and the tests that every operation of the table passes.

`gradcheck` checks a function of yours, `check_grads` does so to any order. `check_op` checks an operation,
`assert_plugin` a plugin. What these do in one call, `agnograd.testing.conformance` does test by test: it holds the
tests of the table, which a plugin's operations and backends enter by being registered::

    pytest --pyargs agnograd.testing.conformance --agnograd-ops='special.*' --agnograd-backends=numpy,dask

What a library cannot do, the tests of a plugin say in the hook ``pytest_agnograd_gap`` (see `pytest_agnograd`), run by
run and each with a reason. What rules must not do on its backend, look at values say, they make fail by a context in
`GUARDS`.
"""

from __future__ import annotations

from agnograd.errors import ConformanceError, GradcheckError
from agnograd.testing.check_grads import check_grads
from agnograd.testing.gradcheck import check_first_order, check_second_order, gradcheck
from agnograd.testing.matrix import GUARDS, Row, count_computes, forbid_compute, over_cases, rows
from agnograd.testing.plugin_checks import assert_plugin, check_op
from agnograd.testing.runs import Run, runs
from agnograd.testing.samples import Arguments, Case, build, cases

__all__ = [
    "GUARDS",
    "Arguments",
    "Case",
    "ConformanceError",
    "GradcheckError",
    "Row",
    "Run",
    "assert_plugin",
    "build",
    "cases",
    "check_first_order",
    "check_grads",
    "check_op",
    "check_second_order",
    "count_computes",
    "forbid_compute",
    "gradcheck",
    "over_cases",
    "rows",
    "runs",
]
