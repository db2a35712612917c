"""What a compiled function rests on besides its closure: where it changes, the function is compiled again."""

import sys
import types
from collections import OrderedDict, deque

import numpy as np
import pytest

import agnograd as ag
from agnograd.errors import TraceError

X = np.linspace(0.1, 1.0, 4)
FACTOR, TABLE = 2.0, X.copy()
LEAF = ag.tensor(X, requires_grad=True)


class Model:
    """Its methods find numbers and arrays in the class and among the globals."""

    rate = 3.0
    table = X * 2

    def in_globals(self, x):
        return ag.sum(x * TABLE) * FACTOR

    def in_class(self, x):
        return ag.sum(x * self.table) * self.rate

    def leaf(self, x):
        return ag.sum(x * LEAF)


class Slotted:
    __slots__ = ("factor", "table")


def follows(f, *changes):
    """Whether each change shows in what the compiled function returns."""
    compiled = ag.compile(f)
    for change in (lambda: None, *changes):
        change()
        for _ in range(3):
            np.testing.assert_allclose(compiled(X), f(X))


def test_globals_of_methods(monkeypatch):
    model, here = Model(), sys.modules[__name__]
    follows(
        lambda x: model.in_globals(x),
        lambda: monkeypatch.setattr(here, "FACTOR", 5.0),
        lambda: monkeypatch.setattr(here, "TABLE", X * 7),
        lambda: TABLE.__imul__(2),
    )


def test_classes(monkeypatch):
    model = Model()
    follows(
        lambda x: model.in_class(x) + Model.rate,
        lambda: monkeypatch.setattr(Model, "rate", 4.0),
        lambda: monkeypatch.setattr(Model, "table", X * 9),
        lambda: monkeypatch.setattr(Model, "in_class", lambda self, x: ag.sum(x) * self.rate),
    )


def test_code_and_defaults():
    def f(x, scale=(2.0,)):
        return ag.sum(x) * scale[0]

    def replace():
        f.__code__ = (lambda x, scale=None: ag.sum(x * x)).__code__

    follows(f, lambda: setattr(f, "__defaults__", ((3.0,),)), replace)


def test_objects():
    slotted, module = Slotted(), types.ModuleType("settings_of_a_test")
    slotted.factor, slotted.table = 2.0, X.copy()
    module.factor = 3.0
    mine = type("Mine", (), {})()
    mine.factor = 2.0
    follows(
        lambda x: ag.sum(x * slotted.table) * slotted.factor * module.factor * mine.factor,
        lambda: setattr(slotted, "factor", 5.0),
        lambda: setattr(slotted, "table", X * 3),
        lambda: setattr(module, "factor", 7.0),
        lambda: setattr(mine, "__dict__", {"factor": 9.0}),
    )


def test_containers():
    kinds, numbers, ordered, plain = {1.0}, deque([1.0]), OrderedDict(a=1.0), {"a": 1.0}
    follows(
        lambda x: ag.sum(x) * len(kinds) + numbers[0] + ordered["a"] + sum(plain.values()),
        lambda: kinds.add(2.0),
        lambda: numbers.__setitem__(0, 4.0),
        lambda: ordered.update(a=6.0),
        lambda: plain.update(b=8.0),
    )


def test_a_leaf_that_cannot_be_an_input_is_refused():
    model = Model()
    for transform in (lambda f: f, ag.grad):
        with pytest.raises(TraceError, match="gradient would be lost"):
            transform(ag.compile(lambda x: model.leaf(x)))(X)


def test_the_same_objects_are_enough():
    """What was made anew and is equal does not compile again."""
    model = type("Mine", (), {})()
    model.factor = 1000.5

    def f(x):
        return ag.sum(x) * model.factor

    compiled = ag.compile(f)
    compiled(X)
    model.factor = float("1000.5")
    compiled(X)
    (found,) = compiled._bindings.values()
    assert len(found) == 1
