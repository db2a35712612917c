"""The scripts of examples/dask run, learn, and do what they do on arrays in memory."""

from __future__ import annotations

import importlib
from pathlib import Path

import dask
import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "dask"


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    with dask.config.set(scheduler="sync"):
        yield importlib.import_module


@pytest.fixture
def on_disk(example, tmp_path):
    def arrays(module, rows, columns, chunk):
        return example("disk").written(tmp_path, rows, chunk, module.draw(columns))

    return arrays


def small(rows, chunk, steps):
    return ["--rows", str(rows), "--chunk", str(chunk), "--steps", str(steps)]


def test_every_script_is_tested():
    names = {path.stem for path in FOLDER.glob("*.py")} - {"disk"}
    assert names == {name.removeprefix("test_") for name in globals() if name.removeprefix("test_") in names}


def test_logistic_regression(example, on_disk):
    module = example("logistic_regression")
    x, y = on_disk(module, 900, 8, 200)
    w, values = module.full_batches(x, y, steps=2)
    in_memory, expected = module.full_batches(np.asarray(x), np.asarray(y), steps=2)
    np.testing.assert_allclose(w, in_memory, rtol=1e-4)
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    full, stochastic = module.main(small(1_000, 200, 4))
    for weights in (full, stochastic):
        assert (np.sign(weights) == np.resize([1, -1], 8)).all()


def test_matrix_factorisation(example, on_disk):
    module = example("matrix_factorisation")
    (x,) = on_disk(module, 500, 20, 200)
    u, v = module.start(x)
    (_, found), value = dask.compute(*module.update((u, v), x, 0.3))
    (_, expected), value_in_memory = module.update((np.asarray(u), v), np.asarray(x), 0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(value, value_in_memory, rtol=1e-5)
    (state, values) = module.full_batches(x, steps=2)
    assert state[0].chunks == ((200, 200, 100), (3,))
    assert values[0] == pytest.approx(float(value_in_memory), rel=1e-5)
    full, stochastic = module.main(small(600, 300, 16))
    assert full[-1] < full[0] / 3
    assert stochastic[-1] < stochastic[0]


def test_pca(example, on_disk):
    module = example("pca")
    (x,) = on_disk(module, 500, 12, 200)
    v, values = module.fitted([x] * 2, 12)
    expected, in_memory = module.fitted([np.asarray(x)] * 2, 12)
    np.testing.assert_allclose(values, in_memory)
    assert module.smallest_cosine(v, expected) == pytest.approx(1)
    full, stochastic, exact = module.main(small(1_500, 75, 8))
    assert module.smallest_cosine(full, exact) > 0.9
    assert module.smallest_cosine(stochastic, exact) > 0.9


def test_network(example, on_disk):
    module = example("network")
    x, y = on_disk(module, 500, 4, 200)
    p, values = module.trained(x, y, steps=3)
    expected, in_memory = module.trained(np.asarray(x), np.asarray(y), steps=3)
    np.testing.assert_allclose(values, in_memory)
    for name, parameter in p.items():
        np.testing.assert_allclose(parameter, expected[name])
    values = module.main(small(1_000, 250, 20))
    assert values[-1] < 0.9 * values[0]


def test_soft_kmeans(example, on_disk):
    module = example("soft_kmeans")
    (x,) = on_disk(module, 500, 3, 200)
    centres, values = module.fitted(x, steps=3)
    expected, in_memory = module.fitted(np.asarray(x), steps=3)
    np.testing.assert_allclose(values, in_memory)
    np.testing.assert_allclose(centres, expected)
    centres, weights = module.main(small(900, 300, 8))
    distances = np.linalg.norm(centres[:, None] - module.truth(3), axis=-1)
    assert distances.min(axis=0).max() < 0.5
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_digits(example):
    module = example("digits")
    assert module.main(chunk=700, steps=8) > 0.85
    (x, y), _ = module.data(700)
    p = {"w": np.full((64, 10), 0.1), "b": np.arange(10.0)}
    np.testing.assert_allclose(dask.compute(module.loss(p, x, y))[0], module.loss(p, np.asarray(x), np.asarray(y)))
