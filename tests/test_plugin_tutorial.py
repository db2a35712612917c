"""The tutorials for authors of plugins: their files are the template's, and commands and sessions do what they show.

They are gone through from top to bottom: files are written where they stand on a page, and what follows runs with what
is there by then. Only pip is not run: `projects.install` does its part.
"""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import projects
import pytest

ROOT = Path(__file__).parent.parent
# The second goes on where the first ends, and writes some of its files anew.
PAGES = [ROOT / "docs" / "plugin_tutorial.md", ROOT / "docs" / "tutorials" / "backend_plugin.md"]
TEMPLATE = ROOT / "plugins" / "agnograd-template"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A reader has them, or copies them.
ELSEWHERE = {"README.md", "LICENSE"}

pytestmark = pytest.mark.skipif(not TEMPLATE.exists(), reason="the template travels with the source tree only")


def blocks():
    return [match.groups() for page in PAGES for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def test_files_of_the_tutorials_are_those_of_the_template():
    shown = {name: text for _, name, text in blocks() if name}
    there = {
        path.relative_to(TEMPLATE).as_posix(): path.read_text(encoding="utf-8")
        for path in TEMPLATE.rglob("*")
        if path.is_file() and not any(p.startswith((".", "__pycache__")) for p in path.relative_to(TEMPLATE).parts)
    }
    assert shown == {name: text for name, text in there.items() if name not in ELSEWHERE}


SESSION = """
import doctest, sys

example = doctest.DocTestParser().get_doctest(sys.argv[1], {}, "the tutorial", None, 0)
flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
sys.exit(doctest.DocTestRunner(optionflags=flags).run(example).failed)
"""


def test_the_tutorials_do_what_they_show(tmp_path):
    reader = Reader(tmp_path / "project", tmp_path / "site")
    for language, name, text in [*blocks(), ("end", None, "")]:
        if language == "pycon":
            reader.session += text
            continue
        reader.end_session()
        if name:
            reader.write(name, text)
        elif language == "console":
            for command, expected in commands(text):
                reader.run(command, expected)
    assert (reader.sessions, reader.commands) == (4, 7)


class Reader:
    """Somebody who follows the tutorial in a folder of his own."""

    def __init__(self, project, site):
        self.project, self.site = project, site
        self.path = [str(project)]
        self.session = ""
        self.sessions = self.commands = 0
        project.mkdir()

    def write(self, name, text):
        target = self.project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def python(self, *arguments):
        environment = {"AGNOGRAD_LOAD_PLUGINS": "agnograd-template", "COLUMNS": "120"}
        done = projects.run(*arguments, folder=self.project, path=self.path, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end_session(self):
        if self.session:
            self.sessions += 1
            self.python("-c", SESSION, self.session)
            self.session = ""

    def run(self, command, expected):
        self.commands += 1
        program, *arguments = shlex.split(command)
        assert program == "python"
        if arguments[:3] == ["-m", "pip", "install"]:
            (self.project / "README.md").touch()  # pytest is told to look there
            self.path = projects.install(self.project, self.site)
            return
        output = self.python(*arguments)
        assert shows(output, expected), output


def commands(text):
    """The commands of a block, each with what it shows."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def shows(output, expected):
    """Whether the lines that a reader is shown are those of the output, where ``...`` stands for anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(f"...{expected.strip()}...", output, flags)
