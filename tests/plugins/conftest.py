"""Installed plugins: a ``.dist-info`` folder and a module in a temporary folder on the path, as pip would leave them.

`plugins.isolated` keeps all of it out of the process's own tables.
"""

from __future__ import annotations

import contextlib
import sys
import textwrap
import warnings

import pytest

from agnograd import plugins
from agnograd.errors import PluginLoadWarning

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
