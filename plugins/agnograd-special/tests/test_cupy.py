"""CuPy's column of the matrix: in agnograd's tree, whose tests run it on a GPU or on their emulator of one.

The limits of CuPy's library are rows of agnograd's table of capabilities.
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


def test_column():
    command = [sys.executable, "-m", "pytest", str(MATRIX), "--agnograd-ops=special.*", "--agnograd-backends=cupy"]
    done = subprocess.run(
        [*command, "-q", "-p", "no:cacheprovider"], cwd=TREE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-5000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 500
