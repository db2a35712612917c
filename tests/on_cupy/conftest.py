"""Tests of CuPy alone, in CuPy's process: test_cupy_column.py starts it where CuPy is one of several backends."""


def pytest_ignore_collect(config):
    return None if config.getoption("agnograd_backends") == "cupy" else True
