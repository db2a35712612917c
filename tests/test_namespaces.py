"""Namespaces, the default backend, and the functions of the top level."""

from __future__ import annotations

import asyncio
import copy
import math
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import agnograd as ag
from agnograd.core.table import OPS, spaces
from agnograd.creation import CREATION
from agnograd.errors import AgnogradError, GradientLostError, MixedBackendsError
from agnograd.namespaces import API_VERSIONS, DTYPES


@pytest.fixture
def xp(agnograd_xp):
    return agnograd_xp


@pytest.fixture
def module(agnograd_backend):
    """The backend's own namespace, of raw arrays."""
    return spaces.named(agnograd_backend).module


def in_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


# -- one namespace for each backend ------------------------------------------------------------------------------------


def test_there_is_one_namespace_for_each_backend_whoever_is_asked(xp, agnograd_backend):
    assert ag.namespace(agnograd_backend) is xp
    t = xp.ones(2)
    assert t.__array_namespace__() is xp
    assert t.requires_grad_().sum().__array_namespace__() is xp
    seen = []
    ag.grad(lambda x: (seen.append(x.__array_namespace__()), x.sum())[1])(t)
    ag.jvp(lambda x: (seen.append(x.__array_namespace__()), x)[1], (t.detach(),), (t.detach(),))
    assert [namespace is xp for namespace in seen] == [True, True]
    assert in_thread(lambda: ag.namespace(agnograd_backend)) is xp


def test_creation_functions_beside_the_table(xp, agnograd_backend):
    empty = xp.empty_like(xp.ones((2, 3)), dtype=xp.float32)
    assert (empty.shape, empty.dtype) == ((2, 3), xp.float32)
    for name, expected in (("fftfreq", [0.0, 0.25, -0.5, -0.25]), ("rfftfreq", [0.0, 0.25, 0.5])):
        made = getattr(xp.fft, name)(4)
        assert isinstance(made, ag.Tensor)
        assert made.tolist() == expected
        assert name in dir(xp.fft)
    assert pickle.loads(pickle.dumps(xp.fft)) is xp.fft


def test_namespaces_are_hashable_copied_and_pickled_as_themselves(xp, agnograd_backend):
    assert {xp: 1}[ag.namespace(agnograd_backend)] == 1
    for again in (copy.copy(xp), copy.deepcopy(xp), pickle.loads(pickle.dumps(xp))):
        assert again is xp
    assert pickle.loads(pickle.dumps(xp.sin)) is xp.sin
    assert pickle.loads(pickle.dumps(xp.linalg)).matmul is xp.linalg.matmul


def test_the_name_of_a_namespace_is_no_librarys(xp, agnograd_backend):
    assert xp.__name__ == f"agnograd.namespaces.{agnograd_backend}"
    assert "marray" not in xp.__name__
    assert repr(xp) == f"<array namespace 'agnograd.namespaces.{agnograd_backend}'>"
    assert xp.linalg.__name__ == f"{xp.__name__}.linalg"


@pytest.mark.parametrize("version", [*API_VERSIONS, None])
def test_versions_of_the_standard(xp, version):
    assert xp.ones(2).__array_namespace__(api_version=version) is xp
    assert xp.__array_api_version__ == API_VERSIONS[-1]


def test_an_unknown_version_of_the_standard():
    with pytest.raises(ValueError, match=r"api_version '2019\.12' is not known: 2021\.12, 2022\.12"):
        ag.ones(2).__array_namespace__(api_version="2019.12")


def test_a_namespace_lists_what_it_has(xp):
    names = dir(xp)
    assert names == sorted(set(names))
    assert {"sin", "asarray", "zeros", "float64", "pi", "linalg", "fft", "isdtype", "matmul"} <= set(names)
    for name in names:
        getattr(xp, name)
    assert not [name for name in names if name.startswith("_")]
    for name in dir(xp.linalg):
        getattr(xp.linalg, name)


def test_a_namespace_has_the_backends_dtypes_and_the_constants(xp, module):
    for name in DTYPES:
        if hasattr(module, name):
            assert getattr(xp, name) == getattr(module, name)
    assert (xp.pi, xp.e, xp.inf, xp.newaxis) == (math.pi, math.e, math.inf, None)
    assert math.isnan(xp.nan)


def test_inspection(xp, module):
    assert xp.isdtype(xp.float32, "real floating")
    assert not xp.isdtype(xp.int64, ("real floating", "complex floating"))
    assert xp.can_cast(xp.ones(2), xp.float64)
    assert xp.finfo(xp.ones(2, dtype=xp.float32)).bits == 32
    assert xp.iinfo(xp.int8).max == 127
    assert xp.result_type(xp.ones(2, dtype=xp.float32), xp.float64) == xp.float64
    info = xp.__array_namespace_info__()
    assert info.default_dtypes()["real floating"] == xp.ones(2).dtype
    assert xp.broadcast_shapes((2, 1), (3,), ()) == (2, 3)
    with pytest.raises(ValueError, match=r"shapes \(2,\), \(3,\) do not broadcast: axis 0 has sizes 2 and 3"):
        xp.broadcast_shapes((2,), (3,))


# -- arrays from data --------------------------------------------------------------------------------------------------


def test_asarray_gives_a_tensor_back(xp):
    t = xp.ones(2).requires_grad_()
    assert xp.asarray(t) is t
    assert xp.asarray(t, copy=False) is t
    assert xp.asarray(t, dtype=t.dtype, device=t.device) is t
    copied = xp.asarray(t, copy=True)
    assert copied is not t
    assert copied.grad_fn is not None
    cast = xp.asarray(t, dtype=xp.float32)
    assert cast.dtype == xp.float32
    cast.sum().backward()
    assert t.grad.dtype == t.dtype


def test_asarray_takes_the_backends_arrays_numbers_and_lists(xp, module):
    raw = module.asarray([1.0, 2.0])
    for given, expected in ((raw, [1.0, 2.0]), (3.0, 3.0), (True, True), ([[1, 2], [3, 4]], [[1, 2], [3, 4]])):
        t = xp.asarray(given)
        assert isinstance(t, ag.Tensor)
        assert not t.requires_grad
        assert t.tolist() == expected
    assert xp.asarray([1, 2], dtype=xp.float64).dtype == xp.float64


def test_asarray_stacks_tensors_and_keeps_their_gradients(xp):
    a, b = xp.asarray(1.0).requires_grad_(), xp.asarray([2.0, 3.0]).requires_grad_()
    matrix = xp.asarray([[a, 5.0], b])
    assert matrix.tolist() == [[1.0, 5.0], [2.0, 3.0]]
    (matrix * matrix).sum().backward()
    assert a.grad.tolist() == 2.0
    assert b.grad.tolist() == [4.0, 6.0]
    assert xp.asarray((a, 2), dtype=xp.float32).dtype == xp.float32
    # Python numbers take the dtype of the tensors beside them, as in every operation.
    single = xp.asarray(1.0, dtype=xp.float32)
    assert xp.asarray([[single, 2], [2.5, single]]).dtype == xp.float32
    assert xp.asarray([xp.asarray(1 + 1j), 2]).tolist() == [1 + 1j, 2]
    assert xp.asarray([xp.asarray([1, 2]), [3, 4]]).dtype == xp.asarray([1]).dtype


def test_asarray_copies_nothing_silently(xp):
    t = xp.asarray([1.0, 2.0])
    assert xp.asarray(t, dtype=xp.float64, copy=False) is t
    for given, options in ((t, {"dtype": xp.float32}), ([t, t], {}), ([1.0], {}), (1.0, {})):
        with pytest.raises(ValueError, match=r"(?i)copy"):
            xp.asarray(given, copy=False, **options)


def test_asarray_inside_a_transformation_keeps_the_level(xp):
    x = xp.asarray([1.0, 2.0])
    assert ag.grad(lambda x: (xp.asarray([x[0], x[1] * 3])).sum())(x).tolist() == [1.0, 3.0]
    _, tangent = ag.jvp(lambda x: xp.asarray([x[0], 5.0]), (x,), (xp.ones(2),))
    assert tangent.tolist() == [1.0, 0.0]


def test_asarray_lifts_numpy_and_refuses_other_libraries(xp, agnograd_backend):
    lifted = xp.asarray(np.array([1.0, 2.0]))
    assert lifted.__array_namespace__() is xp
    assert xp.asarray(np.float64(2.0)).__array_namespace__() is xp
    t = ag.tensor(np.array([1.0, 2.0]), requires_grad=True)
    xp.asarray(t).sum().backward()
    assert t.grad.tolist() == [1.0, 1.0]
    other = "strict" if agnograd_backend != "strict" else "numpy"
    stranger = ag.namespace("strict").ones(2)
    target = ag.namespace(agnograd_backend if other == "strict" else other)
    for given in (stranger, stranger.array):
        with pytest.raises(MixedBackendsError, match="got an array of 'strict'"):
            target.asarray(given)


def test_asarray_of_numpy_shares_memory_and_tensor_copies():
    raw = np.ones(2)
    shared, copied = ag.asarray(raw), ag.tensor(raw)
    raw[0] = 5.0
    assert shared.tolist() == [5.0, 1.0]
    assert copied.tolist() == [1.0, 1.0]


def test_from_dlpack_keeps_the_gradient_of_the_backends_own(xp):
    t = xp.ones(2).requires_grad_()
    xp.from_dlpack(t).sum().backward()
    assert t.grad.tolist() == [1.0, 1.0]


def test_from_dlpack_of_others():
    xp = ag.namespace("numpy")
    strict = ag.namespace("strict").asarray([1.0, 2.0])
    assert xp.from_dlpack(strict).tolist() == [1.0, 2.0]
    assert xp.from_dlpack(np.ones(2)).__array_namespace__() is xp
    with pytest.raises(GradientLostError, match="cannot be exported"):
        xp.from_dlpack(strict.requires_grad_())


@pytest.mark.parametrize("name", CREATION)
def test_creation(xp, module, name):
    arguments = {"arange": (2, 6, 2), "eye": (2,), "full": ((2,), 7.0), "linspace": (0.0, 1.0, 3)}.get(name, ((2, 3),))
    t, raw = getattr(xp, name)(*arguments), getattr(module, name)(*arguments)
    assert isinstance(t, ag.Tensor)
    assert (t.shape, t.dtype) == (raw.shape, raw.dtype)
    if name != "empty":
        assert t.tolist() == spaces[type(raw)].backend.to_host(raw).tolist()
    assert getattr(xp, name)(*arguments, dtype=xp.float32).dtype == xp.float32
    assert getattr(xp, name) == getattr(xp, name)
    assert getattr(xp, name).__name__ == name


def test_creation_from_numbers_that_are_arrays(xp):
    n = xp.asarray(3)
    assert xp.arange(n).tolist() == [0, 1, 2]
    assert xp.linspace(xp.asarray(0.0), xp.asarray(1.0), 3).tolist() == [0.0, 0.5, 1.0]


def test_full_with_an_array_keeps_its_gradient(xp):
    value = xp.asarray(2.0).requires_grad_()
    for shape in ((2, 3), 6):
        filled = xp.full(shape, value)
        assert filled.shape == (shape if isinstance(shape, tuple) else (shape,))
        (filled * filled).sum().backward()
        assert value.grad.tolist() == 24.0
        value.grad = None
    assert xp.full((2,), value, dtype=xp.float32).dtype == xp.float32
    assert ag.full((2,), value).requires_grad


def test_meshgrid(xp):
    a, b = xp.asarray([1.0, 2.0]).requires_grad_(), xp.asarray([3.0, 4.0, 5.0])
    for indexing, shape in (("xy", (3, 2)), ("ij", (2, 3))):
        first, second = xp.meshgrid(a, b, indexing=indexing)
        assert first.shape == second.shape == shape
    (first * second).sum().backward()
    assert a.grad.tolist() == [12.0, 12.0]


# -- the top level -----------------------------------------------------------------------------------------------------


def test_top_level_functions_answer_in_kind(xp, module):
    raw = module.asarray([1.0, 2.0])
    t = xp.asarray([1.0, 2.0])
    for function, *others in (
        (ag.sin,),
        (ag.sum,),
        (ag.add, 1.0),
        (ag.clip, 0.0, 1.0),
        (ag.concat,),
        (ag.std,),
        (ag.argmax,),
    ):
        wrap = list if function is ag.concat else lambda x: x[0]
        assert isinstance(function(wrap([t]), *others), ag.Tensor), function
        assert spaces.known(type(function(wrap([raw]), *others))) is spaces[type(raw)], function
        assert not isinstance(function(wrap([raw]), *others), ag.Tensor), function
    assert isinstance(ag.add(raw, t), ag.Tensor)
    assert isinstance(ag.add(t, raw), ag.Tensor)


def test_top_level_functions_of_numbers_use_the_default_backend(xp, agnograd_backend):
    with ag.use_backend(agnograd_backend):
        assert spaces[type(ag.sin(0.0))] is spaces.named(agnograd_backend)


def test_top_level_and_namespaces_share_their_functions(xp):
    for name in OPS:
        if "." not in name and name not in ag.__all__:
            assert getattr(ag, name) is getattr(xp, name)
    assert ag.linalg.matmul is xp.linalg.matmul is ag.matmul


def test_top_level_dtypes_and_constants(xp, agnograd_backend):
    with ag.use_backend(agnograd_backend):
        assert ag.float32 == xp.float32
        assert ag.float == xp.ones(1).dtype
        assert ag.int == xp.asarray([1]).dtype
        assert ag.cfloat == xp.asarray([1j]).dtype
    assert ag.pi == math.pi
    assert ag.newaxis is None


def test_dir_of_the_top_level():
    names = dir(ag)
    assert names == sorted(set(names))
    assert {"sin", "grad", "tensor", "float64", "no_grad", "__version__"} <= set(names)
    for name in names:
        getattr(ag, name)


# -- the default backend -----------------------------------------------------------------------------------------------


@pytest.fixture
def _default_restored(monkeypatch):
    from agnograd import namespaces

    monkeypatch.setattr(namespaces, "_process_default", [])


def test_a_block_chooses_the_backend_of_creation_functions(xp, agnograd_backend):
    before = ag.default_backend()
    with ag.use_backend(agnograd_backend) as chosen:
        assert chosen is xp
        assert ag.default_backend() == agnograd_backend
        for t in (
            ag.ones(2),
            ag.zeros((2, 2)),
            ag.tensor([1.0]),
            ag.asarray([1]),
            ag.arange(3),
            ag.rand(2),
            ag.randn(2),
        ):
            assert t.__array_namespace__() is xp
        with ag.use_backend("numpy"):
            assert ag.ones(2).__array_namespace__() is ag.namespace("numpy")
        assert ag.namespace() is xp
        # Data decides wherever there is data.
        assert ag.sin(np.ones(2)).shape == (2,)
        assert ag.asarray(np.ones(2)).__array_namespace__() is ag.namespace("numpy")
        assert ag.zeros_like(ag.namespace("strict").ones(2)).__array_namespace__() is ag.namespace("strict")
    assert ag.default_backend() == before


def test_a_block_restores_after_an_error():
    with pytest.raises(KeyError), ag.use_backend("strict"):
        raise KeyError
    with pytest.raises(AgnogradError), ag.use_backend("nobody"):
        pass
    assert ag.default_backend() == "numpy"


def test_a_block_is_local_to_its_thread_and_task():
    with ag.use_backend("strict"):
        assert in_thread(ag.default_backend) == "numpy"

    async def block(name):
        with ag.use_backend(name):
            await asyncio.sleep(0)
            return ag.default_backend(), ag.ones(1).__array_namespace__() is ag.namespace(name)

    async def main():
        return await asyncio.gather(block("strict"), block("numpy"), block("strict"))

    assert asyncio.run(main()) == [("strict", True), ("numpy", True), ("strict", True)]
    assert ag.default_backend() == "numpy"


@pytest.mark.usefixtures("_default_restored")
def test_the_default_of_the_process_holds_in_all_threads_and_blocks_go_before_it():
    ag.set_default_backend("strict")
    assert in_thread(ag.default_backend) == "strict"
    assert ag.ones(2).__array_namespace__() is ag.namespace("strict")
    with ag.use_backend("numpy"):
        ag.set_default_backend("strict")
        assert ag.default_backend() == "numpy"
    with pytest.raises(AgnogradError):
        ag.set_default_backend("nobody")
    assert ag.default_backend() == "strict"
    ag.set_default_backend("numpy")
    assert ag.default_backend() == "numpy"


@pytest.mark.usefixtures("_default_restored")
def test_the_environment_names_the_default(monkeypatch):
    monkeypatch.setenv("AGNOGRAD_BACKEND", "strict")
    assert ag.default_backend() == "strict"
    assert ag.ones(2).__array_namespace__() is ag.namespace("strict")
    ag.set_default_backend("numpy")
    assert ag.default_backend() == "numpy"


def test_the_environment_in_a_process_of_its_own():
    code = "import agnograd as ag; x = ag.ones(2, requires_grad=True); (x * x).sum().backward(); print(x.grad)"
    for backend, expected in (("strict", "tensor([2., 2.])"), ("numpy", "tensor([2., 2.])")):
        done = subprocess.run(
            [sys.executable, "-c", f"{code}; print(x.__array_namespace__().__name__)"],
            env={**os.environ, "AGNOGRAD_BACKEND": backend},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines() == [expected, f"agnograd.namespaces.{backend}"]


# -- between backends --------------------------------------------------------------------------------------------------


def test_to_backend_there_and_back(xp, agnograd_backend):
    t = ag.tensor([1.0, 2.0], requires_grad=True)
    there = ag.to_backend(t, agnograd_backend)
    assert there.__array_namespace__() is xp
    (there * there).sum().backward()
    assert t.grad.tolist() == [2.0, 4.0]
    assert t.grad.__array_namespace__() is ag.namespace("numpy")
    assert ag.to_backend(there, agnograd_backend) is there
    raw = ag.to_backend(np.ones(2), agnograd_backend)
    assert spaces[type(raw)] is spaces.named(agnograd_backend)
    assert isinstance(ag.to_backend(raw, "numpy"), np.ndarray)
