"""Programs put together at random: compiled, they give the results of eager runs, twice in a row, and gradients too.

A few by default; more with ``python -m pytest -m slow tests/compiler/test_random_programs.py``.
"""

import numpy as np
import pytest

import agnograd as ag

SHAPES = [(4,), (3, 4), (4, 3), (2, 3, 4), ()]


def pick(draw, arrays, *, shape=None, ndim=None):
    """One of the arrays, of a shape or number of axes if there is one."""
    fit = [x for x in arrays if (shape is None or x.shape == shape) and (ndim is None or x.ndim in ndim)]
    return fit[draw.integers(len(fit))] if fit else None


def unary(draw, arrays):
    x = pick(draw, arrays)
    name = ["sin", "tanh", "negative", "square", "floor", "abs", "exp"][draw.integers(7)]
    return getattr(ag, name)(ag.tanh(x) if name == "exp" else x)


def binary(draw, arrays):
    x = pick(draw, arrays)
    y = pick(draw, arrays, shape=x.shape if draw.integers(3) else ())
    y = x if y is None else y
    return [lambda: x + y, lambda: x - y, lambda: x * y, lambda: ag.maximum(x, y), lambda: x / (y * y + 1)][
        draw.integers(5)
    ]()


def number(draw, arrays):
    x = pick(draw, arrays)
    return [lambda: x * 2.0, lambda: 1 - x, lambda: x / 3, lambda: x + 0.5, lambda: x * 1, lambda: x**2][
        draw.integers(6)
    ]()


def view(draw, arrays):
    x = pick(draw, arrays, ndim=(1, 2, 3))
    if x is None:
        return None
    kinds = [
        lambda: x[0],
        lambda: x[::-1],
        lambda: x[..., 1:],
        lambda: ag.reshape(x, (-1,)),
        lambda: ag.permute_dims(x, tuple(reversed(range(x.ndim)))),
        lambda: x[None],
        lambda: ag.expand_dims(x, axis=-1),
        lambda: ag.flip(x, axis=0),
        lambda: ag.moveaxis(x, 0, -1),
    ]
    return kinds[draw.integers(len(kinds))]()


def reduction(draw, arrays):
    x = pick(draw, arrays, ndim=(1, 2, 3))
    if x is None or 0 in x.shape:
        return None
    name = ["sum", "mean", "max", "prod"][draw.integers(4)]
    axis = [None, 0, -1][draw.integers(3)]
    return getattr(ag, name)(ag.tanh(x), axis=axis, keepdims=bool(draw.integers(2)))


def product(draw, arrays):
    x = pick(draw, arrays, ndim=(2,))
    if x is None:
        return None
    return [lambda: x @ ag.permute_dims(x, (1, 0)), lambda: ag.permute_dims(x, (1, 0)) @ x, lambda: x @ x[0]][
        draw.integers(3)
    ]()


def write(draw, arrays):
    x = pick(draw, arrays, ndim=(1, 2, 3))
    if x is None or 0 in x.shape:
        return None
    y = x.clone() if draw.integers(2) else x * 1.5
    kinds = draw.integers(4)
    if kinds == 0:
        y[0] = y[-1] * 2
    elif kinds == 1:
        y[..., 0] += 1.0
    elif kinds == 2:
        part = y[..., :1]
        part *= 3.0
    else:
        y[ag.asarray([0, 0])] = y[:1] * 0.5
    return y


def choice(draw, arrays):
    x = pick(draw, arrays)
    return ag.where(x > 0, x * 2, pick(draw, arrays, shape=x.shape))


def joined(draw, arrays):
    x = pick(draw, arrays, ndim=(1, 2))
    if x is None:
        return None
    y = pick(draw, arrays, shape=x.shape)
    return [
        lambda: ag.stack([x, y]),
        lambda: ag.concat([x, y, x], axis=0),
        lambda: ag.take(x, ag.asarray([0, 0]), axis=0),
    ][draw.integers(3 if 0 not in x.shape else 2)]()


KINDS = [unary, binary, binary, number, view, view, reduction, product, write, choice, joined]


def program(seed):
    """A function of two arrays to some arrays, the same in each call."""

    def f(x, y):
        draw = np.random.default_rng(seed)
        arrays = [x, y]
        for _ in range(12):
            found = KINDS[draw.integers(len(KINDS))](draw, arrays)
            if found is not None and found.size < 500:
                arrays.append(found)
        return [arrays[i] for i in draw.integers(len(arrays), size=4)]

    return f


def assert_same(a, b):
    for x, y in zip(ag.tree.leaves(a), ag.tree.leaves(b), strict=True):
        x, y = np.asarray(x.detach()), np.asarray(y.detach())
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        # Buffers are in C order where eager results follow their operands, and sums are added up as they lie in memory.
        np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)


def check(seed):
    draw = np.random.default_rng(seed)
    shapes = [SHAPES[i] for i in draw.integers(len(SHAPES), size=2)]
    inputs = [[ag.tensor(draw.normal(size=s)) for s in shapes] for _ in range(2)]
    f = program(seed)

    def loss(x, y):
        total = 0.0
        for out in f(x, y):
            total = total + ag.sum(ag.sin(out) * out)
        return total

    compiled, gradient = ag.compile(f), ag.compile(ag.value_and_grad(loss, (0, 1)))
    node = ag.value_and_grad(ag.compile(loss), (0, 1))
    for _ in range(2):
        for args in inputs:
            kept = [np.array(x.array) for x in args]
            with np.errstate(all="ignore"):
                assert_same(compiled(*args), f(*args))
                expected = ag.value_and_grad(loss, (0, 1))(*args)
                assert_same(gradient(*args), expected)
                assert_same(node(*args), expected)
            for x, y in zip(args, kept, strict=True):
                np.testing.assert_array_equal(x.array, y)


@pytest.mark.parametrize("seed", range(25))
def test_few(seed):
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25, 1000))
def test_many(seed):
    check(seed)
