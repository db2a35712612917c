"""Installed plugins cost nothing until one is needed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "import_time.py"


@pytest.mark.skipif(not SCRIPT.exists(), reason="the script travels with the source tree only")
def test_importing_agnograd_takes_no_longer_with_ten_plugins():
    # Each of them takes 100 ms. The limit for agnograd itself is for machines that do nothing else.
    command = [sys.executable, SCRIPT, "--plugins", "10", "--runs", "2", "--limit", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    times = re.search(r"^with 10 plugins: ([\d.]+) ms, without: ([\d.]+) ms$", done.stdout, re.MULTILINE)
    assert times is not None
    assert "when one is needed, 10 are loaded" in done.stdout
