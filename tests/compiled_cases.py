"""Samples of operations, compiled and eager: what the tests of each backend that compiles share."""

import numpy as np
import pytest

import agnograd as ag
from agnograd import tree
from agnograd.core.table import OPS
from agnograd.errors import TraceError
from agnograd.namespaces import namespace
from agnograd.tensors import Tensor
from agnograd.testing import cases
from agnograd.testing.gradcheck import leaves
from agnograd.testing.matrix import DOUBLE

# Shapes that depend on values: refused, with the reason.
REFUSED = {"nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"}


def samples(first):
    names = [name for name, op in OPS.items() if op.samples and not op.changes_backend]
    found = [cases(name) for name in names]
    return [c for all_of in found for k, c in enumerate(all_of) if (k == 0) == first]


def raw(x):
    return x.detach().array if hasattr(x, "detach") else x


def assert_same_bits(a, b, to_host=np.asarray):
    a, b = leaves(a), leaves(b)
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        x, y = to_host(raw(x)), to_host(raw(y))
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        assert x.tobytes() == y.tobytes(), (x, y)


def check(case, row, to_host=np.asarray):
    """Value, VJP and JVP of an operation, compiled, are those of eager runs."""

    def same(a, b):
        assert_same_bits(a, b, to_host)

    made = case.build(row, DOUBLE)
    everything = [i for i, x in enumerate(made.arrays) if hasattr(x, "dtype")]
    function = function_of(case.op, row.backend)
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
        same(compiled(*arrays), expected)
        if case.op.tier == "none" or not made.primals:
            return
        f = made.function(function)
        compiled = ag.compile(f)
        primals = tuple(made.primals)
        value, pullback = ag.vjp(f, *primals)
        value2, pullback2 = ag.vjp(compiled, *primals)
        same(value2, value)
        ones = tree.map(lambda x: row.space.ones_like(raw(x)) if carries(x) else None, value)
        pullback2(ones)
        same(pullback2(ones), pullback(ones))
        same(ag.jvp(compiled, primals, primals), ag.jvp(f, primals, primals))


def carries(x):
    return np.dtype(x.dtype).kind in "fc"


def function_of(op, backend):
    found = namespace(backend)
    for part in op.name.split("."):
        found = getattr(found, part)
    return found
