"""CuPy's column of the matrix: in agnograd's tree, whose tests run it on a GPU or on their emulator of one.

The limits there are rows of agnograd's table of capabilities.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[3]
MATRIX = TREE / "tests" / "test_matrix.py"

if not MATRIX.exists() or importlib.util.find_spec("cupy") is None:
    pytest.skip("needs agnograd's tree and CuPy", allow_module_level=True)


def passed(operations, *options):
    command = [sys.executable, "-m", "pytest", str(MATRIX), f"--agnograd-ops={operations}", "--agnograd-backends=cupy"]
    done = subprocess.run(
        [*command, "-q", "-p", "no:cacheprovider", *options], cwd=TREE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-5000:]
    return int(re.search(r"(\d+) passed", done.stdout)[1])


def test_column():
    assert passed("scipy.linalg.expm,scipy.linalg.solve_*,scipy.sparse.*", "-k", "test_first_order") > 10


@pytest.mark.slow
def test_whole_column():
    assert passed("scipy.*") > 1000
