"""The README and the pages of docs/ say what is: their code runs and gives the outputs that stand there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from agnograd import plugins

ROOT = Path(__file__).parent.parent
# The tutorials for plugins run where their plugin is: test_plugin_tutorial.py. Pages without code, and those of Sphinx.
OTHERS = re.compile(r"plugin_tutorial|backend_plugin|index|/reference/|/_build/|/gallery/")
# Sphinx executes a page that begins so while it builds it.
NOTEBOOK = "---\nfile_format: mystnb\n"
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "index.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if not OTHERS.search(page.as_posix()) and not page.read_text(encoding="utf-8").startswith(NOTEBOOK)
    ),
]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONAL = ("dask", "cupy", "strict")
COMMANDS = [
    "python -m pip install -e '.[tour,dask,strict]' && python -m agnograd tour",
    "python -m pip install -e '.[test]' && python -m pytest -n auto",
]


def runnable(page):
    """The blocks of Python of a page as (line, code), but for those about a library that this machine lacks."""
    text = page.read_text(encoding="utf-8")
    lacking = [name for name in OPTIONAL if plugins.manager.unavailable(name)]
    for block in BLOCK.finditer(text):
        if not any(re.search(rf"\b{name}\b", block[1]) for name in lacking):
            yield text[: block.start(1)].count("\n"), block[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_code_of_a_page_gives_the_outputs_that_it_shows(page):
    variables = {}
    report = []
    blocks = list(runnable(page))
    assert blocks
    for line, code in blocks:
        if ">>>" not in code:
            exec(compile(code, str(page), "exec"), variables)
            continue
        # Parsed block by block, so that no fence is taken for an expected output.
        test = doctest.DocTestParser().get_doctest(code, variables, page.name, str(page), line)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        runner.run(test, out=report.append, clear_globs=False)
        variables = test.globs
    assert not report, "".join(report)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_has_the_two_commands_on_lines_of_their_own(command):
    assert command in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
