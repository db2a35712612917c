"""Values are SciPy's, on every backend; dask computes nothing and its graph can be sent to another process."""

import pickle

import agnograd as ag
import numpy as np
import pytest
import scipy.special
from agnograd.testing import cases, forbid_compute, rows

from agnograd_special import libraries
from agnograd_special.distributions import stdtrit
from agnograd_special.plugin import LIBRARIES, OPTIONAL, agnograd_kernels, agnograd_ops

UFUNCS = [op for op in agnograd_ops() if op.tier != "composite"]


@pytest.mark.parametrize("op", UFUNCS, ids=lambda op: op.name)
def test_values(op):
    function = getattr(scipy.special, op.name.removeprefix("special."))
    (row,) = rows(["numpy"])
    for case in cases(op.name):
        made = case.build(row)
        np.testing.assert_array_equal(op.call(*made.arrays), function(*made.host))


BODIES = [op for op in UFUNCS if op.body is not None]


@pytest.mark.parametrize("op", BODIES, ids=lambda op: op.name)
def test_identities_for_libraries_without_a_function(op):
    (row,) = rows(["numpy"])
    # An old SciPy's own quantiles of Student's distribution have ten digits.
    rtol = 1e-10 if op.name == "special.stdtrit" else 1e-12
    for case in cases(op.name):
        if not case.is_edge:
            arrays = [ag.asarray(x) if hasattr(x, "dtype") else x for x in case.build(row).arrays]
            by_identity = op.body(ag.namespace("numpy"), *arrays)
            np.testing.assert_allclose(by_identity.array, op.call(*arrays).array, rtol=rtol)


def test_quantiles_of_student_far_out_and_in_the_middle():
    p = np.asarray([1e-12, 0.2, 0.25, 0.4, 0.5 - 1e-9, 0.5, 0.5 + 1e-9, 0.75, 0.99])
    got = stdtrit.body(ag.namespace("numpy"), 3.0, ag.asarray(p)).array
    np.testing.assert_allclose(got, scipy.special.stdtrit(3.0, p), rtol=1e-11, atol=1e-16)


def test_every_operation_is_bound_on_every_backend():
    bound = {(kernel.op, kernel.backend) for kernel in agnograd_kernels()}
    lacking = {f"special.{name}" for name in libraries.NOT_IN_CUPY}
    assert {(op.name, backend) for op in UFUNCS for backend in LIBRARIES} - bound == {
        (name, "cupy") for name in lacking
    }


def test_backends_of_other_plugins_need_not_be_there():
    assert {kernel.backend for kernel in agnograd_kernels() if kernel.optional} == OPTIONAL == {"torch", "jax"}


def test_single_precision_stays():
    x = np.asarray([0.5, 1.5], dtype=np.float32)
    for f in (lambda x: ag.special.polygamma(1, x), lambda x: ag.special.expn(2, x), lambda x: ag.special.yn(2, x)):
        assert f(x).dtype == np.float32
        assert ag.grad(lambda x, f=f: ag.sum(f(x)))(x).dtype == np.float32


def test_dask_stays_lazy_and_can_be_sent():
    import dask.array as da

    x = da.from_array(np.linspace(0.1, 2.0, 12).reshape(4, 3), chunks=(2, 3))
    with forbid_compute():
        y = ag.special.polygamma(1, x)
        g = ag.grad(lambda x: ag.sum(ag.special.gammaln(x)))(x)
    assert y.chunks == g.chunks == x.chunks
    values = x.compute()
    np.testing.assert_allclose(pickle.loads(pickle.dumps(y)).compute(), scipy.special.polygamma(1, values))
    np.testing.assert_allclose(g.compute(), scipy.special.digamma(values))


def test_dask_names_equal_graphs_alike():
    import dask.array as da

    x = da.ones(4, chunks=2)
    assert ag.special.erf(x).name == ag.special.erf(x).name != ag.special.erfc(x).name


def test_strict_keeps_the_device():
    import array_api_strict as xp

    x = xp.asarray([0.5, 1.0], device=xp.Device("device1"))
    assert ag.grad(lambda x: ag.sum(ag.special.betaln(x, 2.0)))(x).device == xp.Device("device1")
