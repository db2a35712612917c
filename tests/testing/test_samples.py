import numpy as np
import pytest

from agnograd.core.sample import Sample, Uniform
from agnograd.core.table import OPS
from agnograd.testing import build, cases, rows
from agnograd.testing.samples import draw

ADD = OPS["add"]


def test_ids_are_unique_and_stable():
    for op in {case.op.name for case in cases()}:
        ids = [case.id for case in cases(op)]
        assert len(ids) == len(set(ids))
    assert [case.id for case in cases("getitem")][:3] == ["3x4-key=1", "3x4-key=(0:2,:)", "3x4-key=(...,0)"]


def test_values_do_not_depend_on_the_row():
    host = cases("multiply")[0].build(rows(["numpy"])[0])
    again = cases("multiply")[0].build(rows(["numpy"])[0])
    for a, b in zip(host.arrays, again.arrays, strict=True):
        assert np.array_equal(a, b)


def test_values_stay_in_their_interval_and_apart():
    sample = Sample((Uniform(0.5, 2.0, (4, 5)), Uniform(0.5, 2.0, (7,)), Uniform(0.5, 2.0, kind="complex")))
    a, b, c = draw(ADD, sample)
    values = np.sort(np.concatenate([a.reshape(-1), b, c.real, c.imag]))
    assert values[0] >= 0.5
    assert values[-1] <= 2.0
    assert np.diff(values).min() > 1e-3


@pytest.mark.parametrize("row", rows(["numpy", "strict"]), ids=lambda row: row.name)
def test_arguments_are_of_the_row(row):
    precision = row.precisions[0]
    made = build(ADD, Sample((Uniform(), [[1, 2]], 1.5, [True], Uniform(kind="complex"))), row, precision)
    x, n, number, b, z = made.arrays
    assert number == 1.5
    assert str(x.dtype).endswith(precision)
    assert str(n.dtype).endswith("int64")
    assert str(b.dtype).endswith("bool")
    assert str(z.dtype).endswith({"float64": "complex128", "float32": "complex64"}[precision])
    if row.device:
        assert all(str(a.device) == f"Device('{row.device}')" or row.device in str(a.device) for a in (x, n, b, z))


def test_parameters_are_of_the_row():
    row = next(r for r in rows(["strict"]) if r.name == "strict-no_float64")
    op = OPS["astype"]
    made = build(
        op, Sample((Uniform(),), {"dtype": "float64", "device": "same", "key": ([0, 1], slice(1))}), row, "float32"
    )
    assert str(made.params["dtype"]).endswith("float32")
    assert made.params["device"] == row.place()
    key, rest = made.params["key"]
    assert key.shape == (2,)
    assert rest == slice(1)


def test_few_samples_keep_real_complex_and_edges():
    few = cases("pow", few=True)
    assert [case.id for case in few][:2] == ["3,3", "c3,c3"]
    assert sum(case.is_edge for case in few) == sum(case.is_edge for case in cases("pow"))


def test_numpy_arguments_cannot_be_written():
    (x, *_) = cases("exp")[0].build(rows(["numpy"])[0]).arrays
    with pytest.raises(ValueError, match="read-only"):
        x += 1
