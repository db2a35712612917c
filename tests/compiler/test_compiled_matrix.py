"""Every operation of the table, compiled: value, VJP and JVP are those of eager runs, bit for bit.

By default each operation runs with its first sample; the others with
``python -m pytest -m slow tests/compiler/test_compiled_matrix.py``. CuPy's are in tests/on_cupy/test_compiled.py.
"""

import pytest
from compiled_cases import check, samples

from agnograd.testing.matrix import rows

ROW = rows(["numpy"])[0]


@pytest.mark.parametrize("case", samples(first=True), ids=lambda c: f"{c.op.name}-{c.id}")
def test_first_sample(case):
    check(case, ROW)


@pytest.mark.slow
@pytest.mark.parametrize("case", samples(first=False), ids=lambda c: f"{c.op.name}-{c.id}")
def test_other_samples(case):
    check(case, ROW)
