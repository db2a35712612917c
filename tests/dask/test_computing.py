"""Lazy arrays computed together, and deep graphs."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest

import agnograd as ag
from agnograd.errors import EscapedError
from agnograd.progress import Progress


@pytest.fixture
def computations():
    """The number of graphs that were run."""
    found = []

    def scheduler(graph, keys, **options):
        found.append(len(keys))
        return dask.get(graph, keys)

    with dask.config.set(scheduler=scheduler):
        yield found


def lazy(shape=(4, 2), chunks=(2, 2)):
    return ag.asarray(da.ones(shape, chunks=chunks))


def test_a_loss_and_its_gradients_are_one_computation(computations):
    w = ag.asarray(da.zeros(2)).requires_grad_()
    loss = ag.mean((lazy() @ w - 1.0) ** 2)
    loss.backward()
    value, tree = ag.compute(loss, {"w": w.grad, "rest": [np.ones(2), "text", None]})
    assert len(computations) == 1
    assert (float(value), value.requires_grad, tree["w"].tolist()) == (1.0, False, [-2.0, -2.0])
    assert value.__array_namespace__() is ag.namespace("numpy")
    assert tree["rest"][1:] == ["text", None]


def test_what_is_not_lazy_is_the_same_object(computations):
    x, a = ag.tensor([1.0], requires_grad=True), np.ones(2)
    tree = {"x": [x, a, 3]}
    assert ag.compute(x) is x
    assert ag.persist(a) is a
    found = ag.compute(tree)
    assert found["x"][0] is x
    assert found["x"][1] is a
    assert not computations


def test_arrays_stay_arrays_and_tensors_tensors():
    array, tensor = ag.compute(da.ones(2), lazy())
    assert type(array) is np.ndarray
    assert isinstance(tensor, ag.Tensor)
    assert ag.compute() == ()
    total = ag.compute(da.ones(2).sum())
    assert type(total) is np.ndarray
    assert total.shape == ()


def test_other_collections_of_dask_are_computed_with_them(computations):
    both = ag.compute(dask.delayed(lambda: 7)(), lazy().sum())
    assert both[0] == 7
    assert float(both[1]) == 8
    assert len(computations) == 1


def test_a_value_of_a_transformation_cannot_be_computed_within_it():
    with pytest.raises(EscapedError, match="to be computed within it"):
        ag.grad(lambda x: ag.compute(ag.sum(x * x)))(da.ones(3))


@pytest.mark.parametrize("run", [ag.persist, lambda *xs: ag.dask.optimize(*xs)])
def test_persisted_tensors_keep_their_place_in_the_graph(run):
    x = lazy().requires_grad_()
    y = ag.exp(x)
    kept, z = run(y, x)
    assert type(kept.array) is da.Array
    assert kept.chunks == x.chunks
    ag.sum(kept * z).backward()
    np.testing.assert_allclose(ag.compute(x.grad).array, 2 * np.e)
    raw = run(da.ones(4, chunks=2) + 1)
    assert type(raw) is da.Array
    assert raw.compute().tolist() == [2.0] * 4


def test_persisted_is_computed(computations):
    x = ag.persist(lazy() + 1.0)
    count = len(computations)
    assert count == 1
    assert len(x.array.dask.layers) == 1


@pytest.fixture
def finished(monkeypatch):
    """The pieces of work that any progress saw to its end."""
    tasks = []
    monkeypatch.setattr(Progress, "_end", lambda progress, task: tasks.append((progress, task)))
    return tasks


def test_progress_follows_dask_and_is_silent_without_a_terminal(finished, capsys):
    assert ag.compute(lazy().sum(), progress=True).array == 8
    assert [(task.text, task.done == task.total > 0) for _, task in finished] == [("dask", True)]
    assert capsys.readouterr() == ("", "")


def test_a_progress_that_is_open_shows_what_is_computed(finished):
    with ag.Progress() as progress:
        ag.persist(lazy(), progress=True)
    assert [shown for shown, _ in finished] == [progress]


def test_options_go_to_dask():
    with pytest.raises((TypeError, ValueError), match="Expected one of"):
        ag.compute(lazy(), scheduler="none of the schedulers")


def test_methods_of_tensors():
    x = lazy((4, 4), (2, 2)).requires_grad_()
    y = x.rechunk({0: -1}).rechunk((1, 4))
    assert (x.chunks, y.chunks) == (((2, 2), (2, 2)), ((1,) * 4, (4,)))
    (y * 2.0).sum().backward()
    assert x.grad.chunks == x.chunks
    assert x.grad.compute().tolist() == [[2.0] * 4] * 4
    assert y.persist().requires_grad
    assert not y.compute().requires_grad
    host = ag.tensor([[1.0, 2.0]])
    assert host.compute() is host
    assert host.rechunk(1).tolist() == [[1.0, 2.0]]
    assert not hasattr(host, "chunks")
    with pytest.raises(AttributeError, match="no attribute 'chunks'"):
        host.chunks  # noqa: B018 - it raises


def test_rechunk_in_every_mode():
    a = np.arange(6.0).reshape(2, 3)
    x = da.from_array(a, chunks=(1, 3))

    def f(x):
        return (ag.rechunk(x, (2, 1)) ** 3).sum()

    assert ag.grad(f)(x).chunks == x.chunks
    assert ag.compute(ag.jvp(f, (x,), (x,))[1]) == pytest.approx((3 * a**3).sum())
    rows = ag.vmap(lambda row: ag.rechunk(row, 1) * 2.0)(x)
    assert rows.chunks == ((1, 1), (1, 1, 1))
    assert (rows.compute() == 2 * a).all()
    np.testing.assert_allclose(ag.compute(ag.hvp(f, (x,), (x,))), 6 * a * a)


@pytest.mark.parametrize("depth", [120, pytest.param(1000, marks=pytest.mark.slow)])
def test_deep_chains(depth):
    x = lazy((4, 2), (2, 2)).requires_grad_()
    y = x * 0.3
    for _ in range(depth):
        y = ag.tanh(y)
    y.sum().backward()
    host = ag.tensor(np.ones((4, 2)), requires_grad=True)
    z = host * 0.3
    for _ in range(depth):
        z = ag.tanh(z)
    z.sum().backward()
    with dask.config.set(scheduler="sync"):
        loss, g = ag.compute(y.sum(), x.grad)
        np.testing.assert_allclose(g.array, host.grad.array, rtol=1e-10)
        np.testing.assert_allclose(x.grad.array.compute(), g.array)
        assert float(loss) == pytest.approx(z.sum().item())
