"""No function of a namespace lets raw arrays out: `test_matrix.test_value` shows it for the operations."""

import pytest

import agnograd as ag
from agnograd.core.table import OPS

# Called with arguments that make an array.
CREATE = {
    "arange": (3,),
    "asarray": ([1.0, 2.0],),
    "empty": (2,),
    "eye": (2,),
    "full": (2, 1.5),
    "linspace": (0.0, 1.0, 3),
    "ones": (2,),
    "zeros": ((2, 3),),
}
ON_ARRAYS = {"empty_like", "meshgrid", "from_dlpack"}
# Answers about dtypes, shapes and devices, and what the engine asks.
NO_ARRAYS = {
    *("broadcast_shapes", "can_cast", "device", "fft", "finfo", "iinfo", "isdtype", "linalg", "result_type"),
    *("floats", "reals", "e", "inf", "nan", "newaxis", "pi"),
}


def is_dtype(xp, name):
    return name == "bool" or name.startswith(("int", "uint", "float", "complex"))


def test_every_name_is_accounted_for(agnograd_xp):
    # Installed plugins may be loaded by now, and have packages of their own.
    plugins = {n.partition(".")[0] for n in OPS if ag.plugins.manager.provider(n) != "agnograd"}
    names = {n for n in dir(agnograd_xp) if n not in OPS and not (is_dtype(agnograd_xp, n) and n != "floats")}
    names -= plugins
    assert names == {*CREATE, *ON_ARRAYS, *NO_ARRAYS}


@pytest.mark.parametrize("name", CREATE)
def test_creation_gives_tensors(agnograd_xp, name):
    assert type(getattr(agnograd_xp, name)(*CREATE[name])) is ag.Tensor


def test_functions_of_arrays_give_tensors(agnograd_xp):
    x = agnograd_xp.asarray([1.0, 2.0])
    assert [type(y) for y in agnograd_xp.meshgrid(x, x)] == [ag.Tensor] * 2
    assert type(agnograd_xp.empty_like(x)) is ag.Tensor


def test_dlpack_gives_a_tensor():
    xp = ag.namespace("numpy")
    assert type(xp.from_dlpack(xp.ones(2))) is ag.Tensor
