"""What custom_vjp, custom_jvp and custom_gradient have in common, on every backend and under every transformation.

Rules are wrong by a factor where that shows whether they were used.
"""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from made_tensors import constant, host, leaf, raw, same

import agnograd as ag
from agnograd.errors import FunctionError, GraphFreedError, MissingRuleError

X = np.array([0.3, -0.2, 0.7])
Y = np.array([1.0, 2.0, -3.0])


@pytest.fixture
def x(agnograd_backend):
    return raw(agnograd_backend, X)


@pytest.fixture
def y(agnograd_backend):
    return raw(agnograd_backend, Y)


@pytest.fixture
def t(agnograd_backend):
    """A leaf of the user's own graph."""
    return leaf(agnograd_backend, X)


def by_argument():
    """The cube by custom_vjp, its residual being the argument."""

    @ag.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, g: (3 * x * x * g,))
    return cube


def by_residual():
    """The residual is computed from the argument."""

    @ag.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, {"slope": 3 * x * x, "name": "cube"}), lambda kept, g: (kept["slope"] * g,))
    return cube


def by_closure():
    """The residual is a function, which holds what it needs."""

    @ag.custom_vjp
    def cube(x):
        return x**3

    def forward(x):
        slope = 3 * x * x
        return x**3, lambda g: slope * g

    cube.defvjp(forward, lambda kept, g: (kept(g),))
    return cube


def by_gradient():
    @ag.custom_gradient
    def cube(x):
        slope = 3 * x * x
        return x**3, lambda g: slope * g

    return cube


def by_jvp():
    @ag.custom_jvp
    def cube(x):
        return x**3

    @cube.defjvp
    def rule(primals, tangents):
        (x,), (t,) = primals, tangents
        return cube(x), 3 * x * x * t

    return cube


def by_jvps():
    @ag.custom_jvp
    def cube(x):
        return x**3

    cube.defjvps(lambda t, ans, x: 3 * ag.divide(ans, x) * t)
    return cube


REVERSE = {f.__name__: f for f in (by_argument, by_residual, by_closure, by_gradient)}
FORWARD = {f.__name__: f for f in (by_jvp, by_jvps)}
either = pytest.mark.parametrize("make", [*REVERSE.values(), *FORWARD.values()], ids=[*REVERSE, *FORWARD])
forward_only = pytest.mark.parametrize("make", FORWARD.values(), ids=FORWARD)
reverse_only = pytest.mark.parametrize("make", REVERSE.values(), ids=REVERSE)


@either
def test_reverse_mode(make, x, y, t):
    cube = make()
    same(cube(x), X**3)
    assert type(cube(x)) is type(x)
    same(ag.grad(lambda x: ag.sum(cube(x)))(x), 3 * X**2)
    value, pullback = ag.vjp(cube, x)
    same(value, X**3)
    for _ in range(2):
        same(pullback(y)[0], 3 * X**2 * Y)
    z = cube(t)
    assert z.requires_grad
    z.sum().backward()
    same(t.grad, 3 * X**2)
    assert type(z.grad_fn).__name__ == "cubeBackward"


@either
def test_derivatives_of_reverse_mode(make, x, y):
    cube = make()
    first = ag.grad(lambda x: ag.sum(cube(x)))
    second = ag.grad(lambda x: ag.sum(first(x)))
    same(second(x), 6 * X)
    same(ag.jvp(first, (x,), (y,))[1], 6 * X * Y)
    same(ag.linearize(first, x)[1](y), 6 * X * Y)
    same(ag.grad(lambda x: ag.sum(second(x)))(x), np.full(3, 6.0))
    same(ag.jvp(second, (x,), (y,))[1], 6 * Y)
    # Of the value and the gradient together.
    same(ag.grad(lambda x: ag.sum(cube(x) * first(x)))(x), 15 * X**4)


@either
def test_the_users_own_graph_to_third_order(make, t):
    cube = make()
    (first,) = ag.autograd.grad(cube(t).sum(), t, create_graph=True)
    (second,) = ag.autograd.grad(first.sum(), t, create_graph=True)
    (third,) = ag.autograd.grad(second.sum(), t)
    same(first, 3 * X**2)
    same(second, 6 * X)
    same(third, np.full(3, 6.0))
    # Through a transformation, and around one.
    ag.grad(lambda x: ag.sum(cube(x)))(t).sum().backward()
    same(t.grad, 6 * X)


@forward_only
def test_forward_mode(make, x, y, t):
    cube = make()
    value, tangent = ag.jvp(cube, (x,), (y,))
    same(value, X**3)
    same(tangent, 3 * X**2 * Y)
    along = lambda x: ag.jvp(cube, (x,), (y,))[1]
    same(ag.jvp(along, (x,), (y,))[1], 6 * X * Y * Y)
    same(ag.grad(lambda x: ag.sum(along(x)))(x), 6 * X * Y)
    same(ag.linearize(cube, x)[1](y), 3 * X**2 * Y)
    same(ag.linearize(along, x)[1](x), 6 * X * Y * X)
    ag.jvp(cube, (t,), (y,))[1].sum().backward()
    same(t.grad, 6 * X * Y)


@reverse_only
def test_forward_mode_without_a_rule(make, x, y):
    cube = make()
    message = r"forward mode \(jvp\) came to cube, a custom_vjp function.*agnograd.custom_jvp, or use agnograd.grad"
    for f in (cube, lambda x: ag.grad(lambda x: ag.sum(ag.jvp(cube, (x,), (y,))[1]))(x)):
        with pytest.raises(MissingRuleError, match=message):
            ag.jvp(f, (x,), (y,))
    # What does not depend on it is no concern of it.
    same(ag.jvp(lambda x: x * cube(y), (x,), (x,))[1], X * Y**3)


@either
def test_batches(make, x, y, t):
    cube = make()
    same(ag.vmap(cube)(x), X**3)
    same(ag.vmap(ag.grad(cube))(x), 3 * X**2)
    both = lambda x: ag.sum(ag.vmap(cube)(x))
    same(ag.grad(both)(x), 3 * X**2)
    same(ag.grad(lambda x: ag.sum(ag.grad(both)(x)))(x), 6 * X)
    same(ag.hvp(both, (x,), (y,)), 6 * X * Y)
    same(ag.vmap(ag.grad(ag.grad(cube)))(x), 6 * X)
    two = ag.stack([ag.asarray(x), ag.asarray(y)])
    same(ag.grad(lambda x: ag.sum(ag.vmap(ag.vmap(cube))(x)))(two), 3 * np.stack([X, Y]) ** 2)
    same(ag.vmap(ag.grad(lambda x: ag.sum(ag.vmap(cube)(x))))(two), 3 * np.stack([X, Y]) ** 2)
    (first,) = ag.autograd.grad(ag.vmap(cube)(t).sum(), t, create_graph=True)
    first.sum().backward()
    same(t.grad, 6 * X)


@forward_only
def test_batches_in_forward_mode(make, x, y):
    cube = make()
    same(ag.jvp(ag.vmap(cube), (x,), (y,))[1], 3 * X**2 * Y)
    same(ag.vmap(lambda x, t: ag.jvp(cube, (x,), (t,))[1])(x, y), 3 * X**2 * Y)
    same(ag.jvp(lambda x: ag.jvp(ag.vmap(cube), (x,), (y,))[1], (x,), (x,))[1], 6 * X * Y * X)


@either
def test_checkpoint(make, x, t):
    cube = make()
    f = lambda x: ag.sum(ag.sin(cube(ag.exp(x))))
    # d/dx sin(exp(3 x))
    slope = 3 * np.exp(3 * X) * np.cos(np.exp(3 * X))
    same(ag.grad(ag.remat(f))(x), slope)
    ag.checkpoint(f, t).backward()
    same(t.grad, slope)


@either
def test_without_recording(make, x, t):
    cube = make()
    with ag.no_grad():
        assert not cube(t).requires_grad
        same(cube(t), X**3)
        same(ag.grad(lambda x: ag.sum(cube(x)))(x), 3 * X**2)
    same(ag.grad(lambda x: ag.sum(cube(ag.stop_gradient(x)) + x))(x), np.ones(3))


@either
def test_a_graph_is_freed_as_any_other(make, t):
    cube = make()
    z = cube(t).sum()
    z.backward()
    with pytest.raises(GraphFreedError):
        z.backward()
    z = cube(t).sum()
    z.backward(retain_graph=True)
    z.backward()
    same(t.grad, 9 * X**2)


@either
def test_the_graph_goes_by_counting_references(make, t):
    cube = make()
    cube(t).sum().backward()
    gc.disable()
    try:
        z = cube(t)
        node, value = weakref.ref(z.grad_fn), weakref.ref(z)
        z.sum().backward()
        del z
        assert value() is None
        assert node() is None
    finally:
        gc.enable()


@either
def test_saved_values_are_packed(make, t):
    cube = make()
    packed = []

    def pack(x):
        packed.append(x)
        return host(x)

    with ag.autograd.graph.saved_tensors_hooks(pack, lambda values: constant(ag.core.facts.raw_space(t).name, values)):
        z = cube(t)
    assert packed
    z.sum().backward()
    same(t.grad, 3 * X**2)


@either
def test_tensors_give_tensors(make, agnograd_backend, x):
    cube = make()
    assert isinstance(cube(constant(agnograd_backend, X)), ag.Tensor)
    assert not cube(constant(agnograd_backend, X)).requires_grad
    assert isinstance(ag.grad(lambda x: ag.sum(cube(x)))(constant(agnograd_backend, X)), ag.Tensor)
    assert type(ag.grad(lambda x: ag.sum(cube(x)))(x)) is type(x)


@pytest.mark.parametrize("kind", [ag.custom_vjp, ag.custom_jvp], ids=["custom_vjp", "custom_jvp"])
def test_a_function_without_a_rule(kind):
    f = kind(lambda x: x)
    for call in (f, ag.grad(f)):
        with pytest.raises(MissingRuleError, match=rf"{kind.__name__} function <lambda> has no rule yet"):
            call(2.0)
    with pytest.raises(TypeError, match=rf"agnograd.{kind.__name__} takes a function, got float"):
        kind(2.0)


def closing_over(w, kind):
    """A function that closes over `w`, in its value or in its residuals."""
    if kind == "custom_jvp":
        f = ag.custom_jvp(lambda x: x * w)
        f.defjvp(lambda primals, tangents: (primals[0] * w, tangents[0] * w))
        return f
    if kind == "custom_gradient":
        return ag.custom_gradient(lambda x: (x * w, lambda g: g * w))
    f = ag.custom_vjp(lambda x: x * w)
    f.defvjp(lambda x: (x * w, ()), lambda _, g: (g * w,))
    return f


@pytest.mark.parametrize("kind", ["custom_vjp", "custom_jvp", "custom_gradient"])
def test_a_value_that_it_closes_over(kind, x, t):
    message = "closes over a value that '{}' differentiates or maps.*Pass it as an argument, or take"
    with pytest.raises(FunctionError, match=message.format("grad")):
        ag.grad(lambda x: ag.sum(closing_over(x, kind)(x)))(x)
    with pytest.raises(FunctionError, match=message.format("vmap")):
        ag.grad(lambda x: ag.sum(ag.vmap(lambda x: closing_over(x, kind)(x))(x)))(x)
    with pytest.raises(FunctionError, match=message.format("backward")):
        closing_over(t, kind)(t)
    # Where no derivative is asked for it is an operand as any other.
    same(ag.vmap(lambda x: closing_over(x, kind)(x))(x), X * X)
    # Of a level further out it is an operand as any other.
    f = lambda x: ag.sum(ag.grad(lambda y: ag.sum(closing_over(x, kind)(y * y)))(x))
    same(ag.grad(f)(x), 4 * X)
    g = ag.grad(lambda y: ag.sum(closing_over(t, kind)(y * y)))(x)
    g.sum().backward()
    same(t.grad, 2 * X)
