"""Functions of blocks: values and derivatives against the same functions on arrays in memory, and what they cost."""

import functools
import pickle

import dask
import dask.array as da
import numpy as np
import pytest
from dask_counts import Source, count_of_tasks

import agnograd as ag
from agnograd.dask import map_blocks, value_and_grad
from agnograd.errors import BlocksError, FunctionError, NonScalarError, NotDifferentiableError, TraceError
from benchmarks.dask_blocks import NAMES, graph
from benchmarks.dask_workloads import WORKLOADS, Data

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(13, 4)), RNG.normal(size=13)
W, B, V = RNG.normal(size=(4, 2)), RNG.normal(size=2), RNG.normal(size=2)


# Functions of this module, as plain pickle wants them.
def layer(x, w, b):
    return ag.tanh(x @ w + b)


def squares(x, scale):
    return x * x * scale


def total(x, y):
    return ag.sum(x, axis=1, keepdims=True) * y


def loss(params, x, y):
    return ag.sum((layer(x, params["w"], params["b"]) @ params["v"] - y) ** 2)


PARAMS = {"w": W, "b": B, "v": V}


def chunked(x, chunks):
    return da.from_array(x, chunks=chunks, name=False)


def close(lazy, expected):
    """Whether two trees are the same, and the first one has no tensor or dtype that it should not have."""
    (found,) = dask.compute(lazy)

    def same(a, b):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        single = a.dtype.itemsize < (16 if a.dtype.kind == "c" else 8)
        np.testing.assert_allclose(a, b, rtol=1e-5 if single else 1e-10, atol=1e-12)

    ag.tree.map(same, found, expected)


def scalar(f, *args):
    return ag.sum(ag.sin(f(*args)))


# f, arrays, chunks (None: in memory), parameters of map_blocks
CASES = {
    "one argument": (lambda x: ag.exp(x) * x, [X], [(5, 4)], {}),
    "grid": (lambda x: ag.exp(x) * x, [X], [(5, 3)], {}),
    "one block": (lambda x: ag.exp(x) * x, [X], [(13, 4)], {}),
    "no axes": (lambda x: ag.exp(x) * x, [X[0, 0]], [()], {}),
    "parameters": (layer, [X, W, B], [(5, 4), None, None], {}),
    "number": (squares, [X, np.asarray(2.0)], [(5, 3), None], {}),
    "row": (squares, [X, X[0]], [(5, 3), (3,)], {}),
    "row in one block": (squares, [X[:, :3], X[0, :3]], [(5, 3), (3,)], {}),
    "column": (squares, [X, Y[:, None]], [(5, 3), (5, 1)], {}),
    "outer": (squares, [Y[:, None], X[0]], [(5, 1), (3,)], {}),
    "uneven": (squares, [X, X + 1], [((1, 7, 5), (3, 1)), ((1, 7, 5), (3, 1))], {}),
    "keepdims": (total, [X, Y[:, None]], [(5, 4), (5, 1)], {}),
    "dropped": (lambda x: ag.sum(x * x, axis=1), [X], [(5, 4)], {"drop_axis": 1}),
    "dropped, in blocks": (lambda x: ag.sum(x * x, axis=1), [X], [(5, 3)], {"drop_axis": -1}),
    "all dropped": (lambda x: ag.sum(x * x), [X], [(5, 3)], {"drop_axis": (0, 1)}),
    "new": (lambda x: ag.stack([x, x * x], axis=1), [X], [(5, 3)], {"new_axis": 1, "chunks": ((5, 5, 3), 2, (3, 1))}),
    "new and dropped": (
        lambda x: ag.sum(x, axis=1)[:, None, None],
        [X],
        [(5, 4)],
        {"drop_axis": 1, "new_axis": [1, 2]},
    ),
    "two outputs side by side": (lambda x: ag.concat([x, x * x], axis=1), [X], [(5, 4)], {}),
    "dtype": (lambda x: ag.exp(x), [X], [(5, 3)], {"dtype": np.float64}),
    "cast": (lambda x: ag.exp(x).astype("f4"), [X], [(5, 3)], {"dtype": np.float32}),
    "largest in each block": (lambda x: ag.max(x, axis=0, keepdims=True), [X], [(13, 3)], {"chunks": (1, (3, 1))}),
    "meta": (lambda x: ag.exp(x), [X], [(5, 3)], {"meta": np.empty((0, 0))}),
    "single": (squares, [X.astype("f4"), np.asarray(2.0, "f4")], [(5, 3), None], {}),
    "complex": (lambda x, w: ag.real(ag.exp(x @ w)), [X + 1j * X, W - 1j], [(5, 4), None], {}),
}


# Of which second derivatives are taken, too.
SECOND = ("grid", "no axes", "parameters", "row", "dropped, in blocks", "new")


@pytest.mark.parametrize("case", CASES)
def test_values_and_derivatives_are_those_of_the_function_in_memory(case):
    f, arrays, chunks, params = CASES[case]
    lazy = [x if c is None else chunked(x, c) for x, c in zip(arrays, chunks, strict=True)]

    def blocks(*args):
        return map_blocks(f, *args, **params)

    def like(x, c, values):
        return values if c is None else chunked(values, c)

    every = tuple(range(len(arrays)))
    out = blocks(*lazy)
    expected = f(*arrays)
    close(out, expected)
    assert out.shape == expected.shape
    assert tuple(map(sum, out.chunks)) == expected.shape
    gradients = ag.grad(lambda *a: scalar(blocks, *a), every)(*lazy)
    close(gradients, ag.grad(lambda *a: scalar(f, *a), every)(*arrays))
    for g, x, c in zip(gradients, lazy, chunks, strict=True):
        assert c is None or g.chunks == x.chunks
    rng = np.random.default_rng(1)
    tangents = [rng.normal(size=np.shape(x)).astype(np.asarray(x).dtype) for x in arrays]
    lazy_tangents = [like(x, c, t) for x, c, t in zip(lazy, chunks, tangents, strict=True)]
    close(ag.jvp(blocks, lazy, lazy_tangents), ag.jvp(f, arrays, tangents))
    if case not in SECOND:
        return
    close(
        ag.hvp(lambda *a: scalar(blocks, *a), lazy, lazy_tangents),
        ag.hvp(lambda *a: scalar(f, *a), arrays, tangents),
    )


def quartic(x, w):
    return ag.sum((x @ w) ** 4, axis=1, keepdims=True)


def over(run, x):
    """A scalar of the parameters, with the data bound to it."""
    return lambda w: ag.sum(run(quartic, x, w))


LAZY = chunked(X, (5, 4))


def in_memory(f, *args):
    return f(*args)


TWICE = {
    "grad of grad": lambda f: ag.grad(lambda w: ag.sum(ag.grad(f)(w) ** 2)),
    "forward over reverse": lambda f: lambda w: ag.hvp(f, (w,), (w,)),
    "reverse over forward": lambda f: ag.grad(lambda w: ag.jvp(f, (w,), (w,))[1]),
    "forward over forward": lambda f: lambda w: ag.jvp(lambda u: ag.jvp(f, (u,), (u,))[1], (w,), (w,))[1],
    "third": lambda f: ag.grad(lambda w: ag.sum(ag.grad(lambda u: ag.sum(ag.grad(f)(u) ** 2))(w) * w)),
    "Jacobian": lambda f: lambda w: ag.jacrev(ag.grad(f))(w),
    "Hessian": lambda f: ag.hessian(f),
    "vmap": lambda f: lambda w: ag.vmap(f)(ag.stack([w, 2.0 * w])),
    "vmap of grad": lambda f: lambda w: ag.vmap(ag.grad(f))(ag.stack([w, 2.0 * w])),
    "grad of vmap": lambda f: ag.grad(lambda w: ag.sum(ag.vmap(f)(ag.stack([w, 2.0 * w])) ** 2)),
}


@pytest.mark.parametrize("name", TWICE)
def test_transformations_nest(name):
    transform = TWICE[name]
    found = transform(over(map_blocks, LAZY))(W)
    assert isinstance(found, da.Array)
    close(found, transform(over(in_memory, X))(W))


def test_a_batch_may_be_in_chunks_and_so_may_what_it_is_mapped_with():
    members = RNG.normal(size=(5, 4, 2))

    def gradient(run, x, ws):
        return ag.vmap(ag.grad(lambda w: ag.sum(run(quartic, x, w))))(ws)

    close(gradient(map_blocks, LAZY, chunked(members, (2, 4, 2))), gradient(in_memory, X, members))
    # The rows of the data are the members: a gradient for each sample.
    each = ag.vmap(ag.grad(lambda w, x: ag.sum(map_blocks(squares, x, w))), (None, 0))
    close(each(X[0], LAZY), 1.0 * X**2)


@pytest.mark.parametrize("rows", [1, 2, 4, 100])
def test_some_rows_at_a_time_give_the_same(rows):
    x, y = chunked(X, (5, 4)), chunked(Y, 5)
    lazy = value_and_grad(counted, (0, 1, 2), has_aux=True, rows=rows)(PARAMS, x, y)
    close(lazy, ag.value_and_grad(counted, (0, 1, 2), has_aux=True)(PARAMS, X, Y))
    close(value_and_grad(mean_loss, reduce="mean", rows=rows)(PARAMS, x, y), ag.value_and_grad(mean_loss)(PARAMS, X, Y))
    v = ag.tree.map(np.cos, PARAMS)
    slopes = ag.jvp(lambda p: value_and_grad(loss, rows=rows)(p, x, y), (PARAMS,), (v,))
    close(slopes, ag.jvp(lambda p: ag.value_and_grad(loss)(p, X, Y), (PARAMS,), (v,)))
    each = value_and_grad(loss, reduce="none", rows=rows)(PARAMS, x, y)
    close(each, ag.compute(value_and_grad(loss, reduce="none")(PARAMS, x, y)))


@pytest.mark.parametrize("rows", [None, 2])
def test_compiled_tasks_find_the_same(rows):
    x, y = chunked(X, (5, 4)), chunked(Y, 5)
    compiled = functools.partial(value_and_grad, compile=True, rows=rows)
    expected = ag.value_and_grad(counted, (0, 1, 2), has_aux=True)(PARAMS, X, Y)
    close(compiled(counted, (0, 1, 2), has_aux=True)(PARAMS, x, y), expected)
    close(compiled(mean_loss, reduce="mean")(PARAMS, x, y), ag.value_and_grad(mean_loss)(PARAMS, X, Y))
    each = ag.compute(value_and_grad(loss, reduce="none")(PARAMS, x, y))
    close(compiled(loss, reduce="none")(PARAMS, x, y), each)
    v = ag.tree.map(np.cos, PARAMS)
    for f in (loss, lambda p, x, y: loss({**p, "b": B}, x, y) + x.shape[0] * ag.sum(p["b"] * V)):
        slopes = ag.jvp(lambda p, f=f: compiled(f)(p, x, y), (PARAMS,), (v,))
        close(slopes, ag.jvp(lambda p, f=f: ag.value_and_grad(f)(p, X, Y), (PARAMS,), (v,)))
        g = ag.grad(lambda p, f=f: ag.sum(compiled(f)(p, x, y)[1]["w"] ** 2))(PARAMS)
        close(g, ag.grad(lambda p, f=f: ag.sum(ag.grad(f)(p, X, Y)["w"] ** 2))(PARAMS))


def test_a_program_is_made_once_whoever_brings_the_tasks():
    lazy = value_and_grad(noted, compile=True, rows=2)(PARAMS, chunked(X[:12], (6, 4)), chunked(Y[:12], 6))
    copies = [pickle.loads(pickle.dumps(dict(x.dask))) for x in (lazy[0], lazy[0])]
    CALLS.clear()
    for tasks in copies:
        dask.get(tasks, lazy[0].__dask_keys__())
    assert CALLS == [(2, 4)]


def test_what_cannot_be_compiled_says_so_when_it_runs():
    def f(w, x):
        return ag.sum((x @ w)[x[:, 0] > 0])

    value, _ = value_and_grad(f, compile=True)(W[:, 0], chunked(X, (5, 4)))
    with pytest.raises(TraceError):
        value.compute()


def test_members_have_a_gradient_each_over_all_blocks():
    params = ag.tree.map(lambda x: np.stack([x, 2 * x]), PARAMS)
    x, y = chunked(X, (5, 4)), chunked(Y, 5)
    found = ag.vmap(lambda p: value_and_grad(loss)(p, x, y))(params)
    close(found, ag.vmap(lambda p: ag.value_and_grad(loss)(p, X, Y))(params))


def test_one_array_twice_and_a_part_of_the_result():
    x = chunked(X, (5, 4))
    product = lambda x, y, *more: ag.exp(x) * y * sum(more)
    g = ag.grad(lambda x: ag.sum(map_blocks(product, x, x, x, 2.0)))(x)
    close(g, ag.grad(lambda x: ag.sum(product(x, x, x, 2.0)))(X))
    source = Source(X)
    part = ag.grad(lambda x: ag.sum(map_blocks(product, x, x, x)))(source.lazy((5, 4))).blocks[1]
    close(part, ag.grad(lambda x: ag.sum(product(x, x, x)))(X)[5:10])
    assert source.reads == 1


def test_what_saves_memory_in_memory_does_so_in_tasks():
    def segment(x):
        return ag.tanh(ag.tanh(x))

    def f(w, x):
        return ag.sum(ag.checkpoint(segment, x @ w) ** 2)

    close(value_and_grad(f)(W, chunked(X, (5, 4))), ag.value_and_grad(f)(W, X))


def test_tensors_and_backward():
    x, w = ag.asarray(LAZY).requires_grad_(), ag.tensor(W, requires_grad=True)
    y = map_blocks(quartic, x, w)
    assert isinstance(y, ag.Tensor)
    assert y.requires_grad
    assert type(y.grad_fn).__name__ == "QuarticBackward"
    (first,) = ag.autograd.grad(ag.sum(y), w, create_graph=True)
    ag.sum(first**2).backward()
    close(w.grad.array, TWICE["grad of grad"](over(in_memory, X))(W))
    assert x.grad.array.chunks == LAZY.chunks


def test_a_constant_and_integers():
    x = chunked(X, (5, 4))
    numbers = chunked(np.arange(13)[:, None], (5, 1))
    close(ag.grad(lambda x: ag.sum(map_blocks(squares, x, numbers)))(x), 2 * X * np.arange(13)[:, None])
    close(map_blocks(lambda x: x > 0, ag.asarray(x)).array, X > 0)
    assert not map_blocks(lambda x: x > 0, ag.asarray(x).requires_grad_()).requires_grad


def powers(x, tree, *, exponent, kind):
    assert kind == "cube"
    return tree["scale"] * x**exponent + tree["shift"][0]


def test_arguments_may_be_trees_and_anything_that_is_no_array():
    tree = {"scale": np.asarray(2.0), "shift": [np.asarray(1.0)]}
    x = chunked(X, (5, 4))
    g = ag.grad(lambda t: ag.sum(map_blocks(powers, x, t, exponent=3, kind="cube")))(tree)
    close(g, {"scale": np.sum(X**3), "shift": [np.asarray(float(X.size))]})


def test_arrays_in_memory_are_one_block():
    assert np.array_equal(map_blocks(squares, X, 2.0), squares(X, 2.0))
    value, g = value_and_grad(loss)(PARAMS, X, Y)
    close((value, g), ag.value_and_grad(loss)(PARAMS, X, Y))


def test_blocks_of_unknown_size():
    x = chunked(X, (5, 4))
    some, y = x[x[:, 0] > 0], chunked(Y, 5)[x[:, 0] > 0]
    rows = X[:, 0] > 0
    close(ag.grad(lambda w: ag.sum(map_blocks(quartic, some, w)))(W), ag.grad(over(in_memory, X[rows]))(W))
    close(value_and_grad(loss)(PARAMS, some, y), ag.value_and_grad(loss)(PARAMS, X[rows], Y[rows]))
    with pytest.raises(BlocksError, match="compute_chunk_sizes"):
        value_and_grad(loss, reduce="mean")(PARAMS, some, y)


def test_what_runs_in_a_task_does_not_depend_on_modes_around_the_computation():
    value, g = value_and_grad(loss)(PARAMS, chunked(X, (5, 4)), chunked(Y, 5))
    with ag.no_grad():
        found = dask.compute(value, g)
    close(found, ag.value_and_grad(loss)(PARAMS, X, Y))


def root(x):
    return ag.where(x > 0, x**0.5, 0)


def test_zero_cotangents_stay_zero_in_tasks_where_they_were_asked_to():
    x = chunked(np.asarray([0.0, 4.0]), 1)
    with np.errstate(all="ignore"):
        with ag.zero_safe():
            safe = ag.grad(lambda x: ag.sum(map_blocks(root, x)))(x)
        close(safe, np.asarray([0.0, 0.25]))


# -- value_and_grad --------------------------------------------------------------------------------------------------


def mean_loss(params, x, y):
    return loss(params, x, y) / x.shape[0]


def counted(params, x, y):
    residual = layer(x, params["w"], params["b"]) @ params["v"] - y
    return ag.sum(residual**2), {"positive": ag.sum(residual > 0), "moments": ag.stack([ag.sum(y), ag.sum(y * y)])}


CALLS = []


def noted(params, x, y):
    CALLS.append(tuple(x.shape))
    return loss(params, x, y)


@pytest.fixture
def data():
    return chunked(X, (5, 4)), chunked(Y, 5)


def test_a_sum_over_blocks(data):
    close(value_and_grad(loss)(PARAMS, *data), ag.value_and_grad(loss)(PARAMS, X, Y))


def test_a_mean_weighs_blocks_by_their_size(data):
    close(value_and_grad(mean_loss, reduce="mean")(PARAMS, *data), ag.value_and_grad(mean_loss)(PARAMS, X, Y))
    single = ag.tree.map(lambda x: x.astype("f4"), (PARAMS, *data))
    (value, g) = value_and_grad(mean_loss, reduce="mean")(*single)
    assert {x.dtype for x in (value, *ag.tree.leaves(g))} == {np.dtype("f4")}
    assert {x.compute().dtype for x in (value, *ag.tree.leaves(g))} == {np.dtype("f4")}


def test_blocks_left_apart(data):
    values, g = value_and_grad(loss, reduce="none")(PARAMS, *data)
    parts = [slice(0, 5), slice(5, 10), slice(10, 13)]
    each = [ag.value_and_grad(loss)(PARAMS, X[p], Y[p]) for p in parts]
    close((values, g), ag.tree.map(lambda *xs: np.stack(xs), *each))


def test_gradients_of_data_have_its_chunks(data):
    (value, (gp, gx, gy)) = value_and_grad(loss, (0, 1, "y"))(PARAMS, *data)
    close((value, (gp, gx, gy)), ag.value_and_grad(loss, (0, 1, 2))(PARAMS, X, Y))
    assert gx.chunks == data[0].chunks
    assert gy.chunks == data[1].chunks


def test_extra_results_are_reduced_like_the_value(data):
    close(value_and_grad(counted, has_aux=True)(PARAMS, *data), ag.value_and_grad(counted, has_aux=True)(PARAMS, X, Y))
    (values, aux), _ = value_and_grad(counted, has_aux=True, reduce="none")(PARAMS, *data)
    assert (values.shape, aux["positive"].shape, aux["moments"].shape) == ((3,), (3,), (3, 2))
    (_, rows), _ = value_and_grad(lambda w, x: (ag.sum(x @ w), x[:, 0]), has_aux=True)(W, data[0])
    with pytest.raises(BlocksError, match="map_blocks"):
        rows.compute()


def test_it_is_differentiable_itself(data):
    v = ag.tree.map(lambda x: np.cos(x), PARAMS)

    def of(f, x, y):
        return lambda p: f(loss)(p, x, y)

    lazy, eager = of(value_and_grad, *data), of(ag.value_and_grad, X, Y)
    close(ag.jvp(lazy, (PARAMS,), (v,)), ag.jvp(eager, (PARAMS,), (v,)))
    close(ag.grad(lambda p: lazy(p)[0])(PARAMS), eager(PARAMS)[1])
    squared = lambda f: lambda p: sum(ag.sum(g**2) for g in ag.tree.leaves(f(p)[1]))
    close(ag.grad(squared(lazy))(PARAMS), ag.grad(squared(eager))(PARAMS))


def test_parameters_may_be_lazy_numbers_or_tensors(data):
    def f(params, x):
        return ag.sum(x * params["scale"]) + params["shift"]

    lazy = {"scale": chunked(X[0], -1), "shift": da.asarray(2.0)}
    x = data[0]
    expected = {"scale": X.sum(axis=0), "shift": np.asarray(3.0)}
    close(value_and_grad(f)(lazy, x)[1], expected)
    close(value_and_grad(f)({"scale": X[0], "shift": 2}, x)[1], expected)
    g = value_and_grad(f)(ag.tree.map(ag.asarray, lazy), ag.asarray(x))[1]
    assert all(isinstance(t, ag.Tensor) for t in ag.tree.leaves(g))
    w = ag.tensor(W, requires_grad=True)
    value, _ = value_and_grad(lambda w, x: ag.sum((x @ w) ** 2))(w, x)
    value.backward()
    close(w.grad.array, 2 * X.T @ (X @ W))


def test_blocks_along_two_axes():
    x, rows = chunked(X, (5, 3)), chunked(Y, 5)

    def f(scale, x, y):
        return ag.sum(scale * x * x * y)

    lazy = value_and_grad(f, (0, 1, 2))(np.asarray(2.0), x, x + 1)
    close(lazy, ag.value_and_grad(f, (0, 1, 2))(np.asarray(2.0), X, X + 1))
    assert [g.chunks for g in lazy[1][1:]] == [x.chunks, x.chunks]
    values, _ = value_and_grad(f, reduce="none")(np.asarray(2.0), x, x)
    assert values.shape == (3, 2)
    with pytest.raises(BlocksError, match=r"argument 1 has 2 blocks along axis 1, .* counted 2 times"):
        value_and_grad(lambda s, x, rows: ag.sum(s * x) + ag.sum(rows))(np.asarray(2.0), x, rows)
    weighted = value_and_grad(lambda s, x: ag.mean(s * x * x), reduce="mean")(np.asarray(2.0), x)
    close(weighted, ag.value_and_grad(lambda s, x: ag.mean(s * x * x))(np.asarray(2.0), X))


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_misaligned_blocks_say_how_to_rechunk(data):
    x, y = data
    with pytest.raises(BlocksError, match=r"argument 1 and argument 2.*rechunk\(\{0: \(4, 4, 4, 1\)\}\)"):
        value_and_grad(loss)(PARAMS, x, y.rechunk(4))
    with pytest.raises(BlocksError, match=r"argument 2 is in one piece .* Give it the chunks \(5, 5, 3\)"):
        value_and_grad(loss)(PARAMS, x, Y)
    with pytest.raises(BlocksError, match="argument 0 and argument 1"):
        map_blocks(squares, x, x.rechunk((4, 4)))


@pytest.mark.parametrize("level", ["backward", "grad", "jvp", "vmap"])
def test_a_closure_over_what_is_differentiated_is_refused(level):
    x = chunked(X, (5, 4))

    def hidden(w):
        return ag.sum(map_blocks(lambda x: x @ w, x))

    run = {
        "backward": lambda: hidden(ag.tensor(W, requires_grad=True)),
        "grad": lambda: ag.grad(hidden)(W),
        "jvp": lambda: ag.jvp(hidden, (W,), (W,)),
        "vmap": lambda: ag.vmap(hidden)(np.stack([W, W])),
    }
    with pytest.raises(FunctionError, match=rf"closes over an array that '{level}'"):
        run[level]()
    # Where the function is not called beforehand, the task says so.
    w = ag.tensor(W, requires_grad=True)
    unseen = map_blocks(lambda x: x @ w, x, meta=np.empty((0, 0)), chunks=(5, 2))
    with pytest.raises(FunctionError, match="Pass it as an argument"):
        unseen.compute()


def test_errors_of_the_call(data):
    x, y = data
    with pytest.raises(NonScalarError, match="shape"):
        value_and_grad(lambda w, x: x @ w)(W, x)
    with pytest.raises(BlocksError, match="drop_axis"):
        map_blocks(lambda x: ag.sum(x), x)
    with pytest.raises(BlocksError, match="chunks has 3 items"):
        map_blocks(squares, x, 2.0, chunks=(5, 4, 1))
    with pytest.raises(BlocksError, match="drop_axis=2"):
        map_blocks(squares, x, 2.0, drop_axis=2)
    for f in (ag.sum, ag.max):
        with pytest.raises(BlocksError, match=r"1 elements along axis 0 .* with chunks="):
            map_blocks(lambda x: f(x, axis=0, keepdims=True), x)  # noqa: B023
    with pytest.raises(BlocksError, match="ZeroDivisionError"):
        map_blocks(lambda x: x * (1 // 0), x)
    with pytest.raises(NotDifferentiableError, match=r"argument 0 holds a str"):
        value_and_grad(lambda name, x: ag.sum(x))("name", x)
    with pytest.raises(NotDifferentiableError, match=r"argument 0 .*int64"):
        value_and_grad(lambda n, x: ag.sum(x) * n)(np.asarray([1, 2]), x)
    with pytest.raises(ValueError, match="1 or more, got 0"):
        value_and_grad(loss, rows=0)
    with pytest.raises(ValueError, match="reduce is one of"):
        value_and_grad(loss, reduce="max")
    with pytest.raises(TypeError, match="lazy Delayed"):
        map_blocks(squares, x, dask.delayed(2.0))
    with pytest.raises(TypeError, match="takes a function"):
        map_blocks(x, y)


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_one_task_for_each_block_and_each_block_read_once():
    x, y = Source(np.ones((80, 4))), Source(np.ones(80))
    with dask.config.set(split_every=8):
        value, g = value_and_grad(loss)(PARAMS, x.lazy(chunks=(1, 4)), y.lazy(chunks=1))
        # The kernels, a tree of 10 + 2 + 1 sums, and an item for the value and each gradient.
        assert count_of_tasks(value, g) == 80 + 13 + 4
    assert x.reads == y.reads == 0
    dask.compute(value, g)
    assert x.reads == y.reads == 80


@pytest.mark.parametrize("name", NAMES)
def test_workloads_take_no_more_tasks_than_the_ideal(name):
    rng = np.random.default_rng(1)
    arrays = Data(*[rng.normal(size=(64, *rest)).astype("f4") for rest in ((8,), (), (16,))])
    sources = Data(*map(Source, arrays))
    data = Data(*[x.lazy(chunks=(2, *x.shape[1:])) for x in sources])
    p = WORKLOADS[name].parameters(8)
    fused, ideal, hand = (graph(form, name, p, data) for form in ("fused", "ideal", "hand"))
    assert count_of_tasks(*fused) <= count_of_tasks(*ideal) < count_of_tasks(*hand)
    assert {x.reads for x in sources} == {0}
    found = dask.compute(*fused)
    assert {x.reads for x in sources} <= {0, 32}
    for a, b in zip(found, dask.compute(*ideal), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)


def test_the_gradient_of_a_mapped_function_takes_a_task_for_each_block():
    x = Source(np.ones((80, 4)))
    lazy = x.lazy(chunks=(1, 4))
    deep = lambda x, w: ag.tanh(ag.tanh(ag.tanh(x @ w)))
    with dask.config.set(split_every=8):
        g = ag.grad(lambda w: ag.sum(map_blocks(deep, lazy, w)))(W)
        # Kernels, and sums, the last with the item. Nothing of the forward pass is needed.
        assert count_of_tasks(g) == 80 + 13
    g.compute()
    assert x.reads == 80


def test_nothing_is_computed_until_asked():
    x = Source(np.ones((6, 4)))

    def no_scheduler(*args, **kwargs):
        raise AssertionError("computed")

    with dask.config.set(scheduler=no_scheduler):
        lazy = x.lazy(chunks=(2, 4))
        g = ag.hessian(over(map_blocks, lazy))(W)
        value_and_grad(loss, reduce="mean")(PARAMS, lazy, da.ones(6, chunks=2))
    assert x.reads == 0
    g.compute()
    assert x.reads == 3


def test_graphs_are_picklable_and_small():
    x, w = da.ones((400, 100), chunks=(4, 100)), np.zeros(100)
    f = lambda run: lambda w: ag.sum(run(product, x, w))
    graphs = [
        map_blocks(product, x, w),
        ag.grad(f(map_blocks))(w),
        ag.hvp(f(map_blocks), (w,), (w,)),
        *value_and_grad(squared_product)(w, x),
    ]
    for lazy in graphs:
        (optimised,) = dask.optimize(lazy)
        tasks = dict(optimised.dask)
        # 800 bytes of parameters once for each graph, not once for each of 100 blocks.
        assert len(pickle.dumps(tasks)) < 100 * 600
        again = pickle.loads(pickle.dumps(tasks))
        assert set(again) == set(tasks)


def product(x, w):
    return (x @ w)[:, None]


def squared_product(w, x):
    return ag.sum((x @ w) ** 2)


def test_parameters_are_copied():
    w = W.copy()
    value, _ = value_and_grad(loss)({**PARAMS, "w": w}, chunked(X, (5, 4)), chunked(Y, 5))
    w[:] = 0.0
    close(value, loss(PARAMS, X, Y))
