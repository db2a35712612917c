"""The matrix: every operation of the table on every backend. What is known to fail stands in capabilities.py."""

import agnograd
import capabilities
import pytest
from agnograd.testing import cases, conformance
from agnograd.testing.conformance import (
    test_backward,
    test_edge,
    test_first_order,
    test_names,
    test_no_gradient,
    test_second_order,
    test_single_precision,
    test_value,
)

__all__ = [name for name in dir(conformance) if name.startswith("test_")]


def test_all_tests_of_conformance_run_here():
    assert set(__all__) <= set(globals())


@pytest.mark.parametrize("key", capabilities.GAPS, ids=str)
def test_capabilities_name_what_exists(key):
    backend, op, detail = key
    assert backend in {"numpy", "dask", "strict", "cupy", *capabilities.ROWS}
    ids = {case.id for case in cases(op)}
    assert ids
    test, _, case = detail.partition(" ")
    assert not test or test in __all__
    assert not case or case in ids
