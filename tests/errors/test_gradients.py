"""Bad input of the backward pass: dtypes that carry no gradient, cotangents that do not fit, passes that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from bad_input import OPERANDS, A, B, C, check, over

import agnograd as ag
from agnograd.errors import (
    CotangentError,
    ForeignArrayError,
    GradientError,
    GraphFreedError,
    NoGraphError,
    NonScalarError,
    NotDifferentiableError,
    UnusedInputError,
)

INTEGER = (
    "only tensors of floating point and complex dtype can require gradients",
    "this one has dtype int64 (shape (3,), int64, numpy on cpu)",
    "convert it first: x.astype(x.__array_namespace__().float64)",
)
NOT_DIFFERENTIABLE = {
    "tensor": (NotDifferentiableError, lambda: ag.tensor([1, 2, 3], requires_grad=True), *INTEGER),
    "ones": (NotDifferentiableError, lambda: ag.ones(3, dtype=ag.int64, requires_grad=True), *INTEGER),
    "asarray": (NotDifferentiableError, lambda: ag.asarray([1, 2, 3], requires_grad=True), *INTEGER),
    "boolean": (NotDifferentiableError, lambda: ag.tensor([True], requires_grad=True), "dtype bool (shape (1,), bool"),
    "setter": (NotDifferentiableError, lambda integers: setattr(integers, "requires_grad", True), *INTEGER),
    "method": (NotDifferentiableError, lambda integers: integers.requires_grad_(), *INTEGER),
    "another backend": (
        NotDifferentiableError,
        lambda strict_integers: strict_integers.requires_grad_(),
        "dtype int64 (shape (3,), int64, strict on Device('CPU_DEVICE'))",
    ),
    "data": (
        NotDifferentiableError,
        lambda leaf, integers: setattr(leaf, "data", integers),
        "data set to a tensor that requires gradients must be floating point or complex, got shape (3,), int64, numpy",
    ),
    "flag that is no bool": (
        TypeError,
        lambda leaf: setattr(leaf, "requires_grad", 1),
        "requires_grad must be a bool, got int",
    ),
    "flag of a computed tensor": (
        RuntimeError,
        lambda leaf: setattr(leaf * 2, "requires_grad", False),
        "you can only change requires_grad flags of leaf variables",
        "x.detach()",
    ),
}


@over(NOT_DIFFERENTIABLE)
def test_dtypes_that_carry_no_gradient(case):
    check(case)


COTANGENTS = {
    "shape": (
        CotangentError,
        lambda leaf: (leaf * 2).backward(ag.ones(2)),
        "Mismatch in shape: grad_output[0] has a shape of (2,) and output[0] has a shape of (3,)",
        "(shape (3,), float64, numpy on cpu)",
        "Pass a gradient of that shape",
    ),
    "shape that would broadcast": (
        CotangentError,
        lambda leaf: (leaf * 2).backward(np.ones(1)),
        "grad_output[0] has a shape of (1,) and output[0] has a shape of (3,)",
    ),
    "complex for a real root": (
        CotangentError,
        lambda leaf: (leaf * 2).backward(ag.tensor([1j, A, B])),
        "output[0] is real (shape (3,), float64, numpy on cpu)",
        "grad_output[0] is complex (shape (3,), complex128, numpy on cpu)",
        "pass its real part",
    ),
    "another backend": (
        CotangentError,
        lambda leaf, strict: (leaf * 2).backward(strict),
        "grad_output[0] belongs to another backend (shape (3,), float64, strict on Device('CPU_DEVICE'))",
        "output[0] (shape (3,), float64, numpy on cpu)",
        "agnograd.to_backend(gradient, 'numpy')",
    ),
    "raw array of another backend": (
        CotangentError,
        lambda leaf, strict_raw: (leaf * 2).backward(strict_raw),
        "another backend (shape (3,), float64, strict on",
    ),
    "another device": (
        CotangentError,
        lambda strict_leaf, on_device1: (strict_leaf * 2).backward(on_device1),
        "grad_output[0] (shape (3,), float64, strict on Device('device1'))",
        "output[0] (shape (3,), float64, strict on Device('CPU_DEVICE'))",
        "gradient.to_device(output.device)",
    ),
    "second of two": (
        CotangentError,
        lambda leaf: ag.autograd.backward([leaf * 2, leaf * 3], [ag.ones(3), ag.ones(2)]),
        "grad_output[1] has a shape of (2,) and output[1] has a shape of (3,)",
    ),
    "too few": (
        ValueError,
        lambda leaf: ag.autograd.grad([leaf.sum(), leaf.sum()], leaf, [ag.ones(())]),
        "got 2 tensors and 1 gradients",
    ),
    "list": (
        ForeignArrayError,
        lambda leaf: (leaf * 2).backward([A, B, C]),
        "gradients can be either tensors, arrays or None, but got list",
        "agnograd.tensor",
        "shape (3,)",
    ),
    "number": (ForeignArrayError, lambda leaf: leaf.sum().backward(A), "but got float", "the output has shape ()"),
    "unknown array": (ForeignArrayError, lambda leaf, unknown: leaf.backward(unknown), "but got Unknown"),
    "assigned grad": (
        CotangentError,
        lambda leaf: setattr(leaf, "grad", ag.ones(2)),
        "assigned grad has shape (2,), float64, numpy on cpu, the tensor shape (3,), float64, numpy on cpu",
    ),
    "assigned grad of another backend": (
        CotangentError,
        lambda leaf, strict: setattr(leaf, "grad", strict),
        "assigned grad has shape (3,), float64, strict on Device('CPU_DEVICE'), the tensor shape (3,), float64, numpy",
    ),
    "assigned array": (
        TypeError,
        lambda leaf, raw: setattr(leaf, "grad", raw),
        "assigned grad expected to be a Tensor or None but got ndarray",
    ),
}


@over(COTANGENTS)
def test_gradients_that_do_not_fit(case):
    check(case)


BACKWARD = {
    "not a scalar": (
        NonScalarError,
        lambda leaf: (leaf * 2).backward(),
        "grad can be implicitly created only for scalar outputs: this one has shape (3,), float64, numpy on cpu",
        "Pass gradient= with that shape",
        ".sum()",
    ),
    "complex scalar": (
        NonScalarError,
        lambda leaf: (leaf * 1j).sum().backward(),
        "grad can be implicitly created only for real scalar outputs but got complex128 (shape (), complex128, numpy",
        "gradient=",
        "the abs",
    ),
    "no graph": (
        NoGraphError,
        lambda constant: constant.backward(),
        "element 0 of tensors does not require grad and does not have a grad_fn (shape (3,), float64, numpy on cpu)",
        "requires_grad=True",
        "no_grad()",
        "detach()",
    ),
    "computed under no_grad": (
        NoGraphError,
        lambda leaf: ag.no_grad(lambda: leaf.sum())().backward(),
        "element 0 of tensors does not require grad and does not have a grad_fn (shape (), float64, numpy on cpu)",
    ),
    "second of two without a graph": (
        NoGraphError,
        lambda leaf, constant: ag.autograd.backward([leaf.sum(), constant]),
        "element 1 of tensors does not require grad",
    ),
    "raw array": (
        NoGraphError,
        lambda raw: ag.autograd.backward(raw),
        "element 0 of tensors does not require grad and does not have a grad_fn (shape (3,), float64, numpy on cpu)",
    ),
    "nothing": (ForeignArrayError, lambda: ag.autograd.backward(None), "element 0 of tensors is", "NoneType"),
    "empty list": (
        GradientError,
        lambda: ag.autograd.backward([]),
        "`tensors` argument to `backward()` cannot be empty",
    ),
    "no inputs": (
        GradientError,
        lambda leaf: ag.autograd.grad(leaf.sum(), []),
        "`inputs` argument to `grad()` cannot be empty",
    ),
    "no inputs of backward": (
        GradientError,
        lambda leaf: leaf.sum().backward(inputs=[]),
        "`inputs` argument to `backward()` cannot be empty",
    ),
    "input without grad": (
        NoGraphError,
        lambda leaf, constant: ag.autograd.grad(leaf.sum(), [leaf, constant]),
        "one of the differentiated tensors does not require grad: input 1 (shape (3,), float64, numpy on cpu)",
        "requires_grad=True",
    ),
    "input that is an array": (
        NoGraphError,
        lambda leaf, raw: ag.autograd.grad(leaf.sum(), raw),
        "input 0 (shape (3,), float64, numpy on cpu)",
    ),
    "input that is no array": (
        ForeignArrayError,
        lambda leaf: ag.autograd.grad(leaf.sum(), 3),
        "input 0 of grad() is an object of type int",
    ),
    "unused input": (
        UnusedInputError,
        lambda leaf, strict_leaf: ag.autograd.grad(leaf.sum(), [leaf, strict_leaf]),
        "the differentiated tensor at index 1 (shape (3,), float64, strict on Device('CPU_DEVICE'))",
        "appears to not have been used in the graph",
        "allow_unused=True",
    ),
}


@over(BACKWARD)
def test_backward_passes_that_cannot_be(case):
    check(case)


SECOND = {
    "backward": lambda loss, leaf: loss.backward(),
    "grad": lambda loss, leaf: ag.autograd.grad(loss, leaf),
    "through something new": lambda loss, leaf: (loss * 2).backward(),
    "recorded": lambda loss, leaf: loss.backward(create_graph=True),
}


@pytest.mark.parametrize("name", SECOND)
def test_a_second_pass_through_a_freed_graph(name):
    leaf = OPERANDS["leaf"]()
    loss = (leaf * leaf).sum()
    loss.backward()
    words = ("backward through the graph a second time", "freed by the first pass", "retain_graph=True", "(shape (), ")
    check((GraphFreedError, SECOND[name], *words), loss, leaf)
    assert leaf.grad.tolist() == [2 * A, 2 * B, 2 * C]
