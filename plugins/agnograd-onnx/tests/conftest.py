"""What of the matrix is known to fail, and what runs only when exhaustive runs are asked for.

A model is built and run for every value that a test looks at, so that the whole matrix takes an hour where it takes
NumPy minutes. By default each operation has the tests of `ALWAYS`, on its first real sample and at its edges: values,
and derivatives in both modes held against NumPy's.
"""

import contextlib
import os
from unittest import mock

# Operations of other plugins that are installed have no bodies for this backend.
os.environ.setdefault("AGNOGRAD_LOAD_PLUGINS", "agnograd-onnx")

ALWAYS = {("test_value", "float64"), ("test_edge", "float64"), ("test_single_precision", "float32")}


@contextlib.contextmanager
def nothing_looks_at_values():
    """What rules run under: a value that is asked for is an error, though it could be computed here."""
    with mock.patch("agnograd_onnx.deferred.values", side_effect=AssertionError("a rule looked at a value")):
        yield


def pytest_configure():
    from agnograd.testing import GUARDS

    GUARDS["onnx"] = nothing_looks_at_values


def pytest_agnograd_slow(test, case, precision):
    return not case.few or (test, precision) not in ALWAYS


def pytest_agnograd_gap(test, case):
    import capabilities

    return capabilities.reason(case, test)
