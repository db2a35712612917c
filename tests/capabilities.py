"""What backends cannot do: the only place where a test is expected to fail.

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
_EMPTY = "dask takes the maximum and minimum of each chunk before it combines them, and an empty chunk has none"
_ND = "dask indexes with one array of indices at a time"
_RESHAPE = "dask does not reshape axes that neither merge nor split evenly, unless they are in one chunk"
_REPEATS = "dask repeats by a number only: the shape would depend on data"
_REPEATS_SHAPE = (
    "the shape of a result that is repeated by an array depends on data: the operation runs in forward mode, where the "
    "test allows rules only"
)
_INVERT = "array-api-strict 2.6 leaves invert out of account"
_NO_ELEMENTS = "dask numbers the elements by a reshape, which it refuses where there are none"
_BY_ARRAY = ("2x3,[2,0,3]-axis=1", "2x3,[0,2]-axis=-2", "3,[1,3,0]", "3,[2]", "c2x3,[1,0,2]-axis=1")

GAPS: dict[Key, str] = {
    Key("strict", "setitem", sample="3,2-key=[2,0]"): _FANCY,
    Key("dask", "getitem", sample="3x4-key=([0,2,0],[3,1,3])"): _ND,
    # The value is put in by one scatter; to take it back is to index.
    **{
        Key("dask", "embed", test, "3-key=([1,0,1],[2,3,2])-shape=(3,4)"): _ND
        for test in ("test_first_order", "test_second_order", "test_single_precision", "test_backward")
    },
    # A gradient without elements is right even so.
    **{
        Key("dask", op, test, "0x3-axis=1"): _EMPTY
        for op in ("max", "min")
        for test in ("test_value", "test_first_order", "test_single_precision")
    },
    Key("dask", "reshape", sample="2x3-shape=(3,2)"): _RESHAPE,
    **{Key("dask", "repeat", sample=sample): _REPEATS for sample in _BY_ARRAY},
    **{
        Key(backend, "repeat", test, sample): _REPEATS_SHAPE
        for backend in ("strict", "cupy")
        for sample in _BY_ARRAY
        for test in ("test_first_order", "test_single_precision")
    },
    Key("strict", "isin", sample="[1,2,3],[[2,5],[1,1]]-invert=True"): _INVERT,
    Key("dask", "nonzero", sample="0x3"): _NO_ELEMENTS,
}


def reason(row: str, backend: str, op: str, test: str, sample: str) -> str | None:
    """Why a test is expected to fail; None if it is not."""
    for place in (row, backend):
        for detail in ((test, sample), (test, ""), ("", sample), ("", "")):
            found = GAPS.get(Key(place, op, *detail))
            if found is not None:
                return found
    return None
