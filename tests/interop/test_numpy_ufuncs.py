"""NumPy's universal functions and their methods on tensors."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import agnograd as ag
from agnograd.errors import GradientLostError
from agnograd.interop.numpy_dispatch import status
from agnograd.testing.gradcheck import gradcheck

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

UFUNCS = sorted(
    {f.__name__: f for f in (getattr(np, n) for n in dir(np)) if isinstance(f, np.ufunc)}.values(),
    key=lambda f: f.__name__,
)
KEPT = [f for f in UFUNCS if status(f.__name__, ufunc=True) == "kept"]
NONE = [f for f in UFUNCS if status(f.__name__, ufunc=True) == "none"]
RAISES = [f for f in UFUNCS if status(f.__name__, ufunc=True) == "raises"]

X = np.array([[0.31, 0.72], [0.53, 0.94]])
Y = np.array([0.45, 0.62])
# Where a function is not defined on these, or is constant there.
SHIFTED = {"acosh": 1.0, "arccosh": 1.0}


def named(ufuncs):
    return pytest.mark.parametrize("ufunc", ufuncs, ids=lambda f: f.__name__)


def arrays_for(ufunc):
    if ufunc.__name__ in {"matmul", "vecdot", "vecmat", "matvec"}:
        return {"vecmat": [Y, X], "matvec": [X, Y]}.get(ufunc.__name__, [X, X.T.copy()])
    if ufunc.__name__ == "ldexp":
        return [X, np.array([1, 3])]
    return [X + SHIFTED.get(ufunc.__name__, 0.0), Y][: ufunc.nin]


def outputs(out):
    return list(out) if isinstance(out, tuple) else [out]


def test_what_numpy_has():
    assert len(KEPT) > 60
    assert {f.__name__ for f in RAISES} <= {"bitwise_count", "frexp", "gcd", "isnat", "lcm"}


@named(KEPT)
def test_values_and_derivatives(ufunc):
    arrays = arrays_for(ufunc)
    tensors = [ag.tensor(x, requires_grad=True) if x.dtype.kind == "f" else x for x in arrays]
    for a, b in zip(outputs(ufunc(*tensors)), outputs(ufunc(*arrays)), strict=True):
        assert isinstance(a, ag.Tensor)
        assert a.requires_grad
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.detach().array, b, rtol=1e-13)
    gradcheck(lambda *x: outputs(ufunc(*x)), arrays, rtol=1e-5)
    if ufunc.nin == 2 and ufunc.__name__ != "ldexp":
        # One plain operand, on either side, and one that is a number of NumPy's or a list.
        for i in (0, 1):
            gradcheck(lambda x, i=i: outputs(ufunc(*[x if k == i else y for k, y in enumerate(arrays)])), [arrays[i]])
    if ufunc.signature is None and ufunc.nin == 2 and ufunc.__name__ != "ldexp":
        np.testing.assert_allclose(
            outputs(ufunc(tensors[0], [0.5, 0.75]))[0].detach().array, outputs(ufunc(arrays[0], [0.5, 0.75]))[0]
        )
        assert outputs(ufunc(np.float64(0.5), tensors[0]))[0].requires_grad


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@named([f for f in KEPT if f.nin == 2 and f.signature is None and f is not np.ldexp])
def test_python_numbers(ufunc, dtype):
    x = X.astype(dtype)
    for number in (0.375, 1):
        for arrays in ((x, number), (number, x)):
            expected = outputs(ufunc(*arrays))
            out = outputs(ufunc(*(ag.tensor(a, requires_grad=True) if a is x else a for a in arrays)))
            for a, b in zip(out, expected, strict=True):
                assert a.requires_grad
                assert a.dtype == b.dtype
                np.testing.assert_allclose(a.detach().array, b, rtol=1e-6)


@named(KEPT)
def test_complex_numbers_where_numpy_takes_them(ufunc):
    arrays = [x + 0.3j if x.dtype.kind == "f" else x for x in arrays_for(ufunc)]
    try:
        expected = outputs(ufunc(*arrays))
    except TypeError:
        with pytest.raises(Exception):  # noqa: B017, PT011 - the backend decides which
            ufunc(*(ag.tensor(x, requires_grad=True) for x in arrays))
        return
    for a, b in zip(outputs(ufunc(*(ag.tensor(x, requires_grad=True) for x in arrays))), expected, strict=True):
        np.testing.assert_allclose(a.detach().array, b, rtol=1e-13)
    gradcheck(lambda *x: outputs(ufunc(*x)), arrays, rtol=1e-5)


@named(NONE)
def test_without_derivative(ufunc):
    arrays = arrays_for(ufunc)
    try:
        expected = ufunc(*arrays)
    except TypeError:
        arrays = [(10 * x).astype(int) for x in arrays]
        expected = ufunc(*arrays)
    out = ufunc(*(ag.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays))
    assert isinstance(out, ag.Tensor)
    assert not out.requires_grad
    np.testing.assert_array_equal(out.array, expected)


@named(RAISES)
def test_the_rest_raises_with_a_gradient_and_works_without(ufunc):
    arrays = arrays_for(ufunc)
    with pytest.raises(GradientLostError, match=rf"cannot be given to numpy\.{ufunc.__name__} "):
        ufunc(*(ag.tensor(x, requires_grad=True) for x in arrays))
    if ufunc is np.isnat:
        return  # for dates, which no tensor holds
    if ufunc is not np.frexp:
        arrays = [(10 * x).astype(int) for x in arrays]
    for a, b in zip(outputs(ufunc(*map(ag.tensor, arrays))), outputs(ufunc(*arrays)), strict=True):
        assert isinstance(a, ag.Tensor)
        np.testing.assert_array_equal(a.array, b)


# -- methods -----------------------------------------------------------------------------------------------------------

REDUCED = [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp]


@named(REDUCED)
@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"axis": None}, {"axis": (0, 1), "keepdims": True}], ids=str)
def test_reduce(ufunc, options):
    out = ufunc.reduce(ag.tensor(X, requires_grad=True), **options)
    assert out.requires_grad
    np.testing.assert_allclose(out.detach().array, ufunc.reduce(X, **options), rtol=1e-14)
    gradcheck(lambda x: ufunc.reduce(x, **options), [X])


def test_reduce_with_where_initial_and_dtype():
    mask = X > 0.5
    for ufunc in (np.add, np.multiply, np.maximum, np.minimum):
        f = lambda x, ufunc=ufunc: ufunc.reduce(x, axis=1, where=mask, initial=0.4)
        np.testing.assert_allclose(f(ag.tensor(X)).array, f(X))
        gradcheck(f, [X])
    out = np.add.reduce(ag.tensor(X, requires_grad=True), dtype=np.float32)
    assert out.dtype == np.float32
    assert out.requires_grad


@named([np.logical_and, np.logical_or])
def test_reduce_of_truth_values(ufunc):
    x = ag.tensor(X, requires_grad=True)
    np.testing.assert_array_equal(ufunc.reduce(x > 0.5, axis=1).array, ufunc.reduce(X > 0.5, axis=1))


@named([np.add, np.multiply])
def test_accumulate(ufunc):
    for axis in (0, 1):
        f = lambda x, axis=axis: ufunc.accumulate(x, axis=axis)
        np.testing.assert_allclose(f(ag.tensor(X)).array, f(X))
        gradcheck(f, [X])


@named([np.add, np.multiply, np.subtract, np.arctan2, np.power])
def test_outer(ufunc):
    np.testing.assert_allclose(ufunc.outer(ag.tensor(X), ag.tensor(Y)).array, ufunc.outer(X, Y))
    gradcheck(ufunc.outer, [X, Y])


@pytest.mark.parametrize("ufunc", [np.add, np.subtract], ids=lambda f: f.__name__)
def test_at_adds_where_an_index_is_repeated(ufunc):
    index, values = np.array([0, 1, 0]), np.array([1.0, 2.0, 4.0])
    expected = np.zeros(3)
    ufunc.at(expected, index, values)
    x, v = ag.zeros(3) * 1, ag.tensor(values, requires_grad=True)
    ufunc.at(x, index, v)
    np.testing.assert_array_equal(x.detach().array, expected)
    (x * ag.tensor([1.0, 10.0, 100.0])).sum().backward()
    sign = 1 if ufunc is np.add else -1
    np.testing.assert_array_equal(v.grad.array, [sign, sign * 10.0, sign])
    with pytest.raises(GradientLostError):
        np.multiply.at(x, index, v)
    with pytest.raises(GradientLostError):
        ufunc.at(np.zeros(3), index, v)


# -- operators of NumPy's arrays and numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operator",
    [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod, operator.matmul],
    ids=lambda f: f.__name__,
)
def test_a_plain_array_on_the_left(operator):
    left, right = X if operator is operator_matmul else Y, X
    gradcheck(lambda x: operator(left, x), [right])
    if operator is not operator_matmul:
        out = operator(np.float64(0.5), ag.tensor(X, requires_grad=True))
        assert out.requires_grad
        assert (np.array([0.5, 0.75]) < ag.tensor(X)).dtype == bool


operator_matmul = operator.matmul


def test_dtype():
    x = ag.tensor(X.astype(np.float32), requires_grad=True)
    out = np.multiply(x, x, dtype=np.float64)
    assert out.dtype == np.float64
    out.sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_allclose(x.grad.array, 2 * X, rtol=1e-6)


DTYPES = {"astype": lambda x: x.astype(np.float16), "sum": lambda x: x.sum(dtype=np.float16)}
if np.longdouble(1).itemsize > 8:  # it is a double on some machines
    DTYPES |= {
        "product": lambda x: x * np.longdouble(2),
        "sum of arrays": lambda x: np.ones(2, np.longdouble) + x,
        "concat": lambda x: ag.concat([x[0], np.ones(2, np.longdouble)]),
        "ufunc": lambda x: np.multiply(x, np.longdouble(2)),
    }


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes_of_numpy_that_keep_no_gradient(name):
    with pytest.raises(GradientLostError, match=r"would have dtype float(16|128), which keeps no gradient.*detach"):
        DTYPES[name](ag.tensor(X, requires_grad=True))
    with pytest.raises(GradientLostError, match="would have dtype"):
        ag.jvp(DTYPES[name], (X,), (X,))
    assert DTYPES[name](ag.tensor(X)).dtype.itemsize in {2, 16}
    integers = ag.tensor(X, requires_grad=True).astype(np.int64)
    assert not integers.requires_grad


def test_a_ufunc_is_known_by_itself_and_not_by_its_name():
    def exp(x):
        return 2.0 * x

    other = np.frompyfunc(exp, 1, 1)
    assert "exp" in other.__name__
    with pytest.raises(GradientLostError, match=r"ufunc 'exp.*' of another library"):
        other(ag.tensor(X, requires_grad=True))
    np.testing.assert_array_equal(other(ag.tensor(X)).astype(float), 2 * X)


def test_special_functions_of_scipy():
    special = pytest.importorskip("scipy.special")
    x = ag.tensor(X, requires_grad=True)
    if "special.expit" in ag.plugins.manager.operations():
        gradcheck(special.expit, [X])
        gradcheck(special.xlogy, [X, Y])
    else:
        # A function of NumPy's kind, or with SCIPY_ARRAY_API=1 one that converts.
        with pytest.raises(GradientLostError):
            special.expit(x)
    with pytest.raises(GradientLostError, match=r"scipy\.special\.owens_t \("):
        special.owens_t(x, 1.0)
    np.testing.assert_array_equal(special.owens_t(x.detach(), 1.0).array, special.owens_t(X, 1.0))


def test_on_other_backends():
    strict = pytest.importorskip("array_api_strict")
    x = ag.asarray(strict.asarray([1.0, 2.0]), requires_grad=True)
    y = np.sum(np.exp2(x))
    assert type(y.detach().array) is type(strict.asarray(1.0))
    y.backward()
    np.testing.assert_allclose(np.asarray(x.grad.tolist()), np.log(2) * np.array([2.0, 4.0]))
