"""An observer of an installed plugin: loaded where it is asked for, and on for that block only."""

from __future__ import annotations

import sys

import pytest

import agnograd as ag
from agnograd import plugins
from agnograd.core import observing
from agnograd.errors import ConflictError

SOURCE = """
    from contextlib import contextmanager

    class Counts(dict):
        def watch(self, call, run):
            ans = run()
            self[call.op, call.phase] = self.get((call.op, call.phase), 0) + 1
            return ans

    @contextmanager
    def counting(*, start=0):
        counts = Counts()
        if start:
            counts["start"] = start
        yield counts

    @hookimpl
    def agnograd_observers():
        yield ObserverSpec(name="counting", factory=counting, doc="how often operations run")
"""


def work(x):
    ag.sin(ag.sin(x)).sum().backward()


def test_switched_on_by_name_and_off_again(install):
    install("agno-counting", "counting = counting_plugin", counting_plugin=SOURCE)
    x = ag.tensor([0.5], requires_grad=True)
    with plugins.isolated(installed=True):
        work(x)
        # Being installed is not being in use.
        assert "counting_plugin" not in sys.modules
        with ag.observe("counting", start=7) as counts:
            assert "counting_plugin" in sys.modules
            ag.sin(ag.sin(x)).sum().backward()
        seen = dict(counts)
        work(x)
    assert seen["start"] == 7
    assert seen["sin", "forward"] == seen["sin", "backward"] == 2
    assert counts == seen
    assert observing.count == 0


def test_two_of_one_name(install, load):
    install("agno-one", "one = one_plugin", one_plugin=SOURCE)
    install("agno-two", "two = two_plugin", two_plugin=SOURCE)
    load()
    with pytest.raises(ConflictError, match="observer 'counting' is provided by 2 plugins"), ag.observe("counting"):
        pass
