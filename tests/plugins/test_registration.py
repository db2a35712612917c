"""Plugins come and go in one process, and a manager stands in for another."""

from __future__ import annotations

import numpy as np
import pytest
from made_plugins import TINY, Plugin, cube

import agnograd as ag
from agnograd import plugins
from agnograd.core.table import OPS, spaces
from agnograd.errors import PluginError, UnknownPluginError


def test_one_name_is_registered_once(manager):
    manager.register(Plugin(ops=[cube("one.cube")]), "cubes")
    with pytest.raises(
        PluginError, match="plugin 'cubes' cannot be registered: a plugin named 'cubes' is there already"
    ):
        manager.register(Plugin(ops=[cube("two.cube")]), "cubes")
    assert ag.one.cube(ag.tensor([2.0])).tolist() == [8.0]  # the first is unharmed
    assert not hasattr(ag, "two")


def test_unregistering_what_is_not_there(manager):
    with pytest.raises(UnknownPluginError, match="no plugin named 'cubes' is loaded"):
        manager.unregister("cubes")
    with pytest.raises(PluginError, match="plugin 'numpy' is built in and cannot be taken out"):
        manager.unregister("numpy")


def test_isolation_leaves_no_trace():
    outer = plugins.manager
    xp = ag.namespace("numpy")
    x = ag.tensor([1.0], requires_grad=True)
    before = dict(OPS), dict(spaces)
    try:
        with plugins.isolated() as inner:
            assert plugins.manager is inner is not outer
            kernel = ag.Kernel(op="sin", backend="numpy", body=lambda x: 0 * x)
            inner.register(Plugin(ops=[cube()], kernels=[kernel], backends=[TINY]), "everything")
            assert ag.sin(x).tolist() == [0.0]
            assert ag.tests.cube(x).tolist() == [1.0]
            with plugins.isolated():
                assert not hasattr(ag, "tests")
                assert ag.sin(x).tolist() == [np.sin(1.0)]
            assert ag.sin(x).tolist() == [0.0]
            raise KeyError
    except KeyError:
        pass
    assert plugins.manager is outer
    assert ag.sin(x).tolist() == [np.sin(1.0)]
    assert not hasattr(ag, "tests")
    assert "tiny" not in plugins.manager.backends()
    assert (dict(OPS), dict(spaces)) == before
    assert ag.namespace("numpy") is xp is x.__array_namespace__()
