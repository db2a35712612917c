"""`check_op` and `assert_plugin`: what they let pass, and what they say of what they do not."""

from __future__ import annotations

import numpy as np
import pytest
from made_plugins import TINY, Plugin, cube

import agnograd as ag
from agnograd import plugins
from agnograd.core.table import OPS
from agnograd.errors import (
    BackendUnavailableError,
    ConformanceError,
    PluginError,
    UnknownBackendError,
    UnknownOperationError,
    UnknownPluginError,
)
from agnograd.hookspecs import Sample, Uniform, batching, composite, elementwise, nondifferentiable
from agnograd.testing import assert_plugin, check_op


def test_an_operation_that_is_sound_passes_and_leaves_no_trace():
    plugins.manager.load()
    before = dict(OPS)
    check_op(cube(), "numpy,strict")
    check_op("sin", "numpy", samples="few")
    assert before == OPS


SAMPLES = [Sample((Uniform(),))]
WRONG = {
    "rule": ({"x": lambda xp, g, x: 2 * g * x * x}, "test_first_order.*GradcheckError: reverse mode"),
    "dtype": ({"x": lambda xp, g, x: 3 * g * x * x * xp.ones(3)}, r"test_single_precision|test_first_order"),
    "name": ({"x": lambda xp, g, x: 3 * g * xp.float_power(x, 2)}, "float_power"),
    "body": ({"body": lambda xp, x: np.asarray(x) ** 3}, "test_"),
}


@pytest.mark.parametrize(("parts", "says"), list(WRONG.values()), ids=list(WRONG))
def test_an_operation_that_is_wrong_is_told_of(parts, says):
    whole = {"body": lambda xp, x: x * x * x, "x": lambda xp, g, x: 3 * g * x * x, **parts}
    with pytest.raises(ConformanceError, match=says) as caught:
        check_op(elementwise("tests.wrong(x, /)", samples=SAMPLES, **whole), "numpy,strict")
    assert caught.value.__cause__ is not None
    assert str(caught.value).startswith("tests.wrong: ")
    assert "checks failed" in str(caught.value)


def test_composites_and_operations_without_derivative():
    check_op(composite("tests.twice(x, /)", body=lambda xp, x: xp.add(x, x), samples=SAMPLES), "numpy")
    check_op(
        nondifferentiable("tests.positive(x, /)", body=lambda xp, x: x > 0, samples=SAMPLES, batch=batching.elements),
        "numpy",
    )


def test_unknown_names():
    with pytest.raises(UnknownOperationError, match="Did you mean sin"):
        check_op("sine", "numpy")
    with pytest.raises(UnknownBackendError, match="did you mean 'numpy'"):
        check_op("sin", "nunpy")
    with pytest.raises(UnknownPluginError, match="no plugin named 'nobody' is installed"):
        assert_plugin("nobody")


# -- plugins -----------------------------------------------------------------------------------------------------------


def test_a_plugin_that_is_sound():
    plugins.manager.load()
    before = dict(OPS), plugins.manager.backends()
    fast = ag.Kernel(op="tests.cube", backend="numpy", body=lambda x: x * x * x)
    assert_plugin(Plugin(ops=[cube()], kernels=[fast]), "numpy")
    assert (dict(OPS), plugins.manager.backends()) == before


@pytest.mark.parametrize(
    ("provided", "says"),
    [
        ({"opps": []}, "unknown hook 'agnograd_opps'"),
        ({"ops": [cube("cube")]}, r"operations cube have no prefix\. Call them 'mypackage\.cube'"),
        (
            {"ops": [elementwise("a.b(x, /)", body=lambda xp, x: x, x=lambda xp, g: g, samples=SAMPLES)]},
            "a.b have no documentation",
        ),
        ({"ops": [cube("sin")]}, "operation 'sin' is built in"),
        ({"kernels": [ag.Kernel(op="sine", backend="numpy", body=np.sin)]}, "for an unknown operation"),
    ],
    ids=["unknown hook", "no prefix", "no documentation", "built in", "kernel for nothing"],
)
def test_a_plugin_that_breaks_the_contract(provided, says):
    with pytest.raises(PluginError, match=says):
        assert_plugin(Plugin(**provided), "numpy")


def test_a_plugin_with_a_wrong_rule_or_a_wrong_kernel():
    wrong = elementwise("tests.same(x, /)", body=lambda xp, x: x, x=lambda xp, g: 2 * g, samples=SAMPLES, doc="x")
    with pytest.raises(ConformanceError, match=r"plugin Plugin: \d+ of \d+ checks failed\n- test_first_order"):
        assert_plugin(Plugin(ops=[wrong]), "numpy")
    zero = ag.Kernel(op="tests.cube", backend="numpy", body=lambda x: 0 * x)
    with pytest.raises(ConformanceError, match="test_value"):
        assert_plugin(Plugin(ops=[cube()], kernels=[zero]), "numpy")


def test_a_backend_is_checked_with_the_operations_of_agnograd():
    with pytest.raises(ConformanceError, match=r"\[tiny-tanh-.*backend 'tiny' has no 'tanh'"):
        assert_plugin(Plugin(backends=[TINY]), "numpy", ops="tanh")
    with pytest.raises(ConformanceError, match="plugin Plugin: there is nothing to check on tiny"):
        assert_plugin(Plugin(backends=[TINY]), "numpy", ops="tests.*")


def test_a_backend_that_does_not_work_here_is_no_success():
    absent = ag.Backend(name="absent", namespace="nolib", array_types=("nolib:Array",), requires=("nolib",))
    with pytest.raises(BackendUnavailableError, match="needs 'nolib'"):
        assert_plugin(Plugin(backends=[absent]), "numpy")
