"""Values and gradients of every differentiable operation are those of torch, in double precision and in both modes.

The arguments are the samples of the table and those in `edges`. Where the two differ on purpose stands in `deviations`.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracle.comparison import assert_close, compare, compare_second, drawn_like
from oracle.counterparts import COUNTERPARTS, WITHOUT
from oracle.deviations import DEVIATIONS, SECOND
from oracle.edges import EDGES, MORE

import agnograd as ag
from agnograd import plugins
from agnograd.core.table import OPS
from agnograd.testing import cases, over_cases
from agnograd.testing.gradcheck import leaves, rebuild
from agnograd.testing.matrix import DOUBLE
from agnograd.testing.samples import describe

# Both libraries warn where there are fewer elements than their correction.
pytestmark = pytest.mark.filterwarnings("ignore:.*[Dd]egrees of freedom")


def own(name):
    return plugins.manager.provider(name) == "agnograd"


def differentiable():
    return [name for name, op in plugins.manager.operations().items() if op.tier != "none" and own(name)]


def against_torch(op, sample, name, cotangent):
    compare(op, COUNTERPARTS[op.name], sample, cotangent, DEVIATIONS.get((op.name, name)))


def in_table(case):
    return case.op.tier != "none" and own(case.op.name) and case.op.name not in WITHOUT


def is_different(case):
    return (case.op.name, case.id) in DEVIATIONS


@over_cases(in_table, precisions=(DOUBLE,), backends=("numpy",))
def test_samples_of_the_table(agnograd_row, agnograd_case, agnograd_precision):
    # Expected gradients of edges are those of a sum.
    case = agnograd_case
    against_torch(case.op, case.sample, case.id, np.ones_like if case.is_edge else drawn_like)


@over_cases(lambda case: in_table(case) and not is_different(case), precisions=(DOUBLE,), backends=("numpy",))
def test_second_derivatives(agnograd_row, agnograd_case, agnograd_precision):
    case = agnograd_case
    compare_second(case.op, COUNTERPARTS[case.op.name], case.sample, np.ones_like if case.is_edge else drawn_like)


def edges(keep=lambda name, sample: True):
    found = [(name, s) for name in EDGES if name in OPS for s in EDGES[name]]
    return [pytest.param(n, s, id=f"{n}-{describe(OPS[n], s)}") for n, s in found if keep(n, describe(OPS[n], s))]


@pytest.mark.parametrize(("name", "sample"), edges())
def test_edges(name, sample):
    against_torch(OPS[name], sample, describe(OPS[name], sample), np.ones_like)


@pytest.mark.parametrize(("name", "sample"), edges(lambda *edge: edge not in DEVIATIONS and edge not in SECOND))
def test_second_derivatives_at_edges(name, sample):
    compare_second(OPS[name], COUNTERPARTS[name], sample, np.ones_like)


@pytest.mark.parametrize(("name", "sample"), edges(lambda *edge: edge in SECOND))
def test_second_derivatives_at_which_torch_is_wrong(name, sample):
    with pytest.raises(AssertionError):
        compare_second(OPS[name], COUNTERPARTS[name], sample, np.ones_like)


@pytest.mark.parametrize(("function", "arrays"), [(f, arrays) for f, *arrays in MORE])
def test_functions_of_other_arrays(function, arrays):
    primals = [np.asarray(x) for x in arrays]
    value, pullback = ag.vjp(lambda *xs: function(ag.namespace("numpy"), *xs), *primals)
    theirs = [torch.tensor(x, requires_grad=True) for x in primals]
    outputs = leaves(function(torch, *theirs))
    cotangents = [drawn_like(np.asarray(y)) for y in leaves(value)]
    for a, b in zip(leaves(value), outputs, strict=True):
        assert_close(np.asarray(a), b.detach().numpy())
    gradients = torch.autograd.grad(outputs, theirs, [torch.as_tensor(g) for g in cotangents])
    for a, b in zip(pullback(rebuild(value, cotangents)), gradients, strict=True):
        assert_close(np.asarray(a), b.numpy())


# -- nothing is left out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", differentiable())
def test_every_differentiable_operation_has_a_counterpart_or_a_reason(name):
    assert (name in COUNTERPARTS) != (name in WITHOUT)


@pytest.mark.parametrize("data", [COUNTERPARTS, WITHOUT, EDGES], ids=["mapped", "not mapped", "edges"])
def test_nothing_stands_for_what_is_no_differentiable_operation(data):
    assert set(data) <= set(differentiable())


def test_every_deviation_is_tested():
    of_table = {(case.op.name, case.id) for case in cases()}
    of_edges = {(name, describe(OPS[name], s)) for name, samples in EDGES.items() for s in samples}
    assert set(DEVIATIONS) <= of_table | of_edges
    assert set(SECOND) <= of_edges
    assert all(deviation.reason for deviation in DEVIATIONS.values())


def test_a_wrong_gradient_is_noticed(monkeypatch):
    monkeypatch.setitem(COUNTERPARTS, "sin", torch.tanh)
    with pytest.raises(AssertionError):
        against_torch(OPS["sin"], OPS["sin"].samples[0], "3", drawn_like)
    monkeypatch.setitem(COUNTERPARTS, "sin", lambda x: torch.sin(x.detach()) + 0 * x)
    with pytest.raises(AssertionError):
        against_torch(OPS["sin"], OPS["sin"].samples[0], "3", drawn_like)
