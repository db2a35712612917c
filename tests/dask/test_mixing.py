"""NumPy's arrays beside dask's: small ones are lifted into dask, in every mode, and their gradients stay there."""

from __future__ import annotations

import operator

import dask
import dask.array as da
import numpy as np
import pytest

import agnograd as ag
from agnograd.core.table import spaces
from agnograd.errors import MixedBackendsError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(13, 4))
Y = RNG.normal(size=13)
W = RNG.normal(size=4)
V = RNG.normal(size=4)
LIMIT = 2**20


@pytest.fixture
def no_compute():
    """Computing a dask array is an error; call it with a tree to be allowed to."""

    def refuse(*args, **kwargs):
        raise AssertionError("a dask array was computed")

    def compute(*trees):
        with dask.config.set(scheduler="sync"):
            return dask.compute(*ag.tree.map(lambda x: getattr(x, "array", x), trees))

    with dask.config.set(scheduler=refuse):
        yield compute


def loss(w, x, y, scale=0.7):
    """A loss with a part on either side: what depends on parameters alone is NumPy's."""
    scale = scale * scale
    residual = ag.tanh(ag.asarray(x) @ (w * ag.sum(w * w))) - y
    return ag.mean(residual**2) * scale + scale * ag.sum(ag.exp(w))


def chunked():
    return da.from_array(X, chunks=(5, 4)), da.from_array(Y, chunks=5)


def backward(w, x, y):
    w = ag.tensor(w, requires_grad=True)
    loss(w, x, y).backward()
    return w.grad


def autograd_twice(w, x, y):
    w = ag.tensor(w, requires_grad=True)
    (g,) = ag.autograd.grad(loss(w, x, y), w, create_graph=True)
    (gg,) = ag.autograd.grad((g * g).sum(), w)
    return g, gg


def gradient_of_a_scalar_parameter(w, x, y):
    scale = ag.tensor(0.7, requires_grad=True)
    loss(ag.tensor(w), x, y, scale).backward()
    return scale.grad


def accumulated(w, x, y):
    w = ag.tensor(w, requires_grad=True)
    ag.sum(w * w).backward()
    loss(w, x, y).backward()
    ag.sum(w**3).backward()
    return w.grad


MODES = {
    "backward": backward,
    "autograd.grad of autograd.grad": autograd_twice,
    "a scalar parameter": gradient_of_a_scalar_parameter,
    "grads of both libraries in one": accumulated,
    "grad": lambda w, x, y: ag.grad(loss)(w, x, y),
    "value_and_grad": lambda w, x, y: ag.value_and_grad(loss)(w, x, y),
    "vjp": lambda w, x, y: ag.vjp(lambda w: x @ w if isinstance(w, ag.Tensor) else ag.matmul(x, w), w)[0],
    "jvp": lambda w, x, y: ag.jvp(lambda w: loss(w, x, y), (w,), (V,)),
    "hvp": lambda w, x, y: ag.hvp(lambda w: loss(w, x, y), (w,), (V,)),
    "hessian": lambda w, x, y: ag.hessian(lambda w: loss(w, x, y))(w),
    "jacfwd": lambda w, x, y: ag.jacfwd(lambda w: ag.tanh(ag.asarray(x) @ w))(w),
    "jacrev": lambda w, x, y: ag.jacrev(lambda w: ag.tanh(ag.asarray(x) @ w))(w),
    "grad of grad": lambda w, x, y: ag.grad(lambda w: ag.sum(ag.grad(loss)(w, x, y) ** 2))(w),
    "jvp of grad of jvp": lambda w, x, y: ag.jvp(
        ag.grad(lambda w: ag.jvp(lambda w: loss(w, x, y), (w,), (V,))[1]), (w,), (V,)
    ),
    "vmap": lambda w, x, y: ag.vmap(lambda w: loss(w, x, y))(np.stack([w, V])),
    "vmap of grad": lambda w, x, y: ag.vmap(ag.grad(lambda w: loss(w, x, y)))(np.stack([w, V])),
    "grad of vmap": lambda w, x, y: ag.grad(lambda w: ag.sum(ag.vmap(lambda w: loss(w, x, y))(w)))(np.stack([w, V])),
    "vmap over data": lambda w, x, y: ag.vmap(ag.grad(loss), in_axes=(None, 0, 0))(w, x, y),
    "linearize": lambda w, x, y: ag.linearize(lambda w: loss(w, x, y), w)[1](V),
    "checkpoint": lambda w, x, y: ag.grad(lambda w: ag.checkpoint(loss, w, x, y))(w),
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_every_mode_gives_what_numpy_gives_and_stays_in_dask(mode, no_compute):
    expected = mode(W, X, Y)
    found = mode(W, *chunked())
    kinds = {type(getattr(x, "array", x)) for x in ag.tree.leaves(found)}
    assert kinds == {da.Array}
    assert [type(x) for x in ag.tree.leaves(found)] == [
        ag.Tensor if isinstance(x, ag.Tensor) else da.Array for x in ag.tree.leaves(expected)
    ]
    (found,) = no_compute(found)
    for x, y in zip(ag.tree.leaves(found), ag.tree.leaves(expected), strict=True):
        assert x.shape == y.shape
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, getattr(y, "array", y), rtol=1e-10)


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul, operator.lt]


@pytest.mark.parametrize("function", OPERATORS, ids=lambda f: f.__name__)
def test_operators_in_either_order(function, no_compute):
    big, small = np.abs(X), np.abs(X[:4, :4]) if function is operator.matmul else np.abs(W)
    lazy = da.from_array(big, chunks=(5, 4))
    leaf = ag.tensor(small, requires_grad=True)
    for a, b in (
        (ag.asarray(lazy), small),
        (ag.asarray(lazy), leaf),
        (lazy, leaf),
        (ag.asarray(lazy), ag.tensor(small)),
    ):
        out = function(a, b)
        assert type(out.array) is da.Array
        assert out.requires_grad is (b is leaf and function is not operator.lt)
        np.testing.assert_allclose(no_compute(out)[0], function(big, small))
        if function is not operator.matmul:
            np.testing.assert_allclose(no_compute(function(b, a))[0], function(small, big))


def test_functions_of_several_arrays(no_compute):
    lazy, leaf = ag.asarray(da.from_array(X, chunks=(5, 4))), ag.tensor(X[:3], requires_grad=True)
    for function in (
        lambda x, w: ag.concat([x, w]),
        lambda x, w: ag.concat([w, x, w]),
        lambda x, w: ag.stack([x[:3], w]),
        lambda x, w: ag.einsum("ij,kj->ik", w, x),
        lambda x, w: ag.where(x > 0, x, ag.sum(w)),
        lambda x, w: ag.where(ag.sum(w) > 0, x, -x),
        lambda x, w: ag.tensordot(x, w, axes=((1,), (1,))),
        lambda x, w: ag.maximum(x, w[0]),
        lambda x, w: ag.broadcast_arrays(x, w[0])[1],
    ):
        expected = function(ag.tensor(X), ag.tensor(X[:3]))
        out = function(lazy, leaf)
        assert type(out.array) is da.Array
        np.testing.assert_allclose(no_compute(out)[0], expected.array)
    # Raw arrays give raw arrays, as ever.
    assert type(ag.add(lazy.array, W)) is type(ag.add(W, lazy.array)) is da.Array
    assert type(ag.einsum("ij,j->i", lazy.array, W)) is da.Array


def test_a_parameter_used_twice_is_in_the_graph_once():
    x, _ = chunked()
    w = ag.tensor(W, requires_grad=True)
    out = (ag.asarray(x) @ w) * ag.sum(ag.asarray(x) * w)
    values = [getattr(task, "value", task) for task in out.array.dask.values()]
    roots = [x for x in values if isinstance(x, np.ndarray) and x.shape == (4,)]
    assert len(roots) == 1


def test_dtypes_promote_as_numpys_do():
    x = da.from_array(X.astype(np.float32), chunks=5)
    for w in (W.astype(np.float32), W, ag.tensor(W.astype(np.float32)), np.float32(2), np.arange(4), True, 2.0):
        raw = getattr(w, "array", w)
        assert (ag.asarray(x) * w).dtype == (X.astype(np.float32) * raw).dtype
    w = ag.tensor(W, requires_grad=True)
    (ag.asarray(x) * w).sum().backward()
    assert w.grad.dtype == np.float64


def test_the_limit_and_the_explicit_way(no_compute):
    assert spaces.named("dask").backend.lifts == {"numpy": LIMIT, "cupy": LIMIT}
    at, above = (np.ones(LIMIT // 8 + i) for i in range(2))
    x = ag.asarray(da.ones(at.shape, chunks=10_000))
    assert type((x + at).array) is da.Array
    x = ag.asarray(da.ones(above.shape, chunks=10_000))
    leaf = ag.tensor(above, requires_grad=True)
    text = (
        r"add got arrays of two backends, dask and numpy: .*Nothing is converted silently: convert one, for example "
        r"with agnograd\.to_backend\(x, 'dask', lifted=True\), as is done by itself up to 1048576 bytes"
    )
    for function in (lambda: x + above, lambda: x + leaf, lambda: ag.add(x.array, above)):
        with pytest.raises(MixedBackendsError, match=text):
            function()
    # In the other order the advice is the same: nothing large is to be pulled out of dask.
    with pytest.raises(MixedBackendsError, match=r"numpy and dask: .*to_backend\(x, 'dask', lifted=True\)"):
        leaf + x
    (x * ag.to_backend(leaf, "dask", lifted=True)).sum().backward()
    assert type(leaf.grad.array) is da.Array
    np.testing.assert_array_equal(no_compute(leaf.grad)[0], np.ones(above.shape))


def test_an_explicit_conversion_brings_the_gradient_back():
    leaf = ag.tensor(W, requires_grad=True)
    x, _ = chunked()
    (ag.asarray(x) * ag.to_backend(leaf, "dask")).sum().backward()
    assert type(leaf.grad.array) is np.ndarray
    np.testing.assert_allclose(leaf.grad.array, X.sum(axis=0))


def test_arrays_of_other_libraries_are_no_numpy_arrays():
    strict = ag.to_backend(ag.ones(3), "strict")
    with pytest.raises(MixedBackendsError, match=r"dask and strict.*agnograd\.to_backend\(x, 'dask'\)"):
        ag.asarray(da.ones(3)) + strict
    with pytest.raises(MixedBackendsError):
        ag.stack([ag.asarray(da.ones(3)), ag.ones(3), strict])


def test_writes_do_not_make_a_numpy_array_a_lazy_one(no_compute):
    lazy = ag.asarray(da.ones(4))
    for write in (
        lambda x: x.__setitem__(slice(None), lazy),
        lambda x: x.__setitem__(0, lazy.array[0]),
        lambda x: x.__iadd__(lazy),
    ):
        x = ag.zeros(4)
        with pytest.raises(MixedBackendsError, match=r"array of 'numpy' .*to_backend\(value, 'numpy'\)"):
            write(x)
        x[1] = 1.0  # owns its buffer from now on
        with pytest.raises(MixedBackendsError):
            write(x)
        assert x.tolist() == [0.0, 1.0, 0.0, 0.0]
    y = ag.asarray(da.zeros(4, chunks=2))
    y[1:3] = np.asarray([5.0, 6.0])
    y += ag.ones(4)
    assert no_compute(y)[0].tolist() == [1.0, 6.0, 7.0, 1.0]


def test_training_leaves_the_parameters_in_numpy():
    x, y = chunked()
    w, by_hand = ag.tensor(W, requires_grad=True), ag.tensor(W, requires_grad=True)
    for _ in range(3):
        for parameter, data in ((w, (x, y)), (by_hand, (X, Y))):
            parameter.grad = None
            loss(parameter, *data).backward()
            with ag.no_grad():
                parameter -= 0.1 * ag.to_backend(parameter.grad, "numpy")
    assert type(w.array) is np.ndarray
    np.testing.assert_allclose(w.array, by_hand.array)


@pytest.mark.parametrize("method", ["L-BFGS-B", "trust-exact"])
def test_scipys_solvers_evaluate_in_one_pass(method):
    from dask.callbacks import Callback

    from agnograd.optimize import minimize

    passes = []
    x, y = chunked()
    start = {"w": ag.zeros(4), "b": ag.tensor(0.0), "unused": ag.tensor(1.0)}
    with Callback(start=lambda dsk: passes.append(1)), dask.config.set(scheduler="sync"):
        found = minimize(lambda p: ag.mean((x @ p["w"] + p["b"] - y) ** 2) + 0 * p["unused"] ** 2, start, method=method)
    best = np.linalg.lstsq(np.c_[X, np.ones(13)], Y, rcond=None)[0]
    np.testing.assert_allclose(found.x["w"].array, best[:4], atol=1e-4)
    np.testing.assert_allclose(found.x["b"].item(), best[4], atol=1e-4)
    evaluations = found.nfev + (found.nhev if method != "L-BFGS-B" else 0)
    assert len(passes) == evaluations
