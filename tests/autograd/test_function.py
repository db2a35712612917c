"""`agnograd.autograd.Function`, one test for each row of what PyTorch's does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from made_tensors import host, raw, same

import agnograd as ag
from agnograd.autograd.function import Function, FunctionCtx, once_differentiable
from agnograd.errors import AgnogradError, CotangentError, FunctionError, GraphFreedError, MissingRuleError


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x

    @staticmethod
    def jvp(ctx, t):
        (x,) = ctx.saved_tensors
        return t * 3 * x * x


def returning(*gradients, arguments=1):
    """A function of some arguments whose backward pass returns these."""

    class F(Function):
        @staticmethod
        def forward(ctx, x, *rest):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            found = tuple(h(g) if callable(h) else h for h in gradients)
            return found[0] if len(found) == 1 else found

    return F


def test_forward_backward_and_apply(x, agnograd_backend):
    class Scaled(Function):
        @staticmethod
        def forward(ctx, x, factor, name="f"):
            ctx.factor = factor
            return x * factor, name, ag.argmax(x)

        @staticmethod
        def backward(ctx, g, of_name, of_index):
            assert of_name is None
            return g * ctx.factor, None, None

    y, name, index = Scaled.apply(x, 3.0)
    assert name == "f"
    assert not index.requires_grad
    y.sum().backward()
    same(x.grad, [3, 3, 3])
    y, name, _ = Scaled.apply(x, factor=2.0, name="g")
    assert name == "g"
    y.sum().backward()
    same(x.grad, [5, 5, 5])

    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    z = Same.apply(x)
    assert z is not x
    assert not z.is_leaf
    x.grad = None
    z.sum().backward()
    same(x.grad, [7, 7, 7])

    # Without anything that requires grad nothing is recorded.
    assert not Cube.apply(x.detach()).requires_grad
    with ag.no_grad():
        assert not Cube.apply(x).requires_grad
    # A raw array is an argument like any other.
    same(Cube.apply(raw(agnograd_backend, [2.0])), [8.0])

    with pytest.raises(FunctionError, match="static methods"):
        Cube()

    class Nothing(Function):
        pass

    class NoBackward(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

    class Both(Cube):
        @staticmethod
        def backward(ctx, g):
            return g

        @staticmethod
        def vjp(ctx, g):
            return g

    with pytest.raises(NotImplementedError, match="must implement the forward"):
        Nothing.apply(x)
    with pytest.raises(NotImplementedError, match="either the backward or vjp"):
        NoBackward.apply(x).sum().backward()
    with pytest.raises(RuntimeError, match="both backward and vjp"):
        Both.apply(x)


def test_arguments(x):
    """Those that were left out have no gradient, unless setup_context is given their defaults."""

    class Scaled(Function):
        @staticmethod
        def forward(ctx, x, by=3, offset=0, *, unused=None):
            ctx.by = by
            return x * by + offset

        @staticmethod
        def backward(ctx, g):
            return (g * ctx.by, None)[: len(ctx.needs_input_grad)]

    for call, by in ((lambda: Scaled.apply(x), 3), (lambda: Scaled.apply(x, 5), 5), (lambda: Scaled.apply(x, by=7), 7)):
        x.grad = None
        call().sum().backward()
        same(x.grad, [by] * 3)
    with pytest.raises(TypeError, match="'unused' of forward is keyword-only"):
        Scaled.apply(x, unused=1)
    with pytest.raises(TypeError, match="nothing"):
        Scaled.apply(x, nothing=1)
    with pytest.raises(TypeError, match="forward"):
        Scaled.apply()


def test_forward_writes_to_no_argument(x, constant):
    """To one without a gradient it may; PyTorch's mark_dirty has no counterpart."""

    class Doubled(Function):
        @staticmethod
        def forward(ctx, x, buffer, careless=False):
            buffer[0] = 9.0
            if careless:
                x *= 2
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2, None, None

    class Marked(Doubled):
        @staticmethod
        def forward(ctx, x, buffer):
            ctx.mark_dirty(x)

    buffer = constant([0.0, 0.0])
    Doubled.apply(x, buffer).sum().backward()
    same(buffer, [9, 0])
    y = x * 1
    with pytest.raises(FunctionError, match=r"Doubled.forward wrote to argument 0 in place"):
        Doubled.apply(y, buffer, True)
    with ag.no_grad(), pytest.raises(FunctionError, match="wrote to argument 0"):
        Doubled.apply(y, buffer, True)
    same(y, host(x))
    with pytest.raises(FunctionError, match="mark_dirty"):
        Marked.apply(y, buffer)
    y[...] = Doubled.apply(y, buffer)
    same(y, 2 * host(x))


def test_a_closure_of_backward_over_a_transformation(leaf, constant):
    class Scaled(Function):
        @staticmethod
        def forward(ctx, x, s):
            ctx.s = s
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * ctx.s[0] * ctx.s[0], None

    def f(s):
        x = leaf([1.0, 2.0])
        Scaled.apply(ag.sin(x) * 3, [s]).sum().backward()
        return x.grad.sum()

    slope = 3 * (np.cos(1.0) + np.cos(2.0))
    s = constant(3.0)
    same(ag.grad(f)(s), slope * 6)
    same(ag.jvp(f, (s,), (constant(1.0),))[1], slope * 6)


def test_outputs_of_integers_and_arguments_that_are_returned(x, constant):
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x, ag.argsort(x)

        @staticmethod
        def backward(ctx, g, places):
            assert places.dtype == order.dtype
            assert (host(places) == 0).all()
            return g * 3

    y, order = Same.apply(x)
    assert y is not x
    assert not order.requires_grad
    y.sum().backward()
    same(x.grad, [3, 3, 3])
    # With nothing recorded it shares the value.
    z = constant([1.0, 2.0, 3.0])
    y, order = Same.apply(z)
    assert y is not z
    y[0] = 5.0
    same(z, [5, 2, 3])
    y.requires_grad_()
    assert not z.requires_grad


def test_return_count(x, constant):
    returning(lambda g: g, None, None).apply(x, 3).sum().backward()
    same(x.grad, [1, 1, 1])
    for gradients, error, message in (
        ((lambda g: g,), FunctionError, r"incorrect number of gradients \(expected 2, got 1\)"),
        ((lambda g: g, None, lambda g: g), FunctionError, r"incorrect number of gradients \(expected 2, got 3\)"),
        ((lambda g: g, lambda g: g), FunctionError, "a gradient different than None at position 1, but the correspond"),
        ((1.0, None), FunctionError, "neither a tensor nor None, but float"),
        ((constant(np.ones(5)), None), CotangentError, r"at index 0 - got shape \(5,\) but expected \(3,\)"),
    ):
        with pytest.raises(error, match=message):
            returning(*gradients).apply(x, 3).sum().backward()


def test_a_gradient_that_could_be_summed_to_its_shape_is_refused(x, constant):
    """PyTorch sums it silently; here it is a mistake until the function says which axes it means."""
    with pytest.raises(CotangentError, match=r"got shape \(2, 3\) but expected \(3,\)\. Nothing is summed silently"):
        returning(constant(np.ones((2, 3)))).apply(x).sum().backward()


def test_the_dtype_of_a_returned_gradient(x, agnograd_backend):
    """Another real dtype is cast; a complex gradient of a real argument is refused, as is one of another backend."""
    single = raw(agnograd_backend, np.ones(3, np.float32))
    returning(lambda g: ag.asarray(single)).apply(x).sum().backward()
    assert x.grad.dtype == x.dtype
    with pytest.raises(CotangentError, match="complex gradient"):
        returning(lambda g: g * 1j).apply(x).sum().backward()
    other = "strict" if agnograd_backend == "numpy" else "numpy"
    with pytest.raises(CotangentError, match="another backend"):
        returning(lambda g: ag.tensor(raw(other, np.ones(3)))).apply(x).sum().backward()


def test_none_gradient(x):
    returning(None).apply(x).sum().backward()
    assert x.grad is None
    (dx,) = ag.autograd.grad(returning(None).apply(x * 2).sum(), x, allow_unused=True)
    assert dx is None


def test_save_for_backward(x):
    y = Cube.apply(x)
    loss = y.sum()
    loss.backward()
    same(x.grad, 3 * host(x) ** 2)
    with pytest.raises(GraphFreedError, match="second time"):
        loss.backward()

    class Keeps(Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 2
            ctx.save_for_backward(None, y)
            return y

        @staticmethod
        def backward(ctx, g):
            none, y = ctx.saved_tensors
            assert none is None
            return g * y

    x.grad = None
    y = Keeps.apply(x)
    # What was saved is what it was then, whatever is written.
    y += 5
    y.sum().backward()
    same(x.grad, 2 * host(x))

    class Wrong(Keeps):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3)

    with pytest.raises(FunctionError, match="save_for_backward can only save tensors, but argument 0 is of type int"):
        Wrong.apply(x)


def test_saved_tensors_after_the_pass(x):
    contexts = []

    class Leaks(Cube):
        @staticmethod
        def forward(ctx, x):
            contexts.append(ctx)
            return Cube.forward(ctx, x)

        @staticmethod
        def backward(ctx, g):
            contexts.append(ctx)
            return Cube.backward(ctx, g)

    Leaks.apply(x).sum().backward()
    with pytest.raises(GraphFreedError):
        contexts[-1].saved_tensors  # noqa: B018


def test_save_for_forward(x, constant):
    class F(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            return x * x

        @staticmethod
        def jvp(ctx, t):
            (x,) = ctx.saved_tensors
            return 2 * x * t

    value, t = ag.jvp(F.apply, (constant([3.0]),), (constant([1.0]),))
    same(value, [9])
    same(t, [6])


def test_needs_input_grad(x, constant):
    seen = []

    class F(Function):
        @staticmethod
        def forward(ctx, x, y, n):
            seen.append(ctx.needs_input_grad)
            return x * y

        @staticmethod
        def backward(ctx, g):
            seen.append(ctx.needs_input_grad)
            return g, None, None

    F.apply(x, constant([1.0, 1.0, 1.0]), 3).sum().backward()
    assert seen == [(True, False, False)] * 2


def test_mark_non_differentiable(x):
    seen = []

    class F(Function):
        @staticmethod
        def forward(ctx, x):
            y, z = x * 2, x * 3
            ctx.mark_non_differentiable(z)
            return y, z

        @staticmethod
        def backward(ctx, g, h):
            seen.append(host(h))
            return g * 2

    y, z = F.apply(x)
    assert y.requires_grad
    assert not z.requires_grad
    (y + z).sum().backward()
    np.testing.assert_array_equal(seen, [[0, 0, 0]])
    same(x.grad, [2, 2, 2])


@pytest.mark.parametrize("materialize", [True, False])
def test_set_materialize_grads(x, materialize):
    seen = []

    class F(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            seen.append(h if h is None else host(h))
            return g * 2

    F.apply(x)[0].sum().backward()
    same(x.grad, [2, 2, 2])
    assert seen[0] is None if not materialize else (seen[0] == 0).all()


class Power(Function):
    """With its context apart from its forward pass."""

    @staticmethod
    def forward(x, n=2):
        return x**n

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.n = inputs
        ctx.save_for_backward(x, output)

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        same(y, host(x) ** ctx.n)
        return g * ctx.n * x ** (ctx.n - 1), None

    @classmethod
    def jvp(cls, ctx, t, _):
        x, _ = ctx.saved_tensors
        return t * ctx.n * x ** (ctx.n - 1)


def test_setup_context(x, constant):
    """Also under the transformations, to any order; a forward pass with a context works there, too."""
    Power.apply(x).sum().backward()
    same(x.grad, 2 * host(x))
    Power.apply(x, 3).sum().backward()
    same(x.grad, 2 * host(x) + 3 * host(x) ** 2)
    v = constant(2.0)
    for f in (lambda z: Power.apply(z, 3), Cube.apply):
        same(ag.grad(f)(v), 12)
        same(ag.grad(ag.grad(f))(v), 12)
        same(ag.grad(ag.grad(ag.grad(f)))(v), 6)
        same(ag.jvp(ag.grad(f), (v,), (constant(1.0),))[1], 12)
        same(ag.jvp(lambda z, f=f: ag.jvp(f, (z,), (constant(1.0),))[1], (v,), (constant(1.0),))[1], 12)
        same(ag.grad(lambda z, f=f: ag.jvp(f, (z,), (constant(1.0),))[1])(v), 12)


def test_once_differentiable(x):
    class F(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            assert not ag.is_grad_enabled()
            (x,) = ctx.saved_tensors
            return g * 2 * x

    F.apply(x).sum().backward()
    same(x.grad, 2 * host(x))
    (dx,) = ag.autograd.grad(F.apply(x).sum(), x, create_graph=True)
    same(dx, 2 * host(x))
    with pytest.raises(RuntimeError, match="differentiate twice a function that was marked with @once_differentiable"):
        ag.autograd.grad(dx.sum(), x)
    # Silence would be a wrong result: the other term is right, this one is missing.
    (dx,) = ag.autograd.grad((F.apply(x) + x**3).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        dx.sum().backward()


@pytest.mark.parametrize("materialize", [True, False])
def test_jvp(x, constant, materialize):
    value, t = ag.jvp(Cube.apply, (constant([2.0]),), (constant([1.0]),))
    same(value, [8])
    same(t, [12])

    class TwoOutputs(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(materialize)
            return x * 2, x + y

        @staticmethod
        def jvp(ctx, t, u):
            assert (u is None) == (not materialize)
            if materialize:
                same(u, [0])
            return t * 2, None

    a, b = ag.jvp(lambda z: TwoOutputs.apply(z, constant([1.0])), (constant([2.0]),), (constant([1.0]),))[1]
    same(a, [2])
    assert b is None or (host(b) == 0).all()

    class NoJvp(Cube):
        jvp = Function.jvp

    with pytest.raises(MissingRuleError, match="must implement the jvp function"):
        ag.jvp(NoJvp.apply, (constant([2.0]),), (constant([1.0]),))


def test_double_backward(x, leaf):
    (dx,) = ag.autograd.grad(Cube.apply(x).sum(), x, create_graph=True)
    (ddx,) = ag.autograd.grad(dx.sum(), x, create_graph=True)
    same(ddx, 6 * host(x))
    ddx.sum().backward()
    same(x.grad, [6, 6, 6])

    # With respect to the cotangent, too.
    g = leaf([1.0, 2.0, 3.0])
    (dx,) = ag.autograd.grad(Cube.apply(x), x, g, create_graph=True)
    (dg,) = ag.autograd.grad(dx.sum(), g)
    same(dg, 3 * host(x) ** 2)

    class Saved(Function):
        """Through a saved output."""

        @staticmethod
        def forward(ctx, x):
            y = ag.exp(x)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y

    (dx,) = ag.autograd.grad(Saved.apply(x).sum(), x, create_graph=True)
    (ddx,) = ag.autograd.grad(dx.sum(), x)
    same(ddx, np.exp(host(x)))


def test_double_backward_through_a_saved_intermediate_is_no_silent_zero(x):
    """What is saved but neither argument nor output is a constant to the second pass, as in PyTorch: return it."""

    class F(Function):
        @staticmethod
        def forward(ctx, x):
            y = ag.exp(x)
            ctx.save_for_backward(y)
            return y * 1, y

        @staticmethod
        def backward(ctx, g, h):
            (y,) = ctx.saved_tensors
            return (g + h) * y

    y, _ = F.apply(x)
    (dx,) = ag.autograd.grad(y.sum(), x, create_graph=True)
    (ddx,) = ag.autograd.grad(dx.sum(), x)
    same(ddx, np.exp(host(x)))


def test_attributes_of_ctx(x):
    class F(Function):
        @staticmethod
        def forward(ctx, x, factor):
            assert isinstance(ctx, FunctionCtx)
            ctx.factor = factor
            return x * factor

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor, None

    F.apply(x, 4.0).sum().backward()
    same(x.grad, [4, 4, 4])


def test_several_inputs_and_outputs(x, leaf):
    w = leaf([2.0, 3.0, 4.0])

    class F(Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x * w, x + w

        @staticmethod
        def backward(ctx, g, h):
            x, w = ctx.saved_tensors
            return g * w + h, g * x + h

    for wanted in itertools.product([True, False], repeat=2):
        x.grad = w.grad = None
        p, s = F.apply(x if wanted[0] else x.detach(), w if wanted[1] else w.detach())
        if not any(wanted):
            assert not p.requires_grad
            continue
        assert (p.output_nr, s.output_nr) == (0, 1)
        (p * s).sum().backward()
        if wanted[0]:
            same(x.grad, host(w) * (2 * host(x) + host(w)))
        if wanted[1]:
            same(w.grad, host(x) * (2 * host(w) + host(x)))


def test_errors_are_agnograds_and_say_which_function(x):
    with pytest.raises(AgnogradError, match="function FBackward"):
        returning(None, None, 3).apply(x).sum().backward()


class ByAttribute(Function):
    """Keeps its argument and its output as attributes, as much code for PyTorch does."""

    @staticmethod
    def forward(ctx, x):
        ctx.x, ctx.y = x, x * x * x
        return ctx.y

    @staticmethod
    def backward(ctx, g):
        return g * 3 * ctx.y / ctx.x

    @staticmethod
    def jvp(ctx, t):
        return t * 3 * ctx.y / ctx.x


def test_second_derivatives_through_attributes_of_ctx(x, constant):
    (dx,) = ag.autograd.grad(ByAttribute.apply(x).sum(), x, create_graph=True)
    (ddx,) = ag.autograd.grad(dx.sum(), x)
    same(ddx, 6 * host(x))
    v = constant(2.0)
    same(ag.grad(ag.grad(ByAttribute.apply))(v), 12)
    same(ag.jvp(ag.grad(ByAttribute.apply), (v,), (constant(1.0),))[1], 12)
    same(ag.grad(lambda z: ag.jvp(ByAttribute.apply, (z,), (constant(1.0),))[1])(v), 12)


class Intermediate(Function):
    """Saves what is neither argument nor output."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x * x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (square,) = ctx.saved_tensors
        return g * 3 * square

    jvp = backward


def test_second_derivatives_through_a_saved_intermediate_raise(x, constant):
    """PyTorch takes it for a constant, and the second derivative is silently wrong."""
    loss = (Intermediate.apply(x) + x**3).sum()
    (dx,) = ag.autograd.grad(loss, x, create_graph=True)
    same(dx, 6 * host(x) ** 2)
    with pytest.raises(FunctionError, match="Return it as an output"):
        dx.sum().backward()
    v = constant(2.0)
    same(ag.grad(Intermediate.apply)(v), 12)
    for second in (
        lambda: ag.grad(ag.grad(lambda z: Intermediate.apply(z) + z**3))(v),
        lambda: ag.jvp(ag.grad(Intermediate.apply), (v,), (constant(1.0),)),
    ):
        with pytest.raises(FunctionError, match="keep it as an attribute"):
            second()


def test_once_differentiable_within_transformations(constant):
    class F(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x

    v = constant(2.0)
    same(ag.grad(F.apply)(v), 4)
    with pytest.raises(FunctionError, match="once_differentiable"):
        ag.grad(ag.grad(lambda z: F.apply(z) + z**3))(v)


def test_what_setup_context_computes_is_differentiated_again_by_transformations(constant):
    class F(Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0] * inputs[0])

        @staticmethod
        def backward(ctx, g):
            return g * 3 * ctx.saved_tensors[0]

        jvp = backward

    same(ag.grad(ag.grad(F.apply))(constant(2.0)), 12)
    same(ag.jvp(ag.grad(F.apply), (constant(2.0),), (constant(1.0),))[1], 12)


def test_none_among_what_is_saved_stays_none_in_all_orders(constant):
    class F(Function):
        @staticmethod
        def forward(x, scale):
            return x**3 * 2.0

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0], None)

        @staticmethod
        def backward(ctx, g):
            x, nothing = ctx.saved_tensors
            assert nothing is None
            return g * 6 * x * x, None

        @staticmethod
        def jvp(ctx, t, _):
            x, nothing = ctx.saved_tensors
            assert nothing is None
            return t * 6 * x * x

    x, one = constant(2.0), constant(1.0)
    f = lambda x: F.apply(x, 2.0)
    same(ag.grad(ag.grad(f))(x), 24)
    same(ag.jvp(ag.grad(f), (x,), (one,))[1], 24)
    same(ag.grad(lambda x: ag.jvp(f, (x,), (one,))[1])(x), 24)
    same(ag.grad(ag.grad(ag.grad(f)))(x), 12)


def test_arguments_that_share_an_array(leaf):
    class Product(Function):
        @staticmethod
        def forward(ctx, a, p):
            ctx.save_for_backward(a, p)
            return a * a * p

        @staticmethod
        def backward(ctx, g):
            a, p = ctx.saved_tensors
            return 2 * g * a * p, g * a * a

    a = leaf([3.0])
    p = a.detach().requires_grad_()
    da, dp = ag.autograd.grad(Product.apply(a, p).sum(), [a, p], create_graph=True)
    daa, dap = ag.autograd.grad(da.sum(), [a, p])
    same(daa, [6.0])
    same(dap, [6.0])
    same(ag.autograd.grad(dp.sum(), a)[0], [6.0])
