"""`agnograd.autograd.forward_ad`, one test for each row of what PyTorch's does."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from made_tensors import host, raw, same

import agnograd as ag
from agnograd.autograd import Function, forward_ad
from agnograd.autograd.forward_ad import (
    UnpackedDualTensor,
    dual_level,
    enter_dual_level,
    exit_dual_level,
    make_dual,
    unpack_dual,
)
from agnograd.errors import CotangentError, EscapedError, LevelError, NotDifferentiableError


@pytest.fixture
def t(constant):
    return constant([1.0, 0.0, -2.0])


def test_dual_level(x, t):
    with dual_level() as number:
        assert number == 0
        y = ag.sin(make_dual(x, t)) * x
        found = unpack_dual(y)
        assert isinstance(found, UnpackedDualTensor)
        assert type(found.primal) is type(found.tangent) is ag.Tensor
    same(found.primal, np.sin(host(x)) * host(x))
    same(found.tangent, np.cos(host(x)) * host(t) * host(x))


def test_dual_level_decorates(x, t):
    @dual_level()
    def slope(x):
        return unpack_dual((make_dual(x, t) ** 2).sum()).tangent

    same(slope(x), (2 * host(x) * host(t)).sum())
    same(slope(x), (2 * host(x) * host(t)).sum())


def test_enter_and_exit(x, t):
    assert enter_dual_level() == 0
    y = make_dual(x, t)
    assert enter_dual_level() == 1
    with pytest.raises(LevelError, match="not the last one that was created"):
        exit_dual_level(level=0)
    exit_dual_level(level=1)
    same(unpack_dual(y).tangent, host(t))
    exit_dual_level()
    with pytest.raises(LevelError, match="none is open"):
        exit_dual_level()


def test_levels_nest(x, t):
    one = ag.ones_like(x.detach())
    with dual_level():
        inner = make_dual(x, t)
        with dual_level() as number:
            assert number == 1
            y = make_dual(inner, one) ** 3
            first = unpack_dual(y)
            # At the outer level, too, without leaving the inner one.
            outer = unpack_dual(y, level=0)
            same(unpack_dual(outer.tangent).tangent, 6 * host(x) * host(t))
            # A constant of one of the levels.
            assert unpack_dual(make_dual(x, one), level=0).tangent is None
            mixed = unpack_dual(make_dual(x, one) * inner, level=0)
            same(mixed.tangent, host(x) * host(t))
            same(unpack_dual(mixed.tangent).tangent, host(t))
        same(unpack_dual(first.tangent).tangent, 6 * host(x) * host(t))
        # The inner level is over, what the outer one knows is not.
        assert unpack_dual(y).tangent is not None
        same(unpack_dual(y).tangent, 3 * host(x) ** 2 * host(t))


def test_no_perturbation_confusion(constant):
    x = constant(1.0)
    with dual_level():
        a = make_dual(x, x)
        with dual_level():
            inner = unpack_dual(a + make_dual(x, x)).tangent
        # d/da (a * d/db (a + b)) = 1
        same(unpack_dual(a * inner).tangent, 1.0)


def test_after_its_level_a_tangent_is_gone(x, t):
    with dual_level():
        dual = make_dual(x, t)
        y = dual * 2
        view = y[1:]
    for z in (dual, y, view):
        assert unpack_dual(z).tangent is None
        assert z.tangent is None
    same(y, 2 * host(x))
    assert y.shape == (3,)
    # From here on it is the tensor that it holds, with its place in the user's own graph.
    assert repr(y) == repr(x * 2)
    assert isinstance(unpack_dual(y).primal, ag.Tensor)
    (y.sum() + view.sum()).backward()
    same(x.grad, [2, 4, 4])
    with dual_level():
        assert unpack_dual(y).tangent is None
        assert unpack_dual(y + make_dual(x, t)).tangent is not None


def test_attributes_of_tensors(x, t):
    with dual_level():
        dual = make_dual(x, t) * 2
        assert dual.requires_grad
        assert dual.grad_fn is unpack_dual(dual).primal.grad_fn
        assert not dual.is_leaf
        plain = make_dual(x.detach(), t)
        inner = [plain, ag.zeros_like(plain)]
        assert [(y.requires_grad, y.is_leaf, y.grad_fn) for y in inner] == [(False, True, None)] * 2
        with pytest.raises(AttributeError, match=r"a dual tensor has no attribute 'backward'; unpack_dual\(\)"):
            dual.backward()
        # What it depends on is found forwards, or by a transformation inside.
        with pytest.raises(EscapedError, match=r"belongs to the transformation 'dual_level'.* use agnograd\.grad"):
            ag.autograd.grad(dual.sum(), dual)
        with pytest.raises(EscapedError, match="value of the transformation 'dual_level'"):
            ag.autograd.grad(dual.sum(), x)
        total = dual.sum()
    total.backward()
    same(x.grad, [2, 2, 2])
    assert total.grad_fn.name() == "SumBackward0"


def test_no_tangent(x, t):
    with dual_level():
        dual = make_dual(x, t)
        assert unpack_dual(x) == (x, None)
        assert unpack_dual(dual.detach()).tangent is None
        assert unpack_dual(dual > 0).tangent is None
        assert unpack_dual(ag.stop_gradient(dual)).tangent is None
        # Connected, with a derivative of zero.
        same(unpack_dual(ag.sign(dual)).tangent, [0, 0, 0])
        same(unpack_dual(dual.clone()).tangent, host(t))
    assert unpack_dual(x) == (x, None)


def test_under_no_grad(x, t):
    with dual_level(), ag.no_grad():
        found = unpack_dual(make_dual(x, t) ** 2)
        assert not found.primal.requires_grad
    same(found.tangent, 2 * host(x) * host(t))


def test_backward_through_a_tangent(x, t):
    t = t.requires_grad_()
    with dual_level():
        found = unpack_dual((make_dual(x, t) ** 3).sum())
    found.tangent.backward(retain_graph=True)
    same(x.grad, 6 * host(x) * host(t))
    same(t.grad, 3 * host(x) ** 2)
    x.grad = None
    found.primal.backward()
    same(x.grad, 3 * host(x) ** 2)


def test_with_transformations(x, t):
    with dual_level():
        dual = make_dual(x.detach(), t)
        # A transformation inside a level is differentiated along,
        same(unpack_dual(ag.grad(lambda x: (x**3).sum())(dual)).tangent, 6 * host(x) * host(t))
        # and what it hides is not taken for a constant.
        with pytest.raises(LevelError, match="value of the transformation 'grad', inside of the level"):
            ag.grad(lambda x: unpack_dual(x * dual).primal.sum())(x)

    def slope(x):
        with dual_level():
            return unpack_dual((make_dual(x, t) ** 3).sum()).tangent

    same(ag.grad(slope)(x), 6 * host(x) * host(t))


def test_writes(x, t, constant):
    with dual_level():
        dual = make_dual(x.detach(), t)
        dual[0] = 5.0
        same(unpack_dual(dual).primal, [5.0, -0.5, 2.0])
        same(unpack_dual(dual).tangent, [0.0, 0.0, -2.0])
        dual *= 2
        same(unpack_dual(dual).tangent, [0.0, 0.0, -4.0])
        plain = constant([0.0, 0.0])
        plain[0] = dual[2]
        same(unpack_dual(plain).tangent, [-4.0, 0.0])


def test_complex_numbers(constant):
    z, v = constant(np.array([1 + 2j])), constant(np.array([2j]))
    with dual_level():
        same(unpack_dual(make_dual(z, v) ** 2).tangent, 2 * host(z) * host(v))
        # A real direction is one of the complex plane's.
        same(unpack_dual(make_dual(z, constant([1.0]))).tangent, [1 + 0j])
        with pytest.raises(CotangentError, match=r"primal is real .* but its tangent is complex"):
            make_dual(constant([1.0]), v)


def test_wrong_arguments(x, t, constant, agnograd_backend):
    with pytest.raises(LevelError, match="no level exists, make sure to enter_dual_level"):
        make_dual(x, t)
    with dual_level():
        dual = make_dual(x, t)
        with pytest.raises(LevelError, match=r"primal .* already has a tangent at the same level"):
            make_dual(dual, t)
        with pytest.raises(LevelError, match=r"tangent .* already has a tangent at the same level"):
            make_dual(x, dual)
        with pytest.raises(CotangentError, match=r"different size .* size \(3,\) while .* is of size \(2,\)"):
            make_dual(x, t[:2])
        whole = constant(np.array([1, 2, 3]))
        with pytest.raises(
            NotDifferentiableError, match="Expected primal to be floating point or complex, but got: int64"
        ):
            make_dual(whole, t)
        with pytest.raises(ValueError, match="Expected tangent to be floating point or complex, but got: int64"):
            make_dual(x, whole)
        with pytest.raises(TypeError, match="Expected tangent to be a tensor, but got an object of type float"):
            make_dual(x, 1.0)
        with pytest.raises(TypeError, match="takes a tensor, got an object of type float"):
            unpack_dual(1.0)
        for call in (lambda: make_dual(x, t, level=1), lambda: unpack_dual(x, level=-1)):
            with pytest.raises(LevelError, match=r"invalid index: level -?1 was either not created or has ended"):
                call()
        with dual_level(), pytest.raises(LevelError, match="or belongs to one further inside"):
            make_dual(make_dual(x, t), t, level=0)
        if agnograd_backend != "numpy":
            with pytest.raises(CotangentError, match="not where the primal is"):
                make_dual(x, ag.ones(3))


def test_a_function_without_a_rule_for_forward_mode(x, t):
    class Backward(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    with dual_level(), pytest.raises(NotImplementedError, match="jvp"):
        Backward.apply(make_dual(x, t))


def test_raw_arrays(agnograd_backend):
    array = raw(agnograd_backend, [1.0, 2.0])
    with dual_level():
        dual = make_dual(array, array)
        same(unpack_dual(dual * dual).tangent, [2, 8])
        same(unpack_dual(array).primal, [1, 2])
    assert isinstance(unpack_dual(array).primal, ag.Tensor)


def test_tangents_take_the_dtype_of_their_primal(agnograd_backend):
    single = ag.tensor(raw(agnograd_backend, np.array([1.0], np.float32)))
    double = ag.tensor(raw(agnograd_backend, np.array([2.0])))
    with dual_level():
        for x, t in ((single, double), (double, single)):
            found = unpack_dual(make_dual(x, t)).tangent
            assert found.dtype == x.dtype
            same(found, host(t))


def test_text():
    x, t = ag.tensor([1.0, 2.0], requires_grad=True), ag.tensor([0.0, 1.0])
    with dual_level():
        dual = make_dual(x.detach(), t)
        assert repr(dual) == "tensor([1., 2.], tangent=tensor([0., 1.]))"
        assert repr((make_dual(x, t) ** 2).sum()) == (
            "tensor(5., grad_fn=<SumBackward0>, tangent=tensor(4., grad_fn=<SumBackward0>))"
        )
        with dual_level():
            assert repr(make_dual(dual, x.detach())) == (
                "tensor([1., 2.], tangent=tensor([0., 1.]), tangent=tensor([1., 2.]))"
            )
        assert repr(make_dual(ag.ones(2, 2), ag.ones(2, 2))) == (
            "tensor([[1., 1.],\n"
            "        [1., 1.]],\n"
            "       tangent=tensor([[1., 1.],\n"
            "                       [1., 1.]]))"
        )
    assert repr(dual) == "tensor([1., 2.])"


def test_levels_are_local_to_a_thread_and_a_task():
    x, one = ag.tensor(3.0), ag.tensor(1.0)
    found = []

    def run(count):
        for _ in range(count):
            with dual_level() as number:
                assert number == 0
                found.append(unpack_dual(make_dual(x, one) ** 2).tangent.item())

    with dual_level():
        dual = make_dual(x, one)
        threads = [threading.Thread(target=run, args=(50,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert unpack_dual(dual).tangent is not None
    assert found == [6.0] * 200

    async def task(power):
        with dual_level():
            y = make_dual(x, one)
            await asyncio.sleep(0)
            y = y**power
            await asyncio.sleep(0)
            return unpack_dual(y).tangent.item()

    async def both():
        return await asyncio.gather(task(2), task(3))

    assert asyncio.run(both()) == [6.0, 27.0]


def test_another_thread_unpacks_what_it_was_given(x, t):
    with dual_level():
        dual = make_dual(x, t)
        found = []
        thread = threading.Thread(target=lambda: found.append(unpack_dual(dual * 2)))
        thread.start()
        thread.join()
    same(found[0].primal, 2 * host(x))
    same(found[0].tangent, 2 * host(t))


def test_a_level_is_left_by_an_exception(x, t):
    def fails():
        with dual_level():
            kept.append(make_dual(x, t))
            raise ZeroDivisionError

    kept = []
    with pytest.raises(ZeroDivisionError):
        fails()
    (dual,) = kept
    assert unpack_dual(dual).tangent is None
    assert forward_ad._open.get() == ()
