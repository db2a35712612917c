"""The strict device refuses what CuPy refuses, and what CuPy leaves undefined."""

import gc
import threading

import array_api_compat
import array_api_compat.numpy as reference
import array_api_extra as xpx
import numpy as np
import pytest

from cupy_cpu import array_api_calls, conformance
from cupy_cpu.strict_device import (
    Device,
    DeviceError,
    SynchronisationError,
    counting,
    forbid_host_indices,
    forbid_masks,
    forbid_synchronisation,
    xp,
)


@pytest.fixture
def x():
    return xp.asarray([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])


def test_every_call_gives_what_numpy_gives():
    assert set(conformance.disagreements(xp, reference)) == array_api_calls.REFUSED


# ---- the boundary to the host --------------------------------------------------------------------


LEAKS = {
    "np.asarray": lambda x, n: np.asarray(x),
    "NumPy's ufunc": lambda x, n: np.exp(x),
    "NumPy's function": lambda x, n: np.sum(x),
    "NumPy on the right": lambda x, n: x + n,
    "NumPy on the left": lambda x, n: n + x,
    "NumPy as argument": lambda x, n: xp.where(x > 0, x, n),
    "NumPy alone": lambda x, n: xp.sum(n),
    "NumPy's scalar": lambda x, n: x * np.float64(2),
    "NumPy written": lambda x, n: x.__setitem__(0, n[0]),
    "list of array and number": lambda x, n: xp.asarray([x[0, 0], 1.0]),
    "DLPack": lambda x, n: xp.from_dlpack(n),
    "range": lambda x, n: range(x[0, 0]),
    "index of a list": lambda x, n: [0, 1][xp.argmax(x)],
    "round": lambda x, n: round(x[0, 0]),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_nothing_crosses_the_boundary_implicitly(x, leak):
    with pytest.raises(TypeError):
        LEAKS[leak](x, np.ones((2, 3)))


READS = {
    "float": lambda x: float(x[0, 0]),
    "int": lambda x: int(x[0, 0]),
    "complex": lambda x: complex(x[0, 0]),
    "bool": lambda x: 1 if xp.any(x > 0) else 0,
    "item": lambda x: x[0, 0].item(),
    "tolist": lambda x: x.tolist(),
    "get": lambda x: x.get(),
    "repr": lambda x: f"{x}",
    "boolean index": lambda x: x[x > 0],
    "boolean index assignment": lambda x: x.__setitem__(x > 0, 0.0),
    "clip": lambda x: xp.clip(x, 0.0, 1.0),
    "sign": xp.sign,
    "nonzero": xp.nonzero,
    "unique_values": xp.unique_values,
    "linalg.pinv": xp.linalg.pinv,
    "repeat": lambda x: xp.repeat(x[0, :], xp.asarray([1, 2, 0])),
}


@pytest.mark.parametrize("cause", READS)
def test_reading_a_value_synchronises(x, cause):
    with counting() as counts:
        READS[cause](x)
    assert counts.causes == {cause: 1}
    assert "test_strict_device.py" in counts.places[0]
    with forbid_synchronisation(), pytest.raises(SynchronisationError, match=cause):
        READS[cause](x)


def test_computing_does_not_synchronise(x):
    with forbid_synchronisation():
        xp.where(x > 0, x, 0.0) @ x.T
        xp.linalg.svd(x)
        xp.sign(xp.asarray([1, -1]))


def test_a_host_index_is_copied(x):
    with counting() as counts:
        x[:, [0, 2]]
    assert counts.directions == {"to device": 1}
    with forbid_host_indices(), pytest.raises(DeviceError, match="host index"):
        x[np.asarray([0])]


def test_masks_can_be_forbidden(x):
    with forbid_masks(), pytest.raises(DeviceError):
        x[x > 0]
    with forbid_masks():
        x[xp.asarray([1, 0])]


def test_an_empty_array_has_no_truth():
    with pytest.raises(DeviceError):
        bool(xp.zeros(0))


# ---- devices -------------------------------------------------------------------------------------


def test_devices_compare_but_do_not_hash(x):
    assert x.device == Device(0) != Device(1)
    assert Device(0) != 0
    assert x.device is not x.device
    with pytest.raises(TypeError, match="unhashable"):
        hash(x.device)


def test_work_happens_on_the_current_device(x):
    y = xp.asarray([1.0, 2.0], device=Device(1))
    assert int(y.device) == 1
    with pytest.raises(DeviceError):
        y + y
    with pytest.raises(DeviceError):
        y[0] = 1.0
    with Device(1):
        assert int((y + y).device) == 1
        assert int(xp.zeros(3).device) == 1
        with pytest.raises(DeviceError):
            y + x[0, :2]
    assert int(xp.zeros(3, device=Device(1)).device) == 0, "compat ignores `device` here"
    assert int(y[0].device) == 1, "a view stays where it is"
    assert int(array_api_compat.to_device(x, Device(1)).device) == 1
    with pytest.raises(TypeError):
        x.to_device(1)


def test_the_current_device_belongs_to_the_thread():
    found = []
    with Device(1):
        thread = threading.Thread(target=lambda: found.append(int(xp.zeros(1).device)))
        thread.start()
        thread.join()
    assert found == [0]


# ---- what CuPy leaves undefined ------------------------------------------------------------------


def test_repeated_indices_are_refused_in_an_assignment(x):
    with pytest.raises(DeviceError, match="repeated"):
        x[xp.asarray([0, 0])] = 1.0
    x[xp.asarray([1, 0])] = 1.0
    assert x.tolist() == [[1.0] * 3] * 2


def test_repeated_indices_are_added(x):
    total = xp.zeros((2, 3))
    xp.scatter_add(total, xp.asarray([1, 1]), x)
    assert total.tolist() == [[0.0, 0.0, 0.0], [5.0, 3.0, -3.0]]
    with pytest.raises(TypeError, match="complex128"):
        xp.scatter_add(xp.zeros(2, dtype=xp.complex128), xp.asarray([0]), 1.0)


def test_broadcast_views_are_read_only(x):
    view = xp.broadcast_to(x[0, :], (2, 3))
    with pytest.raises(DeviceError):
        view += 1.0
    with pytest.raises(DeviceError):
        view[0, 0] = 1.0


def test_empty_is_not_zero():
    assert np.isnan(xp.empty((2, 2)).get()).all()
    assert (xp.empty(3, dtype=xp.int64).get() == -99).all()


def test_singular_matrices_give_nan():
    zeros = xp.zeros((2, 2))
    assert np.isnan(xp.linalg.inv(zeros).get()).all()
    assert np.isnan(xp.linalg.solve(zeros, xp.ones(2)).get()).all()
    assert np.isnan(xp.linalg.cholesky(-xp.eye(2)).get()).all()


def test_results_alias_as_on_cupy(x):
    assert xp.real(x) is x
    assert xp.asarray(x) is x
    assert xp.astype(x, x.dtype, copy=False) is x
    x.T[0, 0] = 9.0
    assert float(x[0, 0]) == 9.0


def test_in_place_never_defers(x):
    class Other:
        __array_ufunc__ = None

        def __radd__(self, other):
            return "mine"

    assert x + Other() == "mine"
    with pytest.raises(TypeError):
        x += Other()


# ---- counting, and others' code ------------------------------------------------------------------


def test_launches_and_memory_are_counted():
    x = xp.ones((4, 4))
    with counting() as counts:
        y = x + x
        y += 1.0
        xp.reshape(y, (-1,))
        del y
        z = xp.exp(x)
        gc.collect()
    assert counts.kernels == {"add": 2, "exp": 1}
    assert counts.allocations == 2
    assert counts.peak_bytes == z.nbytes


def test_other_libraries_accept_it(x):
    assert array_api_compat.array_namespace(x) is xp
    assert array_api_compat.device(x) == Device(0)
    changed = xpx.at(x, (0, 0)).set(7.0, copy=True)
    assert (float(changed[0, 0]), float(x[0, 0])) == (7.0, 1.0)
