"""How far long work is: passes back through large graphs, what they compute again, dask's tasks, checks.

One `Progress` shows all of it, a line for each piece of work that is under way. Where nobody looks, in a file or a
pipe, it shows nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

from agnograd.core.observing import BACKWARD, following

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars

# Seconds between two looks at the screen: a step in between costs an addition.
_INTERVAL = 0.1


class Task:
    """A piece of work, which `Progress.task` makes.

    Parameters
    ----------
    owner : Progress
        What shows it.
    text : str
        What is being done.
    total : int or None
        Of how many steps it consists.

    Attributes
    ----------
    text : str
        What is being done.
    total : int or None
        Of how many steps it consists, as far as that is known.
    done : int
        How many of them have been done.
    note : str
        What is said beside the bar.

    Examples
    --------
    >>> from agnograd.progress import Progress
    >>> with Progress().task("reading", total=2) as task:
    ...     task.advance(note="first file")
    >>> task.done, task.note
    (1, 'first file')
    """

    def __init__(self, owner: Progress, text: str, total: int | None) -> None:
        self.text = text
        self.total = total
        self.done: int = 0
        self.note: str = ""
        self._owner = owner
        self._start = self._shown = perf_counter()
        self._line: Any = None

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """Count steps that have been done.

        Parameters
        ----------
        steps : int
        note : str, optional
            What is to be said beside the bar.
        """
        self.done += steps
        if note is not None:
            self.note = note
        now = perf_counter()
        if now - self._shown >= _INTERVAL:
            self._shown = now
            self._owner._show(self, now - self._start)


class Progress:
    """Show how far long work is that runs within a block.

    That is each pass back through a graph (its nodes, and how often `agnograd.checkpoint` ran a function again) and
    what dask computes with the schedulers of one machine; `dask.distributed` has a display of its own. Any other work
    joins in by `task`. While the block runs, each operation costs some microseconds more; without one nothing does.

    Parameters
    ----------
    minimum : float
        Work that takes fewer seconds is not shown.
    console : rich.console.Console, optional
        Where to show it: standard error by default, if that is a terminal or a notebook. On a console that is none
        nothing is shown.

    Attributes
    ----------
    finished : list of Task
        The pieces of work that have come to their end, shown or not.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> with ag.Progress() as progress:
    ...     ag.sum(ag.sin(ag.exp(x))).backward()
    >>> [(task.text, task.done, task.total) for task in progress.finished]
    [('backward', 3, 3)]
    """

    def __init__(self, *, minimum: float = 0.5, console: Console | None = None) -> None:
        self.minimum = minimum
        self.finished: list[Task] = []
        self._console = console
        self._bars: Bars | None = None
        self._passes: list[Task] = []
        self._stack = ExitStack()
        self._dask: Any = None

    # -- the block ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Progress:
        with ExitStack() as stack:
            stack.callback(self._clear)
            stack.callback(self._leave_dask)
            stack.enter_context(following(self))
            self._stack = stack.pop_all()
        self._follow_dask()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextmanager
    def task(self, text: str, total: int | None = None) -> Iterator[Task]:
        """Show a piece of work of your own; within the block of the progress, or by itself.

        Parameters
        ----------
        text : str
            What is being done.
        total : int, optional
            Of how many steps it consists.

        Yields
        ------
        Task
            `Task.advance` counts steps.

        Examples
        --------
        >>> from agnograd.progress import Progress
        >>> progress = Progress()
        >>> with progress.task("reading", total=3) as task:
        ...     for _ in range(3):
        ...         task.advance()
        >>> task.done
        3
        """
        task = Task(self, text, total)
        try:
            yield task
        finally:
            self._end(task)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _show(self, task: Task, seconds: float) -> None:
        if task._line is None:
            if seconds < self.minimum or not self._visible():
                return
            task._line = self._lines().add_task(task.text, total=task.total, note=task.note)
        bars = self._bars
        if bars is not None:
            bars.update(task._line, completed=task.done, total=task.total, note=task.note)

    def _visible(self) -> bool:
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=sys.stderr)
        return self._console.is_terminal or self._console.is_jupyter

    def _lines(self) -> Bars:
        if self._bars is None:
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Made

            self._bars = Made(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=self._console,
                transient=True,
            )
            self._bars.start()
        return self._bars

    def _end(self, task: Task) -> None:
        self.finished.append(task)
        if task._line is not None and self._bars is not None:
            self._bars.remove_task(task._line)
            if not self._bars.tasks:
                self._clear()

    def _clear(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    # -- passes back ---------------------------------------------------------------------------------------------------

    @contextmanager
    def stage(self, kind: str, count: Callable[[], int]) -> Iterator[None]:
        """Called by the engine around each pass back, and around each function that is run again for one."""
        self._follow_dask()
        if kind != BACKWARD:
            if self._passes:
                task = self._passes[-1]
                again = int(task.note.partition(" ")[0] or 0) + 1
                task.advance(0, note=f"{again} run again")
            yield
            return
        with self.task("backward", count()) as task:
            self._passes.append(task)
            try:
                yield
            finally:
                self._passes.remove(task)

    def step(self) -> None:
        """Called by the engine after each rule of a pass back."""
        if self._passes:
            self._passes[-1].advance()

    # -- dask ----------------------------------------------------------------------------------------------------------

    def _follow_dask(self) -> None:
        if self._dask is None and "dask" in sys.modules:
            self._dask = dask_callback(self)
            self._dask.register()

    def _leave_dask(self) -> None:
        if self._dask is not None:
            self._dask.unregister()
            self._dask = None


def dask_callback(progress: Progress) -> Any:
    """A callback of dask that shows its tasks in a progress; a context manager, as those of `dask.diagnostics` are.

    Parameters
    ----------
    progress : Progress
        What shows the tasks.

    Returns
    -------
    dask.callbacks.Callback

    Examples
    --------
    >>> import dask.array as da
    >>> from agnograd.progress import Progress, dask_callback
    >>> progress = Progress()
    >>> with dask_callback(progress):
    ...     _ = da.ones(4, chunks=2).compute()
    >>> [(task.text, task.done == task.total) for task in progress.finished]
    [('dask', True)]
    """
    from dask.callbacks import Callback

    class Following(Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            # By the state that dask hands to its callbacks: threads may compute at the same time.
            self._open: dict[int, Task] = {}

        def _start_state(self, _dsk: Any, state: Any) -> None:
            whole = sum(len(state[name]) for name in ("ready", "waiting", "running"))
            self._open[id(state)] = Task(progress, "dask", whole)

        def _posttask(self, _key: Any, _result: Any, _dsk: Any, state: Any, _worker: Any) -> None:
            self._open[id(state)].advance()

        def _finish(self, _dsk: Any, state: Any, _failed: bool) -> None:
            task = self._open.pop(id(state), None)
            if task is not None:
                progress._end(task)

    return Following()
