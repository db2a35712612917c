"""What of the matrix is known to fail, and what runs only when exhaustive runs are asked for."""

import os

# The operations of agnograd, and those of agnograd-special, which has bodies for PyTorch's tensors.
os.environ.setdefault("AGNOGRAD_LOAD_PLUGINS", "agnograd-torch,agnograd-special")


def pytest_agnograd_slow(test, case):
    # The rules of special functions are tested where they are written: that they run here shows in less.
    special = case.op.name.startswith("special.")
    return not case.few or (special and test not in {"test_value", "test_first_order", "test_single_precision"})


def pytest_agnograd_gap(test, case):
    import capabilities

    return capabilities.reason(case.op.name, test, case.id)
