"""A graph goes when its output goes: by reference counting alone, and what it saved goes while it is walked."""

import gc
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

import agnograd as ag

MB = 1_000_000


@pytest.fixture(autouse=True)
def _no_collector():
    """No help from the garbage collector: GPU memory cannot wait for it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def traced():
    """Bytes that were allocated since the last call and are still held, and their peak."""
    tracemalloc.start()

    def measure():
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        return held, peak

    yield measure
    tracemalloc.stop()


def leaf(n=10):
    return ag.tensor(np.linspace(0.1, 1.0, n), requires_grad=True)


def nodes_below(*roots):
    """Weak references to every node of the graphs of some tensors."""
    found, waiting = set(), [root._node for root in roots]
    while waiting:
        node = waiting.pop()
        if weakref.ref(node) not in found:
            found.add(weakref.ref(node))
            waiting.extend(node.parents)
    return found


def alive(references):
    return [ref() for ref in references if ref() is not None]


def unreachable():
    """Objects of agnograd's in cycles, which only the collector would find; the test runner leaves some of its own."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return [x for x in gc.garbage if type(x).__module__.partition(".")[0] in ("agnograd", "numpy")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


# -- graphs of every kind ---------------------------------------------------------------------------------------------


def elementwise(x):
    return ag.sum(ag.sin(x * 2 + x) / (x + 1))


def views(x):
    y = x * 1
    rows = ag.reshape(y, (5, 2))
    return ag.sum(rows[1] * rows[:, 0][:2] + y[2:4] * ag.expand_dims(y, axis=0)[0, :2])


def products(x):
    a = ag.reshape(x, (5, 2))
    return ag.sum(ag.matmul(a, a.T)) + ag.max(a)


def sequences(x):
    return ag.sum(ag.concat([x, x * x]) * ag.concat([ag.sin(x), x]))


def written(x):
    y = x * 1
    view = y[2:5]
    y[0] = x[1] * 3
    view *= 2
    y[1:3] = view[:2]
    y += x
    return ag.sum(y * y) + ag.sum(view)


def scalars(x):
    total = 0.0
    for value in x:
        total = total + value * value
    return total


GRAPHS = [elementwise, views, products, sequences, written, scalars]


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_graph_goes_with_its_output(graph):
    x = leaf()
    out = graph(x)
    nodes = nodes_below(out)
    assert len(nodes) > 2
    del out
    assert alive(nodes) == [x._node]
    assert not unreachable()


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_cycle_after_backward(graph):
    x = leaf()
    out = graph(x)
    nodes = nodes_below(out)
    tensor = weakref.ref(out)
    out.backward()
    assert x.grad is not None
    del out
    assert tensor() is None
    assert alive(nodes) == [x._node]
    assert not unreachable()


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_cycle_with_create_graph(graph):
    x = leaf()
    out = graph(x)
    out.backward(create_graph=True)
    second = ag.sum(x.grad * x.grad)
    nodes = nodes_below(second, out)
    second.backward()
    # The first gradient hangs on the leaf, and its graph on it: as in PyTorch, setting grad to None cuts it.
    x.grad = None
    del out, second
    assert alive(nodes) == [x._node]
    assert not unreachable()


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_leaf_goes_though_its_graph_was_walked(graph):
    x = leaf()
    tensor, node = weakref.ref(x), weakref.ref(x._node)
    graph(x).backward()
    del x
    assert tensor() is None
    assert node() is None


@pytest.mark.parametrize("transform", [ag.grad, lambda f: ag.grad(lambda x: ag.sum(ag.grad(f)(x)))])
@pytest.mark.parametrize("graph", GRAPHS)
def test_transformations_leave_nothing_behind(graph, transform):
    x = ag.asarray(np.linspace(0.1, 1.0, 10))
    transform(graph)(x)
    assert not unreachable()


def test_a_forward_pass_alone_holds_no_graph():
    x = leaf()
    nodes = nodes_below(elementwise(x))
    assert alive(nodes) == [x._node]


def test_views_do_not_keep_each_other():
    base = leaf() * 1
    view = base[2:5]
    other = weakref.ref(ag.reshape(base, (2, 5)))
    assert other() is None
    kept = weakref.ref(base)
    del base
    assert kept() is not None, "a view holds its base"
    del view
    assert kept() is None
    assert not unreachable()


# -- arrays -----------------------------------------------------------------------------------------------------------


def layers(x, count):
    for _ in range(count):
        x = ag.tanh(x)
    return x


def gated_layers(x, count):
    for _ in range(count):
        x = ag.tanh(x) * x
    return x


def test_a_dropped_graph_gives_its_arrays_back(traced):
    x = leaf(MB // 8)
    before, _ = traced()
    out = layers(x, 10)
    assert traced()[0] - before > 9.9 * MB
    del out
    assert traced()[0] - before < 0.1 * MB


@pytest.mark.parametrize("stack", [layers, gated_layers])
def test_saved_arrays_go_while_the_graph_is_walked(traced, stack):
    x = leaf(MB // 8)
    before, _ = traced()
    out = stack(x, 10)
    held, _ = traced()
    seed = np.ones(MB // 8)
    out.backward(seed)
    after, peak = traced()
    # Nothing is left but the seed, the gradient, and the value of the output, which is still in use here.
    assert after - before < 3.1 * MB
    # On the way a few temporaries of one rule come on top, not one for each layer.
    assert peak - held < 5.1 * MB
    assert out.shape == seed.shape


def test_retained_arrays_stay(traced):
    x = leaf(MB // 8)
    out = layers(x, 10)
    held, _ = traced()
    out.backward(np.ones(MB // 8), retain_graph=True)
    assert traced()[0] >= held
    out.backward(np.ones(MB // 8))
    assert traced()[0] < held - 7 * MB


def test_only_what_rules_read_is_saved(traced):
    x = leaf(MB // 8)
    before, _ = traced()
    out = x
    for _ in range(10):
        out = out + 1.5
    assert traced()[0] - before < 1.1 * MB, "a sum saves nothing"
    out = x
    for _ in range(10):
        out = out * 1.5
    assert traced()[0] - before < 1.1 * MB, "a product with a constant saves the constant"


def test_many_slices_of_one_array_cost_no_dense_cotangent_each(traced):
    x = leaf(MB // 8)
    total = 0.0
    for i in range(50):
        total = total + ag.sum(x[100 * i : 100 * i + 10])
    held, _ = traced()
    total.backward()
    assert traced()[1] - held < 2.5 * MB


def test_writes_in_a_loop_do_not_copy_each_time(traced):
    out = ag.zeros(MB // 8)
    out[0] = 0.0
    before, _ = traced()
    for i in range(1000):
        out[i] = 1.0
    assert traced()[1] - before < 0.5 * MB


def test_writes_leave_no_history_of_values(traced):
    x = leaf(MB // 8)
    before, _ = traced()
    y = x * 1
    for i in range(20):
        y[i] = x[i + 1] * 2
    # Each write is recorded, but no rule of it reads a value: only the current one is held.
    assert traced()[0] - before < 3.1 * MB
    del y
    assert traced()[0] - before < 0.1 * MB


# -- depth ------------------------------------------------------------------------------------------------------------

DEPTH = 200_000


def deep(x):
    for _ in range(DEPTH // 2):
        x = ag.sin(x) * 1.0
    return x


def test_a_deep_chain_goes_without_recursion():
    assert sys.getrecursionlimit() < DEPTH
    x = leaf(1)
    out = deep(x)
    last = weakref.ref(out._node)
    del out
    assert last() is None


def test_a_deep_chain_is_walked_and_goes_without_recursion():
    x = leaf(1)
    out = ag.sum(deep(x))
    out.backward()
    assert 0 < float(x.grad.array[0]) < 1
    last = weakref.ref(out._node)
    del out
    assert last() is None
    assert not unreachable()


def test_a_deep_chain_of_two_parents_goes_without_recursion():
    x = leaf(1)
    out = x
    for _ in range(DEPTH // 2):
        out = out - ag.sin(out)
    out.backward(np.ones(1))
    del out
    assert not unreachable()


def test_a_deep_chain_of_views_and_writes_goes_without_recursion():
    x = leaf(3)
    y = x * 1
    for _ in range(20_000):
        y[0] = y[1] * 1.0
    y.backward(np.ones(3))
    np.testing.assert_array_equal(x.grad.array, [0.0, 2.0, 1.0])
    del y
    assert not unreachable()


def test_a_deep_graph_is_recorded_back_and_goes_without_recursion():
    x = leaf(1)
    out = x
    for _ in range(10_000):
        out = ag.sin(out)
    out.backward(np.ones(1), create_graph=True)
    second = ag.sum(x.grad)
    x.grad = None
    second.backward()
    del out, second
    x.grad = None
    assert not unreachable()


def test_a_cycle_would_be_noticed():
    x = leaf()
    y = x * 2
    y.grad_fn.metadata["itself"] = y
    del y
    assert unreachable()
