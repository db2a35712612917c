"""Installed plugins cost nothing until one is needed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "import_time.py"


@pytest.mark.skipif(not SCRIPT.exists(), reason="the script travels with the source tree only")
def test_importing_agnograd_loads_nothing_more_with_ten_plugins():
    # Modules are counted; what they take is measured on machines that do nothing else.
    command = [sys.executable, SCRIPT, "--plugins", "10", "--runs", "1", "--limit", "inf"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^the same \d+ modules$", done.stdout, re.MULTILINE)
    assert "when one is needed, 10 are loaded" in done.stdout
