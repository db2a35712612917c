"""CuPy's generator: elementwise steps in groups, each one kernel, and all other calls as they are.

A kernel reads its arrays once and writes once what others need. Values are those of single calls: operands are
promoted as CuPy promotes them, each result is rounded to its dtype, and the compiler is told not to merge a product
and a sum into one operation. Nothing waits for the device.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import cupy as cp  # noqa: TID253 - this module is imported for programs on CuPy only
import numpy as np  # noqa: TID253 - CuPy has it

from agnograd.compiler import cupy_numbers, cupy_routines
from agnograd.compiler.cupy_reductions import Reduction, reductions
from agnograd.compiler.cupy_reductions import source as source_of
from agnograd.compiler.cupy_routines import TYPES, Routine
from agnograd.compiler.fusion import Group, Limits, fused
from agnograd.compiler.liveness import WRITES, Liveness
from agnograd.compiler.program import Program, Step, Var
from agnograd.compiler.source import Code, Kernel, compiled, plain
from agnograd.core.formulas import broadcast_shapes
from agnograd.core.table import Space

# Bytes of arguments that CUDA allows for a kernel, on all devices and with all versions, less some for numbers.
_ARGUMENTS = 4096 - 256
# Steps of one kernel: what CUDA's compiler takes for it grows with them.
_STEPS = 128
# Functions that take the time of few operations.
_CHEAP = frozenset(
    (
        *("add", "subtract", "multiply", "negative", "square", "abs", "where", "maximum", "minimum", "astype", "sign"),
        *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isnan", "isfinite", "isinf"),
        *("logical_and", "logical_or", "logical_not", "logical_xor", "conj", "positive", "bounded", "divide"),
    )
)
_PARTS = {"real": "real", "imag": "imag"}


def most_arguments(ndim: int) -> int:
    """How many arrays a kernel may have: each is a pointer and a size, and for each axis a size and a stride."""
    return (_ARGUMENTS - 16 * (ndim + 1)) // (16 * (ndim + 1))


def generate(program: Program) -> Code:
    """The code of a program."""
    space = program.space
    routines: dict[int, Routine] = {}

    def fits(step: Step) -> bool:
        if _spreads(step):
            return True
        if not step.several and all(math.prod(v.shape) for v in step.outs):
            found = cupy_routines.routine(space, step)
            if found is not None:
                routines[id(step)] = found
        return id(step) in routines

    program, groups = fused(
        program,
        fits,
        spreads=_spreads,
        cheap=lambda step: step.name in _CHEAP,
        limits=Limits(_STEPS, most_arguments),
    )
    program = _with_constants(program)
    program, sums, groups = reductions(
        program,
        groups,
        lambda step: id(step) in routines,
        lambda group, name: _Writer(group, routines).function(name),
    )
    program, numbers = cupy_numbers.joined(program)
    kernels: dict[int, Kernel] = {}
    for step in program.steps:
        name = f"kernel{len(kernels)}"
        if id(step) in numbers:
            text = f"# {name}: zeros with {len(step.args)} numbers added\n"
            kernels[id(step)] = Kernel(name, text, {name: numbers[id(step)]}, [])
        if id(step) in groups:
            kernels[id(step)] = _Writer(groups[id(step)], routines).kernel(name, space)
        elif id(step) in sums:
            kernels[id(step)] = _reduction(name, sums[id(step)], step, space)
    notes = [f"{len(group.steps)} elementwise steps on {group.shape} in one kernel" for group in groups.values()]
    notes += [
        f"{found.steps} steps around a sum over {found.step.args[0].shape} in one kernel" for found in sums.values()
    ]
    return plain(program, kernels, notes)


def _reduction(name: str, reduction: Reduction, step: Step, space: Space) -> Kernel:
    operands = [f"{v.dtype.name} p{i}" for i, v in enumerate(step.args)]
    text, more = source_of(name, reduction, operands)
    return Kernel(name, text, {"ReductionKernel": _maker(space, cp.ReductionKernel)}, more)


def kernel_of(program: Program, outs: Sequence[Var]) -> tuple[Callable[..., Any], list[Var]] | None:
    """One kernel for all of a program, and the arrays that it is called with.

    None where a step is not elementwise, where there are too many, or where the kernel would be one call or less.
    """
    routines: dict[int, Routine] = {}
    for step in program.steps:
        if not _spreads(step):
            found = cupy_routines.routine(program.space, step)
            if found is None:
                return None
            routines[id(step)] = found
    if not outs or len(program.steps) > _STEPS or len(routines) < 2:
        return None
    shape = outs[0].shape
    inside = {v for step in program.steps for v in step.outs}
    reads = list(dict.fromkeys(v for step in program.steps for v in step.reads if v not in inside))
    if len(reads) + len(outs) > most_arguments(len(shape)) or broadcast_shapes(*(v.shape for v in reads)) != shape:
        return None
    kernel = _Writer(Group(shape, program.steps, reads, list(outs)), routines).kernel("kernel", program.space)
    call = compiled(kernel.source, kernel.scope, "kernel")
    numbers = [kernel.scope[name] for name in kernel.more]
    return (partial(_with_numbers, call, numbers, len(reads)) if numbers else call), reads


def _with_numbers(call: Callable[..., Any], numbers: list[Any], count: int, *arrays: Any) -> Any:
    return call(*arrays[:count], *numbers, *arrays[count:])


def _with_constants(program: Program) -> Program:
    """The program with arrays of one value, if they are only read, as constants that take the memory of one element."""
    live = Liveness(program)
    kept = live.beneath(program.outputs) | {
        live.root.get(s.args[0], s.args[0]) for s in program.steps if s.name in WRITES
    }
    constants = dict(program.constants)
    steps = []
    for step in program.steps:
        v = step.out
        if step.name == "full" and _spreads(step) and v not in kept:
            constants[v] = cp.broadcast_to(_full(step.args[1], v.dtype, v.device), v.shape)
        else:
            steps.append(step)
    return replace(program, steps=steps, constants=constants)


def _full(value: Any, dtype: Any, device: Any) -> Any:
    with device:
        return cp.full((), value, dtype)


def _spreads(step: Step) -> bool:
    """Whether a step is a number, or shows its operand otherwise."""
    if step.several or step.params.keys() - {"dtype", "device"}:
        return False
    if step.name == "full":
        return (
            len(step.args) == 2 and type(step.args[1]) in (bool, int, float, complex) and step.out.dtype.name in TYPES
        )
    if step.name == "broadcast_to":
        return len(step.reads) == 1 and type(step.args[0]) is Var and step.out.dtype.name in TYPES
    return step.name in _PARTS and step.args[0].dtype.kind == "c"


class _Writer:
    """The source of one kernel."""

    def __init__(self, group: Group, routines: dict[int, Routine]) -> None:
        self.group = group
        self.names = {v: f"p{i}" for i, v in enumerate(group.reads)}
        self.dtypes = {v: v.dtype for v in group.reads}
        self.preambles: dict[str, None] = {}
        # Numbers that have no literal: they are arguments.
        self.numbers: dict[str, Any] = {}
        self.lines: list[str] = []
        for step in group.steps:
            self._write(step, routines.get(id(step)))
        for i, v in enumerate(group.outs):
            self.lines.append(f"r{i} = {self.names[v]};")

    def _write(self, step: Step, routine: Routine | None) -> None:
        out = step.out
        self.dtypes[out] = out.dtype
        if routine is None:
            if step.name == "full":
                self.names[out] = self._literal(step.args[1], out.dtype)
            elif step.name == "broadcast_to":
                self.names[out] = self.names[step.reads[0]]
            else:
                self.names[out] = f"{self.names[step.reads[0]]}.{_PARTS[step.name]}()"
            return
        given = list(step.args[: len(routine.dtypes)])
        if step.name == "bounded":
            bounds = (step.params.get("low"), step.params.get("high"))
            given += [side if x is None else x for x, side in zip(bounds, (-math.inf, math.inf), strict=True)]
        operands = [
            self._operand(x, dtype) if type(x) is Var else self._literal(x, dtype)
            for x, dtype in zip(given, routine.dtypes, strict=True)
        ]
        if routine.preamble:
            self.preambles[routine.preamble] = None
        target = f"v{out.number}"
        self.lines.append(routine.written(target, operands))
        self.names[out] = target

    def _operand(self, v: Var, dtype: Any) -> str:
        name = self.names[v]
        return name if self.dtypes[v] == dtype else f"{_function(dtype)}({name})"

    def _literal(self, value: Any, dtype: Any) -> str:
        """A number in C++, which is converted to its dtype here, as CuPy does it."""
        x = dtype.type(value)
        if dtype.kind == "b":
            return "true" if x else "false"
        if dtype.kind in "iu":
            text = str(int(x)) + ("ULL" if dtype.kind == "u" else "LL")
            return f"{_function(dtype)}({text if x != np.iinfo(dtype).min or not x else f'{int(x) + 1}LL - 1'})"
        parts = (x.real, x.imag) if dtype.kind == "c" else (x,)
        if not all(math.isfinite(part) for part in parts):
            name = next((k for k, n in self.numbers.items() if n.dtype == dtype and n.tobytes() == x.tobytes()), None)
            if name is None:
                name = f"k{len(self.numbers)}"
                self.numbers[name] = x
            return name
        texts = [repr(float(part)) for part in parts]
        if dtype.name == "float64":
            return texts[0] if not texts[0].startswith("-") else f"({texts[0]})"
        return f"{_function(dtype)}({', '.join(texts)})"

    def function(self, name: str) -> tuple[str, ...]:
        """Code of a function of elements with one result; none where it needs numbers that have no literal."""
        if self.numbers:
            return ()
        given = ", ".join([f"{TYPES[v.dtype.name]} {self.names[v]}" for v in self.group.reads])
        (out,) = self.group.outs
        body = "".join([f"    {line}\n" for line in (*self.lines[:-1], f"return {self.names[out]};")])
        return *self.preambles, f"__device__ inline {TYPES[out.dtype.name]} {name}({given}) {{\n{body}}}\n"

    def kernel(self, name: str, space: Space) -> Kernel:
        """The kernel, and how it is called."""
        group = self.group
        inputs = [f"{v.dtype.name} {self.names[v]}" for v in group.reads]
        inputs += [f"{x.dtype.name} {k}" for k, x in self.numbers.items()]
        outputs = [f"{v.dtype.name} r{i}" for i, v in enumerate(group.outs)]
        body = "".join([f"\n    {line}" for line in self.lines]) + "\n"
        preamble = "\n".join(self.preambles)
        steps = dict.fromkeys(step.name for step in group.steps)
        digest = hashlib.sha256("\n".join([*inputs, *outputs, body, preamble]).encode()).hexdigest()[:8]
        # For profilers, which show it.
        label = f"agnograd_{'_'.join(list(steps)[:4]).replace('.', '_')}_{digest}"
        source = (
            f'{name} = ElementwiseKernel(\n    "{", ".join(inputs)}",\n    "{", ".join(outputs)}",\n'
            f'    """{body}    """,\n'
            f'    "{label}",\n    preamble={_quoted(preamble)},\n    options=("--fmad=false",),\n)\n'
        )
        scope: dict[str, Any] = {"ElementwiseKernel": _maker(space, cp.ElementwiseKernel)}
        more = []
        for k, x in self.numbers.items():
            scope[f"{name}_{k}"] = x
            more.append(f"{name}_{k}")
        if tuple(broadcast_shapes(*(v.shape for v in group.reads))) != group.shape:
            # No operand is as large as the result.
            scope["empty"] = _empty
            device = group.outs[0].device
            scope[f"{name}_device"] = device
            more += [f"empty({group.shape!r}, {v.dtype.name!r}, {name}_device)" for v in group.outs]
        return Kernel(name, source, scope, more)


def _function(dtype: Any) -> str:
    """A conversion, as it is called: ``unsigned int`` is no name of a function."""
    kind = TYPES[dtype.name]
    return f"({kind})" if " " in kind else kind


def _quoted(text: str) -> str:
    return f'"""{text}"""' if text and "\\" not in text and '"' not in text else repr(text)


def _maker(space: Space, kind: Any) -> Any:
    """What makes a kernel; where there are several devices, it runs on that of its arrays."""
    if space.guard is None:
        return kind
    guard = space.guard

    def make(*args: Any, **options: Any) -> Any:
        kernel = kind(*args, **options)

        def run(x: Any, *rest: Any, **params: Any) -> Any:
            with guard(x):
                return kernel(x, *rest, **params)

        return run

    return make


def _empty(shape: tuple[int, ...], dtype: str, device: Any) -> Any:
    with device:
        return cp.empty(shape, dtype)
