"""The tables that NumPy's functions are found in, and what many of them need."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from agnograd.core.op import Op
from agnograd.core.table import OPS, lookup

Function = Callable[..., Any]

# Functions with a derivative, and functions whose results have none: indices, truth values, shapes.
FUNCTIONS: dict[str, Function] = {}
CONSTANTS: dict[str, Function] = {}


def named(*names: str, table: dict[str, Function] = FUNCTIONS) -> Callable[[Function], Function]:
    """Register a function under NumPy's names of it."""

    def register(function: Function) -> Function:
        table.update(dict.fromkeys(names, function))
        return function

    return register


constant: Callable[..., Callable[[Function], Function]] = functools.partial(named, table=CONSTANTS)


def as_array(xp: Any, x: Any) -> Any:
    """An array as it is; anything else, numbers and sequences of them or of tensors, as a tensor."""
    return x if hasattr(x, "dtype") else xp.asarray(x)


def flat(xp: Any, x: Any) -> Any:
    """The elements along one axis."""
    return xp.reshape(as_array(xp, x), (-1,))


def given(**params: Any) -> dict[str, Any]:
    """Parameters that are not left at None, NumPy's word for a default."""
    return {name: value for name, value in params.items() if value is not None}


def cast(xp: Any, x: Any, dtype: Any) -> Any:
    """The array in a dtype, if one is given."""
    return x if dtype is None else xp.astype(x, dtype)


def masked(xp: Any, a: Any, where: Any, neutral: Any) -> Any:
    """The array with an element that adds nothing where NumPy's ``where=`` leaves one out."""
    a = as_array(xp, a)
    return a if where is None or where is True else xp.where(where, a, neutral)


def by_name(name: str) -> Function | None:
    """The operation of the table that has NumPy's name and, parameter by parameter, NumPy's signature."""
    # SciPy's special functions are a plugin's.
    op = lookup(name) if name.startswith("special.") else OPS.get(name)
    return None if op is None else _of_op(op)


@functools.lru_cache(maxsize=512)
def _of_op(op: Op) -> Function:
    def function(xp: Any, *args: Any, **options: Any) -> Any:
        if not set(options) <= set(op.statics):
            raise NotImplementedError
        arrays, rest = args[: len(op.arrays)], args[len(op.arrays) :]
        return op.call(*(as_array(xp, x) for x in arrays), *rest, **given(**options))

    return function
