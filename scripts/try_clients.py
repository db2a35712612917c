"""What third-party functions do on tensors.

``python scripts/try_clients.py [PATTERN]`` tries the cases of tests/clients whose names match, and tells what became of
each; ``--write`` writes docs/clients.md from their tables.
"""

import os
import re
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

os.environ["SCIPY_ARRAY_API"] = "1"  # before anything imports SciPy
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from clients.check import RefusedError, check
from clients.page import PAGE, render
from clients.tables import CASES


def try_cases(pattern: str) -> None:
    """Print what becomes of each case, and how many there are of each kind."""
    verdicts: Counter[str] = Counter()
    for case in CASES:
        if not re.search(pattern, f"{case.client} {case.name}"):
            continue
        start = time.perf_counter()
        try:
            verdict, why = ("works" if check(case) else "constant"), ""
        except RefusedError as error:
            verdict, why = "refused", f"{where(error.__cause__)}{str(error)[:90]}"
        except AssertionError as error:
            verdict, why = "WRONG", " ".join(str(error).split())
        verdicts[verdict] += 1
        print(f"{verdict:9}{time.perf_counter() - start:6.2f}s {case.client} {case.name}  {why[:180]}", flush=True)
    print(dict(verdicts))


def where(error: BaseException | None) -> str:
    """The line of the client at which it refused."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    frames = [frame for frame in frames if "agnograd" not in frame.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].line} | " if frames else ""


if "--write" in sys.argv:
    PAGE.write_text(render(), encoding="utf-8")
else:
    try_cases(sys.argv[1] if len(sys.argv) > 1 else "")
