"""Where a gradient is zero by convention, so are its derivatives: no safe denominator shows through."""

import numpy as np
import pytest

import agnograd as ag

KINKS = {
    "abs": (ag.abs, [0j, 0j]),
    "atan2": (lambda x: ag.atan2(x, x), [0.0, 0.0]),
    "hypot": (lambda x: ag.hypot(x, x), [0.0, 0.0]),
    "norm": (ag.norm, [0.0, 0.0]),
    "sign": (ag.sign, [0j, 0j]),
    "std": (ag.std, [2.0, 2.0]),
    **{f"vector_norm-{p}": (lambda x, p=p: ag.linalg.vector_norm(x, ord=p), [0.0, 0.0]) for p in (1, 2, 3, 1.5)},
    "vector_norm-complex": (ag.linalg.vector_norm, [0j, 0j]),
    "matrix_norm": (ag.linalg.matrix_norm, [[0.0, 0.0], [0.0, 0.0]]),
}


def test_second_derivatives_of_pow_where_the_exponent_is_zero():
    # d/dx d/dn x^n = x^(n-1) (1 + n log x), in both orders.
    x, n = np.asarray([2.0, 0.5, 3.0]), np.asarray([0.0, 1.0, 2.0])

    def gradient(i):
        return lambda x, n: ag.vjp(ag.pow, x, n)[1](np.ones(3))[i]

    mixed = x ** (n - 1) * (1 + n * np.log(x))
    np.testing.assert_allclose(ag.vjp(gradient(0), x, n)[1](np.ones(3))[1], mixed)
    np.testing.assert_allclose(ag.vjp(gradient(1), x, n)[1](np.ones(3))[0], mixed)


@pytest.mark.parametrize("name", KINKS)
def test_second_derivatives_are_zero_in_all_pairs_of_modes(name):
    f, point = KINKS[name]
    x = np.asarray(point)
    t = (np.arange(x.size) + 1.0).reshape(x.shape).astype(x.dtype)

    def gradient(x):
        value, pullback = ag.vjp(f, x)
        return pullback(ag.namespace("numpy").ones_like(value))[0]

    def tangent(x):
        return ag.jvp(f, (x,), (t,))[1]

    found = [
        ag.vjp(gradient, x)[1](t)[0],
        ag.jvp(gradient, (x,), (t,))[1],
        ag.vjp(tangent, x)[1](np.ones_like(tangent(x)))[0],
        ag.jvp(tangent, (x,), (t,))[1],
    ]
    for derivative in found:
        assert not np.any(np.asarray(derivative)), name
