"""Makes the calls of ``array_api_calls`` on two libraries and compares.

``python -m cupy_cpu.conformance``, from the folder tests/, compares the emulated CuPy with NumPy,
and the strict device with CuPy in what makes the host wait.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

import numpy as np

import cupy_cpu
from cupy_cpu import UNSUPPORTED, Counts, array_api_calls, strict_device


def evaluate(call: str, xp: ModuleType, arrays: dict[str, Any]) -> list[Any]:
    """Make one call; return its results in a flat list."""
    result = eval(call, {**vars(array_api_calls), "xp": xp, **arrays})
    return list(result) if isinstance(result, (tuple, list)) else [result]


def disagreement(got: list[Any], expected: list[Any]) -> str | None:
    """Say how results differ from NumPy's, or None."""
    if len(got) != len(expected):
        return f"{len(got)} results, not {len(expected)}"
    for array, reference in zip(got, expected, strict=True):
        one = array.get() if hasattr(array, "get") else np.asarray(array)
        other = np.asarray(reference)
        if (one.shape, one.dtype) != (other.shape, other.dtype):
            return f"{one.shape} {one.dtype}, not {other.shape} {other.dtype}"
        tolerance = 1e-5 if one.dtype in (np.float32, np.complex64) else 1e-9
        if not np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True):
            return f"{one}, not {other}"
    return None


def disagreements(xp: ModuleType, reference: ModuleType) -> dict[str, str]:
    """Make every call on both libraries.

    Returns
    -------
    dict of str to str
        What differs, or what was raised, by call.
    """
    arrays, expected = array_api_calls.operands(xp), array_api_calls.operands(reference)
    found: dict[str, str] = {}
    for call in array_api_calls.calls():
        try:
            reason = disagreement(evaluate(call, xp, arrays), evaluate(call, reference, expected))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if reason is not None:
            found[call] = reason
    return found


def synchronising(
    xp: ModuleType, counting: Callable[[], AbstractContextManager[Counts]]
) -> set[str]:
    """Return the calls that make the host wait for the device."""
    arrays = array_api_calls.operands(xp)
    found: set[str] = set()
    for call in array_api_calls.calls():
        if call not in array_api_calls.REFUSED:
            with counting() as counts:
                evaluate(call, xp, arrays)
            if counts.synchronisations:
                found.add(call)
    return found


def main() -> int:
    """Compare, print what differs, and return an exit status."""
    reason = cupy_cpu.unsupported()
    if reason is not None:
        print(reason)
        return UNSUPPORTED
    cupy_cpu.install()
    import array_api_compat.cupy as xp
    import array_api_compat.numpy as reference

    found = disagreements(xp, reference)
    for call, difference in found.items():
        print(f"{call}: {difference}")
    total = len(list(array_api_calls.calls()))
    print(f"{total - len(found)} of {total} calls agree with NumPy")

    waiting = synchronising(xp, cupy_cpu.counting)
    print(f"{len(waiting)} calls make the host wait")
    strict = synchronising(strict_device.xp, strict_device.counting)
    for call in waiting ^ strict:
        print(f"{call}: waits on {'CuPy' if call in waiting else 'the strict device'} alone")
    cupy_cpu.check_errors()
    return 0 if set(found) == array_api_calls.REFUSED and waiting == strict else 1


if __name__ == "__main__":
    cupy_cpu.exit(main())
