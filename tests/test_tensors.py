"""The tensor: operands on either side, attributes, leaving the graph, copies; on every backend."""

from __future__ import annotations

import copy
import operator
import pickle
import warnings

import numpy as np
import pytest

import agnograd as ag
from agnograd.core import conversions
from agnograd.core.table import spaces
from agnograd.errors import CotangentError, GradientLostError, GradientLostWarning

LEFT = np.array([1.5, -0.5, 2.0])
RIGHT = np.array([0.5, 1.25, 3.0])

OPERATORS = {
    "add": (operator.add, lambda a, b: (np.ones(3), np.ones(3))),
    "sub": (operator.sub, lambda a, b: (np.ones(3), -np.ones(3))),
    "mul": (operator.mul, lambda a, b: (b + 0 * a, a + 0 * b)),
    "truediv": (operator.truediv, lambda a, b: (1 / b + 0 * a, -a / b**2)),
    "mod": (operator.mod, lambda a, b: (np.ones(3), -np.floor(a / b))),
}
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


def raw(backend, values):
    return spaces.named(backend).module.asarray(np.array(values))


def host(x):
    x = x.detach()._array if isinstance(x, ag.Tensor) else x
    return spaces[type(x)].backend.to_host(x)


@pytest.fixture(autouse=True)
def _warn_again(monkeypatch):
    monkeypatch.setattr(conversions, "_warned_sites", set())


@pytest.fixture
def left(agnograd_backend):
    return ag.tensor(raw(agnograd_backend, LEFT), requires_grad=True)


@pytest.fixture
def right(agnograd_backend):
    return ag.tensor(raw(agnograd_backend, RIGHT), requires_grad=True)


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_on_two_tensors(left, right, name):
    op, gradients = OPERATORS[name]
    out = op(left, right)
    np.testing.assert_allclose(host(out), op(LEFT, RIGHT))
    out.sum().backward()
    np.testing.assert_allclose(host(left.grad), gradients(LEFT, RIGHT)[0])
    np.testing.assert_allclose(host(right.grad), gradients(LEFT, RIGHT)[1])


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("scalar", [2, 1.5])
def test_operators_with_python_scalars_on_either_side(left, right, name, scalar):
    op, gradients = OPERATORS[name]
    np.testing.assert_allclose(host(op(left, scalar)), op(LEFT, scalar))
    op(left, scalar).sum().backward()
    np.testing.assert_allclose(host(left.grad), gradients(LEFT, scalar)[0])
    np.testing.assert_allclose(host(op(scalar, right)), op(scalar, RIGHT))
    op(scalar, right).sum().backward()
    np.testing.assert_allclose(host(right.grad), gradients(scalar, RIGHT)[1])


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_with_a_raw_array_on_the_right(left, agnograd_backend, name):
    op, gradients = OPERATORS[name]
    out = op(left, raw(agnograd_backend, RIGHT))
    assert isinstance(out, ag.Tensor)
    out.sum().backward()
    np.testing.assert_allclose(host(left.grad), gradients(LEFT, RIGHT)[0])


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_with_a_raw_array_on_the_left(right, agnograd_backend, name):
    op, gradients = OPERATORS[name]
    array = raw(agnograd_backend, LEFT)
    if agnograd_backend == "strict":
        # array-api-strict refuses foreign operands before Python asks the right one: no gradient is lost.
        with pytest.raises(TypeError):
            op(array, right)
        return
    out = op(array, right)
    assert isinstance(out, ag.Tensor)
    out.sum().backward()
    np.testing.assert_allclose(host(right.grad), gradients(LEFT, RIGHT)[1])


def test_pow_matmul_and_unary_operators(left, right):
    out = (left**2 + 2**right).sum() + left @ right + (-left).sum() + (+right).sum() + abs(left).sum()
    out.backward()
    np.testing.assert_allclose(host(left.grad), 2 * LEFT + RIGHT - 1 + np.sign(LEFT))
    np.testing.assert_allclose(host(right.grad), 2**RIGHT * np.log(2) + LEFT + 1)


@pytest.mark.parametrize("compare", COMPARISONS, ids=lambda f: f.__name__)
def test_comparisons_carry_no_gradient(left, right, compare):
    for other, plain in ((right, RIGHT), (1.5, 1.5)):
        out = compare(left, other)
        assert not out.requires_grad
        np.testing.assert_array_equal(host(out), compare(LEFT, plain))


def test_numpy_scalars_are_python_scalars(left):
    for out in (left * np.float64(2), np.float64(2) * left, left * np.float32(2)):
        assert isinstance(out, ag.Tensor)
        assert out.dtype == left.dtype
        assert out.requires_grad


def test_the_attributes_of_an_array(left, agnograd_backend):
    assert left.shape == (3,)
    assert left.ndim == 1
    assert left.size == 3
    assert left.dtype == left.array.dtype
    assert left.device == spaces.named(agnograd_backend).device(left.array)
    matrix = ag.reshape(left, (1, 3))
    assert matrix.T.shape == (3, 1)
    assert matrix.mT.shape == (3, 1)
    with pytest.raises(ValueError, match=r"\(3,\)"):
        left.T  # noqa: B018
    assert len(left) == 3
    assert [round(x.item(), 2) for x in left] == [1.5, -0.5, 2.0]


def test_the_namespace_is_the_backends(left, agnograd_backend):
    xp = left.__array_namespace__()
    assert xp is ag.namespace(agnograd_backend)
    assert xp.__name__.endswith(agnograd_backend)
    assert xp.sum(left).shape == ()


def test_a_gradient_has_the_dtype_shape_and_device_of_its_input(agnograd_backend):
    space = spaces.named(agnograd_backend)
    x = ag.tensor(space.module.ones((2, 1), dtype=space.module.float32), requires_grad=True)
    y = ag.tensor(space.module.ones((3,), dtype=space.module.float64), requires_grad=True)
    (x * y).sum().backward()
    for t in (x, y):
        assert t.grad.dtype == t.dtype
        assert t.grad.shape == t.shape
        assert t.grad.device == t.device


def test_a_real_input_of_a_complex_output_has_a_real_gradient(agnograd_backend):
    x = ag.tensor(raw(agnograd_backend, LEFT), requires_grad=True)
    z = ag.tensor(raw(agnograd_backend, RIGHT + 1j), requires_grad=True)
    ag.real(x * z * (1 - 2j)).sum().backward()
    np.testing.assert_allclose(host(x.grad), ((RIGHT + 1j) * (1 - 2j)).real)
    np.testing.assert_allclose(host(z.grad), np.conj(LEFT * (1 - 2j)))


def test_descent_along_a_complex_gradient(agnograd_backend):
    z = ag.tensor(raw(agnograd_backend, [3 + 4j]), requires_grad=True)
    (ag.abs(z) ** 2).sum().backward()
    np.testing.assert_allclose(host(z.grad), [6 + 8j])


def test_second_order_through_create_graph(left):
    (first,) = ag.autograd.grad((left**3).sum(), left, create_graph=True)
    assert first.requires_grad
    first.sum().backward()
    np.testing.assert_allclose(host(left.grad), 6 * LEFT)


def test_backward_accumulates_into_the_same_object(left):
    (left * 2).sum().backward()
    grad = left.grad
    (left * 3).sum().backward()
    assert left.grad is grad
    np.testing.assert_allclose(host(grad), [5, 5, 5])
    left.grad = None
    assert left.grad is None


def test_gradients_do_not_alias(left, right):
    seed = np.array([1.0, 2.0, 3.0])
    g = raw_like(left, seed)
    (left + right).backward(g)
    left.grad[0] = 50.0
    np.testing.assert_allclose(host(right.grad), [1, 2, 3])


def raw_like(t, values):
    return spaces[type(t._array)].module.asarray(np.array(values))


def test_a_seed_may_be_written_to_afterwards():
    x = ag.tensor(LEFT, requires_grad=True)
    seed = np.ones(3)
    (x + 1).backward(seed)
    seed[:] = 7.0
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_an_integer_seed_is_cast(left):
    (left * 2).sum().backward(raw_like(left, 3))
    np.testing.assert_allclose(host(left.grad), [6, 6, 6])


def test_item_tolist_and_conversions(left):
    assert left[0].item() == 1.5
    assert left.tolist() == [1.5, -0.5, 2.0]
    with pytest.warns(GradientLostWarning, match="float"):
        assert float(left[0]) == 1.5
    constant = left.detach()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(constant[0]) == 1.5
        assert int(constant[2]) == 2
        assert bool(constant[0] > 1)
        assert complex(constant[0]) == 1.5
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        bool(constant)
    with pytest.raises(TypeError, match=r"shape \(3,\)"):
        float(constant)
    with pytest.raises(TypeError, match="index"):
        operator.index(constant[0])
    assert operator.index(ag.asarray(raw_like(left, 2))) == 2


def test_the_warning_comes_once_for_each_place(left):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            float(left[0])
    assert len(caught) == 1


def test_numpy_asarray_keeps_gradients_from_being_lost(left):
    with pytest.raises(GradientLostError, match="detach"):
        np.asarray(left)
    with ag.no_grad():
        np.testing.assert_array_equal(np.asarray(left), LEFT)
    np.testing.assert_array_equal(np.asarray(left.detach()), LEFT)
    np.testing.assert_array_equal(left.numpy(force=True), LEFT)
    with pytest.raises(BufferError, match="detach"):
        left.__dlpack__()


def test_leaves_copy_and_pickle(left):
    twin = copy.deepcopy(left)
    assert twin.requires_grad
    assert twin is not left
    twin.data[0] = 9.0
    assert left[0].item() == 1.5
    assert copy.copy(left * 2).grad_fn is not None
    back = pickle.loads(pickle.dumps(left))
    assert back.requires_grad
    np.testing.assert_allclose(host(back), LEFT)


def test_the_gradient_flows_through_a_deep_copy_of_a_computed_tensor(left):
    y = left * 2
    twin, again = copy.deepcopy([y, y])
    assert twin is again
    assert twin is not y
    twin.sum().backward()
    assert left.grad.tolist() == [2.0, 2.0, 2.0]


def test_clone_is_on_the_graph_and_detach_is_not(left):
    clone = left.clone()
    clone += 1
    clone.sum().backward()
    np.testing.assert_allclose(host(left.grad), [1, 1, 1])
    np.testing.assert_allclose(host(left), LEFT)
    assert not left.detach().requires_grad
    assert left.detach().is_leaf


def test_requires_grad_rules(left):
    y = left * 2
    assert left.is_leaf
    assert not y.is_leaf
    assert left.grad_fn is None
    assert y.grad_fn is y.grad_fn
    with pytest.raises(RuntimeError, match="leaf"):
        y.requires_grad = False
    y.requires_grad_(True)
    with pytest.raises(TypeError, match="bool"):
        left.requires_grad = 1
    left.requires_grad = False
    assert not (left * 2).requires_grad
    with pytest.raises(AttributeError):
        left.grad_fn = None


def test_grad_is_checked_when_it_is_set(left):
    left.grad = left.detach() * 2
    np.testing.assert_allclose(host(left.grad), 2 * LEFT)
    with pytest.raises(CotangentError, match=r"\(2,\)"):
        left.grad = left.detach()[:2]
    with pytest.raises(TypeError, match="Tensor or None"):
        left.grad = 3
    with pytest.raises(RuntimeError, match="own grad"):
        left.grad = left
    del left.grad
    assert left.grad is None


def test_the_grad_of_a_computed_tensor_warns(left):
    with pytest.warns(UserWarning, match="not a leaf"):
        assert (left * 2).grad is None


def test_nodes(left, right):
    y = left * right + 1
    add = y.grad_fn
    assert repr(add).startswith("<AddBackward0 object at 0x")
    assert add.name() == "AddBackward0"
    (mul, number), (nothing, _) = add.next_functions
    assert (mul.name(), number, nothing) == ("MulBackward0", 0, None)
    leaf = mul.next_functions[0][0]
    assert leaf.name() == "AccumulateGrad"
    assert leaf.variable is left
    add.metadata["seen"] = True
    assert y.grad_fn.metadata == {"seen": True}
    y.sum().backward()
    np.testing.assert_allclose(host(left.grad), RIGHT)


def test_moving_between_backends_keeps_the_gradient(left, agnograd_backend):
    other = "strict" if agnograd_backend == "numpy" else "numpy"
    y = ag.to_backend(left * 2, other)
    assert y.__array_namespace__() is ag.namespace(other)
    (y * y).sum().backward()
    assert left.grad.__array_namespace__() is ag.namespace(agnograd_backend)
    np.testing.assert_allclose(host(left.grad), 8 * LEFT)


def test_methods_take_pytorchs_and_numpys_keywords(left):
    matrix = ag.reshape(left, (1, 3))
    for total in (matrix.sum(dim=1, keepdim=True), matrix.sum(axis=1, keepdims=True), matrix.sum(1, keepdims=True)):
        assert total.shape == (1, 1)
    assert matrix.mean(0).shape == (3,)
    assert left.max().item() == 2.0
    assert left.norm().item() == pytest.approx(np.linalg.norm(LEFT))
    assert left.reshape(3, 1).shape == left.reshape((3, 1)).shape == (3, 1)
    with pytest.raises(RuntimeError, match="out="):
        left.sum(out=left)


def test_membership_and_identity(left):
    assert left in {left: 1}
    assert 2.0 in left.detach()
    assert left != None  # noqa: E711


def test_unknown_operands_are_left_to_them(left):
    class Foreign:
        def __radd__(self, other):
            return "mine"

    assert left + Foreign() == "mine"
    with pytest.raises(TypeError, match="unsupported operand"):
        left * object()


def test_the_text_of_a_tensor(left, agnograd_backend):
    if agnograd_backend != "dask":
        assert "1.5000, -0.5000,  2.0000" in repr(left)
        return
    import dask

    def refuse(*args, **options):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse):
        assert "shape=(3,), dtype=float64, chunks=((3,),)" in repr(left)
        assert "grad_fn=<MulBackward0>" in repr(left * 2)
