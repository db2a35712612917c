"""Recording a function, alone or together with the pass back through it, and parting the two.

The joint program computes values and, from cotangents, gradients. What depends on no cotangent and is needed for a
value runs forward; all else runs in the pass back. Between them go *residuals*: what the one computed and the other
reads. No step is in both but views, which cost nothing and would keep no memory alive that is not kept anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from agnograd.compiler import cache
from agnograd.compiler.generating import generated
from agnograd.compiler.liveness import VIEWS
from agnograd.compiler.packing import packed
from agnograd.compiler.passes import dead, optimised
from agnograd.compiler.program import Guard, Program, Step, Var
from agnograd.compiler.shapes import nbytes
from agnograd.compiler.source import Code
from agnograd.compiler.tracing import Recorder, recording
from agnograd.core.array import Array, innermost
from agnograd.core.level import new_level, recording_in
from agnograd.core.nodes import Node, Reverse, new_leaf, wrap
from agnograd.core.operands import default_array
from agnograd.core.reverse import backward
from agnograd.core.table import Space, spaces
from agnograd.core.trace import Traced
from agnograd.core.views import settled
from agnograd.errors import TraceError


def space_of(raw: Sequence[Any]) -> Space:
    """The backend of the arguments; the default one if there are none."""
    found = None
    for x in raw:
        space = spaces[type(x)]
        if found is not None and space is not found:
            if _is_scalar(x, space):
                continue
            if not _is_scalar(raw[0], found):
                msg = f"a compiled function got arrays of two backends, {found.name} and {space.name}: convert one"
                raise TraceError(msg)
        found = space
    return spaces[type(default_array(0.0))] if found is None else found


def _is_scalar(x: Any, space: Space) -> bool:
    return space.is_scalar is not None and bool(space.is_scalar(x))


def recorded(function: Callable[..., Any], raw: Sequence[Any]) -> tuple[Program, Any]:
    """What a function does with arrays like these, and what it returns besides arrays."""
    from agnograd.compiler.operation import parted

    recorder = Recorder(space_of(raw))
    with recording(recorder), recording_in(True):
        tensors = [wrap(recorder.input(x), None) for x in raw]
        values = [x._array for x in tensors]
        arrays, rest = parted(function(*tensors))
        _check_arguments(tensors, values)
        recorder.finish([_variable(recorder, x) for x in arrays])
    return recorder.program, rest


def _check_arguments(tensors: Sequence[Any], values: Sequence[Traced]) -> None:
    for i, (x, value) in enumerate(zip(tensors, values, strict=True)):
        if not isinstance(x, Reverse) or settled(x)._array is not value:
            msg = (
                f"the function writes to its argument {i} (shape {value.shape}, {value.dtype}), which a compiled "
                f"program does not: write to a copy, x.clone(), and return it"
            )
            raise TraceError(msg)


_ELSEWHERE = (
    "the result depends on a tensor that requires grad and that is found where a program cannot take it as input, in "
    "a class, in a module or among a method's globals: its gradient would be lost. Pass it as an argument, keep it in "
    "an attribute of the object or in the closure, or detach it."
)


def _variable(recorder: Recorder, x: Any) -> Var:
    """The variable of a result."""
    if isinstance(x, Reverse) and settled(x)._node is not None:
        raise TraceError(_ELSEWHERE)
    x = innermost(settled(x)) if isinstance(x, Array) else x
    (traced,) = recorder.lifted((x,))
    if not isinstance(traced, Traced):
        traced = recorder.constant(recorder.space.asarray(traced))
    variable: Var = traced.variable
    return variable


class Differentiated:
    """Programs for the value and for the pass back, where some arguments need gradients.

    Attributes
    ----------
    code : Code
        Returns values, then residuals.
    backward : Code
        Takes the arguments that it reads, residuals and cotangents of those values that carry one.
    rest : Rest
        What the function returned besides arrays.
    values : int
        How many arrays it returned.
    reads : list of int
        The arguments that the pass back reads.
    carrying : list of int
        The values that carry a gradient.
    gradients : list of bool
        For each argument that needs one, whether there is any.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        raw: Sequence[Any],
        needs: tuple[int, ...],
        *,
        native: bool = False,
    ) -> None:
        self.rest: Any
        self.carrying: list[int]
        self.gradients: list[bool]
        program, self.rest, self.carrying, self.gradients = _joint(function, name, raw, needs)
        self.guards: list[Guard] = list(program.guards)
        self.recorded: int = len(program.steps)
        self.values: int = len(program.outputs) - sum(self.gradients)
        self.outputs: list[tuple[tuple[int, ...], Any, Any]] = [
            (v.shape, v.dtype, v.device) for v in program.outputs[: self.values]
        ]
        self.space: Space = program.space

        def make() -> tuple[list[Code], dict[str, Any]]:
            final = optimised(program)
            ahead, back, reads = parts(final, len(raw), self.values)
            ahead, back = optimised(ahead), optimised(back)
            nbytes_between = sum(map(nbytes, ahead.outputs[self.values :]))
            if self.space.name == "numpy" and not native:
                ahead, back = packed(ahead, back, self.values)
            facts = {
                "calls": Counter([step.name for step in final.steps]),
                "reads": reads,
                "residuals": len(ahead.outputs) - self.values,
                "residual bytes": nbytes_between,
            }
            return [generated(ahead, native=native), generated(back, native=native)], facts

        kind = ("values and pass back", len(raw), self.values, native)
        (self.code, self.backward), facts = cache.made(program, kind, make)
        self.calls: Counter[str] = Counter(facts["calls"])
        self.reads: list[int] = facts["reads"]
        self.residuals: int = facts["residuals"]
        self.residual_bytes: int = facts["residual bytes"]
        # Set by `agnograd.compiler.nodes`.
        self.variant: Any = None


def _joint(
    function: Callable[..., Any], name: str, raw: Sequence[Any], needs: tuple[int, ...]
) -> tuple[Program, Any, list[int], list[bool]]:
    from agnograd.compiler.operation import parted

    recorder = Recorder(space_of(raw))
    with recording(recorder), new_level(name) as level, recording_in(True):
        tensors = [wrap(recorder.input(x), None) for x in raw]
        values = [x._array for x in tensors]
        for i in needs:
            tensors[i]._node = new_leaf(tensors[i], level)
        nodes = [tensors[i]._node for i in needs]
        arrays, rest = parted(function(*tensors))
        _check_arguments(tensors, values)
        outputs = [_off(x, level) for x in arrays]
        roots = []
        carrying = []
        for k, (x, node) in enumerate(outputs):
            if node is not None:
                roots.append((node, recorder.input_like(x)))
                carrying.append(k)
        found = backward(roots, release=True, targets=nodes) if roots else {}
        gradients = [found.get(node) for node in nodes]
        results = [x for x, _ in outputs] + [g for g in gradients if g is not None]
        recorder.finish([_variable(recorder, x) for x in results])
    return recorder.program, rest, carrying, [g is not None for g in gradients]


def _off(x: Any, level: Any) -> tuple[Any, Node | None]:
    x = settled(x) if isinstance(x, Array) else x
    if isinstance(x, Reverse) and x.level is level:
        return x._array, x._node
    if isinstance(x, Array) and x.level is not None:
        x.level.check_open()
    if isinstance(x, Reverse) and x._node is not None:
        raise TraceError(_ELSEWHERE)
    return x, None


def parts(program: Program, arguments: int, values: int) -> tuple[Program, Program, list[int]]:
    """The program of the values with residuals, the one of the gradients, and the arguments that the latter reads."""
    inputs, cotangents = program.inputs[:arguments], program.inputs[arguments:]
    ahead = dead.run(replace(program, inputs=inputs, outputs=program.outputs[:values]))
    made = {v: step for step in ahead.steps for v in step.outs}
    own = {id(step) for step in ahead.steps}
    behind = [step for step in program.steps if id(step) not in own]
    gradients = program.outputs[values:]
    back = dead.run(replace(program, inputs=[], outputs=gradients, steps=behind, guards=[]))
    repeated: list[Step] = []
    steps, residuals = back.steps, _unmade(back, {*program.inputs, *program.constants})
    while True:
        # A view is made again from what it shows.
        views = [v for v in residuals if made[v].name in VIEWS and not made[v].several and len(made[v].reads) == 1]
        if not views:
            break
        for v in views:
            repeated.insert(0, made[v])
        wanted = {id(step) for step in (*repeated, *steps)}
        back = replace(back, steps=[step for step in program.steps if id(step) in wanted])
        residuals = _unmade(back, {*program.inputs, *program.constants})
    read = {v for step in back.steps for v in step.reads} | set(gradients)
    reads = [i for i, v in enumerate(inputs) if v in read]
    ahead = replace(ahead, outputs=[*ahead.outputs, *residuals])
    back = replace(back, inputs=[*(inputs[i] for i in reads), *residuals, *cotangents])
    back = replace(back, constants={v: x for v, x in program.constants.items() if v in read})
    return ahead, back, reads


def _unmade(program: Program, given: set[Var]) -> list[Var]:
    """What a program reads and does not make."""
    made = {v for step in program.steps for v in step.outs}
    read = [v for step in program.steps for v in step.reads] + list(program.outputs)
    return [v for v in dict.fromkeys(read) if v not in made and v not in given]
