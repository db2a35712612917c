"""The tour: PyTorch's autograd tutorial on every backend that works here, then a classifier on real data."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.table import Table

import agnograd
from agnograd import plugins
from agnograd.cli.show import put
from agnograd.errors import BackendUnavailableError
from agnograd.tour import classifier
from agnograd.tour.cells import BEYOND, TUTORIAL, Cell, Notebook

if TYPE_CHECKING:
    from rich.console import Console


def run(names: Sequence[str] | None = None, *, steps: int | None = None, console: Console) -> dict[str, Any]:
    """Take the tour.

    Parameters
    ----------
    names : sequence of str, optional
        The backends; by default all that work.
    steps : int, optional
        Steps of the fit, by default as many as suit the backend.
    console : rich.console.Console
        Where to tell what happens.

    Returns
    -------
    dict
        All of it as data; ``problems`` lists what went wrong.

    Raises
    ------
    UnknownBackendError, BackendUnavailableError
        If one of `names` cannot be used.
    """
    started = time.perf_counter()
    chosen, skipped = _backends(names)
    console.print(f"agnograd {agnograd.__version__} on {', '.join(chosen)}", style="bold")
    for reason in skipped.values():
        console.print(f"left out: {reason}", soft_wrap=True)
    notebooks = [Notebook(name) for name in chosen]
    report: dict[str, Any] = {
        "agnograd": agnograd.__version__,
        "backends": chosen,
        "skipped": skipped,
        "tutorial": _walk(TUTORIAL, notebooks, console, "1. PyTorch's autograd tutorial"),
        "beyond": _walk(BEYOND, notebooks, console, "2. Second order, and JAX's way to say it"),
        "problems": [f"the tutorial failed on {n.backend}: {n.error}" for n in notebooks if n.error],
    }
    report["classifier"] = _fit([n.backend for n in notebooks if not n.error], steps, console, report["problems"])
    report["seconds"] = time.perf_counter() - started
    console.print(f"\n{report['seconds']:.1f} seconds in all")
    return report


def _backends(names: Sequence[str] | None) -> tuple[list[str], dict[str, str]]:
    wanted = dict.fromkeys(names or plugins.manager.backends())
    reasons = {name: plugins.manager.unavailable(name) for name in wanted}
    skipped = {name: reason for name, reason in reasons.items() if reason is not None}
    if names and skipped:
        raise BackendUnavailableError("\n".join(skipped.values()))
    return [name for name in wanted if name not in skipped], skipped


# -- the tutorial ------------------------------------------------------------------------------------------------------


def _walk(cells: Sequence[Cell], notebooks: list[Notebook], console: Console, title: str) -> list[dict[str, Any]]:
    """Run each cell on all backends before the next, so that their outputs stand side by side."""
    _heading(title, console)
    walked = []
    for cell in cells:
        console.print(f"\n{cell.text}", style="italic")
        _show_code(cell.code, console)
        outputs: dict[str, str] = {}
        for notebook in notebooks:
            if notebook.error:
                continue
            try:
                outputs[notebook.backend] = notebook.run(cell.code)
            except Exception as error:  # the other backends go on
                notebook.error = outputs[notebook.backend] = f"{type(error).__name__}: {error}"
        _show_outputs(outputs, console)
        walked.append({"code": cell.code, "outputs": outputs})
    return walked


def _heading(title: str, console: Console) -> None:
    console.print(f"\n{title}\n{'=' * len(title)}", style="bold")


def _show_code(code: str, console: Console) -> None:
    shown = Syntax(code, "python", theme="ansi_dark", background_color="default") if console.is_terminal else code
    put(console, Padding(shown, (0, 0, 0, 4), expand=False))


def _show_outputs(outputs: dict[str, str], console: Console) -> None:
    """Print outputs beside the names of their backends, equal ones once."""
    groups: dict[str, list[str]] = {}
    for name, output in outputs.items():
        # The address in a node's text differs from run to run.
        groups.setdefault(re.sub(r"0x[0-9a-f]+", "0x...", output), []).append(name)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for group in groups.values():
        table.add_row(", ".join(group), outputs[group[0]].rstrip())
    if any(outputs.values()):
        put(console, table)


# -- the classifier ----------------------------------------------------------------------------------------------------


def _fit(names: list[str], steps: int | None, console: Console, problems: list[str]) -> dict[str, Any] | None:
    _heading("3. A classifier, written once", console)
    try:
        data = classifier.load()
    except ImportError as error:
        problems.append(str(error))
        return None
    console.print(f"\n{data.text}\n", style="italic")
    _show_code(f"{inspect.getsource(classifier.predict)}\n\n{inspect.getsource(classifier.loss)}".rstrip(), console)
    console.print()
    fits = {}
    for name in names:
        try:
            fits[name] = _fit_on(name, data, steps or classifier.steps_for(name), console)
        except Exception as error:  # the other backends go on
            problems.append(f"the fit failed on {name}: {type(error).__name__}: {error}")
    if fits:
        _show_fits(fits, console)
    return {
        "data": data.text,
        "fits": {
            name: {"steps": len(f.losses), "losses": f.losses, "accuracy": f.accuracy, "seconds": f.seconds}
            for name, f in fits.items()
        },
    }


def _fit_on(name: str, data: classifier.Data, steps: int, console: Console) -> classifier.Fit:
    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=console.quiet or not console.is_terminal) as progress:
        task = progress.add_task(name, total=steps, loss=float("nan"))
        fitted = classifier.fit(data, name, steps, tell=lambda loss: progress.update(task, advance=1, loss=loss))
    shown = sorted({1 + round(i * (steps - 1) / 5) for i in range(6)})
    losses = ", ".join(f"{fitted.losses[k - 1]:.4f} (step {k})" for k in shown)
    console.print(f"{name:<8} loss {losses}", soft_wrap=True)
    return fitted


def _show_fits(fits: dict[str, classifier.Fit], console: Console) -> None:
    table = Table.grid(padding=(0, 3))
    # Where all have been: there the losses must be the same.
    common = min(len(fitted.losses) for fitted in fits.values())
    table.add_row("backend", "steps", f"loss at step {common}", "held-out accuracy", "seconds", style="bold")
    for name, fitted in fits.items():
        loss = f"{fitted.losses[common - 1]:.10f}"
        table.add_row(name, f"{len(fitted.losses)}", loss, f"{fitted.accuracy:.1%}", f"{fitted.seconds:.1f}")
    console.print()
    put(console, table)
