"""What observers have seen, as a table on a terminal and as text anywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from agnograd.core.observing import Call

_CALL = ("operation", "backend", "phase")


class Report:
    """An observer that can be printed: as it is, and in colours by ``rich.print``."""

    title: str

    def __rich__(self) -> Table:
        """The report as rich lays it out."""
        raise NotImplementedError

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=100, color_system=None, force_terminal=False)
        with console.capture() as captured:
            console.print(self)
        return "\n".join(line.rstrip() for line in captured.get().splitlines())


def table(
    title: str, columns: Sequence[str], rows: Iterable[tuple[Call, Sequence[str]]], total: Sequence[str]
) -> Table:
    """A table of calls with numbers beside them, and with their sums below.

    Parameters
    ----------
    title : str
    columns : sequence of str
        Names of the numbers.
    rows : iterable of (Call, sequence of str)
    total : sequence of str
        The numbers of the last line.
    """
    from rich import box
    from rich.table import Table as Made

    made = Made(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, show_footer=True)
    for i, name in enumerate(_CALL):
        made.add_column(name, footer="" if i else "in all", no_wrap=True)
    for name, number in zip(columns, total, strict=True):
        made.add_column(name, footer=number, justify="right", no_wrap=True)
    for call, numbers in rows:
        made.add_row(*call, *numbers)
    return made
