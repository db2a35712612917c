"""CuPy's column of the matrix, in a process of its own: the real CuPy, on a GPU or on the emulator in cupy_cpu."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cupy_cpu
import pytest

HERE = Path(__file__).parent
PLACES = ("test_matrix.py", "testing/test_plants.py", "autograd", "optimize", "test_implicit.py", "test_trees.py")
PLACES += ("transforms", "custom_rules", "on_cupy")
TESTS = [str(HERE / place) for place in PLACES]
SECONDS = 1800
# Each is compiled once on the emulator: what the column may cost a machine that has compiled none yet. A third of them
# are those that passes back make of rules which have come several times in a row.
MOST_KERNELS = 500
MOST_KERNELS_ON_DASK = 100


def run_column(*options, tests=TESTS):
    command = [sys.executable, "-m", "pytest", *tests, "--agnograd-backends=cupy", "-q", *options]
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


def test_dask_arrays_with_chunks_of_cupy():
    pytest.importorskip("dask.array")
    text = run_column(tests=[str(HERE / "dask" / "test_cupy_chunks.py")])
    assert int(re.search(r"(\d+) passed", text)[1]) > 20
    found = re.search(r"launches of (\d+) kernels", text)
    assert found is None or int(found[1]) < MOST_KERNELS_ON_DASK


@pytest.mark.slow
def test_column_in_full():
    run_column("--agnograd-samples=all")


def gpu_check(*options):
    command = [sys.executable, "-m", "benchmarks.gpu_check", *options]
    return subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.skipif(cupy_cpu.real_gpu(), reason="there is a GPU: `python -m benchmarks.gpu_check` does it all")
def test_check_of_a_gpu_runs_dry(tmp_path):
    if (reason := cupy_cpu.unsupported()) is not None:
        pytest.skip(reason)
    path = tmp_path / "found.json"
    done = gpu_check("--dry", "--json", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
    counts, times = map(json.loads, path.read_text().splitlines())
    assert counts["found"]["worse"] == counts["found"]["other"] == []
    for phases in counts["found"]["workloads"].values():
        assert all(budget["launches"] > 0 == budget["synchronisations"] for budget in phases.values())
    assert times["found"].keys() == {"network", "chain", "classifier"}
    assert all(taken["agnograd"] > 0 for taken in times["found"].values())


@pytest.mark.skipif(cupy_cpu.real_gpu(), reason="there is a GPU")
def test_check_of_a_gpu_wants_one():
    done = gpu_check()
    assert done.returncode == 1
    assert "no NVIDIA GPU" in done.stdout
