"""Fills, arrays with one value everywhere, and constant folding on them: they are numbers, as long as possible.

A cotangent starts as ones, and rules multiply by it. A fill in an elementwise operation becomes a Python number where
that changes neither shape nor dtype of the result; what is done to fills alone is done once, here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agnograd.compiler.passes.rewriting import Rewriting
from agnograd.compiler.program import Program, Step, Var, name_of, substitute
from agnograd.compiler.shapes import function_of, is_elementwise
from agnograd.core.formulas import broadcast_shapes
from agnograd.core.table import Space

_VALUES = {"zeros": 0, "ones": 1, "zeros_like": 0, "ones_like": 1}
_MOVED = frozenset(
    (
        *("reshape", "permute_dims", "expand_dims", "squeeze", "moveaxis", "flip", "matrix_transpose", "broadcast_to"),
        *("copy", "roll"),
    )
)
# Where an operand may be a Python number.
_NUMBERS = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "maximum", "minimum", "pow", "where", "equal", "not_equal", "less"),
        *("less_equal", "greater", "greater_equal", "remainder", "floor_divide", "hypot", "atan2"),
    )
)
# What has no number in Python.
_EXACT = (bool, int, float, complex)


def run(program: Program) -> Program:
    """The program with numbers in the place of fills."""
    rewriting = Rewriting(program)
    space = program.space
    fills: dict[Var, Any] = {}
    for v, x in program.constants.items():
        if v.shape == () and not getattr(space.backend, "lazy", False):
            value = space.backend.to_scalar(x)
            if type(value) in _EXACT:
                fills[v] = value
    made: dict[Var, Any] = {}
    for step in rewriting.current():
        if _is_made(space, step, made):
            try:
                made[step.out] = function_of(space, step.name)(*_filled(step.args, made), **_filled(step.params, made))
                continue
            except Exception:
                made.pop(step.out, None)  # it is left to run time
        value = _value(space, step, fills)
        if value is not None:
            out = step.out
            fills[out] = value
            step = Step("full", (out.shape, value), {"dtype": out.dtype, "device": out.device}, (out,))
        elif step.name in _NUMBERS and not fills.keys().isdisjoint(step.reads):
            step = _with_numbers(step, fills)
        rewriting.keep(step)
    written = rewriting.program()
    return replace(written, constants={**written.constants, **made})


# Arrays that are the same in each run; larger ones would be kept for long.
_MADE = frozenset(("arange", "eye", "linspace", "fft.fftfreq", "fft.rfftfreq"))
_FROM_THEM = frozenset(("tril", "triu", "astype", "getitem", *_MOVED))
_MOST = 1 << 17


def _is_made(space: Space, step: Step, made: dict[Var, Any]) -> bool:
    """Whether a step gives the same array in each run, without an input."""
    if not step.reads:
        fitting = step.name in _MADE
    else:
        fitting = made.keys() >= set(step.reads) and (step.name in _FROM_THEM or is_elementwise(step.name))
    return fitting and not (step.several or step.out.size > _MOST or getattr(space.backend, "lazy", False))


def _filled(value: Any, made: dict[Var, Any]) -> Any:
    return substitute(value, made.__getitem__)


def _value(space: Space, step: Step, fills: dict[Var, Any]) -> Any:
    """The number of which the result of a step consists; None where there is none."""
    name = step.name
    if step.several:
        return None
    if name in _VALUES:
        return _typed(space, _VALUES[name], step.out)
    if name in ("full", "full_like"):
        number = step.args[1] if len(step.args) > 1 else step.params.get("fill_value")
        return _typed(space, number, step.out) if type(number) in _EXACT else None
    if not step.reads or not fills.keys() >= set(step.reads) or getattr(space.backend, "lazy", False):
        return None
    if name in _MOVED or name == "getitem":
        return fills[step.reads[0]] if len(step.reads) == 1 else None
    if is_elementwise(name):
        return _computed(space, step, fills)
    return None


def _typed(space: Space, number: Any, out: Var) -> Any:
    if space.isdtype(out.dtype, "bool"):
        return bool(number)
    if space.isdtype(out.dtype, "integral"):
        return int(number)
    if space.isdtype(out.dtype, "real floating"):
        return None if isinstance(number, complex) else float(number)
    return complex(number)


def _computed(space: Space, step: Step, fills: dict[Var, Any]) -> Any:
    import numpy as np

    def scalar(v: Var) -> Any:
        return space.full((), fills[v], dtype=v.dtype, device=v.device)

    single = step.replaced(scalar)
    try:
        with np.errstate(all="ignore"):
            ans = function_of(space, step.name)(*single.args, **single.params)
        value = space.backend.to_scalar(ans)
    except Exception:
        return None  # it is left to run time
    return value if type(value) in _EXACT and ans.dtype == step.out.dtype else None


def _with_numbers(step: Step, fills: dict[Var, Any]) -> Step:
    arrays = [v for v in step.args if type(v) is Var]
    rest = [v for v in arrays if v not in fills]
    first = step.args[0] if step.name == "where" else None
    if not rest or first in fills or (step.name == "where" and len(rest) < 2):
        return step
    shapes = {v.shape for v in rest}
    shape = next(iter(shapes)) if len(shapes) == 1 else broadcast_shapes(*shapes)
    # A number takes the dtype of the array that it meets.
    met = {name_of(v.dtype) for v in rest if v is not first}
    fitting = (
        tuple(shape) == step.out.shape and len(met) == 1 and all(name_of(v.dtype) in met for v in arrays if v in fills)
    )
    if not fitting:
        return step
    args = [fills[v] if type(v) is Var and v in fills else v for v in step.args]
    return Step(step.name, args, step.params, step.outs)
