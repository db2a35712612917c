"""`agnograd.compile`: what it returns, when it compiles again, what it refuses."""

import functools
import gc
import threading
import weakref

import numpy as np
import pytest

import agnograd as ag
from agnograd.compiler import CompileWarning
from agnograd.errors import EscapedError, TraceError


def f(x):
    return ag.sum(ag.sin(x) * x)


X = np.linspace(0.1, 1.0, 4)


def counted(function):
    """The function, and how often Python ran it."""
    runs = []

    @functools.wraps(function)
    def run(*args, **kwargs):
        runs.append(1)
        return function(*args, **kwargs)

    return run, runs


# -- results -----------------------------------------------------------------------------------------------------------


def test_results_are_tensors_where_an_argument_is_one():
    g = ag.compile(lambda x: {"twice": 2 * x, "sum": ag.sum(x), "name": "n", "nothing": None})
    for _ in range(2):
        out = g(X)
        assert type(out["twice"]) is np.ndarray
        assert type(out["sum"]) is np.ndarray
        assert out["name"] == "n"
        assert out["nothing"] is None
        assert isinstance(g(ag.asarray(X))["sum"], ag.Tensor)


def test_source_is_python_over_the_namespace():
    g = ag.compile(f)
    with pytest.raises(TraceError, match="no source yet"):
        _ = g.source
    g(X)
    compile(g.source, "source", "exec")
    assert "sin(" in g.source
    assert "def program(" in g.source


def test_trees_and_keywords():
    @ag.compile
    def loss(parameters, *, data):
        return ag.sum((parameters["w"] * data[0] + parameters["b"] - data[1]) ** 2)

    parameters = {"w": X, "b": np.ones(())}
    for _ in range(2):
        np.testing.assert_array_equal(loss(parameters, data=(X, X)), np.sum((X * X + 1 - X) ** 2))


def test_results_do_not_share_buffers():
    g = ag.compile(lambda x: (ag.sin(x) * 2, ag.sin(x) + 1))
    kept = g(X)
    first = [y.copy() for y in kept]
    g(X + 1)
    for a, b in zip(first, kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_results_are_not_the_arrays_of_the_caller():
    g = ag.compile(lambda x: (x * 1, ag.zeros(3), x + np.ones(4)))
    same, zeros, _ = g(X)
    same[0] = 9
    zeros[0] = 9
    assert X[0] == 0.1
    np.testing.assert_array_equal(g(X)[1], 0)


def test_views_of_arguments():
    x = np.arange(6.0).reshape(2, 3)
    g = ag.compile(lambda x: (ag.reshape(x.T, (6,)) * 2, x.T @ x, x[::-1, 1:] + 1))
    for y in (x, np.asfortranarray(x), x[::-1]):
        for a, b in zip(g(y), (y.T.reshape(6) * 2, y.T @ y, y[::-1, 1:] + 1), strict=True):
            np.testing.assert_array_equal(a, b)


# -- with transformations ----------------------------------------------------------------------------------------------

WAYS = {
    "grad": (lambda g: ag.grad(g)(X)),
    "value and grad": (lambda g: ag.value_and_grad(g)(X)),
    "jvp": (lambda g: ag.jvp(g, (X,), (X,))),
    "vjp": (lambda g: ag.vjp(g, X)[1](np.ones(()))),
    "hessian": (lambda g: ag.hessian(g)(X)),
    "hvp": (lambda g: ag.hvp(g, (X,), (X,))),
    "vmap": (lambda g: ag.vmap(g)(np.stack([X, X + 1]))),
    "vmap of grad": (lambda g: ag.vmap(ag.grad(g))(np.stack([X, X + 1]))),
    "grad of grad": (lambda g: ag.grad(lambda x: ag.sum(ag.grad(g)(x) ** 2))(X)),
    "jvp of vmap of grad": (lambda g: ag.jvp(ag.vmap(ag.grad(g)), (np.stack([X, X]),), (np.stack([X, X]),))),
    "grad of vmap": (lambda g: ag.grad(lambda x: ag.sum(ag.vmap(g)(x)))(np.stack([X, X]))),
    "third order": (lambda g: ag.jvp(ag.hessian(g), (X,), (X,))),
    "linearize": (lambda g: ag.linearize(g, X)[1](X)),
    "jacobian": (lambda g: ag.jacobian(lambda x: g(x) * x)(X)),
}


@pytest.mark.parametrize("way", WAYS)
def test_inside_of_transformations(way):
    run = WAYS[way]
    g = ag.compile(f)
    for _ in range(2):
        for a, b in zip(ag.tree.leaves(run(g)), ag.tree.leaves(run(f)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)


OUTSIDE = {
    "grad": (ag.grad, (X,)),
    "value_and_grad": (ag.value_and_grad, (X,)),
    "hessian": (ag.hessian, (X,)),
    "vmap of grad": (lambda g: ag.vmap(ag.grad(g)), (np.stack([X, X + 1]),)),
    "jvp": (lambda g: lambda x: ag.jvp(g, (x,), (x,)), (X,)),
    "hvp": (lambda g: lambda x: ag.hvp(g, (x,), (x,)), (X,)),
    "compiled": (ag.compile, (X,)),
    "grad of compiled": (lambda g: ag.grad(ag.compile(g)), (X,)),
}


@pytest.mark.parametrize("way", OUTSIDE)
def test_around_transformations(way):
    transform, args = OUTSIDE[way]
    g = ag.compile(transform(f))
    for _ in range(2):
        for a, b in zip(ag.tree.leaves(g(*args)), ag.tree.leaves(transform(f)(*args)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)


def test_a_call_is_one_node():
    x = ag.tensor(X, requires_grad=True)
    y = ag.compile(lambda x: ag.tanh(ag.sin(x) * x) + 1)(x)
    assert y.grad_fn.name() == "CompiledBackward"
    assert y.grad_fn.next_functions[0][0].name() == "AccumulateGrad"


def test_backward_accumulates_and_may_go_twice():
    g = ag.compile(lambda x, y: (ag.sin(x) * y, ag.sum(y)))
    x, y = ag.tensor(X, requires_grad=True), ag.tensor(X, requires_grad=True)
    first, second = g(x, y)
    loss = ag.sum(first) + second
    loss.backward(retain_graph=True)
    once = x.grad.numpy() if hasattr(x.grad, "numpy") else np.asarray(x.grad)
    loss.backward()
    np.testing.assert_allclose(np.asarray(x.grad), 2 * once)
    np.testing.assert_allclose(np.asarray(y.grad), 2 * (np.sin(X) + 1))
    with pytest.raises(ag.errors.GraphFreedError):
        loss.backward()


def test_create_graph():
    x = ag.tensor(X, requires_grad=True)
    (g,) = ag.autograd.grad(ag.compile(f)(x), [x], create_graph=True)
    (h,) = ag.autograd.grad(ag.sum(g * g), [x])
    x2 = ag.tensor(X, requires_grad=True)
    (g2,) = ag.autograd.grad(f(x2), [x2], create_graph=True)
    (h2,) = ag.autograd.grad(ag.sum(g2 * g2), [x2])
    np.testing.assert_allclose(np.asarray(h), np.asarray(h2), rtol=1e-14)


def test_no_grad_and_parts_without_a_gradient():
    g = ag.compile(lambda x: (ag.sin(x), ag.argmax(x), ag.floor(x), x.detach() * 2))
    x = ag.tensor(X, requires_grad=True)
    with ag.no_grad():
        assert not g(x)[0].requires_grad
    for _ in range(3):
        y, i, _, detached = g(x)
        assert (y.requires_grad, i.requires_grad, detached.requires_grad) == (True, False, False)
    y.sum().backward()
    np.testing.assert_array_equal(np.asarray(x.grad), np.cos(X))


def test_an_argument_without_influence():
    g = ag.compile(lambda x, y: ag.sum(x))
    np.testing.assert_array_equal(ag.grad(g, 1)(X, X), np.zeros(4))


def test_500_steps_in_python():
    step = ag.compile(lambda q, p: (q + 0.01 * p, p - 0.01 * ag.sin(q)))

    def eager(q, p):
        return q + 0.01 * p, p - 0.01 * ag.sin(q)

    def end(advance):
        def run(q):
            p = ag.zeros_like(q)
            for _ in range(500):
                q, p = advance(q, p)
            return ag.sum(q * q)

        return run

    np.testing.assert_allclose(ag.grad(end(step))(X), ag.grad(end(eager))(X), rtol=1e-13)
    # One for the first step, in which p needs no gradient, one for all others.
    assert len(step._latest.operation.programs) == 2


def test_complex():
    def g(z):
        return ag.sum(ag.abs(ag.exp(z) * z) ** 2)

    z = X + 1j * X[::-1]
    np.testing.assert_array_equal(ag.grad(ag.compile(g))(z), ag.grad(g)(z))


# -- when it compiles again --------------------------------------------------------------------------------------------


def test_once_for_each_shape_and_dtype():
    run, runs = counted(f)
    g = ag.compile(run)
    for _ in range(3):
        g(X)
    assert len(runs) == 1
    g(X.astype("float32"))
    g(X[:2])
    g(X[:2] + 1)
    assert len(runs) == 3
    assert g(X.astype("float32")).dtype == np.float32


def test_values_that_are_no_arrays_belong_to_the_program():
    run, runs = counted(lambda x, n, mode="sum": getattr(ag, mode)(x**n))
    g = ag.compile(run)
    for n in (2, 3, 2):
        np.testing.assert_array_equal(g(X, n), np.sum(X**n))
    np.testing.assert_array_equal(g(X, 2, mode="max"), np.max(X**2))
    assert len(runs) == 3
    with pytest.raises(TypeError, match="neither an array"):
        g(X, {1, 2})


def test_too_many_values_are_refused():
    g = ag.compile(lambda x, s: x * s, limit=2)

    def call_with_many():
        for s in range(20):
            g(X, float(s))

    with pytest.raises(TraceError, match="Pass what changes as an array"):
        call_with_many()


def test_static_arguments():
    run, runs = counted(lambda x, sizes: ag.reshape(x, tuple(sizes)))
    g = ag.compile(run, static_argnums=1)
    assert g(X, (2, 2)).shape == (2, 2)
    assert g(X, (4, 1)).shape == (4, 1)
    assert g(X + 1, (2, 2)).shape == (2, 2)
    assert len(runs) == 2


# -- what is found outside of the arguments ----------------------------------------------------------------------------

W = np.ones(4)
SCALE = 2.0


def uses_globals(x):
    return ag.sum(x * W * SCALE)


def test_globals_are_looked_up_again(monkeypatch):
    g = ag.compile(uses_globals)
    assert g(X) == pytest.approx(2 * X.sum())
    monkeypatch.setitem(globals(), "W", np.full(4, 3.0))
    assert g(X) == pytest.approx(6 * X.sum())
    monkeypatch.setitem(globals(), "SCALE", 1.0)
    assert g(X) == pytest.approx(3 * X.sum())
    W[0] = 0.0
    assert g(X) == pytest.approx(3 * X[1:].sum())


def test_closures_keep_their_gradients():
    w = ag.tensor(X.reshape(2, 2), requires_grad=True)
    g = ag.compile(lambda x: ag.sum(x @ w.T))
    x = np.ones(2)
    for _ in range(2):
        w.grad = None
        g(x).backward()
        np.testing.assert_array_equal(np.asarray(w.grad), np.ones((2, 2)))
    w = ag.tensor(np.zeros((2, 2)), requires_grad=True)
    assert float(g(x).detach()) == 0.0


def test_helpers_containers_and_objects():
    class Layer:
        def __init__(self):
            self.w = X.copy()
            self.parts = [X, {"b": X + 1}]

        def __call__(self, x):
            return x * self.w + self.parts[0] - self.parts[1]["b"]

    layer = Layer()

    scaled = functools.partial(lambda s, x: s * x, X)

    def helper(x, *, by=scaled):
        return by(layer(x))

    g = ag.compile(lambda x: ag.sum(helper(x)))

    def expected():
        return np.sum(X * (X * layer.w + layer.parts[0] - layer.parts[1]["b"]))

    assert g(X) == pytest.approx(expected())
    layer.w = X * 5
    layer.parts[1]["b"] = X * 7
    assert g(X) == pytest.approx(expected())


def test_methods():
    class Model:
        def __init__(self, w):
            self.w = w

        @ag.compile
        def loss(self, x):
            return ag.sum(self.w * x)

    one, two = Model(X), Model(2 * X)
    assert one.loss(X) == pytest.approx(np.sum(X * X))
    assert two.loss(X) == pytest.approx(np.sum(2 * X * X))
    one.w = 3 * X
    assert one.loss(X) == pytest.approx(np.sum(3 * X * X))
    np.testing.assert_allclose(ag.grad(two.loss)(X), 2 * X)


def test_recursion_and_rebound_functions():
    def power(x, n):
        return x if n == 1 else x * power(x, n - 1) * c

    c = np.ones(4)
    g = ag.compile(lambda x: power(x, 3))
    np.testing.assert_allclose(g(X), X**3)
    c = np.full(4, 2.0)
    np.testing.assert_allclose(g(X), 4 * X**3)

    power = lambda x, n: x * c  # noqa: F811 - rebound

    np.testing.assert_allclose(g(X), 2 * X)


def test_closed_over_duals():
    def outer(y):
        return ag.compile(lambda x: ag.sum(x * y))(X)

    np.testing.assert_allclose(ag.jvp(outer, (X,), (X,))[1], np.sum(X * X))
    np.testing.assert_allclose(ag.grad(outer)(X), X)


def test_side_effects_are_refused():
    kept = []
    total = {"count": X}

    def appends(x):
        kept.append(x)
        return x

    def counts(x):
        total["count"] = total["count"] + x
        return x

    with pytest.raises(TraceError, match="changes"):
        ag.compile(counts)(X)
    ag.compile(appends)(X)
    with pytest.raises(EscapedError, match="after its function had been compiled"):
        _ = kept[0] + 1


def test_writes_to_arguments_are_refused():
    def writes(x):
        x[0] = 1.0
        return x

    with pytest.raises(TraceError, match=r"argument 0 .*clone"):
        ag.compile(writes)(X)


def test_writes_to_own_arrays():
    def fills(x):
        out = ag.zeros(4)
        out[0] = 5.0
        for i in range(4):
            out[i] = x[i] * i
        y = x.clone()
        y[1:3] += 1
        return out, y

    g = ag.compile(fills)
    for _ in range(2):
        out, y = g(X)
        np.testing.assert_array_equal(out, X * np.arange(4))
        np.testing.assert_array_equal(y, X + np.asarray([0, 1, 1, 0]))
    np.testing.assert_array_equal(X, np.linspace(0.1, 1.0, 4))


# -- branches ----------------------------------------------------------------------------------------------------------


def test_branches_are_guarded():
    def g(x):
        if ag.sum(x) > 0:
            x = x * 2
        while ag.max(x) > 1:
            x = x / 2
        return x

    run, runs = counted(g)
    compiled = ag.compile(run)
    for x in (X, -X, X + 5, X, -X, X + 5):
        np.testing.assert_array_equal(compiled(x), g(x))
    assert len(runs) == 3
    np.testing.assert_array_equal(ag.grad(lambda x: ag.sum(compiled(x)))(X), ag.grad(lambda x: ag.sum(g(x)))(X))


def test_numbers_of_arrays_are_guarded():
    compiled = ag.compile(lambda x, n: x[: int(n)] * float(x[0]))
    for n in (2, 3, 2):
        np.testing.assert_array_equal(compiled(X, np.asarray(n)), X[:n] * 0.1)


def test_a_limit_on_branches_names_the_line():
    g = ag.compile(lambda x: x * float(x[0]), limit=3)

    def call_with_many():
        for i in range(10):
            g(X + i)

    with pytest.raises(TraceError, match=r"test_compile\.py:\d+ comes out otherwise"):
        call_with_many()


# -- what is refused ---------------------------------------------------------------------------------------------------


REFUSED = {
    "mask": (lambda x: x[x > 0.5], "mask"),
    "nonzero": (lambda x: ag.nonzero(x), "depends on values"),
    "repeat": (lambda x: ag.repeat(x, ag.asarray([1, 2, 0, 1]) * ag.astype(x > 0, ag.int64)), "depends on values"),
    "asarray": (lambda x: np.asarray(x), "needs the values"),
    "tolist": (lambda x: x.tolist(), "needs the values"),
    "randn": (lambda x: x * ag.randn(4), "random"),
    "numpy": (lambda x: x * np.random.rand(4), "random"),  # noqa: NPY002
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_reason(case):
    g, why = REFUSED[case]
    with pytest.raises(TraceError, match=why):
        ag.compile(g)(X)
    with pytest.warns(CompileWarning, match=why):
        out = ag.compile(g, fallback=True)(X)
    assert np.all(np.isfinite(np.asarray(ag.tree.leaves(out)[0], dtype=float)))


def test_generators_in_closures():
    rng = np.random.default_rng(0)
    with pytest.raises(TraceError, match="random"):
        ag.compile(lambda x: x * rng.normal(size=4))(X)


def test_errors_of_the_function_are_its_own():
    g = ag.compile(lambda x: x @ ag.ones(3))
    with pytest.raises(ValueError, match=r"4|3"):
        g(X)
    with pytest.raises(ZeroDivisionError):
        ag.compile(lambda x: 1 / 0)(X)


# -- memory, threads ---------------------------------------------------------------------------------------------------


def test_no_example_stays_alive():
    class Data(np.ndarray):
        pass

    x = np.ones(1000).view(Data)
    gone = weakref.ref(x)
    g = ag.compile(lambda x: ag.sum(ag.sin(x)))
    ag.grad(g)(x)
    g(x)
    del x
    gc.collect()
    assert gone() is None


def test_threads():
    g = ag.compile(ag.value_and_grad(lambda x: ag.sum(ag.tanh(ag.sin(x) * x) * x)))
    inputs = [np.random.default_rng(i).normal(size=2000) for i in range(8)]
    expected = [g(x) for x in inputs]
    wrong = []

    def work(i):
        for _ in range(50):
            value, gradient = g(inputs[i])
            if value != expected[i][0] or not np.array_equal(gradient, expected[i][1]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_first_call_from_many_threads():
    run, runs = counted(f)
    g = ag.compile(run)
    barrier = threading.Barrier(6)
    found = []

    def work():
        barrier.wait()
        found.append(float(g(X)))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [float(f(X))] * 6
    assert len(runs) == 1


# -- large arrays ------------------------------------------------------------------------------------------------------


def test_blocks_give_the_same_bits():
    def g(x, y):
        u = ag.tanh(x * y + x)
        v = ag.log(u * u + x)
        return ag.sum((v - y) * u + ag.where(x > y, x, 0.5)) + ag.mean(u)

    n = 250_007
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.1, 1, n), rng.normal(size=n)
    compiled = ag.compile(ag.value_and_grad(g, (0, 1)))
    assert "region0" in (compiled(x, y), compiled.source)[1]
    value, gradients = compiled(x, y)
    expected, wanted = ag.value_and_grad(g, (0, 1))(x, y)
    assert value == expected
    for a, b in zip(gradients, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
