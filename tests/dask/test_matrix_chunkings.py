"""Every operation of the table on dask arrays in several chunkings, against NumPy: values, gradients and tangents.

Nothing is computed while graphs are built, gradients have the chunks of their arrays, dtypes and shapes are known
before values are, and no gradient takes many more tasks than its function.

A share runs by default. All operations with all their samples in all chunkings::

    python -m pytest -m slow tests/dask/test_matrix_chunkings.py

with the 20 gradients of most tasks for those of their functions at the end of what it prints (``-s``).
"""

import functools
import sys
from dataclasses import dataclass

import pytest

from agnograd import jvp, plugins, vjp
from agnograd.autograd.hosts import compute
from agnograd.testing import cases
from agnograd.testing.gradcheck import leaves, rebuild
from agnograd.testing.matrix import Row, count_computes, rows

da = pytest.importorskip("dask.array")
np = pytest.importorskip("numpy")

CHUNKINGS = ("single", "even", "uneven", "one element")


def chunks(n, chunking):
    """The sizes of chunks along an axis of n elements."""
    if n < 2 or chunking == "single":
        return (n,)
    if chunking == "one element":
        return (1,) * n
    if chunking == "even":
        return (2,) * (n // 2) + (1,) * (n % 2)
    return (1, n - 1) if n < 4 else (1, n - 3, 2)


@dataclass(frozen=True)
class ChunkedRow(Row):
    """Dask's row of the matrix, in chunks of one's choice."""

    chunking: str = "single"

    def asarray(self, host):
        return da.from_array(host, chunks=tuple(chunks(n, self.chunking) for n in host.shape))


def weights(x):
    """Values that count up, in the shape of `x`."""
    return (np.arange(x.size) % 3 - 0.5).reshape(x.shape).astype(x.dtype)


def derivatives(made, row, shapes=None):
    """Values, gradients and tangents, for weights in the shapes of values."""
    if not made.positions:
        return leaves(made.function()()), [], []
    f, primals = made.function(), tuple(made.primals)
    value, pullback = vjp(f, *primals)
    values = leaves(value)
    # Where a size depends on data, the cotangent is computed from it, too.
    own = made.op.name in OF_UNKNOWN_SIZE
    cotangents = values if own else [row.asarray(weights(y)) for y in shapes or values]
    gradients = pullback(rebuild(value, cotangents))
    _, tangent = jvp(f, primals, tuple(row.asarray(weights(made.host[i])) for i in made.positions))
    return values, list(gradients), leaves(tangent)


@functools.cache
def reference(case):
    row = rows(["numpy"])[0]
    with np.errstate(all="ignore"):
        return derivatives(case.build(row), row)


def tasks(arrays):
    """How many tasks computing arrays together takes, after dask has put together those that it can."""
    from dask.base import collections_to_expr

    lazy = [x for x in arrays if hasattr(x, "dask")]
    return len(dict(collections_to_expr(lazy).optimize().__dask_graph__())) if lazy else 0


def check(op, chunking, *, few=False):
    """The number of runs, and for each how many tasks the function and its gradients take."""
    row = ChunkedRow("dask", "dask", chunking=chunking)
    chosen = cases(op, few=few)
    built, counts = [], {}
    for case in chosen:
        made = case.build(row)
        wanted = reference(case)
        with count_computes() as computes:
            found = derivatives(made, row, wanted[0])
        assert computes == [0], case.id
        for g, x in zip(found[1], made.primals, strict=True):
            assert g.chunks == x.chunks, case.id
        counts[case.id] = tasks(found[0]), tasks(found[1])
        built.append(found)
    with np.errstate(all="ignore"):
        computed = compute(built)
    for case, lazy, found in zip(chosen, built, computed, strict=True):
        for what, promised, got, wanted in zip(
            ("value", "gradient", "tangent"), lazy, found, reference(case), strict=True
        ):
            assert len(got) == len(wanted)
            for promise, a, b in zip(promised, got, wanted, strict=True):
                assert (promise.dtype, promise.ndim) == (a.dtype, a.ndim)
                assert all(n in {m, None} or n != n for m, n in zip(a.shape, promise.shape, strict=True))
                assert (a.shape, a.dtype) == (np.shape(b), b.dtype), (case.id, what)
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=f"{case.id}: {what}")
    return counts


# Going over to another library computes; that is what it is for.
NAMES = [name for name, op in plugins.manager.operations().items() if not op.changes_backend]
OF_UNKNOWN_SIZE = {"repeat"}

# Operations whose kernels on dask are its own or ours, and not those of elements: each on a few samples.
SHARE = [
    *("concat", "cumulative_sum", "einsum", "getitem", "pad", "prod", "repeat", "reshape", "scatter_add", "setitem"),
    *("softmax", "sort", "take_along_axis", "tensordot", "unique_all", "fft.rfft", "linalg.det", "linalg.trace"),
]


@pytest.mark.parametrize("name", SHARE)
def test_share(name):
    check(name, "uneven", few=True)


found_tasks = {}


@pytest.mark.slow
@pytest.mark.parametrize("chunking", CHUNKINGS)
@pytest.mark.parametrize("name", NAMES)
def test_all(name, chunking):
    for case, counts in check(name, chunking).items():
        found_tasks[name, case, chunking] = counts


# A gradient runs parts of its function again, once for each argument, and sums what was broadcast over all chunks.
MOST = 30
# A function of one task that stands for some forty operations, of which its derivative is made: the second derivative
# of a determinant.
MORE = {"cofactors": 80}


@pytest.mark.slow
def test_task_counts():
    """What was counted in evenly chunked arrays, where the function has more than a few tasks."""
    ratios = sorted(
        ((back / forward, back, forward, key) for key, (forward, back) in found_tasks.items() if key[2] == "even"),
        key=lambda row: row[0],
        reverse=True,
    )
    for ratio, back, forward, key in ratios[:20]:
        sys.stdout.write(f"{ratio:6.1f} = {back:4} / {forward:3} tasks: {' '.join(key)}\n")
    assert all(ratio <= MORE.get(key[0], MOST) for ratio, *_, key in ratios)
