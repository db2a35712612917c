"""What backends cannot do: the only place where a test of the table is expected to fail.

The tests of this repository read it, docs/operations.md is written from it, and `python -m agnograd check` counts what
it names as known, on any machine.

A key is ``(backend or row, operation, test, sample)``, where an empty test or sample stands for all of them. The reason
says whose limitation it is. Every row of the table is a strict xfail: what starts to work fails until it is removed.
"""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """Where a limitation shows."""

    backend: str
    op: str
    test: str = ""
    sample: str = ""


_FANCY = "array-api-strict assigns to no array of indices: the standard leaves that out"
_FANCY_BESIDE_SLICES = "array-api-strict wants an index for each axis beside arrays of indices, as the standard does"
_REPEATS = (
    "on dask the shape of a result that is repeated by an array is unknown until it is computed, and a cotangent of "
    "known shape, as this test has it, is refused: one that comes from the result passes, as does any within "
    "agnograd.backends.dask_indexing.known_shapes()"
)
_REPEATS_SHAPE = (
    "the shape of a result that is repeated by an array depends on data: the operation runs in forward mode, where the "
    "test allows rules only"
)
_REPEATS_LENGTH = (
    "on dask the shape of a result that is repeated by an array is unknown until it is computed, in a batch as well"
)
_REPEATS_BATCHED = (
    "the shape of a result that is repeated by an array depends on data: the operation runs where the test allows "
    "batching rules only"
)
_NOT_IN_CUPY = "cupyx.scipy.special has no such function"
_NO_SPARSE_SOLVER = "agnograd-scipy binds no solver of sparse systems for CuPy, and solves none as a dense one"
_REAL_IN_CUPY = "cupyx.scipy.special has this function of real numbers only"
_BY_ARRAY = ("2x3,[2,0,3]-axis=1", "2x3,[0,2]-axis=-2", "3,[1,3,0]", "3,[2]", "c2x3,[1,0,2]-axis=1")
_LACKING_IN_CUPY = ("hyp1f1", "hyp2f1", "iv", "ive", "jn", "jv", "kv", "kve", "spence", "yv")

# Prefixes of operations that come with distributions under plugins/: their rows count where these are installed.
PLUGINS = ("scipy", "special")

GAPS: dict[Key, str] = {
    Key("strict", "setitem", sample="3,2-key=[2,0]"): _FANCY,
    **{
        Key("dask", "repeat", test, sample): _REPEATS
        for sample in _BY_ARRAY
        for test in ("test_first_order", "test_single_precision", "test_second_order")
    },
    **{
        Key(backend, "repeat", test, sample): _REPEATS_SHAPE
        for backend in ("strict", "cupy")
        for sample in _BY_ARRAY
        for test in ("test_first_order", "test_single_precision")
    },
    **{
        Key("dask", "repeat", test, sample): _REPEATS_LENGTH
        for sample in _BY_ARRAY
        for test in ("test_batched", "test_batched_derivatives")
    },
    **{
        Key(backend, "repeat", test, sample): _REPEATS_BATCHED
        for backend in ("strict", "cupy")
        for sample in _BY_ARRAY
        for test in ("test_batched", "test_batched_derivatives", "test_batched_twice")
    },
    **{Key("cupy", f"special.{name}"): _NOT_IN_CUPY for name in _LACKING_IN_CUPY},
    Key("cupy", "scipy.sparse.solve"): _NO_SPARSE_SOLVER,
    **{
        Key("cupy", f"special.{name}", sample="c3"): _REAL_IN_CUPY
        for name in ("erf", "erfc", "erfcx", "exp1", "expi", "log_ndtr", "ndtr")
    },
}


# Calls of the conformance tests, by backend.
CALLS: dict[tuple[str, str], str] = {
    ("strict", "written(x, i3, 3.0)"): _FANCY,
    **{
        ("strict", call): _FANCY_BESIDE_SLICES
        for call in ("x[i3]", "x[:, i3]", "t[:, i3, i3]", "t[i3 % 2, :, i3]", "t[0, i3, :2]")
    },
    ("numpy", "xp.tanh(infinite)"): "NumPy's sign of the zero is that of a sine; every tanh would pay for a look at it",
    ("strict", "xp.can_cast(n.dtype, xp.float64)"): "the standard promotes no integer to a float, NumPy does",
}


def reason(row: str, backend: str, op: str, test: str, sample: str) -> str | None:
    """Why a test is expected to fail; None if it is not."""
    for place in (row, backend):
        for detail in ((test, sample), (test, ""), ("", sample), ("", "")):
            found = GAPS.get(Key(place, op, *detail))
            if found is not None:
                return found
    return None
