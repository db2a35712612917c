"""The matrix: every operation of the table on every backend. What is known to fail stands in capabilities.py."""

import capabilities
import pytest

from agnograd.testing import cases, conformance
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
from agnograd.testing.matrix import SEVERAL

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


def test_all_tests_of_conformance_run_here():
    assert {name for name in dir(conformance) if name.startswith("test_")} == set(__all__)


KEYS = [key for key in capabilities.GAPS if not key.op.startswith(capabilities.PLUGINS) or cases(key.op)]


@pytest.mark.parametrize("key", KEYS, ids="-".join)
def test_capabilities_name_what_exists(key):
    assert key.backend in {"numpy", "dask", *SEVERAL, *(row.name for several in SEVERAL.values() for row in several)}
    samples = {case.id for case in cases(key.op)}
    assert samples
    assert key.test in {"", *__all__}
    assert key.sample in {"", *samples}
