"""Bad input of the transformations: arguments, tangents and cotangents, outputs, and values that escape."""

from __future__ import annotations

import numpy as np
import pytest
from bad_input import OPERANDS, A, B, Unknown, check, over

import agnograd as ag
from agnograd.errors import CotangentError, EscapedError, NonScalarError, NotDifferentiableError

SAME = "shape, dtype, backend and device must be the same"
NUMPY, STRICT = "shape (3,), float64, numpy on cpu", "shape (3,), float64, strict on Device('CPU_DEVICE')"


def tangent(x, t):
    return ag.jvp(ag.sin, (x,), (t,))


def cotangent(x, g):
    return ag.vjp(ag.sin, x)[1](g)


TANGENTS = {
    "shape": (
        CotangentError,
        lambda constant: tangent(constant, ag.ones(2)),
        f"the tangent of argument 0 has shape (2,), float64, numpy on cpu, the value {NUMPY}: {SAME}",
    ),
    "dtype": (
        CotangentError,
        lambda constant: tangent(constant, ag.ones(3, dtype=ag.float32)),
        f"the tangent of argument 0 has shape (3,), float32, numpy on cpu, the value {NUMPY}",
        "Convert it with astype, agnograd.to_backend or to_device",
    ),
    "backend": (
        CotangentError,
        lambda leaf, strict: tangent(leaf, strict),
        f"tangent of argument 0 has {STRICT}, the value {NUMPY}",
    ),
    "device": (
        CotangentError,
        lambda strict, on_device1: tangent(strict, on_device1),
        f"the tangent of argument 0 has shape (3,), float64, strict on Device('device1'), the value {STRICT}",
    ),
    "no array": (
        CotangentError,
        lambda constant: tangent(constant, "a"),
        f"the tangent of argument 0 must be an array like the value ({NUMPY}), got one of type str",
    ),
    "structure": (
        CotangentError,
        lambda constant: ag.jvp(ag.sin, (constant,), (constant, constant)),
        "the tangents must have the structure of the primals, PyTreeSpec((*,)), got PyTreeSpec((*, *)): it has 2",
    ),
    "no tuples": (
        TypeError,
        lambda constant: ag.jvp(ag.sin, constant, constant),
        "primals and tangents of jvp must be tuples or lists, one item for each argument; got Tensor and Tensor",
    ),
    "no function": (
        TypeError,
        lambda leaf: ag.jvp(leaf, (leaf,), (leaf,)),
        "agnograd.jvp takes a function, got Tensor.",
    ),
}
COTANGENTS = {
    "shape": (
        CotangentError,
        lambda constant: cotangent(constant, np.ones(2)),
        f"the cotangent has shape (2,), float64, numpy on cpu, the value {NUMPY}: {SAME}",
    ),
    "dtype": (
        CotangentError,
        lambda constant: cotangent(constant, np.array([1j, A, B])),
        f"the cotangent has shape (3,), complex128, numpy on cpu, the value {NUMPY}",
    ),
    "backend": (
        CotangentError,
        lambda leaf, strict_raw: cotangent(leaf, strict_raw),
        f"the cotangent has {STRICT}, the value {NUMPY}",
    ),
    "no array": (
        CotangentError,
        lambda constant: cotangent(constant, Unknown()),
        f"the cotangent must be an array like the value ({NUMPY}), got one of type Unknown",
    ),
    "structure": (
        CotangentError,
        lambda constant: cotangent(constant, (np.ones(3),)),
        (
            "the cotangent must have the structure of the value, PyTreeSpec(*), got PyTreeSpec((*,)): it has a tuple "
            "in the place of a leaf"
        ),
    ),
    "no function": (TypeError, lambda leaf: ag.vjp(leaf, leaf), "agnograd.vjp takes a function, got Tensor."),
}


@over(TANGENTS)
def test_tangents_that_do_not_fit(case):
    check(case)


@over(COTANGENTS)
def test_cotangents_that_do_not_fit(case):
    check(case)


REAL_OR_COMPLEX = "grad requires real- or complex-valued inputs, got"
ARGUMENTS = {
    "integers": (
        NotDifferentiableError,
        lambda integers: ag.grad(ag.sum)(integers),
        f"{REAL_OR_COMPLEX} argument 0 (shape (3,), int64, numpy on cpu)",
        "Convert it to a floating dtype, or leave it out of what is differentiated (argnums, or functools.partial)",
    ),
    "raw booleans": (
        NotDifferentiableError,
        lambda: ag.grad(ag.sum)(np.array([True, False])),
        f"{REAL_OR_COMPLEX} argument 0 (shape (2,), bool, numpy on cpu)",
    ),
    "integers second": (
        NotDifferentiableError,
        lambda leaf, integers: ag.grad(lambda x, n: (x * n).sum(), argnums=(0, -1))(leaf, integers),
        f"{REAL_OR_COMPLEX} argument 1 (shape (3,), int64, numpy on cpu)",
    ),
    "integers in a tree": (
        NotDifferentiableError,
        lambda leaf, integers: ag.grad(lambda p: p["layers"][0].sum())({"layers": [leaf, integers]}),
        f"{REAL_OR_COMPLEX} argument 0['layers'][1] (shape (3,), int64, numpy on cpu)",
    ),
    "a string": (
        NotDifferentiableError,
        lambda leaf: ag.grad(lambda x, how: x.sum(), argnums=(0, 1))(leaf, "mean"),
        "grad differentiates with respect to arrays, got argument 1 of type str",
        "argnums",
    ),
    "a tensor for the function": (
        TypeError,
        lambda leaf: ag.grad((leaf * leaf).sum(), leaf),
        "agnograd.grad takes a function, got Tensor. PyTorch's grad(outputs, inputs) is agnograd.autograd.grad.",
    ),
    "a tensor for the function of value_and_grad": (
        TypeError,
        lambda leaf: ag.value_and_grad((leaf * leaf).sum()),
        "agnograd.value_and_grad takes a function, got Tensor.",
        "PyTorch's grad(outputs, inputs) is agnograd.autograd.grad",
    ),
    "too few": (
        TypeError,
        lambda leaf: ag.grad(ag.sum, 2)(leaf),
        "argnums=2 requires at least 3 positional arguments, got 1",
    ),
    "too few from the end": (
        TypeError,
        lambda leaf: ag.grad(ag.sum, -2)(leaf),
        "argnums=-2 requires at least 2 positional arguments, got 1",
    ),
    "argnums that is no number": (
        TypeError,
        lambda leaf: ag.grad(ag.sum, 1.0)(leaf),
        "argnums takes the positions of arguments, whole numbers, or their names, got float",
    ),
}
OUTPUTS = {
    "no scalar": (
        NonScalarError,
        lambda leaf: ag.grad(lambda x: x * 2)(leaf),
        f"gradient only defined for scalar-output functions; the output has {NUMPY}",
        "agnograd.vjp or agnograd.jvp",
    ),
    "complex": (
        NonScalarError,
        lambda leaf: ag.grad(lambda x: (x * 1j).sum())(leaf),
        "grad requires a real floating-point output, got shape (), complex128, numpy on cpu",
        "Take its real part or its abs",
    ),
    "integer": (NonScalarError, lambda leaf: ag.grad(ag.argmax)(leaf), "got shape (), int64, numpy on cpu"),
    "none": (
        NonScalarError,
        lambda leaf: ag.grad(lambda x: None)(leaf),
        "functions that return one real scalar; this one returned an object of type NoneType",
        "has_aux=True",
    ),
    "several": (NonScalarError, lambda leaf: ag.grad(lambda x: (x, x))(leaf), "object of type tuple", "has_aux=True"),
    "no aux": (
        TypeError,
        lambda leaf: ag.grad(ag.sum, has_aux=True)(leaf),
        "with has_aux=True the function must return a pair (value, aux), got Tensor",
    ),
    "an error of the user's own": (
        ZeroDivisionError,
        lambda leaf: ag.grad(lambda x: x.sum() * (1 // 0))(leaf),
        "by zero",
    ),
    "backward inside": (
        EscapedError,
        lambda leaf: ag.grad(lambda x: x.sum().backward())(leaf),
        "backward() was called on a value of the transformation 'grad' (shape (), float64, numpy on cpu)",
        "Inside it, use agnograd.grad, vjp or jvp",
    ),
    "backward inside jvp": (
        EscapedError,
        lambda leaf: ag.jvp(lambda x: ag.autograd.backward(ag.sum(x)), (leaf,), (leaf,)),
        "backward() was called on a value of the transformation 'jvp'",
    ),
}


@over(ARGUMENTS)
def test_arguments_that_cannot_be_differentiated(case):
    check(case)


@over(OUTPUTS)
def test_functions_that_cannot_be_differentiated(case):
    check(case)


@over({name: case for table in (TANGENTS, OUTPUTS) for name, case in table.items() if name in ("shape", "none")})
def test_failures_within_a_transformation_and_without_recording(case):
    def function(x):
        check(case)
        return x.sum()

    with ag.no_grad():
        check(case)
        ag.grad(function)(OPERANDS["leaf"]())
    ag.jvp(lambda x: ag.grad(function)(x), (OPERANDS["constant"](),), (OPERANDS["constant"](),))


def escaped(transform):
    """A value of a transformation, kept after its end."""
    kept = []

    def function(x):
        kept.append(x * x)
        return ag.sum(x * x)

    transform(function, OPERANDS["leaf"]())
    return kept[0]


def grad(f, x):
    return ag.grad(f)(x)


def value_and_grad(f, x):
    return ag.value_and_grad(f)(x)


def vjp(f, x):
    return ag.vjp(f, x)


def jvp(f, x):
    return ag.jvp(f, (x,), (x.detach(),))


ESCAPES = [
    (grad, "backward", lambda y: y.sum().backward()),
    (grad, "backward at once", lambda y: y.backward(ag.ones(3))),
    (value_and_grad, "autograd.grad", lambda y: ag.autograd.grad(y.sum(), y)),
    (vjp, "backward", lambda y: y.sum().backward()),
    (jvp, "operation", lambda y: y + 1),
    (jvp, "backward", lambda y: ag.autograd.backward(y)),
    (grad, "another transformation", lambda y: ag.grad(lambda x: (x * y).sum())(OPERANDS["leaf"]())),
]


@pytest.mark.parametrize(("transform", "_", "use"), ESCAPES, ids=[f"{f.__name__}, {name}" for f, name, _ in ESCAPES])
def test_values_that_escaped_from_a_transformation(transform, _, use):
    words = (
        f"a value of the transformation {transform.__name__!r} was used after that call had ended",
        "Return it from the function (has_aux=True for extra results), or detach() it",
    )
    check((EscapedError, use, *words), escaped(transform))
