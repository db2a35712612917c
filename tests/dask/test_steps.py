"""Steps of training: the same as in memory, with graphs that do not grow."""

import dask
import dask.array as da
import numpy as np
import pytest
from dask_counts import Source

import agnograd as ag
from agnograd.dask import map_blocks, settle, training_step, value_and_grad
from agnograd.errors import BlocksError, GradientError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=12)
START = {"w": RNG.normal(size=3), "b": np.zeros(())}
RATE = 0.1


def loss(p, x, y):
    return ag.mean((ag.tanh(x @ p["w"]) + p["b"] - y) ** 2)


def fused(p, x, y):
    value, g = value_and_grad(loss, reduce="mean")(p, x, y)
    return ag.tree.map(lambda p, g: p - RATE * g, p, g), value


def by_operations(p, x, y):
    value, g = ag.value_and_grad(loss)(p, x, y)
    return ag.tree.map(lambda p, g: p - RATE * g, p, g), value


def as_in_pytorch(p, x, y):
    value = loss(p, x, y)
    value.backward()
    with ag.no_grad():
        return ag.tree.map(lambda p: p - RATE * p.grad, p), value.detach()


def in_memory(steps):
    p, values = START, []
    for _ in range(steps):
        p, value = by_operations(p, X, Y)
        values.append(float(value))
    return p, values


@pytest.fixture
def data():
    return da.from_array(X, chunks=(4, 3)), da.from_array(Y, chunks=4)


@pytest.mark.parametrize("update", [fused, by_operations])
@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_steps_are_those_in_memory(data, update, scheduler):
    step, p, values = training_step(update), START, []
    for _ in range(4):
        p, value = step(p, *data, scheduler=scheduler)
        values.append(float(value))
    expected, losses = in_memory(4)
    np.testing.assert_allclose(values, losses)
    for name in p:
        assert type(p[name]) is np.ndarray
        np.testing.assert_allclose(p[name], expected[name])


class Recording:
    """A scheduler that notes how many tasks it was given."""

    def __init__(self):
        self.sizes = []

    def __call__(self, graph, keys, **options):
        graph = graph.__dask_graph__() if hasattr(graph, "__dask_graph__") else graph
        self.sizes.append(len(graph))
        return dask.get(graph, keys)


@pytest.mark.parametrize(("update", "steps"), [(fused, 200), (by_operations, 30)])
def test_steps_are_of_one_size_and_traced_once(data, update, steps):
    calls, scheduler = [], Recording()

    def counted(*args):
        calls.append(1)
        return update(*args)

    step, p, values = training_step(counted), START, []
    for _ in range(steps):
        p, value = step(p, *data, scheduler=scheduler)
        values.append(float(value))
    assert len(calls) == 1
    assert len(scheduler.sizes) == steps
    assert len(set(scheduler.sizes)) == 1
    np.testing.assert_allclose(values, in_memory(steps)[1])


def test_each_step_reads_each_chunk_once():
    x, y = Source(X), Source(Y)
    step, p = training_step(by_operations), START
    for n in range(1, 4):
        p, _ = step(p, x.lazy(chunks=(4, 3)), y.lazy(chunks=4)) if n == 1 else (p, None)
    assert x.reads == y.reads == 3
    lazy = x.lazy(chunks=(4, 3)), y.lazy(chunks=4)
    for _ in range(3):
        p, _ = step(p, *lazy)
    assert x.reads == y.reads == 12


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_tensors_that_require_grad_come_back_as_such(data, lazy, scheduler):
    start = ag.tree.map(da.asarray, START) if lazy else START
    p = ag.tree.map(lambda x: ag.asarray(x).requires_grad_(), start)
    step, values = training_step(as_in_pytorch), []
    for _ in range(3):
        p, value = step(p, *map(ag.asarray, data), scheduler=scheduler)
        values.append(value.item())
        assert all(t.requires_grad and t.is_leaf for t in ag.tree.leaves(p))
        assert all(type(t.array) is (da.Array if lazy else np.ndarray) for t in ag.tree.leaves(p))
    np.testing.assert_allclose(values, in_memory(3)[1])


def factorise(state, x):
    def f(u, v, x):
        return ag.sum((x - u @ v) ** 2)

    value, g = value_and_grad(f, (0, 1))(*state, x)
    return tuple(p - 0.01 * q for p, q in zip(state, g, strict=True)), value


def test_state_as_large_as_the_data_stays_in_its_blocks(data):
    u, v = np.ones((12, 2)), RNG.normal(size=(2, 3))
    expected = (u, v)
    state, step = (da.from_array(u, chunks=(4, 2)), v), training_step(factorise)
    sizes = []
    for _ in range(4):
        state, value = step(state, data[0])
        expected, wanted = factorise(expected, X)
        np.testing.assert_allclose(value, wanted)
        sizes.append(len(state[0].dask))
    assert sizes == [3] * 4
    assert state[0].chunks == ((4, 4, 4), (2,))
    assert type(state[1]) is np.ndarray
    np.testing.assert_allclose(state[0], expected[0])


def test_batches_and_other_forms_have_graphs_of_their_own(data):
    x, y = data
    forms = []

    def update(p, rate, x, y):
        forms.append(rate)
        value, g = value_and_grad(loss, reduce="mean")(p, x, y)
        return ag.tree.map(lambda p, g: p - rate * g, p, g), value

    step, p, expected = training_step(update, templates=2), START, START
    batches = [slice(0, 8), slice(4, 12)]
    for rate, batch in [(0.1, 0), (0.1, 1), (0.1, 0), (0.1, 1), (1, 0), (1.0, 0), (0.1, 1)]:
        rows = batches[batch]
        p, value = step(p, rate, x[rows], y[rows])
        wanted, g = ag.value_and_grad(loss)(expected, X[rows], Y[rows])
        expected = {name: p - rate * g[name] for name, p in expected.items()}
        np.testing.assert_allclose(value, wanted)
    # The last form was forgotten meanwhile: two graphs are kept.
    assert forms == [0.1, 0.1, 1, 1.0, 0.1]
    # As an array, a rate of learning is a value like any other.
    for rate in (0.3, 0.2, 0.1):
        p, value = step(p, np.asarray(rate), x, y)
    assert len(forms) == 6


def test_arrays_in_memory_among_the_data_are_values(data):
    def update(w, x, scale):
        return w + scale * ag.sum(x, axis=0), ag.sum(w)

    step, w = training_step(update), np.zeros(3)
    for n in range(3):
        w, _ = step(w, data[0], np.full(3, float(n)))
    np.testing.assert_allclose(w, 3 * X.sum(axis=0))


def test_a_step_refuses_what_would_go_wrong_silently(data):
    x, _ = data
    with pytest.raises(BlocksError, match=r"state\['w'\] was shape \(3,\).* and is shape \(\)"):
        training_step(lambda p, x: ({"w": ag.sum(p["w"] + x), "b": p["b"]}, 0.0))(START, x)
    with pytest.raises(BlocksError, match="structure"):
        training_step(lambda p, x: (p["w"], 0.0))(START, x)
    with pytest.raises(BlocksError, match="float32"):
        training_step(lambda w, x: (w.astype("f4"), 0.0))(START["w"], x)
    with pytest.raises(TypeError, match=r"\(state, values\)"):
        training_step(lambda p, x: p)(START, x)
    with pytest.raises(BlocksError, match="computed something"):
        training_step(lambda p, x: (p, float(ag.sum(p["w"]))))(START, x)
    with pytest.raises(GradientError, match="no_grad"):
        training_step(lambda w, x: (w, 0.0))(ag.tensor(1.0, requires_grad=True) * 2, x)


# -- loops that change tensors in place --------------------------------------------------------------------------------


def lazy_loss(w, x, y):
    return ag.mean((ag.tanh(x @ w) - y) ** 2)


def per_row(x, y, w):
    return (ag.tanh(x @ w) - y[:, 0])[:, None] ** 2


def train(w, x, y, steps, after=None, before=None, mapped=False):
    m = ag.zeros_like(w)
    values, sizes = [], []
    for _ in range(steps):
        value = ag.mean(map_blocks(per_row, x, y[:, None], w)) if mapped else lazy_loss(w, x, y)
        value.backward()
        if before:
            values.append(settle([w, m], value).item())
        sizes.append(len(getattr(value.array, "dask", ())))
        with ag.no_grad():
            m = 0.9 * m + w.grad
            w -= RATE * m
        w.grad = None
        if after:
            values.append(settle({"parameter": w, "momentum": m}, value).item())
        elif not before:
            values.append(value.item())
    return values, sizes


@pytest.mark.parametrize("mapped", [False, True])
# A parameter in memory is changed in memory: its gradient has to be there before.
@pytest.mark.parametrize(("when", "parameters"), [("after", "dask"), ("before", "dask"), ("before", "numpy")])
def test_a_loop_has_the_losses_of_one_in_memory_and_its_graph_does_not_grow(data, when, parameters, mapped):
    expected, _ = train(ag.tensor(START["w"], requires_grad=True), X, Y, 5)
    start = START["w"].copy()
    w = ag.asarray(da.from_array(start, chunks=-1) if parameters == "dask" else start).requires_grad_()
    values, sizes = train(w, *map(ag.asarray, data), 5, mapped=mapped, **{when: True})
    np.testing.assert_allclose(values, expected)
    assert len(set(sizes[2:])) == 1
    assert w.requires_grad
    assert w.is_leaf


def test_settled_gradients_and_values_are_computed_in_one_pass():
    x, y = Source(X), Source(Y)
    lazy = ag.asarray(x.lazy(chunks=(4, 3))), ag.asarray(y.lazy(chunks=4))
    w = ag.asarray(da.from_array(START["w"], chunks=-1)).requires_grad_()
    v = ag.tensor(START["w"], requires_grad=True)
    value = lazy_loss(w, *lazy) + lazy_loss(v, *lazy)
    value.backward()
    scheduler = Recording()
    first, number = settle([w, v, 3.0], value, {"n": 1}, scheduler=scheduler)
    assert len(scheduler.sizes) == 1
    assert x.reads == 3
    assert number == {"n": 1}
    assert isinstance(w.grad.array, da.Array)
    assert type(v.grad.array) is np.ndarray
    g = ag.grad(lazy_loss)(START["w"], X, Y)
    for found in (w.grad.array, v.grad.array):
        np.testing.assert_allclose(found, g)
    np.testing.assert_allclose(first.numpy(), 2 * lazy_loss(START["w"], X, Y))
    assert x.reads == 3
    assert settle([w]) is None


def test_settle_refuses_a_tensor_with_a_graph(data):
    w = ag.asarray(data[1]).requires_grad_()
    with pytest.raises(GradientError, match="no_grad"):
        settle([w * 2])


# -- dask.distributed --------------------------------------------------------------------------------------------------


def test_on_distributed_values_are_new_in_each_step_and_lazy_state_stays_on_the_workers(data):
    distributed = pytest.importorskip("distributed")
    with distributed.Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        step, p, values = training_step(fused), START, []
        for _ in range(3):
            p, value = step(p, *data)
            values.append(float(value))
        np.testing.assert_allclose(values, in_memory(3)[1])
        u, v = np.ones((12, 2)), RNG.normal(size=(2, 3))
        expected, state, step = (u, v), (da.from_array(u, chunks=(4, 2)), v), training_step(factorise)
        for _ in range(3):
            state, value = step(state, data[0])
            expected, wanted = factorise(expected, X)
            np.testing.assert_allclose(value, wanted)
        assert {type(task).__name__ for task in dict(state[0].dask).values()} == {"Future"}
        np.testing.assert_allclose(state[0].compute(), expected[0])
        w = ag.asarray(da.from_array(START["w"], chunks=-1)).requires_grad_()
        values, _ = train(w, *map(ag.asarray, data), 3, after=True)
        np.testing.assert_allclose(values, train(ag.tensor(START["w"], requires_grad=True), X, Y, 3)[0])
        with pytest.raises(BlocksError, match="memory of this process"):
            ag.dask.store([(data[0], np.zeros_like(X))])
        del client
