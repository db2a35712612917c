"""Names of PyTorch, NumPy and JAX that are not here: what is said is right, and ``hasattr`` says no."""

from __future__ import annotations

import inspect
from functools import reduce

import pytest

import agnograd as ag
from agnograd import elsewhere
from agnograd.errors import UnknownBackendError
from agnograd.interop.absent_methods import METHODS


@pytest.mark.parametrize("name", sorted(elsewhere.RENAMED))
def test_the_name_that_is_told_is_there(name):
    for owner in (ag, ag.namespace("numpy")):
        assert callable(reduce(getattr, elsewhere.RENAMED[name].split("."), owner))
        with pytest.raises(AttributeError, match=rf"has no attribute '{name}'.*{elsewhere.RENAMED[name]}$"):
            getattr(owner, name)


@pytest.mark.parametrize("name", sorted(set(elsewhere.OTHERWISE) - {"float", "norm"}))
def test_what_to_write_is_told(name):
    with pytest.raises(AttributeError, match=rf"^module 'agnograd' has no attribute '{name}': "):
        getattr(ag, name)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_no_tensor_has_these_methods(name):
    x = ag.tensor([1.0])
    assert not hasattr(x, name)
    assert not hasattr(ag.Tensor, name)
    assert name not in dir(x)
    with pytest.raises(AttributeError, match=f"'Tensor' object has no attribute '{name}': ") as caught:
        getattr(x, name)
    assert (caught.value.name, caught.value.obj is x) == (name, True)


def test_inspecting_the_class_shows_none_of_them():
    assert not METHODS & {name for name, value in inspect.getmembers(ag.Tensor) if callable(value)}


@pytest.mark.parametrize(("name", "here"), [("dim", "axis"), ("keepdim", "keepdims")])
def test_parameters_are_told_by_their_name_here(name, here):
    with pytest.raises(TypeError, match=rf"has no parameter '{name}' \(here it is '{here}'\)"):
        ag.sum(ag.ones(2), **{name: 0})


def test_the_plugin_of_a_backend_is_told():
    with pytest.raises(UnknownBackendError, match="pip install agnograd-torch"):
        ag.namespace("pytorch")


def test_a_gpu_is_another_backend():
    with pytest.raises(ValueError, match="cuda") as caught:
        ag.ones(2, device="cuda")
    assert "agnograd.use_backend('cupy')" in caught.value.__notes__[0]


def test_a_static_argument_is_told_by_its_type():
    f = ag.compile(lambda x, n: x * n[0], static_argnums=1)
    with pytest.raises(TypeError, match="static argument of type list, which is not hashable"):
        f(ag.ones(2), [1, 2])


def test_an_argument_by_keyword_can_be_named():
    with pytest.raises(TypeError, match="argnums='x'"):
        ag.grad(lambda x: ag.sum(x))(x=ag.ones(2))
    assert ag.grad(lambda x: ag.sum(x), argnums="x")(x=ag.ones(2)).tolist() == [1.0, 1.0]
