"""Every operation of the table, compiled: value, VJP and JVP are those of eager runs, bit for bit.

By default each operation runs with its first sample; the others with
``python -m pytest -m slow tests/compiler/test_compiled_matrix.py``.
"""

import numpy as np
import pytest

import agnograd as ag
from agnograd.autograd.hosts import compute
from agnograd.core.op import Op
from agnograd.core.table import OPS
from agnograd.errors import TraceError
from agnograd.namespaces import namespace
from agnograd.tensors import Tensor
from agnograd.testing import cases
from agnograd.testing.gradcheck import leaves
from agnograd.testing.matrix import DOUBLE, rows

ROW = rows(["numpy"])[0]

# Shapes that depend on values: refused, with the reason.
REFUSED = {"nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"}


def samples(first):
    names = [name for name, op in OPS.items() if op.samples and not op.changes_backend]
    found = [cases(name) for name in names]
    return [c for all_of in found for k, c in enumerate(all_of) if (k == 0) == first]


def assert_same_bits(a, b):
    a, b = compute(leaves(a)), compute(leaves(b))
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        assert x.tobytes() == y.tobytes(), (x, y)


def check(case):
    made = case.build(ROW, DOUBLE)
    everything = [i for i, x in enumerate(made.arrays) if hasattr(x, "dtype")]
    function = namespace_function(case.op)
    f = made.function(function, only=everything)
    compiled = ag.compile(f)
    arrays = [Tensor(made.arrays[i], None) for i in everything]
    with np.errstate(all="ignore"):
        if case.op.name in REFUSED or (case.op.name == "repeat" and len(everything) == 2):
            with pytest.raises(TraceError, match="depends on values"):
                compiled(*arrays)
            return
        expected = f(*arrays)
        # The program, and not its first run alone.
        compiled(*arrays)
        assert_same_bits(compiled(*arrays), expected)
        if case.op.tier == "none":
            return
        f = made.function(function)
        compiled = ag.compile(f)
        primals = tuple(made.primals)
        value, pullback = ag.vjp(f, *primals)
        value2, pullback2 = ag.vjp(compiled, *primals)
        assert_same_bits(value2, value)
        ones = like(value)
        pullback2(ones)
        assert_same_bits(pullback2(ones), pullback(ones))
        assert_same_bits(ag.jvp(compiled, primals, primals), ag.jvp(f, primals, primals))


def like(value):
    from agnograd import tree

    return tree.map(lambda x: np.ones(x.shape, x.dtype) if carries(x) else None, value)


def carries(x):
    return np.asarray(x.detach() if hasattr(x, "detach") else x).dtype.kind in "fc"


def namespace_function(op: Op):
    found = namespace("numpy")
    for part in op.name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("case", samples(first=True), ids=lambda c: f"{c.op.name}-{c.id}")
def test_first_sample(case):
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", samples(first=False), ids=lambda c: f"{c.op.name}-{c.id}")
def test_other_samples(case):
    check(case)
