"""Every public object has a docstring that numpydoc finds valid, with an example; and a place in the reference.

Examples are executed by the doctests of the default run.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.validate import validate

import agnograd as ag
from agnograd.core.op import Op
from agnograd.core.table import OPS
from agnograd.ops import FAMILIES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
MODULES = ("autograd", "implicit", "optimize", "tree", "hookspecs", "testing", "viz")

# Not asked for: see-also sections, extended summaries, a word on each return value beside its type, `boolean` as an
# English word, keywords after the rest of them.
LENIENT = {"SA01", "SA03", "ES01", "RT01", "RT02", "RT03", "YD01", "PR03", "PR06", "PR09", "SS05"}
# Classes that users get and do not call.
MADE_ELSEWHERE = {"agnograd.Tensor", "agnograd.Namespace", "agnograd.autograd.Node", "agnograd.autograd.Function"}


def public():
    """All public functions and classes by their full names, each once."""
    found = {}
    for module, names in [("agnograd", ag.__all__), *((f"agnograd.{m}", None) for m in MODULES)]:
        owner = importlib.import_module(module)
        for name in names or owner.__all__:
            thing = getattr(owner, name)
            own = (getattr(thing, "__module__", None) or "").startswith("agnograd")
            operation = any(thing is op.call for op in OPS.values())  # `operations` has them
            error = inspect.isclass(thing) and issubclass(thing, BaseException)  # docs/reference/errors.md
            if callable(thing) and own and not operation and not error and thing not in found.values():
                found[f"{module}.{name}"] = thing
    return found


def operations():
    """The functions of what is in the table without a plugin; those of plugins are theirs to document."""
    own = [op for family in FAMILIES for op in vars(family).values() if isinstance(op, Op)]
    return {f"agnograd.{op.name}": op.call for op in own}


PUBLIC = public()
OPERATIONS = operations()


def faults(name):
    thing = PUBLIC[name]
    doc = inspect.getdoc(thing)
    # numpydoc takes a parameter `cls` for that of a class method.
    found = {code for code, text in validate(name)["errors"] if (code, "{'cls'}") != ("PR02", text[-7:])} - LENIENT
    # Parameters are described where the text says they are, or as the attributes that they become.
    if name in MADE_ELSEWHERE or re.search(r"(Parameters|results and errors)\b[^.]* are\s+those of `", doc):
        found -= {"PR01"}
    if inspect.isclass(thing) and "Attributes\n---" in doc:
        found -= {"PR01"}
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_are_valid_and_have_an_example(name):
    assert faults(name) == set()


@pytest.mark.parametrize("name", OPERATIONS)
def test_docstrings_of_operations_are_valid_and_their_examples_run(name, monkeypatch):
    # Some have the name of something else at top level, and belong to namespaces only.
    monkeypatch.setattr("agnograd.OPERATION", OPERATIONS[name], raising=False)
    assert {code for code, _ in validate("agnograd.OPERATION")["errors"]} - LENIENT == set()
    found = doctest.DocTestParser().get_doctest(OPERATIONS[name].__doc__, {}, name, None, None)
    assert found.examples
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said = []
    assert runner.run(found, out=said.append).failed == 0, "".join(said)


def test_the_reference_lists_every_public_object():
    listed = set()
    for page in REFERENCE.glob("*.md"):
        module = ""
        for line in page.read_text(encoding="utf-8").splitlines():
            if found := re.match(r"\.\. currentmodule:: (\S+)", line):
                module = found[1]
            elif found := re.match(r" {3}(\w+)$", line):
                listed.add(f"{module}.{found[1]}")
    places = [name.rsplit(".", 1) for name in listed]
    things = [getattr(importlib.import_module(module), name) for module, name in places]
    assert [name for name, thing in PUBLIC.items() if not any(thing is other for other in things)] == []
