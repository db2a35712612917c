"""What of the tests runs when: in a process where SciPy dispatches, and only if exhaustive runs are asked for.

By default every operation has all tests with all its samples on NumPy. Rules do not know the backend: that they run
elsewhere too, on which dtype and device results are, and that dask computes nothing shows in a few samples of each
operation. The whole matrix: ``python -m pytest -n auto -m "slow or not slow"``.
"""

import os

collect_ignore = [] if os.environ.get("SCIPY_ARRAY_API") == "1" else ["dispatched.py"]

# What runs beside NumPy: on array-api-strict, on its further devices, and on dask, whose graphs take long to make.
ELSEWHERE = {
    "strict": {"test_value", "test_first_order", "test_no_gradient"},
    "devices": {"test_value", "test_single_precision"},
    "dask": {"test_value", "test_first_order", "test_no_gradient"},
}


def pytest_agnograd_slow(test, row, case):
    if row.backend == "numpy":
        return False
    return not case.few or test not in ELSEWHERE["devices" if row.device else row.backend]
