"""A tensor in a notebook: what the table says, and that nothing is computed for it."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

import agnograd as ag
from agnograd.viz import tensor_html


class Cells(HTMLParser):
    """The texts of a page, and whether its tags are balanced."""

    def __init__(self, html):
        super().__init__()
        self.texts = []
        self.open = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in ("path", "rect", "line", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("path", "rect", "line", "br"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())


def rows(html):
    page = Cells(html)
    assert page.open == []
    names = ("shape", "dtype", "backend", "device", "size", "requires grad", "grad_fn", "grad", "level", "batch")
    names += ("tangent",)
    return {a: b for a, b in zip(page.texts, page.texts[1:], strict=False) if a in names}


def test_a_leaf_and_its_gradient():
    x = ag.ones(2, 3, requires_grad=True)
    found = rows(tensor_html(x))
    assert found == {
        "shape": "2 × 3",
        "dtype": "float64",
        "backend": "numpy",
        "device": "cpu",
        "size": "48 B",
        "requires grad": "yes",
        "grad": "none yet",
    }
    ag.sum(x).backward()
    assert rows(x._repr_html_())["grad"] == "2 × 3 float64"


def test_a_result_has_a_graph():
    y = ag.exp(ag.ones(2, requires_grad=True))
    html = y._repr_html_()
    assert rows(html)["grad_fn"] == "<ExpBackward0>"
    assert "<svg" in html
    assert "<summary>graph</summary>" in html
    assert "<svg" not in ag.ones(2)._repr_html_()


def test_values_are_escaped(monkeypatch):
    monkeypatch.setattr(ag.Tensor, "__repr__", lambda self: "<script>")
    assert "<script>" not in ag.ones(2)._repr_html_()


def test_a_lazy_array_is_not_computed_and_shows_its_chunks():
    da = pytest.importorskip("dask.array")
    from agnograd.testing import forbid_compute

    x = ag.tensor(da.ones((40, 10), chunks=(10, 5))).requires_grad_()
    with forbid_compute():
        html = ag.exp(x)._repr_html_()
    assert rows(html)["backend"] == "dask, lazy"
    assert "(10, 5)" in html
    assert "<summary>values</summary>" not in html
    unknown = ag.tensor(da.ones(4, chunks=2))
    assert rows(unknown[unknown > 0]._repr_html_())["shape"] == "?"


def test_every_backend(agnograd_backend):
    x = ag.namespace(agnograd_backend).ones((2, 2)).requires_grad_()
    found = rows((x * 2)._repr_html_())
    assert found["backend"].partition(",")[0] == agnograd_backend
    assert found["grad_fn"] == "<MulBackward0>"


def test_wrappers_of_transformations():
    seen = {}

    def f(x):
        seen[type(x).__name__] = rows(x._repr_html_())
        return ag.sum(x * x)

    ag.jvp(f, (np.ones(3),), (np.ones(3),))
    ag.vmap(f)(np.ones((4, 3)))
    ag.grad(f)(np.ones(3))
    assert seen["Dual"]["tangent"] == "3 float64"
    assert seen["Batched"]["batch"] == "4 members"
    assert seen["Batched"]["shape"] == "3"
    assert seen["Tensor"]["level"].endswith("of grad")


@pytest.mark.parametrize(("shape", "size"), [((), "8 B"), ((128,), "1 KiB"), ((1024, 128), "1 MiB"), ((0,), "0 B")])
def test_sizes(shape, size):
    assert rows(ag.zeros(shape)._repr_html_())["size"] == size
