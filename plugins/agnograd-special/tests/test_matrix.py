"""The tests that every operation of agnograd passes, on this plugin's operations. CuPy has them in test_cupy.py."""

from agnograd.testing.conformance import (
    test_backward,
    test_batched,
    test_batched_derivatives,
    test_batched_twice,
    test_edge,
    test_first_order,
    test_names,
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
    "test_names",
    "test_no_gradient",
    "test_second_order",
    "test_single_precision",
    "test_value",
]
