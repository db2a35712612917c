"""`xp.special`, which client code looks up once: complete when it is handed out, and closed from then on."""

import copy
import pickle

import pytest
from made_plugins import CUBE, Plugin, cube

import agnograd as ag
from agnograd import plugins
from agnograd.errors import ConflictError, PluginLoadWarning


def test_absent_where_no_plugin_brings_it(manager):
    for holder in (ag, ag.namespace("numpy")):
        assert not hasattr(holder, "special")
        with pytest.raises(AttributeError, match=r"no attribute 'special'.* pip install agnograd-special"):
            _ = holder.special


def test_complete_although_one_plugin_was_registered_by_hand(install, monkeypatch):
    install("agno-cube", "cube = p_cube", p_cube=CUBE.format(name="special.cube"))
    monkeypatch.setenv("AGNOGRAD_LOAD_PLUGINS", "agno-cube")
    with plugins.isolated(installed=True) as manager:
        manager.register(Plugin(ops=[cube("special.first")]), "first")
        assert dir(ag.namespace("numpy").special) == ["cube", "first"]


def test_closed_from_then_on(manager):
    manager.register(Plugin(ops=[cube("special.first")]), "first")
    xp = ag.namespace("numpy")
    special = xp.special
    with pytest.warns(PluginLoadWarning, match=r"'late' adds special\.late after `special` was asked for on numpy"):
        manager.register(Plugin(ops=[cube("special.late")]), "late")
    assert dir(special) == ["first"]
    assert not hasattr(special, "late")
    assert xp.special is special
    # Where nobody had asked it is complete, and what dispatches on its arguments is open.
    assert dir(ag.namespace("strict").special) == ["first", "late"]
    assert ag.special.late(ag.tensor([2.0])).tolist() == [8.0]


def test_opened_again_where_a_plugin_is_taken_out(manager):
    manager.register(Plugin(ops=[cube("special.first")]), "first")
    assert ag.namespace("numpy").special.first
    manager.unregister("first")
    assert not hasattr(ag.namespace("numpy"), "special")
    manager.register(Plugin(ops=[cube("special.second")]), "second")
    assert dir(ag.namespace("numpy").special) == ["second"]


def test_contested_names_raise_when_they_are_used(manager):
    manager.register(Plugin(ops=[cube("special.both"), cube("special.first")]), "first")
    manager.register(Plugin(ops=[cube("special.both")]), "second")
    special = ag.namespace("numpy").special
    assert special.first
    with pytest.raises(ConflictError, match=r"special\.both"):
        _ = special.both


def test_other_prefixes_stay_open(manager):
    manager.register(Plugin(ops=[cube("mine.first")]), "first")
    mine = ag.namespace("numpy").mine
    manager.register(Plugin(ops=[cube("mine.second")]), "second")
    assert mine.second(ag.tensor([2.0])).tolist() == [8.0]


def test_copies_are_the_same_object(manager):
    manager.register(Plugin(ops=[cube("special.first")]), "first")
    special = ag.namespace("numpy").special
    assert pickle.loads(pickle.dumps(special)) is special
    assert copy.deepcopy(special) is special
