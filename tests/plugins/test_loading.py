"""Installed plugins: when they are looked for, which of them are loaded, and how broken ones are told of."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from importlib import metadata

import pytest
import tiny_arrays
from made_plugins import CUBE, record_of

import agnograd as ag
from agnograd import plugins
from agnograd.core.table import find
from agnograd.errors import (
    PluginError,
    PluginLoadWarning,
    UnknownBackendError,
    UnknownOperationError,
    UnknownPluginError,
)


def test_entry_points_are_read_once_and_only_at_need(monkeypatch):
    reads = []
    read = metadata.entry_points
    monkeypatch.setattr(metadata, "entry_points", lambda **group: reads.append(group) or read(group="agnograd.nothing"))
    with plugins.isolated(installed=True):
        x = ag.tensor([1.0], requires_grad=True)
        (ag.sin(x) * 2).sum().backward()
        ag.namespace("strict").ones(2)
        for name in ("_private", "__wrapped__", "cli"):
            assert not hasattr(ag, name) or name == "cli"
            assert not hasattr(ag.namespace(), f"_{name}")
        assert reads == []
        assert not hasattr(ag, "nothing_like_it")
        assert not hasattr(ag.namespace(), "nothing_like_it")
        with pytest.raises(UnknownBackendError):
            ag.namespace("nothing_like_it")
    assert reads == [{"group": "agnograd"}]


NEEDS = {
    "a backend": lambda: ag.namespace("tiny"),
    "an array": lambda: ag.sin(tiny_arrays.Tiny([1.0])),
    "an operation": lambda: ag.mine.cube,
    "an operation in a namespace": lambda: ag.namespace("numpy").mine.cube,
    "the table": lambda: find("mine.cube"),
    "find_op": lambda: plugins.manager.find_op("mine.cube"),
    "find_observer": lambda: plugins.manager.find_observer("silent"),
    "the list of backends": lambda: plugins.manager.backends()["tiny"],
    "the list of operations": lambda: plugins.manager.operations()["mine.cube"],
}


@pytest.mark.parametrize("need", list(NEEDS.values()), ids=list(NEEDS))
def test_plugins_are_loaded_at_the_first_need(install, need):
    source = """
    @hookimpl
    def agnograd_backends():
        yield Backend(name="tiny", namespace="tiny_arrays", array_types=("tiny_arrays:Tiny",))

    @hookimpl
    def agnograd_observers():
        yield ObserverSpec(name="silent", factory=list)
    """
    install("my-dist", "mine = my_plugin", my_plugin=source + CUBE.format(name="mine.cube"))
    with plugins.isolated(installed=True):
        need()


def test_a_thread_that_needs_a_plugin_waits_until_all_are_loaded(install):
    slow = """
    import time

    time.sleep(0.2)
    """
    install("my-dist", "mine = my_plugin", my_plugin=slow + CUBE.format(name="mine.cube"))
    found = []
    with plugins.isolated(installed=True):
        threads = [threading.Thread(target=lambda: found.append(ag.mine.cube)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 3


# -- which plugins are considered --------------------------------------------------------------------------------------


@pytest.mark.parametrize("denied", ["cubes", "agno-cubes", "Agno_Cubes", "something, cubes", "*"])
def test_plugins_can_be_disabled(install, load, monkeypatch, denied):
    install("agno-cubes", "cubes = cubes_plugin", cubes_plugin="raise AssertionError('imported')")
    monkeypatch.setenv("AGNOGRAD_DISABLE_PLUGINS", denied)
    manager, messages = load()
    assert messages == []
    assert record_of(manager, "cubes").status == "disabled"
    assert "numpy" in manager.backends()


@pytest.mark.parametrize(
    ("allowed", "loaded"), [("agno-one", "one"), ("agno_two", "two"), ("agno-one,agno-two", "onetwo"), ("", "")]
)
def test_plugins_can_be_chosen(install, load, monkeypatch, allowed, loaded):
    install("agno-one", "one = one_plugin", one_plugin=CUBE.format(name="one.cube"))
    install("agno-two", "two = two_plugin", two_plugin=CUBE.format(name="two.cube"))
    monkeypatch.setenv("AGNOGRAD_LOAD_PLUGINS", allowed)
    manager, _ = load()
    assert "".join(r.name for r in manager.records if r.status == "loaded" and not r.built_in) == loaded


def test_a_second_distribution_with_the_same_entry_point_is_loaded_too(install, load):
    install("agno-one", "cubes = one_plugin", one_plugin=CUBE.format(name="one.cube"))
    install("agno-two", "cubes = two_plugin", two_plugin=CUBE.format(name="two.cube"))
    manager, messages = load()
    assert messages == []
    assert [r.label for r in manager.records if r.name == "cubes"] == ["cubes (agno-one 1.0)", "cubes (agno-two 1.0)"]
    x = ag.tensor([2.0])
    assert ag.one.cube(x).tolist() == ag.two.cube(x).tolist() == [8.0]


def test_one_module_under_two_names_is_loaded_once(install, load):
    install("agno-one", "a = one_plugin\nb = one_plugin", one_plugin=CUBE.format(name="one.cube"))
    manager, messages = load()
    (message,) = messages
    assert "plugin 'b' from agno-one 1.0 was skipped" in message
    assert record_of(manager, "a").status == "loaded"
    assert ag.one.cube(ag.tensor([2.0])).tolist() == [8.0]


# -- broken plugins ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["raise", "ignore"])
def test_what_happens_to_broken_plugins_can_be_chosen(install, monkeypatch, policy):
    install("agno-broken", "broken = broken_plugin", broken_plugin="import nosuchmodule")
    install("agno-other", "other = other_plugin", other_plugin="1 / 0")
    install("agno-cubes", "zcubes = cubes_plugin", cubes_plugin=CUBE.format(name="mine.good"))
    monkeypatch.setenv("AGNOGRAD_PLUGIN_ERRORS", policy)
    with plugins.isolated(installed=True) as manager:
        if policy == "raise":
            with pytest.raises(PluginError, match=r"plugin 'broken' from agno-broken 1\.0 was skipped") as caught:
                manager.load()
            assert isinstance(caught.value.__cause__, ModuleNotFoundError)
            assert "plugin 'other'" in caught.value.__notes__[0]
        else:
            manager.load()  # warnings are errors here: there is none
        # The sound ones are there in any case.
        assert ag.mine.good(ag.tensor([2.0])).tolist() == [8.0]


def test_warnings_that_are_errors_lose_no_plugin(install):
    install("agno-broken", "broken = broken_plugin", broken_plugin="import nosuchmodule")
    install("agno-cubes", "cubes = cubes_plugin", cubes_plugin=CUBE.format(name="mine.good"))
    with plugins.isolated(installed=True):
        with pytest.raises(PluginLoadWarning, match="broken"):
            ag.namespace("marvellous")
        assert ag.mine.good(ag.tensor([2.0])).tolist() == [8.0]


def test_a_name_that_failed_to_load_is_mentioned_where_it_is_missed(install, load):
    install("agno-broken", "broken = broken_plugin", broken_plugin="import nosuchmodule")
    manager, _ = load()
    hint = r"Plugins that failed to load and may provide it: broken \(agno-broken 1\.0\)\."
    with pytest.raises(UnknownBackendError, match=hint):
        ag.namespace("marvellous")
    with pytest.raises(UnknownOperationError) as caught:
        manager.find_op("marvellous.op")
    assert "broken (agno-broken 1.0)" in caught.value.__notes__[0]
    with pytest.raises(
        UnknownPluginError, match=f"no observer named 'silent'. Known: memory, timeline, timing. {hint}"
    ):
        manager.find_observer("silent")


# -- in a process of its own -------------------------------------------------------------------------------------------


def run(code, folder, *options, **environment):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        env={**variables, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("policy", ["warn", "raise", "ignore"])
def test_a_broken_plugin_never_breaks_the_import(install, policy):
    folder = install("agno-broken", "broken = broken_plugin", broken_plugin="import nosuchmodule")
    code = """
        import sys
        import agnograd as ag
        x = ag.tensor([3.0], requires_grad=True)
        (x * x).sum().backward()
        assert "broken_plugin" not in sys.modules
        print(x.grad)
        try:
            ag.namespace("marvellous")
        except Exception as error:
            print(type(error).__name__)
    """
    done = run(code, folder, AGNOGRAD_PLUGIN_ERRORS=policy)
    assert done.returncode == 0, done.stderr
    expected = "PluginError" if policy == "raise" else "UnknownBackendError"
    assert done.stdout.split() == ["tensor([6.])", expected]
    assert done.stderr.count("plugin 'broken' from agno-broken 1.0 was skipped") == (policy == "warn")


def test_an_installed_plugin_is_found_by_a_fresh_process(install):
    folder = install("agno-cubes", "cubes = cubes_plugin", cubes_plugin=CUBE.format(name="mine.cube"))
    code = """
        import agnograd as ag
        x = ag.tensor([2.0], requires_grad=True)
        y = ag.mine.cube(x)
        y.sum().backward()
        print(y, x.grad, type(y.grad_fn).__name__)
    """
    done = run(code, folder, "-W", "error")
    assert done.stdout.strip() == "tensor([8.], grad_fn=<CubeBackward0>) tensor([12.]) CubeBackward0", done.stderr
    disabled = run(code, folder, "-W", "error", AGNOGRAD_DISABLE_PLUGINS="cubes")
    assert "AttributeError: module 'agnograd' has no attribute 'mine'" in disabled.stderr
