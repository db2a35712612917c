"""Check how much of the public API has a type: python scripts/verifytypes.py [--least PERCENT].

pyright counts the public names of all modules, and lists those whose type is unknown, or would be inferred
differently by another type checker. What comes from libraries without types is not held against agnograd.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys


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


if __name__ == "__main__":
    main()
