"""Algebraic clean-up: what changes no bit of any result. Adding zero is not among it, since ``-0.0 + 0.0`` is 0."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

from agnograd.compiler.passes.rewriting import Rewriting
from agnograd.compiler.program import Program, Step, Var
from agnograd.compiler.shapes import is_elementwise
from agnograd.core.formulas import broadcast_shapes

_SHAPED = frozenset(("reshape", "broadcast_to", "permute_dims", "expand_dims", "squeeze"))


def run(program: Program) -> Program:
    """The program without steps that do nothing."""
    rewriting = Rewriting(program)
    made: dict[Var, Step] = {}
    uses = Counter(chain.from_iterable([step.reads for step in program.steps]))
    uses.update(program.results)
    free = {*program.inputs, *program.constants}
    for step in rewriting.current():
        step = _doubled(_unspread(_composed(step, made), made), made, uses)
        same = None if step.several else _same_as(step, made)
        # An output of the caller's own is not to be an array of the caller's: that one stays a copy.
        if same is not None and not (same in free and step.out in program.outputs):
            rewriting.replace(step.out, same)
            continue
        for v in step.outs:
            made[v] = step
        rewriting.keep(step)
    return rewriting.program()


def _same_as(step: Step, made: dict[Var, Step]) -> Var | None:
    """The variable that the result of a step equals."""
    name, args, out = step.name, step.args, step.out
    x = args[0] if args else None
    if name == "multiply" and len(args) == 2:
        x, y = args if type(x) is Var else args[::-1]
        return _like(x, out) if type(y) in (int, float) and y == 1 else None
    if name in ("divide", "pow") and len(args) == 2 and type(args[1]) in (int, float) and args[1] == 1:
        return _like(x, out)
    if name == "subtract" and len(args) == 2 and type(args[1]) in (int, float) and _is_zero(args[1]):
        return _like(x, out)
    if name in ("negative", "matrix_transpose"):
        inner = made.get(x)  # type: ignore[arg-type]
        return inner.args[0] if inner is not None and inner.name == name else None
    if name in ("reshape", "broadcast_to", "copy", "astype"):
        return _like(x, out)
    if name == "permute_dims":
        axes = step.params.get("axes", args[1] if len(args) > 1 else None)
        return _like(x, out) if axes is not None and tuple(axes) == tuple(range(len(axes))) else None
    return None


def _doubled(step: Step, made: dict[Var, Step], uses: Counter[Var]) -> Step:
    """``k x + k x`` as ``(2 k) x``: doubling is exact."""
    if step.name != "add" or len(step.args) != 2 or step.args[0] is not step.args[1] or type(step.args[0]) is not Var:
        return step
    inner = made.get(step.args[0])
    if inner is None or inner.name != "multiply" or uses[step.args[0]] != 2:
        return step
    k, x = inner.args if type(inner.args[0]) is float else inner.args[::-1]
    # Where neither over- nor underflows.
    if type(k) is not float or type(x) is not Var or not 1e-100 < abs(k) < 1e100:
        return step
    return Step("multiply", (2 * k, x), {}, step.outs)


def _unspread(step: Step, made: dict[Var, Step]) -> Step:
    """An operation on a broadcast array as one that broadcasts."""
    if step.several or not is_elementwise(step.name) or step.params:
        return step
    args = list(step.args)
    found = False
    for i, x in enumerate(args):
        inner = made.get(x) if type(x) is Var else None
        if inner is None or inner.name != "broadcast_to" or type(inner.args[0]) is not Var:
            continue
        source = inner.args[0]
        others = [y.shape for k, y in enumerate(args) if k != i and type(y) is Var]
        if others and tuple(broadcast_shapes(source.shape, *others)) == step.out.shape:
            args[i] = source
            found = True
    return Step(step.name, args, step.params, step.outs) if found else step


def _like(x: Any, out: Var) -> Var | None:
    return x if type(x) is Var and x.shape == out.shape and x.dtype == out.dtype else None


def _is_zero(x: float) -> bool:
    return x == 0 and not str(x).startswith("-")


def _composed(step: Step, made: dict[Var, Step]) -> Step:
    """A reshape of a reshape as one."""
    if step.name != "reshape" or type(step.args[0]) is not Var:
        return step
    inner = made.get(step.args[0])
    if inner is None or inner.name not in ("reshape", "expand_dims", "squeeze"):
        return step
    return Step("reshape", (inner.args[0], step.out.shape), {}, step.outs)
