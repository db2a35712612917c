"""Devices, streams and threads: work runs where its arrays are, and on what is current in the caller's thread."""

import threading

import cupy as cp
import cupy_cpu
import numpy as np
import pytest

import agnograd as ag
from agnograd.errors import MixedDevicesError

xp = ag.namespace("cupy")
emulated = pytest.mark.skipif(cupy_cpu.real_gpu(), reason="the emulator counts launches, a GPU does not")
two_devices = pytest.mark.skipif(cp.cuda.runtime.getDeviceCount() < 2, reason="there is one GPU")
HOST = np.random.default_rng(4).normal(size=(4, 3))
SQUARES = np.random.default_rng(5).normal(size=(4, 3, 3))


def on(device, host=HOST):
    with cp.cuda.Device(device):
        return cp.asarray(host)


def values(x):
    return ag.to_backend(x.detach(), "numpy").numpy()


def loss(x):
    return ag.sum(ag.softmax(x, axis=-1) * ag.tanh(x) + ag.clip(x, -1.0, 1.0) ** 2)


# -- devices -----------------------------------------------------------------------------------------------------------

# Functions of one member of a batch: rules of all kinds, operators, Python numbers, new arrays, indices that differ.
BATCHES = {
    "numbers": (lambda a: 2.0 - a * 3.0 + 1.0, HOST),
    "where": (lambda a: ag.where(a > 0, a, 0.0), HOST),
    "reduction": (lambda a: ag.exp(a) / ag.sum(ag.exp(a)), HOST),
    "softmax": (lambda a: ag.softmax(a), HOST),
    "index of each": (lambda a: a[0] + a[ag.argmax(a)], HOST),
    "creation": (lambda a: a.__array_namespace__().ones_like(a) + a, HOST),
    "joined": (lambda a: ag.concat([a, ag.zeros_like(a)]), HOST),
    "written": (lambda a: ag.setitem(a, 0.0, key=0), HOST),
    "product": (lambda a: (a.T @ a)[:, None, 0].T, SQUARES),
    "solved": (lambda a: ag.linalg.solve(a, a[0]), SQUARES),
    "ordered": (lambda a: ag.sort(ag.cumulative_sum(a)), HOST),
    "gradient": (ag.grad(lambda a: ag.sum(ag.softmax(a) ** 2)), HOST),
    "hessian": (ag.hessian(lambda a: ag.sum(ag.softmax(a) ** 3)), HOST),
    "jacobian": (ag.jacfwd(lambda a: ag.tanh(a) * a[0]), HOST),
}


@two_devices
@pytest.mark.parametrize("name", BATCHES)
def test_batches_on_another_device(name):
    f, host = BATCHES[name]
    for axes in (0, -1) if host is HOST else (0,):
        members = host if axes == 0 else np.moveaxis(host, 0, -1)
        got = ag.vmap(f, in_axes=axes)(on(1, members))
        assert got.device == cp.cuda.Device(1)
        expected = ag.vmap(f)(host)
        np.testing.assert_allclose(got.get(), np.asarray(expected), rtol=1e-12, atol=1e-12)
    assert cp.cuda.Device() == cp.cuda.Device(0)


@two_devices
def test_gradients_stay_where_their_arrays_are():
    x = xp.asarray(on(1)).requires_grad_()
    loss(x).backward()
    assert x.grad.device == cp.cuda.Device(1)
    expected = ag.grad(loss)(HOST)
    np.testing.assert_allclose(values(x.grad), expected, rtol=1e-12)
    x.grad *= 0.0
    x.detach()[0] = 5.0
    assert x.device == x.grad.device == cp.cuda.Device(1)


class Square(ag.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x + 1.0

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2.0 * x * g


@ag.custom_vjp
def custom(x):
    return x * x + 1.0


custom.defvjp(lambda x: (custom(x), x), lambda x, g: (2.0 * x * g,))


@ag.custom_jvp
def along(x):
    return x * x + 1.0


along.defjvp(lambda primals, tangents: (along(*primals), 2.0 * primals[0] * tangents[0]))


def hooked(x):
    y = x * 2.0
    y.register_hook(lambda g: g * 2.0 + 1.0)
    return y * y


def saved_on_host(x):
    with ag.autograd.graph.save_on_host():
        return ag.exp(x) * ag.sin(x)


def written(x):
    y = x * 2.0
    y *= 3.0
    y[0] = 1.0
    y[1:, 0] += x[1:, 1]
    return y


def watched(x):
    with ag.autograd.detect_anomaly():
        return x * x


def fixed(x):
    return ag.implicit.fixed_point(lambda y, a: 0.5 * ag.cos(y) * a, ag.zeros_like(x.detach()), x)


# Whatever runs code of the user's or of the engine's on raw arrays, outside of an operation's body.
WAYS = {
    "Function": Square.apply,
    "custom_vjp": custom,
    "custom_jvp": along,
    "checkpoint": lambda x: ag.checkpoint(lambda y: ag.exp(y) * 2.0, x),
    "save_on_host": saved_on_host,
    "hook": hooked,
    "writes": written,
    "anomaly mode": watched,
    "fixed point": fixed,
    "mask": lambda x: x[x > 0] * 2.0,
    "list": lambda x: x[[0, 1, 0]] * 2.0,
    "array of the host": lambda x: x[np.asarray([0, 1])] * 2.0,
    "einsum": lambda x: ag.einsum("ij,kj->ik", x, x),
    "several outputs": lambda x: ag.linalg.svd(x, full_matrices=False).S,
}


@two_devices
@pytest.mark.parametrize("name", WAYS)
def test_ways_through_the_engine_on_another_device(name):
    gradients = []
    for raw, names in ((on(1), xp), (HOST, ag.namespace("numpy"))):
        x = names.asarray(raw).requires_grad_()
        WAYS[name](x).sum().backward()
        gradients.append(x.grad)
    there, here = gradients
    assert there.device == cp.cuda.Device(1)
    np.testing.assert_allclose(values(there), values(here), rtol=1e-10, atol=1e-12)
    assert cp.cuda.Device() == cp.cuda.Device(0)


TRANSFORMATIONS = {
    "value_and_grad": lambda f, x: ag.value_and_grad(f)(x)[1],
    "hvp": lambda f, x: ag.hvp(f, (x,), (x,)),
    "hessian": lambda f, x: ag.hessian(f)(x),
    "jvp": lambda f, x: ag.jvp(f, (x,), (x,))[1],
    "linearize": lambda f, x: ag.linearize(f, x)[1](x),
    "grad of grad": lambda f, x: ag.grad(lambda x: ag.sum(ag.grad(f)(x) ** 2))(x),
    "vmap of grad": lambda f, x: ag.vmap(ag.grad(f))(x),
    "functional": lambda f, x: ag.autograd.functional.jacobian(f, ag.tensor(x)),
    "minimize": lambda f, x: ag.optimize.minimize(lambda x: ag.sum((x - 1.0) ** 2), x).x,
}


@two_devices
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformations_on_another_device(name):
    pytest.importorskip("scipy")
    there, here = (TRANSFORMATIONS[name](loss, x) for x in (on(1), HOST))
    assert there.device == cp.cuda.Device(1)
    there, here = (x.detach() if isinstance(x, ag.Tensor) else x for x in (there, here))
    host = values(there) if isinstance(there, ag.Tensor) else there.get()
    np.testing.assert_allclose(host, np.asarray(here), rtol=1e-8, atol=1e-10)


@two_devices
def test_gradient_through_a_move():
    def f(x, y):
        return ag.sum(ag.to_device(x, cp.cuda.Device(1)) * y)

    gx, gy = ag.grad(f, argnums=(0, 1))(on(0), on(1, 2 * HOST))
    assert (gx.device.id, gy.device.id) == (0, 1)
    np.testing.assert_allclose(gx.get(), 2 * HOST)
    np.testing.assert_allclose(gy.get(), HOST)


@two_devices
def test_two_devices_do_not_meet_silently():
    with pytest.raises(MixedDevicesError, match=r"to_device"):
        xp.asarray(on(0)) + on(1)


@two_devices
def test_creation_on_a_device():
    device = cp.cuda.Device(1)
    assert xp.asarray(HOST, device=device).device == device
    assert xp.zeros((2, 2), device=device).device == device
    assert xp.linspace(0.0, 1.0, 5, device=device).device == device
    with ag.use_backend("cupy"):
        assert ag.randn(3, device=device).device == device


@two_devices
def test_observers_count_all_devices():
    import agnograd.backends.cupy as backend

    before = backend.memory()[0]
    kept = on(1, np.zeros(10000)), on(0, np.zeros(10000))
    assert backend.memory()[0] - before >= sum(x.nbytes for x in kept)
    backend.synchronise()


# -- streams -----------------------------------------------------------------------------------------------------------


@emulated
def test_passes_run_on_the_current_stream():
    x = cp.asarray(HOST)
    ag.grad(loss)(x)  # compiles
    forward, back = cp.cuda.Stream(non_blocking=True), cp.cuda.Stream(non_blocking=True)
    with cupy_cpu.counting() as counts:
        with forward:
            value, pullback = ag.vjp(loss, x)
            seed = cp.ones_like(value)
        launched = counts.launches
        with back:
            (g,) = pullback(seed)
    assert counts.streams == {forward.ptr: launched, back.ptr: counts.launches - launched}
    assert counts.launches > launched > 0
    assert counts.synchronisations == 0
    np.testing.assert_allclose(g.get(), ag.grad(loss)(HOST), rtol=1e-12)


def test_streams_ordered_by_an_event():
    x = cp.asarray(HOST)
    forward, back = cp.cuda.Stream(non_blocking=True), cp.cuda.Stream(non_blocking=True)
    cp.cuda.get_current_stream().synchronize()
    with forward:
        value, pullback = ag.vjp(loss, x)
        seed = cp.ones_like(value)
    back.wait_event(forward.record())
    with back:
        (g,) = pullback(seed)
    back.synchronize()
    np.testing.assert_allclose(g.get(), ag.grad(loss)(HOST), rtol=1e-12)


# -- threads -----------------------------------------------------------------------------------------------------------


def in_threads(*functions):
    """What functions return that run at once; the first error is raised."""
    out, errors = [None] * len(functions), []
    start = threading.Barrier(len(functions))

    def run(i, f):
        try:
            start.wait()
            out[i] = f()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return out


def test_backward_in_another_thread():
    x = xp.asarray(cp.asarray(HOST)).requires_grad_()
    y = loss(x)
    in_threads(y.backward)
    np.testing.assert_allclose(values(x.grad), ag.grad(loss)(HOST), rtol=1e-12)


@two_devices
def test_threads_with_devices_of_their_own():
    expected = ag.grad(loss)(HOST)

    def worker(current, home):
        def run():
            cp.cuda.Device(current).use()
            found = [ag.grad(loss)(on(home)) for _ in range(5)]
            assert cp.cuda.Device() == cp.cuda.Device(current)
            return home, found

        return run

    for home, found in in_threads(*(worker(current, home) for current in (0, 1) for home in (0, 1))):
        for g in found:
            assert g.device == cp.cuda.Device(home)
            np.testing.assert_allclose(g.get(), expected, rtol=1e-12)


@two_devices
def test_backward_in_a_thread_with_another_current_device():
    x = xp.asarray(on(1)).requires_grad_()
    y = loss(x)

    def run():
        cp.cuda.Device(0).use()
        y.backward()

    in_threads(run)
    assert x.grad.device == cp.cuda.Device(1)


# -- DLPack ------------------------------------------------------------------------------------------------------------


def test_exchange_shares_memory():
    x = xp.asarray(HOST)
    there = cp.from_dlpack(x)
    back = xp.from_dlpack(there)
    there[0, 0] = 7.0
    assert float(x[0, 0]) == float(back[0, 0]) == 7.0
    assert x.__dlpack_device__() == (2, 0)


@two_devices
def test_exchange_keeps_the_device():
    x = xp.asarray(on(1))
    assert x.__dlpack_device__() == (2, 1)
    assert cp.from_dlpack(x).device == xp.from_dlpack(on(1)).device == cp.cuda.Device(1)
    assert xp.from_dlpack(on(1), copy=True).device == cp.cuda.Device(1)
    assert xp.from_dlpack(on(1), device=cp.cuda.Device(0)).device == cp.cuda.Device(0)
    with pytest.raises(BufferError, match="copy=False"):
        xp.from_dlpack(on(1), device=cp.cuda.Device(0), copy=False)


def test_exchange_with_the_cpu_copies_when_it_is_asked_to():
    x = xp.asarray(HOST)
    np.testing.assert_array_equal(np.from_dlpack(x, device="cpu"), HOST)
    with pytest.raises(BufferError, match="copy=False"):
        np.from_dlpack(x, device="cpu", copy=False)
    with pytest.raises(BufferError, match=r"asarray\(x\)"):
        xp.from_dlpack(HOST)
    device = cp.cuda.Device(cp.cuda.runtime.getDeviceCount() - 1)
    got = xp.from_dlpack(HOST, device=device)
    assert got.device == device
    np.testing.assert_array_equal(values(got), HOST)
    with pytest.raises(BufferError, match="copy=False"):
        xp.from_dlpack(HOST, device=device, copy=False)


def test_exchange_with_torch():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        there = torch.from_dlpack(np.from_dlpack(xp.asarray(HOST), device="cpu"))
        np.testing.assert_array_equal(values(xp.from_dlpack(there, device=cp.cuda.Device(0))), HOST)
        return
    x = xp.asarray(HOST)
    there = torch.from_dlpack(x)
    there += 1.0
    torch.cuda.synchronize()
    np.testing.assert_array_equal(values(x), HOST + 1.0)
    np.testing.assert_array_equal(values(xp.from_dlpack(there)), HOST + 1.0)


def test_exchange_refuses_to_lose_a_gradient():
    with pytest.raises(ag.errors.GradientLostError, match="detach"):
        cp.from_dlpack(xp.asarray(HOST).requires_grad_())


# -- errors of linear algebra ------------------------------------------------------------------------------------------


def test_singular_matrices_are_silent_unless_asked_for():
    import cupyx

    singular = cp.zeros((3, 3))
    calls = {
        "inv": lambda x: ag.linalg.inv(x),
        "solve": lambda x: ag.linalg.solve(x, ag.broadcast_to(x[0], (2, 3, 3))),
        "cholesky": lambda x: ag.linalg.cholesky(x - cp.eye(3)),
    }
    for name, f in calls.items():
        out, pullback = ag.vjp(f, singular)
        # What is not positive definite comes back as it is.
        assert name == "cholesky" or not np.isfinite(out.get()).all(), name
        pullback(cp.ones_like(out))
        with cupyx.errstate(linalg="raise"), pytest.raises(np.linalg.LinAlgError):
            ag.vjp(f, singular)
    regular = cp.asarray(SQUARES[0])
    with cupyx.errstate(linalg="raise"):
        g = ag.grad(lambda x: ag.sum(ag.linalg.inv(x)))(regular)
        batch = ag.vmap(ag.linalg.inv)(cp.asarray(SQUARES))
    np.testing.assert_allclose(g.get(), ag.grad(lambda x: ag.sum(ag.linalg.inv(x)))(SQUARES[0]), rtol=1e-9)
    np.testing.assert_allclose(batch.get(), np.linalg.inv(SQUARES), rtol=1e-9)


@pytest.mark.parametrize("shapes", [((3, 3), (2, 3, 1)), ((2, 1, 3, 3), (4, 3, 2)), ((2, 3, 3), (3,)), ((3, 3), (3,))])
def test_solve_broadcasts(shapes):
    a, b = (np.random.default_rng(i).normal(size=shape) for i, shape in enumerate(shapes))
    expected = np.linalg.solve(a, b[..., None] if b.ndim == 1 else b)
    expected = expected[..., 0] if b.ndim == 1 else expected
    np.testing.assert_allclose(values(ag.linalg.solve(xp.asarray(a), xp.asarray(b))), expected, rtol=1e-9)
    got = ag.grad(lambda *p: ag.sum(ag.linalg.solve(*p) ** 2), argnums=(0, 1))(cp.asarray(a), cp.asarray(b))
    wanted = ag.grad(lambda *p: ag.sum(ag.linalg.solve(*p) ** 2), argnums=(0, 1))(a, b)
    for g, w in zip(got, wanted, strict=True):
        np.testing.assert_allclose(g.get(), np.asarray(w), rtol=1e-8)
