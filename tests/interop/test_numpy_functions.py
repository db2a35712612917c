"""NumPy's own functions on tensors: each keeps the gradient, has none to keep, or raises: none is lost in silence."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from numpy_cases import ARRAYS, CONSTANTS, FUNCTIONS

import agnograd as ag
from agnograd.errors import GradientLostError
from agnograd.interop.numpy_dispatch import full_name, status
from agnograd.testing.gradcheck import gradcheck, leaves

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:'where' used without 'out':UserWarning")

DISPATCHED = type(np.sum)


def dispatched():
    """Every function of NumPy's namespaces that asks its arguments, by its name."""
    found = {}
    for module in (np, np.linalg, np.fft):
        for name in dir(module):
            function = getattr(module, name)
            if isinstance(function, DISPATCHED):
                found[full_name(function)] = function
                # Another name of the same function.
                found.setdefault(name if module is np else f"{module.__name__[6:]}.{name}", function)
    return found


ALL = dispatched()


def cases(table):
    return [
        pytest.param(name, case, id=f"{name}-{i}")
        for name, of_name in table.items()
        if name in ALL
        for i, case in enumerate(of_name)
    ]


def arrays_of(case):
    return [ARRAYS[name] for name in inspect.signature(case).parameters]


def flat(out):
    """The arrays of a result."""
    if isinstance(out, (list, tuple)):
        return [x for item in out for x in flat(item)]
    return [out]


def floating(x):
    return getattr(getattr(x, "dtype", None), "kind", "") in {"f", "c"}


# -- which there are ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_function_has_a_case_or_raises(name):
    expected = {"kept": name in FUNCTIONS, "none": name in CONSTANTS}.get(status(full_name(ALL[name])), True)
    if full_name(ALL[name]) != name:
        return
    assert expected, status(name)
    assert not (name in FUNCTIONS and status(name) != "kept")
    assert not (name in CONSTANTS and status(name) != "none")


@pytest.mark.parametrize(("name", "case"), cases(FUNCTIONS))
def test_values_are_numpys(name, case):
    arrays = arrays_of(case)
    expected = flat(case(*arrays))
    out = flat(case(*(ag.tensor(x, requires_grad=True) for x in arrays)))
    assert len(out) == len(expected)
    for a, b in zip(out, expected, strict=True):
        assert isinstance(a, ag.Tensor)
        assert a.shape == np.shape(b)
        assert a.dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a.detach().array, b, rtol=1e-12, atol=1e-12)
    assert any(a.requires_grad for a in out)


# No second derivative by differences: rounding where the first one is constant in steps.
FIRST_ORDER = {"round", "around", "fix"}


@pytest.mark.parametrize(("name", "case"), cases(FUNCTIONS))
def test_derivatives_are_those_of_differences(name, case):
    def f(*arrays):
        return [x for x in flat(case(*arrays)) if floating(x)]

    gradcheck(f, arrays_of(case), order=1 if name in FIRST_ORDER else 2, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("name", "case"), cases(CONSTANTS))
def test_what_has_no_derivative_is_numpys_and_requires_none(name, case):
    arrays = arrays_of(case)
    expected = flat(case(*arrays))
    seen = []

    def f(*tensors):
        seen.append(flat(case(*tensors)))
        return tensors[0]

    f(*(ag.tensor(x, requires_grad=True) for x in arrays))
    ag.jvp(f, arrays, arrays)
    for out in seen:
        assert len(out) == len(expected)
        for a, b in zip(out, expected, strict=True):
            if isinstance(a, ag.Tensor):
                assert not a.requires_grad
                assert a.shape == np.shape(b)
                np.testing.assert_array_equal(a.array, b)
            else:
                assert a == b or str(a).replace("tensor", "array") == str(b)


@pytest.mark.parametrize("name", sorted(name for name in ALL if status(full_name(ALL[name])) == "raises"))
def test_the_others_raise(name):
    """Whatever the arguments, there is no result without its gradient."""
    x = ag.tensor(ARRAYS["x"], requires_grad=True)
    refused = 0
    others = [(np.sum, 0, x)] if name.startswith("apply") else [("file", x)] if name.startswith("save") else []
    for args in (
        (x,), (x, x), (x, x, x), (x, x, x, x), (x, 1), (x, 1, 0), (x, 1, 0, 1), ([x, x],), ((x, x),), ([x], x),
        (x, [1]), (x, [x > 0.5], [np.cos]), (x[0],), (x[0], x[0]), (x[0], x[0], x[0]), (x[0], 1), (x, 1, x[0]), *others,
    ):  # fmt: skip
        try:
            out = ALL[name](*args)
        except GradientLostError as error:
            assert "detach()" in str(error)  # noqa: PT017
            refused += f"cannot be given to numpy.{full_name(ALL[name])} (" in str(error)
        except (AttributeError, TypeError, ValueError, IndexError):
            continue
        else:
            raise AssertionError((args, out))
    assert refused


MASKED = np.eye(3, 4, dtype=bool)

# -- parameters --------------------------------------------------------------------------------------------------------


NOT_TAKEN = {
    "std": (lambda x: np.std(x, where=MASKED), "it takes no where= here"),
    "cov": (lambda x: np.cov(x, aweights=np.ones(4)), "it takes no aweights= here"),
    "gradient": (lambda x: np.gradient(x, np.arange(3.0), axis=0), "what these arguments ask for"),
    "pad": (lambda x: np.pad(x, 1, mode="edge"), "what these arguments ask for"),
    "eigh": (lambda x: np.linalg.eigh(x[:, :3], "U").eigenvalues, "what these arguments ask for"),
    "sum into": (lambda x: np.sum(x, 0, None, np.empty(4)), "out= is a plain array"),
    "add into": (lambda x: np.add(x, 1.0, out=np.empty((3, 4))), "out= is a plain array"),
    "exp where": (lambda x: np.exp(x, where=MASKED), "what these arguments ask for"),
    "reduceat": (lambda x: np.add.reduceat(x, [0, 1]), "there is no derivative for it"),
    "accumulate": (lambda x: np.maximum.accumulate(x), "there is no derivative for it"),
    "half": (lambda x: np.sum(x, dtype=np.float16), "would have dtype"),
    "astype": (lambda x: np.astype(x, np.float16), "would have dtype"),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_a_function_does_not_take_raises_or_is_left_to_numpy(name):
    call, why = NOT_TAKEN[name]
    with pytest.raises(GradientLostError, match=why):
        call(ag.tensor(ARRAYS["x"], requires_grad=True))
    with pytest.raises(GradientLostError, match=why):
        ag.jvp(call, (ARRAYS["x"],), (ARRAYS["x"],))
    out, expected = call(ag.tensor(ARRAYS["x"])), call(ARRAYS["x"])
    chosen = MASKED if name == "exp where" else ...
    np.testing.assert_allclose(np.asarray(out)[chosen], np.asarray(expected)[chosen])


def test_a_function_is_known_by_itself_and_not_by_its_name():
    class Dispatcher:
        """A function of another library that asks its arguments, and is called like one of NumPy's."""

        __module__ = "other"
        __name__ = "sum"

        def __call__(self, x):
            return x

    x = ag.tensor(ARRAYS["x"], requires_grad=True)
    with pytest.raises(GradientLostError, match=r"cannot be given to function other\.sum"):
        x.__array_function__(Dispatcher(), (ag.Tensor,), (x,), {})


def test_what_would_write_into_its_argument():
    with pytest.raises(GradientLostError, match="what these arguments ask for"):
        np.nan_to_num(ag.tensor(ARRAYS["x"], requires_grad=True), copy=False)
    with pytest.raises(ValueError, match="read-only"):
        np.nan_to_num(ag.tensor([np.nan]), copy=False)


def test_out_may_be_a_tensor():
    x = ag.tensor(ARRAYS["x"], requires_grad=True)
    target = ag.zeros(3, 4)
    assert np.multiply(x, x, out=target) is target
    np.testing.assert_allclose(target.detach().array, ARRAYS["x"] ** 2)
    total = ag.zeros(4)
    assert np.sum(x, 0, out=total) is total
    (target.sum() + total.sum()).backward()
    np.testing.assert_allclose(x.grad.array, 2 * ARRAYS["x"] + 1)
    part, whole = ag.zeros(3, 4), ag.zeros(3, 4)
    assert np.modf(3 * x, out=(part, whole)) == (part, whole)
    np.testing.assert_allclose(part.detach().array + whole.detach().array, 3 * ARRAYS["x"])
    left = np.full((3, 4), 7.0)
    masked = ag.tensor(left)
    np.exp(x, out=masked, where=MASKED)
    np.testing.assert_allclose(masked.detach().array, np.exp(ARRAYS["x"], out=left, where=MASKED))
    ag.sum(masked).backward()


def test_in_place_on_a_plain_array():
    plain = np.ones(4)
    with pytest.raises(GradientLostError, match="out= is a plain array"):
        plain += ag.tensor(ARRAYS["u"], requires_grad=True)
    np.testing.assert_array_equal(plain, 1.0)
    plain += ag.tensor(ARRAYS["u"])
    np.testing.assert_array_equal(plain, 1 + ARRAYS["u"])
    assert type(plain) is np.ndarray


def test_without_a_gradient_numpy_does_the_rest():
    x = ag.tensor(ARRAYS["x"], requires_grad=True)
    for values in (ag.tensor(ARRAYS["x"]), x.detach()):
        out = np.partition(values, 2)
        assert isinstance(out, ag.Tensor)
        np.testing.assert_array_equal(out.array, np.partition(ARRAYS["x"], 2))
    with ag.no_grad():
        np.testing.assert_array_equal(np.sinc(x).array, np.sinc(ARRAYS["x"]))


def test_arrays_of_other_libraries():
    da = pytest.importorskip("dask.array")
    x = ag.asarray(da.ones((2, 2)), requires_grad=True)
    with pytest.raises(GradientLostError, match=r"cannot be given to numpy\.sinc"):
        np.sinc(x)
    with pytest.raises(ag.errors.UnsupportedError, match=r"numpy\.sinc runs on NumPy's arrays.*dask.*to_backend"):
        np.sinc(x.detach())
    y = np.sum(np.exp(x) * np.float64(2))
    assert type(y.detach().array) is da.Array
    y.backward()
    np.testing.assert_allclose(x.grad.array.compute(), 2 * np.e)


def test_errors_are_those_of_the_operation():
    with pytest.raises(ValueError, match="einsum cannot read"):
        np.einsum("ij,jk", ag.ones(2, 3))
    with pytest.raises(ValueError, match="equal division"):
        np.split(ag.ones(3), 2)


def test_leaves_of_named_results():
    x = ag.tensor(ARRAYS["q"], requires_grad=True)
    _, logdet = np.linalg.slogdet(x)
    logdet.backward()
    np.testing.assert_allclose(x.grad.array, np.linalg.inv(ARRAYS["q"]).T)
    assert len(leaves(np.linalg.eigh(ag.tensor(ARRAYS["s"])))) == 2
