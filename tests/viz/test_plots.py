"""Plots of what observers saw."""

from __future__ import annotations

import sys

import pytest

import agnograd as ag
from agnograd.errors import MissingLibraryError
from agnograd.viz import plot_memory, plot_operations


def work():
    x = ag.ones(1000, requires_grad=True)
    ag.sum(ag.exp(ag.sin(x))).backward()


@pytest.fixture
def ax():
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_the_timeline_notes_each_call_in_order():
    with ag.observe("timeline") as timeline:
        work()
    assert [(e.call.op, e.call.phase) for e in timeline.events] == [
        *(("sin", "forward"), ("exp", "forward"), ("sum", "forward")),
        *(("sum", "backward"), ("exp", "backward"), ("sin", "backward")),
    ]
    starts = [event.start for event in timeline.events]
    assert starts == sorted(starts)
    forward, backward = timeline.events[:3], timeline.events[:2:-1]
    assert [event.node for event in forward] == [event.node for event in backward]
    assert [event.form for event in forward] == [((1000,), "float64")] * 2 + [((), "float64")]
    assert forward[1].held - forward[0].held >= 8000
    assert "sin" in str(timeline)


def test_memory_over_time(ax):
    with ag.observe("timeline") as timeline:
        work()
    assert plot_memory(timeline, ax) is ax
    line = ax.lines[0]
    assert len(line.get_xdata()) == len(timeline.events)
    assert "at most" in ax.get_title()
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"forward", "backward"}


@pytest.mark.parametrize("observer", ["timing", "memory", "timeline"])
def test_cost_of_operations(ax, observer):
    with ag.observe(observer) as report:
        work()
    plot_operations(report, ax)
    assert {label.get_text() for label in ax.get_yticklabels()} <= {"sin", "exp", "sum"}
    assert ax.get_xlabel().endswith("MiB" if observer == "memory" else "ms")


def test_the_most_expensive_ones_are_shown(ax):
    with ag.observe("timing") as timing:
        work()
    slowest = max(("sin", "exp", "sum"), key=lambda op: sum(t.total for c, t in timing.times.items() if c.op == op))
    plot_operations(timing, ax, most=1)
    assert [label.get_text() for label in ax.get_yticklabels()] == [slowest]


def test_nothing_to_plot():
    with ag.observe("timeline", memory=False) as timeline:
        work()
    with pytest.raises(ValueError, match="of 6 calls none tells what arrays hold"):
        plot_memory(timeline)
    with ag.observe("timing") as timing:
        pass
    with pytest.raises(ValueError, match="nothing to plot"):
        plot_operations(timing)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with ag.observe("timing") as timing:
        work()
    with pytest.raises(MissingLibraryError, match=r"pip install 'agnograd\[viz\]'"):
        plot_operations(timing)
