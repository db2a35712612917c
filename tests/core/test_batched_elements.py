"""The short way of elementwise operations on batches: it gives what a loop gives, and leaves what is not plain."""

from __future__ import annotations

import numpy as np
import pytest
from made_tensors import host, raw, same

import agnograd as ag
from agnograd.core.array import Array
from agnograd.core.batch import Batched
from agnograd.core.level import new_level
from agnograd.core.table import OPS
from agnograd.errors import EscapedError

BATCH = np.linspace(0.2, 1.7, 24).reshape(4, 2, 3)
ROW = np.array([0.3, 0.5, 0.9])
FUNCTIONS = {
    "product": lambda x, y: x * y,
    "quotient": lambda x, y: x / y,
    "power": lambda x, y: x**y,
    "difference": lambda x, y: ag.tanh(x) - ag.log(y),
    "where": lambda x, y: ag.where(x > y, x * x, y * 3),
    "angle": lambda x, y: ag.atan2(x, y),
    "larger": lambda x, y: ag.maximum(x, y),
}
# Members of the same axes, and of fewer on either side.
SHAPES = {
    "same": (BATCH, BATCH[::-1] + 0.1),
    "fewer left": (BATCH[:, 0, :], BATCH + 0.1),
    "fewer right": (BATCH, BATCH[:, 0, 0] + 0.1),
}


@pytest.fixture(params=list(FUNCTIONS))
def function(request):
    return FUNCTIONS[request.param]


@pytest.fixture(params=list(SHAPES))
def pair(request):
    return SHAPES[request.param]


def loop(f, *batches):
    return np.stack([host(f(*members)) for members in zip(*batches, strict=True)])


def slope(f):
    return lambda x, y, t: ag.jvp(f, (x, y), (t, 2 * t))[1]


def gradients(f):
    return lambda x, y: ag.grad(lambda x, y: ag.sum(f(x, y)), argnums=(0, 1))(x, y)


def test_values(function, pair, agnograd_backend):
    found = ag.vmap(function)(*[raw(agnograd_backend, x) for x in pair])
    same(found, loop(lambda x, y: function(ag.asarray(x), ag.asarray(y)), *pair))


@pytest.mark.parametrize("shared", [0, 1, None])
def test_gradients(function, pair, shared, agnograd_backend):
    first, second = pair
    axes = tuple(None if k == shared else 0 for k in range(2))
    args = [x[0] if k == shared else x for k, x in enumerate((first, second))]
    found = ag.vmap(gradients(function), in_axes=axes)(*[raw(agnograd_backend, x) for x in args])
    many = [np.broadcast_to(x, (4, *np.shape(x))) if k == shared else x for k, x in enumerate(args)]
    for k in range(2):
        same(found[k], loop(lambda x, y, k=k: gradients(function)(x, y)[k], *many))


def test_directions(function, agnograd_backend):
    directions = np.linspace(-1.0, 1.0, 30).reshape(5, 2, 3)
    x, y = (raw(agnograd_backend, v) for v in (BATCH[0], BATCH[1]))
    found = ag.vmap(slope(function), in_axes=(None, None, 0))(x, y, raw(agnograd_backend, directions))
    same(found, loop(lambda t: slope(function)(BATCH[0], BATCH[1], t), directions))


def test_a_direction_of_fewer_axes(function, agnograd_backend):
    directions = np.linspace(-1.0, 1.0, 15).reshape(5, 3)
    x, y = (raw(agnograd_backend, v) for v in (BATCH[0], ROW))
    found = ag.vmap(lambda t: ag.jvp(lambda y: function(ag.asarray(x), y), (y,), (t,))[1])(
        raw(agnograd_backend, directions)
    )
    same(found, loop(lambda t: ag.jvp(lambda y: function(ag.asarray(BATCH[0]), y), (ROW,), (t,))[1], directions))


def test_a_batch_in_a_batch(function):
    found = ag.vmap(ag.vmap(gradients(function), in_axes=(0, None)), in_axes=(None, 0))(BATCH[0], BATCH[:, 0] + 0.1)
    for k in range(2):
        rows = [loop(lambda x, y=y, k=k: gradients(function)(x, y)[k], BATCH[0]) for y in BATCH[:, 0] + 0.1]
        same(found[k], np.stack(rows))


def test_complex_numbers(agnograd_backend):
    z = BATCH * (1 + 2j)
    f = lambda z: ag.sum(ag.real(ag.exp(z) / z))
    same(ag.vmap(ag.grad(f))(raw(agnograd_backend, z)), loop(ag.grad(f), z))


def test_zero_cotangents_stay_zero_in_a_batch():
    f = lambda x: ag.sum(ag.where(x > 0, ag.log(x), 0 * x))
    x = np.array([[0.0, 2.0], [1.0, 0.0]])
    with ag.zero_safe(), np.errstate(all="ignore"):
        same(ag.vmap(ag.grad(f))(x), [[0.0, 0.5], [1.0, 0.0]])
        same(ag.vmap(lambda t: ag.jvp(ag.log, (x[0],), (t,))[1])(np.array([[0.0, 1.0]])), [[0.0, 0.5]])


def test_the_short_way_is_taken_for_plain_arrays_only():
    multiply = OPS["multiply"].path
    with new_level("vmap") as level, new_level("vmap") as other:
        x = Batched(BATCH, level)
        assert type(multiply(x, 2.0, {})) is Batched
        assert type(multiply(ag.asarray(BATCH[0]), x, {})) is Batched
        # Batches of batches have a way of their own; what NumPy calls a number is for `apply` to look at.
        assert type(multiply(x, Batched(BATCH, other), {})) is Batched
        assert not isinstance(x._array, Array)
    with pytest.raises(EscapedError):
        x * 2.0


def test_errors_are_explained():
    with pytest.raises(ValueError, match="broadcast") as caught:
        ag.vmap(lambda x: x * np.ones(7))(BATCH)
    assert any("in agnograd.multiply" in note for note in caught.value.__notes__)
