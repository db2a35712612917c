"""What libraries ask of an array and its namespace beyond the standard, and what they are answered."""

from __future__ import annotations

import copy
import importlib
import pickle

import array_api_compat
import array_api_extra as xpx
import numpy as np
import pytest
import sklearn.externals.array_api_compat as of_sklearn
from scipy._lib import _array_api

import agnograd as ag
from agnograd import plugins
from agnograd.errors import GradientLostError, InplaceError

# Where SciPy keeps its copy depends on the release.
of_scipy = importlib.import_module(_array_api.is_array_api_obj.__module__.partition(".common")[0])
VERSIONS = [array_api_compat, of_scipy, of_sklearn]
BACKENDS = [name for name in ("numpy", "strict", "dask") if not plugins.manager.unavailable(name)]


@pytest.fixture
def x():
    return ag.tensor([1.0, 2.0, 3.0], requires_grad=True)


@pytest.fixture(params=BACKENDS)
def xp(request):
    return ag.namespace(request.param)


# -- array-api-compat, in the version installed and those that SciPy and scikit-learn carry


@pytest.mark.parametrize("compat", VERSIONS, ids=lambda module: module.__name__)
def test_compat_finds_the_namespace(compat, xp):
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    assert compat.is_array_api_obj(x)
    assert compat.array_namespace(x) is xp
    assert compat.array_namespace(x, x * 2, 1.0, None) is xp
    for version in ("2021.12", "2022.12", "2023.12", "2024.12"):
        assert compat.array_namespace(x, api_version=version) is xp


@pytest.mark.parametrize("compat", VERSIONS, ids=lambda module: module.__name__)
def test_compat_takes_a_tensor_for_no_library_that_it_knows(compat, xp):
    x = xp.asarray([1.0, 2.0])
    for library in ("numpy", "cupy", "torch", "dask", "jax", "pydata_sparse", "ndonnx"):
        assert not getattr(compat, f"is_{library}_array")(x)
        assert not getattr(compat, f"is_{library}_namespace")(xp)


@pytest.mark.parametrize("compat", VERSIONS, ids=lambda module: module.__name__)
def test_compat_knows_size_and_device(compat, xp):
    x = xp.asarray([[1.0, 2.0]]).requires_grad_()
    assert compat.size(x) == 2
    assert compat.device(x) == x.device
    assert compat.to_device(x, x.device).requires_grad


@pytest.mark.parametrize("compat", VERSIONS, ids=lambda module: module.__name__)
def test_compat_takes_tensors_for_writeable_and_not_lazy(compat, xp):
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    assert compat.is_writeable_array(x)
    assert not compat.is_lazy_array(x)


@pytest.mark.parametrize("other", [np.ones(2), np.float64(2.0)], ids=["array", "scalar"])
def test_compat_does_not_mix_tensors_with_numpy(x, other):
    with pytest.raises(TypeError, match="Multiple namespaces"):
        array_api_compat.array_namespace(x, other)


def test_namespaces_are_told_apart_by_name():
    found = [ag.namespace(name) for name in BACKENDS]
    assert len({hash(xp) for xp in found}) == len({xp.__name__ for xp in found}) == len(BACKENDS)
    assert not any("marray" in xp.__name__ or xp.__name__ in ("numpy", "dask.array") for xp in found)


# -- array-api-extra


def test_at_writes_to_a_copy(x):
    y = xpx.at(x)[0].set(x[2] * 2, copy=True)
    (y * ag.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert y.tolist() == [6.0, 2.0, 3.0]
    assert x.grad.tolist() == [0.0, 10.0, 102.0]


def test_at_writes_in_place_where_that_is_allowed():
    x = ag.tensor([1.0, 2.0, 3.0])
    assert xpx.at(x)[x > 1].multiply(2.0) is x
    assert x.tolist() == [1.0, 4.0, 6.0]


def test_at_refuses_to_write_to_a_leaf(x):
    with pytest.raises(InplaceError, match="clone"):
        xpx.at(x)[0].set(2.0)
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_default_dtype(xp):
    assert xpx.default_dtype(xp) == xp.float64
    assert xpx.default_dtype(xp, "complex floating") == xp.complex128


# -- the namespace


def test_inspection(xp):
    info = xp.__array_namespace_info__()
    device = info.default_device()
    assert info.dtypes(kind="real floating")["float64"] == xp.float64
    assert "int32" in info.dtypes(device=device, kind=("integral", "bool"))
    assert info.default_dtypes(device=device)["real floating"] == xp.float64
    assert device in info.devices()


def test_asarray_copies_where_asked(xp):
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    assert xp.asarray(x) is x
    assert xp.asarray(x, copy=False) is x
    copied = xp.asarray(x, copy=True)
    copied[0] = 5.0
    assert x.tolist() == [1.0, 2.0]
    xp.sum(copied).backward()
    assert x.grad.tolist() == [0.0, 1.0]


def test_asarray_stacks_tensors(x, xp):
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    y = xp.asarray([[x[0], 1.0], [2.0, x[1] * 3]])
    assert y.shape == (2, 2)
    xp.sum(y).backward()
    assert x.grad.tolist() == [1.0, 3.0]


def test_filled_arrays_keep_the_gradient_of_their_value(xp):
    x = xp.asarray(2.0).requires_grad_()
    xp.sum(xp.full((2, 3), x)).backward()
    assert x.grad.item() == 6.0


def test_leniencies(x):
    xp = ag.namespace("numpy")
    assert xp.reshape(xp.ones((2, 3)), [6]).shape == (6,)
    assert xp.permute_dims(xp.ones((2, 3)), [1, 0]).shape == (3, 2)
    assert xp.tensordot(xp.ones((2, 3)), xp.ones((3, 2)), 1).shape == (2, 2)
    assert xp.result_type(x, 1.0) == xp.float64
    assert xp.multiply(x, np.ones(3)).requires_grad
    assert xp.pad(x, (1, 0)).tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("name", ["concatenate", "einsum", "tensordot", "transpose"])
def test_opt_einsum_and_autoray_find_their_functions_at_the_top(name):
    assert callable(getattr(ag, name))
    assert ag.Tensor.__module__ == "agnograd"


def test_concatenate_and_transpose_at_the_top(x):
    assert ag.concatenate([x, x]).shape == (6,)
    assert ag.transpose(ag.zeros(2, 3, 4), (2, 0, 1)).shape == (4, 2, 3)


# -- the tensor


def test_what_is_not_there_is_missing_quietly(x):
    for name in (
        *("fit", "iloc", "columns", "flags", "is_sparse", "index", "to_numpy", "values", "mask", "_REGISTRY"),
        *("phase_flip", "__array_interface__", "__array_struct__", "__cuda_array_interface__"),
    ):
        with pytest.raises(AttributeError):
            getattr(x, name)


def test_it_is_a_container(x):
    assert len(x) == 3
    assert 2.0 in x
    assert [type(item) for item in x] == [ag.Tensor] * 3
    assert x[()].requires_grad
    assert {x: "by identity"}[x] == "by identity"
    assert [10, 20, 30][ag.asarray(1)] == 20


def test_methods_take_keywords_as_numpy_has_them(x):
    assert np.sum(x).requires_grad
    assert x.sum(axis=None, dtype=None, out=None).item() == 6.0
    assert x.std(axis=0, ddof=1).item() == 1.0
    assert x.mean(axis=0, keepdims=True).shape == (1,)


def test_methods_of_numpy(x):
    rows = x.reshape(1, 3) * ag.ones(2, 1)
    plain = np.asarray(rows.detach())
    for name, args in {
        "copy": (),
        "flatten": (),
        "ravel": (),
        "transpose": (),
        "take": ([2, 0],),
        "conjugate": (),
    }.items():
        found = getattr(rows, name)(*args)
        assert found.requires_grad
        np.testing.assert_array_equal(np.asarray(found.detach()), getattr(plain, name)(*args))
    np.testing.assert_array_equal(np.asarray(rows.take([[2, 0]], axis=1).detach()), plain.take([[2, 0]], axis=1))
    np.testing.assert_array_equal(np.asarray(rows.take(1, axis=-1).detach()), plain.take(1, axis=-1))


def test_transpose_permutes_as_numpy_and_swaps_as_pytorch():
    x = ag.zeros(2, 3, 4)
    assert x.transpose().shape == (4, 3, 2)
    assert x.transpose(2, 0, 1).shape == x.transpose((2, 0, 1)).shape == x.transpose([2, 0, 1]).shape == (4, 2, 3)
    assert x.transpose(0, -1).shape == (4, 3, 2)


@pytest.mark.parametrize("name", ["ravel", "flatten"])
def test_the_order_of_fortran_is_refused(name):
    x = ag.zeros(2, 3)
    assert getattr(x, name)("C").shape == (6,)
    with pytest.raises(ValueError, match="order"):
        getattr(x, name)("F")


def test_flat_and_ravel_alias_and_flatten_does_not():
    x = ag.zeros(2, 3)
    x.flat[::4] += 1.0
    x.ravel()[1] = 5.0
    x.flatten()[2] = 7.0
    assert x.tolist() == [[1.0, 5.0, 0.0], [0.0, 1.0, 0.0]]


def test_plain_arrays_are_refused_where_a_gradient_would_be_lost(x):
    with pytest.raises(GradientLostError, match=r"detach\(\).*SCIPY_ARRAY_API=1.*array_api_dispatch=True"):
        np.asarray(x)
    with pytest.raises(BufferError, match=r"detach\(\)"):
        np.from_dlpack(x)
    np.testing.assert_array_equal(np.asarray(x.detach()), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(np.from_dlpack(x.detach()), [1.0, 2.0, 3.0])


def test_copies_and_pickles(x):
    y = x * 2
    assert copy.deepcopy(y).requires_grad
    assert pickle.loads(pickle.dumps(x)).requires_grad
    assert pickle.loads(pickle.dumps(y)).tolist() == y.tolist()


def test_a_deep_copy_keeps_its_tangent():
    _, t = ag.jvp(lambda x: copy.deepcopy(x * 2), (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 10.0]),))
    assert t.tolist() == [2.0, 20.0]
