"""`agnograd.vmap` itself: axes, trees, chunks, what it refuses, and what it does with other transformations."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from made_tensors import host, leaf, raw, same

import agnograd as ag
from agnograd.autograd import Function
from agnograd.core.array import Array
from agnograd.errors import BatchedValueError, EscapedError, FunctionError

MATRIX = np.arange(12.0).reshape(4, 3) / 4 - 1
VECTOR = MATRIX[:, 0]


@pytest.fixture
def batch(agnograd_backend):
    """Four vectors of three elements."""
    return raw(agnograd_backend, MATRIX)


@pytest.fixture
def vector(agnograd_backend):
    return raw(agnograd_backend, VECTOR)


# -- axes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_axis", [0, 1, -1, -2])
@pytest.mark.parametrize("out_axis", [0, 1, -1])
def test_axes(batch, in_axis, out_axis):
    out = ag.vmap(lambda x: ag.cumulative_sum(x), in_axes=in_axis, out_axes=out_axis)(batch)
    loop = [np.cumsum(x) for x in np.moveaxis(MATRIX, in_axis, 0)]
    same(out, np.stack(loop, axis=out_axis))


def test_plain_arrays_in_plain_arrays_out(batch):
    assert not isinstance(ag.vmap(ag.sin)(batch), Array)
    assert isinstance(ag.vmap(ag.sin)(ag.asarray(batch)), ag.Tensor)


def test_one_axis_for_each_argument(batch, vector):
    out = ag.vmap(lambda x, s, k: ag.sum(x * k[0]) * s, in_axes=(0, 0, None))(batch, vector, [2.0])
    same(out, MATRIX.sum(1) * 2 * VECTOR)


def test_a_table_that_all_members_share(agnograd_backend, batch):
    places = raw(agnograd_backend, np.array([2, 0, 3]))
    same(ag.vmap(lambda table, i: table[i], in_axes=(None, 0))(batch, places), MATRIX[[2, 0, 3]])


def test_trees(batch, vector):
    axes = ({"x": 1, "shared": None}, (0,))
    data = {"x": ag.asarray(batch).T, "shared": 3.0}
    out = ag.vmap(lambda d, s: {"sum": ag.sum(d["x"]) * d["shared"], "same": (s[0], None)}, in_axes=axes)(
        data, (vector,)
    )
    same(out["sum"], MATRIX.sum(1) * 3)
    same(out["same"][0], VECTOR)
    assert out["same"][1] is None


def test_an_axis_for_each_result(batch):
    out = ag.vmap(lambda x: {"a": x, "b": (x, ag.ones_like(x[0]) * 2)}, out_axes={"a": 1, "b": (0, 0)})(batch)
    same(out["a"], MATRIX.T)
    same(out["b"][0], MATRIX)
    same(out["b"][1], [2.0] * 4)


def test_results_that_are_the_same_for_all(batch, vector):
    shared = ag.asarray(vector)
    same(ag.vmap(lambda x: shared)(batch), np.tile(VECTOR, (4, 1)))
    same(ag.vmap(lambda x: (x, shared), out_axes=(0, None))(batch)[1], VECTOR)
    same(ag.vmap(lambda x: 2.5)(batch), [2.5] * 4)


def test_keyword_arguments_are_mapped(batch, vector):
    same(ag.vmap(lambda x, *, s: x * s)(batch, s=vector), MATRIX * VECTOR[:, None])


def test_axis_size_without_mapped_arguments(vector):
    same(ag.vmap(lambda x: x + 1, in_axes=None, axis_size=2)(vector), np.stack([VECTOR + 1] * 2))


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 4, 9])
def test_chunks(batch, vector, chunk_size):
    f = lambda x, s: (ag.sum(x) * s, x * s)
    parts = ag.vmap(f, in_axes=(0, 0), out_axes=(0, 1), chunk_size=chunk_size)(batch, vector)
    same(parts[0], MATRIX.sum(1) * VECTOR)
    same(parts[1], (MATRIX * VECTOR[:, None]).T)


def test_chunks_bound_how_many_run_at_once(batch):
    sizes = []

    def f(x):
        sizes.append(x._array.shape[0])
        return x

    ag.vmap(f, chunk_size=3)(batch)
    assert sizes == [3, 1]


# -- what a batch is ---------------------------------------------------------------------------------------------------


def test_a_member_has_the_shape_of_one(batch):
    seen = []
    ag.vmap(lambda x: seen.append((x.shape, x.ndim, x.size, len(x))) or x)(batch)
    assert seen == [((3,), 1, 3, 3)]


def test_text_says_so_and_shows_no_values(batch):
    texts = []
    ag.vmap(lambda x: texts.append(repr(x)) or x)(batch)
    assert texts[0].startswith("batched(shape=(3,), dtype=float64, size=4, level=")
    ag.vmap(ag.grad(lambda x: texts.append(repr(x)) or ag.sum(x)))(batch)
    assert texts[1].startswith("batched(shape=(3,)")


def test_methods_iteration_and_copies(batch):
    same(
        ag.vmap(lambda x: sum(list(x)) + x.sum() + x.reshape(3, 1).sum() + x.mean())(batch), MATRIX.sum(1) * (3 + 1 / 3)
    )
    same(ag.vmap(lambda x: copy.deepcopy(x) * x.clone())(batch), MATRIX**2)
    same(ag.vmap(lambda x: ag.tensor(x) + x.__array_namespace__().asarray([x[0], x[1], x[2]]))(batch), MATRIX * 2)


def test_detach_keeps_the_batch(batch):
    def f(x):
        return ag.sum(x * x.detach() + x * ag.stop_gradient(x))

    same(ag.vmap(ag.grad(f))(batch), MATRIX * 2)
    same(ag.grad(lambda x: ag.sum(ag.vmap(f)(x)))(batch), MATRIX * 2)


def test_attributes_of_tensors(batch):
    def f(x):
        assert not x.requires_grad
        assert x.is_leaf
        assert x.grad_fn is None
        with pytest.raises(AttributeError, match="batch under vmap"):
            x.backward()
        with pytest.raises(AttributeError, match="batch under vmap"):
            x.requires_grad_()
        return x

    ag.vmap(f)(batch)


# -- writes ------------------------------------------------------------------------------------------------------------


def test_writes(agnograd_xp, batch):
    def f(x):
        out = agnograd_xp.zeros(4)
        out[0] = x[0]
        out[1:] = x
        out[1] += 10
        row = out[2:]
        row *= 2
        return out

    expected = np.concatenate([MATRIX[:, :1], MATRIX], axis=1)
    expected[:, 1] += 10
    expected[:, 2:] *= 2
    same(ag.vmap(f)(batch), expected)


def test_writes_to_a_batch(batch):
    def f(x):
        x = x.clone()
        first = x[0]
        x[0] = 7.0
        x[1] = first
        return x

    expected = MATRIX.copy()
    expected[:, :2] = 7
    same(ag.vmap(f)(batch), expected)


def test_gradient_through_writes(agnograd_xp, batch):
    def f(x):
        out = agnograd_xp.zeros(3)
        out[0] = x[1] * x[2]
        out[1:] = x[:2] ** 2
        return ag.sum(out)

    expected = np.stack([2 * MATRIX[:, 0], 2 * MATRIX[:, 1] + MATRIX[:, 2], MATRIX[:, 1]], axis=1)
    same(ag.vmap(ag.grad(f))(batch), expected)


# -- with other transformations ----------------------------------------------------------------------------------------


def test_gradients_for_each_sample(batch, vector, agnograd_backend):
    weights = raw(agnograd_backend, [0.5, -1.0, 2.0])

    def loss(w, x, y):
        return (ag.tanh(ag.sum(w * x)) - y) ** 2

    found = ag.vmap(ag.grad(loss), in_axes=(None, 0, 0))(weights, batch, vector)
    z = np.tanh(MATRIX @ [0.5, -1.0, 2.0])
    same(found, (2 * (z - VECTOR) * (1 - z**2))[:, None] * MATRIX)


def test_rows_of_a_jacobian(vector, agnograd_backend):
    _, pullback = ag.vjp(lambda x: ag.sin(x) * x[0], vector)
    (rows,) = ag.vmap(pullback)(raw(agnograd_backend, np.eye(4)))
    expected = np.diag(np.cos(VECTOR) * VECTOR[0])
    expected[:, 0] += np.sin(VECTOR)
    same(rows, expected)


def test_columns_of_a_hessian(agnograd_backend, vector):
    f = lambda x: ag.sum(ag.exp(x)) * x[0]
    columns = ag.vmap(lambda t: ag.jvp(ag.grad(f), (vector,), (t,))[1])(raw(agnograd_backend, np.eye(4)))
    e = np.exp(VECTOR)
    expected = np.diag(e * VECTOR[0])
    expected[0] += e
    expected[:, 0] += e
    same(columns, expected)


def test_levels_of_vmap_are_kept_apart(vector):
    outer = ag.vmap(lambda a: ag.vmap(lambda b: a * b + ag.vmap(lambda c: a + b * c)(vector)[0])(vector))(vector)
    a, b = VECTOR[:, None], VECTOR[None, :]
    same(outer, a * b + a + b * VECTOR[0])


def test_the_users_own_graph(agnograd_backend):
    x, w = leaf(agnograd_backend, VECTOR), leaf(agnograd_backend, [2.0, 3.0])
    ag.vmap(lambda a: ag.sum(a**2 * w))(x).sum().backward()
    same(x.grad, 2 * VECTOR * 5)
    same(w.grad, [np.sum(VECTOR**2)] * 2)


class Doubled(Function):
    """A square whose derivative is twice what it should be, so that one sees which was used."""

    @staticmethod
    def forward(x, scale, power):
        return x**power * scale

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, scale, ctx.power = inputs
        ctx.save_for_backward(x, scale)

    @staticmethod
    def backward(ctx, g):
        x, scale = ctx.saved_tensors
        return 2 * g * ctx.power * x ** (ctx.power - 1) * scale, 2 * g * x**ctx.power, None

    @staticmethod
    def jvp(ctx, t, t_scale, _):
        x, scale = ctx.saved_tensors
        out = 0 if t is None else 2 * t * ctx.power * x ** (ctx.power - 1) * scale
        return out + (0 if t_scale is None else 2 * t_scale * x**ctx.power)


def test_custom_functions(vector):
    apply = lambda x: Doubled.apply(x, ag.ones_like(x), 3)
    same(ag.vmap(apply)(vector), VECTOR**3)
    same(ag.vmap(ag.grad(apply))(vector), 6 * VECTOR**2)
    same(ag.grad(lambda x: ag.sum(ag.vmap(apply)(x)))(vector), 6 * VECTOR**2)
    same(ag.vmap(ag.grad(ag.grad(apply)))(vector), 12 * VECTOR)
    same(ag.grad(lambda x: ag.sum(ag.vmap(ag.grad(apply))(x)))(vector), 12 * VECTOR)
    same(ag.jvp(ag.vmap(apply), (vector,), (ag.ones_like(vector),))[1], 6 * VECTOR**2)
    same(ag.vmap(lambda x: ag.jvp(apply, (x,), (ag.ones_like(x),))[1])(vector), 6 * VECTOR**2)


def test_custom_functions_with_arguments_that_are_shared(agnograd_backend, vector):
    scale = leaf(agnograd_backend, 2.0)
    ag.vmap(lambda x: Doubled.apply(x, scale, 2))(vector).sum().backward()
    same(scale.grad, 2 * np.sum(VECTOR**2))


def test_custom_functions_with_a_rule_of_their_own(vector):
    seen = []

    class Cube(Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return g * 3 * ctx.saved_tensors[0] ** 2

        @staticmethod
        def vmap(info, in_dims, x):
            seen.append((info.batch_size, in_dims))
            return Cube.apply(x), 0

    same(ag.vmap(Cube.apply)(vector), VECTOR**3)
    same(ag.vmap(ag.grad(Cube.apply))(vector), 3 * VECTOR**2)
    same(ag.grad(lambda x: ag.sum(ag.vmap(Cube.apply)(x)))(vector), 3 * VECTOR**2)
    assert seen == [(4, (0,))] * 3


def test_custom_functions_need_their_context_apart(vector):
    class Together(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    same(ag.vmap(ag.grad(Together.apply))(vector), 2 * VECTOR)
    same(ag.grad(lambda x: ag.sum(ag.vmap(Together.apply)(x)))(vector), 2 * VECTOR)
    with pytest.raises(FunctionError, match="setup_context"):
        ag.grad(lambda x: ag.sum(ag.vmap(ag.grad(Together.apply))(x)))(vector)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x, v: ag.vmap(lambda a, b: a)(x, v[:2]), ["argument 0: 4 along axis 0", "argument 1: 2 along axis 0"]),
        (lambda x, v: ag.vmap(lambda a: a, axis_size=3)(x), ["4 along axis 0", "axis_size=3"]),
        (lambda x, v: ag.vmap(lambda a: a, in_axes=None)(x), ["nothing to map over", "axis_size"]),
        (lambda x, v: ag.vmap(lambda a: a, in_axes=2)(x), ["axis 2 of argument 0", "shape (4, 3)"]),
        (lambda x, v: ag.vmap(lambda a: a)(1.5), ["argument 0 of type float", "in_axes"]),
        (lambda x, v: ag.vmap(lambda a: a)({"k": [x, "s"]}), ["argument 0['k'][1] of type str"]),
        (lambda x, v: ag.vmap(lambda a: a, in_axes=(0, 0))(x), ["in_axes has 2 items", "1 positional"]),
        (lambda x, v: ag.vmap(lambda a: a, in_axes=({"a": 0},))({"b": x}), ["in_axes", "leading structure"]),
        (lambda x, v: ag.vmap(lambda a: a, out_axes=None)(x), ["out_axes is None", "shape (3,)"]),
        (lambda x, v: ag.vmap(lambda a: a, out_axes=5)(x), ["out_axes=5 is out of bounds", "2 axes"]),
        (lambda x, v: ag.vmap(lambda a: a if a > 0 else -a)(v), ["truth value", "where()"]),
        (lambda x, v: ag.vmap(float)(v), ["float()", "batch"]),
        (lambda x, v: ag.vmap(lambda a: a.item())(v), ["item()"]),
        (lambda x, v: ag.vmap(np.asarray)(x), ["plain array"]),
        (lambda x, v: ag.vmap(ag.unique_values)(x), ["shape", "unique_values"]),
        (lambda x, v: ag.vmap(ag.nonzero)(x), ["shape", "nonzero"]),
        (lambda x, v: ag.vmap(lambda a: a[a > 0])(x), ["x[mask]", "where"]),
    ],
)
def test_refused(batch, vector, call, words):
    with pytest.raises(BatchedValueError) as raised:
        call(batch, vector)
    for word in words:
        assert word in str(raised.value)
    # Nothing is left behind: the next call works.
    same(ag.vmap(ag.grad(lambda x: ag.sum(x * x)))(batch), 2 * MATRIX)


def test_refused_types(batch):
    with pytest.raises(TypeError, match="takes a function"):
        ag.vmap(3)
    with pytest.raises(ValueError, match="chunk_size"):
        ag.vmap(ag.sin, chunk_size=0)
    with pytest.raises(TypeError, match="whole numbers"):
        ag.vmap(ag.sin, in_axes=(0.5,))(batch)


def test_a_batch_that_escaped(vector):
    kept = []
    ag.vmap(lambda x: kept.append(x) or x)(vector)
    with pytest.raises(EscapedError, match="vmap"):
        kept[0] + 1


def test_unknown_sizes_on_dask(agnograd_backend, vector):
    if agnograd_backend != "dask":
        return
    with pytest.raises(BatchedValueError, match="not known yet"):
        ag.vmap(ag.sin)(vector[vector > 0])


def test_nothing_is_computed_on_dask(agnograd_backend, batch):
    from agnograd.testing.matrix import during_calls

    with during_calls(agnograd_backend):
        out = ag.vmap(ag.grad(lambda x: ag.sum(ag.exp(x) * x[0])))(batch)
    e = np.exp(MATRIX)
    expected = e * MATRIX[:, :1]
    expected[:, 0] += e.sum(1)
    np.testing.assert_allclose(host(out), expected)
