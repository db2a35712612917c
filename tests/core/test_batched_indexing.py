"""Indexing under `vmap`: what differs from member to member may be the array, parts of the index, or both."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import agnograd as ag
from agnograd.errors import BatchedValueError

SIZE = 3
SHAPE = (4, 5, 6)
RNG = np.random.default_rng(5)
X = RNG.uniform(size=(SIZE, *SHAPE))

# Parts of an index, which take no element twice. A tuple holds one for each member.
PARTS = {
    "i": -2,
    ":": slice(1, None),
    "-": slice(None, None, -2),
    "+": None,
    "a": np.array([0, 2]),
    "s": tuple(np.array(i) for i in (1, 3, -1)),
    "A": tuple(np.array(i) for i in ([0, 3], [-1, 2], [1, 0])),
    "M": tuple(np.array(i) for i in ([[0, 1], [3, 2]], [[2, 0], [1, -1]], [[-1, 1], [0, 2]])),
}
OWN = set("sAM")
KEYS = ["".join(key) for n in (1, 2) for key in itertools.product(PARTS, repeat=n) if key.count("+") < 2]
KEYS += ["".join(key) for key in itertools.product("i:+A", repeat=3)]
KEYS += [f"{key[:i]}.{key[i:]}" for key in KEYS if set(key) <= set("iaA") and len(key) < 3 for i in range(len(key) + 1)]


def index(key, k, own=None):
    """The index of member `k`; with the arrays `own` in place of those that differ."""
    given = iter(() if own is None else own)
    parts = [... if part == "." else PARTS[part] for part in key]
    return tuple((p[k] if own is None else next(given)) if isinstance(p, tuple) else p for p in parts)


def own_arrays(key):
    """What differs from member to member in an index, stacked."""
    return [np.stack(PARTS[part]) for part in key if part in OWN]


def over_members(function, key, *arguments):
    """``function(*arguments, key)`` for all members by `vmap`; an argument is a pair of an array and its axis."""
    arrays = own_arrays(key)
    n = len(arguments)
    mapped = ag.vmap(
        lambda *x: function(*x[:n], index(key, 0, x[n:])), (*(axis for _, axis in arguments), *(0 for _ in arrays))
    )
    return mapped(*(x for x, _ in arguments), *arrays)


def of(x, axis, k):
    return x if axis is None else x[k]


def cases(*axes):
    """Keys, and whether each argument is batched, where anything is."""
    return [
        pytest.param(chosen, [key for key in KEYS if any(a == 0 for a in chosen) or OWN & set(key)], id=str(chosen))
        for chosen in itertools.product((0, None), repeat=axes[0])
    ]


def read(k):
    return lambda x: ag.asarray(x)[k]


def read_by_all(key, axis, x):
    return over_members(lambda x, k: read(k)(x), key, (x, axis))


@pytest.mark.parametrize(("axes", "keys"), cases(1))
def test_getitem(axes, keys):
    (axis,) = axes
    x = X if axis == 0 else X[0]
    for key in keys:
        out = read_by_all(key, axis, x)
        expected = np.stack([of(x, axis, k)[index(key, k)] for k in range(SIZE)])
        np.testing.assert_array_equal(out, expected, err_msg=key)


@pytest.mark.parametrize(("axes", "keys"), cases(1))
def test_gradients_of_getitem(axes, keys):
    """For each member, and for an array that all of them share."""
    (axis,) = axes
    x = X if axis == 0 else X[0]
    for key in keys:
        g = RNG.uniform(size=np.stack([of(x, axis, k)[index(key, k)] for k in range(SIZE)]).shape)
        expected = np.zeros((SIZE, *SHAPE))
        for k in range(SIZE):
            np.add.at(expected[k], index(key, k), g[k])
        each = over_members(lambda x, g, k: ag.vjp(read(k), x)[1](g)[0], key, (x, axis), (g, 0))
        np.testing.assert_allclose(each, expected, atol=1e-14, err_msg=key)
        (whole,) = ag.vjp(functools.partial(read_by_all, key, axis), x)[1](g)
        np.testing.assert_allclose(whole, expected if axis == 0 else expected.sum(0), atol=1e-14, err_msg=key)


def values_for(shape):
    """What may be written into an array of that shape: an array, and its axis."""
    some = RNG.uniform(size=(SIZE, *shape))
    yield 1.5, None
    yield np.arange(1.0, 1 + SIZE), 0
    yield some[0], None
    yield some, 0
    if shape:
        yield some[0, ..., :1], None
        yield some.reshape(SIZE, -1)[:, : shape[-1]], 0


@pytest.mark.parametrize(("axes", "keys"), cases(1))
def test_setitem(axes, keys):
    (axis,) = axes
    x = X if axis == 0 else X[0]
    for key in keys:
        shape = x[index(key, 0)].shape if axis is None else x[0][index(key, 0)].shape
        if 0 in shape:
            continue
        for value, place in values_for(shape):
            expected = np.stack([of(x, axis, k) for k in range(SIZE)])
            for k in range(SIZE):
                expected[k][index(key, k)] = of(value, place, k)
            out = over_members(lambda x, v, k: ag.setitem(x, v, key=k), key, (x, axis), (value, place))
            np.testing.assert_array_equal(out, expected, err_msg=f"{key} {np.shape(value)} {place}")


@pytest.mark.parametrize(("axes", "keys"), cases(1))
def test_gradients_of_setitem(axes, keys):
    (axis,) = axes
    x = X if axis == 0 else X[0]
    g = RNG.uniform(size=X.shape)
    for key in keys:
        shape = of(x, axis, 0)[index(key, 0)].shape
        value = RNG.uniform(size=(SIZE, *shape))
        g_x, g_value = over_members(
            lambda x, v, g, k: ag.vjp(lambda x, v: ag.setitem(x, v, key=k), x, v)[1](g),
            key,
            (x, axis),
            (value, 0),
            (g, 0),
        )
        left = g.copy()
        for k in range(SIZE):
            left[k][index(key, k)] = 0
            np.testing.assert_allclose(g_value[k], g[k][index(key, k)], err_msg=key)
        np.testing.assert_allclose(g_x, left, err_msg=key)


# -- masks -------------------------------------------------------------------------------------------------------------

MASK = np.array([True, False, True, True])


@pytest.mark.parametrize("key", [(MASK,), (slice(None), np.arange(5) > 2), (..., np.arange(6) % 2 == 0)], ids=str)
def test_a_mask_of_all_members(key):
    out = ag.vmap(lambda x: x[key])(X)
    np.testing.assert_array_equal(out, np.stack([x[key] for x in X]))
    written = ag.vmap(lambda x, v: ag.setitem(x, v, key=key))(X, np.arange(3.0))
    expected = X.copy()
    for k in range(SIZE):
        expected[k][key] = k
    np.testing.assert_array_equal(written, expected)
    (slope,) = ag.vmap(lambda x, g: ag.vjp(lambda x: x[key], x)[1](g))(X, out)
    read = np.zeros_like(X)
    for k in range(SIZE):
        read[k][key] = X[k][key]
    np.testing.assert_array_equal(slope, read)


@pytest.mark.parametrize("shape", [SHAPE, SHAPE[:1], SHAPE[:2]], ids=str)
@pytest.mark.parametrize("axis", [0, None])
def test_writing_one_number_where_a_mask_of_each_member_is(shape, axis):
    masks = RNG.uniform(size=(SIZE, *shape)) > 0.5
    x = X if axis == 0 else X[0]
    for value, place in ((7.0, None), (np.arange(3.0), 0)):
        out = ag.vmap(lambda x, m, v: ag.setitem(x, v, key=m), (axis, 0, place))(x, masks, value)
        expected = np.stack([of(x, axis, k) for k in range(SIZE)])
        for k in range(SIZE):
            expected[k][masks[k]] = of(value, place, k)
        np.testing.assert_array_equal(out, expected)


SHAPELESS = {
    "getitem": lambda x, m: x[m],
    "getitem-last": lambda x, m: x[..., m],
    "setitem": lambda x, m: ag.setitem(x, ag.ones(2), key=m),
    "nonzero": lambda x, m: ag.nonzero(m),
    "unique_values": lambda x, m: ag.unique_values(x),
    "unique_all": lambda x, m: ag.unique_all(x),
    "unique_counts": lambda x, m: ag.unique_counts(x),
    "unique_inverse": lambda x, m: ag.unique_inverse(x),
    "repeat": lambda x, m: ag.repeat(x, ag.astype(m, ag.int64)),
}


@pytest.mark.parametrize("f", SHAPELESS.values(), ids=SHAPELESS)
def test_what_has_another_shape_for_each_member(f):
    with pytest.raises(BatchedValueError, match="depends on"):
        ag.vmap(f)(RNG.uniform(size=(2, 3)), np.array([[True, False, True], [False, True, True]]))


def test_an_index_that_a_member_does_not_have():
    with pytest.raises(IndexError):
        ag.vmap(lambda x, i: x[i])(X[:, 0, 0], np.array([1, 2, 6]))
    with pytest.raises(IndexError):
        ag.vmap(lambda x, i: ag.take(x, i), (None, 0))(X[0, 0, 0], np.array([[1], [2], [6]]))
    with pytest.raises(IndexError):
        ag.vmap(lambda x, i, v: ag.scatter_add(x, i, v))(X[:, 0, 0], np.array([[1], [2], [6]]), np.ones((3, 1)))


def test_indices_of_a_small_dtype():
    """The number of a member need not fit into it."""
    i = (np.arange(300) % 4).astype(np.uint8)
    x = RNG.uniform(size=(300, 4, 2, 3))
    rows = np.arange(300)
    np.testing.assert_array_equal(ag.vmap(lambda x, i: x[i])(x, i), x[rows, i])
    np.testing.assert_array_equal(ag.vmap(lambda x, i: x[i, :, i % 3])(x, i), x[rows, i, :, i % 3])
    (slope,) = ag.vmap(lambda x, i, g: ag.vjp(lambda x: x[i, 1], x)[1](g))(x, i, x[:, 0, 0])
    assert np.all(slope[rows, i, 1] == x[:, 0, 0])
    added = ag.vmap(lambda x, i: ag.scatter_add(x, i, ag.ones((1, 2, 3))))(x, i[:, None])
    np.testing.assert_array_equal(added[rows, i], x[rows, i] + 1)


# -- functions with an index ------------------------------------------------------------------------------------------


def agree(f, *arguments):
    """`vmap` and a loop, for each choice of arguments that are batched; each is given for all members."""
    for axes in itertools.product((0, None), repeat=len(arguments)):
        if 0 in axes:
            some = [x if a == 0 else x[0] for x, a in zip(arguments, axes, strict=True)]
            out = ag.vmap(f, axes)(*some)
            looped = [f(*(of(x, a, k) for x, a in zip(some, axes, strict=True))) for k in range(len(arguments[0]))]
            np.testing.assert_allclose(out, np.stack([np.asarray(y) for y in looped]), rtol=1e-13)
            assert out.dtype == looped[0].dtype


INDICES = np.array([[0, 3, 1], [2, 2, -1], [1, 0, 3]])
SORTED = np.sort(RNG.uniform(size=(3, 4)), axis=-1)
WITH_NAN = np.concat([SORTED, np.full((3, 1), np.nan)], axis=-1)
SOUGHT = np.stack([np.array([[s[1], 2.0, -1.0], [s[0], s[3], np.nan]]) for s in SORTED])
INTEGERS = np.array([[1, 5, 2, 5], [3, 3, 0, 1], [2, 9, 9, 4]])


INDEXED = {
    "take": (lambda x, i: ag.take(x, i), (X[:, :, 0, 0], INDICES)),
    "take-axis": (lambda x, i: ag.take(x, i, axis=1), (X, INDICES)),
    "take-last": (lambda x, i: ag.take(x, i, axis=-1), (X, INDICES)),
    "take_along_axis": (lambda x, i: ag.take_along_axis(x, i), (X[:, 0], INDICES[:, None, :])),
    "take_along_axis-0": (lambda x, i: ag.take_along_axis(x, i, axis=0), (X[:, 0], INDICES[..., None])),
    "searchsorted": (lambda x, y: ag.searchsorted(x, y), (SORTED, SOUGHT)),
    "searchsorted-right": (lambda x, y: ag.searchsorted(x, y, side="right"), (SORTED, SOUGHT)),
    "searchsorted-nan": (lambda x, y: ag.searchsorted(x, y), (WITH_NAN, SOUGHT)),
    "searchsorted-right-nan": (lambda x, y: ag.searchsorted(x, y, side="right"), (WITH_NAN, SOUGHT)),
    "searchsorted-integers": (lambda x, y: ag.searchsorted(x, y), (np.sort(INTEGERS), INTEGERS)),
    "searchsorted-0d": (lambda x, y: ag.searchsorted(x, y), (SORTED, SOUGHT[:, 0, 0])),
    "searchsorted-sorter": (
        lambda x, y: ag.searchsorted(x, y, sorter=np.array([3, 2, 1, 0])),
        (SORTED[:, ::-1], SOUGHT),
    ),
    "isin": (lambda x, y: ag.isin(x, y), (INTEGERS, INTEGERS[::-1, ::2])),
    "isin-matrix": (lambda x, y: ag.isin(x, y, invert=True), (INTEGERS, INTEGERS.reshape(3, 2, 2))),
    "scatter_add": (lambda x, i, v: ag.scatter_add(x, i, v), (X[..., 0], INDICES, X[:, :3, :, 1])),
    "scatter_add-vector": (lambda x, i, v: ag.scatter_add(x, i, v), (X[:, :, 0, 0], INDICES, X[:, :3, 0, 1])),
}


@pytest.mark.parametrize(("f", "arguments"), INDEXED.values(), ids=INDEXED)
def test_either_argument(f, arguments):
    agree(f, *arguments)


def test_a_sorter_of_each_member():
    x = RNG.uniform(size=(3, 4))
    order = np.argsort(x, axis=-1)
    for axes in itertools.product((0, None), repeat=2):
        f = ag.vmap(lambda x, y, s: ag.searchsorted(x, y, sorter=s), (axes[0], axes[1], 0))
        given = x if axes[0] == 0 else x[0]
        sought = SOUGHT if axes[1] == 0 else SOUGHT[0]
        orders = order if axes[0] == 0 else np.stack([order[0]] * 3)
        expected = [np.searchsorted(of(given, axes[0], k), of(sought, axes[1], k), sorter=orders[k]) for k in range(3)]
        np.testing.assert_array_equal(f(given, sought, orders), np.stack(expected))


# -- in place ----------------------------------------------------------------------------------------------------------


def zeros_filled(v):
    out = ag.zeros(4)
    for i in range(4):
        out[i] = v[i] * i
    return out


def whole_rows(v):
    out = ag.zeros((4, 2))
    out[:, 0] = v
    out[1] = v[:2]
    out[..., 1] += v
    return out


def through_views(v):
    out = ag.zeros((2, 2))
    row = out[0]
    flat = ag.reshape(out, (4,))
    row[1] = v[1]
    flat[3] = v[3]
    out.T[1, 0] *= 2.0
    return out + row


def by_a_batched_index(v):
    out = ag.zeros(4)
    out[ag.argmax(v)] = 1.0
    out[ag.argsort(v)[:2]] += v[:2]
    return out


def into_an_argument(v):
    v = ag.asarray(v, copy=True)
    v[1:] -= v[0]
    v[v > 0.2] = 0.0
    v += 1.0
    return v


def with_the_library(v):
    import array_api_extra as xpx

    v = ag.asarray(v) * 1.0
    return xpx.at(ag.zeros(4), slice(1, 3)).set(v[:2]) + xpx.at(v)[0].add(2.0)


WRITING = [zeros_filled, whole_rows, through_views, by_a_batched_index, into_an_argument, with_the_library]


@pytest.mark.parametrize("f", WRITING, ids=lambda f: f.__name__)
def test_in_place(f):
    v = X[:, :, 0, 0]
    agree(f, v)
    weights = RNG.uniform(size=np.asarray(f(v[0])).shape)

    def loss(v):
        return ag.sum(f(v) * weights)

    slopes = np.stack([ag.grad(loss)(row) for row in v])
    np.testing.assert_allclose(ag.vmap(ag.grad(loss))(v), slopes)
    np.testing.assert_allclose(ag.grad(lambda v: ag.sum(ag.vmap(loss)(v)))(v), slopes)


def of_rows(x, i):
    out = ag.zeros_like(x)
    out[0] = x[i, ...][0]
    out[1:] += x[:-1] * 2.0
    return out + x[0, i][0]


def masked(x):
    x[x > 0.5] = 0.0
    return x


EVERYWHERE = {
    "row": lambda xp, x, i: x[i[0], ...],
    "element": lambda xp, x, i: x[i[0], i[1]],
    "elements": lambda xp, x, i: x[i, i],
    "along": lambda xp, x, i: xp.take_along_axis(x, i[:, None], axis=0),
    "rows": lambda xp, x, i: xp.take(x, i, axis=0),
    "columns": lambda xp, x, i: xp.take(x, i, axis=1),
    "added": lambda xp, x, i: xp.scatter_add(x, i, x[:2, :]),
    "mask": lambda xp, x, i: masked(xp.asarray(x, copy=True)),
    "written": lambda xp, x, i: of_rows(x, i),
    "clipped": lambda xp, x, i: xp.clip(x, x[0, 0], None),
    "found": lambda xp, x, i: xp.searchsorted(xp.sort(x[0, :]), x[1, :]),
}


@pytest.mark.parametrize("f", EVERYWHERE.values(), ids=EVERYWHERE)
def test_on_every_backend(agnograd_xp, f):
    xp = agnograd_xp
    x = X[:, 0, :4, :4]
    i = np.array([[0, 2], [3, 1], [1, 0]])
    host = ag.namespace("numpy")
    for axes in ((0, 0), (0, None), (None, 0)):
        given = [y if a == 0 else y[0] for y, a in zip((x, i), axes, strict=True)]
        looped = np.stack(
            [
                np.asarray(f(host, *(host.asarray(of(y, a, k)) for y, a in zip(given, axes, strict=True))))
                for k in range(3)
            ]
        )
        out = ag.vmap(functools.partial(f, xp), axes)(*map(xp.asarray, given))
        np.testing.assert_allclose(np.asarray(ag.to_backend(out, "numpy")), looped)


# -- parameters and sequences with values of each member --------------------------------------------------------------

A = X[..., 0]
V = X[:, :, 0, 0]
ONE = V[:, 0]
xp = ag.namespace("numpy")


FUNCTIONS = {
    "full_like": (lambda x, v: ag.full_like(x, v), (A, ONE)),
    "full_like-dtype": (lambda x, v: ag.full_like(x, v, dtype=xp.float32), (A, ONE)),
    "full": (lambda v: xp.full((2, 3), v), (ONE,)),
    "full-0d": (lambda v: xp.full((), v), (ONE,)),
    "asarray": (lambda u, v: xp.asarray([u, 1.0, v]), (ONE, ONE + 1)),
    "asarray-nested": (lambda u, v: xp.asarray([[u, v], [0.0, u * v]]), (ONE, ONE + 1)),
    "linspace": (lambda u, v: xp.linspace(u, v, 5), (ONE, ONE + 1)),
    "meshgrid": (lambda u, v: ag.sum(ag.stack(xp.meshgrid(u, v)), axis=0), (V, V + 1)),
    "repeat": (lambda x: ag.repeat(x, np.array([1, 0, 2, 3]), axis=0), (A,)),
    "repeat-all": (lambda x: ag.repeat(x, 2), (A,)),
    "roll": (lambda x: ag.roll(x, 2), (A,)),
    "roll-axes": (lambda x: ag.roll(x, (1, -2), axis=(0, 1)), (A,)),
    "concat": (lambda x, y: ag.concat([x, y], axis=None), (A, V)),
    "concat-axis": (lambda x, y: ag.concat([x, y], axis=-1), (A, A + 1)),
    "stack": (lambda x, y: ag.stack([x, y], axis=-1), (V, V + 1)),
    "tile": (lambda x: ag.tile(x, (2, 1, 3)), (A,)),
    "pad": (lambda x: ag.pad(x, ((1, 0), (0, 2)), constant_values=3.0), (A,)),
    "pad-value": (lambda x, v: ag.pad(x, 1, constant_values=v), (A, ONE)),
    "unstack": (lambda x: ag.unstack(x, axis=-1)[2], (A,)),
    "einsum": (lambda x, y: ag.einsum("ij,kj->ki", x, y), (A, A + 1)),
    "einsum-ellipsis": (lambda x, y: ag.einsum("...j,j->...", x, y), (A, V[:, [0, 1, 2, 3, 0]])),
    "einsum-three": (lambda x, y, z: ag.einsum("ij,kj,k->i", x, y, z), (A, A + 1, V)),
    "einsum-diagonal": (lambda x: ag.einsum("ii->i", x), (A[:, :, :4],)),
    "tensordot": (lambda x, y: ag.tensordot(x, y, axes=((0, -1), (0, 1))), (A, A + 1)),
    "tensordot-crossed": (lambda x, y: ag.tensordot(x, y, axes=((2, 0), (0, 1))), (X, X[:, :, :4].swapaxes(1, 3))),
    "tensordot-0": (lambda x, y: ag.tensordot(x, y, axes=0), (A, V)),
    "clip": (lambda x, lo, hi: ag.clip(x, lo, hi), (A, ONE / 2, ONE / 2 + 0.4)),
    "clip-array": (lambda x, lo: ag.clip(x, lo, None), (A, V[:, :, None])),
    "where": (lambda c, x: ag.where(c, x, 0.0), (A > 0.5, A)),
    "where-scalars": (lambda c, v: ag.where(c, 1.0, v), (A > 0.5, ONE)),
    "cross": (lambda x, y: ag.linalg.cross(x, y, axis=0), (X[:, :3, :, 0], X[:, :3, :, 1])),
    "cross-ranks": (lambda x, y: ag.linalg.cross(x, y, axis=1), (X[:, :, :3, 0], X[:, :, :3, 1])),
    "fftn": (lambda x: ag.fft.fftn(x), (A,)),
    "fftshift": (lambda x: ag.fft.fftshift(x), (A,)),
    "diff": (lambda x, y: ag.diff(x, prepend=y), (A, A[:, :, :1])),
    "sum-none": (lambda x: ag.sum(x, axis=()), (A,)),
    "mean-0d": (lambda x: ag.mean(x) + ag.std(x) + ag.max(x, axis=()), (ONE,)),
    "argmax-0d": (lambda x: ag.argmax(x), (ONE,)),
    "keepdims-0d": (lambda x: ag.sum(x, keepdims=True), (ONE,)),
    "broadcast_arrays": (lambda x, y: ag.broadcast_arrays(x, y)[1], (A, V[:, :, None])),
    "vecdot": (lambda x, y: ag.vecdot(x, y, axis=-2), (A, V[:, :, None])),
    "matrix_power": (lambda x: ag.linalg.matrix_power(x, 3), (A[:, :, :4],)),
    "scalar-operators": (lambda u, x: 2.0 ** (u - x) + 1, (ONE, A)),
}


@pytest.mark.parametrize(("f", "arguments"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions(f, arguments):
    agree(f, *arguments)


SHAPES = [(4,), (5, 4), (2, 5, 4)], [(4,), (4, 3), (2, 4, 3), (1, 4, 3)]


@pytest.mark.parametrize(("first", "second"), list(itertools.product(*SHAPES)), ids=str)
def test_matmul(first, second):
    agree(ag.matmul, RNG.uniform(size=(3, *first)), RNG.uniform(size=(3, *second)))


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.product([(3, 3), (2, 3, 3)], [(3,), (3, 2), (2, 3, 1), (1, 3, 4)])), ids=str
)
def test_solve(first, second):
    agree(ag.linalg.solve, RNG.uniform(size=(2, *first)) + 3 * np.eye(3), RNG.uniform(size=(2, *second)))


def test_no_shape_is_changed_by_an_axis_that_a_member_does_not_have():
    for f in (
        lambda x: ag.sum(x, axis=2),
        lambda x: ag.argmax(x, axis=-3),
        lambda x: ag.flip(x, axis=2),
        lambda x: ag.take(x, np.array([0]), axis=2),
        lambda x: ag.squeeze(x, axis=-3),
        lambda x: ag.sort(x[0], axis=-2),
    ):
        with pytest.raises((ValueError, IndexError), match=r"axis|axes|dimension"):
            ag.vmap(f)(A)


# -- constants ---------------------------------------------------------------------------------------------------------


def test_what_is_detached_is_still_a_batch():
    x = V[:, :2]

    def f(x):
        return ag.sum(x * ag.stop_gradient(x)) + ag.sum(ag.asarray(x).detach() ** 2)

    np.testing.assert_allclose(ag.vmap(f)(x), 2 * np.sum(x**2, axis=1))
    np.testing.assert_allclose(ag.vmap(ag.grad(f))(x), x)
    np.testing.assert_allclose(ag.grad(lambda x: ag.sum(ag.vmap(f)(x)))(x), x)
