"""Plugins: how they are found, what they may provide, and that a broken one harms nobody else.

The distributions are made up: a ``.dist-info`` folder and a module in a temporary folder on the path, as pip would
leave them there. `plugins.isolated` keeps all of it out of the process's own tables.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import warnings
from importlib import metadata

import numpy as np
import pytest
import tiny_arrays

import agnograd as ag
from agnograd import plugins
from agnograd.core.op import Sample, Uniform
from agnograd.core.table import OPS, contested, find, spaces
from agnograd.core.tiers import composite, elementwise, nondifferentiable
from agnograd.errors import (
    BackendUnavailableError,
    ConflictError,
    ForeignArrayError,
    MissingRuleError,
    MixedBackendsError,
    PluginError,
    PluginLoadWarning,
    UnknownBackendError,
    UnknownOperationError,
    UnknownPluginError,
)

ENVIRONMENT = ("AGNOGRAD_DISABLE_PLUGINS", "AGNOGRAD_LOAD_PLUGINS", "AGNOGRAD_PLUGIN_ERRORS", "AGNOGRAD_BACKEND")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def manager():
    """A manager with the built-in plugins."""
    with plugins.isolated() as made:
        yield made


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Make a distribution: ``install("my-dist", "entry = module", module="source")``."""
    plugins.manager.load()  # the process's own must not find what is made here
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def make(distribution, *points, version="1.0", **modules):
        # importlib.metadata reads the name off the folder: it has to be spelt with underscores.
        info = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text("\n".join(["[agnograd]", *points, ""]))
        for name, source in modules.items():
            (tmp_path / f"{name}.py").write_text("from agnograd import *\n" + textwrap.dedent(source))
            made.append(name)
        return tmp_path

    # `from agnograd import *` gives a plugin's source Backend, Kernel, ObserverSpec and hookimpl.
    yield make
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def load():
    """Load what is installed, and return the manager and the warnings."""
    with contextlib.ExitStack() as stack:

        def run():
            made = stack.enter_context(plugins.isolated(installed=True))
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                made.load()
            return made, [str(w.message) for w in caught if issubclass(w.category, PluginLoadWarning)]

        yield run


def record_of(manager, name):
    (record,) = [r for r in manager.records if r.name == name and not r.built_in]
    return record


def cube(name="tests.cube"):
    return elementwise(
        f"{name}(x, /)",
        body=lambda xp, x: x * x * x,
        x=lambda xp, g, x: 3 * g * x * x,
        samples=[Sample((Uniform(),))],
        doc="x to the third",
    )


class Plugin:
    """A plugin made on the spot: ``Plugin(ops=[...], kernels=[...])``."""

    def __init__(self, **provided):
        for hook, items in provided.items():
            setattr(self, f"agnograd_{hook}", ag.hookimpl(lambda items=items: items))


CUBE = """
    from agnograd.core.op import Sample, Uniform
    from agnograd.core.tiers import elementwise

    @hookimpl
    def agnograd_ops():
        yield elementwise(
            "{name}(x, /)",
            body=lambda xp, x: x * x * x,
            x=lambda xp, g, x: 3 * g * x * x,
            samples=[Sample((Uniform(),))],
        )
"""

TINY = ag.Backend(
    name="tiny",
    namespace="tiny_arrays",
    array_types=("tiny_arrays:Tiny",),
    to_host=lambda x: x.values,
    device=lambda x: x.device,
)


# -- what a plugin provides --------------------------------------------------------------------------------------------


def test_one_plugin_provides_a_backend_an_operation_a_kernel_and_an_observer(install, load):
    install(
        "my-dist",
        "mine = my_plugin",
        my_plugin="""
            import contextlib
            from agnograd.core.op import Sample, Uniform
            from agnograd.core.tiers import elementwise

            @hookimpl
            def agnograd_backends():
                yield Backend(
                    name="tiny", namespace="tiny_arrays", array_types=("tiny_arrays:Tiny",), to_host=lambda x: x.values,
                    device=lambda x: x.device,
                )

            @hookimpl
            def agnograd_ops():
                yield elementwise(
                    "mine.double(x, /)", body=lambda xp, x: x + x, x=lambda xp, g: g + g, samples=[Sample((Uniform(),))]
                )

            @hookimpl
            def agnograd_kernels():
                yield Kernel(op="mine.double", backend="tiny", body=lambda x: 2 * x)

            @hookimpl
            def agnograd_observers():
                yield ObserverSpec(name="silent", factory=contextlib.nullcontext)
            """,
    )
    manager, messages = load()
    assert messages == []
    record = record_of(manager, "mine")
    assert (record.status, record.label) == ("loaded", "mine (my-dist 1.0)")
    assert record.provides == {
        "agnograd_backends": ["tiny"],
        "agnograd_ops": ["mine.double"],
        "agnograd_kernels": ["mine.double@tiny"],
        "agnograd_observers": ["silent"],
    }
    assert manager.provider("mine.double") == "mine (my-dist 1.0)"
    assert manager.find_observer("silent").factory is contextlib.nullcontext
    assert ag.mine.double(tiny_arrays.Tiny([1.0, 2.0])).values.tolist() == [2.0, 4.0]


def test_a_library_nobody_has_heard_of_is_differentiated(manager):
    manager.register(Plugin(backends=[TINY]), "tiny")
    x = ag.asarray(tiny_arrays.Tiny([0.5, 1.0]), requires_grad=True)
    assert x.__array_namespace__() is ag.namespace("tiny")
    y = (ag.sin(x) * x + 1.0).sum()
    y.backward()
    assert isinstance(x.grad.array, tiny_arrays.Tiny)
    np.testing.assert_allclose(x.grad.tolist(), np.cos([0.5, 1.0]) * [0.5, 1.0] + np.sin([0.5, 1.0]))
    (first,) = ag.autograd.grad((x**3).sum(), x, create_graph=True)
    (second,) = ag.autograd.grad(first.sum(), x)
    assert second.tolist() == [3.0, 6.0]
    raw = ag.grad(lambda x: ag.sum(x * x))(tiny_arrays.Tiny([1.0, 2.0]))
    assert isinstance(raw, tiny_arrays.Tiny)
    assert raw.values.tolist() == [2.0, 4.0]
    with pytest.raises(MixedBackendsError, match=r"add got arrays of two backends, tiny and numpy: .*on shelf.*on cpu"):
        x + np.ones(2)
    manager.unregister("tiny")
    with pytest.raises(UnknownBackendError):
        ag.namespace("tiny")
    with pytest.raises(ForeignArrayError, match=r"sin got an object of type tiny_arrays\.Tiny \(shape \(2,\), f"):
        ag.sin(tiny_arrays.Tiny([1.0, 2.0]))


def test_an_operation_of_a_plugin_is_differentiable_on_every_backend(manager, agnograd_backend):
    manager.register(Plugin(ops=[cube()]), "cubes")
    xp = ag.namespace(agnograd_backend)
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    xp.tests.cube(x).sum().backward()
    assert x.grad.tolist() == [3.0, 12.0]
    second = ag.grad(lambda x: ag.grad(lambda x: ag.tests.cube(x).sum())(x).sum())(xp.asarray([1.0, 2.0]))
    assert second.tolist() == [6.0, 12.0]
    _, tangent = ag.jvp(ag.tests.cube, (xp.asarray([1.0, 2.0]),), (xp.asarray([1.0, 1.0]),))
    assert tangent.tolist() == [3.0, 12.0]
    raw = spaces.named(agnograd_backend).module.asarray([1.0, 2.0])
    assert type(ag.tests.cube(raw)) is type(raw)


@pytest.mark.parametrize("name", ["tests.cube", "plaincube", "tests.deep.cube", "linalg.cube"])
def test_an_operation_appears_everywhere_and_goes_again(manager, name):
    xp = ag.namespace("numpy")

    def reached(owner):
        for part in name.split("."):
            owner = getattr(owner, part)
        return owner

    for _ in range(2):
        manager.register(Plugin(ops=[cube(name)]), "cubes")
        x = ag.tensor([2.0], requires_grad=True)
        for owner in (ag, xp, x.__array_namespace__()):
            assert reached(owner) is find(name).call
            assert name.partition(".")[0] in dir(owner)
        reached(xp)(x).sum().backward()
        assert x.grad.tolist() == [12.0]
        assert reached(spaces.named("numpy"))(np.asarray([2.0])).tolist() == [8.0]
        manager.unregister("cubes")
        for owner in (ag, xp):
            with pytest.raises(AttributeError, match="has no attribute"):
                reached(owner)
        with pytest.raises(UnknownOperationError, match=f"no operation named '{name}'"):
            manager.find_op(name)
        with pytest.raises(Exception, match="has no"):
            reached(spaces.named("numpy"))
    assert xp.linalg.matmul is ag.matmul


def test_the_namespace_of_a_plugins_package_lists_its_operations_and_pickles(manager):
    manager.register(Plugin(ops=[cube("tests.cube"), cube("tests.deep.cube")]), "cubes")
    assert dir(ag.tests) == ["cube", "deep"]
    assert repr(ag.namespace("numpy").tests) == "<array namespace 'agnograd.namespaces.numpy.tests'>"
    assert pickle.loads(pickle.dumps(ag.tests)).cube is ag.tests.cube


def test_a_kernel_replaces_the_body_on_its_backend_only_and_until_it_is_unregistered(manager):
    seen = []

    def sin(x):
        seen.append(type(x))
        return np.sin(x)

    x = ag.tensor([1.0], requires_grad=True)
    before = ag.sin(x)  # the body is looked up and kept: the kernel must displace it
    manager.register(Plugin(kernels=[ag.Kernel(op="sin", backend="numpy", body=sin)]), "faster")
    after = ag.sin(x)
    assert seen == [np.ndarray]
    assert after.tolist() == before.tolist()
    after.sum().backward()
    assert x.grad.tolist() == np.cos([1.0]).tolist()
    ag.sin(np.ones(1))
    ag.cos(x).backward()  # its rule calls xp.sin
    assert len(seen) == 3
    ag.sin(ag.namespace("strict").ones(2))
    assert len(seen) == 3
    manager.unregister("faster")
    ag.sin(x)
    assert len(seen) == 3


def test_a_kernel_that_was_there_before_the_backend_is_used(manager):
    body = ag.Kernel(op="tests.cube", backend="strict", body=lambda x: x)
    manager.register(Plugin(ops=[cube()], kernels=[body]), "cubes")
    assert ag.tests.cube(ag.namespace("strict").asarray([2.0])).tolist() == [2.0]
    assert ag.tests.cube(ag.tensor([2.0])).tolist() == [8.0]


def test_a_kernel_gives_way_to_the_backends_own_when_it_is_unregistered(manager):
    own = spaces.named("numpy").sum
    manager.register(Plugin(kernels=[ag.Kernel(op="sum", backend="numpy", body=lambda x, **_: x)]), "wrong")
    assert ag.sum(ag.ones(2)).shape == (2,)
    manager.unregister("wrong")
    assert ag.sum(ag.ones(2)).shape == ()
    assert spaces.named("numpy").sum is own


def test_an_operation_without_a_rule_for_an_argument_says_so_when_that_is_differentiated(manager):
    scale = elementwise(
        "tests.scale(x1, x2, /)",
        body=lambda xp, x1, x2: x1 * x2,
        x1=lambda xp, g, x2: g * x2,
        samples=[Sample((Uniform(), Uniform()))],
    )
    manager.register(Plugin(ops=[scale]), "scales")
    x, y = ag.tensor([2.0], requires_grad=True), ag.tensor([3.0])
    ag.tests.scale(x, y).sum().backward()
    assert x.grad.tolist() == [3.0]
    with pytest.raises(MissingRuleError, match=r"'tests\.scale' has no derivative with respect to its argument 'x2'"):
        ag.tests.scale(y, x)
    assert ag.tests.scale(y, x.detach()).tolist() == [6.0]


def test_other_tiers_from_a_plugin(manager):
    ops = [
        composite("tests.twice(x, /)", body=lambda xp, x: xp.add(x, x), samples=[Sample((Uniform(),))]),
        nondifferentiable("tests.positive(x, /)", body=lambda xp, x: x > 0, samples=[Sample((Uniform(),))]),
    ]
    manager.register(Plugin(ops=ops), "others")
    x = ag.tensor([1.0, -1.0], requires_grad=True)
    ag.tests.twice(x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    assert ag.tests.positive(x).tolist() == [True, False]


# -- when plugins are looked for ---------------------------------------------------------------------------------------


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


# -- broken plugins ----------------------------------------------------------------------------------------------------

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
    assert not any(owner is record for claims in manager._claims.values() for owner, _ in claims)
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


def test_a_name_that_failed_to_load_is_mentioned_where_it_is_missed(install, load):
    install("agno-broken", "broken = broken_plugin", broken_plugin="import nosuchmodule")
    manager, _ = load()
    hint = r"Plugins that failed to load and may provide it: broken \(agno-broken 1\.0\)\."
    with pytest.raises(UnknownBackendError, match=hint):
        ag.namespace("marvellous")
    with pytest.raises(UnknownOperationError) as caught:
        manager.find_op("marvellous.op")
    assert "broken (agno-broken 1.0)" in caught.value.__notes__[0]
    with pytest.raises(UnknownPluginError, match=f"no observer named 'silent'. Known: none. {hint}"):
        manager.find_observer("silent")


def test_kernels_for_what_does_not_exist_are_told_once_all_plugins_are_loaded(install, load, manager):
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


# -- names that are taken ----------------------------------------------------------------------------------------------


def test_two_plugins_for_one_operation_raise_where_it_is_used_and_name_both(install, load):
    install("agno-special", "special = p_special", p_special=CUBE.format(name="special.cube"))
    install("agno-other", "other = p_other", version="2.0", p_other=CUBE.format(name="special.cube"))
    manager, messages = load()
    assert messages == []  # nothing is broken, and nobody may ever use that name
    x = ag.tensor([2.0], requires_grad=True)
    text = (
        "operation 'special.cube' is provided by 2 plugins:\n"
        "  - other (agno-other 2.0)\n"
        "  - special (agno-special 1.0)\n"
        "Uninstall one, or set AGNOGRAD_DISABLE_PLUGINS=special."
    )
    for use in (
        lambda: ag.special.cube,
        lambda: x.__array_namespace__().special.cube,
        lambda: find("special.cube"),
        lambda: manager.find_op("special.cube"),
    ):
        with pytest.raises(ConflictError) as caught:
            use()
        assert str(caught.value) == text
    assert manager.conflicts() == [text]
    assert ag.sin(x).requires_grad
    manager.unregister("other")
    assert ag.special.cube(x).tolist() == [8.0]
    assert manager.conflicts() == []
    manager.unregister("special")
    assert not contested
    assert not hasattr(ag, "special")


def test_two_plugins_for_one_backend(manager):
    other = ag.Backend(name="tiny", namespace="nowhere", array_types=("nowhere:Array",))
    manager.register(Plugin(backends=[TINY]), "first")
    x = ag.asarray(tiny_arrays.Tiny([1.0]))
    manager.register(Plugin(backends=[other]), "second")
    for use in (lambda: ag.namespace("tiny"), lambda: ag.sin(tiny_arrays.Tiny([1.0])), lambda: ag.sin(x)):
        with pytest.raises(ConflictError, match=r"backend 'tiny' is provided by 2 plugins:\n  - first\n  - second\n"):
            use()
    assert "provided by 2 plugins" in manager.unavailable("tiny")
    assert (ag.ones(2) + 1).tolist() == [2.0, 2.0]
    # Whichever goes, the other one stays.
    manager.unregister("first")
    assert manager.find_backend("tiny") is other
    manager.register(Plugin(backends=[TINY]), "first")
    manager.unregister("second")
    assert ag.sin(x).shape == (1,)


def test_two_plugins_for_one_kernel(manager):
    def kernel(factor):
        return Plugin(kernels=[ag.Kernel(op="sin", backend="numpy", body=lambda x: factor * x)])

    manager.register(kernel(1.0), "one")
    manager.register(kernel(2.0), "two")
    with pytest.raises(ConflictError, match=r"kernel 'sin@numpy' is provided by 2 plugins:\n  - one\n  - two\n"):
        ag.sin(ag.tensor([1.0], requires_grad=True))
    ag.sin(ag.namespace("strict").ones(1))
    manager.unregister("one")
    assert ag.sin(ag.tensor([1.0])).tolist() == [2.0]


def test_two_plugins_for_one_observer(manager):
    def silent():
        return Plugin(observers=[ag.ObserverSpec(name="silent", factory=list)])

    manager.register(silent(), "one")
    manager.register(silent(), "two")
    with pytest.raises(ConflictError, match="observer 'silent' is provided by 2 plugins"):
        manager.find_observer("silent")


def test_two_backends_for_one_type_of_array(manager):
    twin = ag.Backend(name="twin", namespace="tiny_arrays", array_types=("tiny_arrays:Tiny",))
    manager.register(Plugin(backends=[TINY]), "tiny")
    manager.register(Plugin(backends=[twin]), "twin")
    with pytest.raises(ConflictError, match=r"type tiny_arrays\.Tiny are claimed by the backends tiny and twin"):
        ag.asarray(tiny_arrays.Tiny([1.0]))


def test_a_plugin_may_know_a_subclass_better_than_the_backend_of_its_base(manager):
    assert spaces[tiny_arrays.Metres].name == "numpy"
    metres = ag.Backend(name="metres", namespace="array_api_compat.numpy", array_types=("tiny_arrays:Metres",))
    manager.register(Plugin(backends=[metres]), "metres")
    assert spaces[tiny_arrays.Metres].name == "metres"
    assert spaces[np.ndarray].name == "numpy"
    manager.unregister("metres")
    assert spaces[tiny_arrays.Metres].name == "numpy"


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


# -- backends that cannot be used --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ({"extra": "nosuchlib>=2"}, "pip install 'nosuchlib>=2'"),
        ({"extra": "dask"}, r"pip install 'agnograd\[dask\]'"),
        ({}, "pip install 'missing'"),
    ],
    ids=["a requirement", "an extra of agnograd", "nothing given"],
)
def test_a_backend_whose_library_is_missing_says_how_to_get_it(manager, options, command):
    missing = ag.Backend(
        name="missing", namespace="nosuchlib.api", array_types=("nosuchlib:Array",), requires=("nosuchlib",), **options
    )
    manager.register(Plugin(backends=[missing]), "missing")
    text = f"backend 'missing' needs 'nosuchlib', which is not installed. Install it with: {command}$"
    for use in (ag.namespace, ag.set_default_backend, lambda name: ag.to_backend(np.ones(2), name)):
        with pytest.raises(BackendUnavailableError, match=text):
            use("missing")
    assert "pip install" in manager.unavailable("missing")
    assert ag.default_backend() == "numpy"


def _no_device():
    raise RuntimeError("no device found")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"probe": _no_device}, "RuntimeError: no device found"),
        ({"kernels": _no_device}, "RuntimeError: no device found"),
        ({"guard": _no_device}, "RuntimeError: no device found"),
        ({"namespace": "tiny_arrays.nowhere"}, "ModuleNotFoundError: No module named 'tiny_arrays.nowhere'"),
    ],
    ids=["probe", "kernels", "guard", "namespace"],
)
def test_a_backend_that_does_not_work_says_why(manager, options, reason):
    broken = {"name": "broken", "namespace": "tiny_arrays", "array_types": ("tiny_arrays:Tiny",), **options}
    manager.register(Plugin(backends=[ag.Backend(**broken)]), "broken")
    text = f"backend 'broken' is installed but does not work on this machine: {reason}"
    with pytest.raises(BackendUnavailableError, match=text):
        ag.namespace("broken")
    with pytest.raises(BackendUnavailableError, match=text):
        ag.sin(tiny_arrays.Tiny([1.0]))


# -- the manager -------------------------------------------------------------------------------------------------------


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


# -- in a process of its own -------------------------------------------------------------------------------------------


def run(code, folder, *options, **environment):
    variables = {k: v for k, v in os.environ.items() if k not in ENVIRONMENT and not k.startswith("PYTHON")}
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
