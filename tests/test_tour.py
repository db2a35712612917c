"""The tour: cells and their outputs, the fit, what happens where something is missing. With few steps."""

from __future__ import annotations

import io
import json
import re
import sys

import numpy as np
import pytest
from rich.console import Console

import agnograd as ag
from agnograd import plugins, tour
from agnograd.cli import main
from agnograd.errors import BackendUnavailableError, UnknownBackendError
from agnograd.tour import cells, classifier
from agnograd.tour.cells import Cell, Notebook

OTHERS = [name for name in ("dask", "strict") if plugins.manager.unavailable(name) is None]


@pytest.fixture(scope="module")
def digits():
    return classifier.load()


@pytest.fixture
def quiet():
    return Console(quiet=True)


def outputs(report, part="tutorial"):
    """What the cells print on the first backend, addresses left out."""
    return [re.sub("0x[0-9a-f]+", "0x", next(iter(c["outputs"].values()))) for c in report[part]]


# -- the tutorial ------------------------------------------------------------------------------------------------------


def test_the_cells_give_the_tutorials_outputs(quiet):
    report = tour.run(["numpy"], steps=1, console=quiet)
    assert outputs(report) == [
        "",
        "tensor([[1., 1.],\n        [1., 1.]], requires_grad=True)\n",
        "tensor([[3., 3.],\n        [3., 3.]], grad_fn=<AddBackward0>)\n<AddBackward0 object at 0x>\n",
        "tensor([[27., 27.],\n        [27., 27.]], grad_fn=<MulBackward0>) tensor(27., grad_fn=<MeanBackward0>)\n",
        "False\nTrue\n<SumBackward0 object at 0x>\n",
        "tensor([[4.5000, 4.5000],\n        [4.5000, 4.5000]])\n[[4.5, 4.5], [4.5, 4.5]]\n",
        "tensor([ 346.7264, -715.7248, -697.0368], grad_fn=<MulBackward0>)\n[346.7264, -715.7248, -697.0368]\n",
        "tensor([5.1200e+01, 5.1200e+02, 5.1200e-02])\n[51.2, 512.0, 0.0512]\n",
        "True\nTrue\nFalse\n",
    ]
    second, derivatives = outputs(report, "beyond")
    assert second == "(32.0, 48.0)\n"
    gradient, directional, hessian = (json.loads(line) for line in derivatives.splitlines())
    x, v = np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.0, 1.0])
    expected = np.cos(x) * x + np.sin(x)
    np.testing.assert_allclose(gradient, expected)
    np.testing.assert_allclose(directional, expected @ v)
    np.testing.assert_allclose(hessian, (2 * np.cos(x) - np.sin(x) * x) * v)
    assert report["problems"] == []


def test_the_cells_run_on_every_backend_with_the_same_values(quiet):
    notebooks = [Notebook(name) for name in ("numpy", *OTHERS)]
    walked = tour._walk(cells.TUTORIAL + cells.BEYOND, notebooks, quiet, "")
    assert not any(n.error for n in notebooks)
    for cell in walked:
        assert list(cell["outputs"]) == ["numpy", *OTHERS]
        if cell["code"].endswith((".tolist()", ".item()")):
            assert len({output.splitlines()[-1] for output in cell["outputs"].values()}) == 1


def test_only_the_import_names_agnograd():
    first, *others = cells.TUTORIAL
    assert first.code == "import agnograd as torch"
    assert not any("agnograd" in cell.code or re.search(r"\bag\.", cell.code) for cell in others)


def test_a_cell_shows_what_a_notebook_shows():
    notebook = Notebook("numpy")
    assert notebook.run("a = 3\na\nprint('b')\na + 1") == "b\n4\n"
    assert notebook.run("a = None\na") == ""
    assert notebook.run("for i in range(2):\n    print(i)") == "0\n1\n"


def test_a_backend_that_fails_does_not_stop_the_others(quiet, monkeypatch):
    broken = "import agnograd as torch\nassert torch.default_backend() != 'numpy', 'on purpose'"
    monkeypatch.setattr(tour, "TUTORIAL", (Cell("", broken), Cell("", "print(1)")))
    report = tour.run(["numpy", *OTHERS], steps=1, console=quiet)
    assert report["problems"] == ["the tutorial failed on numpy: AssertionError: on purpose"]
    assert report["tutorial"][0]["outputs"]["numpy"] == "AssertionError: on purpose"
    assert report["tutorial"][1]["outputs"] == dict.fromkeys(OTHERS, "1\n")
    assert list(report["classifier"]["fits"]) == OTHERS


def test_a_fit_that_fails_does_not_stop_the_others(monkeypatch, capsys):
    def fit(data, backend, steps, *, tell):
        if backend == "numpy":
            raise ArithmeticError("on purpose")
        return classifier.Fit([1.0] * steps, 0.5, 0.1)

    monkeypatch.setattr(classifier, "fit", fit)
    assert main(["tour", "--backend", "numpy", *OTHERS, "--steps", "2", "--json"]) == 1
    out, err = capsys.readouterr()
    assert list(json.loads(out)["classifier"]["fits"]) == OTHERS
    assert err == "agnograd: the fit failed on numpy: ArithmeticError: on purpose\n"
    # None left: nothing to compare.
    assert main(["tour", "--backend", "numpy"]) == 1


# -- the classifier ----------------------------------------------------------------------------------------------------


def test_the_gradient_of_the_models_loss(digits):
    rng = np.random.default_rng(0)
    x, truth = ag.asarray(digits.x[:20]), ag.asarray(np.eye(10)[digits.y[:20]])
    params = [rng.standard_normal(shape) / 4 for shape in ((64, 5), (5,), (5, 10), (10,))]
    direction = [rng.standard_normal(p.shape) for p in params]

    def at(step):
        moved = [ag.asarray(p + step * d) for p, d in zip(params, direction, strict=True)]
        return classifier.loss(moved, x, truth).item()

    gradient = ag.grad(classifier.loss)(params, x, truth)
    slope = sum(float((g * d).sum()) for g, d in zip(gradient, direction, strict=True))
    assert slope == pytest.approx((at(1e-6) - at(-1e-6)) / 2e-6, rel=1e-7)


def test_the_fit_learns_and_repeats_itself(digits):
    losses = []
    first = classifier.fit(digits, "numpy", 12, tell=losses.append)
    assert losses == first.losses
    assert first.losses[0] == pytest.approx(np.log(10), rel=0.05)  # all digits equally likely
    assert all(later < earlier for earlier, later in zip(first.losses, first.losses[1:], strict=False))
    assert first.accuracy > 0.85
    assert classifier.fit(digits, "numpy", 12).losses == first.losses


@pytest.mark.parametrize("backend", OTHERS)
def test_the_fit_is_the_same_on_every_backend(digits, backend):
    expected = classifier.fit(digits, "numpy", 3)
    found = classifier.fit(digits, backend, 3)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-12)
    assert found.accuracy == expected.accuracy


def test_held_out_means_held_out(digits):
    assert len(digits.x) + len(digits.x_test) == 1797
    learned = {image.tobytes() for image in digits.x}
    assert not any(image.tobytes() in learned for image in digits.x_test)
    assert np.bincount(digits.y_test).min() >= 34


def test_lazy_and_checking_backends_take_fewer_steps():
    assert classifier.steps_for("numpy") == classifier.STEPS
    assert {classifier.steps_for(name) for name in ("dask", "strict", "numpy")} == {
        classifier.FEW_STEPS,
        classifier.STEPS,
    }


def test_chunks():
    if "dask" in OTHERS:
        x = classifier._placed(np.ones((10, 3)), "dask")
        assert x.array.chunks == ((3, 3, 3, 1), (3,))
    assert classifier._placed(np.ones((10, 3)), "numpy").shape == (10, 3)


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_report_as_json(capsys):
    assert main(["tour", "--backend", "numpy", "--steps", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert err == ""
    assert report["backends"] == ["numpy"]
    fit = report["classifier"]["fits"]["numpy"]
    assert fit["steps"] == len(fit["losses"]) == 2
    assert 0 < fit["accuracy"] < 1


def test_the_text_without_a_terminal(capsys):
    assert main(["tour", "--backend", "numpy", "--steps", "6"]) == 0
    out = capsys.readouterr().out
    assert all(c.isprintable() or c == "\n" for c in out)
    assert "    import agnograd as torch\n" in out
    assert "numpy  tensor([[4.5000, 4.5000],\n               [4.5000, 4.5000]])\n" in out
    assert "def predict(" in out
    assert re.search(r"numpy    loss 2\.\d{4} \(step 1\), .* \(step 6\)\n", out)
    assert re.search(r"\nnumpy +6 +\d\.\d{10} +\d\d\.\d% +\d+\.\d\n", out)


def test_equal_outputs_are_shown_once(capsys):
    tour._show_outputs({"a": "<N at 0x1f>\n", "b": "<N at 0x2e>\n", "c": "other\n"}, Console())
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["a,", "b", "<N", "at", "0x1f>"],
        ["c", "other"],
    ]


def test_a_terminal_gets_colours_and_a_bar():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", width=100, legacy_windows=False)
    tour.run(["numpy"], steps=5, console=console)
    out = stream.getvalue()
    assert "5/5" in out
    assert re.search(r"loss \d\.\d{4}", out)
    assert "\x1b[" in out


def test_without_scikit_learn_the_tutorial_runs_and_the_rest_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert main(["tour", "--backend", "numpy"]) == 1
    out, err = capsys.readouterr()
    assert "tensor([5.1200e+01, 5.1200e+02, 5.1200e-02])" in out
    assert err == (
        "agnograd: the classifier's data come with scikit-learn, which is not installed: pip install 'agnograd[tour]'\n"
    )


def test_backends_are_chosen_by_name(quiet):
    assert tour._backends(["strict", "numpy", "strict"])[0] == ["strict", "numpy"]
    everything, skipped = tour._backends(None)
    assert everything[0] == "numpy"
    assert set(everything) | set(skipped) == set(plugins.manager.backends())
    with pytest.raises(UnknownBackendError, match="'numpi'"):
        tour.run(["numpi"], console=quiet)


def test_a_chosen_backend_that_does_not_work_is_an_error(quiet):
    class Plugin:
        @ag.hookimpl
        def agnograd_backends(self):
            yield ag.Backend(name="far", namespace="far", array_types=("far:Array",), requires=("far",))

    with plugins.isolated() as manager:
        manager.register(Plugin(), "far")
        assert "far" in tour._backends(None)[1]
        with pytest.raises(BackendUnavailableError, match="needs 'far', which is not installed"):
            tour.run(["numpy", "far"], console=quiet)
