"""Dask arrays whose chunks are CuPy's: values and gradients against NumPy, in chunks that stay on the device.

Part of CuPy's column, which is a process of its own (test_cupy_column.py)::

    python -m pytest tests/dask/test_cupy_chunks.py --agnograd-backends=cupy
"""

import pytest

import agnograd as ag
from agnograd.errors import MixedBackendsError
from agnograd.testing.matrix import count_computes

cupy = pytest.importorskip("cupy")
da = pytest.importorskip("dask.array")
np = pytest.importorskip("numpy")

generator = np.random.default_rng(0)
X = generator.normal(size=(6, 3))
V = generator.normal(size=(6,))
W = generator.normal(size=(3,))
S = X.T @ X + np.eye(3)


def masked_writing(x, v, w, s):
    y = v * 1
    y[0:2] = 0.5
    return ag.sum(y * v)


FUNCTIONS = {
    "elementwise": lambda x, v, w, s: ag.sum(ag.exp(x * w + 1.0)) + ag.sum(ag.where(v > 0, v, 0.0) ** 2),
    "reductions": lambda x, v, w, s: ag.max(x) + ag.mean((x - ag.mean(x, axis=0)) ** 2) + ag.std(v),
    "softmax": lambda x, v, w, s: ag.sum(ag.softmax(x, axis=1) ** 2) + ag.sum(ag.logsumexp(x, axis=1)),
    "products": lambda x, v, w, s: ag.sum((x @ w) ** 2) + ag.sum((x.T @ x) ** 2) + ag.einsum("ij,j->", x, w),
    "logistic regression": lambda x, v, w, s: ag.mean(ag.logaddexp(0.0, -v * (x @ w))),
    "slices": lambda x, v, w, s: ag.sum(x[1:, :2] ** 2) + v[0] * v[-1] + ag.sum(v[::-1] * v),
    "indices": lambda x, v, w, s: ag.sum(x[np.asarray([0, 2, 0, 5])] ** 2),
    "masks": lambda x, v, w, s: ag.sum(v[v > 0] ** 2) + ag.sum(x[v > 0]),
    "writing": masked_writing,
    "sorting": lambda x, v, w, s: ag.sum(ag.sort(v)[:2] ** 2),
    "joining": lambda x, v, w, s: ag.sum(ag.concat([v, w]) ** 2) + ag.sum(ag.reshape(x, (3, 6))[0]),
    "triangles": lambda x, v, w, s: ag.sum(ag.tril(s) ** 2) + ag.linalg.trace(s),
    "cholesky": lambda x, v, w, s: ag.sum(ag.linalg.cholesky(s) ** 2),
    "solve": lambda x, v, w, s: ag.sum(ag.linalg.solve(s, w) ** 2),
    "determinants": lambda x, v, w, s: ag.linalg.slogdet(s)[1],
    "eigenvalues": lambda x, v, w, s: ag.sum(ag.linalg.eigh(s)[0] ** 2),
    "qr": lambda x, v, w, s: ag.sum(ag.linalg.qr(x)[1] ** 2),
    "singular values": lambda x, v, w, s: ag.sum(ag.linalg.svdvals(x)),
}


def chunked(dtype="float64"):
    arrays = (cupy.asarray(x, dtype=dtype) for x in (X, V, W, S))
    return tuple(da.from_array(x, chunks=2, asarray=False) for x in arrays)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_in_chunks_of_cupy(name):
    import dask

    f, arrays = FUNCTIONS[name], chunked()
    with count_computes() as computes:
        value, gradients = ag.value_and_grad(f, (0, 1, 2, 3))(*arrays)
    assert computes == [0]
    wanted, expected = ag.value_and_grad(f, (0, 1, 2, 3))(X, V, W, S)
    lazy = [value, *gradients]
    for a, promised, b in zip(dask.compute(*lazy, scheduler="sync"), lazy, [wanted, *expected], strict=True):
        assert isinstance(a, cupy.ndarray)
        assert isinstance(promised._meta, cupy.ndarray)
        assert a.dtype == promised.dtype == b.dtype
        np.testing.assert_allclose(a.get(), b, rtol=1e-10, atol=1e-10)
    assert [g.chunks for g in gradients] == [x.chunks for x in arrays]


def test_single_precision_stays():
    x, v, w, _ = (ag.tensor(x, requires_grad=True) for x in chunked("float32"))
    FUNCTIONS["logistic regression"](x, v, w, None).backward()
    assert all(t.grad.dtype == np.float32 for t in (x, v, w))
    assert isinstance(x.grad.array.compute(scheduler="sync"), cupy.ndarray)


def test_device_is_that_of_the_chunks():
    x = ag.asarray(chunked()[0])
    assert x.device == cupy.cuda.Device(0)
    made = x.__array_namespace__().zeros((2, 2), device=x.device)
    assert isinstance(made.array.compute(scheduler="sync"), cupy.ndarray)
    assert ag.asarray(da.zeros(2)).device == "cpu"


def test_steps_of_an_optimiser():
    x, v, *_ = chunked()
    w, velocity = cupy.asarray(W), cupy.zeros(3)
    host_w, host_velocity = W, np.zeros(3)

    def loss(w, x, v):
        return ag.mean(ag.logaddexp(0.0, -v * (x @ w)))

    for _ in range(3):
        g = ag.grad(loss)(da.from_array(w, asarray=False), x, v).compute(scheduler="sync")
        velocity = 0.9 * velocity + g
        w = w - 0.5 * velocity
        host_velocity = 0.9 * host_velocity + ag.grad(loss)(host_w, X, V)
        host_w = host_w - 0.5 * host_velocity
    assert isinstance(w, cupy.ndarray)
    np.testing.assert_allclose(w.get(), host_w, rtol=1e-12)


def loss_of_parameters(p, x, v):
    return ag.sum(ag.tanh(x @ p["w"] + p["b"]) * v)


def test_parameters_of_cupy_stay_on_the_device():
    x, v, *_ = chunked()
    host = {"w": W, "b": np.asarray(0.5)}
    p = ag.tree.map(cupy.asarray, host)
    with count_computes() as computes:
        lazy = ag.value_and_grad(loss_of_parameters)(p, x, v)
    assert computes == [0]
    value, g = ag.compute(*lazy, scheduler="sync")
    wanted, expected = ag.value_and_grad(loss_of_parameters)(host, X, V)
    for a, b in ((value, wanted), (g["w"], expected["w"]), (g["b"], expected["b"])):
        assert isinstance(a, cupy.ndarray)
        np.testing.assert_allclose(a.get(), b, rtol=1e-10)
    w = ag.tensor(p["w"], requires_grad=True)
    loss_of_parameters({"w": w, "b": 0.5}, x, v).backward()
    np.testing.assert_allclose(w.grad.array.compute(scheduler="sync").get(), expected["w"], rtol=1e-10)


def test_parameters_of_another_device_are_refused():
    x, v, *_ = chunked()
    with pytest.raises(
        MixedBackendsError, match=r"cpu.*'numpy' becomes one of 'dask' by itself only where both are on one device"
    ):
        ag.grad(loss_of_parameters)({"w": W, "b": np.asarray(0.5)}, x, v)
    host = da.from_array(X, chunks=2), da.from_array(V, chunks=2)
    with pytest.raises(MixedBackendsError, match="only where both are on one device"):
        ag.grad(loss_of_parameters)({"w": cupy.asarray(W), "b": cupy.asarray(0.5)}, *host)
