"""Plugins: found, validated and attributed here; what they provide fills the tables of the core.

Built-in backends are registered directly. Third parties come through the entry-point group ``agnograd``, which is read
once, at first need: at an unknown array type, an unknown backend or operation, or when plugins are listed. pluggy's own
loader stops at the first broken entry point, drops a second one of the same name and accepts misspelt hooks; this one
isolates each plugin and says what it skipped.

A plugin that breaks the contract is skipped as a whole. What is built in cannot be replaced, and where two plugins
claim one name neither is chosen: using that name raises, and names both.

`manager` holds the plugins of the process. `isolated` puts another one in its place for a while: ask for
``plugins.manager`` when it is needed, and keep no reference to it.

Environment variables
---------------------
AGNOGRAD_DISABLE_PLUGINS
    Names of plugins or distributions, separated by commas, or ``*``.
AGNOGRAD_LOAD_PLUGINS
    If set, only these distributions are considered.
AGNOGRAD_PLUGIN_ERRORS
    ``warn`` (default), ``raise`` or ``ignore``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agnograd.backends.storage import install_command
from agnograd.core.table import spaces
from agnograd.plugins.contract import OPERATIONS
from agnograd.plugins.record import Record
from agnograd.plugins.registry import Manager
from agnograd.plugins.tables import set_aside

__all__ = ["Manager", "Record", "install_command", "isolated", "manager"]

# No module of this package may be called `manager`: importing it would take the place of this.
manager: Manager = Manager()


def _install(chosen: Manager) -> None:
    spaces.resolve = chosen.resolve
    spaces.named = chosen.space
    spaces.load = chosen.load


_install(manager)


@contextmanager
def isolated(*, installed: bool = False) -> Iterator[Manager]:
    """A manager of its own for a test; the process's own comes back afterwards, with all its tables.

    Parameters
    ----------
    installed : bool
        Whether it reads the entry points, as the process's own does. By default it has the built-in plugins only.

    Examples
    --------
    >>> from agnograd import plugins
    >>> with plugins.isolated() as manager:
    ...     sorted(manager.backends())
    ['cupy', 'dask', 'numpy', 'strict']
    """
    global manager  # noqa: PLW0603 - one manager a process is the point
    outer = manager
    with set_aside(name for record in outer.records for name in record.provides.get(OPERATIONS, ())):
        manager = Manager(installed=installed)
        _install(manager)
        try:
            yield manager
        finally:
            manager = outer
            _install(outer)
