"""A machine for programs of many small operations: one loop, compiled once by Numba, that reads them from a table.

A row of the table is an operation: what to do, on how many elements, and, for the result and up to three operands,
where the first element is and how far the next one. Numba compiles the machine when it is first used on a computer and
keeps it; a program needs no compilation of its own.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np  # noqa: TID253 - this module is imported where programs are to run natively

UNARY = (
    *("copy", "negative", "sin", "cos", "tanh", "exp", "log", "sqrt", "square", "abs", "log1p", "expm1", "sinh"),
    *("cosh", "tan", "asin", "acos", "atan", "reciprocal"),
)
BINARY = (
    *("add", "subtract", "multiply", "divide", "pow", "maximum", "minimum", "hypot", "atan2"),
    *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
)
OTHER = ("where", "sum")
CODES = {name: number for number, name in enumerate((*UNARY, *BINARY, *OTHER))}
# op, count, result and its step, then three operands and their steps.
COLUMNS = 10


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _one(op: int, x: float) -> float:
    if op == 0:
        return x
    if op == 1:
        return -x
    if op == 2:
        return math.sin(x)
    if op == 3:
        return math.cos(x)
    if op == 4:
        return math.tanh(x)
    if op == 5:
        return math.exp(x)
    if op == 6:
        return np.log(x)  # type: ignore[no-any-return]
    if op == 7:
        return np.sqrt(x)  # type: ignore[no-any-return]
    if op == 8:
        return x * x
    if op == 9:
        return abs(x)
    if op == 10:
        return np.log1p(x)  # type: ignore[no-any-return]
    if op == 11:
        return math.expm1(x)
    if op == 12:
        return math.sinh(x)
    if op == 13:
        return math.cosh(x)
    if op == 14:
        return math.tan(x)
    if op == 15:
        return np.arcsin(x)  # type: ignore[no-any-return]
    if op == 16:
        return np.arccos(x)  # type: ignore[no-any-return]
    if op == 17:
        return math.atan(x)
    return 1.0 / x


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _two(op: int, x: float, y: float) -> float:
    if op == 4:
        return math.pow(x, y)
    if op == 5:
        return x if x >= y or x != x else y  # noqa: PLR0124
    if op == 6:
        return x if x <= y or x != x else y  # noqa: PLR0124
    if op == 7:
        return math.hypot(x, y)
    if op == 8:
        return math.atan2(x, y)
    if op == 9:
        return 1.0 if x < y else 0.0
    if op == 10:
        return 1.0 if x <= y else 0.0
    if op == 11:
        return 1.0 if x > y else 0.0
    if op == 12:
        return 1.0 if x >= y else 0.0
    if op == 13:
        return 1.0 if x == y else 0.0
    return 1.0 if x != y else 0.0


_FIRST_BINARY, _WHERE, _SUM = CODES["add"], CODES["where"], CODES["sum"]


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def run(table: Any, memory: Any) -> None:
    """Run the rows of a table, in order, on memory."""
    for i in range(table.shape[0]):
        op, n = table[i, 0], table[i, 1]
        o, so = table[i, 2], table[i, 3]
        x, sx = table[i, 4], table[i, 5]
        if op < _FIRST_BINARY:
            if op == 2:
                for k in range(n):
                    memory[o + k * so] = math.sin(memory[x + k * sx])
            elif op == 3:
                for k in range(n):
                    memory[o + k * so] = math.cos(memory[x + k * sx])
            elif op == 4:
                for k in range(n):
                    memory[o + k * so] = math.tanh(memory[x + k * sx])
            else:
                for k in range(n):
                    memory[o + k * so] = _one(op, memory[x + k * sx])
            continue
        if op == _SUM:
            total = 0.0
            for k in range(n):
                total += memory[x + k * sx]
            memory[o] = total
            continue
        y, sy = table[i, 6], table[i, 7]
        if op == _WHERE:
            z, sz = table[i, 8], table[i, 9]
            for k in range(n):
                memory[o + k * so] = memory[y + k * sy] if memory[x + k * sx] != 0.0 else memory[z + k * sz]
            continue
        op -= _FIRST_BINARY
        if op == 0:
            for k in range(n):
                memory[o + k * so] = memory[x + k * sx] + memory[y + k * sy]
        elif op == 1:
            for k in range(n):
                memory[o + k * so] = memory[x + k * sx] - memory[y + k * sy]
        elif op == 2:
            for k in range(n):
                memory[o + k * so] = memory[x + k * sx] * memory[y + k * sy]
        elif op == 3:
            for k in range(n):
                memory[o + k * so] = memory[x + k * sx] / memory[y + k * sy]
        else:
            for k in range(n):
                memory[o + k * so] = _two(op, memory[x + k * sx], memory[y + k * sy])
