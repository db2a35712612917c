"""The tests that every operation of agnograd passes, on onnxruntime. What fails stands in capabilities.py."""

import capabilities
from agnograd.testing import cases, conformance
from agnograd.testing.conformance import (
    test_backward,
    test_batched,
    test_batched_derivatives,
    test_batched_twice,
    test_edge,
    test_first_order,
    test_no_gradient,
    test_second_order,
    test_single_precision,
    test_value,
)

__all__ = [
    "test_backward",
    "test_batched",
    "test_batched_derivatives",
    "test_batched_twice",
    "test_edge",
    "test_first_order",
    "test_no_gradient",
    "test_second_order",
    "test_single_precision",
    "test_value",
]


def test_all_tests_of_conformance_run_here():
    # That rules use names of the standard only is tested once, on NumPy.
    assert {name for name in dir(conformance) if name.startswith("test_")} == {*__all__, "test_names"}


def test_capabilities_name_what_exists():
    for op in capabilities.OPERATIONS:
        assert cases(op)
    for op, test, part in capabilities.GAPS:
        assert test in {"", *__all__}
        assert any(part in case.id for case in cases(op))
