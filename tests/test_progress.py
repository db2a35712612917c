"""Progress: counts what runs, is silent where nobody looks, leaves nothing behind and costs nothing unused."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from rich.console import Console

import agnograd as ag
from agnograd.core import observing
from agnograd.progress import Progress, Task, dask_callback


def told(progress):
    return [(task.text, task.done, task.total, task.note) for task in progress.finished]


def chain(x, steps):
    for _ in range(steps):
        x = ag.sin(x)
    return ag.sum(x)


def test_a_pass_back_is_counted_rule_by_rule():
    x = ag.ones(3, requires_grad=True)
    with Progress() as progress:
        chain(x, 10).backward()
    assert told(progress) == [("backward", 11, 11, "")]


def test_only_rules_that_run_are_counted():
    x, y = ag.ones(3, requires_grad=True), ag.ones(3, requires_grad=True)
    z = chain(x, 5) + chain(y, 50)
    with Progress() as progress:
        ag.autograd.grad(z, [x])
    assert told(progress) == [("backward", 7, 7, "")]


def test_outputs_of_one_operation_count_once():
    x = ag.tensor(np.diag([3.0, 2.0, 1.0])).requires_grad_()
    with Progress() as progress:
        _, s, _ = ag.linalg.svd(x)
        s.sum().backward()
    ((_, done, total, _),) = told(progress)
    assert done == total


def test_what_a_checkpoint_runs_again_is_told():
    x = ag.ones(3, requires_grad=True)
    with Progress() as progress:
        y = x
        for _ in range(4):
            y = ag.checkpoint(lambda y: ag.sin(ag.exp(y)), y)
        y.sum().backward()
    assert told(progress) == [("backward", 9, 9, "4 run again")]


def test_passes_within_passes_are_tasks_of_their_own():
    with Progress() as progress:
        ag.grad(lambda x: ag.sum(ag.grad(lambda y: ag.sum(y**3))(x)))(np.ones(3))
    assert [task.done == task.total > 0 for task in progress.finished] == [True, True]


def test_gradients_are_the_same_with_and_without():
    x = np.linspace(0, 1, 5)
    f = ag.grad(lambda x: chain(x * x, 4))
    expected = f(x)
    with Progress():
        np.testing.assert_array_equal(f(x), expected)


def test_dask_tasks_are_counted():
    da = pytest.importorskip("dask.array")
    lazy = ag.grad(lambda x: ag.sum(ag.exp(x)))(da.ones(6, chunks=2))
    with Progress() as progress:
        lazy.compute()
    task = progress.finished[-1]
    assert task.text == "dask"
    assert task.done == task.total > 0


def test_a_computation_that_fails_ends_its_task():
    da = pytest.importorskip("dask.array")

    def fail(block):
        raise RuntimeError("no")

    broken = da.ones(4, chunks=2).map_blocks(fail, meta=np.empty(0))
    with Progress() as progress, pytest.raises(RuntimeError, match="no"):
        broken.compute(scheduler="synchronous")
    assert len(progress.finished) == 1


def test_nothing_is_left_behind():
    dask = pytest.importorskip("dask.callbacks")
    x = ag.ones(3, requires_grad=True)
    x.register_hook(lambda g: 1 / 0)
    y = chain(x, 3)
    with pytest.raises(ZeroDivisionError), Progress():
        y.backward()
    assert observing.count == 0
    assert not dask.Callback.active


def test_a_terminal_sees_bars_that_go_away():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    with Progress(minimum=0.0, console=console) as progress, progress.task("reading", total=2) as task:
        task._shown -= 1  # a second ago
        task.advance(note="half")
    shown = stream.getvalue()
    assert "reading" in shown
    assert "half" in shown
    assert progress._bars is None


def test_short_work_is_not_shown_even_on_a_terminal():
    stream = io.StringIO()
    progress = Progress(minimum=60, console=Console(file=stream, force_terminal=True))
    with progress, progress.task("reading") as task:
        task._shown -= 1
        task.advance()
    assert stream.getvalue() == ""


def test_no_terminal_sees_nothing(capsys):
    with Progress(minimum=0.0) as progress, progress.task("reading", total=1000) as task:
        for _ in range(1000):
            task._shown -= 1
            task.advance()
    assert capsys.readouterr() == ("", "")


def test_tasks_need_no_block():
    progress = Progress()
    with progress.task("own", total=2) as task:
        task.advance(2)
    assert isinstance(task, Task)
    assert told(progress) == [("own", 2, 2, "")]


def test_dask_is_not_imported_for_it():
    import subprocess

    code = (
        "import sys, agnograd as ag\n"
        "with ag.Progress(): ag.ones(3, requires_grad=True).sum().backward()\n"
        "assert 'dask' not in sys.modules and 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_threads_that_compute_at_once_have_a_task_each():
    da = pytest.importorskip("dask.array")
    from concurrent.futures import ThreadPoolExecutor

    progress = Progress()
    with dask_callback(progress), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: da.ones(n, chunks=1).sum().compute(scheduler="synchronous"), [5, 6, 7, 8]))
    assert all(task.done == task.total for task in progress.finished)
