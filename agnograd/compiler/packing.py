"""Small residuals next to each other in one array: a node that keeps a dozen of them costs more than they do.

The program of the values ends with a step ``pack``, which makes one array of several, and that of the pass back begins
with ``unpack``. A generator that has buffers computes the residuals where they are to be, so that all that is left is
one copy in and one out.
"""

from __future__ import annotations

from dataclasses import replace

from agnograd.compiler.program import Program, Step, Var, name_of

# Bytes of an array that is small; arrays from which on it is worth it.
_SMALL, _LEAST = 1 << 11, 4


def packed(ahead: Program, back: Program, values: int) -> tuple[Program, Program]:
    """The two programs, with those of the residuals in one array that are small and of the same dtype.

    Parameters
    ----------
    ahead : Program
        Returns values, then residuals.
    back : Program
        Reads residuals.
    values : int
        How many arrays `ahead` returns before them.
    """
    kinds: dict[str, list[Var]] = {}
    given = {*ahead.outputs[:values], *ahead.inputs, *ahead.constants}
    for v in dict.fromkeys(ahead.outputs[values:]):
        if v.shape and v.size and v.size * v.dtype.itemsize <= _SMALL and v not in given:
            kinds.setdefault(name_of(v.dtype), []).append(v)
    rows = max(kinds.values(), key=len, default=[])
    if len(rows) < _LEAST:
        return ahead, back
    inside = set(rows)
    # What the pass back wants the same function of lies side by side.
    wanted = {step.reads[0]: step.name for step in back.steps if is_unary(step)}
    rows.sort(key=lambda v: (wanted.get(v, ""), v.shape))
    number = 1 + max(v.number for p in (ahead, back) for v in (*p.inputs, *p.constants, *_made(p)))
    whole = Var(number, (sum(v.size for v in rows),), rows[0].dtype, rows[0].device)
    return (
        replace(
            ahead,
            steps=[*ahead.steps, Step("pack", rows, {}, [whole])],
            outputs=[*ahead.outputs[:values], *_with(whole, ahead.outputs[values:], inside)],
        ),
        replace(
            back,
            steps=[Step("unpack", [whole], {}, rows, several=True), *back.steps],
            inputs=_with(whole, back.inputs, inside),
        ),
    )


def is_unary(step: Step) -> bool:
    """Whether a step is a function of one array, and of nothing else."""
    return len(step.args) == 1 == len(step.reads) and not step.several and not step.params


def _made(program: Program) -> list[Var]:
    return [v for step in program.steps for v in step.outs]


def _with(whole: Var, variables: list[Var], inside: set[Var]) -> list[Var]:
    """Variables with one in the place of several."""
    first = next(i for i, v in enumerate(variables) if v in inside)
    return [whole if i == first else v for i, v in enumerate(variables) if i == first or v not in inside]
