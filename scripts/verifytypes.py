"""Check how much of the public API has a type: python scripts/verifytypes.py [--least PERCENT].

pyright counts the public names of all modules, and lists those whose type is unknown, or would be inferred
differently by another type checker. What comes from libraries without types is not held against agnograd. Then it is
shown names of the package as a user writes them: those that are there have to pass, and those that are not have to be
found, though the package makes many of its names when they are asked for.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

THERE = ("exp", "linalg.inv", "fft.rfft", "special", "float32", "pi", "hessian", "compile", "tree.map", "dask.store")
NOT_THERE = ("expp", "linalg.invv", "fft.rftf", "grads", "Tensor.backwards")


def main() -> None:
    """Run pyright, list what has no type, and exit with 1 where that is too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least", type=float, default=95.0, metavar="PERCENT")
    least = parser.parse_args().least
    command = [sys.executable, "-m", "pyright", "--verifytypes", "agnograd", "--ignoreexternal", "--outputjson"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["typeCompleteness"]
    except (ValueError, KeyError):
        sys.exit(f"pyright gave no verdict: {done.stdout}{done.stderr}")
    for symbol in found["symbols"]:
        if symbol["isExported"] and not (symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"]):
            print(symbol["name"], *(each["message"].replace("\n", " ") for each in symbol["diagnostics"]), sep=": ")
    counts = found["exportedSymbolCounts"]
    score = 100 * found["completenessScore"]
    print(f"{score:.1f} % of {sum(counts.values())} public names have a type")
    if score < least:
        sys.exit(f"at least {least} % are asked for")
    found_by_pyright = mistaken([*THERE, *NOT_THERE])
    if found_by_pyright != [*NOT_THERE]:
        sys.exit(f"of {THERE} and {NOT_THERE} the latter are to be reported, not {found_by_pyright}")
    print(f"misspelt names are reported: {', '.join(NOT_THERE)}")


def mistaken(names: list[str]) -> list[str]:
    """Those of some names of the package that pyright reports to a user."""
    with tempfile.TemporaryDirectory() as folder:
        client = Path(folder) / "client.py"
        client.write_text("\n".join(["import agnograd as ag", *(f"print(ag.{name})" for name in names)]))
        command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(client)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    lines = {each["range"]["start"]["line"] for each in json.loads(done.stdout)["generalDiagnostics"]}
    return [name for line, name in enumerate(names, 1) if line in lines]


if __name__ == "__main__":
    main()
