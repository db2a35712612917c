"""What of the tests runs when: in a process where SciPy dispatches, and only if exhaustive runs are asked for."""

import os

import pytest
from agnograd.testing import cases

collect_ignore = [] if os.environ.get("SCIPY_ARRAY_API") == "1" else ["dispatched.py"]


def pytest_collection_modifyitems(items):
    # Rules do not know the backend: that they run there at all shows in a few samples of each operation.
    few = {case.key for case in cases("special.*", few=True)}
    for item in items:
        params = getattr(item, "callspec", None) and item.callspec.params
        if params and "agnograd_case" in params:
            row, case = params["agnograd_row"], params["agnograd_case"]
            if row.backend != "numpy" and case.key not in few:
                item.add_marker(pytest.mark.slow)
