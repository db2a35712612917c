"""The marks of the matrix: what is known to fail, and what runs only when exhaustive runs are asked for.

Composites are made of operations that agnograd and agnograd-special test everywhere, and rules do not know the backend:
that all runs there shows in a few samples.
"""

import pytest

# What runs beside NumPy: on array-api-strict, on its further devices, and on dask, whose graphs take long to make.
ELSEWHERE = {
    "strict": {"test_value", "test_first_order", "test_backward", "test_batched"},
    "devices": {"test_first_order", "test_single_precision"},
    "dask": {"test_value", "test_first_order"},
}
BATCHED = {"test_batched_twice", "test_batched_derivatives"}


def is_slow(row, case, test, few):
    if row.backend == "numpy":
        return case.op.name.startswith("scipy.stats.") and (case.key not in few or test in BATCHED)
    large = row.backend == "dask" and not case.op.name.startswith(("scipy.linalg.", "scipy.sparse.", "scipy.signal."))
    large = large and test != "test_value"
    return large or case.key not in few or test not in ELSEWHERE["devices" if row.device else row.backend]


def pytest_collection_modifyitems(items):
    import capabilities
    from agnograd.testing import cases

    few = {case.key for case in cases("scipy.*", few=True)}
    for item in items:
        params = getattr(item, "callspec", None) and item.callspec.params
        if params and "agnograd_case" in params:
            row, case, test = params["agnograd_row"], params["agnograd_case"], item.originalname
            if is_slow(row, case, test, few):
                item.add_marker(pytest.mark.slow)
            why = capabilities.reason(row.backend, case.op.name, test, case.id)
            if why is not None:
                item.add_marker(pytest.mark.xfail(reason=why, strict=True))
