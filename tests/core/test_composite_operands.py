"""Composites of several operands: the body sees wrappers throughout or raw arrays throughout, parameters included."""

import types

import pytest

import agnograd as ag
from agnograd import plugins
from agnograd.core.array import Array
from agnograd.hookspecs import Sample, Uniform, composite, fit, hookimpl

SEEN = []


def _scaled(xp, x, loc=0.0, scale=1.0):
    SEEN.append((x, loc, scale))
    return xp.exp((x - loc) / scale)


@pytest.fixture
def scaled():
    @hookimpl
    def agnograd_ops():
        yield composite(
            "mine.scaled(x, loc=0.0, scale=1.0)", arrays=["x", "loc"], body=_scaled, samples=[Sample((Uniform(), 1.0))]
        )

    module = types.ModuleType("mine")
    module.agnograd_ops = agnograd_ops
    with plugins.isolated() as manager:
        manager.register(module, "mine")
        yield ag.mine.scaled


@pytest.mark.parametrize("backend", ["numpy", "strict"])
@pytest.mark.parametrize("name", ["loc", "scale"])
def test_a_parameter_may_be_the_only_tensor(scaled, backend, name):
    xp = ag.namespace(backend)
    raw = xp.asarray([0.5, 1.5]).array
    value = xp.asarray(2.0).requires_grad_()
    SEEN.clear()
    ag.sum(scaled(raw, **{name: value})).backward()
    expected = ag.grad(lambda v: ag.sum(scaled(xp.asarray([0.5, 1.5]), **{name: v})))(xp.asarray(2.0))
    assert float(value.grad) == float(expected)
    x, *parameters = SEEN[0]
    assert isinstance(x, Array)
    assert all(isinstance(p, (Array, float)) for p in parameters)


@pytest.mark.parametrize("backend", ["numpy", "strict"])
def test_a_batch_beside_a_raw_array(scaled, backend):
    xp = ag.namespace(backend)
    raw, many = xp.asarray([0.5, 1.5]).array, xp.asarray([[1.0, 2.0], [3.0, 4.0]]).array
    out = ag.vmap(lambda loc: scaled(raw, loc))(many)
    rows = [scaled(xp.asarray(raw), xp.asarray(many)[k, :]) for k in range(2)]
    assert all(float(ag.sum(ag.abs(xp.asarray(out)[k, :] - rows[k]))) == 0 for k in range(2))


def test_raw_arrays_stay_raw(scaled):
    raw = ag.ones(2).array
    SEEN.clear()
    assert type(scaled(raw, raw)) is type(raw)
    assert not any(isinstance(x, Array) for x in SEEN[0])


def test_what_was_broadcast_is_summed():
    xp = ag.namespace("numpy")
    spec = xp._space.spec(xp.ones(2).array)
    assert fit(xp, xp.ones((3, 2)), spec).array.tolist() == [3.0, 3.0]
