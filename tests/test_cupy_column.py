"""CuPy's column of the matrix, in a process of its own: the real CuPy, on a GPU or on the emulator in cupy_cpu."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = [str(HERE / "test_matrix.py"), str(HERE / "testing" / "test_plants.py"), str(HERE / "autograd")]
SECONDS = 1800
# Each is compiled once on the emulator: what the column may cost a machine that has compiled none yet.
MOST_KERNELS = 350


def run_column(*options):
    command = [sys.executable, "-m", "pytest", *TESTS, "--agnograd-backends=cupy", "-q", *options]
    command += ["-p", "no:cacheprovider"]
    # Plugins test theirs: what is installed here must not change the counts.
    env = {**os.environ, "AGNOGRAD_DISABLE_PLUGINS": "*"}
    done = subprocess.run(
        command, cwd=HERE.parent, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-5000:]
    return done.stdout


def test_column(record_property, capsys):
    text = run_column()
    passed = int(re.search(r"(\d+) passed", text)[1])
    record_property("passed", passed)
    assert passed > 500
    found = re.search(r"^cupy: .* launches of (\d+) kernels.*$", text, re.MULTILINE)
    if found is not None:  # only the emulator counts
        record_property("counts", found[0])
        assert int(found[1]) < MOST_KERNELS
    with capsys.disabled():
        sys.stdout.write(f"\ncupy column: {text.strip().splitlines()[-1]}\n{found[0] if found else 'on a GPU'}\n")


@pytest.mark.slow
def test_column_in_full():
    run_column("--agnograd-samples=all")
