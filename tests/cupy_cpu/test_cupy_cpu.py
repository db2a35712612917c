"""The emulator does what CuPy on a GPU does. Each group of checks runs in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cupy_cpu import UNSUPPORTED
from cupy_cpu.checks import GROUPS

TESTS = Path(__file__).parents[1]
SECONDS = 600

LEAVE_AS_USUAL = """
import cupy_cpu
reason = cupy_cpu.unsupported()
if reason is not None:
    print(reason)
    raise SystemExit(cupy_cpu.UNSUPPORTED)
cupy = cupy_cpu.install()
kept = cupy.ones((3, 3)) @ cupy.ones((3, 3)), cupy.cuda.Stream(), cupy.fft.fft(cupy.ones(3))
assert float(kept[0].sum()) == 27
"""

WATCH = """
import cupy_cpu
from cupy_cpu import libraries, watching
reason = cupy_cpu.unsupported()
if reason is not None:
    print(reason)
    raise SystemExit(cupy_cpu.UNSUPPORTED)
seen = cupy_cpu.Counts()

def watch(bind=libraries.install_before_cupy):
    bind()
    watching.watch(
        lambda name, stream: (seen.kernels.update([name]), seen.streams.update([stream])),
        lambda direction: seen.directions.update([direction]),
        lambda cause: seen.causes.update([cause]),
    )

libraries.install_before_cupy = watch
cupy = cupy_cpu.install()
import numpy
x = cupy.asarray(numpy.arange(6.0).reshape(2, 3))
for counted in (seen.kernels, seen.streams, seen.directions, seen.causes):
    counted.clear()
with cupy_cpu.counting() as counts:
    assert float((x + x).sum()) == 30
    x[x > 1] = cupy.zeros(4)
    with cupy.cuda.Stream() as stream:
        y = cupy.exp(x)
    cupy.cuda.Device().synchronize()
    stream.record().synchronize()
    with cupy.cuda.Device(1):
        y.copy()
        cupy.asarray(numpy.ones(3)) @ cupy.ones(3)
for name in ("kernels", "streams", "directions", "causes"):
    got, expected = getattr(seen, name), getattr(counts, name)
    assert got == expected and len(got) > 1, (name, got, expected)
try:
    watching.watch()
except RuntimeError:
    cupy_cpu.check_errors()
    cupy_cpu.exit(0)
"""


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start Python with this package on its path."""
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(*processes: subprocess.Popen[str]) -> str:
    """Wait for processes; fail or skip as they say. Return what they printed."""
    outputs = [process.communicate(timeout=SECONDS)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        if process.returncode == UNSUPPORTED:
            pytest.skip(output.strip())
        assert process.returncode == 0, output
    return "".join(outputs)


@pytest.mark.parametrize("group", GROUPS)
def test_group(group):
    assert finish(start("-m", "cupy_cpu.checks", group)) == ""


def test_leaving_without_exit():
    assert finish(start("-c", LEAVE_AS_USUAL)) == ""


def test_a_watched_device_counts_as_the_emulator_does():
    assert finish(start("-c", WATCH)) == ""


def test_two_processes_fill_one_cache(tmp_path):
    finish(*(start("-c", LEAVE_AS_USUAL, CUPY_CPU_CACHE=str(tmp_path)) for _ in range(2)))
    assert list(tmp_path.rglob("*.so"))
    assert not list(tmp_path.rglob("*partial*"))


def test_finding_a_gpu_imports_nothing():
    code = "import sys, cupy_cpu; print(cupy_cpu.real_gpu(), 'cupy' in sys.modules)"
    assert finish(start("-c", code)).split() in (["True", "False"], ["False", "False"])


@pytest.mark.slow
def test_array_api_calls():
    finish(start("-m", "cupy_cpu.conformance"))
