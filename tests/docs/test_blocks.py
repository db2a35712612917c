"""Every block of code on a page is of a kind that something executes; which, is written in CONTRIBUTING.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if not {"_build", "gallery", "api"} & set(page.parts)]
FENCE = re.compile(r"^ *```(?!`)(.*?)$(.*?)^ *```$", re.MULTILINE | re.DOTALL)
NOTEBOOK = {"{code-cell} python"}  # by Sphinx, while it builds the page
SESSIONS = {"python"}  # by tests/test_docs.py
# By tests/test_plugin_tutorial.py, which installs and runs what is shown. Others' files cannot be: `py`, `yaml`.
PLUGIN = {"console", "pycon", "toml", "python", "py", "yaml"}
TABLES = {"py"}  # the other library's side, by tests/docs/test_tables.py
NO_CODE = {"", "text", "{toctree}", "{eval-rst}"}  # commands that install, outputs, Sphinx's own


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_blocks_are_executed(page):
    text = page.read_text(encoding="utf-8")
    if text.startswith("---\nfile_format: mystnb\n"):
        executed = NOTEBOOK
    elif page.name in {"plugin_tutorial.md", "backend_plugin.md"}:
        executed = PLUGIN
    else:
        tables = page.parent.name == "howto" and "| agnograd |" in text
        executed = SESSIONS | TABLES if tables else SESSIONS
    kinds = {
        match[1].strip().split(" ")[0] if "code-cell" not in match[1] else match[1] for match in FENCE.finditer(text)
    }
    assert kinds - executed - NO_CODE == set()
    # Python without a kind would not be executed.
    assert not [
        match[2] for match in FENCE.finditer(text) if match[1] in {"", "text"} and "import agnograd" in match[2]
    ]
