"""`xp.special`: lazy, complete when it is handed out, closed from then on, absent without the plugin."""

import copy
import pickle
import subprocess
import sys
import types

import agnograd as ag
import pytest
from agnograd import plugins
from agnograd.errors import PluginLoadWarning
from agnograd.hookspecs import Sample, Uniform, elementwise, hookimpl


def names():
    from agnograd_special.plugin import agnograd_ops

    return sorted(op.name.removeprefix("special.") for op in agnograd_ops())


def another(name="special.late"):
    @hookimpl
    def agnograd_ops():
        yield elementwise(
            f"{name}(x, /)", body=lambda xp, x: 2 * x, x=lambda xp, g: 2 * g, samples=[Sample((Uniform(),))]
        )

    module = types.ModuleType("another")
    module.agnograd_ops = agnograd_ops
    return module


def run(code, **environment):
    import os

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("backend", ["numpy", "strict", "dask"])
def test_complete(backend):
    xp = ag.namespace(backend)
    assert dir(xp.special) == names()
    assert all(callable(getattr(xp.special, name)) for name in names())
    assert xp.special is xp.special
    assert xp.special.__name__ == f"{xp.__name__}.special"
    assert "special" in dir(xp)
    assert xp.zeros(2).__array_namespace__().special is xp.special


def test_what_is_not_there():
    special = ag.namespace("numpy").special
    assert not hasattr(special, "erff")
    with pytest.raises(AttributeError, match="special' has no attribute 'erff'"):
        _ = special.erff


def test_copies_are_the_same_object():
    special = ag.namespace("numpy").special
    assert pickle.loads(pickle.dumps(special)) is special
    assert copy.deepcopy(special) is special


def test_complete_although_a_plugin_was_registered_before():
    with plugins.isolated(installed=True) as manager:
        manager.register(another(), "another")
        special = ag.namespace("numpy").special
        assert dir(special) == sorted([*names(), "late"])


def test_closed_once_it_was_handed_out():
    with plugins.isolated(installed=True) as manager:
        special = ag.namespace("numpy").special
        with pytest.warns(PluginLoadWarning, match=r"adds special\.late after `special` was asked for on numpy"):
            manager.register(another(), "another")
        assert not hasattr(special, "late")
        assert ag.namespace("numpy").special is special
        assert hasattr(ag.special, "late")
        # Where nobody has asked yet, it is complete.
        assert hasattr(ag.namespace("strict").special, "late")


def test_other_prefixes_stay_open():
    with plugins.isolated(installed=True) as manager:
        manager.register(another("mine.first"), "first")
        mine = ag.namespace("numpy").mine
        manager.register(another("mine.second"), "second")
        assert mine.second(ag.ones(1)).array == 2


def test_nothing_is_loaded_until_it_is_asked_for():
    code = """
import sys, agnograd as ag
xp = ag.namespace("numpy")
x = ag.tensor([1.0], requires_grad=True)
ag.exp(x).sum().backward()
assert not {"agnograd_special", "scipy"} & set(sys.modules)
special = xp.special
assert "agnograd_special" in sys.modules and not {"scipy", "cupy", "cupyx", "dask"} & set(sys.modules)
special.erf(x)
assert "scipy.special" in sys.modules and not {"cupy", "cupyx", "dask"} & set(sys.modules)
"""
    run(code)


def test_absent_without_the_plugin():
    code = """
import agnograd as ag
for holder in (ag, ag.namespace("numpy")):
    assert not hasattr(holder, "special")
    try:
        holder.special
    except AttributeError as error:
        print(error)
"""
    for line in run(code, AGNOGRAD_DISABLE_PLUGINS="agnograd-special").splitlines():
        assert "has no attribute 'special'" in line
        assert "pip install agnograd-special" in line


def test_listed():
    out = run("import sys; from agnograd.__main__ import main; sys.exit(main(['plugins', '--check']))")
    assert "agnograd-special" in out
