"""What each operation and some workloads cost on CuPy: launches, library calls, waits, allocations, peak of memory.

Counted by the emulator in tests/cupy_cpu, which runs CuPy's own code, and kept in tests/cupy_budgets.json: what a
change costs a GPU shows in the difference of that file. On a GPU `benchmarks.gpu_check` holds its counts against it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import cupy_workloads

PATH = Path(__file__).parent.parent / "tests" / "cupy_budgets.json"

Budget = dict[str, int]
Budgets = dict[str, dict[str, Budget]]
Counting = Callable[[], AbstractContextManager[Any]]

# Counts that hold exactly, and those that may differ by a part: sizes are rounded, work areas are a library's own.
EXACT = ("launches", "library_calls", "synchronisations", "allocations")
BYTES = "peak_bytes"
SLACK = 0.1
# Passes until a kernel has been made of rules that come again.
_AGAIN = 9


def counted(run: Callable[[], Any], counting: Counting, before: int = 1) -> Budget:
    """What a call costs, after as many that compile its kernels, and none before them."""
    from agnograd.compiler import cupy_cotangents

    cupy_cotangents.forget()
    for _ in range(before):
        run()
    with counting() as counts:
        kept = run()
    del kept
    return {name: getattr(counts, name) for name in (*EXACT, BYTES)}


def of_operation(case: Any, row: Any, counting: Counting) -> dict[str, Budget]:
    """An operation and its pull back."""
    from agnograd import vjp
    from agnograd.testing.gradcheck import leaves, rebuild
    from agnograd.testing.samples import invoke

    made = case.build(row)
    found = {"forward": counted(lambda: invoke(case.op, case.op.call, made.arrays, made.params), counting)}
    if case.op.differentiable and made.primals and not case.op.changes_backend:
        value, pullback = vjp(made.function(), *made.primals)
        seed = rebuild(value, [row.space.ones_like(y) for y in leaves(value)])
        found["backward"] = counted(lambda: pullback(seed), counting)
    return found


def chosen(pattern: str = "*") -> list[Any]:
    """The cases that are counted: of each operation the first real sample and the first complex one."""
    from agnograd.testing.samples import cases

    return [case for case in cases(pattern, few=True) if not case.is_edge]


def of_operations(cases: Iterable[Any], counting: Counting) -> Budgets:
    """Operation and sample to the cost of each phase."""
    from agnograd.testing.matrix import Row

    row = Row("cupy", "cupy")
    return {f"{case.op.name} {case.id}": of_operation(case, row, counting) for case in cases}


def of_workloads(counting: Counting, workloads: Mapping[str, cupy_workloads.Workload]) -> Budgets:
    """Workload to the cost of a step with agnograd and by hand, and of second derivatives."""
    import cupy as cp

    out = {}
    for name, workload in workloads.items():
        steps = {
            "agnograd": cupy_workloads.with_agnograd(workload, cp.asarray, workload.small),
            "compiled": cupy_workloads.compiled(workload, cp.asarray, workload.small),
            "second order": cupy_workloads.curvature(workload, cp.asarray, workload.small),
            "by hand": cupy_workloads.by_hand(workload, workload.small),
        }
        if name in cupy_workloads.MODELS:
            # They are there for their comparison.
            del steps["second order"]
        out[name] = {how: counted(step, counting, _AGAIN) for how, step in steps.items()}
    return out


# -- the file ----------------------------------------------------------------------------------------------------------


def versions() -> dict[str, str]:
    """The versions of what launches the kernels; counts are exact for these only."""
    import cupy

    return {"cupy": cupy.__version__, "array-api-compat": version("array-api-compat")}


def text(workloads: Budgets, operations: Budgets) -> str:
    """The file, a line for each phase, so that a difference reads as what became of it."""

    def section(name: str, budgets: Budgets) -> str:
        lines = [
            f"    {json.dumps(f'{key}: {phase}')}: {json.dumps(budget)}"
            for key, phases in sorted(budgets.items())
            for phase, budget in phases.items()
        ]
        return f'  "{name}": {{\n' + ",\n".join(lines) + "\n  }"

    head = f'  "versions": {json.dumps(versions())}'
    return "{\n" + ",\n".join([head, section("workloads", workloads), section("operations", operations)]) + "\n}\n"


def read() -> dict[str, Any]:
    """The file's content."""
    return json.loads(PATH.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def differences(found: Budgets, expected: dict[str, Budget], *, exact: bool = True) -> list[str]:
    """A line for each cost that differs; where counts need not be exact, for each that grew.

    Parameters
    ----------
    found : dict
        Name to the costs of its phases.
    expected : dict
        ``"name: phase"`` to what the file says.
    exact : bool
        Whether fewer launches are a difference too: the file is to say so then.
    """
    out = []
    names = {f"{key}: {phase}" for key, phases in found.items() for phase in phases}
    if exact:
        out += [f"{name}: in {PATH.name}, and counted no more" for name in expected if name not in names]
    for key, phases in found.items():
        for phase, budget in phases.items():
            name = f"{key}: {phase}"
            if name not in expected:
                out.append(f"{name}: not in {PATH.name}")
                continue
            for what, value in budget.items():
                old = expected[name][what]
                allowed = SLACK * max(value, old) if what == BYTES else 0
                if abs(value - old) > allowed if exact else value > old + allowed:
                    out.append(f"{name}: {what} {old} -> {value}")
    return out
