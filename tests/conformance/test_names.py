"""Every name of the standard, with its parameters, in the namespaces of tensors and on tensors."""

import inspect
import math
from pathlib import Path
from typing import NamedTuple

import pytest

import agnograd as ag
from agnograd.inspection import FloatLimits, IntegerLimits


class Row(NamedTuple):
    """A name of the standard: see the head of standard.tsv."""

    part: str
    name: str
    derivative: str
    parameters: str = ""


LINES = (Path(__file__).parent / "standard.tsv").read_text().splitlines()[1:]
STANDARD = [Row(*line.split("\t")) for line in LINES]
FUNCTIONS = [row for row in STANDARD if row.part in ("main", "linalg", "fft")]
REFLECTED = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift"]


def named(rows):
    return pytest.mark.parametrize("row", rows, ids=[f"{row.part}-{row.name}" for row in rows])


def part_of(xp, part):
    return {"main": xp, "info": xp.__array_namespace_info__()}.get(part) or getattr(xp, part)


def parameters(function, by_keyword=()):
    """Parameters by position, then those by keyword in no order; `by_keyword` names more of these."""
    found = inspect.signature(function).parameters.values()
    keywords = {p.name for p in found if p.kind is p.KEYWORD_ONLY} | set(by_keyword)
    positional = [(p.name, p.kind, p.default) for p in found if p.name not in keywords]
    return positional, {p.name: p.default for p in found if p.name in keywords}


def declared(row):
    return eval(f"lambda {row.parameters[1:-1]}: None")


def test_the_table_is_the_whole_standard():
    assert len(FUNCTIONS) == 174
    assert len(STANDARD) == len(set(STANDARD)) == 242 - 1


@named(FUNCTIONS)
def test_functions(agnograd_xp, row):
    function = getattr(part_of(agnograd_xp, row.part), row.name)
    positional, keywords = parameters(declared(row))
    # A keyword of the standard may be given by position, too.
    assert parameters(function, keywords) == (positional, keywords)
    assert function.__name__ == row.name
    assert function.__doc__


@named([row for row in STANDARD if row.part == "array"])
def test_members_of_arrays(agnograd_xp, row):
    member = inspect.getattr_static(ag.Tensor, row.name)
    if not row.parameters:
        getattr(agnograd_xp.ones((2, 2)), row.name)
        return
    # Operators are called by Python, which knows no names.
    assert parameters(member)[1] == parameters(declared(row))[1]


@pytest.mark.parametrize("operator", REFLECTED)
def test_operators_are_there_reflected_and_in_place(operator):
    for form in ("", "r", "i"):
        assert callable(getattr(ag.Tensor, f"__{form}{operator}__"))


@named([row for row in STANDARD if row.part == "info" and row.name != "__array_namespace_info__"])
def test_inspection(agnograd_xp, row):
    function = getattr(part_of(agnograd_xp, "info"), row.name)
    assert list(inspect.signature(function).parameters) == list(inspect.signature(declared(row)).parameters)


def test_what_inspection_answers(agnograd_xp):
    xp = agnograd_xp
    info = xp.__array_namespace_info__()
    assert {"boolean indexing", "data-dependent shapes", "max dimensions"} <= set(info.capabilities())
    assert set(info.default_dtypes()) == {"real floating", "complex floating", "integral", "indexing"}
    assert {name: getattr(xp, name) for name in info.dtypes()} == info.dtypes()
    assert set(info.dtypes(kind="complex floating")) == {"complex64", "complex128"}
    for device in info.devices():
        # Dask lists a second one, for what is computed elsewhere, and says of all arrays in memory that they are here.
        assert xp.empty((2,), device=device, dtype=xp.float32).device in info.devices()


def test_constants_and_dtypes(agnograd_xp):
    xp = agnograd_xp
    assert (xp.e, xp.pi, xp.inf, xp.newaxis) == (math.e, math.pi, math.inf, None)
    assert math.isnan(xp.nan)
    dtypes = [row.name for row in STANDARD if row.part == "dtypes" and row.name != "__eq__"]
    for name in dtypes:
        found = [other for other in dtypes if getattr(xp, other) == getattr(xp, name)]
        assert found == [name]
        assert xp.zeros((1,), dtype=getattr(xp, name)).dtype == getattr(xp, name)


@pytest.mark.parametrize("version", ["2024.12", "2025.12"])
def test_versions_on_request(agnograd_xp, version):
    assert agnograd_xp.ones(1).__array_namespace__(api_version=version) is agnograd_xp
    assert agnograd_xp.__array_api_version__ == "2025.12"


def test_limits_are_plain_numbers(agnograd_xp):
    xp = agnograd_xp
    expected = FloatLimits(32, 2.0**-23, (2 - 2.0**-23) * 2.0**127, -(2 - 2.0**-23) * 2.0**127, 2.0**-126, xp.float32)
    for given in (xp.float32, xp.complex64, xp.ones(1, dtype=xp.float32), xp.ones(1, dtype=xp.complex64).dtype):
        limits = xp.finfo(given)
        assert limits == expected
        assert {type(getattr(limits, name)) for name in ("eps", "max", "min", "smallest_normal")} == {float}
    for given in (xp.int16, xp.ones(1, dtype=xp.int16)):
        limits = xp.iinfo(given)
        assert limits == IntegerLimits(16, 2**15 - 1, -(2**15), xp.int16)
        assert {type(getattr(limits, name)) for name in ("bits", "max", "min")} == {int}
