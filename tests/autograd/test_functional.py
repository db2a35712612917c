"""`agnograd.autograd.functional`, one test for each row of what PyTorch's does."""

from __future__ import annotations

import functools
import gc
import weakref

import numpy as np
import pytest
from made_tensors import host, raw, same

import agnograd as ag
from agnograd.autograd import Function, forward_ad
from agnograd.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from agnograd.errors import CotangentError, EscapedError, GradientError, NonScalarError, NotDifferentiableError

A = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 2.0]])


@pytest.fixture
def a(constant):
    return constant(A)


def cubes(x):
    return (x**3).sum()


def test_vjp(x, a, constant):
    value, product = vjp(lambda x: a @ (x * x), x, constant([1.0, 10.0]))
    same(value, A @ host(x) ** 2)
    same(product, 2 * host(x) * (A.T @ [1.0, 10.0]))
    assert not value.requires_grad
    assert not product.requires_grad
    # Without a vector for one element only, of whatever rank.
    same(vjp(cubes, x)[1], 3 * host(x) ** 2)
    same(vjp(lambda x: ag.reshape(cubes(x), (1, 1)), x)[1], 3 * host(x) ** 2)
    # Nor for a tuple of one.
    same(vjp(lambda x: (cubes(x),), x)[1], 3 * host(x) ** 2)
    # Neither the leaf's grad nor the leaf itself takes part.
    assert x.grad is None


def test_jvp(x, a, constant):
    v = constant([1.0, 0.0, -2.0])
    value, product = jvp(lambda x: a @ (x * x), x, v)
    same(value, A @ host(x) ** 2)
    same(product, A @ (2 * host(x) * host(v)))
    same(jvp(lambda t: t**3, x[:1])[1], 3 * host(x)[:1] ** 2)
    same(jvp(lambda t: t**3, (x[:1],))[1], 3 * host(x)[:1] ** 2)
    for call in (vhp, hvp):
        same(call(cubes, (x[:1],))[1][0], 6 * host(x)[:1])
    # Values without a derivative have a tangent of zeros.
    _, (moved, index) = jvp(lambda x: (x * 2, ag.argmax(x)), x, v)
    same(moved, 2 * host(v))
    same(index, 0)


def test_jvp_of_a_function_without_a_rule_for_forward_mode(x, constant):
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    same(jvp(Square.apply, x, constant([1.0, 1.0, 1.0]))[1], 2 * host(x))
    same(hvp(lambda x: Square.apply(x).sum(), x, constant([1.0, 1.0, 1.0]))[1], [2, 2, 2])


def test_tuple_in_tuple_out(x, leaf, constant):
    y = leaf(2.0)

    def f(x, y):
        return x * y, y * y

    v = (constant([1.0, 1.0, 1.0]), constant(1.0))
    value, products = vjp(f, (x, y), v)
    assert [type(p) for p in (value, products)] == [tuple, tuple]
    same(products[0], [2, 2, 2])
    same(products[1], host(x).sum() + 4)
    value, products = jvp(f, (x, y), v)
    same(products[0], 2 + host(x))
    same(products[1], 4)
    # A tuple of one stays a tuple.
    assert isinstance(vjp(lambda x: (x * 2,), x, (v[0],))[0], tuple)
    assert isinstance(vjp(lambda x: x * 2, (x,), v[0])[1], tuple)
    (xx, xy), (yx, yy) = jacobian(f, (x, y))
    same(xx, 2 * np.eye(3))
    same(xy, host(x))
    same(yx, [0, 0, 0])
    same(yy, 4)
    (hxx, hxy), (hyx, hyy) = hessian(lambda x, y: (x * x * y).sum() + y**3, (x, y))
    same(hxx, 4 * np.eye(3))
    same(hxy, 2 * host(x))
    same(hyx, 2 * host(x))
    same(hyy, 12)
    value, products = vhp(lambda x, y: (x * x * y).sum() + y**3, (x, y), v)
    same(products[0], 4 + 2 * host(x))
    same(products[1], 2 * host(x).sum() + 12)
    for found, expected in zip(hvp(lambda x, y: (x * x * y).sum() + y**3, (x, y), v)[1], products, strict=True):
        same(found, host(expected))


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
@pytest.mark.parametrize("vectorize", [False, True])
def test_jacobian(x, a, strategy, vectorize):
    found = jacobian(lambda x: a @ ag.sin(x), x, strategy=strategy, vectorize=vectorize)
    same(found, A * np.cos(host(x)))
    assert not found.requires_grad
    # Axes of the output, then axes of the input.
    found = jacobian(lambda a: a @ ag.stop_gradient(x), a, strategy=strategy)
    assert found.shape == (2, 2, 3)
    same(found, np.einsum("ij,k->ijk", np.eye(2), host(x)))
    # A function of nothing is constant, and nothing has no derivative.
    same(jacobian(lambda x: x.detach() * 1.0, x, strategy=strategy), np.zeros((3, 3)))
    assert jacobian(lambda x: x[:0] * 2, x, strategy=strategy).shape == (0, 3)
    assert jacobian(lambda x: x[:, None] * x, x[:0], strategy=strategy).shape == (0, 0, 0)


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_hessian(x, strategy):
    expected = np.diag(6 * host(x)) + np.ones((3, 3)) * 2
    same(hessian(lambda x: cubes(x) + x.sum() ** 2, x, outer_jacobian_strategy=strategy), expected)
    # One element of any rank.
    one = hessian(lambda x: ag.reshape(cubes(x), (1, 1)), x, outer_jacobian_strategy=strategy, vectorize=True)
    same(one, np.diag(6 * host(x)))
    same(hessian(lambda x: x.sum(), x, outer_jacobian_strategy=strategy), np.zeros((3, 3)))


@pytest.mark.parametrize("product", [vhp, hvp])
def test_products_with_the_hessian(x, constant, product):
    v = constant([1.0, 2.0, -1.0])
    value, found = product(cubes, x, v)
    same(value, (host(x) ** 3).sum())
    same(found, 6 * host(x) * host(v))
    assert not found.requires_grad
    same(product(lambda x: x.sum(), x, v)[1], [0, 0, 0])


def test_complex_numbers(leaf, constant):
    z, v = leaf(np.array([1 + 2j, 0.5 - 1j])), constant(np.array([1 - 1j, 2j]))
    same(vjp(lambda z: z * z, z, v)[1], np.conj(2 * host(z)) * host(v))
    same(jvp(lambda z: z * z, z, v)[1], 2 * host(z) * host(v))
    same(jacobian(lambda z: ag.real(z * z), z), np.diag(np.conj(2 * host(z))))
    # A real function of real numbers on the way through complex ones.
    x = leaf([1.0, 2.0])
    same(jvp(lambda x: ag.imag(x * (1 + 2j) * x), x, constant([1.0, 1.0]))[1], 4 * host(x))


def test_create_graph(x, constant):
    v = constant([1.0, 1.0, 1.0])
    for found, derivative in (
        (vjp(lambda x: x**3, x, v, create_graph=True)[1], 6 * host(x)),
        (jvp(lambda x: x**3, x, v, create_graph=True)[1], 6 * host(x)),
        (vhp(cubes, x, v, create_graph=True)[1], [6, 6, 6]),
        (hvp(cubes, x, v, create_graph=True)[1], [6, 6, 6]),
        (jacobian(lambda x: x**3, x, create_graph=True), 6 * host(x)),
        (jacobian(lambda x: x**3, x, create_graph=True, strategy="forward-mode"), 6 * host(x)),
        (hessian(cubes, x, create_graph=True), [6, 6, 6]),
        (hessian(cubes, x, create_graph=True, outer_jacobian_strategy="forward-mode"), [6, 6, 6]),
    ):
        assert found.requires_grad
        x.grad = None
        found.sum().backward()
        same(x.grad, derivative)
    value, _ = vjp(lambda x: x**3, x, v, create_graph=True)
    assert value.requires_grad
    # By the vector, too, and by what the function closes over.
    w, c = (ag.ones_like(x).requires_grad_() for _ in range(2))
    jvp(lambda x: c * x**2, x, w, create_graph=True)[1].sum().backward()
    same(w.grad, 2 * host(x))
    same(c.grad, 2 * host(x))


def test_a_function_may_differentiate(x):
    # Its tensors are on the user's own graph.
    def slope(x):
        (g,) = ag.autograd.grad(cubes(x), x, create_graph=True)
        return g

    same(jacobian(slope, x), np.diag(6 * host(x)))
    same(jacobian(lambda x: jacobian(cubes, x, create_graph=True), x), np.diag(6 * host(x)))


def test_an_argument_is_not_the_tensor_that_the_function_closes_over(x, constant):
    same(vjp(lambda y: y * x, x, constant([1.0, 1.0, 1.0]))[1], host(x))


def test_under_no_grad(x, constant):
    v = constant([1.0, 1.0, 1.0])
    with ag.no_grad():
        same(vjp(lambda x: x**2, x, v)[1], 2 * host(x))
        same(jvp(lambda x: x**2, x, v)[1], 2 * host(x))
        same(hvp(cubes, x, v)[1], 6 * host(x))
        for strategy in ("reverse-mode", "forward-mode"):
            same(jacobian(lambda x: x**2, x, strategy=strategy), np.diag(2 * host(x)))
            same(hessian(cubes, x, outer_jacobian_strategy=strategy), np.diag(6 * host(x)))
        found = jacobian(lambda x: x**2, x, create_graph=True)
        assert found.requires_grad
    found.sum().backward()
    same(x.grad, [2, 2, 2])


def test_nothing_is_kept(x):
    kept = []

    def f(x):
        y = x * 2
        kept.append(weakref.ref(y.grad_fn))
        return y

    value, _ = vjp(f, x, ag.ones_like(x.detach()))
    rows = jacobian(f, x)
    assert [r() for r in kept] == [None, None]
    assert value.grad_fn is rows.grad_fn is None
    assert not gc.garbage


def test_strict(x, constant):
    v = constant([1.0, 1.0, 1.0])
    independent = r"independent of input 1\. This is not allowed in strict mode"
    for call in (vjp, jvp):
        vector = v if call is vjp else (v, v)
        with pytest.raises(GradientError, match=independent):
            call(lambda x, y: x * 2, (x, x), vector, strict=True)
        found = call(lambda x, y: x * 2, (x, x), vector)[1]
        same(found[1] if call is vjp else found, [0, 0, 0] if call is vjp else [2, 2, 2])
    with pytest.raises(GradientError, match="Output 0 of the user-provided function is " + independent):
        jacobian(lambda x, y: x * 2, (x, x), strict=True, vectorize=True)
    with pytest.raises(GradientError, match="Output 1 of the user-provided function does not require gradients"):
        jacobian(lambda x: (x, x.detach()), x, strict=True)
    with pytest.raises(GradientError, match=r"jacobian .* independent of input 0.* when create_graph=True"):
        jacobian(lambda x: x * 2, x, strict=True, create_graph=True)
    linear = r"While computing the hessian, found that the jacobian .* with respect to input 0 is independent"
    for call in (lambda: hessian(lambda x: x.sum(), x, strict=True), lambda: vhp(lambda x: x.sum(), x, v, strict=True)):
        with pytest.raises(GradientError, match=linear):
            call()
    with pytest.raises(GradientError, match=r"The hessian .* independent of input 0.* when create_graph=True"):
        hessian(lambda x: (x * x).sum(), x, strict=True, create_graph=True)
    same(hessian(cubes, x, strict=True), np.diag(6 * host(x)))
    with pytest.raises(GradientError, match=r'`strict=True` and `strategy="forward-mode"` are not supported together'):
        jacobian(cubes, x, strict=True, strategy="forward-mode")


def test_wrong_vectors(x, constant):
    v = constant([1.0, 1.0, 1.0])
    only = "The vector v can only be None if the {} a single Tensor with a single element"
    with pytest.raises(CotangentError, match=only.format("user-provided function returns")):
        vjp(lambda x: x * 2, x)
    for call in (jvp, vhp, hvp):
        with pytest.raises(CotangentError, match=only.format("input to the user-provided function is")):
            call(cubes, x)
    with pytest.raises(CotangentError, match=r"v has invalid size: should be \(3,\) but got \(2,\)"):
        jvp(cubes, x, v[:2])
    with pytest.raises(CotangentError, match=r"Entry 1 in v has invalid size: should be \(3,\) but got \(1,\)"):
        jvp(lambda x, y: x * y, (x, x), (v, v[:1]))
    with pytest.raises(CotangentError, match="v is a tuple of invalid length: should be 2 but got 1"):
        jvp(lambda x, y: x * y, (x, x), v)
    with pytest.raises(CotangentError, match="The given v should contain a single Tensor"):
        jvp(cubes, x, (v, v))


def test_wrong_types(x):
    must = "must be either a Tensor or a tuple of Tensors but"
    with pytest.raises(TypeError, match=f"The inputs given to jacobian {must} the given inputs has type list"):
        jacobian(cubes, [x])
    with pytest.raises(TypeError, match=f"The inputs given to vjp {must} the value at index 1 has type float"):
        vjp(cubes, (x, 2.0))
    with pytest.raises(TypeError, match=f"The v given to jvp {must} the given v has type int"):
        jvp(cubes, x, 1)
    with pytest.raises(TypeError, match=f"The outputs of the user-provided function given to hvp {must} .* type dict"):
        hvp(lambda x: {}, x, x)
    with pytest.raises(GradientError, match="The inputs given to vjp must not be empty"):
        vjp(lambda: x, ())
    with pytest.raises(NotDifferentiableError, match="floating point"):
        jacobian(cubes, ag.astype(x, x.__array_namespace__().int64))
    with pytest.raises(ValueError, match='either "forward-mode" or "reverse-mode", got'):
        jacobian(cubes, x, strategy="mixed")


def test_wrong_functions(x, leaf):
    for call in (hessian, lambda f, x: hvp(f, x, x), lambda f, x: vhp(f, x, x)):
        with pytest.raises(NonScalarError, match=r"should contain a single element, it has shape \(3,\)"):
            call(lambda x: x * 2, x)
        with pytest.raises(NonScalarError, match="should return a single Tensor, got a tuple of 1"):
            call(lambda x: (x.sum(),), x)
    with pytest.raises(TypeError, match="should return a single Tensor, got an object of type float"):
        hessian(lambda x: 1.0, x, outer_jacobian_strategy="forward-mode")
    z = leaf(np.array([1j]))
    with pytest.raises(NonScalarError, match="defined for real outputs"):
        jacobian(lambda z: z * z, z)
    with pytest.raises(NonScalarError, match="defined for real inputs"):
        jacobian(lambda z: z * z, z, strategy="forward-mode")


def test_inside_a_transformation_it_raises_rather_than_losing_a_derivative(x):
    with pytest.raises(EscapedError, match=r"belong to the transformation 'grad'.* agnograd\.grad, vjp, jvp or hvp"):
        ag.grad(lambda x: jacobian(cubes, x).sum())(x)
    for found in (jacobian, functools.partial(jacobian, strategy="forward-mode")):
        with pytest.raises(EscapedError, match="outputs of the user-provided function given to jacobian belong"):
            ag.grad(lambda c, found=found: found(lambda x: (c * x).sum(), x).sum())(x)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, ag.ones_like(x))
        with pytest.raises(EscapedError, match="belong to the transformation 'dual_level'"):
            vjp(cubes, dual)


def test_precision_and_place_are_those_of_the_inputs(agnograd_backend):
    x = ag.tensor(raw(agnograd_backend, np.array([1.0, 2.0], np.float32)))
    for found in (
        vjp(cubes, x)[1],
        jvp(lambda x: x * 2, x, x)[1],
        hvp(cubes, x, x)[1],
        jacobian(lambda x: x * x, x),
        jacobian(lambda x: x * x, x, strategy="forward-mode"),
        hessian(cubes, x),
    ):
        assert found.dtype == x.dtype
        assert found.device == x.device


def test_on_dask_nothing_is_computed():
    testing = pytest.importorskip("agnograd.testing")
    da = pytest.importorskip("dask.array")
    x = ag.tensor(da.from_array(np.array([1.0, 2.0, 3.0]), chunks=2))
    with testing.forbid_compute():
        results = [
            vjp(cubes, x)[1],
            jvp(lambda x: x**3, x, x)[1],
            hvp(cubes, x, x)[1],
            jacobian(lambda x: x**3, x),
            jacobian(lambda x: x**3, x, strategy="forward-mode"),
            hessian(cubes, x),
        ]
    same(results[-1], np.diag(6 * host(x)))
    unknown = x[x > 1.5]
    with pytest.raises(GradientError, match="whose number is unknown"):
        jacobian(lambda x: x * 2, unknown)


def test_a_batch_of_no_cotangents(x):
    (found,) = ag.autograd.grad(x * 2, x, ag.ones_like(x.detach())[None, ...][:0], is_grads_batched=True)
    assert found.shape == (0, 3)
    with pytest.raises(CotangentError, match=r"first dimension of each grad_output .* got shapes \[\(\)\]"):
        ag.autograd.grad(x.sum(), x, ag.sum(ag.ones_like(x.detach())), is_grads_batched=True)


# -- vectorized --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_vectorized_jacobian(leaf, strategy, create_graph):
    x, y = leaf([1.0, 2.0, 3.0]), leaf([[0.5, -1.0]])

    def f(x, y):
        return ag.sin(x) * ag.sum(y), y * x[0], ag.sum(x)

    options = {"create_graph": create_graph, "strategy": strategy}
    together = jacobian(f, (x, y), vectorize=True, **options)
    for row, expected in zip(together, jacobian(f, (x, y), **options), strict=True):
        for block, other in zip(row, expected, strict=True):
            assert block.shape == other.shape
            assert block.requires_grad == other.requires_grad
            same(block, host(other))


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_vectorized_hessian(leaf, strategy):
    x = leaf([1.0, 2.0, 3.0])

    def f(x):
        return ag.sum(x**3) * x[0]

    together = hessian(f, x, vectorize=True, outer_jacobian_strategy=strategy)
    same(together, host(hessian(f, x, outer_jacobian_strategy=strategy)))


def test_vectorized_is_one_pass(leaf):
    x = leaf([1.0, 2.0, 3.0])
    passes = []

    def f(x):
        y = ag.exp(x)
        y.register_hook(lambda g: passes.append(tuple(g.shape)))
        return y * 2

    jacobian(f, x, vectorize=True)
    jacobian(f, x)
    assert passes == [(3,)] * 4
