"""Bad operands: of two backends, of two devices, of a library that no backend describes; wrong shapes and arguments."""

from __future__ import annotations

import contextlib

import array_api_strict
import numpy as np
import pytest
from bad_input import DEVICE1, OPERANDS, A, B, C, check, over, write

import agnograd as ag
from agnograd.errors import (
    CotangentError,
    ForeignArrayError,
    GradientLostError,
    GraphFreedError,
    InplaceError,
    MixedBackendsError,
    MixedDevicesError,
    NoGraphError,
    NonScalarError,
)
from agnograd.testing import matrix

MODES = pytest.mark.parametrize("mode", [contextlib.nullcontext, ag.no_grad, ag.enable_grad])


def both(first, second, name="add"):
    """The words of a mixture: the operation, both operands, and the way out."""
    described = {
        "numpy": "shape (3,), float64, numpy on cpu",
        "strict": "shape (3,), float64, strict on Device('CPU_DEVICE')",
    }
    return (
        f"{name} got arrays of two backends, {first} and {second}: {described[first]}; {described[second]}",
        f"Nothing is converted silently: convert one, for example with agnograd.to_backend(x, {first!r})",
    )


MIXED = {
    "operator": (MixedBackendsError, lambda leaf, strict: leaf + strict, *both("numpy", "strict")),
    "operator the other way": (MixedBackendsError, lambda leaf, strict: strict + leaf, *both("strict", "numpy")),
    "constants": (MixedBackendsError, lambda strict, constant: strict + constant, *both("strict", "numpy")),
    "raw on the right": (MixedBackendsError, lambda leaf, strict_raw: leaf + strict_raw, *both("numpy", "strict")),
    "raw on the left": (MixedBackendsError, lambda raw, strict_leaf: raw + strict_leaf, *both("numpy", "strict")),
    "raw only": (MixedBackendsError, lambda raw, strict_raw: ag.add(raw, strict_raw), *both("numpy", "strict")),
    "matmul": (MixedBackendsError, lambda leaf, strict: leaf @ strict, *both("numpy", "strict", "matmul")),
    "comparison": (MixedBackendsError, lambda leaf, strict: leaf < strict, *both("numpy", "strict", "less")),
    "where": (
        MixedBackendsError,
        lambda leaf, strict: ag.where(leaf > 0, leaf, strict),
        "where got arrays of two backends, numpy and strict: shape (3,), bool, numpy on cpu; shape (3,), float64, str",
    ),
    "concat": (
        MixedBackendsError,
        lambda leaf, strict: ag.concat([strict, leaf]),
        *both("strict", "numpy", "concat"),
    ),
    "write": (
        MixedBackendsError,
        lambda constant, strict: write(constant, slice(None), strict),
        *both("numpy", "strict", "setitem"),
    ),
    "operator in place": (
        MixedBackendsError,
        lambda constant, strict: constant.__iadd__(strict),
        *both("numpy", "strict"),
    ),
    "asarray": (
        MixedBackendsError,
        lambda strict_leaf: ag.namespace("numpy").asarray(strict_leaf),
        "asarray of backend 'numpy' got an array of 'strict' (shape (3,), float64, strict on Device('CPU_DEVICE'))",
        "agnograd.to_backend(x, 'numpy')",
    ),
    "asarray of a raw array": (
        MixedBackendsError,
        lambda strict_raw: ag.namespace("numpy").asarray(strict_raw),
        "asarray of backend 'numpy' got an array of 'strict' (shape (3,), float64",
    ),
    "in grad": (
        MixedBackendsError,
        lambda leaf, strict: ag.grad(lambda x: (x + strict).sum())(leaf),
        *both("numpy", "strict"),
    ),
    "in jvp": (
        MixedBackendsError,
        lambda leaf, strict: ag.jvp(lambda x: x + strict, (leaf,), (leaf,)),
        *both("numpy", "strict"),
    ),
}


@over(MIXED)
@MODES
def test_arrays_of_two_backends(case, mode):
    with mode():
        check(case)


def test_a_foreign_library_on_the_left_that_raises_by_itself():
    # array-api-strict does not leave unknown operands to them: its own error has to do.
    check((TypeError, lambda strict_raw, leaf: strict_raw + leaf, "Expected Array or Python scalar"))


ON_TWO = (
    "x1: shape (3,), float64, strict on Device('CPU_DEVICE'); x2: shape (3,), float64, strict on Device('device1')",
    "Nothing is moved silently: move one with x.to_device(device)",
)
TWO_DEVICES = {
    "operator": (
        MixedDevicesError,
        lambda strict_leaf, on_device1: strict_leaf + on_device1,
        "add got arrays of two devices",
        *ON_TWO,
    ),
    "constants": (
        MixedDevicesError,
        lambda strict, on_device1: strict * on_device1,
        "multiply got arrays of two devices",
        *ON_TWO,
    ),
    "two leaves": (
        MixedDevicesError,
        lambda strict_leaf, leaf_on_device1: strict_leaf @ leaf_on_device1,
        "matmul got arrays of two devices",
        *ON_TWO,
    ),
    "raw arrays": (
        MixedDevicesError,
        lambda strict_raw, raw_on_device1: ag.add(strict_raw, raw_on_device1),
        "add got arrays of two devices",
        *ON_TWO,
    ),
    "concat": (
        MixedDevicesError,
        lambda strict, on_device1: ag.concat([strict, on_device1]),
        "concat got arrays of two devices",
        "0: shape (3,), float64, strict on Device('CPU_DEVICE'); 1: shape (3,), float64, strict on Device('device1')",
    ),
    "in grad": (
        MixedDevicesError,
        lambda strict, on_device1: ag.grad(lambda x: (x + on_device1).sum())(strict),
        *ON_TWO,
    ),
    "in jvp": (
        MixedDevicesError,
        lambda strict, on_device1: ag.jvp(lambda x: x + on_device1, (strict,), (strict,)),
        *ON_TWO,
    ),
}


@over(TWO_DEVICES)
@MODES
def test_arrays_of_two_devices(case, mode):
    with mode():
        check(case)


UNKNOWN = (
    "Unknown (shape (3,), float64)",
    "neither a number nor an array of a registered backend. Convert it with agnograd.asarray, or register a backend",
)
FOREIGN = {
    "unknown array": (
        ForeignArrayError,
        lambda leaf, unknown: ag.add(leaf, unknown),
        "add got an object of type",
        "for its argument x2",
        *UNKNOWN,
    ),
    "unknown array alone": (
        ForeignArrayError,
        lambda unknown: ag.sin(unknown),
        "for its argument x:",
        *UNKNOWN,
    ),
    "unknown array among others": (
        ForeignArrayError,
        lambda leaf, unknown: ag.concat([leaf, unknown]),
        "for array 1:",
        *UNKNOWN,
    ),
    "unknown operand": (
        TypeError,
        lambda leaf, unknown: leaf + unknown,
        "unsupported operand type(s) for +: 'Tensor' and 'Unknown'",
    ),
    "unknown operand on the left": (
        TypeError,
        lambda leaf, unknown: unknown * leaf,
        "unsupported operand type(s) for *: 'Unknown' and 'Tensor'",
    ),
    "unknown operand in jvp": (
        TypeError,
        lambda leaf, unknown: ag.jvp(lambda x: x + unknown, (leaf,), (leaf,)),
        "unsupported operand type(s) for +: 'Dual' and 'Unknown'",
    ),
    "string": (TypeError, lambda leaf: leaf - "a", "unsupported operand type(s) for -: 'Tensor' and 'str'"),
    "list": (ForeignArrayError, lambda: ag.sum([A, B]), "sum got an object of type list for its argument x"),
    "nothing": (ForeignArrayError, lambda leaf: ag.add(leaf, None), "add got an object of type NoneType for its arg"),
    "asarray": (
        ForeignArrayError,
        lambda: ag.asarray({A, B}),
        "asarray of backend 'numpy' cannot make numbers of an object of type set",
        "agnograd.hookspecs",
    ),
    "tensor": (ForeignArrayError, lambda: ag.tensor("0.84"), "cannot make numbers of an object of type str"),
    "write": (
        ForeignArrayError,
        lambda constant: write(constant, 0, object()),
        "setitem got an object of type object for its argument value",
    ),
    "data": (ForeignArrayError, lambda leaf: setattr(leaf, "data", None), "NoneType is no array of a registered"),
}


@over(FOREIGN)
@MODES
def test_what_no_backend_knows(case, mode):
    with mode():
        check(case)


def test_no_message_reads_a_value(agnograd_backend, agnograd_xp):
    # On dask nothing may be computed meanwhile, on CuPy nothing may wait for the device.
    x = agnograd_xp.asarray([A, B, C]).requires_grad_()
    other = OPERANDS["strict" if agnograd_backend != "strict" else "constant"]()
    short = agnograd_xp.ones(2)
    total = (x * x).sum()
    total.backward()
    with matrix.during_rules(agnograd_backend):
        for cls, call in (
            (MixedBackendsError, lambda: x * other),
            (MixedBackendsError, lambda: other * x),
            (ValueError, lambda: x + short),
            (CotangentError, lambda: (x * 2).backward(short)),
            (CotangentError, lambda: (x * 2).backward(other)),
            (NonScalarError, lambda: (x * 2).backward()),
            (GraphFreedError, lambda: total.backward()),
            (NoGraphError, lambda: x.detach().backward()),
            (InplaceError, lambda: write(x, 0, 1.0)),
            (GradientLostError, lambda: np.asarray(x)),
            (NonScalarError, lambda: ag.grad(lambda x: x)(x)),
            (CotangentError, lambda: ag.jvp(ag.sin, (x,), (short,))),
        ):
            with pytest.raises(cls) as caught:
                call()
            assert agnograd_backend in "".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


# -- shapes and arguments ----------------------------------------------------------------------------------------------

SHAPES = "x1: shape (3,), float64, numpy on cpu; x2: shape (2,), float64, numpy on cpu)"
CALLS = {
    "shapes": (ValueError, lambda leaf: leaf + ag.ones(2), "broadcast", "(3,) (2,)", f"in agnograd.add({SHAPES}"),
    "shapes of constants": (ValueError, lambda constant: constant + ag.ones(2), f"in agnograd.add({SHAPES}"),
    "shapes of raw arrays": (ValueError, lambda raw: ag.add(raw, np.ones(2)), f"in agnograd.add({SHAPES}"),
    "shapes on strict": (
        ValueError,
        lambda strict_leaf: strict_leaf * array_api_strict.ones(2),
        "in agnograd.multiply(x1: shape (3,), float64, strict on Device('CPU_DEVICE'); x2: shape (2,), float64, strict",
    ),
    "shapes in jvp": (
        ValueError,
        lambda leaf: ag.jvp(lambda x: x + ag.ones(2), (leaf,), (leaf,)),
        f"in agnograd.add({SHAPES}",
    ),
    "matmul": (ValueError, lambda leaf: leaf @ ag.ones(2), f"in agnograd.matmul({SHAPES}"),
    "reshape": (ValueError, lambda leaf: leaf.reshape(2, 2), "in agnograd.reshape(x: shape (3,), float64, numpy on"),
    "index": (IndexError, lambda leaf: leaf[5], "in agnograd.getitem(x: shape (3,), float64, numpy on cpu)"),
    "axis": (ValueError, lambda leaf: leaf.sum(axis=3), "in agnograd.sum(x: shape (3,), float64, numpy on cpu)"),
    "concat": (
        ValueError,
        lambda leaf: ag.concat([leaf, ag.ones(2, 2)]),
        "in agnograd.concat(0: shape (3,), float64, numpy on cpu; 1: shape (2, 2), float64, numpy on cpu)",
    ),
    "a scalar": (
        ValueError,
        lambda leaf: ag.matmul(leaf, 2.0),
        "in agnograd.matmul(x1: shape (3,), float64, numpy on cpu; x2: a Python float)",
    ),
    "argument missing": (TypeError, lambda leaf: ag.add(leaf), "add() missing 1 required positional argument: 'x2'"),
    "argument too many": (TypeError, lambda leaf: ag.sin(leaf, leaf), "sin() takes 1 positional argument but 2 were"),
    "array missing": (
        TypeError,
        lambda leaf: ag.where(leaf > 0, leaf),
        "where(condition, x1, x2, /) needs 3 arrays, got 2",
    ),
    "parameter by position": (
        TypeError,
        lambda leaf: ag.sum(leaf, 0),
        "sum(x, /, *, axis=None, dtype=None, keepdims=False) takes 1 positional arguments, got 2",
    ),
    "unknown parameter": (
        TypeError,
        lambda leaf: ag.sum(leaf, axes=0),
        "sum(x, /, *, axis=None, dtype=None, keepdims=False) has no parameter 'axes'",
        "in agnograd.sum(x: shape (3,), float64, numpy on cpu)",
    ),
    "parameter missing": (TypeError, lambda leaf: ag.reshape(leaf), "reshape(x, /, shape, *, copy=None) needs 'shape'"),
    "parameter twice": (
        TypeError,
        lambda leaf: ag.astype(leaf, ag.float32, dtype=ag.float32),
        "astype(x, dtype, /, *, copy=True, device=None) got multiple values for argument 'dtype'",
    ),
    "nothing to join": (TypeError, lambda: ag.concat([]), "concat needs at least one array"),
    "out": (
        RuntimeError,
        lambda leaf, raw: leaf.sum(out=raw),
        "sum(out=...) does not support automatic differentiation",
    ),
}


@over(CALLS)
@MODES
def test_shapes_and_arguments(case, mode):
    with mode():
        check(case)


def test_a_failed_operation_leaves_the_graph_usable():
    x, wrong = OPERANDS["leaf"](), ag.ones(2)
    y = x * 2
    with pytest.raises(ValueError, match="broadcast"):
        y + wrong
    with pytest.raises(MixedBackendsError):
        y + array_api_strict.ones(3)
    with pytest.raises(MixedDevicesError):
        ag.add(array_api_strict.ones(3), array_api_strict.ones(3, device=DEVICE1))
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
