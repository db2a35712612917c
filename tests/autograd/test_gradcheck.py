"""`agnograd.autograd.gradcheck` and `gradgradcheck`: right derivatives pass, and each kind of wrong one is found."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest
from made_tensors import raw

import agnograd as ag
from agnograd import testing
from agnograd.autograd import Function, gradcheck, gradgradcheck
from agnograd.core.table import register, unregister
from agnograd.errors import AgnogradError, GradcheckError
from agnograd.hookspecs import Sample, Uniform, general

MODES = [{}, {"fast_mode": True}]
EVERYTHING = {
    "check_forward_ad": True,
    "check_batched_grad": True,
    "check_grad_dtypes": True,
    "check_undefined_grad": True,
}


def function(backward, forward=lambda x: x * 1, materialize=True):
    """A custom function of one argument, with a backward that may be wrong."""

    class Custom(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(materialize)
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, *gs):
            return backward(*ctx.saved_tensors, *gs)

    return Custom.apply


@pytest.fixture
def matrix(leaf):
    return leaf([[1.0, 2.0], [-1.0, 0.5]])


@pytest.fixture
def x(leaf):
    return leaf([1.5, -0.5])


@pytest.fixture
def z(leaf):
    return leaf(np.array([1 + 2j, 0.5 - 1j]))


@pytest.mark.parametrize("mode", MODES)
def test_right_derivatives_pass(x, matrix, constant, mode, agnograd_backend):
    every = {**EVERYTHING, **mode}
    two = lambda x, m: (ag.sin(x) @ m, (m * m).sum())
    assert gradcheck(two, (x, matrix), **mode) is True
    assert gradcheck(two, (x, matrix), **every) is True
    assert gradcheck(lambda x: [x * 2], [x], **every) is True
    # Constants, and outputs without a derivative.
    assert gradcheck(lambda x, c: (x * c, ag.argmax(x), x.detach()), (x, constant([1.0, 2.0])), **every)
    assert gradcheck(lambda x, n: x**n, (x, 3), **every)
    # Nothing, and of nothing.
    assert gradcheck(lambda x: x[:0], x, **every)
    assert gradcheck(lambda x: x.sum(), x[:0], **every)
    if agnograd_backend == "dask" and not mode:
        return  # where every pass takes milliseconds, second derivatives are checked in fast mode only
    second = {k: v for k, v in every.items() if k != "check_forward_ad"}
    assert gradgradcheck(two, (x, matrix), check_fwd_over_rev=True, **second) is True
    assert gradgradcheck(lambda x: (x * 2, x**3), x, gen_non_contig_grad_outputs=True, **second) is True


@pytest.mark.parametrize("mode", MODES)
def test_complex_numbers(x, z, mode, agnograd_backend):
    every = {**EVERYTHING, **mode}
    cases = {
        "C to C": (lambda z: z * z * ag.conj(z), z),
        "C to R": (lambda z: ag.real(z * z) + ag.abs(z), z),
        "R to C": (lambda x: x * (1 + 2j) * x, x),
        "both": (lambda x, z: (x * z, ag.imag(z) * x), (x, z)),
    }
    # All kinds at once where every pass takes milliseconds.
    for f, inputs in [cases["both"]] if agnograd_backend == "dask" else cases.values():
        assert gradcheck(f, inputs, **every)
        second = {k: v for k, v in every.items() if k != "check_forward_ad"}
        assert gradgradcheck(f, inputs, check_fwd_over_rev=True, **second)
    with pytest.raises(GradcheckError, match=r"the imaginary part of element \(\d,\) of the in"):
        gradcheck(lambda z: ag.stop_gradient(z) * z, z)
    conj = function(lambda z, g: g * z, lambda z: z * z / 2)  # not conjugated
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"):
        gradcheck(conj, z, **mode)


@pytest.mark.parametrize("mode", MODES)
def test_wrong_derivatives_are_found(x, mode):
    wrong = lambda x, y: (x * y, x * y.detach())
    expected = "Jacobian mismatch for output 1 with respect to input 1, numerical: .*, analytical: .* entries differ"
    with pytest.raises(GradcheckError, match=expected):
        gradcheck(wrong, (x, x.detach().requires_grad_()), **mode)
    expected = "Jacobian computed with forward mode mismatch for output 1 with respect to input 1"
    with pytest.raises(GradcheckError, match=expected):
        gradcheck(wrong, (x, x.detach().requires_grad_()), check_forward_ad=True, check_backward_ad=False, **mode)
    # The first derivative is right, the second is not.
    first = function(lambda x, g: 3 * x.detach() ** 2 * g, lambda x: x**3)
    assert gradcheck(first, x, **mode)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"):
        gradgradcheck(first, x, **mode)
    # One mode may be wrong where the other is right.
    assert gradcheck(_op_with_a_wrong_jvp, x, **mode)
    with pytest.raises(GradcheckError, match="computed with forward mode mismatch"):
        gradcheck(_op_with_a_wrong_jvp, x, check_forward_ad=True, **mode)
    with pytest.raises(GradcheckError, match="computed with forward mode mismatch"):
        gradgradcheck(
            lambda x: _op_with_a_wrong_jvp(x) ** 2, x, check_fwd_over_rev=True, check_rev_over_rev=False, **mode
        )


class _Doubled(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2

    @staticmethod
    def jvp(ctx, t):
        return t * 3


_op_with_a_wrong_jvp = _Doubled.apply


def test_no_message_shows_values(leaf):
    x = leaf([1234.5678, 2.0])
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda x: x * ag.stop_gradient(x) * 8.7654321, x)
    text = str(caught.value)
    assert "shape (2,), float64" in text
    assert "element (0,) of the output and element (0,) of the input" in text
    assert not any(part in text for part in ("1234", "8.76", "array(", "tensor("))


def test_raise_exception(x):
    wrong = lambda x: x * x.detach()
    assert gradcheck(wrong, x, raise_exception=False) is False
    assert gradgradcheck(lambda x: x**2 * x.detach(), x, raise_exception=False) is False
    assert issubclass(GradcheckError, (AgnogradError, AssertionError, RuntimeError))
    # Of PyTorch's, of JAX's, of agnograd's own checks: one error.
    assert importlib.import_module("agnograd.autograd.gradcheck").GradcheckError is GradcheckError
    assert testing.GradcheckError is GradcheckError

    def fails(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        gradcheck(fails, x, raise_exception=False)


def test_tolerances(x):
    near = function(lambda x, g: g * (1 + 1e-4))
    assert gradcheck(near, x)
    with pytest.raises(GradcheckError, match="allowed 1e-06"):
        gradcheck(near, x, rtol=0.0, atol=1e-6)
    assert gradcheck(near, x, rtol=0.0, atol=1e-3)
    # A coarse step misses the derivative of what bends.
    with pytest.raises(GradcheckError, match="mismatch"):
        gradcheck(lambda x: ag.sin(20 * x), x, eps=0.1)


def test_a_lost_gradient_is_found(x):
    with pytest.raises(GradcheckError, match="Numerical gradient for function expected to be zero"):
        gradcheck(lambda x: (x * x).detach(), x)
    assert gradcheck(lambda x: ag.ones_like(x.detach()), x)
    assert gradcheck(lambda x: ag.argmax(x), x)


def test_determinism(x):
    calls = []

    def backward(x, g):
        calls.append(1)
        return g * (1 + 1e-9 * len(calls))

    with pytest.raises(GradcheckError, match=r"Backward is not reentrant, .* tolerance for nondeterminism was 0\.0"):
        gradcheck(function(backward), x)
    assert gradcheck(function(backward), x, nondet_tol=1e-6)


def test_linear_in_the_cotangent(leaf):
    # One element, whose only cotangent in the Jacobian is one.
    constant = function(lambda x, g: g * 0 + 1)
    with pytest.raises(GradcheckError, match="backward not multiplied by grad_output"):
        gradcheck(constant, leaf([1.0]))


def test_undefined_gradients(x):
    def three(handle):
        def backward(x, *gs):
            handle(gs)
            return sum((k * g for k, g in enumerate(gs, 1) if g is not None), 0 * x)

        return function(backward, lambda x: (x * 1, x * 2, x * 3), materialize=False)

    def fails(gs):
        if [g is None for g in gs] == [False, True, False]:
            raise TypeError("mine")

    assert gradcheck(three(lambda gs: None), x)
    with pytest.raises(GradcheckError, match=r"it fails where output 1 .* has none") as caught:
        gradcheck(three(fails), x)
    assert str(caught.value.__cause__) == "mine"
    assert gradcheck(three(fails), x, check_undefined_grad=False)

    def backward(x, *gs):
        total = sum((k * g for k, g in enumerate(gs, 1) if g is not None), 0 * x)
        return total + 1 if [g is None for g in gs] == [False, True, False] else total

    wrong = function(backward, lambda x: (x * 1, x * 2, x * 3), materialize=False)
    with pytest.raises(GradcheckError, match=r"undefined grad of output 1 .* to count as zero"):
        gradcheck(wrong, x)


def test_undefined_tangents(x):
    class Product(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(False)
            ctx.save_for_forward(x, y)
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return g * y, g * x

        @staticmethod
        def jvp(ctx, s, t):
            x, y = ctx.saved_tensors
            ahead = (0 if s is None else s * y) + (0 if t is None else t * x)
            return ahead + 1 if undefined_is_wrong and t is None and abs(s).max() < 1 else ahead

    y = x.detach().requires_grad_()
    # Wrong where one tangent is missing and the other is none of the Jacobian's directions.
    undefined_is_wrong = False
    assert gradcheck(Product.apply, (x, y), check_forward_ad=True)
    undefined_is_wrong = True
    with pytest.raises(GradcheckError, match="tangent values when input 1 has an undefined tangent"):
        gradcheck(Product.apply, (x, y), check_forward_ad=True)


CHANGING = {
    "shape": lambda x: x[:1] * 1,
    "dtype": lambda x: ag.astype(x, x.__array_namespace__().float32),
}


@pytest.mark.parametrize("what", CHANGING)
def test_outputs_must_not_change_with_values(x, what):
    here = x.detach().clone()

    def f(x):
        return x * 1 if (x == here).all() else CHANGING[what](x)

    with pytest.raises(GradcheckError, match=f"Expected `func` to return outputs with the same {what}"):
        gradcheck(f, x)


def test_wrong_arguments(x, agnograd_backend):
    for call in (gradcheck, gradgradcheck):
        with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
            call(lambda x: x * 2, x.detach(), raise_exception=False)
    with pytest.raises(AssertionError, match="at least one of check_forward_ad or check_backward_ad"):
        gradcheck(ag.exp, x, check_backward_ad=False)
    with pytest.raises(AssertionError, match="at least one of check_fwd_over_rev or check_rev_over_rev"):
        gradgradcheck(ag.exp, x, check_rev_over_rev=False)
    with pytest.raises(AssertionError, match="check_batched_grad=True requires"):
        gradcheck(ag.exp, x, check_batched_grad=True, check_backward_ad=False, check_forward_ad=True)
    with pytest.raises(AssertionError, match="check_batched_grad=True requires"):
        gradgradcheck(ag.exp, x, check_batched_grad=True, check_rev_over_rev=False, check_fwd_over_rev=True)
    single = ag.tensor(raw(agnograd_backend, np.array([1.0, 2.0], np.float32)), requires_grad=True)
    with pytest.warns(UserWarning, match="Input #1 requires gradient and is not a double precision") as caught:
        gradcheck(lambda c, x: x * 1, (1.0, single), eps=1e-2)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradcheck(ag.exp, x)


def test_given_cotangents(x, constant):
    # A constant one is not varied.
    assert gradgradcheck(lambda x: x**3, x, constant([1.0, 2.0]))
    assert gradgradcheck(lambda x: (x**3, x * 2), x, (constant([1.0, 2.0]), x.detach().requires_grad_()))
    with pytest.raises(ValueError, match="has a shape of"):
        gradgradcheck(lambda x: x**3, x, constant([1.0, 2.0, 3.0]))


def test_inputs_that_are_no_leaves(x):
    assert gradcheck(lambda y: ag.sin(y), x * 2)
    assert x.grad is None


WRONG_RULES = {
    "Gradient has dtype mismatch": lambda xp, g: xp.astype(g, xp.float32),
    "Analytical gradient has incorrect size": lambda xp, g: g[:2],
}


@pytest.mark.parametrize("message", WRONG_RULES)
def test_gradients_that_are_not_like_their_input(leaf, message):
    # As a rule of a plugin may make them.
    op = general(
        "test.wrong(x, /)",
        body=lambda xp, x: xp.positive(x),
        vjp={"x": WRONG_RULES[message]},
        jvp={"x": lambda xp, t: t},
        samples=[Sample((Uniform(),))],
    )
    register(op)
    try:
        with pytest.raises(GradcheckError, match=message):
            gradcheck(op.call, leaf([1.0, 2.0, 3.0]), check_grad_dtypes=True)
    finally:
        unregister(op.name)
