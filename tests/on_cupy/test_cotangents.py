"""Cotangents that are put off on CuPy: elementwise rules in turn are one kernel, with the values of rules one by one.

Every operation of that kind, whose kernels take minutes to compile on the emulator the first time, with
``python -m pytest -m slow tests/on_cupy/test_cotangents.py --agnograd-backends=cupy``.
"""

import threading

import cupy as cp
import cupy_cpu
import numpy as np
import pytest

import agnograd as ag
from agnograd.compiler import cupy_cotangents
from agnograd.core.table import OPS, spaces
from agnograd.testing import cases
from agnograd.testing.gradcheck import leaves, rebuild
from agnograd.testing.matrix import rows

ROW = rows(["cupy"])[0]
X, Y = cp.linspace(0.1, 1.0, 12).reshape(3, 4), cp.linspace(0.5, 2.0, 4)


def bits(gradients):
    return [(g.dtype, g.shape, g.get().tobytes()) for g in gradients]


@pytest.fixture
def one_by_one(monkeypatch):
    """What a pass gives where nothing is put off."""

    def run(f):
        space = spaces[cp.ndarray]
        with monkeypatch.context() as without:
            without.setattr(space, "_deferral", None)
            without.setattr(space, "run", lambda variant, rule, g, saved: plain(space, rule, g, saved))
            return f()

    def plain(space, rule, g, saved):
        with space.guard(g):
            return rule(space, g, *saved)

    return run


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(cupy_cotangents, "AGAIN", 0)


def gradients(f, *xs):
    return ag.grad(f, argnums=tuple(range(len(xs))))(*xs)


def launches(run):
    run()
    with cupy_cpu.counting() as counts:
        run()
    return counts.launches


def sigmoids(x, y):
    for _ in range(3):
        x = 1 / (1 + ag.exp(-(x * 2.0))) - x
    return ag.sum(x * y)


def again(x, y):
    u = ag.tanh(x)
    return ag.sum(u * u * y + u / y + ag.sin(u) + ag.exp(u)) + ag.sum(u * u * u)


def pieces(x, y):
    parts = [ag.sin(x[:, k]) * x[0, k] for k in range(4)]
    return ag.sum(sum(parts)) + ag.sum(x * y + ag.where(x > 0.5, x * y, y)) + ag.sum(ag.maximum(x, y) ** 3)


def powers(x, y):
    return ag.sum(ag.hypot(x, y) ** 2.5 - ag.sqrt(x**y)) + ag.sum(ag.abs(ag.atan2(x, y)) / (x + x))


def numbers(x, y):
    p = ag.exp(y)
    u = ag.sum(x * p[0] + p[1] * p[1], keepdims=True)
    return ag.mean(ag.sin(x) * p[-1]) + ag.mean(x * x) * u[0, 0] + u[0, -1] / p[2] + ag.sum(p * y) * p[0]


# -- values ------------------------------------------------------------------------------------------------------------


EVERY = [(f, dtype) for f in (sigmoids, again, pieces, powers, numbers) for dtype in ("float64", "float32")]


@pytest.mark.parametrize(
    ("f", "dtype"), [EVERY[0], *[pytest.param(*case, marks=pytest.mark.slow) for case in EVERY[1:]]]
)
def test_values_are_those_of_rules_one_by_one(f, dtype, one_by_one):
    x, y = X.astype(dtype), Y.astype(dtype)
    expected = one_by_one(lambda: gradients(f, x, y))
    with cupy_cpu.forbid_synchronisation():
        found = [gradients(f, x, y) for _ in range(2)]
    assert all(type(g) is cp.ndarray for g in found[0])
    for each in found:
        assert bits(each) == bits(expected)


def test_a_kernel_is_made_of_what_comes_again(monkeypatch):
    monkeypatch.setattr(cupy_cotangents, "AGAIN", 3)
    f = ag.grad(lambda x: ag.sum(1 / (3 + ag.exp(-x))))
    counts = []
    found = []
    for _ in range(5):
        with cupy_cpu.counting() as counted:
            found.append(f(X))
        counts.append(counted.launches)
    assert counts[2] > counts[3] == counts[4]
    assert len({x for g in found for x in bits([g])}) == 1


def test_where_no_kernel_can_be_made_rules_run_one_by_one(monkeypatch, one_by_one):
    def fail(*args, **options):
        raise cp.cuda.compiler.CompileException("refused", "", "", ())

    f = ag.grad(lambda x: ag.sum(ag.cosh(x * 1.25) * 0.75))
    expected = one_by_one(lambda: f(X))
    with monkeypatch.context() as refused:
        refused.setattr(cupy_cotangents.on_cupy, "kernel_of", lambda program, outs: (fail, program.inputs))
        assert bits([f(X)]) == bits([expected])
    assert bits([f(X)]) == bits([expected])


def test_launches():
    def chain(x):
        for _ in range(8):
            x = ag.sin(x * 1.5)
        return ag.sum(x)

    # What begins it, and a kernel.
    with cupy_cpu.counting() as forward:
        chain(X)
    assert launches(lambda: ag.grad(chain)(X)) == forward.launches + 2
    # Both arguments are one array: what they contribute is added in the kernel.
    assert launches(lambda: ag.grad(lambda x: ag.sum(x * x))(X)) == 4
    # Both cotangents of a quotient at once.
    assert launches(lambda: gradients(lambda x, y: ag.sum(x / y), X, X)) == 4


@pytest.mark.slow
def test_a_long_chain_is_several_kernels():
    def chain(x):
        for _ in range(100):
            x = ag.sin(x * 1.01)
        return ag.sum(x)

    with cupy_cpu.counting() as forward:
        chain(X)
    assert launches(lambda: ag.grad(chain)(X)) < forward.launches + 20


def test_numbers_of_an_array_go_back_together():
    def f(p):
        return p[0] * p[0] + p[1] * p[2] - p[-1]

    with cupy_cpu.counting() as forward:
        f(Y)
    found = ag.grad(f)(Y)
    np.testing.assert_array_equal(found.get(), [1.0, Y.get()[2], Y.get()[1], -1.0])
    # What begins it, two products of numbers, a change of sign, and all in their places.
    assert launches(lambda: ag.grad(f)(Y)) == forward.launches + 5


def test_many_contributions_are_added_in_place(one_by_one):
    def f(x):
        return sum(ag.sum(ag.sin(x * 1.5)) for _ in range(20))

    expected = one_by_one(lambda: ag.grad(f)(X))
    assert bits([ag.grad(f)(X)]) == bits([expected])
    with cupy_cpu.counting() as counts:
        ag.grad(f)(X)
    with cupy_cpu.counting() as apart:
        one_by_one(lambda: ag.grad(f)(X))
    assert counts.peak_bytes <= apart.peak_bytes + 4 * 512


@pytest.mark.slow
def test_numbers_that_change_leave_few_kernels(monkeypatch):
    monkeypatch.setattr(cupy_cotangents, "_MOST", 20)
    kernels = spaces[cp.ndarray].deferral.run.__self__.kernels
    for k in range(50):
        found = ag.grad(lambda x, k=k: ag.sum((x * (1.0 + k)) ** 3))(X)
    assert len(kernels) <= 21
    np.testing.assert_allclose(found.get(), 3 * 50.0**3 * X.get() ** 2, rtol=1e-14)


def test_zeros_of_both_signs_are_not_confused():
    for zero in (0.0, -0.0, 0.0):
        found = ag.vjp(lambda x, zero=zero: (x * 1.0) * zero, X)[1](cp.ones_like(X))
        assert np.all(np.signbit(leaves(found)[0].get()) == np.signbit(zero))


# -- what meets it -----------------------------------------------------------------------------------------------------


def tensors(*xs):
    return [ag.tensor(x, requires_grad=True) for x in xs]


def test_hooks_see_arrays():
    x, y = tensors(X, Y)
    seen = []
    u = ag.exp(-x)
    u.register_hook(lambda g: seen.append(g) or g * 2)
    u.retain_grad()
    x.register_hook(seen.append)
    v = 1 / (1 + u)
    v.grad_fn.register_hook(lambda after, before: seen.extend([*after, *before]))
    ag.sum(v * y).backward()
    arrays = [g for g in seen if g is not None]
    assert len(arrays) == 4
    assert all(type(g.array) is cp.ndarray for g in (*arrays, u.grad, x.grad, y.grad))
    s = 1 / (1 + np.exp(-X.get()))
    np.testing.assert_allclose(x.grad.array.get(), 2 * s * (1 - s) * Y.get(), rtol=1e-12)


def test_gradients_of_what_lies_between():
    (x,) = tensors(X)
    u = ag.sin(x)
    v = ag.exp(-u)
    total = ag.sum(1 / (1 + v))
    found = ag.autograd.grad(total, [v, u, x], retain_graph=True)
    twice = ag.autograd.grad(total, [u, x])
    assert all(type(g.array) is cp.ndarray for g in (*found, *twice))
    assert bits([g.array for g in found[1:]]) == bits([g.array for g in twice])
    np.testing.assert_allclose(found[0].array.get(), -1 / (1 + np.exp(-np.sin(X.get()))) ** 2, rtol=1e-12)


@pytest.mark.slow
def test_transformations_that_come_in():
    class Cube(ag.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    def f(x):
        return ag.sum(ag.exp(-Cube.apply(ag.sin(x * 2.0)) * 0.5))

    def plain(x):
        return ag.sum(ag.exp(-(ag.sin(x * 2.0) ** 3) * 0.5))

    np.testing.assert_allclose(ag.grad(f)(X).get(), ag.grad(plain)(X).get(), rtol=1e-12)
    np.testing.assert_allclose(ag.grad(lambda x: ag.checkpoint(plain, x))(X).get(), ag.grad(plain)(X).get(), rtol=1e-12)
    # Second derivatives, by passes through passes and in forward mode.
    host = ag.hessian(plain)(X.get())
    np.testing.assert_allclose(ag.hessian(plain)(X).get(), host, rtol=1e-11, atol=1e-13)
    found = ag.jacrev(ag.grad(plain))(X).get()
    np.testing.assert_allclose(found, host, rtol=1e-11, atol=1e-13)
    values = ag.vmap(ag.grad(lambda x: ag.sum(ag.sin(x) * ag.exp(-x))))(X).get()
    np.testing.assert_allclose(values, (np.cos(X.get()) - np.sin(X.get())) * np.exp(-X.get()), rtol=1e-12)


@pytest.mark.slow
def test_complex_numbers_between(one_by_one):
    def f(x):
        z = ag.exp(-x) * (1 + 2j)
        return ag.sum(ag.abs(z * z)) + ag.sum(ag.real(ag.conj(z) * ag.sin(x)))

    expected = one_by_one(lambda: ag.grad(f)(X))
    assert bits([ag.grad(f)(X)]) == bits([expected])


@pytest.mark.slow
def test_dtypes_between(one_by_one):
    k = cp.arange(1, 5, dtype="int8")

    def f(x, y):
        u = ag.sin(x) * ag.astype(y, ag.float32) * k
        return ag.sum(u.astype("float64") ** 2 + ag.where(x > 0.5, x * k, 0.0))

    x = X.astype("float32")
    expected = one_by_one(lambda: gradients(f, x, Y))
    assert bits(gradients(f, x, Y)) == bits(expected)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0)])
def test_few_elements(shape):
    x = cp.full(shape, 0.5)
    found = ag.grad(lambda x: ag.sum(1 / (1 + ag.exp(-x)) * ag.sum(x * x)))(x)
    assert found.shape == shape


def test_each_device():
    for number in (1, 0, 1):
        with cp.cuda.Device(number):
            x = X.copy()
        found = gradients(lambda x: ag.sum(1 / (1 + ag.exp(-x * x))) + ag.sum(ag.sin(x) * x), x)[0]
        assert found.device == x.device


@pytest.mark.slow
def test_layouts(one_by_one):
    x = cp.asarray(np.asfortranarray(X.get()))
    y = cp.linspace(0.5, 2.0, 8)[::2]

    def f(x, y):
        return ag.sum(ag.exp(-x.T[::-1] * ag.reshape(y, (4, 1))) * 2.0) + ag.sum(ag.sin(x) / y)

    assert bits(gradients(f, x, y)) == bits(one_by_one(lambda: gradients(f, x, y)))


def test_saved_values_are_freed_by_the_pass():
    (x,) = tensors(X)
    total = ag.sum(1 / (1 + ag.exp(-x)))
    total.backward()
    with pytest.raises(ag.errors.GraphFreedError):
        total.backward()


@pytest.mark.slow
def test_passes_of_several_threads():
    expected = bits(gradients(again, X, Y))
    found = []

    def work():
        found.extend([bits(gradients(again, X, Y)) for _ in range(5)])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 15


# -- every operation ---------------------------------------------------------------------------------------------------


def pulled_back(case):
    made = case.build(ROW)
    if not made.primals:
        return None
    f = made.function()
    # Rules before and after, so that there is a chain.
    value, pullback = ag.vjp(lambda *xs: f(*[ag.positive(x) * 1.0 for x in xs]) * 1.0, *made.primals)
    return bits(leaves(pullback(rebuild(value, [ROW.space.ones_like(y) for y in leaves(value)]))))


@pytest.mark.slow
@pytest.mark.parametrize("name", [op.name for op in OPS.values() if op.tier == "elementwise" and op.differentiable])
def test_every_operation(name, one_by_one):
    for case in cases(name):
        expected = one_by_one(lambda case=case: pulled_back(case))
        assert pulled_back(case) == expected, case.id
