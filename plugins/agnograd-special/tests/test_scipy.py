"""SciPy's own functions on tensors: in a process where it dispatches, which has to be said before it is imported."""

import os
import subprocess
import sys
from pathlib import Path


def test_under_dispatch():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(Path(__file__).with_name("dispatched.py")),
    ]
    done = subprocess.run(
        command, env={**os.environ, "SCIPY_ARRAY_API": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
