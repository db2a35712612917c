"""All that can go wrong with a plugin, side by side in one installation: what is sound works all the same."""

from __future__ import annotations

import pytest
from made_plugins import CUBE

import agnograd as ag
from agnograd import plugins
from agnograd.errors import BackendUnavailableError, ConflictError, PluginError, PluginLoadWarning
from agnograd.testing import assert_plugin

ABSENT = """
    @hookimpl
    def agnograd_backends():
        yield Backend(
            name="absent", namespace="nolib", array_types=("nolib:Array",), requires=("nolib",), extra="nolib>=2"
        )
"""
SLOW = "    import time\n    time.sleep(0.1)\n"

# Name of the entry point, source, status, and what is told of it.
PLUGINS = {
    "success": ("good", CUBE.format(name="good.cube"), "loaded", ""),
    "slow-import": ("slow", SLOW + CUBE.format(name="slow.cube"), "loaded", ""),
    "same-entry-point-1": ("twin", CUBE.format(name="twin.cube"), "loaded", ""),
    "same-entry-point-2": ("twin", CUBE.format(name="twin.other"), "loaded", ""),
    "conflict-1": ("one", CUBE.format(name="both.cube"), "loaded", ""),
    "conflict-2": ("two", CUBE.format(name="both.cube"), "loaded", ""),
    "missing-requirement": ("absent", ABSENT, "loaded", ""),
    "blocked": ("blocked", "raise AssertionError('imported')", "disabled", ""),
    "import-error": ("torn", "import nosuchmodule", "failed", "ModuleNotFoundError: No module named 'nosuchmodule'"),
    "unknown-hook": ("typo", "@hookimpl\ndef agnograd_opps(): ...", "failed", "unknown hook 'agnograd_opps'"),
    "wrong-type": ("wrong", "@hookimpl\ndef agnograd_ops(): return [1]", "failed", "must return Op objects, got int"),
    "no-module": ("nowhere", None, "failed", "ModuleNotFoundError: No module named 'no_module_plugin'"),
}


def test_each_failure_stays_with_its_plugin(install, load, monkeypatch):
    for distribution, (name, source, _, _) in PLUGINS.items():
        module = f"{distribution.replace('-', '_')}_plugin"
        install(distribution, f"{name} = {module}", **({module: source} if source else {}))
    monkeypatch.setenv("AGNOGRAD_DISABLE_PLUGINS", "blocked")
    manager, messages = load()
    records = {record.distribution: record for record in manager.records if record.distribution in PLUGINS}
    told = {distribution: [m for m in messages if f" from {distribution} 1.0 " in m] for distribution in PLUGINS}
    for distribution, (name, _, status, reason) in PLUGINS.items():
        record = records[distribution]
        assert (record.name, record.status) == (name, status), record
        assert reason in record.error
        assert len(told[distribution]) == (status == "failed")
    # What is sound works.
    x = ag.tensor([2.0], requires_grad=True)
    for prefix in ("good", "slow", "twin"):
        assert getattr(ag, prefix).cube(x).tolist() == [8.0]
    assert ag.twin.other(x).tolist() == [8.0]
    # What is not says so where it is used.
    with pytest.raises(ConflictError, match=r"one \(conflict-1 1\.0\)\n  - two \(conflict-2 1\.0\)"):
        _ = ag.both.cube
    with pytest.raises(BackendUnavailableError, match=r"pip install 'nolib>=2'"):
        ag.namespace("absent")
    with pytest.raises(AttributeError, match=r"has no attribute 'torn'"):
        _ = ag.torn


def test_an_installed_plugin_is_checked_by_its_name(install, monkeypatch):
    documented = CUBE.format(name="{}.cube").replace("samples=", "doc='x to the third', samples=")
    install("agno-cubes", "cubes = cubes_plugin", cubes_plugin=documented.format("mine"))
    install("agno-one", "one = one_plugin", one_plugin=documented.format("both"))
    install("agno-two", "two = two_plugin", two_plugin=documented.format("both"))
    install("agno-broken", "broken = broken_plugin", broken_plugin="import nosuchmodule")
    install("agno-off", "off = off_plugin", off_plugin="")
    monkeypatch.setenv("AGNOGRAD_DISABLE_PLUGINS", "off")
    with plugins.isolated(installed=True) as manager:
        with pytest.warns(PluginLoadWarning, match="broken"):
            manager.load()
        assert_plugin("cubes", "numpy")
        assert_plugin("agno-cubes", "numpy", samples="few")
        for name, says in {
            "broken": r"broken \(agno-broken 1\.0\) is failed: ModuleNotFoundError",
            "off": r"plugin off \(agno-off 1\.0\) is disabled",
            "one": r"operation 'both\.cube' is provided by 2 plugins",
        }.items():
            with pytest.raises(PluginError, match=says):
                assert_plugin(name, "numpy")
