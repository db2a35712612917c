"""Models that are exported and run by onnxruntime, against NumPy: functions, derivatives of every kind, training."""

import warnings

import agnograd as ag
import numpy as np
import onnx
import onnxruntime
import pytest

from agnograd_onnx import export
from agnograd_onnx.deferred import TracedValueError

RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(0.2, 0.9, (3, 4))
V = RANDOM.normal(size=(3, 4))
W = RANDOM.normal(size=(4, 2))
B = RANDOM.normal(size=2)
SQUARE = RANDOM.normal(size=(3, 3)) + 3 * np.eye(3)


def run(model, *arrays):
    """The outputs of a model, by onnxruntime alone."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))


def same(f, *arguments, tolerance=1e-12):
    """A function as a model of examples of other values gives what it gives on NumPy."""
    arrays = [x for x in ag.tree.leaves(arguments) if isinstance(x, np.ndarray)]
    examples = ag.tree.map(lambda x: np.ones_like(x) if isinstance(x, np.ndarray) else x, arguments)
    found = run(export(f, examples), *arrays)
    expected = [np.asarray(x) for x in ag.tree.leaves(f(*arguments))]
    assert [x.dtype for x in found] == [x.dtype for x in expected]
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    return found


def of(x, array):
    """An array that a function holds, in the library of its argument."""
    return x.__array_namespace__().asarray(array)


# -- functions ---------------------------------------------------------------------------------------------------------

FUNCTIONS = {
    "elementwise": lambda x: ag.tanh(x) * ag.exp(-x) + ag.log1p(x) / (1 + x**2),
    "in double precision": lambda x: ag.cos(x) + ag.atan(x) * ag.asinh(x) - ag.acos(x) ** 2 + ag.atan2(x, 1 - x),
    "reductions": lambda x: ag.sum(ag.max(x, axis=0) - ag.mean(x, axis=0)) * ag.var(x) + ag.prod(x),
    "products": lambda x: (x @ of(x, W)).T @ (x @ of(x, W)) + ag.einsum("ij,ik->jk", x, x)[:2, :2],
    "indexing": lambda x: (
        x[1:, ::-1] * x[:2, of(x, np.asarray([0, 2, 2, 3]))] + x[-1, 0] - x[0, of(x, np.asarray([1, 3]))][:, None]
    ),
    "shapes": lambda x: ag.concat([ag.reshape(x, (2, 6)), ag.roll(ag.reshape(ag.stack([x, -x]), (4, 6)), 1)]),
    "sorting": lambda x: ag.cumulative_sum(ag.sort(x, axis=1), axis=1) + ag.argmax(x, axis=1)[:, None],
    "choices": lambda x: ag.where(x > 0.5, x**2, ag.sin(x)),
    "writes": lambda x: _written(x),
    "linear systems": lambda x: ag.linalg.solve(of(x, SQUARE) + x[:, :3], x) + ag.linalg.det(of(x, SQUARE) + x[:, :3]),
}


def _written(x):
    out = ag.zeros_like(x)
    out[1:, :2] = x[:2, 2:]
    out[0] += x[2]
    out *= 2
    return out


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function(name):
    same(FUNCTIONS[name], X)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_gradient(name):
    f = FUNCTIONS[name]
    same(ag.grad(lambda x: ag.sum(f(x) ** 2)), X, tolerance=1e-11)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_jvp(name):
    same(lambda x, t: ag.jvp(FUNCTIONS[name], (x,), (t,)), X, V, tolerance=1e-11)


def scalar(x):
    return ag.sum(ag.log_softmax(ag.tanh(x @ of(x, W)) + of(x, B), axis=-1)[:, 0] * ag.cos(x[:, 1]))


def test_a_product_with_the_hessian():
    same(lambda x, t: ag.hvp(scalar, (x,), (t,)), X, V)


def test_gradients_for_each_member_of_a_batch():
    same(ag.vmap(ag.grad(lambda x, w: ag.sum(ag.tanh(x @ w)), argnums=(0, 1)), in_axes=(0, None)), X, W)


def test_jacobians_and_a_hessian():
    same(ag.jacobian(lambda x: ag.sin(x @ of(x, W))), X)
    same(ag.jacfwd(lambda x: ag.sin(x @ of(x, W))), X)
    same(ag.hessian(scalar), X)


def test_backward():
    def f(x):
        t = ag.tensor(x, requires_grad=True)
        (t**3).sum().backward()
        return t.grad

    same(f, X)


def test_single_precision_stays():
    (found,) = same(ag.grad(scalar32), X.astype("float32"), tolerance=1e-5)
    assert found.dtype == np.float32


def scalar32(x):
    return ag.sum(ag.tanh(x @ of(x, W.astype("float32"))) * ag.cos(x)[:, :2])


# -- training ----------------------------------------------------------------------------------------------------------


def predict(weights, x):
    hidden = ag.tanh(x @ weights["hidden"]["w"] + weights["hidden"]["b"])
    return hidden @ weights["out"]


def step(weights, x, y, rate):
    loss, gradient = ag.value_and_grad(lambda w: ag.mean((predict(w, x) - y) ** 2))(weights)
    return loss, ag.tree.map(lambda w, g: w - rate * g, weights, gradient)


def test_a_network_is_trained_by_onnxruntime_alone():
    x = RANDOM.normal(size=(20, 2))
    y = x[:, 0] * x[:, 1]
    weights = {"hidden": {"w": RANDOM.normal(size=(2, 8)), "b": np.zeros(8)}, "out": RANDOM.normal(size=8) / 3}
    model = export(step, (weights, x, y, np.float64(0.1)))
    inputs = ["weights.hidden.b", "weights.hidden.w", "weights.out", "x", "y", "rate"]
    outputs = ["output.0", "output.1.hidden.b", "output.1.hidden.w", "output.1.out"]
    assert [given.name for given in model.graph.input] == inputs
    assert [made.name for made in model.graph.output] == outputs
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    leaves, structure = ag.tree.flatten(weights)
    losses = []
    for _ in range(60):
        loss, *leaves = session.run(None, dict(zip(inputs, (*leaves, x, y, np.asarray(0.1)), strict=True)))
        expected, weights = step(weights, x, y, 0.1)
        np.testing.assert_allclose(loss, expected, rtol=1e-9)
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 4
    for a, b in zip(leaves, structure.flatten_up_to(weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


# -- what is recorded --------------------------------------------------------------------------------------------------


def test_inputs_are_named_by_parameters_and_keys():
    def names(f, *examples):
        model = export(f, examples)
        return [given.name for given in model.graph.input], [made.name for made in model.graph.output]

    assert names(lambda x, y: x + y, X, X) == (["x", "y"], ["output"])
    assert names(lambda pair: {"a": pair[0], "b": pair[1]}, (X, X)) == (["pair.0", "pair.1"], ["output.a", "output.b"])
    assert names(lambda *args: args[0] * args[1], X, X) == (["input0", "input1"], ["output"])
    # What a function does not use is an input all the same.
    assert names(lambda x, unused: x * 2, X, B) == (["x", "unused"], ["output"])


def test_shapes_and_dtypes_of_a_model_are_those_of_the_examples():
    model = export(lambda x, n: ag.sum(x, axis=1) * n, (X.astype("float32"), np.asarray(3)))
    x, n = (given.type.tensor_type for given in model.graph.input)
    assert (x.elem_type, [d.dim_value for d in x.shape.dim]) == (onnx.TensorProto.FLOAT, [3, 4])
    assert (n.elem_type, list(n.shape.dim)) == (onnx.TensorProto.INT64, [])


def test_numbers_are_fixed_and_may_choose():
    def f(x, power, negative):
        return -(x**power) if negative else x**power

    model = export(f, (X, 3, True))
    assert [given.name for given in model.graph.input] == ["x"]
    np.testing.assert_allclose(run(model, X)[0], -(X**3))


def test_arrays_that_a_function_holds_are_constants_of_the_model():
    held = np.array(W)
    model = export(lambda x: x @ of(x, held), (X,))
    held[:] = 0
    np.testing.assert_allclose(run(model, X)[0], X @ W)


def test_outputs_that_need_no_input():
    ones, number = run(export(lambda x: (ag.ones_like(x), 2.5), (X,)), X)
    np.testing.assert_array_equal(ones, np.ones_like(X))
    assert number == 2.5


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x if ag.sum(x) > 0 else -x,
        lambda x: x * float(x[0, 0]),
        lambda x: ag.asarray(x).tolist(),
        lambda x: x[: int(ag.argmax(x[0]))],
    ],
    ids=["if", "float", "tolist", "slice"],
)
def test_values_of_what_is_traced_are_not_known(f):
    with pytest.raises(TracedValueError, match=r"shape \(.*\) and dtype .* not known.*agnograd.where"):
        export(f, (X,))


def test_complex_numbers_are_refused():
    with pytest.raises((TypeError, ValueError), match="complex128"):
        export(lambda x: x, (X * 1j,))


def test_nothing_is_lost_in_single_precision():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # ndonnx warns where it leaves double precision
        model = export(lambda x: ag.cos(x) + ag.atan(x) + ag.sinh(x) + ag.acosh(x + 2), (X,))
    casts = [node for node in model.graph.node if node.op_type == "Cast"]
    assert casts  # of the angle that is then made exact
    np.testing.assert_allclose(run(model, X)[0], np.cos(X) + np.arctan(X) + np.sinh(X) + np.arccosh(X + 2), rtol=1e-14)
