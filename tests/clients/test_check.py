"""The check sees what it is there for: planted faults, each of a kind."""

import warnings

import numpy as np
import pytest
from clients.case import Case
from clients.check import RefusedError, check

import agnograd as ag

X = np.asarray([0.5, 1.5, -0.7])


def case(function, *args, **options):
    return Case("none", "planted", function, args or (X,), **options)


def namespace(x):
    return x.__array_namespace__()


def detached(x):
    return x.detach() if isinstance(x, ag.Tensor) else x


def test_a_right_function_passes():
    assert check(case(lambda x: {"first": (x**2, [3, None, "text"]), "second": x[0] * 1j}))


def test_a_function_of_several_arguments_passes():
    assert check(case(lambda x, y, k: k * x * y, X, X[::-1], 3, wrt=(0, 1)))


def test_complex_arguments_have_conjugate_gradients():
    assert check(case(lambda z: z**2, X + 1j * X[::-1]))


def test_a_constant_is_told_apart():
    assert check(case(lambda x: namespace(x).astype(x > 0, x.dtype) + 0.0)) is False


def test_a_gradient_that_is_lost_in_silence_fails():
    with pytest.raises(AssertionError, match="lost in silence"):
        check(case(lambda x: detached(x) ** 2))


def test_a_gradient_that_is_lost_for_one_of_two_outputs_fails():
    with pytest.raises(AssertionError, match="instead of"):
        check(case(lambda x: (x**2, detached(x) ** 3)))


def test_a_gradient_that_is_lost_for_one_of_two_arguments_fails():
    with pytest.raises(AssertionError, match="instead of"):
        check(case(lambda x, y: x * detached(y), X, X, wrt=(0, 1)))


def test_a_wrong_value_fails():
    with pytest.raises(AssertionError, match="Not equal"):
        check(case(lambda x: x + 1 if isinstance(x, ag.Tensor) else x))


def test_a_wrong_shape_fails():
    with pytest.raises(AssertionError, match="shape"):
        check(case(lambda x: x[:, None] if isinstance(x, ag.Tensor) else x))


def test_an_exception_is_a_refusal_with_its_name():
    with pytest.raises(RefusedError, match=r"^GradientLostError: "):
        check(case(lambda x: np.asarray(x) ** 2))


def test_a_number_made_of_a_tensor_is_a_refusal():
    with pytest.raises(RefusedError, match=r"^GradientLostWarning: "):
        check(case(lambda x: float(namespace(x).sum(x))))


def test_a_number_that_only_decides_is_none():
    assert check(case(lambda x: x**2 if float(namespace(x).sum(x)) > 0 else x))


def test_nan_is_a_refusal():
    def overwritten(x):
        y = x / (x - x[0])
        y[0] = 1.0
        return y

    with pytest.raises(RefusedError, match=r"^NotFinite: "):
        check(case(overwritten))
    assert check(case(overwritten, zero_safe=True))


def test_warnings_of_the_function_are_its_own_business():
    def warning(x):
        warnings.warn("something", RuntimeWarning, stacklevel=2)
        return x * 2

    assert check(case(warning))


def test_a_case_without_outputs_is_refused():
    with pytest.raises(AssertionError, match="no output"):
        check(case(lambda x: (len(x), None)))


def test_a_tangent_that_is_lost_fails():
    with pytest.raises(AssertionError, match="tangent"):
        check(case(lambda x: x**2 if isinstance(x, (np.ndarray, ag.Tensor)) else x.detach() ** 2))


@pytest.mark.parametrize("backend", ["numpy", "strict", "dask"])
def test_a_right_function_passes_on_other_backends(backend):
    assert check(case(lambda x: namespace(x).exp(x) * x[::-1]), backend)
