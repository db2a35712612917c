"""What of the matrix is known to fail, and what runs only when exhaustive runs are asked for.

Composites are made of operations that agnograd and agnograd-special test everywhere, and rules do not know the backend:
that all runs there shows in a few samples.
"""

# What runs beside NumPy: on array-api-strict, on its further devices, and on dask, whose graphs take long to make.
ELSEWHERE = {
    "strict": {"test_value", "test_first_order", "test_backward", "test_batched"},
    "devices": {"test_first_order", "test_single_precision"},
    "dask": {"test_value", "test_first_order"},
}
BATCHED = {"test_batched_twice", "test_batched_derivatives"}


def is_slow(row, case, test):
    if row.backend == "numpy":
        return case.op.name.startswith("scipy.stats.") and (not case.few or test in BATCHED)
    large = row.backend == "dask" and not case.op.name.startswith(("scipy.linalg.", "scipy.sparse.", "scipy.signal."))
    large = large and test != "test_value"
    return large or not case.few or test not in ELSEWHERE["devices" if row.device else row.backend]


def pytest_agnograd_slow(test, row, case):
    return is_slow(row, case, test)


def pytest_agnograd_gap(test, row, case):
    import capabilities

    return capabilities.reason(row.backend, case.op.name, test, case.id)
