"""The gallery: each example runs, on every backend that it says it was run on, with the same numbers as on NumPy.

The examples themselves take a minute each way: ``python -m pytest tests/docs/test_gallery.py -m "slow or not slow"``.
Their CuPy runs on the CPU where there is no GPU.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("plot_*.py"))
NAMES = {"NumPy": "numpy", "dask": "dask", "array-api-strict": "strict", "CuPy": "cupy"}

pytestmark = pytest.mark.skipif(not EXAMPLES, reason="the examples travel with the source tree only")
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)


def claimed(example):
    """The backends that the text at the top of an example names."""
    told = re.search(r'^Run on .*?(?=\.\s|\.?""")', example.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return {name for word, name in NAMES.items() if word in told[0]}


@each_example
def test_an_example_goes_through_the_backends_that_it_names(example):
    (loop,) = re.findall(r'for name in (\(("\w+"(, )?)+\))', example.read_text(encoding="utf-8"))
    assert set(re.findall(r"\w+", loop[0])) == claimed(example) == set(NAMES.values())


RUN = """
import runpy, sys

sys.path.insert(0, "tests")
import cupy_cpu

if cupy_cpu.real_gpu() or cupy_cpu.unsupported() is None:
    cupy_cpu.load()
runpy.run_path(sys.argv[1], run_name="__main__")
sys.stdout.flush()
cupy_cpu.exit(0)
"""


@pytest.mark.slow
@each_example
def test_an_example_runs_on_the_backends_that_it_names(example):
    import cupy_cpu

    environment = {**os.environ, "MPLBACKEND": "Agg", "SCIPY_ARRAY_API": "1"}
    command = [sys.executable, "-W", "error:::agnograd", "-c", RUN, str(example)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = claimed(example)
    if not cupy_cpu.real_gpu() and cupy_cpu.unsupported() is not None:
        expected -= {"cupy"}
    told = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    lines = {name.rstrip(":"): text for name, text in told.items() if name.rstrip(":") in NAMES.values()}
    assert lines.keys() == expected
    # All that is told but rounding errors, such as 1e-16, is the same everywhere.
    rounded = {name: re.sub(r"\b\d(\.\d)?e[-+]\d\d\b", "", text) for name, text in lines.items()}
    assert len(set(rounded.values())) == 1, lines
    assert all(float(size) < 1e-9 for text in lines.values() for size in re.findall(r"\b\d(?:\.\d)?e[-+]\d\d\b", text))
