"""What operations and workloads cost on CuPy, counted without a GPU: `python scripts/cupy_budgets.py [--write]`.

Prints what differs from tests/cupy_budgets.json, and with ``--write`` writes that file anew.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import cupy_cpu  # noqa: E402

from benchmarks import cupy_budgets, cupy_workloads  # noqa: E402


def main() -> int:
    """Run the command; the exit code is 1 where costs differ and are not written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the file anew")
    options = parser.parse_args()
    reason = cupy_cpu.unsupported()
    if reason is not None:
        print(reason)
        return cupy_cpu.UNSUPPORTED
    cupy_cpu.install()
    from agnograd import plugins

    # Costs of plugins' operations are no part of this distribution.
    with plugins.isolated():
        workloads = cupy_budgets.of_workloads(cupy_cpu.counting, cupy_workloads.EVERY)
        operations = cupy_budgets.of_operations(cupy_budgets.chosen(), cupy_cpu.counting)
    cupy_cpu.check_errors()
    known = cupy_budgets.read() if cupy_budgets.PATH.exists() else {"workloads": {}, "operations": {}}
    different = [
        *cupy_budgets.differences(workloads, known["workloads"]),
        *cupy_budgets.differences(operations, known["operations"]),
    ]
    for line in different:
        print(line)
    if options.write:
        cupy_budgets.PATH.write_text(cupy_budgets.text(workloads, operations), encoding="utf-8")
        print(f"wrote {cupy_budgets.PATH.name}")
    return 1 if different and not options.write else 0


if __name__ == "__main__":
    status = main()
    cupy_cpu.exit(status)
