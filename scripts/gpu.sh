#!/usr/bin/env bash
# What to run on a machine with an NVIDIA GPU, whose CuPy the tests otherwise run on the CPU:
#
#     python -m pip install -e '.[test]' && scripts/gpu.sh
#
# Prints what is here, runs the tour on the GPU, and then benchmarks/gpu_check.py: the whole matrix with
# all samples, launches and memory against what the emulator predicts, times against other libraries
# where they are installed. Options go to the latter. Everything must be installed already: nothing is
# downloaded here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python - <<'PYTHON'
import sys

sys.path.insert(0, "tests")
import cupy_cpu

if not cupy_cpu.real_gpu():
    sys.exit("there is no NVIDIA GPU here: `python -m pytest` runs CuPy on the CPU instead")

import cupy

for i in range(cupy.cuda.runtime.getDeviceCount()):
    print(f"device {i}: {cupy.cuda.runtime.getDeviceProperties(i)['name'].decode()}, CuPy {cupy.__version__}")
PYTHON
python -m agnograd backends
python -m agnograd tour --backend cupy
python -m benchmarks.gpu_check "$@"
