"""Drawn graphs: what is in them, what is folded, and that the text is what other programs read."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import agnograd as ag
from agnograd.viz import Drawing


def labels(drawing):
    return [vertex.label for vertex in drawing.graph.vertices]


def edges(drawing):
    by_number = {vertex.number: vertex for vertex in drawing.graph.vertices}
    return [
        (by_number[source].label, vertex.label, text)
        for vertex in drawing.graph.vertices
        for source, text in vertex.inputs
    ]


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter() if element.tag.endswith("text")]


@pytest.fixture
def xp(agnograd_backend):
    with ag.use_backend(agnograd_backend):
        yield ag.namespace(agnograd_backend)


def test_vertices_and_edges_with_shapes(xp):
    w = ag.ones(3, 2, requires_grad=True)
    y = ag.sum(ag.tanh(xp.ones((4, 3)) @ w) * w[0, 0], axis=0)
    drawing = ag.draw(y, names={"w": w})
    assert labels(drawing)[0] == "w"
    assert set(labels(drawing)) == {"w", "matmul", "tanh", "getitem", "multiply", "sum", "result"}
    found = edges(drawing)
    assert ("w", "matmul", "3 × 2") in found
    assert ("matmul", "tanh", "4 × 2") in found
    assert ("getitem", "multiply", "scalar") in found
    assert ("sum", "result", "2") in found


def test_nothing_is_computed_for_a_picture():
    da = pytest.importorskip("dask.array")
    from agnograd.testing import forbid_compute

    x = ag.tensor(da.ones((6, 4), chunks=3)).requires_grad_()
    with forbid_compute():
        drawing = ag.draw(ag.sum(ag.exp(x[x[:, 0] > 0])))
        assert "? × 4" in drawing.mermaid
        assert drawing.svg


def test_nothing_is_run_again_for_a_picture():
    calls = []

    def f(x):
        calls.append(1)
        return ag.sin(ag.exp(x))

    y = ag.checkpoint(f, ag.ones(3, requires_grad=True))
    assert labels(ag.draw(y)) == ["leaf 0", "exp", "sin", "result"]
    assert len(calls) == 1


def test_after_a_pass_that_freed_what_was_saved():
    x = ag.ones(3, requires_grad=True)
    y = ag.sum(ag.exp(x * 2))
    y.backward()
    assert labels(ag.draw(y)) == ["leaf 0", "multiply", "exp", "sum", "result"]


def test_steps_of_a_loop_are_folded():
    x = y = ag.ones(5, requires_grad=True)
    for _ in range(100):
        y = ag.sin(y * 0.5 + 0.1)
    drawing = ag.draw(ag.sum(y))
    (fold,) = drawing.graph.folds
    assert fold.count == 100
    assert labels(drawing) == ["leaf 0", "multiply", "add", "sin", "sum", "result"]
    assert "subgraph f" in drawing.mermaid
    assert "× 100" in drawing.mermaid
    assert "× 100" in drawing.dot
    assert texts(drawing.svg).count("×100") == 3
    assert len(ag.draw(ag.sum(y), fold=False, limit=1000).graph.vertices) == 303
    assert x.grad is None


def test_layers_are_folded_with_their_weights():
    weights = [ag.ones(4, 4, requires_grad=True) for _ in range(6)]
    y = ag.ones(2, 4, requires_grad=True)
    for w in weights:
        y = ag.tanh(y @ w)
    drawing = ag.draw(y)
    (fold,) = drawing.graph.folds
    assert fold.count == 6
    assert sorted(v.label for v in drawing.graph.members(fold)) == ["leaf 0", "matmul", "tanh"]


def test_a_state_that_all_steps_read_is_no_obstacle():
    h = ag.ones(4, requires_grad=True)
    y = h
    for _ in range(5):
        y = ag.sin(y * h)
    drawing = ag.draw(y)
    assert [fold.count for fold in drawing.graph.folds] == [5]


def test_what_differs_is_not_folded():
    x = y = ag.ones(4, requires_grad=True)
    for i in range(9):
        y = ag.sin(y) if i % 4 == 3 else ag.exp(y[: 4 - i // 4])
    assert x.shape == (4,)
    counts = {fold.count for fold in ag.draw(y).graph.folds}
    assert 9 not in counts
    # Two do not make a series.
    assert ag.draw(ag.sin(ag.sin(x))).graph.folds == []


def test_folding_is_not_fooled_by_other_sources():
    a, b = ag.ones(3, requires_grad=True), ag.ones(2, requires_grad=True)
    parts = [ag.sum(ag.sin(a)), ag.sum(ag.sin(a)), ag.sum(ag.sin(b))]
    total = parts[0] + parts[1] * parts[2]
    assert ag.draw(total).graph.folds == []


def test_the_last_vertices_are_shown_of_a_graph_that_is_too_large():
    y = ag.ones(3, requires_grad=True)
    for i in range(50):
        y = (ag.sin, ag.atan, ag.tanh)[i * i % 3](y) + float(i % 7)
    drawing = ag.draw(y, fold=False, limit=10)
    assert labels(drawing)[0] == "… 92 more"
    assert len(drawing.graph.vertices) == 11
    assert ET.fromstring(drawing.svg) is not None


def test_outputs_of_one_operation_are_one_vertex():
    x = ag.tensor(np.arange(6.0).reshape(3, 2)).requires_grad_()
    u, s, vh = ag.linalg.svd(x, full_matrices=False)
    drawing = ag.draw(u.sum() + s.sum() + vh.sum())
    assert labels(drawing).count("linalg.svd") == 1
    assert ("linalg.svd", "sum", "3 × 2") in edges(drawing)
    assert ("linalg.svd", "sum", "2") in edges(drawing)


def test_several_results_and_a_constant():
    x = ag.ones(2, requires_grad=True)
    drawing = ag.draw(ag.sin(x), ag.ones(3))
    assert labels(drawing) == ["leaf 0", "sin", "result 0", "result 1"]


def test_a_profile_gives_costs_to_operations():
    x = ag.ones(100, requires_grad=True)
    with ag.observe("timeline") as timeline:
        y = ag.sum(ag.exp(ag.sin(x)))
        y.backward()
    drawing = ag.draw(y, profile=timeline)
    costs = {v.label: v.details for v in drawing.graph.vertices if v.kind == "operation"}
    assert costs.keys() == {"sin", "exp", "sum"}
    for forward, backward in costs.values():
        assert forward.startswith("→ ")
        assert backward.startswith("← ")
    # What was freed is known from the profile.
    assert ("sin", "exp", "100") in edges(drawing)


def test_text_that_means_something_elsewhere_is_escaped():
    x = ag.ones(2, requires_grad=True)
    drawing = ag.draw(ag.sin(x), names={'a<b & "c" #1\\n': x})
    assert "a#60;b #38; #34;c#34; #35;1\\n" in drawing.mermaid
    assert r"a<b & \"c\" #1\\n" in drawing.dot
    assert 'a<b & "c" #1\\n' in texts(drawing.svg)


def test_drawings_are_saved_by_ending(tmp_path):
    drawing = ag.draw(ag.sin(ag.ones(2, requires_grad=True)))
    for ending, start in (("svg", "<svg"), ("mmd", "flowchart"), ("dot", "digraph")):
        drawing.save(tmp_path / f"graph.{ending}")
        assert (tmp_path / f"graph.{ending}").read_text(encoding="utf-8").startswith(start)
    with pytest.raises(ValueError, match=r"not as \.png"):
        drawing.save(tmp_path / "graph.png")


def test_a_notebook_shows_it():
    drawing = ag.draw(ag.sin(ag.ones(2, requires_grad=True)))
    assert isinstance(drawing, Drawing)
    assert drawing._repr_svg_() == drawing.svg
    assert "3 vertices" in repr(drawing)
    assert str(drawing) == drawing.mermaid


@pytest.mark.parametrize("given", [(), (np.ones(3),), (lambda x: x,)], ids=["none", "ndarray", "function"])
def test_what_is_no_tensor_is_refused(given):
    with pytest.raises(TypeError, match="draw takes tensors, got"):
        ag.draw(*given)


def test_a_long_graph_is_drawn_without_recursion():
    y = ag.ones(2, requires_grad=True)
    for _ in range(3000):
        y = ag.sin(y)
    assert [fold.count for fold in ag.draw(y).graph.folds] == [3000]


def test_inside_a_transformation():
    seen = []

    def f(x):
        y = ag.sum(ag.sin(x))
        seen.append(ag.draw(y).mermaid)
        return y

    ag.grad(f)(np.ones(3))
    assert 'n1["sin"]' in seen[0]
