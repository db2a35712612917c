"""The marks of the matrix: what is known to fail, and what runs only when exhaustive runs are asked for.

JAX compiles each operation anew for each shape and dtype, so that the whole matrix takes hours where it takes NumPy
minutes. By default each operation has its values tested on its first real and complex sample and at its edges, and its
first derivatives on the real one, in double precision.
"""

import os

import pytest

# The matrix is of double precision, which JAX has only if it is asked for before anything is computed.
os.environ.setdefault("JAX_ENABLE_X64", "1")
# Operations of other plugins that are installed have no bodies for this backend.
os.environ.setdefault("AGNOGRAD_LOAD_PLUGINS", "agnograd-jax")


def is_quick(test, case, precision):
    if precision != "float64":
        return False
    return test == "test_value" or (test == "test_first_order" and not case.is_complex)


def pytest_collection_modifyitems(items):
    import capabilities
    from agnograd.testing import cases

    few = {case.key for case in cases(few=True)}
    for item in items:
        params = getattr(item, "callspec", None) and item.callspec.params
        if params and "agnograd_case" in params:
            case, precision = params["agnograd_case"], params["agnograd_precision"]
            if case.key not in few or not is_quick(item.originalname, case, precision):
                item.add_marker(pytest.mark.slow)
            why = capabilities.reason(case.op.name, item.originalname, case.id)
            if why is not None:
                item.add_marker(pytest.mark.xfail(reason=why, strict=True))
