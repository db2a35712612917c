"""Names that two plugins claim: neither is chosen, and using the name says who they are."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_arrays
from made_plugins import CUBE, TINY, Plugin

import agnograd as ag
from agnograd.core.table import contested, find, spaces
from agnograd.errors import ConflictError


def test_two_plugins_for_one_operation_raise_where_it_is_used_and_name_both(install, load):
    install("agno-powers", "powers = p_powers", p_powers=CUBE.format(name="powers.cube"))
    install("agno-other", "other = p_other", version="2.0", p_other=CUBE.format(name="powers.cube"))
    manager, messages = load()
    assert messages == []  # nothing is broken, and nobody may ever use that name
    x = ag.tensor([2.0], requires_grad=True)
    text = (
        "operation 'powers.cube' is provided by 2 plugins:\n"
        "  - other (agno-other 2.0)\n"
        "  - powers (agno-powers 1.0)\n"
        "Uninstall one, or set AGNOGRAD_DISABLE_PLUGINS=powers."
    )
    for use in (
        lambda: ag.powers.cube,
        lambda: x.__array_namespace__().powers.cube,
        lambda: find("powers.cube"),
        lambda: manager.find_op("powers.cube"),
    ):
        with pytest.raises(ConflictError) as caught:
            use()
        assert str(caught.value) == text
    assert manager.conflicts() == [text]
    assert ag.sin(x).requires_grad
    manager.unregister("other")
    assert ag.powers.cube(x).tolist() == [8.0]
    assert manager.conflicts() == []
    manager.unregister("powers")
    assert not contested
    assert not hasattr(ag, "powers")


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
