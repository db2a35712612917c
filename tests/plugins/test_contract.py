"""What a plugin must keep to, and that nothing is kept of one that does not."""

from __future__ import annotations

import sys
import textwrap

import pytest
from made_plugins import CUBE, Plugin, cube, record_of

import agnograd as ag
from agnograd.core.table import OPS
from agnograd.errors import PluginError
from agnograd.plugins.contract import HOOKS

BROKEN = {
    "raises on import": ("import nosuchmodule", "ModuleNotFoundError: No module named 'nosuchmodule'"),
    "exits on import": ("raise SystemExit('bye')", "SystemExit: bye"),
    "raises in a hook": (
        """
        @hookimpl
        def agnograd_ops():
            raise OSError("no licence")
        """,
        "OSError: no licence",
    ),
    "raises halfway": (
        """
        @hookimpl
        def agnograd_backends():
            yield Backend(name="half", namespace="half", array_types=("half:Array",))

        @hookimpl
        def agnograd_ops():
            yield 1
        """,
        "agnograd_ops must return Op objects, got int",
    ),
    "returns one object": (
        """
        @hookimpl
        def agnograd_backends():
            return Backend(name="one", namespace="one", array_types=("one:Array",))
        """,
        "agnograd_backends must return an iterable of Backend objects, got Backend",
    ),
    "returns a string": (
        """
        @hookimpl
        def agnograd_ops():
            return "mine.cube"
        """,
        "agnograd_ops must return an iterable of Op objects, got str",
    ),
    "returns the wrong type": (
        """
        @hookimpl
        def agnograd_kernels():
            return [print]
        """,
        "agnograd_kernels must return Kernel objects, got builtin_function_or_method",
    ),
    "misspells a hook": (
        """
        @hookimpl
        def agnograd_opps():
            return []
        """,
        "unknown hook 'agnograd_opps'; did you mean 'agnograd_ops' or",
    ),
    "has an unknown hook": (
        """
        @hookimpl
        def tea_time():
            return []
        """,
        "unknown hook 'tea_time'. This agnograd knows agnograd_backends",
    ),
    "has no hooks": (
        """
        def agnograd_ops():
            return []
        """,
        "it has no hooks. Mark functions named agnograd_backends, agnograd_ops, agnograd_kernels, agnograd_observers",
    ),
    "asks for an argument": (
        """
        @hookimpl
        def agnograd_ops(table):
            return []
        """,
        "'table'",
    ),
    "claims a built-in operation": (CUBE.format(name="sin"), "operation 'sin' is built in and cannot be replaced"),
    "claims a built-in backend": (
        """
        @hookimpl
        def agnograd_backends():
            yield Backend(name="numpy", namespace="mine", array_types=("mine:Array",))
        """,
        "backend 'numpy' is built in and cannot be replaced. Choose another name.",
    ),
    "claims a name twice": (
        """
        @hookimpl
        def agnograd_observers():
            return [ObserverSpec(name="a", factory=list), ObserverSpec(name="a", factory=dict)]
        """,
        "agnograd_observers returns two of the name 'a'",
    ),
    "hides an attribute of namespaces": (CUBE.format(name="device.cube"), "operation 'device.cube' hides 'device'"),
    "describes a backend wrongly": (
        """
        @hookimpl
        def agnograd_backends():
            yield Backend(name="mine", namespace="mine", array_types=("mine.Array",))
        """,
        "array_types of backend 'mine' must be a tuple of 'module:Class' strings, got ('mine.Array',)",
    ),
    "gives a string for a tuple": (
        """
        @hookimpl
        def agnograd_backends():
            yield Backend(name="mine", namespace="mine", array_types=("mine:Array",), requires="mine")
        """,
        "requires of backend 'mine' must be a tuple of modules, got the string 'mine'",
    ),
    "has an operation without samples": (
        CUBE.format(name="mine.cube").replace("[Sample((Uniform(),))]", "[]"),
        "RuleError: operation 'mine.cube' has no samples",
    ),
    "has a rule that cannot be": (
        CUBE.format(name="mine.cube").replace("lambda xp, g, x: 3 * g", "lambda xp, g, y: 3 * g"),
        "RuleError: a rule of 'mine.cube' has a parameter 'y', which names nothing that can be saved",
    ),
    "gives a kernel for a composite": (
        """
        @hookimpl
        def agnograd_kernels():
            yield Kernel(op="clip", backend="numpy", body=print)
        """,
        "operation 'clip' is made of other operations",
    ),
}


@pytest.mark.parametrize(("source", "reason"), list(BROKEN.values()), ids=list(BROKEN))
def test_a_broken_plugin_is_skipped_with_one_warning_and_nothing_of_it_is_kept(install, load, source, reason):
    install("agno-broken", "broken = broken_plugin", broken_plugin=source)
    install("agno-cubes", "cubes = cubes_plugin", cubes_plugin=CUBE.format(name="mine.good"))
    before = set(OPS), dict(ag.plugins.manager.backends())
    manager, messages = load()
    (message,) = messages
    assert message.startswith("agnograd plugin 'broken' from agno-broken 1.0 was skipped: ")
    assert reason in message
    assert message.endswith(" Update or uninstall it, or set AGNOGRAD_DISABLE_PLUGINS=broken.")
    record = record_of(manager, "broken")
    assert record.status == "failed"
    assert reason in record.error
    assert not any(manager._claims.items(hook, record) for hook in HOOKS)
    assert (set(OPS) - {"mine.good"}, manager.backends()) == before
    assert "broken" not in " ".join(str(name) for name, _ in manager._pluggy.list_name_plugin())
    assert record_of(manager, "cubes").status == "loaded"
    assert ag.mine.good(ag.tensor([2.0])).tolist() == [8.0]


@pytest.mark.parametrize(("source", "reason"), list(BROKEN.values())[2:], ids=list(BROKEN)[2:])
def test_registering_a_broken_plugin_raises_and_nothing_of_it_is_kept(manager, tmp_path, source, reason):
    scope = dict(vars(ag))
    exec(textwrap.dedent(source), scope)
    module = type(sys)("broken")
    vars(module).update({name: value for name, value in scope.items() if name not in vars(ag)})
    before = set(OPS), manager.backends(), list(manager.records)
    with pytest.raises(PluginError, match="plugin 'broken' cannot be registered: ") as caught:
        manager.register(module, "broken")
    assert reason in str(caught.value)
    assert (set(OPS), manager.backends(), manager.records) == before
    manager.register(Plugin(ops=[cube()]), "broken")


def test_kernels_for_what_does_not_exist_are_told_once_all_plugins_are_loaded(install, load):
    source = """
        @hookimpl
        def agnograd_kernels():
            yield Kernel(op="{op}", backend="{backend}", body=print)
    """
    # The operation of the first comes with a plugin that is loaded later.
    install("agno-a", "a = a_plugin", a_plugin=source.format(op="mine.cube", backend="numpy"))
    install("agno-b", "b = b_plugin", b_plugin=CUBE.format(name="mine.cube"))
    install("agno-c", "c = c_plugin", c_plugin=source.format(op="mine.cub", backend="numpy"))
    install("agno-d", "d = d_plugin", d_plugin=source.format(op="sin", backend="nunpy"))
    made, messages = load()
    c, d = messages
    assert c.startswith(
        "agnograd plugin 'c' from agno-c 1.0 is used in part: kernel 'mine.cub@numpy' is for an unknown operation; "
        "did you mean 'mine.cube'? Update or uninstall it, or set AGNOGRAD_DISABLE_PLUGINS=c."
    )
    assert "kernel 'sin@nunpy' is for an unknown backend; did you mean 'numpy' or" in d
    assert [record_of(made, name).status for name in "abcd"] == ["loaded"] * 4
    with pytest.raises(
        PluginError, match="plugin 'k' cannot be registered: kernel 'cosh@nunpy' is for an unknown backend"
    ):
        made.register(Plugin(kernels=[ag.Kernel(op="cosh", backend="nunpy", body=print)]), "k")


def test_a_hook_may_return_nothing_and_may_have_another_name(manager):
    class Mixed:
        @ag.hookimpl
        def agnograd_backends(self):
            return None

        @ag.hookimpl(specname="agnograd_ops")
        def my_operations(self):
            return [cube()]

        @ag.hookimpl(optionalhook=True)
        def agnograd_of_a_later_version(self):
            return []

    manager.register(Mixed(), "mixed")
    assert ag.tests.cube(ag.tensor([2.0])).tolist() == [8.0]
