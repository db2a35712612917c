"""Functions that go straight to PyTorch give what array-api-compat does, values, dtypes and signs of zero."""

import array_api_compat.torch as compat
import pytest
import torch
from agnograd.errors import GradientLostError

from agnograd_torch import fast, namespace

DTYPES = (torch.float32, torch.float64, torch.int32, torch.int64, torch.complex64)
EDGES = [0.0, -0.0, 1.5, -2.0, 3.0, float("inf"), float("nan")]
NUMBERS = (1, -3, 2.5, 0, 2**24 + 1, 2**53 + 1, float("inf"))


def made(dtype, *shape):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(1, 9, shape, generator=generator) + (0 if dtype in (torch.int32, torch.int64) else 0.25)
    return x.to(dtype)


def outcome(function, *args, **options):
    """What a function returns, or that it refuses."""
    try:
        return function(*args, **options)
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
        return None


def agree(name, *args, **options):
    found, expected = (outcome(getattr(xp, name), *args, **options) for xp in (namespace, compat))
    if expected is None:
        return
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    if found.dtype.is_floating_point:
        assert torch.equal(torch.signbit(found), torch.signbit(expected))


@pytest.mark.parametrize("name", sorted(fast._ONE))
def test_functions_of_one_array(name):
    for dtype in DTYPES:
        agree(name, made(dtype, 3))
    agree(name, torch.tensor(EDGES))


@pytest.mark.parametrize("name", sorted(fast._TWO))
def test_functions_of_two_arrays(name):
    for first in DTYPES:
        for second in DTYPES:
            for shapes in (((3,), (3,)), ((), (3,)), ((3,), ()), ((), ()), ((2, 3), (3,)), ((2, 3), (3, 1))):
                agree(name, *[made(dtype, *shape) for dtype, shape in zip((first, second), shapes, strict=True)])


@pytest.mark.parametrize("name", sorted(set(fast._TWO) - {"matmul"}))
def test_functions_of_an_array_and_a_number(name):
    for number in (*NUMBERS, True, 1j):
        for dtype in (*DTYPES, torch.bfloat16, torch.bool):
            for x in (made(dtype, 3), made(dtype)):
                agree(name, x, number)
                agree(name, number, x)
        agree(name, torch.tensor(EDGES), number)
        agree(name, number, torch.tensor(EDGES))


@pytest.mark.parametrize("name", ["mean", "sum"])
def test_reductions(name):
    for dtype in DTYPES:
        for axis in (None, 0, -1, (0, 1), (), (1,), 5):
            for keepdims in (False, True):
                agree(name, made(dtype, 2, 3), axis=axis, keepdims=keepdims)
        agree(name, made(dtype))
        agree(name, made(dtype, 0, 3), axis=0)
    agree("sum", made(torch.float32, 3), dtype=torch.float64)


def test_shapes():
    x = made(torch.float64, 2, 3)
    for shape in ((2, 3), (4, 2, 3), (2, 0, 3), (-1, 3), (3,)):
        agree("broadcast_to", x, shape)
    for shape in ((6,), (3, -1), (7,), ()):
        for copy in (None, True, False):
            agree("reshape", x, shape, copy=copy)
    for shape in ((), (3,), (2, 3), (4, 2, 3)):
        agree("matrix_transpose", made(torch.float64, *shape))
    for name in ("ones", "zeros"):
        agree(name, (2, 3), dtype=torch.float32)


@pytest.mark.parametrize("name", sorted(fast._ONE | set(fast._TWO) | set(fast._OTHERS)))
def test_pytorchs_graphs_are_refused(name):
    r = torch.ones(2, 2, requires_grad=True)
    function = getattr(namespace, name)
    calls = [(r,)]
    if name in fast._TWO:
        calls = [(r, made(torch.float32, 2, 2)), (made(torch.float32, 2, 2), r), (r, r), (r, 2.0), (2, r)]
    elif name in ("broadcast_to", "reshape"):
        calls = [(r, (2, 2))]
    for args in calls:
        with pytest.raises(GradientLostError, match="requires grad in PyTorch"):
            function(*args)
