"""What CuPy's elementwise functions compute, in CUDA C++: the code of CuPy itself, for operands of certain dtypes.

A universal function of CuPy has a *loop* for each combination of dtypes, a line of C++. Which one a call takes is
asked of CuPy, so that a fused kernel promotes operands as single calls do.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cupy as cp  # noqa: TID253 - this module is imported for programs on CuPy only
import numpy as np  # noqa: TID253 - CuPy has it

from agnograd.backends import cupy_kernels
from agnograd.compiler.program import Step, Var
from agnograd.core.table import Space

# Dtypes by name, as C++ calls them; half precision is no dtype of the standard, and needs headers of its own.
TYPES = {
    "bool": "bool",
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long",
    "uint64": "unsigned long long",
    "float32": "float",
    "float64": "double",
    "complex64": "complex<float>",
    "complex128": "complex<double>",
}
_NUMBERS = (bool, int, float, complex)
_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}
_WEAK: dict[type, str] = {int: "int64", float: "float64", complex: "complex128"}

# Kernels of `cupy_kernels` that are one expression of their operands, and the dtypes that they are for.
_OWN = {"sign": "fd", "remainder": "fd", "bounded": "fd"}
# What array-api-compat wraps: for whole numbers it returns the operand.
_OF_FLOATS = frozenset(("ceil", "floor", "trunc"))
_ASSIGNMENT = re.compile(r"\s*(\w+) = ([^;={}]*?);?\s*")
_NAME = re.compile(r"[A-Za-z_]\w*")
# Types whose name is one word can be called for a conversion; the others have one in CuPy's headers.
_TYPEDEFS = {name: f"{name}_t" for name, kind in TYPES.items() if " " in kind}


@dataclass(frozen=True)
class Routine:
    """A step in C++.

    Attributes
    ----------
    operands : tuple of str
        Names that the code has for them.
    dtypes : tuple of numpy.dtype
        What operands are converted to.
    result : str
        Name of the result.
    dtype : numpy.dtype
        Of the result.
    code, preamble : str
    types : dict
        Names of types in the code, to dtypes.
    """

    operands: tuple[str, ...]
    dtypes: tuple[Any, ...]
    result: str
    dtype: Any
    code: str
    preamble: str
    types: dict[str, Any]

    def written(self, target: str, operands: Sequence[str]) -> str:
        """The code, with names of its own for the result and the operands, which have the right types."""
        kind = TYPES[self.dtype.name]
        simple = _ASSIGNMENT.fullmatch(self.code)
        if simple and simple[1] == self.result:
            names = dict(zip(self.operands, operands, strict=True))
            names |= {name: _TYPEDEFS.get(dtype.name, TYPES[dtype.name]) for name, dtype in self.types.items()}
            expression = _NAME.sub(lambda m: names.get(m[0], m[0]), simple[2])
            return f"{kind} {target} = {expression};"
        lines = [f"typedef {TYPES[dtype.name]} {name};" for name, dtype in self.types.items()]
        for name, dtype, text in zip(self.operands, self.dtypes, operands, strict=True):
            lines.append(f"{TYPES[dtype.name]} {name} = {text};")
        code = self.code.strip().rstrip(";")
        lines += [f"{kind} {self.result};", f"{code};", f"{target} = {self.result};"]
        return f"{kind} {target}; {{ {' '.join(lines)} }}"


def routine(space: Space, step: Step) -> Routine | None:
    """The code of a step; None where it is not known to be one expression of the elements of its operands."""
    if step.several or any(v.dtype.name not in TYPES for v in (*step.reads, *step.outs)):
        return None
    if step.name == "astype":
        return _cast(step)
    if step.params or not step.reads or any(type(x) is not Var and type(x) not in _NUMBERS for x in step.args):
        return _bounded(step) if step.name == "bounded" else None
    if step.name in space.kernels:
        return _own(step)
    function = getattr(space.module, step.name, None)
    dtypes = tuple([x.dtype if type(x) is Var else type(x) for x in step.args])
    if step.name == "where":
        function, dtypes = _where(), (np.dtype(bool), *dtypes[1:])
    elif step.name in _OF_FLOATS and step.reads[0].dtype.kind == "f":
        function = getattr(cp, step.name)
    if not isinstance(function, cp.ufunc) or function.nin != len(step.args) or function.nout != 1:
        return None
    found = _loop(function, dtypes)
    return found if found is not None and found.dtype == step.out.dtype else None


def _where() -> Any:
    from cupy._sorting import search

    return getattr(search, "_where_ufunc", None)


@functools.lru_cache(10_000)
def _loop(function: Any, given: tuple[Any, ...]) -> Routine | None:
    """The loop for operands of these dtypes, or Python numbers of these types."""
    try:
        dtypes = tuple([np.dtype(_WEAK.get(kind, kind)) for kind in given])
        weak = tuple([kind if kind in _WEAK else False for kind in given])
        if not _adapts(dtypes, weak):
            weak = (False,) * len(weak)
        loop = function._ops._guess_routine_from_in_types(dtypes, weak)
        if loop is None or not isinstance(loop.routine, str):
            return None
        ins, (out,), preamble = tuple(map(np.dtype, loop.in_types)), map(np.dtype, loop.out_types), function._preamble
    except (AttributeError, TypeError, ValueError):
        # These are CuPy's own affairs: where they are otherwise, functions are called one by one.
        return None
    if any(dtype.name not in TYPES for dtype in (*ins, out)) or function._loop_prep:
        return None
    if any(a.kind == "c" and b.kind != "c" for a, b in zip(dtypes, ins, strict=True)):
        return None
    names = tuple([f"in{i}" for i in range(len(ins))])
    types = {f"{name}_type": dtype for name, dtype in zip((*names, "out0"), (*ins, out), strict=True)}
    return Routine(names, ins, "out0", out, loop.routine, preamble, types)


def _adapts(dtypes: Sequence[Any], weak: Sequence[Any]) -> bool:
    """Whether Python's numbers take the dtype of what they meet: not where they are of a higher kind."""
    arrays = [_KINDS[dtype.kind] for dtype, w in zip(dtypes, weak, strict=True) if not w]
    numbers = [_KINDS[dtype.kind] for dtype, w in zip(dtypes, weak, strict=True) if w]
    return bool(numbers and arrays) and max(arrays) >= max(numbers)


def _cast(step: Step) -> Routine | None:
    x = step.args[0]
    if len(step.args) != 2 or any(key != "copy" for key in step.params) or type(x) is not Var:
        return None
    if x.dtype.kind == "c" != step.out.dtype.kind:
        return None
    # The operand's own conversion is all of it.
    return Routine(("in0",), (step.out.dtype,), "out0", step.out.dtype, "out0 = in0", "", {})


def _own(step: Step) -> Routine | None:
    """What agnograd has a kernel of its own for, or, for some dtypes, leaves to CuPy."""
    dtypes = {v.dtype for v in step.reads}
    if step.name == "remainder" and step.out.dtype.kind != "f":
        return _loop(cp.remainder, tuple([x.dtype if type(x) is Var else type(x) for x in step.args]))
    if step.name == "conj" and dtypes <= {np.dtype("complex64"), np.dtype("complex128")}:
        return _loop(cp.conj, (step.reads[0].dtype,))
    if step.name in ("tanh", "expm1") and step.reads[0].dtype.kind == "f":
        return _loop(getattr(cp, step.name), (step.reads[0].dtype,))
    dtype = step.out.dtype
    if step.name not in ("sign", "remainder") or dtype.char not in _OWN[step.name]:
        return None
    if step.name == "remainder" and any(type(x) is not Var and type(x) not in (int, float) for x in step.args):
        return None
    if any(v.dtype.kind not in "fiub" for v in step.reads):
        return None
    return _template(step.name, dtype)


def _bounded(step: Step) -> Routine | None:
    fits = set(step.params) <= {"low", "high"} and len(step.args) == 1 and step.out.dtype.char in _OWN["bounded"]
    return _template("bounded", step.out.dtype) if fits else None


def _template(name: str, dtype: Any) -> Routine:
    inputs, output, code = cupy_kernels.ELEMENTWISE[name]
    names = tuple([part.split()[1] for part in inputs.split(",")])
    return Routine(names, (dtype,) * len(names), output.split()[1], dtype, code, "", {"T": dtype})
