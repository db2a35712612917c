"""What of the matrix is known to fail, and what runs only when exhaustive runs are asked for.

JAX compiles each operation anew for each shape and dtype, so that the whole matrix takes hours where it takes NumPy
minutes. By default each operation has its values tested on its first real and complex sample and at its edges, and its
first derivatives on the real one, in double precision; of the special functions a few have.
"""

import gc
import os

# The matrix is of double precision, which JAX has only if it is asked for before anything is computed.
os.environ.setdefault("JAX_ENABLE_X64", "1")
# The operations of agnograd, and those of agnograd-special, which has bodies for JAX's arrays.
os.environ.setdefault("AGNOGRAD_LOAD_PLUGINS", "agnograd-jax,agnograd-special")

# JAX keeps all that it has compiled: three megabytes a test.
KEPT = 400
# Of each kind one: JAX's own, mended, of an integer order, SciPy's, SciPy's of an order.
SPECIAL = {"special.erf", "special.betaln", "special.polygamma", "special.erfcinv", "special.kv"}

tests = 0


def is_quick(test, case, precision):
    if precision != "float64" or (case.op.name.startswith("special.") and case.op.name not in SPECIAL):
        return False
    return test == "test_value" or (test == "test_first_order" and not case.is_complex)


def pytest_agnograd_slow(test, case, precision):
    return not case.few or not is_quick(test, case, precision)


def pytest_agnograd_gap(test, case):
    import capabilities

    return capabilities.reason(case.op.name, test, case.id)


def pytest_runtest_teardown():
    global tests  # noqa: PLW0603 - pytest gives hooks no other place that lasts
    tests += 1
    if tests % KEPT == 0:
        import jax

        jax.clear_caches()
        gc.collect()
