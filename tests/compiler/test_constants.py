"""Constants that meet what is traced on the way back or forward: seeds, tangents, and what a rule of a user returns."""

import numpy as np

import agnograd as ag

X = np.linspace(-1.0, 1.0, 3)


def f(x):
    # A rule that needs to know what its cotangent's namespace is.
    return ag.logaddexp(x, 0.0)


def with_a_number(x):
    value, pull = ag.vjp(lambda x: ag.sum(f(x)), x)
    return value, pull(0.5)


def with_an_array(x):
    return ag.vjp(f, x)[1](np.full(3, 0.5))


def forward(x):
    return ag.jvp(f, (x,), (np.full(3, 0.5),))


@ag.custom_vjp
def constant_slope(x):
    return ag.sin(x)


constant_slope.defvjp(lambda x: (ag.sin(x), None), lambda _, g: (np.full(3, 2.0),))


def of_a_rule(x):
    return ag.value_and_grad(lambda x: ag.sum(constant_slope(f(x))))(x)


def test_they_are_constants_of_the_program():
    for function in (with_a_number, with_an_array, forward, of_a_rule):
        compiled = ag.compile(function)
        for x in (X, 2 * X):
            found, expected = ag.tree.leaves(compiled(x)), ag.tree.leaves(function(x))
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b)
