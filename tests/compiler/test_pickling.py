"""Compiled functions in another process: by name where a decorator made them, else without their programs."""

import pickle

import numpy as np

import agnograd as ag


@ag.compile
def decorated(x):
    return ag.sum(x * x)


def plain(x, n):
    return x**n


class Model:
    @ag.compile
    def loss(self, x):
        return ag.sum(x)


def test_decorated_functions_are_pickled_by_name():
    assert pickle.loads(pickle.dumps(decorated)) is decorated
    assert pickle.loads(pickle.dumps(Model.loss)) is Model.loss


def test_others_are_made_anew_with_their_options():
    compiled = ag.compile(plain, static_argnums=1, fallback=True, limit=3)
    again = pickle.loads(pickle.dumps(compiled))
    assert (again.static_argnums, again.fallback, again.limit) == (frozenset({1}), True, 3)
    np.testing.assert_array_equal(again(np.arange(3.0), 2), [0.0, 1.0, 4.0])
